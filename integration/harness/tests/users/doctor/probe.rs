//! `doctor --probe`: what the local Snowflake can tell and what not, a report without names, and nothing left behind.

use crate::site::{DEADLINE, Site, assert_says, text};
use serde_json::Value;
use snowhaul_integration::{LocalSnowflake, Signal, Sql, eventually};
use std::collections::BTreeMap;
use std::fs;

/// Where the local Snowflake only repeats what it was written to say.
const NOT_TOLD: [&str; 9] = ["P1", "P2", "P3", "P4", "P5", "P7", "P9", "P11", "P12"];
/// Where something else answers: another reader of Parquet; another parser, and another engine's names and columns.
const TOLD: [&str; 2] = ["P8", "P10"];

fn schemas(sql: &Sql, database: &str) -> Vec<String> {
    let rows = sql.rows(&format!("SHOW SCHEMAS IN DATABASE {database}"));
    let names = rows.into_iter().filter_map(|row| row.into_iter().nth(1));
    names.flatten().collect()
}

fn statuses(report: &Value) -> BTreeMap<String, String> {
    let word = |probe: &Value, key: &str| probe[key].as_str().unwrap_or_default().to_owned();
    let probes = report["probes"].as_array().unwrap();
    probes
        .iter()
        .map(|probe| (word(probe, "id"), word(probe, "status")))
        .collect()
}

#[test]
fn the_local_snowflake_tells_what_it_can() {
    let site = Site::shared();
    let sql = site.sql();
    sql.run(&format!("CREATE DATABASE {}", site.metadata));
    let file = site.scratch.path().join("report.json");
    let json = format!("--json={}", text(&file));
    let ended = site.command(&["doctor", "--probe", &json]).run(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_says(
        &ended.stdout,
        &[
            "no Snowflake account",
            "P4 ",
            "not told here",
            "--probe-long",
        ],
    );
    let written = fs::read_to_string(&file).unwrap();
    let report: Value = serde_json::from_str(&written).unwrap();
    let found = statuses(&report);
    for id in NOT_TOLD {
        assert_eq!(found[id], "not_told_here", "{id}: {}", ended.stdout);
    }
    for id in TOLD {
        assert_eq!(found[id], "holds", "{id}: {}", ended.stdout);
    }
    assert_eq!(found["P6"], "not_asked");
    assert_eq!(found.len(), NOT_TOLD.len() + TOLD.len() + 1);
    // Each statement that failed has its code, and nobody's name is told.
    let probes = report["probes"].as_array().unwrap();
    let statements = probes
        .iter()
        .flat_map(|probe| probe["statements"].as_array().unwrap());
    let failed: Vec<&Value> = statements
        .filter(|statement| statement["message"].is_string())
        .collect();
    assert!(
        failed.iter().any(|statement| statement["code"] == "200001"),
        "{failed:#?}"
    );
    for name in [
        &site.metadata,
        "SNOWHAUL_DOCTOR_",
        "127.0.0.1",
        "SYSADMIN",
        "LOCAL_WH",
    ] {
        assert!(!written.contains(name), "{name}");
    }
    assert_eq!(
        schemas(&sql, &site.metadata),
        ["INFORMATION_SCHEMA", "PUBLIC"]
    );
}

#[test]
fn a_probe_without_a_database_makes_one_and_a_signal_leaves_nothing_behind() {
    let snowflake = LocalSnowflake::start(&[]);
    let site = Site::on(&snowflake);
    let sql = site.sql();
    let before = sql.rows("SHOW DATABASES").len();
    let running = site.command(&["doctor", "--probe", "--json"]).start();
    // In the middle of a probe, with locks held.
    let waits = || {
        snowflake
            .statements()
            .iter()
            .any(|entry| entry["sql"] == "BEGIN")
    };
    eventually("a transaction of the probe", DEADLINE, waits);
    running.signal(Signal::INT);
    let ended = running.wait(DEADLINE);
    assert_eq!(ended.code(), Some(130), "{}{}", ended.stdout, ended.stderr);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["interrupted"], true);
    assert_eq!(sql.rows("SHOW DATABASES").len(), before);
}

#[test]
fn an_unfriendly_account_is_told_as_it_is() {
    let snowflake = LocalSnowflake::start(&[
        "--no-recheck",
        "--remember-rolled-back-copies",
        "--late-visibility",
        "600",
        "--region",
        "AWS_US_WEST_2",
    ]);
    let site = Site::on(&snowflake);
    let ended = site.command(&["doctor", "--probe", "--json"]).run(DEADLINE);
    let report: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
    let found = statuses(&report);
    assert_eq!(report["is_snowflake"], true);
    // Waiting updates do not look again; what was rolled back counts as loaded; commits are seen late.
    assert_eq!(found["P4"], "differs", "{report:#}");
    assert_eq!(
        (found["P5"].as_str(), found["P9"].as_str()),
        ("told", "told"),
        "{report:#}"
    );
    assert_eq!(ended.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
}
