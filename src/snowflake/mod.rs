//! The only place for Snowflake I/O: connection files, authentication, sessions, stage, loads.

mod auth;
pub mod client;
pub mod connection;
pub mod copy;
pub mod error;
pub mod identity;
pub mod merge;
mod moment;
mod permissions;
pub mod replace;
pub mod stage;
mod storage;
mod transaction;

pub use client::{Row, SnowflakeClient};
pub use connection::Connection;
pub use error::SnowflakeError;
pub use transaction::Transaction;
