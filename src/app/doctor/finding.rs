//! What a check finds.

use crate::domain::problem::{Code, Problem};
use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Ok,
    /// It works, and somebody should know about it.
    Warn,
    /// It will not work.
    Fail,
    /// It was not asked, because it needs a check before it that failed, or something that is not there yet.
    Skipped,
}

/// What kind of failure it is: each has its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A file or an argument is wrong.
    Configuration,
    /// Snowflake or the source cannot be reached, or refuses the login.
    Unreachable,
    /// Anything else: a privilege, an object, a feature of the account.
    Other,
}

/// One check and what came of it; free of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check: a word that stays the same from version to version.
    pub check: &'static str,
    /// How it ended.
    pub status: Status,
    /// What kind of problem was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What was found, on one line.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Why it failed.
    #[serde(skip)]
    pub cause: Cause,
}

impl Finding {
    fn new(check: &'static str, status: Status, message: String, remedy: Option<String>) -> Self {
        Self {
            check,
            status,
            code: None,
            message,
            remedy,
            cause: Cause::Other,
        }
    }

    /// All is well.
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Status::Ok, message.into(), None)
    }

    /// It works, but.
    pub fn warn(
        check: &'static str,
        code: Code,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            code: Some(code),
            ..Self::new(check, Status::Warn, message.into(), Some(remedy.into()))
        }
    }

    /// It does not work.
    pub fn fail(
        check: &'static str,
        code: Code,
        cause: Cause,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            code: Some(code),
            cause,
            ..Self::new(check, Status::Fail, message.into(), Some(remedy.into()))
        }
    }

    /// A file or an argument is refused.
    pub fn refused(check: &'static str, problem: &Problem) -> Self {
        Self {
            code: Some(problem.code),
            cause: Cause::Configuration,
            ..Self::new(check, Status::Fail, problem.cause(), problem.hint.clone())
        }
    }

    /// A file or an argument is accepted, but.
    pub fn noted(check: &'static str, problem: &Problem) -> Self {
        Self {
            code: Some(problem.code),
            ..Self::new(check, Status::Warn, problem.cause(), problem.hint.clone())
        }
    }

    /// It needs what a check before it did not find.
    pub fn skipped(check: &'static str, needs: &str) -> Self {
        let message = format!("not asked: it needs `{needs}`");
        Self::new(check, Status::Skipped, message, None)
    }
}

/// The worst cause among failures: a refused configuration before what cannot be reached before the rest. `None`: no
/// check failed.
pub fn worst(findings: &[Finding]) -> Option<Cause> {
    let failed = |cause: Cause| {
        findings
            .iter()
            .any(|finding| finding.status == Status::Fail && finding.cause == cause)
    };
    [Cause::Configuration, Cause::Unreachable, Cause::Other]
        .into_iter()
        .find(|cause| failed(*cause))
}
