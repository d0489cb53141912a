//! What `doctor --probe` finds, as text for people and as one JSON that a user can send in. Pure.

use serde::Serialize;
use std::fmt::Write;

/// Longer statements are cut in the report.
const MOST_TEXT: usize = 2_000;

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeStatus {
    /// It is as snowhaul relies on.
    Holds,
    /// It is not, or it could not be asked.
    Differs,
    /// Something to know; snowhaul relies on nothing of it.
    Told,
    /// The account is no Snowflake account, and what answers there only repeats what snowhaul assumes.
    NotToldHere,
    /// It was not asked: it needs a flag of its own.
    NotAsked,
}

/// One probe and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeResult {
    /// Stays the same from version to version: `P4`.
    pub id: &'static str,
    /// What is tried.
    pub title: &'static str,
    /// How it ended.
    pub status: ProbeStatus,
    /// What was found.
    pub finding: String,
    /// What it means when it differs.
    pub if_it_differs: &'static str,
    /// Everything that was sent for it, in the order of the answers.
    pub statements: Vec<Statement>,
}

/// A statement as it was sent and answered. Names of the account, its objects, the user, the role and the warehouse are
/// replaced by words in braces; rows are not kept.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// Which of the probe's sessions.
    pub session: &'static str,
    /// The statement.
    pub text: String,
    /// How many rows the answer had; none where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Snowflake's code of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its SQLSTATE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// Its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long the answer took, in milliseconds.
    pub ms: u64,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeReport {
    /// snowhaul's version.
    pub snowhaul: &'static str,
    /// What the account says it runs.
    pub snowflake_version: String,
    /// Where it says it is.
    pub region: String,
    /// Whether it is a Snowflake account at all, as far as it says.
    pub is_snowflake: bool,
    /// Whether a signal ended it early.
    pub interrupted: bool,
    /// What could not be dropped again, as the statement that drops it; not for the report, because it has names.
    #[serde(skip)]
    pub left_behind: Option<String>,
    /// The probes, in their order.
    pub probes: Vec<ProbeResult>,
}

impl ProbeReport {
    /// Whether something is not as snowhaul relies on.
    pub fn differs(&self) -> bool {
        let differs = |probe: &ProbeResult| probe.status == ProbeStatus::Differs;
        self.left_behind.is_some() || self.probes.iter().any(differs)
    }
}

/// A statement's text for the report: on one line, and not too long.
pub fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= MOST_TEXT {
        return text.to_owned();
    }
    let head: String = text.chars().take(MOST_TEXT).collect();
    format!("{head}… ({count} characters)")
}

/// One line for each probe, and below those that differ what it means.
pub fn text(report: &ProbeReport) -> String {
    let mut text = String::new();
    if !report.is_snowflake {
        let _ = writeln!(
            text,
            "this account is no Snowflake account: its region is {}",
            report.region
        );
    }
    for probe in &report.probes {
        let status = match probe.status {
            ProbeStatus::Holds => "ok",
            ProbeStatus::Differs => "FAIL",
            ProbeStatus::Told => "note",
            ProbeStatus::NotToldHere => "-",
            ProbeStatus::NotAsked => "skip",
        };
        let not_told = match probe.status {
            ProbeStatus::NotToldHere => "not told here: ",
            _ => "",
        };
        let finding: Vec<&str> = probe.finding.split_whitespace().collect();
        let _ = writeln!(
            text,
            "{status:4}  {:3}  {}: {not_told}{}",
            probe.id,
            probe.title,
            finding.join(" ")
        );
        if probe.status == ProbeStatus::Differs {
            let _ = writeln!(text, "           -> {}", probe.if_it_differs);
        }
    }
    if let Some(drop) = &report.left_behind {
        let _ = writeln!(text, "left behind: {drop}");
    }
    if report.interrupted {
        let _ = writeln!(text, "stopped by a signal before the end");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> ProbeReport {
        let probe = |id, status, finding: &str| ProbeResult {
            id,
            title: "something",
            status,
            finding: finding.to_owned(),
            if_it_differs: "report it",
            statements: Vec::new(),
        };
        ProbeReport {
            snowhaul: "1",
            snowflake_version: "9".to_owned(),
            region: "LOCAL".to_owned(),
            is_snowflake: false,
            interrupted: false,
            left_behind: None,
            probes: vec![
                probe("P1", ProbeStatus::Holds, "as\nexpected"),
                probe("P2", ProbeStatus::Differs, "no"),
                probe("P3", ProbeStatus::NotToldHere, "as expected"),
            ],
        }
    }

    #[test]
    fn each_probe_has_a_line_and_what_differs_says_what_it_means() {
        assert_eq!(
            text(&report()),
            "this account is no Snowflake account: its region is LOCAL\n\
             ok    P1   something: as expected\n\
             FAIL  P2   something: no\n\
             \x20          -> report it\n\
             -     P3   something: not told here: as expected\n"
        );
        assert!(report().differs());
    }

    #[test]
    fn long_statements_are_cut() {
        assert_eq!(shortened("SELECT 1"), "SELECT 1");
        let long = shortened(&"ä".repeat(3_000));
        assert!(long.ends_with("… (3000 characters)"), "{long}");
        assert!(long.chars().count() < 2_100);
    }
}
