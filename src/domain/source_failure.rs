//! What kind of failure a source can answer with.

use super::problem::Code;

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

impl SourceErrorKind {
    /// The stable code of such a failure.
    pub fn code(self) -> Code {
        match self {
            Self::DriverMissing => Code::SOURCE_DRIVER_MISSING,
            Self::Unreachable => Code::SOURCE_UNREACHABLE,
            Self::Login => Code::SOURCE_LOGIN,
            Self::NoSuchObject => Code::SOURCE_OBJECT_NOT_FOUND,
            Self::NoPrivilege => Code::SOURCE_PRIVILEGE_MISSING,
            Self::Refused => Code::SOURCE_STATEMENT_REFUSED,
            Self::Value => Code::SOURCE_VALUE,
            Self::Moved => Code::SOURCE_VALUE_GREW,
            Self::Encoding => Code::SOURCE_ENCODING,
            Self::Changed => Code::SOURCE_TABLE_CHANGED,
            Self::TimedOut => Code::SOURCE_TIMEOUT,
            Self::Cancelled => Code::SOURCE_CANCELLED,
            Self::Other => Code::SOURCE_OTHER,
        }
    }
}
