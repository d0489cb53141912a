//! The only place for Snowflake I/O: connection files, authentication, sessions, statements.

mod answer;
mod auth;
pub mod client;
pub mod connection;
pub mod error;
pub(crate) mod http;
mod lease;
mod moment;
mod permissions;
mod query_context;
mod reserved;
mod session;
pub mod session_parameters;
mod statement;
#[cfg(test)]
pub(crate) mod testing;
mod transaction;

pub use answer::{Answer, Row};
pub use client::SnowflakeClient;
pub(crate) use client::rows_affected;
pub use connection::Connection;
pub use error::SnowflakeError;
pub use reserved::Reserved;
pub use session::close_all;
pub use statement::{Bind, Statement};
pub use transaction::Transaction;
