//! What can go wrong with Snowflake, and what it means for the caller.

use crate::domain::problem::{Code, Problem};
use crate::domain::retry::Failure;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A failure, classified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The login was refused.
    Login,
    /// Snowflake could not be reached, or answered with a passing failure.
    Unreachable,
    /// The session has expired; a new one helps.
    SessionExpired,
    /// The statement was cancelled by an operator or by a role that stops.
    Cancelled,
    /// A lock was held too long, or a deadlock was resolved against us.
    Locked,
    /// No warehouse runs the statement now: there is none, it may not resume, or its quota is used up. Somebody has to
    /// fix that, and everything waits for it.
    Held,
    /// An object does not exist, or the role may not see it.
    NoSuchObject,
    /// The role lacks a privilege.
    NoPrivilege,
    /// A value does not fit its target.
    Rejected,
    /// The statement was refused for what it says; trying again will not help.
    Refused,
    /// Snowflake's own trouble, or a code without a known meaning. It may pass, so it is tried again, but not for ever:
    /// most codes are documented nowhere, above all those of hybrid tables.
    Unknown,
}

impl Kind {
    /// The code of errors of this kind.
    pub fn code(&self) -> Code {
        match self {
            Self::Login => Code::SNOWFLAKE_LOGIN,
            Self::Unreachable => Code::SNOWFLAKE_UNREACHABLE,
            Self::SessionExpired | Self::Cancelled => Code::STATEMENT_INTERRUPTED,
            Self::Locked => Code::LOCKED,
            Self::Held => Code::WAREHOUSE_UNAVAILABLE,
            Self::NoSuchObject => Code::OBJECT_NOT_FOUND,
            Self::NoPrivilege => Code::PRIVILEGE_MISSING,
            Self::Rejected => Code::VALUE_REJECTED,
            Self::Refused => Code::STATEMENT_REFUSED,
            Self::Unknown => Code::SNOWFLAKE_UNEXPLAINED,
        }
    }
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
    /// Snowflake's SQLSTATE, where it gave one.
    pub state: Option<String>,
    /// Whether the statement may have been applied although this error came.
    pub in_doubt: bool,
}

/// What a code means, by public reports, the drivers and the documentation of what it belongs to; `None` where nobody says.
fn by_code(code: u32, text: &str) -> Option<Kind> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    Some(match code {
        // Sessions that a new login replaces; everything else of these blocks is the login itself.
        390_104 | 390_111..=390_115 => Kind::SessionExpired,
        390_000..=390_999 | 394_000..=394_999 | 395_000..=395_999 => Kind::Login,
        604 => Kind::Cancelled,
        625 | 626 | 628 => Kind::Locked,
        // Unique keys share a code with locks.
        200_001 if has(&["primary key", "unique", "duplicate"]) => Kind::Refused,
        200_001 => Kind::Locked,
        200_009 => Kind::Refused,
        // No warehouse; suspended, or not to be resumed; a resource monitor's quota.
        606 | 608 | 90_073 => Kind::Held,
        // A statement that took too long; incidents inside Snowflake.
        603 | 630 | 300_000..=300_999 | 370_000..=370_999 => Kind::Unknown,
        2_003 | 2_043 => Kind::NoSuchObject,
        3_001..=3_999 => Kind::NoPrivilege,
        // Compilation: the text, names, types, objects, no database. Files of a stage.
        900..=2_999 | 90_105..=90_109 | 91_000..=91_999 => Kind::Refused,
        // Conversions of values, constraints on them, values that are too long.
        100_000..=100_999 => Kind::Rejected,
        _ => return None,
    })
}

/// What the text says where the code says nothing.
fn by_text(text: &str) -> Option<Kind> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&[
        "resource monitor",
        "quota",
        "suspended",
        "no active warehouse",
    ]) {
        Some(Kind::Held)
    } else if has(&["deadlock", "lock timeout", "waiting for lock", "locked"]) {
        Some(Kind::Locked)
    } else if has(&[
        "timeout",
        "timed out",
        "throttl",
        "internal error",
        "incident",
        "try again",
        "lock",
    ]) {
        Some(Kind::Unknown)
    } else {
        None
    }
}

/// What SQLSTATE's class says: syntax and access rules, features, integrity constraints are the statement's own.
fn by_state(state: &str) -> Option<Kind> {
    let class = state.get(..2)?;
    ["42", "0A", "23"].contains(&class).then_some(Kind::Refused)
}

/// What to do about errors of this kind, where Snowflake's text does not say it.
fn remedy(kind: &Kind, code: u32) -> &'static str {
    match (kind, code) {
        (Kind::Login, _) => LOGIN_REMEDY,
        (Kind::NoPrivilege, _) => "; grant the privilege to the connection's role",
        (Kind::Held, _) => {
            "; name a warehouse in the connection that the role may use, resume it, or raise its resource monitor's quota; nothing is lost meanwhile"
        }
        (_, 630) => {
            "; raise STATEMENT_TIMEOUT_IN_SECONDS of the warehouse: the smaller of its value and the session's counts"
        }
        _ => "",
    }
}

/// Warns once in a process that a code is not known here.
fn warn_unknown(code: &str, state: &str, message: &str) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.insert(code.to_owned()) {
        tracing::warn!(
            code,
            sqlstate = state,
            message,
            "unknown Snowflake error code; the statement is retried for a while. Please report code and text"
        );
    }
}

impl SnowflakeError {
    /// A failure that Snowflake answered with a code.
    pub fn from_code(code: &str, state: Option<&str>, message: &str) -> Self {
        let number = code.parse().unwrap_or(0);
        let text = message.to_lowercase();
        let kind = by_code(number, &text)
            .or_else(|| by_state(state.unwrap_or_default()))
            .or_else(|| by_text(&text))
            .unwrap_or_else(|| {
                warn_unknown(code, state.unwrap_or_default(), &sentence(message));
                Kind::Unknown
            });
        let remedy = remedy(&kind, number);
        Self {
            kind,
            message: format!("{}{remedy} (Snowflake error {code})", sentence(message)),
            code: Some(code.to_owned()),
            state: state.map(str::to_owned),
            in_doubt: false,
        }
    }

    /// Snowflake could not be reached, or the reply was lost.
    pub fn unreachable(message: String, in_doubt: bool) -> Self {
        Self {
            kind: Kind::Unreachable,
            message,
            code: None,
            state: None,
            in_doubt,
        }
    }

    /// A statement that was not sent, or that was cancelled, because its role stops.
    pub fn cancelled() -> Self {
        Self {
            kind: Kind::Cancelled,
            message: "the statement was cancelled, because this process stops".to_owned(),
            code: None,
            state: None,
            in_doubt: true,
        }
    }

    /// What Snowflake answered to a login: whatever it refuses there is the login.
    pub(super) fn of_login(self) -> Self {
        if self.kind == Kind::Unreachable || self.code.is_none() {
            return self;
        }
        let remedy = match self.kind {
            Kind::Login => "",
            _ => LOGIN_REMEDY,
        };
        Self {
            kind: Kind::Login,
            message: format!("Snowflake refused the login: {}{remedy}", self.message),
            ..self
        }
    }

    /// A refusal of our own.
    pub fn refused(message: String) -> Self {
        Self {
            kind: Kind::Refused,
            message,
            code: None,
            state: None,
            in_doubt: false,
        }
    }

    /// The error as a problem, without a place.
    pub fn problem(&self) -> Problem {
        self.kind.code().problem(&self.message)
    }

    /// Whether waiting may help.
    pub fn is_retryable(&self) -> bool {
        self.failure() != Failure::Permanent
    }

    /// What it says about another attempt of a statement that may be repeated: a lost reply counts as not done.
    pub fn failure(&self) -> Failure {
        match self.kind {
            Kind::Unreachable | Kind::Held => Failure::Outage,
            Kind::SessionExpired | Kind::Cancelled | Kind::Locked => Failure::Transient,
            Kind::Unknown => Failure::Unexplained,
            Kind::Login
            | Kind::NoSuchObject
            | Kind::NoPrivilege
            | Kind::Rejected
            | Kind::Refused => Failure::Permanent,
        }
    }

    /// Whether the session that met the error cannot be used again.
    pub(super) fn invalidates_session(&self) -> bool {
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

impl crate::failpoint::Outside for SnowflakeError {
    fn cut(message: String, in_doubt: bool) -> Self {
        Self::unreachable(message, in_doubt)
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
