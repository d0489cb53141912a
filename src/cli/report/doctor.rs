//! What `doctor` finds, as text for people and JSON for programs. Pure.

use crate::app::doctor::finding::{Finding, Status};
use serde_json::json;
use std::fmt::Write;

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
        let code = finding
            .code
            .map_or_else(String::new, |code| format!("{code} "));
        let _ = writeln!(
            text,
            "{status:4}  {:width$}  {code}{message}",
            finding.check
        );
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
    use crate::app::doctor::finding::{Cause, worst};
    use crate::domain::problem::Code;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("login", "as U"),
            Finding::warn(
                "role",
                Code::ROLE_UNSUITABLE,
                "it is\nACCOUNTADMIN",
                "take another",
            ),
            Finding::fail("stage", Code::STAGE_FAILED, Cause::Other, "no", "grant"),
            Finding::refused(
                "workflow",
                &Code::UNKNOWN_KEY
                    .problem("unknown key")
                    .at("tables[0].sourc")
                    .at("w.json")
                    .hint("did you mean `source`?"),
            ),
            Finding::skipped("source_table", "source"),
        ]
    }

    #[test]
    fn each_finding_has_a_line_and_each_remedy_one_below_it() {
        insta::assert_snapshot!(text(&findings()));
    }

    #[test]
    fn a_refused_configuration_weighs_more_than_what_cannot_be_reached() {
        let fail = |cause| Finding::fail("x", Code::INTERNAL, cause, "", "");
        let (a, b, c) = (Cause::Configuration, Cause::Unreachable, Cause::Other);
        assert_eq!(worst(&[fail(c), fail(b), fail(a)]), Some(a));
        assert_eq!(worst(&[fail(c), fail(b)]), Some(b));
        assert_eq!(worst(&findings()), Some(a));
        assert_eq!(worst(&findings()[..3]), Some(c));
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
        assert_eq!(value["checks"][2]["code"], "SH0322");
    }
}
