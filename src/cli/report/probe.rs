//! What `doctor --probe` finds, as text for people and as one JSON that a user can send in. Pure.

use crate::app::doctor::probe::report::{ProbeReport, ProbeStatus};
use std::fmt::Write;

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
    use crate::app::doctor::probe::report::{ProbeResult, shortened};

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
