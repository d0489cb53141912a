//! Microsoft SQL Server, Azure SQL Database and Managed Instance.

mod adapt;
mod catalog;
mod checksum;
mod keys;
mod kinds;
mod names;
mod odbc;
mod refusals;
mod rows;
mod settings;
#[cfg(test)]
mod statements_tests;
mod transaction;
mod types;

/// The platform.
pub(super) struct SqlServer;
