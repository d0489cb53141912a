//! Sessions: cursors, and the limit of a statement's time.

use crate::platform::transaction::{ServerCursor, TransactionSettings};

/// The cursor's name: a transaction has one at a time.
const CURSOR: &str = "snowhaul_rows";

/// A cursor over a query, which may end in a comment of the user's. At most so many rows a fetch.
pub(in crate::platform) fn cursor(query: &str, most_rows: usize) -> ServerCursor {
    ServerCursor {
        declare: format!("DECLARE {CURSOR} CURSOR FOR {query}"),
        fetch: |rows| format!("FETCH FORWARD {rows} FROM {CURSOR}"),
        most_rows,
    }
}

/// A statement's time limit in milliseconds.
pub(in crate::platform) fn millis(settings: &TransactionSettings) -> Option<String> {
    // The setting's largest value is 24 days: more than that is no limit either.
    settings.statement_timeout.map(|limit| {
        let millis = limit.as_millis().min(i32::MAX.unsigned_abs().into());
        millis.to_string()
    })
}
