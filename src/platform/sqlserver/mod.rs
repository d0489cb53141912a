//! Microsoft SQL Server, Azure SQL Database and Managed Instance.

mod catalog;
mod checksum;
mod keys;
mod kinds;
mod names;
mod odbc;
mod refusals;
mod rows;
mod settings;
mod transaction;

/// The platform.
pub(super) struct SqlServer;
