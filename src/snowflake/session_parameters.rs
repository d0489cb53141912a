//! The session parameters that nothing here may leave to an account's or a user's defaults
//! (documentation: "Parameters"). They are set at each login; `snowhaul doctor` asks what became of them.

use serde_json::{Map, Value, json};
use std::time::Duration;

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// TRUE or FALSE.
    Flag(bool),
    /// A whole number.
    Number(u64),
    /// Text.
    Text(&'static str),
}

impl Setting {
    fn json(self) -> Value {
        match self {
            Self::Flag(flag) => json!(flag),
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
        }
    }
}

impl std::fmt::Display for Setting {
    /// As SHOW PARAMETERS has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text}"),
        }
    }
}

/// Each parameter with its value, and what another value would do.
pub const PINNED: &[(&str, Setting)] = &[
    // Nothing depends on where the account's people live.
    ("TIMEZONE", Setting::Text("UTC")),
    // A session sees what another one has committed to a hybrid table.
    ("READ_LATEST_WRITES", Setting::Flag(true)),
    // Locks are waited for briefly, and asked for again; the default of a standard table is twelve hours.
    ("HYBRID_TABLE_LOCK_TIMEOUT", Setting::Number(10)),
    ("LOCK_TIMEOUT", Setting::Number(600)),
    ("TRANSACTION_ABORT_ON_ERROR", Setting::Flag(true)),
    ("ABORT_DETACHED_QUERY", Setting::Flag(true)),
    // Anything else would cut results without a word.
    ("ROWS_PER_RESULTSET", Setting::Number(0)),
    // TRUE would take every quoted name for its upper case: other tables, other columns.
    ("QUOTED_IDENTIFIERS_IGNORE_CASE", Setting::Flag(false)),
    // Renewals of leases wait for a busy warehouse rather than fail.
    ("STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", Setting::Number(0)),
    // Dates in statements are written year first; anything else might read the day as the month.
    ("DATE_INPUT_FORMAT", Setting::Text("AUTO")),
    ("TIME_INPUT_FORMAT", Setting::Text("AUTO")),
    ("TIMESTAMP_INPUT_FORMAT", Setting::Text("AUTO")),
    ("DATE_OUTPUT_FORMAT", Setting::Text("YYYY-MM-DD")),
    ("TIME_OUTPUT_FORMAT", Setting::Text("HH24:MI:SS")),
    (
        "TIMESTAMP_OUTPUT_FORMAT",
        Setting::Text("YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"),
    ),
    (
        "TIMESTAMP_NTZ_OUTPUT_FORMAT",
        Setting::Text("YYYY-MM-DD HH24:MI:SS.FF3"),
    ),
    (
        "TIMESTAMP_LTZ_OUTPUT_FORMAT",
        Setting::Text("YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"),
    ),
    (
        "TIMESTAMP_TZ_OUTPUT_FORMAT",
        Setting::Text("YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"),
    ),
    ("BINARY_INPUT_FORMAT", Setting::Text("HEX")),
    ("BINARY_OUTPUT_FORMAT", Setting::Text("HEX")),
    // What a bare TIMESTAMP in a user's type mapping means.
    ("TIMESTAMP_TYPE_MAPPING", Setting::Text("TIMESTAMP_NTZ")),
    // FALSE would hide two rows of one key.
    ("ERROR_ON_NONDETERMINISTIC_MERGE", Setting::Flag(true)),
    ("ERROR_ON_NONDETERMINISTIC_UPDATE", Setting::Flag(false)),
    // One text is one statement.
    ("MULTI_STATEMENT_COUNT", Setting::Number(1)),
];

/// The parameters of a login. A statement ends when its client waits for it no more.
pub(super) fn at_login(autocommit: bool, timeout: Duration, tag: String) -> Map<String, Value> {
    let own = [
        ("AUTOCOMMIT", json!(autocommit)),
        ("STATEMENT_TIMEOUT_IN_SECONDS", json!(timeout.as_secs())),
        ("QUERY_TAG", json!(tag)),
    ];
    let pinned = PINNED.iter().map(|(name, value)| (*name, value.json()));
    pinned
        .chain(own)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
