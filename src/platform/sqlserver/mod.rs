//! Microsoft SQL Server. Its tables cannot be moved yet.

mod odbc;
mod refusals;
mod settings;
mod transaction;

/// The platform.
pub(super) struct SqlServer;
