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
    /// A value has no faithful form in the file.
    Value,
    /// A value grew while it was read.
    Moved,
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

    /// Whether another attempt can help.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            SourceErrorKind::Unreachable | SourceErrorKind::Moved | SourceErrorKind::Other
        )
    }

    /// From a failure of ODBC. Drivers put the server's own words into the text, and often a state that says little,
    /// so both are looked at.
    pub(super) fn from_odbc(error: &odbc_api::Error, place: &str) -> Self {
        let text = error.to_string();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let (kind, remedy) = if matches!(error, odbc_api::Error::TooLargeValueForBuffer { .. }) {
            (
                SourceErrorKind::Moved,
                "a value grew while the table was read; the next attempt measures anew",
            )
        } else if says(&[
            "password authentication failed",
            "28P01",
            "State: 28000",
            "authentication failed",
        ]) {
            (
                SourceErrorKind::Login,
                "check username and password in the worker's configuration",
            )
        } else if says(&["permission denied", "42501"]) {
            (
                SourceErrorKind::NoPrivilege,
                "grant the source user SELECT on the table and USAGE on its schema",
            )
        } else if says(&["State: 3D000", "database \"", "42P01", "42703"])
            && says(&["does not exist"])
        {
            (
                SourceErrorKind::NoSuchObject,
                "check the names in the workflow and the database in the worker's configuration",
            )
        } else if says(&[
            "State: 01000, Native error: 0, Message: [unixODBC][Driver Manager]Can't open lib",
            "State: IM002",
            "Data source name not found",
        ]) {
            (
                SourceErrorKind::DriverMissing,
                "install the platform's ODBC driver, or name an installed one with odbc_driver",
            )
        } else if says(&[
            "State: 08",
            "State: 57P0",
            "could not connect",
            "Connection refused",
            "server closed the connection",
            "terminating connection",
            "no connection to the server",
            "could not translate host name",
        ]) {
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
        } else {
            (SourceErrorKind::Other, "see the message")
        };
        Self::new(
            kind,
            format!("{place}: {} — {remedy}", text.trim().replace('\n', " ")),
        )
    }
}
