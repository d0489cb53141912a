//! What counts under rate limits at the edges: cancelled tasks, permits that nobody holds any more, former owners, and tasks
//! behind others that may not start.

use crate::limits::{migration, set_limit};
use crate::migration::{DEADLINE, Migration, snowflake};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Running, Sql, eventually};
use std::thread;
use std::time::Duration;

/// Long enough for several looks.
const LOOKS: Duration = Duration::from_secs(2);

const LOADING: &str = "Table[%]::Loading";

/// Another workflow of a small table; the metadata have to be there.
fn beside(migration: &Migration<'_>) -> Running {
    let source = migration.source.sql();
    source.run("CREATE TABLE IF NOT EXISTS beside AS SELECT 1 AS id");
    migration.create_beside(snowflake(), "beside")
}

fn assert_completed(created: Running) {
    let ended = created.wait(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
}

/// The condition on the rows of the workflow that [`beside`] has created.
fn of_beside(migration: &Migration<'_>) -> String {
    format!(
        "WORKFLOW_ID = (SELECT WORKFLOW_ID FROM {} WHERE NAME = 'beside')",
        migration.object("WORKFLOW")
    )
}

#[test]
fn a_cancelled_task_counts_until_its_worker_has_ended_it() {
    let server = snowflake();
    let migration = migration(30, 100, 1);
    // No renewal tells the worker of the cancellation while this test looks.
    migration.configure_workers(
        "max_parallel_tasks = 1\ntask_fetch_interval = 0.3\nlease_refresh_interval = 600\nlease = 1800",
    );
    let _orchestrator = migration.orchestrator(server);
    let sql = server.sql();
    set_limit(&migration, "Table[%]::Extraction", 1);
    let gate = migration.close_gate();
    let _workers = [(); 2].map(|()| migration.worker(server));
    let created = migration.create(server);
    migration.wait_for_extractions();
    assert_eq!(migration.ask(server, "cancel", &[]).code(), Some(0));
    drop(created);
    let other = beside(&migration);
    let of_beside = of_beside(&migration);
    let waits = format!("KIND = 'EXTRACT' AND STATUS = 'PENDING' AND {of_beside}");
    migration.wait_for(&sql, 1, "TASK_QUEUE", &waits);
    // It runs again as soon as its worker is done with it, and not before.
    assert_eq!(migration.ask(server, "retry", &[]).code(), Some(0));
    let again = "KIND = 'EXTRACT' AND STATUS = 'PENDING'";
    migration.wait_for(&sql, 2, "TASK_QUEUE", again);
    thread::sleep(LOOKS);
    let started = "KIND = 'EXTRACT' AND STATUS <> 'PENDING'";
    assert_eq!(migration.count(&sql, "TASK_QUEUE", started), 0);
    drop(gate);
    assert_completed(other);
    migration.wait_for(&sql, 2, "WORKFLOW", "STATUS = 'COMPLETED'");
    migration.assert_rows_equal(server);
}

#[test]
fn tasks_behind_those_of_a_paused_partition_start() {
    let server = snowflake();
    let migration = migration(150, 10, 151);
    let _orchestrator = migration.orchestrator(server);
    let sql = server.sql();
    let paused = "Table[%]::Partition[_]::Extraction";
    set_limit(&migration, paused, 0);
    // It has room, and what it speaks of is not held back.
    set_limit(&migration, "Workflow[%]::Table[%]::Extraction", 4);
    let _worker = migration.worker(server);
    let created = migration.create(server);
    let ended = "KIND = 'EXTRACT' AND STATUS = 'COMPLETED'";
    migration.wait_for(&sql, 6, "TASK_QUEUE", ended);
    let one_digit = "KIND = 'EXTRACT' AND PARTITION_NO < 10 AND STATUS <> 'PENDING'";
    assert_eq!(migration.count(&sql, "TASK_QUEUE", one_digit), 0);
    sql.run(&format!(
        "UPDATE {} SET ENABLED = FALSE WHERE SCOPE_PATTERN = '{paused}'",
        migration.object("RATE_LIMIT")
    ));
    migration.assert_ends_right(server, created);
}

/// A migration that is complete, whose table's row is changed to one that was left behind in a load.
fn with_a_load_left_behind(migration: &Migration<'_>, sql: &Sql, table: &str, workflow: &str) {
    for (object, change) in [("TABLE_STATE", table), ("WORKFLOW", workflow)] {
        sql.run(&format!(
            "UPDATE {} SET {change} WHERE WORKFLOW_ID = (SELECT WORKFLOW_ID FROM {} WHERE NAME = '{}')",
            migration.object(object),
            migration.object("WORKFLOW"),
            migration.metadata
        ));
    }
}

#[test]
fn the_permit_of_a_table_that_has_ended_holds_up_no_other_load() {
    let server = snowflake();
    let migration = migration(30, 100, 31);
    let _roles = (migration.orchestrator(server), migration.worker(server));
    let created = migration.create(server);
    migration.assert_ends_right(server, created);
    let sql = server.sql();
    with_a_load_left_behind(
        &migration,
        &sql,
        "LOAD_PERMIT = OWNER_EPOCH",
        "LEASE_UNTIL = DATEADD('hour', 1, SYSDATE())",
    );
    set_limit(&migration, LOADING, 1);
    assert_completed(beside(&migration));
}

#[test]
fn a_former_owners_load_counts_until_its_workflow_is_taken_over_and_then_no_more() {
    let server = snowflake();
    let migration = migration(30, 100, 31);
    migration.configure_orchestrators("poll_interval = 0.5\naffinity = \"here\"");
    let _roles = (migration.orchestrator(server), migration.worker(server));
    let created = migration.create(server);
    migration.assert_ends_right(server, created);
    let sql = server.sql();
    // Nobody here may take it; its owner's lease has just run out.
    with_a_load_left_behind(
        &migration,
        &sql,
        "PHASE = 'EXECUTING', LOAD_PERMIT = OWNER_EPOCH",
        "STATUS = 'EXECUTING', AFFINITY = 'elsewhere', OWNER = 'gone', LEASE_UNTIL = DATEADD('minute', -1, SYSDATE())",
    );
    set_limit(&migration, LOADING, 1);
    let other = beside(&migration);
    let staged = format!("PHASE = 'STAGED' AND {}", of_beside(&migration));
    migration.wait_for(&sql, 1, "PARTITION", &staged);
    thread::sleep(LOOKS * 2);
    assert_eq!(migration.count(&sql, "PARTITION", &staged), 1);
    with_a_load_left_behind(&migration, &sql, "ERROR = NULL", "AFFINITY = NULL");
    assert_completed(other);
    let metadata = migration.metadata(server);
    eventually("both workflows are complete", DEADLINE, || {
        metadata.completed_workflows() == 2
    });
    assert_eq!(metadata.permitted_loads(), 0);
}

#[test]
fn rows_that_are_to_be_merged_are_not_even_staged_while_loads_are_paused() {
    let server = LocalRedshift::shared();
    let database = server.database();
    let source = database.sql();
    source.run("CREATE TABLE items AS SELECT id::bigint AS id, DATE '2024-01-01' + id::int AS at FROM generate_series(1, 50) id");
    let migration = snowhaul_integration::Migration::from(&database)
        .on(snowflake())
        .table(json!({
            "source": {"tableName": "items"}, "target": {"tableName": "items"},
            "synchronization": {"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true},
            "primaryKeyColumns": ["id"],
        }));
    let first = migration.run(0);
    source.run("INSERT INTO items VALUES (51, DATE '2025-01-01')");
    let metadata = migration.metadata();
    metadata.set_limit(LOADING, 0);
    let schema = metadata.schema().replace('.', "\".\"");
    let copies = || {
        let statements = snowflake().statements();
        let ours = statements.iter().filter_map(|entry| entry["sql"].as_str());
        ours.filter(|sql| sql.starts_with("COPY INTO") && sql.contains(&schema))
            .filter(|sql| sql.contains("STAGING_"))
            .count()
    };
    let before = copies();
    let again = migration.again();
    thread::scope(|scope| {
        let run = scope.spawn(|| drop(again.run(0)));
        eventually("something is staged", DEADLINE, || {
            metadata.partitions_in("STAGED") > 0
        });
        thread::sleep(LOOKS * 2);
        assert_eq!(copies(), before);
        metadata.run("UPDATE {s}.RATE_LIMIT SET ENABLED = FALSE");
        assert!(run.join().is_ok());
    });
    assert!(copies() > before);
    assert_eq!(first.sql.number("SELECT COUNT(*) FROM items"), 51);
}

#[test]
fn loads_wait_for_metadata_that_are_away_for_a_while() {
    let server = snowflake();
    let migration = migration(30, 100, 1);
    let _roles = (migration.orchestrator(server), migration.worker(server));
    let gate = migration.close_gate();
    let created = migration.create(server);
    migration.wait_for_extractions();
    let sql = server.sql();
    let (limits, away) = (migration.object("RATE_LIMIT"), migration.object("AWAY"));
    sql.run(&format!("ALTER TABLE {limits} RENAME TO {away}"));
    drop(gate);
    migration.wait_for(&sql, 1, "TABLE_STATE", "LOAD_ERROR LIKE '%RATE_LIMIT%'");
    sql.run(&format!("ALTER TABLE {away} RENAME TO {limits}"));
    migration.assert_ends_right(server, created);
}
