//! Amazon Redshift.

mod catalog;
mod columns;
mod expressions;
mod settings;
mod transaction;

use super::postgres_family::{OdbcFacts, PostgresLike};

/// The platform.
pub(super) struct Redshift;

impl PostgresLike for Redshift {
    fn odbc(&self) -> &'static OdbcFacts {
        &OdbcFacts {
            usual_drivers: &[
                "Amazon Redshift ODBC Driver (x64)",
                "Amazon Redshift (x64)",
                "PostgreSQL Unicode",
            ],
            // Documentation of Amazon Redshift: "Configuring security options for connections".
            publicly_certified: &[
                ".redshift.amazonaws.com",
                ".redshift-serverless.amazonaws.com",
                ".redshift.amazonaws.com.cn",
                ".redshift-serverless.amazonaws.com.cn",
            ],
            verifying_driver: Some("Redshift"),
        }
    }
}
