//! Microsoft SQL Server: what its section of the configuration means. Its tables cannot be moved yet.

mod settings;

/// The platform.
pub(super) struct SqlServer;
