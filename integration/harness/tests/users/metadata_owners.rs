//! Whose objects the metadata's schema holds, and what is made of them.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::json;
use snowhaul_integration::Sql;

/// A schema as the other tool keeps it: tables and views of the same names, with its columns.
const ANOTHER_TOOLS: [&str; 5] = [
    "CREATE TABLE {s}.WORKFLOW (WORKFLOW_ID NUMBER AUTOINCREMENT, WORKFLOW_NAME VARCHAR, WORKFLOW_TYPE VARCHAR, STATUS VARCHAR, CONFIGURATION VARIANT, AFFINITY VARCHAR)",
    "CREATE TABLE {s}.TASK_QUEUE (TASK_ID NUMBER AUTOINCREMENT, WORKFLOW_ID NUMBER, STATUS VARCHAR, PAYLOAD VARIANT)",
    "CREATE TABLE {s}.TABLE_METADATA (TABLE_METADATA_ID NUMBER, WORKFLOW_ID NUMBER, SOURCE_TABLE VARCHAR)",
    "CREATE VIEW {s}.DATA_MIGRATION_ERROR AS SELECT WORKFLOW_ID, STATUS AS ERROR FROM {s}.TASK_QUEUE",
    "CREATE VIEW {s}.TABLE_PROGRESS_WITH_EXAMPLE_ERROR AS SELECT WORKFLOW_ID, COUNT(*) AS PARTITIONS FROM {s}.TASK_QUEUE GROUP BY WORKFLOW_ID",
];

/// Everything that the schema holds, with the columns and rows of its tables.
fn contents(sql: &Sql, schema: &str) -> String {
    let objects = sql.rows(&format!("SHOW OBJECTS IN SCHEMA {schema}"));
    let columns = sql.rows(&format!("SHOW COLUMNS IN SCHEMA {schema}"));
    let stages = sql.rows(&format!("SHOW STAGES IN SCHEMA {schema}"));
    let rows = sql.rows(&format!("SELECT * FROM {schema}.WORKFLOW"));
    format!("{objects:#?}{columns:#?}{stages:#?}{rows:#?}")
}

#[test]
fn a_schema_of_another_tool_is_refused_by_every_role_and_command_and_left_as_it_is() {
    let site = Site::shared();
    let workflow = site.workflow(&json!([table("t")]));
    let (sql, schema) = (site.sql(), format!("{}.DATA_MIGRATION", site.metadata));
    sql.run(&format!("CREATE DATABASE {}", site.metadata));
    sql.run(&format!("CREATE SCHEMA {schema}"));
    for statement in ANOTHER_TOOLS {
        sql.run(&statement.replace("{s}", &schema));
    }
    sql.run(&format!(
        "INSERT INTO {schema}.WORKFLOW (WORKFLOW_NAME, STATUS) VALUES ('w', 'RUNNING')"
    ));
    let before = contents(&sql, &schema);
    let (workflow, worker) = (text(&workflow).to_owned(), site.worker());
    let create = ["--source-platform", "redshift", "--name", "w"];
    let commands = [
        vec!["orchestrator"],
        vec!["worker", "-c", text(&worker)],
        [&["workflow", "create", &workflow][..], &create].concat(),
        [&["run", &workflow][..], &create, &["-c", text(&worker)]].concat(),
        vec!["workflow", "list"],
        vec!["workflow", "status", "w"],
        vec!["workflow", "cancel", "w"],
        vec!["worker", "list"],
    ];
    for arguments in &commands {
        let ended = site.command(arguments).run(DEADLINE);
        assert_eq!(ended.code(), Some(2), "{arguments:?} {}", ended.stderr);
        let parts = [
            "another tool's",
            "table WORKFLOW",
            "table TASK_QUEUE",
            "view DATA_MIGRATION_ERROR",
            "view TABLE_PROGRESS_WITH_EXAMPLE_ERROR",
            &site.metadata,
            "CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA=SNOWHAUL",
            "CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA",
        ];
        assert_says(&ended.stderr, &parts);
        assert!(!ended.stderr.contains("TABLE_METADATA"), "{}", ended.stderr);
    }
    let doctor = site.command(&["doctor"]).run(DEADLINE);
    assert_eq!(doctor.code(), Some(1), "{}{}", doctor.stdout, doctor.stderr);
    assert_says(
        &doctor.stdout,
        &["FAIL", "another tool's", "view DATA_MIGRATION_ERROR"],
    );
    assert_eq!(contents(&sql, &schema), before);
    // The way out that the message names.
    let orchestrator = site
        .command(&["orchestrator"])
        .env(
            "CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA",
            "SNOWHAUL",
        )
        .start();
    orchestrator.wait_to_say("orchestrator starts", DEADLINE);
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    assert_eq!(contents(&sql, &schema), before);
}

#[test]
fn a_table_of_versions_of_another_tool_is_none_of_ours() {
    let site = Site::shared();
    let (sql, schema) = (site.sql(), format!("{}.DATA_MIGRATION", site.metadata));
    sql.run(&format!("CREATE DATABASE {}", site.metadata));
    sql.run(&format!("CREATE SCHEMA {schema}"));
    for columns in [
        "VERSION NUMBER, DESCRIPTION VARCHAR, APPLIED_AT TIMESTAMP_NTZ",
        "SCRIPT VARCHAR",
    ] {
        let table = format!("{schema}.SCHEMA_VERSION");
        sql.run(&format!("CREATE OR REPLACE TABLE {table} ({columns})"));
        for arguments in [&["orchestrator"][..], &["workflow", "list"]] {
            let ended = site.command(arguments).run(DEADLINE);
            assert_eq!(ended.code(), Some(2), "{arguments:?} {}", ended.stderr);
            assert_says(&ended.stderr, &["another tool's", "table SCHEMA_VERSION"]);
        }
        let objects = sql.rows(&format!("SHOW OBJECTS IN SCHEMA {schema}"));
        assert_eq!(objects.len(), 1);
    }
}

#[test]
fn what_an_interrupted_creation_left_is_completed_and_a_stage_of_somebody_else_is_not_taken() {
    let site = Site::shared();
    let (sql, schema) = (site.sql(), format!("{}.DATA_MIGRATION", site.metadata));
    let orchestrator = || {
        let orchestrator = site.command(&["orchestrator"]).start();
        orchestrator.wait_to_say("orchestrator starts", DEADLINE);
        assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    };
    orchestrator();
    for statement in [
        "DELETE FROM {s}.SCHEMA_VERSION",
        "DROP VIEW {s}.DATA_MIGRATION_WARNING",
        "DROP TABLE {s}.WORKER",
        "DROP STAGE {s}.TASK_RESULTS",
        "CREATE STAGE {s}.TASK_RESULTS",
    ] {
        sql.run(&statement.replace("{s}", &schema));
    }
    let ended = site.command(&["orchestrator"]).run(DEADLINE);
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    assert_says(&ended.stderr, &["(stage TASK_RESULTS)"]);
    sql.run(&format!("DROP STAGE {schema}.TASK_RESULTS"));
    orchestrator();
    for object in ["DATA_MIGRATION_WARNING", "WORKER"] {
        let rows = sql.number(&format!("SELECT COUNT(*) FROM {schema}.{object}"));
        assert_eq!(rows, 0, "{object}");
    }
    sql.run(&format!("LIST @{schema}.TASK_RESULTS"));
}

/// Table or view, column and type of everything in the schema, in order.
fn columns(sql: &Sql, metadata: &str) -> Vec<Vec<Option<String>>> {
    sql.rows(&format!(
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE FROM {metadata}.INFORMATION_SCHEMA.COLUMNS \
         WHERE TABLE_SCHEMA = 'DATA_MIGRATION' ORDER BY TABLE_NAME, COLUMN_NAME"
    ))
}

#[test]
fn metadata_that_were_upgraded_have_the_columns_of_new_ones() {
    let (new, old) = (Site::shared(), Site::shared());
    let start = |site: &Site| {
        let orchestrator = site.command(&["orchestrator"]).start();
        orchestrator.wait_to_say("orchestrator starts", DEADLINE);
        assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    };
    start(&new);
    let (sql, schema) = (new.sql(), format!("{}.DATA_MIGRATION", old.metadata));
    sql.run(&format!("CREATE DATABASE {}", old.metadata));
    sql.run(&format!("CREATE SCHEMA {schema}"));
    for statement in include_str!("metadata_version_1.sql").trim_end().split(';') {
        sql.run(&statement.replace("{s}", &schema));
    }
    start(&old);
    assert_eq!(columns(&sql, &new.metadata), columns(&sql, &old.metadata));
}
