//! PostgreSQL.

mod catalog;
mod checksum;
mod columns;
mod expressions;
mod settings;
mod transaction;

use super::postgres_family::{OdbcFacts, PostgresLike};

/// The platform.
pub(super) struct Postgres;

impl PostgresLike for Postgres {
    fn odbc(&self) -> &'static OdbcFacts {
        &OdbcFacts {
            usual_drivers: &["PostgreSQL Unicode"],
            publicly_certified: &[],
            verifying_driver: None,
        }
    }
}
