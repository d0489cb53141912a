//! Commands, flags, and what they print.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::{Value, json};
use snowhaul_integration::{Running, Snowhaul, eventually};

#[test]
fn help_of_each_command_tells_its_flags() {
    for (command, flags) in [
        (
            &[][..],
            &[
                "orchestrator",
                "worker",
                "workflow",
                "run",
                "create-data-migration-workflow",
                "130",
            ][..],
        ),
        (
            &["orchestrator"],
            &[
                "--config",
                "--connection-name",
                "--affinity",
                "--log-format",
                "SNOWFLAKE_CONNECTION_NAME",
                "DATA_MIGRATION_ORCHESTRATOR_AFFINITY",
            ],
        ),
        (
            &["worker"],
            &[
                "-c, --config",
                "-w, --max-parallel-tasks",
                "-i, --task-fetch-interval",
                "--log-format",
                "configuration.toml",
            ],
        ),
        (&["workflow"], &["create", "list", "status"]),
        (
            &["workflow", "create"],
            &[
                "FILE",
                "--source-platform",
                "--name",
                "--connection-name",
                "--wait",
            ],
        ),
        (
            &["create-data-migration-workflow"],
            &[
                "FILE",
                "--source-platform",
                "--name",
                "--connection-name",
                "--wait",
            ],
        ),
        (&["workflow", "list"], &["--connection-name", "--json"]),
        (
            &["workflow", "status"],
            &["NAME|ID", "--connection-name", "--errors", "--json"],
        ),
        (
            &["run"],
            &[
                "FILE",
                "--source-platform",
                "--name",
                "-c, --config",
                "--connection-name",
                "--log-format",
            ],
        ),
    ] {
        let ended = Snowhaul::new(command.iter().chain(&["--help"])).run(DEADLINE);
        assert_eq!(ended.code(), Some(0), "{command:?} {}", ended.stderr);
        assert_says(&ended.stdout, flags);
    }
    let version = Snowhaul::new(["--version"]).run(DEADLINE);
    assert!(
        version.stdout.starts_with("snowhaul "),
        "{}",
        version.stdout
    );
}

#[track_caller]
fn json_of(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[track_caller]
fn assert_keys(value: &Value, keys: &[&str]) {
    let there = value
        .as_object()
        .map(|object| object.keys().map(String::as_str).collect::<Vec<_>>());
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    assert_eq!(there, Some(keys), "{value:#}");
}

#[test]
fn list_and_status_show_a_workflow_for_people_and_for_programs() {
    let site = Site::shared();
    site.source
        .sql()
        .run("CREATE TABLE t AS SELECT generate_series(1, 7) AS id");
    let workflow = site.workflow(&json!([table("t"), table("missing")]));
    assert_eq!(site.run(&workflow, "first").code(), Some(1));
    let said = |arguments: &[&str], code: i32| {
        let ended = site.command(arguments).run(DEADLINE);
        assert_eq!(ended.code(), Some(code), "{arguments:?} {}", ended.stderr);
        if code == 0 {
            ended.stdout
        } else {
            ended.stderr
        }
    };
    assert_says(
        &said(&["workflow", "list"], 0),
        &["ID", "NAME", "first", "redshift", "COMPLETED"],
    );
    let list = json_of(&said(&["workflow", "list", "--json"], 0));
    let keys = [
        "workflow_id",
        "name",
        "source_platform",
        "affinity",
        "status",
        "num_tables",
        "num_completed",
        "num_failed",
        "num_cancelled",
        "created_at",
        "started_at",
        "ended_at",
        "error",
    ];
    assert_keys(&list["workflows"][0], &keys);
    let by_name = said(&["workflow", "status", "first"], 0);
    assert_says(
        &by_name,
        &[
            "1 of 2 tables completed, 1 failed",
            "public.t",
            "there is no such table",
        ],
    );
    let id = list["workflows"][0]["workflow_id"].to_string();
    assert_eq!(said(&["workflow", "status", &id], 0), by_name);
    let errors = said(&["workflow", "status", "first", "--errors"], 0);
    let lines: Vec<&str> = errors[by_name.len()..].lines().collect();
    assert_eq!(lines.len(), 1, "{errors}");
    assert!(lines[0].starts_with("20"), "{}", lines[0]);
    assert_says(
        lines[0],
        &["public.missing: ", "check schemaName and tableName"],
    );
    let status = json_of(&said(&["workflow", "status", "first", "--json"], 0));
    assert_keys(&status, &["workflow", "tables", "errors", "warnings"]);
    assert_keys(&status["workflow"], &keys);
    let keys = [
        "table_no",
        "source_table",
        "target_table",
        "status",
        "row_estimate",
        "partitions_total",
        "partitions_pending",
        "partitions_in_extraction",
        "partitions_in_loading",
        "partitions_completed",
        "partitions_unchanged",
        "partitions_failed",
        "partitions_cancelled",
        "rows_extracted",
        "rows_loaded",
        "bytes",
        "seconds",
        "example_error",
        "waiting",
        "load_waiting",
    ];
    assert_keys(&status["tables"][0], &keys);
    assert_eq!(status["tables"][0]["rows_loaded"], 7);
    assert_keys(
        &status["errors"][0],
        &["source_table", "partition_no", "error", "at"],
    );
    assert_keys(&status["warnings"][0], &["source_table", "warning"]);
    let unknown = said(&["workflow", "status", "secnd"], 2);
    assert_says(&unknown, &["there is no workflow secnd", "there are first"]);
    // A name is taken, whatever the file says.
    let taken = site.run(&workflow, "first");
    assert_eq!(taken.code(), Some(2), "{}", taken.stderr);
    assert_says(
        &taken.stderr,
        &["first is completed already", "another name"],
    );
    let arguments = [
        "workflow",
        "create",
        text(&workflow),
        "--source-platform",
        "redshift",
        "--name",
        "first",
    ];
    assert_says(
        &said(&arguments, 2),
        &["a workflow named first exists already", "another name"],
    );
}

/// A running role: it must have come to `line`.
fn role(site: &Site<'_>, arguments: &[&str], line: &str) -> Running {
    let running = site
        .command(arguments)
        .env("RUST_LOG", "snowhaul=info")
        .start();
    running.wait_to_say(line, DEADLINE);
    running
}

#[test]
fn an_orchestrators_file_wins_over_the_environment_and_an_empty_variable_is_none() {
    let site = Site::shared();
    let file = site.scratch.path().join("orchestrator.toml");
    let text = "[connections.target.snowflake_connection_name]\nconnection_name = \"local\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let start = |arguments: &[&str], connection: &str| {
        let running = site
            .command(arguments)
            .env("RUST_LOG", "snowhaul=info")
            .env("SNOWFLAKE_CONNECTION_NAME", connection)
            .env("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "local")
            .start();
        running.wait_to_say("orchestrator starts", DEADLINE);
    };
    start(&["orchestrator", "-c", file], "not-this-one");
    start(&["orchestrator"], "");
    let ended = site
        .command(&["orchestrator"])
        .env("SNOWFLAKE_CONNECTION_NAME", "not-this-one")
        .run(DEADLINE);
    assert_eq!(ended.code(), Some(2));
    assert_says(&ended.stderr, &["not-this-one"]);
    let listed = site
        .command(&["workflow", "list"])
        .env("SNOWFLAKE_CONNECTION_NAME", "")
        .env("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "local")
        .run(DEADLINE);
    assert_eq!(listed.code(), Some(0), "{}", listed.stderr);
}

#[test]
fn the_old_spelling_creates_a_workflow_and_wait_prints_lines_and_tells_of_failures() {
    let site = Site::shared();
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let _orchestrator = role(&site, &["orchestrator"], "orchestrator starts");
    let worker = site.worker();
    let _worker = role(&site, &["worker", "-c", text(&worker)], "worker starts");
    let call = |file: &str, name: &str| {
        let ended = site
            .command(&[
                "create-data-migration-workflow",
                file,
                "--source-platform",
                "redshift",
                "--name",
                name,
                "--connection-name",
                "local",
                "--wait",
            ])
            .env("SNOWFLAKE_CONNECTION_NAME", "not-this-one")
            .run(DEADLINE);
        (ended.code(), ended.stdout, ended.stderr)
    };
    let good = site.workflow(&json!([table("t")]));
    let (code, stdout, stderr) = call(text(&good), "good");
    assert_eq!(code, Some(0), "{stderr}");
    assert_says(
        &stdout,
        &["workflow good created with id", "1 of 1 tables completed"],
    );
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| line.starts_with("good: "))
        .collect();
    assert_says(lines.last().unwrap(), &["COMPLETED", "1 loaded"]);
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
    let bad = site.workflow(&json!([table("t"), table("missing")]));
    let (code, stdout, _) = call(text(&bad), "bad");
    assert_eq!(code, Some(1), "{stdout}");
    assert_says(
        &stdout,
        &[
            "1 of 2 tables completed, 1 failed",
            "there is no such table",
        ],
    );
}

#[test]
fn an_interrupted_run_ends_with_130_and_the_same_command_continues_it() {
    let site = Site::shared();
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let lock = site.source.sql();
    lock.run("BEGIN");
    lock.run("LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    let workflow = site.workflow(&json!([table("t")]));
    let running = site.run_command(&workflow, "w").start();
    eventually("workflow taken", DEADLINE, || {
        running.stderr().contains("workflow taken")
    });
    let ended = running.terminate(DEADLINE);
    assert_eq!(ended.code(), Some(130), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &["the same command continues the workflow w"],
    );
    lock.run("ROLLBACK");
    let again = site.run(&workflow, "w");
    assert_eq!(again.code(), Some(0), "{}", again.stderr);
    assert_eq!(site.rows_of("t"), 1);
}

#[test]
fn flags_win_over_the_workers_file() {
    let site = Site::shared();
    let configuration = site
        .source
        .worker_configuration("max_parallel_tasks = 3\ntask_fetch_interval = 3600");
    let file = site.scratch.write("flags.toml", &configuration);
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let _orchestrator = role(&site, &["orchestrator"], "orchestrator starts");
    let worker = role(
        &site,
        &["worker", "-c", text(&file), "-w", "7", "-i", "1"],
        "worker starts",
    );
    assert_says(&worker.stdout(), &["\"tasks\":7"]);
    // The file's interval would outlast the test: the worker has looked once, before there was work.
    let looked = || {
        let statements = site.snowflake.statements();
        let mut ours = statements.iter().filter_map(|entry| entry["sql"].as_str());
        ours.any(|sql| sql.contains(&site.metadata) && sql.contains("CLAIM_TOKEN"))
    };
    eventually("the worker looks for tasks", DEADLINE, looked);
    let workflow = site.workflow(&json!([table("t")]));
    let ended = site.create_and_wait(&workflow, "w");
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
}

#[test]
fn a_worker_of_another_affinity_leaves_the_tasks_to_the_one_they_are_for() {
    let site = Site::shared();
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let _orchestrator = role(&site, &["orchestrator"], "orchestrator starts");
    let worker = |affinity: &str| {
        let application = format!("task_fetch_interval = 1\naffinity = \"{affinity}\"");
        let file = format!("{affinity}.toml");
        let file = site
            .scratch
            .write(&file, &site.source.worker_configuration(&application));
        role(&site, &["worker", "-c", text(&file)], "worker starts")
    };
    let red = worker("red");
    let workflow = site.workflow_with(json!({"affinity": "blue", "tables": [table("t")]}));
    site.create(&workflow, "w");
    let metadata = site.metadata();
    let waiting = || metadata.pending_tasks() == 1;
    eventually("a task that nobody has taken", DEADLINE, waiting);
    // Red looks for tasks several times.
    let looks = || {
        let statements = site.snowflake.statements();
        let ours = statements.iter().filter_map(|entry| entry["sql"].as_str());
        ours.filter(|sql| sql.contains(&queue_name(&site.metadata)) && sql.contains("CLAIM_TOKEN"))
            .count()
    };
    let before = looks();
    eventually("red looks again", DEADLINE, || looks() > before + 2);
    assert!(waiting());
    let blue = worker("blue");
    eventually("the workflow is complete", DEADLINE, || {
        metadata.status("w").as_deref() == Some("COMPLETED")
    });
    assert_says(&blue.stdout(), &["task starts"]);
    assert!(!red.stdout().contains("task starts"), "{}", red.stdout());
    assert_eq!(site.rows_of("t"), 1);
}

fn queue_name(metadata: &str) -> String {
    format!("\"{metadata}\".\"DATA_MIGRATION\".TASK_QUEUE")
}

#[test]
fn a_run_whose_worker_would_leave_the_tasks_is_refused_before_anything_is_written() {
    let site = Site::shared();
    let workflow = site.workflow(&json!([table("t")]));
    let worker = site.worker();
    let arguments = [
        "run",
        text(&workflow),
        "-c",
        text(&worker),
        "--source-platform",
        "postgresql",
        "--name",
        "w",
    ];
    let ended = site.command(&arguments).run(DEADLINE);
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    for part in [
        "[connections.source.postgresql]",
        "[connections.source.redshift]",
        text(&worker),
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert!(!site.metadata().exist(), "the metadata are there");
}
