//! How transactions begin on Redshift. As on PostgreSQL, nothing outlives a transaction, and nothing is set that the user's
//! SQL could see the values of, but for what exact text needs.

use super::Redshift;
use crate::platform::postgres_family::{cursor, millis};
use crate::platform::transaction::{Opening, ServerCursor, TransactionSettings, Transactions};

impl Transactions for Redshift {
    fn opening(&self, settings: &TransactionSettings) -> Opening {
        opening(settings)
    }

    fn cursor(&self, query: &str) -> Option<ServerCursor> {
        // Of a cluster of one node, and nothing tells how many a cluster has.
        // https://docs.aws.amazon.com/redshift/latest/dg/fetch.html
        Some(cursor(query, 1_000))
    }
}

/// Its isolation is always that of one snapshot. It has no other exact text of a double than this setting gives; the
/// driver sets it as well, so that clients of the same driver see nothing else.
/// <https://docs.aws.amazon.com/redshift/latest/dg/r_extra_float_digits.html>
fn opening(settings: &TransactionSettings) -> Opening {
    let mut statements = vec![
        "SET LOCAL extra_float_digits TO 2".to_owned(),
        // The driver's own choice, which the user's SQL would see.
        "SET LOCAL datestyle TO DEFAULT".to_owned(),
    ];
    statements
        .extend(millis(settings).map(|limit| format!("SET LOCAL statement_timeout TO {limit}")));
    Opening {
        statements,
        settings: "SELECT 'extra_float_digits', current_setting('extra_float_digits') UNION ALL SELECT 'server_encoding', 'UTF8' \
                   UNION ALL SELECT 'session', CAST(pg_backend_pid() AS varchar) UNION ALL SELECT 'identity', CAST(pg_backend_pid() AS varchar)"
            .to_owned(),
        expected: vec![("extra_float_digits", "2".to_owned())],
        identity: "SELECT CAST(pg_backend_pid() AS varchar)".to_owned(),
        ending: None,
        timeout_seconds: None,
    }
}
