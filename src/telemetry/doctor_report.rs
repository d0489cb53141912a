//! What `doctor` finds, as text for people and JSON for programs. Pure.

use serde::Serialize;
use serde_json::json;
use std::fmt::Write;

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
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(check, Status::Warn, message.into(), Some(remedy.into()))
    }

    /// It does not work.
    pub fn fail(
        check: &'static str,
        cause: Cause,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            cause,
            ..Self::new(check, Status::Fail, message.into(), Some(remedy.into()))
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

/// One line for each finding, and below it what to do.
pub fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|f| f.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let status = match finding.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
            Status::Skipped => "skip",
        };
        let message = one_line(&finding.message);
        let _ = writeln!(text, "{status:4}  {:width$}  {message}", finding.check);
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "      {:width$}  -> {}", "", one_line(remedy));
        }
    }
    let count = |status| findings.iter().filter(|f| f.status == status).count();
    let (failed, warned) = (count(Status::Fail), count(Status::Warn));
    let _ = match (failed, warned) {
        (0, 0) => writeln!(text, "all is well"),
        _ => writeln!(text, "failed: {failed}, warnings: {warned}"),
    };
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same as JSON.
pub fn json(findings: &[Finding], exit_code: u8) -> serde_json::Value {
    json!({"exit_code": exit_code, "checks": findings})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("login", "as U"),
            Finding::warn("role", "it is\nACCOUNTADMIN", "take another"),
            Finding::fail("stage", Cause::Other, "no", "grant"),
            Finding::skipped("source_table", "source"),
        ]
    }

    #[test]
    fn each_finding_has_a_line_and_each_remedy_one_below_it() {
        assert_eq!(
            text(&findings()),
            "ok    login         as U\n\
             warn  role          it is ACCOUNTADMIN\n\
             \x20                   -> take another\n\
             FAIL  stage         no\n\
             \x20                   -> grant\n\
             skip  source_table  not asked: it needs `source`\n\
             failed: 1, warnings: 1\n"
        );
    }

    #[test]
    fn a_refused_configuration_weighs_more_than_what_cannot_be_reached() {
        let fail = |cause| Finding::fail("x", cause, "", "");
        let (a, b, c) = (Cause::Configuration, Cause::Unreachable, Cause::Other);
        assert_eq!(worst(&[fail(c), fail(b), fail(a)]), Some(a));
        assert_eq!(worst(&[fail(c), fail(b)]), Some(b));
        assert_eq!(worst(&findings()), Some(c));
        assert_eq!(worst(&findings()[..2]), None);
    }

    #[test]
    fn the_json_says_the_same() {
        let value = json(&findings(), 1);
        assert_eq!(value["exit_code"], 1);
        assert_eq!(
            value["checks"][0],
            json!({"check": "login", "status": "ok", "message": "as U"})
        );
        assert_eq!(value["checks"][2]["remedy"], "grant");
    }
}
