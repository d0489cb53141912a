//! What can go wrong at the source, and what the user can do about it.

use crate::domain::problem::Problem;
pub use crate::domain::source_failure::SourceErrorKind;
use crate::platform::Connect;

/// A failure at the source.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{problem}")]
pub struct SourceError {
    /// Its kind.
    pub kind: SourceErrorKind,
    /// What is wrong, where, and what to do; free of secrets. Boxed, because errors of sources are passed far.
    pub problem: Box<Problem>,
}

impl SourceError {
    /// A failure of this kind, from one of our own sentences: what is wrong, and after the first semicolon what to do.
    pub fn new(kind: SourceErrorKind, sentence: impl AsRef<str>) -> Self {
        Self {
            kind,
            problem: Box::new(kind.code().says(sentence)),
        }
    }

    /// The same, and where.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.problem = Box::new(self.problem.at(place));
        self
    }

    /// The same, and what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.problem.hint = Some(hint.into());
        self
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
    pub(crate) fn from_odbc(error: &odbc_api::Error, platform: &dyn Connect, place: &str) -> Self {
        let (state, native, words) = diagnostic(error);
        let words = platform.server_words(&words);
        if matches!(error, odbc_api::Error::TooLargeValueForBuffer { .. }) {
            let remedy = "a value grew while the table was read; the next attempt measures again";
            return Self::told(SourceErrorKind::Moved, place, &words, &state, remedy);
        }
        let refusal = platform.refusal(&state, native, &words);
        let (kind, remedy) = refusal.unwrap_or_else(|| classify(&state, &words));
        Self::told(kind, place, &words, &state, remedy)
    }

    /// From a failure of the driver manager, before a driver is chosen.
    pub(super) fn from_driver_manager(error: &odbc_api::Error) -> Self {
        let (state, _, words) = diagnostic(error);
        let (kind, remedy) = classify(&state, &words);
        Self::told(kind, "the ODBC driver manager", &words, &state, remedy)
    }

    fn told(kind: SourceErrorKind, place: &str, words: &str, state: &str, remedy: &str) -> Self {
        let state = match state {
            "" => String::new(),
            state => format!(" (SQL state {state})"),
        };
        Self {
            kind,
            problem: Box::new(
                kind.code()
                    .problem(format!("{words}{state}"))
                    .hint(remedy)
                    .at(place),
            ),
        }
    }
}

/// The SQL state of a failure, the server's own number for it, and what the server said.
fn diagnostic(error: &odbc_api::Error) -> (String, i32, String) {
    let (state, native, words) = match error {
        odbc_api::Error::Diagnostics { record, .. }
        | odbc_api::Error::InvalidRowArraySize { record, .. }
        | odbc_api::Error::UnableToRepresentNull(record)
        | odbc_api::Error::UnsupportedOdbcApiVersion(record)
        | odbc_api::Error::OracleOdbcDriverDoesNotSupport64Bit(record) => {
            let state = record.state.as_str().to_owned();
            (state, record.native_error, record.to_string())
        }
        other => (String::new(), 0, other.to_string()),
    };
    (state, native, own_words(&words))
}

/// What the server said, on one line, without what the layers between have put around it: the record's head
/// (`State: …, Native error: …, Message: `), the names of drivers in brackets.
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
    words.to_owned()
}

/// The kind of a failure by its SQL state alone, as ODBC defines the states, where the platform knows no better.
/// <https://learn.microsoft.com/sql/odbc/reference/appendixes/appendix-a-odbc-error-codes>
fn classify(state: &str, words: &str) -> (SourceErrorKind, &'static str) {
    let is = |any: &[&str]| any.iter().any(|start| state.starts_with(start));
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    if is(&["28"]) {
        (
            SourceErrorKind::Login,
            "check username and password in the worker's configuration, and that this user may log in from here",
        )
    } else if is(&["42S02", "42S22"]) {
        (
            SourceErrorKind::NoSuchObject,
            "check the names in the workflow and the database in the worker's configuration",
        )
    } else if is(&["IM002", "IM003"]) || says(&["Can't open lib", "Data source name not found"]) {
        (
            SourceErrorKind::DriverMissing,
            "install the platform's ODBC driver, or name an installed one with odbc_driver",
        )
    } else if is(&["08"]) {
        (
            SourceErrorKind::Unreachable,
            "check host and port in the worker's configuration, and that the source answers",
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
    use crate::domain::table::Platform;
    use crate::platform;

    #[test]
    fn the_servers_words_are_left_of_what_the_layers_say() {
        let postgres = platform::source(Platform::Postgresql).expect("a platform");
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
            assert_eq!(postgres.server_words(&own_words(text)), words);
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
            let platform = platform::source(Platform::Postgresql).expect("a platform");
            let (kind_of, _) = platform
                .refusal(state, 0, words)
                .unwrap_or_else(|| classify(state, words));
            let error = SourceError::new(kind_of, "");
            assert_eq!(error.kind, kind, "{state} {words}");
            assert_eq!(error.is_retryable(), matches!(kind, Unreachable | Other));
        }
    }
}
