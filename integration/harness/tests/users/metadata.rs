//! The metadata: where it is, which version it has, and what happens while it is not there.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::json;
use snowhaul_integration::{LocalSnowflake, Scratch, Snowhaul, eventually, unique_name};

#[test]
fn a_worker_waits_for_its_metadata_says_so_and_ends_with_0_when_it_is_stopped() {
    let site = Site::shared();
    let worker = site
        .command(&["worker", "-c", text(&site.worker())])
        .start();
    let told = "waiting for an orchestrator to create the metadata";
    worker.wait_to_say(told, DEADLINE);
    assert_says(&worker.stdout(), &[&site.metadata]);
    let ended = worker.terminate(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
}

#[test]
fn commands_say_that_there_is_no_metadata_and_who_creates_it() {
    let site = Site::shared();
    for arguments in [&["workflow", "list"][..], &["workflow", "status", "w"]] {
        let ended = site.command(arguments).run(DEADLINE);
        assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
        let parts = [
            "there is no metadata in",
            &site.metadata,
            "start an orchestrator",
        ];
        assert_says(&ended.stderr, &parts);
    }
}

#[test]
fn metadata_of_a_newer_version_is_left_alone_by_every_command() {
    let site = Site::shared();
    let workflow = site.workflow(&json!([table("t")]));
    let orchestrator = site.command(&["orchestrator"]).start();
    site.create(&workflow, "w");
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    let metadata = site.metadata();
    metadata.run("INSERT INTO {s}.SCHEMA_VERSION (VERSION) VALUES (99)");
    let (workflow, worker) = (text(&workflow).to_owned(), site.worker());
    for arguments in [
        &["orchestrator"][..],
        &["worker", "-c", text(&worker)],
        &["workflow", "list"],
        &["workflow", "status", "w"],
        &[
            "workflow",
            "create",
            &workflow,
            "--source-platform",
            "redshift",
            "--name",
            "w2",
        ],
    ] {
        let ended = site.command(arguments).run(DEADLINE);
        assert_eq!(ended.code(), Some(2), "{arguments:?} {}", ended.stderr);
        assert_says(&ended.stderr, &["version 99", "version 4", &site.metadata]);
    }
    assert_eq!(metadata.version(), 99);
}

#[test]
fn metadata_of_an_older_version_is_upgraded_and_workers_wait_for_it() {
    let site = Site::shared();
    let workflow = site.workflow(&json!([table("t")]));
    let orchestrator = site.command(&["orchestrator"]).start();
    site.create(&workflow, "w");
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    // As version 1 left it.
    let metadata = site.metadata();
    for statement in [
        "UPDATE {s}.SCHEMA_VERSION SET VERSION = 1",
        "DROP TABLE {s}.SYNCHRONIZATION",
        "DROP TABLE {s}.SYNC_PARTITION",
        "DROP TABLE {s}.WORKFLOW_REQUEST",
        "DROP TABLE {s}.TABLE_REQUEST",
        "DROP VIEW {s}.TABLE_PROGRESS_WITH_EXAMPLE_ERROR",
        "ALTER TABLE {s}.TASK_QUEUE DROP COLUMN POSTPONED",
        "ALTER TABLE {s}.TABLE_STATE DROP COLUMN LOAD_ERROR",
        "DROP TABLE {s}.RATE_LIMIT",
        "CREATE HYBRID TABLE {s}.RATE_LIMIT (RATE_LIMIT_ID NUMBER(19,0) NOT NULL AUTOINCREMENT, PATTERN VARCHAR NOT NULL, AFFINITY VARCHAR(256), TARGET_CONCURRENCY NUMBER(10,0) NOT NULL, PRIMARY KEY (RATE_LIMIT_ID))",
        "INSERT INTO {s}.RATE_LIMIT (PATTERN, TARGET_CONCURRENCY) VALUES ('Table[%]::Loading', 1)",
        "CREATE HYBRID TABLE {s}.SYNC_STATE (SOURCE_TABLE VARCHAR(1024) NOT NULL, PRIMARY KEY (SOURCE_TABLE))",
    ] {
        metadata.run(statement);
    }
    let worker = site
        .command(&["worker", "-c", text(&site.worker())])
        .start();
    worker.wait_to_say("waiting for an orchestrator", DEADLINE);
    let orchestrator = site.command(&["orchestrator"]).start();
    eventually("the workflow is complete", DEADLINE, || {
        metadata.completed_workflows() == 1
    });
    assert_eq!(metadata.version(), 4);
    assert_eq!(
        metadata.limits(),
        [["Table[%]::Loading", "1", "true"].map(|text| Some(text.to_owned()))]
    );
    assert_eq!(worker.terminate(DEADLINE).code(), Some(0));
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
}

#[test]
fn an_upgrade_that_is_repeated_late_keeps_the_rate_limits_that_were_written_meanwhile() {
    let site = Site::shared();
    let workflow = site.workflow(&json!([table("t")]));
    let orchestrator = site.command(&["orchestrator"]).start();
    site.create(&workflow, "w");
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    let metadata = site.metadata();
    metadata.set_limit("Table[%]::Loading", 0);
    // As it looks to an orchestrator that read the version before another one had written it.
    metadata.run("UPDATE {s}.SCHEMA_VERSION SET VERSION = 2");
    let orchestrator = site.command(&["orchestrator"]).start();
    orchestrator.wait_to_say("orchestrator starts", DEADLINE);
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    assert_eq!(metadata.limits().len(), 1);
}

#[test]
fn a_role_that_may_not_create_the_metadata_is_told_what_it_lacks() {
    let scratch = Scratch::new("deny");
    let deny = scratch.write("deny.json", r#"["^CREATE HYBRID TABLE"]"#);
    let snowflake = LocalSnowflake::start(&["--deny", text(&deny)]);
    let ended = Snowhaul::new(["orchestrator"])
        .snowflake(&snowflake)
        .run(DEADLINE);
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    let parts = [
        "Insufficient privileges",
        "SNOWCONVERT_AI",
        "CREATE HYBRID TABLE",
        "commercial AWS or Azure",
        "trial",
    ];
    assert_says(&ended.stderr, &parts);
    std::fs::write(&deny, r#"["^CREATE DATABASE"]"#).unwrap();
    let ended = Snowhaul::new(["orchestrator"])
        .snowflake(&snowflake)
        .metadata("OTHER")
        .run(DEADLINE);
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &["Insufficient privileges", "CREATE DATABASE", "OTHER"],
    );
}

#[test]
fn the_environment_moves_all_metadata_and_the_stage() {
    let site = Site::shared();
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let schema = unique_name("elsewhere");
    let workflow = site.workflow(&json!([table("t")]));
    let ended = site
        .run_command(&workflow, "w")
        .env(
            "CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA",
            &schema,
        )
        .run(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    let place = format!("{}.{}", site.metadata, schema.to_uppercase());
    let sql = site.sql();
    let count = |what: &str| sql.number(&format!("SELECT COUNT(*) FROM {place}.{what}"));
    assert_eq!(
        (
            count("WORKFLOW"),
            count("TABLE_PROGRESS_WITH_EXAMPLE_ERROR")
        ),
        (1, 1)
    );
    sql.run(&format!("LIST @{place}.TASK_RESULTS"));
    // What this migration sent never spoke of another place.
    let statements = site.snowflake.statements();
    let ours = statements.iter().filter_map(|entry| entry["sql"].as_str());
    let ours: Vec<&str> = ours.filter(|sql| sql.contains(&site.metadata)).collect();
    assert!(ours.iter().any(|sql| sql.starts_with("PUT")), "{ours:#?}");
    assert!(
        !ours.iter().any(|sql| sql.contains("\"DATA_MIGRATION\"")),
        "{ours:#?}"
    );
    let listed = site
        .command(&["workflow", "list"])
        .env(
            "CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA",
            &schema,
        )
        .run(DEADLINE);
    assert_eq!(listed.code(), Some(0), "{}", listed.stderr);
    let elsewhere = site.command(&["workflow", "list"]).run(DEADLINE);
    assert_eq!(elsewhere.code(), Some(2), "{}", elsewhere.stdout);
    // A name that is none is refused with the variable's.
    let odd = site
        .command(&["workflow", "list"])
        .env("CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA", "\"open")
        .run(DEADLINE);
    assert_eq!(odd.code(), Some(2), "{}", odd.stderr);
    assert_says(&odd.stderr, &["CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA"]);
}

#[test]
fn an_orchestrator_that_may_not_create_what_is_there_already_starts() {
    let scratch = Scratch::new("deny");
    let deny = scratch.write("deny.json", "[]");
    let snowflake = LocalSnowflake::start(&["--deny", text(&deny)]);
    let site = Site::on(&snowflake);
    let starts = || {
        let orchestrator = site.command(&["orchestrator"]).start();
        orchestrator.wait_to_say("orchestrator starts", DEADLINE);
        assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    };
    // Snowflake wants the privilege even where IF NOT EXISTS has nothing to do.
    site.sql()
        .run(&format!("CREATE DATABASE {}", site.metadata));
    std::fs::write(&deny, r#"["^CREATE DATABASE"]"#).unwrap();
    starts();
    std::fs::write(&deny, r#"["^CREATE (DATABASE|SCHEMA|HYBRID)"]"#).unwrap();
    starts();
}
