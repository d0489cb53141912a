//! Starts the local servers and the real binary for the tests in `tests/`, and asks the servers what they hold.
//!
//! | module | gives |
//! |---|---|
//! | [`snowflake`] | a local Snowflake: shared by a test process, or a test's own to kill and start again |
//! | [`parser`] | whether statements parse, by sqlglot |
//! | [`redshift`] | a local Redshift, the same, which is a PostgreSQL at another port |
//! | [`database`] | a database of it for each test |
//! | [`sqlserver`] | a SQL Server, the local one or a real one, and a database of it for each test |
//! | [`source`] | what a migration needs of a database, whatever its platform |
//! | [`pooler`] | a PgBouncer before a database |
//! | [`sql`] | SQL on any of them, by a driver that is not snowhaul's |
//! | [`snowhaul`] | the binary as a process: its output, signals, its end |
//! | [`metadata`] | what snowhaul keeps in Snowflake, as questions |
//! | [`migration`] | one workflow from a database into the shared Snowflake, by `snowhaul run` |
//! | [`proxy`] | a TCP proxy that cuts, delays and holds back |
//! | [`scratch`] | a test's directory |
//!
//! Everything blocks, panics with the reason where a test could not go on anyway, and cleans up when it is dropped.
//! What a test process leaves behind when it is killed ends by itself: servers run until their standard input ends,
//! the binary asks the kernel to be killed with its parent.

pub mod database;
pub mod metadata;
pub mod migration;
pub mod parser;
pub mod pooler;
pub mod proxy;
pub mod redshift;
pub mod scratch;
pub mod snowflake;
pub mod snowhaul;
pub mod source;
pub mod sql;
pub mod sqlserver;

mod places;
mod served;

pub use database::{Database, worker_configuration};
pub use metadata::Metadata;
pub use migration::{Migrated, Migration};
pub use parser::unparsed;
pub use pooler::{Pooler, Pooling};
pub use proxy::{Direction, Proxy};
pub use redshift::LocalRedshift;
pub use rustix::process::Signal;
pub use scratch::Scratch;
pub use snowflake::{LocalSnowflake, UNFRIENDLY, foreign_metadata, unique_name};
pub use snowhaul::{Ended, Running, Snowhaul, eventually, until};
pub use source::Source;
pub use sql::{Answer, Row, Sql, SqlError};
pub use sqlserver::{SqlServer, SqlServerDatabase, bracketed};
