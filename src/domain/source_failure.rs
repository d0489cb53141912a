//! What kind of failure a source can answer with.

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
