//! Habits of users of the reference tool: its arguments after `snowhaul`, its environment, workflows without a name.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::{Value, json};
use snowhaul_integration::{LocalSnowflake, Scratch, Snowhaul, eventually};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const SECRET: &str = "pw-9d1f07c3";

fn names(site: &Site) -> Vec<String> {
    site.metadata().workflows()
}

/// Lines of a log, each written to two places at its own moment.
fn without_times(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        assert!(line["timestamp"].take().is_string(), "{line}");
        line
    });
    lines.collect()
}

#[test]
fn the_reference_tools_arguments_drive_a_workflow_to_its_end_and_its_logs_go_where_they_went() {
    let site = Site::shared();
    site.source
        .sql()
        .run("CREATE TABLE t AS SELECT generate_series(1, 7) AS id");
    let file = site.scratch.path().join("nightly-load.json");
    fs::rename(site.workflow(&json!([table("t")])), &file).unwrap();
    let logs = site.scratch.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let log = logs.join("data_migration_orchestrator.log");
    fs::write(&log, "before\n").unwrap();
    let orchestrator = site
        .command(&["start", "--log-level", "INFO"])
        .env("DATA_MIGRATION_ORCHESTRATOR_LOGS_DIR", &logs)
        .env("ORCHESTRATOR_TASK_PULL_INTERVAL_SECONDS", "0.5")
        .env("ORCHESTRATOR_WORKFLOW_CYCLE_INTERVAL_SECONDS", "1")
        .env("ORCHESTRATOR_SF_CONNECTION_MAX_AGE_SECONDS", "0")
        .env("DM_IDLE_SHUTDOWN_MINUTES", "30")
        .env("DM_SPCS_SUSPEND_AGENT_SERVICE", "A.B.C")
        .start();
    let worker_file = site.worker();
    let worker_log = site.scratch.path().join("new").join("worker.log");
    let arguments = [
        "-c",
        text(&worker_file),
        "-w",
        "1",
        "-i",
        "1",
        "--log-file",
        text(&worker_log),
    ];
    let worker = site.command(&arguments).start();
    let create = [
        "create-data-migration-workflow",
        text(&file),
        "--source-platform",
        "redshift",
        "--wait",
    ];
    let ended = site.command(&create).run(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_says(&ended.stdout, &["workflow nightly_load_1 created"]);
    assert_eq!(
        (names(&site), site.rows_of("T")),
        (vec!["nightly_load_1".to_owned()], 7)
    );
    let (worker, orchestrator) = (worker.terminate(DEADLINE), orchestrator.terminate(DEADLINE));
    assert_eq!((worker.code(), orchestrator.code()), (Some(0), Some(0)));
    let (log, worker_log) = (
        fs::read_to_string(&log).unwrap(),
        fs::read_to_string(&worker_log).unwrap(),
    );
    // What is said stands in both, and what was there stays.
    let appended = log.strip_prefix("before\n").unwrap_or_default();
    assert_eq!(without_times(appended), without_times(&orchestrator.stdout));
    assert_eq!(without_times(&worker_log), without_times(&worker.stdout));
    assert_says(&log, &["orchestrator has stopped"]);
    assert_says(&worker_log, &["task ends"]);
    let ignored: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("are ignored"))
        .collect();
    assert_eq!(ignored.len(), 1, "{log}");
    assert_says(
        ignored[0],
        &[
            "DM_IDLE_SHUTDOWN_MINUTES, DM_SPCS_SUSPEND_AGENT_SERVICE",
            "ORCHESTRATOR_SF_CONNECTION_MAX_AGE_SECONDS",
        ],
    );
    assert!(!ignored[0].contains("PULL_INTERVAL"), "{}", ignored[0]);
}

#[test]
fn a_log_file_gets_the_level_that_is_asked_for_alone_if_it_is_asked_for_and_no_secret() {
    let site = Site::shared();
    let log = site.scratch.path().join("o.log");
    let arguments = [
        "start",
        "--log-level",
        "debug",
        "--log-file",
        text(&log),
        "--log-destination",
        "file",
    ];
    let connections = fs::read_to_string(site.snowflake.home().join("connections.toml")).unwrap();
    let connections =
        connections.replace("password = \"local\"", &format!("password = \"{SECRET}\""));
    assert!(connections.contains(SECRET), "{connections}");
    let file = site.scratch.write("connections.toml", &connections);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let orchestrator = site
        .command(&arguments)
        .env("RUST_LOG", "off")
        .env("SNOWFLAKE_HOME", site.scratch.path())
        .start();
    let has_started = || {
        fs::read_to_string(&log)
            .unwrap_or_default()
            .contains("orchestrator starts")
    };
    eventually("the log says that it starts", DEADLINE, has_started);
    let ended = orchestrator.terminate(DEADLINE);
    assert_eq!(
        (ended.code(), ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(0), "", "")
    );
    let log = fs::read_to_string(&log).unwrap();
    assert!(!log.contains(SECRET), "{log}");
    let refused = site
        .command(&["start", "--log-file", "/proc/nothing/o.log"])
        .run(DEADLINE);
    assert_eq!(refused.code(), Some(2), "{}", refused.stderr);
    assert_says(
        &refused.stderr,
        &["/proc/nothing/o.log cannot be written", "--log-file"],
    );
}

#[test]
fn runs_without_a_name_are_numbered_and_an_interrupted_one_goes_on() {
    let site = Site::shared();
    site.source
        .sql()
        .run("CREATE TABLE t AS SELECT generate_series(1, 7) AS id");
    let (file, worker) = (site.scratch.path().join("2026 café.json"), site.worker());
    fs::rename(site.workflow(&json!([table("t")])), &file).unwrap();
    let unnamed = ["--source-platform", "redshift"];
    let run = [&["run", text(&file), "-c", text(&worker)][..], &unnamed].concat();
    let ended = site.command(&run).run(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    // Left open, as by a run that was stopped: the next one goes on with it.
    let create = [&["workflow", "create", text(&file)][..], &unnamed].concat();
    let created = site.command(&create).run(DEADLINE);
    assert_says(&created.stdout, &["workflow workflow_2026_caf__2 created"]);
    let ended = site.command(&run).run(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &["this run's workflow is workflow_2026_caf__2"],
    );
    // Of another content, the same file's name is another workflow's.
    let another = site.workflow_with(json!({"tables": [table("t")], "affinity": "x"}));
    fs::rename(another, &file).unwrap();
    let created = site.command(&create).run(DEADLINE);
    assert_says(&created.stdout, &["workflow workflow_2026_caf__3 created"]);
    let expected: Vec<String> = (1..=3)
        .map(|no| format!("workflow_2026_caf__{no}"))
        .collect();
    assert_eq!((names(&site), site.rows_of("T")), (expected, 14));
}

#[test]
fn creations_of_one_file_at_the_same_time_get_names_of_their_own() {
    let site = Site::shared();
    let _orchestrator = site.command(&["orchestrator"]).start();
    let has_metadata = || site.command(&["workflow", "list"]).run(DEADLINE).code() == Some(0);
    eventually("the metadata are there", DEADLINE, has_metadata);
    let file = site.workflow(&json!([table("t")]));
    let create = [
        "workflow",
        "create",
        text(&file),
        "--source-platform",
        "redshift",
    ];
    let started: Vec<_> = (0..3).map(|_| site.command(&create).start()).collect();
    for created in started {
        let ended = created.wait(DEADLINE);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
    let mut found = names(&site);
    found.sort();
    let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(found, [1, 2, 3].map(|no| format!("{stem}_{no}")));
}

#[test]
fn metadata_without_hybrid_tables_and_validation_are_refused_before_anything_is_written() {
    let site = Site::shared();
    let (file, worker) = (site.workflow(&json!([table("t")])), site.worker());
    for command in [
        &["start"][..],
        &["-c", text(&worker)],
        &[
            "run",
            text(&file),
            "--source-platform",
            "redshift",
            "-c",
            text(&worker),
        ],
        &[
            "workflow",
            "create",
            text(&file),
            "--source-platform",
            "redshift",
        ],
    ] {
        let standard = site
            .command(command)
            .env("SNOWFLAKE_METADATA_STORAGE_MODE", "STANDARD");
        let ended = standard.run(DEADLINE);
        assert_eq!(ended.code(), Some(2), "{command:?} {}", ended.stderr);
        assert_says(
            &ended.stderr,
            &[
                "SNOWFLAKE_METADATA_STORAGE_MODE: `STANDARD` is not supported yet",
                "hybrid tables lock rows",
            ],
        );
    }
    let arguments = [
        "create-data-validation-workflow",
        "v.json",
        "--source-platform",
        "redshift",
        "--name",
        "v",
    ];
    let ended = Snowhaul::new(arguments).run(DEADLINE);
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &["data validation workflows are not supported yet"],
    );
    assert!(!site.metadata().exist());
}

#[test]
fn a_role_that_may_not_create_procedures_gets_a_warning_and_works_on() {
    let scratch = Scratch::new("deny");
    let deny = scratch.write("deny.json", r#"["^CREATE OR REPLACE PROCEDURE"]"#);
    let snowflake = LocalSnowflake::start(&["--deny", text(&deny)]);
    let site = Site::on(&snowflake);
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let workflow = site.workflow(&json!([table("t")]));
    let ended = site.run(&workflow, "w");
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &[
            "GRANT CREATE PROCEDURE ON SCHEMA",
            "everything else works without",
        ],
    );
    let calls = format!("CALL {}.DATA_MIGRATION.PAUSE_WORKFLOW(1)", site.metadata);
    assert!(site.sql().try_run(&calls).is_err());
    // With the privilege, the next start creates them.
    fs::write(&deny, "[]").unwrap();
    let _orchestrator = site.command(&["orchestrator"]).start();
    let is_there = || site.sql().try_run(&calls).is_ok();
    eventually("the procedure is there", DEADLINE, is_there);
}
