//! The only place for Snowflake I/O: connection files, authentication, sessions, stage, loads.

mod answer;
mod auth;
pub mod client;
pub mod connection;
pub mod copy;
pub mod error;
mod http;
pub mod identity;
pub mod merge;
mod moment;
mod permissions;
mod query_context;
pub mod replace;
mod session;
pub mod session_parameters;
pub mod stage;
mod statement;
mod storage;
#[cfg(test)]
mod testing;
mod transaction;

pub use answer::{Answer, Row};
pub use client::{Reserved, SnowflakeClient};
pub use connection::Connection;
pub use error::SnowflakeError;
pub use session::close_all;
pub use statement::{Bind, Statement};
pub use transaction::Transaction;
