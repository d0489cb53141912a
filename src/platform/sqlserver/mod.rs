//! Microsoft SQL Server. Its tables cannot be moved yet.

mod adapt;
mod kinds;
mod names;
mod odbc;
mod refusals;
mod settings;
mod transaction;
mod types;

/// The platform.
pub(super) struct SqlServer;
