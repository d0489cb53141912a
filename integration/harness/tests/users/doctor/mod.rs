//! `doctor`: what it finds on servers where all is well, and each thing that may be wrong, with what to do about it.

mod privileges;
mod probe;
mod snowflake;
mod source;
mod statements;

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::{Value, json};
use snowhaul_integration::Ended;

fn doctor(site: &Site<'_>, arguments: &[&str]) -> Ended {
    site.command(&[&["doctor"], arguments].concat())
        .run(DEADLINE)
}

/// The findings of `--json`: check, status, message, remedy.
fn found(site: &Site<'_>, arguments: &[&str]) -> (Option<i32>, Vec<[String; 4]>) {
    let ended = doctor(site, &[arguments, &["--json"]].concat());
    let answer: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
    assert_eq!(answer["exit_code"].as_i64(), ended.code().map(i64::from));
    let checks = answer["checks"].as_array().unwrap().iter();
    for check in checks.clone() {
        let is_bad = ["fail", "warn"].contains(&check["status"].as_str().unwrap());
        let code = check["code"].as_str();
        let has_code = code.is_some_and(|code| code.starts_with("SH") && code.len() == 6);
        assert_eq!(has_code, is_bad, "{check}");
    }
    let word = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let findings = checks
        .map(|check| ["check", "status", "message", "remedy"].map(|key| word(check, key)))
        .collect();
    (ended.code(), findings)
}

/// All findings of one check.
#[track_caller]
fn of<'a>(findings: &'a [[String; 4]], check: &str) -> Vec<&'a [String; 4]> {
    let of: Vec<_> = findings.iter().filter(|f| f[0] == check).collect();
    assert!(!of.is_empty(), "no {check} in {findings:#?}");
    of
}

/// That a check has this status, and says all of `parts` in its message or remedy.
#[track_caller]
fn assert_found(findings: &[[String; 4]], check: &str, status: &str, parts: &[&str]) {
    let is_it = |finding: &&[String; 4]| {
        finding[1] == status
            && parts
                .iter()
                .all(|part| finding[2].contains(part) || finding[3].contains(part))
    };
    let all = of(findings, check);
    assert!(
        all.into_iter().any(|f| is_it(&f)),
        "{check} {status} {parts:?}: {findings:#?}"
    );
}

/// What failed and what was skipped.
fn bad(findings: &[[String; 4]]) -> Vec<&str> {
    let is_bad = |f: &&[String; 4]| f[1] == "fail" || f[1] == "skipped";
    findings
        .iter()
        .filter(is_bad)
        .map(|f| f[0].as_str())
        .collect()
}

/// The metadata are there, and so is a source table.
fn prepare(site: &Site<'_>) {
    site.source.sql().run("CREATE TABLE good AS SELECT 1 AS id");
    let orchestrator = site.command(&["orchestrator"]).start();
    let workflow = site.workflow(&json!([table("good")]));
    site.create(&workflow, "w");
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
}

#[test]
fn where_all_is_well_it_says_so_and_leaves_nothing_behind() {
    let site = Site::shared();
    prepare(&site);
    site.sql().run(&format!("CREATE DATABASE {}", site.target));
    let (worker, workflow) = (site.worker(), site.workflow(&json!([table("good")])));
    let schemas = format!(
        "SELECT COUNT(*) FROM {}.INFORMATION_SCHEMA.TABLES",
        site.metadata
    );
    let before = site.sql().number(&schemas);
    let arguments = ["-c", text(&worker), text(&workflow)];
    let ended = doctor(&site, &arguments);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    for check in [
        "version",
        "configuration",
        "workflow",
        "connection",
        "login",
        "clock",
        "role",
        "session_parameters",
        "warehouse",
        "metadata",
        "orchestrator_privileges",
        "worker_privileges",
        "hybrid_tables",
        "stage",
        "target_table",
        "odbc",
        "source",
        "source_encryption",
        "source_table",
    ] {
        assert_says(&ended.stdout, &[&format!("ok    {check} ")]);
    }
    assert_says(
        &ended.stdout,
        &[
            "PostgreSQL Unicode",
            "metadata version",
            // The local warehouse runs eight statements at once, as a real one does, and so many loads are the default.
            "warn  warehouse",
            "8 loads may fill it",
            "failed: 0, warnings: 1\n",
        ],
    );
    let (code, findings) = found(&site, &arguments);
    assert_eq!((code, bad(&findings)), (Some(0), vec![]));
    assert_eq!(site.sql().number(&schemas), before);
    assert_eq!(site.metadata().staged_files().len(), 0);
}

#[test]
fn without_files_only_snowflake_is_asked() {
    let site = Site::shared();
    prepare(&site);
    let (code, findings) = found(&site, &["--role", "orchestrator"]);
    assert_eq!((code, bad(&findings)), (Some(0), vec![]));
    for absent in ["odbc", "source", "worker_privileges", "target_table"] {
        assert!(
            !findings.iter().any(|f| f[0] == absent),
            "{absent}: {findings:#?}"
        );
    }
}

#[test]
fn metadata_that_are_not_there_yet_are_no_failure() {
    let site = Site::shared();
    let (code, findings) = found(&site, &[]);
    assert_eq!(code, Some(0), "{findings:#?}");
    assert_found(
        &findings,
        "metadata",
        "warn",
        &[&site.metadata, "start an orchestrator"],
    );
    let create = format!("CREATE DATABASE \"{}\"", site.metadata);
    assert_found(
        &findings,
        "orchestrator_privileges",
        "warn",
        &[&create, "CREATE SCHEMA ON DATABASE"],
    );
    site.sql()
        .run(&format!("CREATE DATABASE {}", site.metadata));
    let (code, findings) = found(&site, &[]);
    assert_eq!(code, Some(0), "{findings:#?}");
    assert_found(&findings, "hybrid_tables", "ok", &["dropped"]);
    let left = format!(
        "SELECT COUNT(*) FROM {}.INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME LIKE 'SNOWHAUL%'",
        site.metadata
    );
    assert_eq!(site.sql().number(&left), 0);
}

#[test]
fn mistakes_of_the_files_are_told_with_2_and_the_rest_is_checked_all_the_same() {
    let site = Site::shared();
    let worker = site
        .scratch
        .write("bad.toml", "[application]\nmax_parallel_tasks = 0\n");
    let workflow = site.scratch.write("bad.json", r#"{"tables": [{}]}"#);
    let (code, findings) = found(&site, &["-c", text(&worker), text(&workflow)]);
    assert_eq!(code, Some(2), "{findings:#?}");
    assert_found(
        &findings,
        "configuration",
        "fail",
        &["selected_task_source", "is missing"],
    );
    assert_found(&findings, "configuration", "fail", &["max_parallel_tasks"]);
    assert_found(&findings, "workflow", "fail", &["tables[0]"]);
    assert_found(&findings, "source", "skipped", &["configuration"]);
    assert_found(&findings, "login", "ok", &["Snowflake"]);
    // A workflow whose tasks this worker would leave.
    let workflow = site.workflow(&json!([table("good")]));
    let worker = site.worker();
    let arguments = [
        "-c",
        text(&worker),
        "--source-platform",
        "postgresql",
        text(&workflow),
    ];
    let (code, findings) = found(&site, &arguments);
    assert_eq!(code, Some(2), "{findings:#?}");
    assert_found(
        &findings,
        "workflow",
        "fail",
        &["there is no [connections.source.postgresql]"],
    );
}
