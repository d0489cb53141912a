//! What can go wrong at the source, and what the user can do about it.

/// A failure's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceErrorKind {
    /// No ODBC driver for the platform is installed.
    DriverMissing,
    /// The host does not answer, or the connection was lost.
    Unreachable,
    /// The login was refused.
    Login,
    /// A table or column does not exist.
    NoSuchObject,
    /// A privilege is missing.
    NoPrivilege,
    /// The statement is wrong for the source: syntax, or what it computes.
    Refused,
    /// A value has no faithful form in the file.
    Value,
    /// A value grew while it was read.
    Moved,
    /// Text that cannot be sent as UTF-8.
    Encoding,
    /// The table is not the one any more that was planned.
    Changed,
    /// The source ended a statement that took too long.
    TimedOut,
    /// The task was cancelled.
    Cancelled,
    /// Something else.
    Other,
}

/// A failure at the source.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// Its kind.
    pub kind: SourceErrorKind,
    /// What is wrong, where, and what to do; free of secrets.
    pub message: String,
}

impl SourceError {
    /// A failure of this kind.
    pub fn new(kind: SourceErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The same, and where.
    pub(crate) fn at(self, place: &str) -> Self {
        Self {
            message: format!("{place}: {}", self.message),
            ..self
        }
    }

    /// Whether another attempt can help.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            SourceErrorKind::Unreachable | SourceErrorKind::Moved | SourceErrorKind::Other
        )
    }

    /// From a failure of ODBC. Drivers put the server's own words into the text, and often a state that says little,
    /// so both are looked at.
    pub(crate) fn from_odbc(error: &odbc_api::Error, place: &str) -> Self {
        let (state, words) = match error {
            odbc_api::Error::Diagnostics { record, .. }
            | odbc_api::Error::InvalidRowArraySize { record, .. }
            | odbc_api::Error::UnableToRepresentNull(record)
            | odbc_api::Error::UnsupportedOdbcApiVersion(record)
            | odbc_api::Error::OracleOdbcDriverDoesNotSupport64Bit(record) => {
                (record.state.as_str().to_owned(), record.to_string())
            }
            other => (String::new(), other.to_string()),
        };
        let mut words = own_words(&words);
        // It quotes pieces of `pqopt`, which may be a key's passphrase.
        if let Some(start) = words.find(PARAMETER_ERROR) {
            words.truncate(start + PARAMETER_ERROR.len());
        }
        let (kind, remedy) = if matches!(error, odbc_api::Error::TooLargeValueForBuffer { .. }) {
            (
                SourceErrorKind::Moved,
                "a value grew while the table was read; the next attempt measures anew",
            )
        } else {
            classify(&state, &words)
        };
        let state = if state.is_empty() {
            state
        } else {
            format!(" (SQL state {state})")
        };
        Self::new(kind, format!("{place}: {words}{state} — {remedy}"))
    }
}

/// How psqlODBC begins to say that libpq could not read its settings.
const PARAMETER_ERROR: &str = "libpq connection parameter error";

/// What the server said, on one line, without what the layers between have put around it: the record's head
/// (`State: …, Native error: …, Message: `), the names of drivers in brackets, PostgreSQL's driver's last sentence.
fn own_words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut words = match line.split_once("Message: ") {
        Some((head, rest)) if head.starts_with("State: ") => rest,
        _ => line.as_str(),
    };
    while let Some((_, rest)) = words
        .strip_prefix('[')
        .and_then(|inside| inside.split_once(']'))
    {
        words = rest.trim_start();
    }
    words
        .trim_end_matches("Error while executing the query")
        .trim_end_matches([';', ' '])
        .to_owned()
}

/// The kind of what the source said, and what to do about it.
fn classify(state: &str, words: &str) -> (SourceErrorKind, &'static str) {
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let is = |any: &[&str]| any.iter().any(|start| state.starts_with(start));
    if says(&[PARAMETER_ERROR]) {
        (
            SourceErrorKind::Refused,
            "the value of pqopt in extra_options is no list of libpq's settings: write name='value' for a value with blanks",
        )
    } else if says(&["does not support SSL"]) {
        (
            SourceErrorKind::Refused,
            "the server offers no TLS: let it, or give up protection with sslmode = \"disable\" in extra_options (insecure)",
        )
    } else if says(&[
        "certificate verify failed",
        "root certificate file",
        "server certificate for",
    ]) {
        (
            SourceErrorKind::Refused,
            "the server's certificate is not trusted: name its authority's certificate with pqopt = \"sslrootcert=FILE\" in extra_options, together with sslmode = \"verify-full\"; sslmode = \"require\" does without (insecure)",
        )
    } else if says(&["row-level security", "row security"]) {
        (SourceErrorKind::NoPrivilege, super::policies::REMEDY)
    } else if says(&["statement pooling mode"]) {
        (
            SourceErrorKind::Refused,
            "the pooler in front of the source allows no transactions: set its pool_mode to transaction or session, or connect to the server itself",
        )
    } else if says(&[
        "too many connections",
        "too many clients",
        "remaining connection slots",
        "no more connections allowed",
        "query_wait_timeout",
    ]) || is(&["53300"])
    {
        (
            SourceErrorKind::Unreachable,
            "each running task holds one connection: lower max_parallel_tasks of the workers, or raise the role's CONNECTION LIMIT, the server's max_connections or the pooler's pool size",
        )
    } else if says(&["conflict with recovery"]) {
        (
            SourceErrorKind::Other,
            "the standby had to apply changes of the primary to rows that the statement still read: set hot_standby_feedback = on or raise max_standby_streaming_delay on the standby, make partitions smaller (partitionSize), or migrate from the primary",
        )
    } else if is(&["25P03", "25P04"])
        || says(&[
            "idle-in-transaction timeout",
            "idle transaction timeout",
            "transaction timeout",
        ])
    {
        (
            SourceErrorKind::Other,
            "the source or a pooler ended the transaction while the worker was waiting for the stage: raise its idle_transaction_timeout or transaction_timeout for this login, or make partitions smaller (partitionSize)",
        )
    } else if is(&["55P03"]) || says(&["lock timeout", "could not obtain lock"]) {
        (
            SourceErrorKind::Other,
            "another session holds a lock on the table (ALTER, TRUNCATE, VACUUM FULL …): let that end first, or raise lock_timeout for this login",
        )
    } else if is(&["22021", "22P05"])
        || says(&[
            "invalid byte sequence for encoding",
            "has no equivalent in encoding",
        ])
    {
        (
            SourceErrorKind::Encoding,
            "mend the value, leave its row out with whereClauseCriteria, or migrate a view that reads the column in its true encoding",
        )
    } else if says(&["canceling statement due to user request"]) {
        (
            SourceErrorKind::Other,
            "somebody at the source cancelled the statement; ask who runs it",
        )
    } else if is(&["28"]) || says(&["authentication failed", "no pg_hba.conf entry"]) {
        (
            SourceErrorKind::Login,
            "check username and password in the worker's configuration, and that this user may log in from here",
        )
    } else if is(&["57014"]) || says(&["statement timeout", "cancelled on user's request"]) {
        (
            SourceErrorKind::TimedOut,
            "the statement took longer than the source allows this user; raise its statement_timeout",
        )
    } else if is(&["42501"]) || says(&["permission denied"]) {
        (
            SourceErrorKind::NoPrivilege,
            "grant the source user SELECT on the table and USAGE on its schema",
        )
    } else if is(&["3D000", "3F000", "42P01", "42703", "42S02", "42S22"])
        || (says(&["database \""]) && says(&["does not exist"]))
    {
        (
            SourceErrorKind::NoSuchObject,
            "check the names in the workflow and the database in the worker's configuration",
        )
    } else if is(&["IM002", "IM003"]) || says(&["Can't open lib", "Data source name not found"]) {
        (
            SourceErrorKind::DriverMissing,
            "install the platform's ODBC driver, or name an installed one with odbc_driver",
        )
    } else if is(&["08", "57P0"])
        || says(&[
            "could not connect",
            "Connection refused",
            "server closed the connection",
            "terminating connection",
            "no connection to the server",
            "could not translate host name",
        ])
    {
        (
            SourceErrorKind::Unreachable,
            "check host and port in the worker's configuration, and that the source answers",
        )
    } else if says(&[
        "cannot subtract infinite dates",
        "cannot convert infinity",
        "out of range",
    ]) {
        (
            SourceErrorKind::Value,
            "a value such as infinity has no form in Snowflake's type; make the target column VARCHAR (by columnTypeMappings where the target is to be created), or leave the rows out with whereClauseCriteria",
        )
    } else if is(&["0A", "22", "42"]) {
        (
            SourceErrorKind::Refused,
            "the source refuses the statement; check whereClauseCriteria of the table, which is part of it",
        )
    } else {
        (
            SourceErrorKind::Other,
            "these are the source's own words; if they stay the same at each attempt, ask who runs the source",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words_are_left_of_what_the_layers_say() {
        for (text, words) in [
            (
                "State: 42501, Native error: 1, Message: ERROR: permission denied for table t;\nError while executing the query",
                "ERROR: permission denied for table t",
            ),
            (
                "State: IM002, Native error: 0, Message: [unixODBC][Driver Manager]Data source name not found",
                "Data source name not found",
            ),
            (
                "State: 08001, Native error: 101, Message: connection failed: Connection refused\n\tIs the server running?",
                "connection failed: Connection refused Is the server running?",
            ),
            (
                "The dialog has been aborted.",
                "The dialog has been aborted.",
            ),
        ] {
            assert_eq!(own_words(text), words);
        }
    }

    #[test]
    fn what_helps_decides_what_a_failure_is() {
        use SourceErrorKind::*;
        for (state, words, kind) in [
            (
                "08001",
                "FATAL: password authentication failed for user \"u\"",
                Login,
            ),
            ("28000", "Login failed", Login),
            (
                "08001",
                "connection to server failed: server does not support SSL, but SSL was required",
                Refused,
            ),
            ("08001", "SSL error: certificate verify failed", Refused),
            (
                "08001",
                "FATAL: database \"d\" does not exist",
                NoSuchObject,
            ),
            ("08001", "Connection refused", Unreachable),
            ("57P01", "terminating connection", Unreachable),
            (
                "HY000",
                "ERROR: canceling statement due to statement timeout",
                TimedOut,
            ),
            ("42501", "ERROR: permission denied", NoPrivilege),
            ("42703", "ERROR: column \"x\" does not exist", NoSuchObject),
            ("42601", "ERROR: syntax error at or near \")\"", Refused),
            ("22012", "ERROR: division by zero", Refused),
            ("22008", "ERROR: timestamp out of range", Value),
            (
                "01000",
                "Can't open lib 'x' : file not found",
                DriverMissing,
            ),
            ("HY000", "out of shared memory", Other),
            (
                "42501",
                "ERROR: query would be affected by row-level security policy for table \"t\"",
                NoPrivilege,
            ),
            (
                "08001",
                "FATAL: too many connections for role \"u\"",
                Unreachable,
            ),
            (
                "53300",
                "FATAL: sorry, too many clients already",
                Unreachable,
            ),
            (
                "40001",
                "FATAL: terminating connection due to conflict with recovery",
                Other,
            ),
            (
                "25P03",
                "FATAL: terminating connection due to idle-in-transaction timeout",
                Other,
            ),
            (
                "55P03",
                "ERROR: canceling statement due to lock timeout",
                Other,
            ),
            (
                "22021",
                "ERROR: invalid byte sequence for encoding \"UTF8\": 0xe9",
                Encoding,
            ),
            (
                "57014",
                "ERROR: canceling statement due to user request",
                Other,
            ),
            (
                "08P01",
                "FATAL: transaction blocks not allowed in statement pooling mode",
                Refused,
            ),
        ] {
            let error = SourceError::new(classify(state, words).0, "");
            assert_eq!(error.kind, kind, "{state} {words}");
            assert_eq!(error.is_retryable(), matches!(kind, Unreachable | Other));
        }
    }
}
