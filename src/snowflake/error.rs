//! What can go wrong with Snowflake, and what it means for the caller.

use crate::domain::retry::Failure;
use snowflake_connector_rs as connector;

/// A failure, classified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The login was refused.
    Login,
    /// Snowflake could not be reached, or answered with a passing failure.
    Unreachable,
    /// The session has expired; a new one helps.
    SessionExpired,
    /// The statement was cancelled, by whomever: an operator, or a role that stops.
    Cancelled,
    /// A lock was held too long, or a deadlock was resolved against us.
    Locked,
    /// An object does not exist, or the role may not see it.
    NoSuchObject,
    /// The role lacks a privilege.
    NoPrivilege,
    /// The statement was refused for another reason; trying again will not help.
    Refused,
}

const LOGIN_REMEDY: &str = "; check the user and its password, token or key in the connection";

/// A failure of a statement, a login or an upload.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SnowflakeError {
    /// Which kind.
    pub kind: Kind,
    /// What is wrong and what to do; free of secrets.
    pub message: String,
    /// Snowflake's code, where it gave one.
    pub code: Option<String>,
    /// Whether the statement may have been applied although this error came.
    pub in_doubt: bool,
}

impl SnowflakeError {
    /// A failure that Snowflake answered with a code.
    pub fn from_code(code: &str, message: &str) -> Self {
        let (kind, remedy) = match code.trim_start_matches('0') {
            "390100" | "390101" | "390102" | "390144" | "390303" | "390318" | "390195"
            | "390422" => (Kind::Login, LOGIN_REMEDY),
            "390112" | "390114" | "390111" | "390104" => (Kind::SessionExpired, ""),
            "604" => (Kind::Cancelled, ""),
            "625" | "200001" | "628" | "626" => (Kind::Locked, ""),
            "2003" | "2043" => (Kind::NoSuchObject, ""),
            "3001" => (
                Kind::NoPrivilege,
                "; grant the privilege to the connection's role",
            ),
            _ => (Kind::Refused, ""),
        };
        // A unique key's violation shares no code with locks: told apart by its text.
        let kind = if code == "200001" && message.to_lowercase().contains("primary key") {
            Kind::Refused
        } else {
            kind
        };
        Self {
            kind,
            message: format!("{}{remedy} (Snowflake error {code})", sentence(message)),
            code: Some(code.to_owned()),
            in_doubt: false,
        }
    }

    /// Snowflake could not be reached, or the reply was lost.
    pub fn unreachable(message: String, in_doubt: bool) -> Self {
        Self {
            kind: Kind::Unreachable,
            message,
            code: None,
            in_doubt,
        }
    }

    /// A statement that was not sent, or that was cancelled, because its role stops.
    pub fn cancelled() -> Self {
        Self {
            kind: Kind::Cancelled,
            message: "the statement was cancelled, because this process stops".to_owned(),
            code: None,
            in_doubt: true,
        }
    }

    /// What Snowflake answered to a login: whatever it refuses there is the login.
    pub(super) fn of_login(self) -> Self {
        match self.kind {
            Kind::Refused | Kind::NoPrivilege | Kind::NoSuchObject => Self {
                kind: Kind::Login,
                message: format!("{}{LOGIN_REMEDY}", self.message),
                ..self
            },
            _ => self,
        }
    }

    /// A refusal of our own.
    pub fn refused(message: String) -> Self {
        Self {
            kind: Kind::Refused,
            message,
            code: None,
            in_doubt: false,
        }
    }

    /// Whether waiting may help.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unreachable | Kind::SessionExpired | Kind::Cancelled | Kind::Locked
        )
    }

    /// What it says about another attempt of a statement that may be repeated: a lost reply counts as not done.
    pub fn failure(&self) -> Failure {
        match self.kind {
            Kind::Unreachable => Failure::Outage,
            Kind::SessionExpired | Kind::Cancelled | Kind::Locked => Failure::Passing,
            _ => Failure::Final,
        }
    }

    /// Whether the session that met the error can serve on.
    pub(super) fn spoils_session(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unreachable | Kind::SessionExpired | Kind::Login
        )
    }
}

/// Snowflake's words on one line, less the full stop that others follow.
fn sentence(message: &str) -> String {
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    lines.join(" ").trim().trim_end_matches('.').to_owned()
}

impl From<connector::Error> for SnowflakeError {
    fn from(error: connector::Error) -> Self {
        let message = error
            .snowflake_message()
            .map_or_else(|| error.to_string(), str::to_owned);
        match (error.kind(), error.snowflake_code()) {
            (connector::ErrorKind::SessionExpired, _) => Self {
                kind: Kind::SessionExpired,
                message,
                code: None,
                in_doubt: false,
            },
            (_, Some(code)) => Self::from_code(code, &message),
            (connector::ErrorKind::Cancelled, _) => Self::cancelled(),
            (connector::ErrorKind::Auth, _) => Self {
                kind: Kind::Login,
                message: format!(
                    "Snowflake refused the login: {}; check the user and its password, token or key in the connection",
                    sentence(&message)
                ),
                code: None,
                in_doubt: false,
            },
            (
                connector::ErrorKind::Network
                | connector::ErrorKind::Timeout
                | connector::ErrorKind::Protocol,
                _,
            ) => {
                // The last cause is what helps: `Connection refused`, a name that does not resolve, a certificate.
                let mut causes: Vec<String> = Vec::new();
                let mut cause = std::error::Error::source(&error);
                while let Some(error) = cause {
                    causes.push(error.to_string());
                    cause = error.source();
                }
                let cause = causes
                    .last()
                    .map(|cause| format!(": {cause}"))
                    .unwrap_or_default();
                Self::unreachable(
                    format!(
                        "Snowflake could not be reached: {message}{cause}; check account, host and port of the connection, and what lies between (DNS, proxy, network policy)"
                    ),
                    true,
                )
            }
            _ => Self::refused(message),
        }
    }
}
