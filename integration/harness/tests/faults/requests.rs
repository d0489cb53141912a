//! Work that operators pause, resume, cancel and let run again while it runs.

use crate::migration::{DEADLINE, Migration, STOP, snowflake};
use snowhaul_integration::{Ended, LocalRedshift, LocalSnowflake, Running, Sql, eventually};

#[track_caller]
fn assert_says(ended: &Ended, code: i32, parts: &[&str]) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
}

/// A migration whose orchestrators notice soon what is asked.
fn prepared() -> (&'static LocalSnowflake, Migration<'static>, Sql) {
    let (server, migration) = (
        snowflake(),
        Migration::new(LocalRedshift::shared(), 60, 10, 31),
    );
    migration.configure_orchestrators("poll_interval = 0.3");
    (server, migration, server.sql())
}

fn assert_stop(roles: [Running; 2]) {
    for role in roles {
        assert_eq!(role.terminate(STOP).code(), Some(0));
    }
}

fn loaded(migration: &Migration<'_>, sql: &Sql) -> i64 {
    migration.count(sql, "PARTITION", "PHASE = 'LOADED'")
}

/// A small workflow beside, from its creation to its end: what could go on meanwhile has gone on.
fn another_workflow_ends(server: &LocalSnowflake, migration: &Migration<'_>) {
    migration
        .source
        .sql()
        .run("CREATE TABLE IF NOT EXISTS beside AS SELECT 1 AS id");
    let ended = migration.create_beside(server, "beside").wait(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn a_paused_workflow_stores_what_runs_begins_nothing_and_goes_on_when_it_is_resumed() {
    let (server, migration, sql) = prepared();
    let (orchestrator, worker) = (migration.orchestrator(server), migration.worker(server));
    let gate = migration.close_gate();
    let created = migration.create(server);
    migration.wait_for_the_middle(&sql);
    let paused = migration.ask(server, "pause", &[]);
    assert_says(&paused, 0, &["is paused"]);
    let again = migration.ask(server, "pause", &["--json"]);
    assert_says(&again, 0, &["is paused already", "\"changed\":false"]);
    let status = migration.ask(server, "status", &[]);
    assert_says(&status, 0, &[": PAUSED, 0 of 1 tables completed"]);
    let wait = || created.stderr().contains("workflow resume");
    eventually("--wait says that it is paused", DEADLINE, wait);
    drop(gate);
    // What ran ends, and its result is stored; nothing else is claimed, nothing is loaded.
    let ended = "STATUS = 'COMPLETED' AND KIND = 'EXTRACT' AND COLLECTED_AT IS NULL";
    migration.wait_for(&sql, 1, "TASK_QUEUE", ended);
    eventually("nothing runs", DEADLINE, || {
        migration.count(&sql, "TASK_QUEUE", "STATUS = 'CLAIMED'") == 0
    });
    let before = loaded(&migration, &sql);
    let finished = migration.count(&sql, "TASK_QUEUE", "STATUS = 'COMPLETED'");
    another_workflow_ends(server, &migration);
    assert_eq!(loaded(&migration, &sql) - 1, before);
    let beside = migration.count(&sql, "TASK_QUEUE", "STATUS = 'COMPLETED'") - finished;
    assert_eq!(
        beside, 2,
        "the analysis and the partition of the other workflow"
    );
    assert_says(&migration.ask(server, "resume", &[]), 0, &["continues"]);
    let created = created.wait(DEADLINE);
    assert_eq!(
        created.code(),
        Some(0),
        "{}{}",
        created.stdout,
        created.stderr
    );
    migration.assert_rows_equal(server);
    assert_eq!(migration.count(&sql, "TASK_QUEUE", "FAILURES > 0"), 0);
    for command in ["pause", "resume", "cancel"] {
        let refused = migration.ask(server, command, &[]);
        assert_says(&refused, 2, &["has ended", "workflow retry"]);
    }
    assert_says(
        &migration.ask(server, "retry", &[]),
        0,
        &["nothing of the workflow"],
    );
    assert_stop([orchestrator, worker]);
}

#[test]
fn a_cancelled_workflow_stops_its_tasks_ends_and_runs_again_to_every_row_once() {
    let (server, migration, sql) = prepared();
    let (orchestrator, worker) = (migration.orchestrator(server), migration.worker(server));
    let gate = migration.close_gate();
    let created = migration.create(server);
    migration.wait_for_the_middle(&sql);
    assert_says(
        &migration.ask(server, "cancel", &[]),
        0,
        &["is being cancelled"],
    );
    // The tasks that run are held back in the source: the workflow ends nevertheless.
    let ended = created.wait(DEADLINE);
    assert_says(
        &ended,
        4,
        &[": CANCELLED, 0 of 1 tables completed, 0 failed, 1 cancelled"],
    );
    assert_eq!(
        migration.count(&sql, "PARTITION", "PHASE IN ('PENDING', 'STAGED')"),
        0
    );
    assert_eq!(
        migration.count(
            &sql,
            "TASK_QUEUE",
            "STATUS IN ('PENDING', 'CLAIMED') OR COLLECTED_AT IS NULL"
        ),
        0
    );
    assert!(migration.count(&sql, "PARTITION", "PHASE = 'CANCELLED'") > 0);
    migration.assert_what_is_loaded_is_in_the_target(&sql);
    assert_says(
        &migration.ask(server, "cancel", &[]),
        0,
        &["is cancelled already"],
    );
    assert_says(
        &migration.ask(server, "resume", &[]),
        2,
        &["was cancelled", "workflow retry"],
    );
    worker.wait_to_say("the claim is lost", DEADLINE);
    drop(gate);
    assert_says(&migration.ask(server, "retry", &[]), 0, &["runs again"]);
    migration.wait_for(&sql, 1, "WORKFLOW", "STATUS = 'COMPLETED'");
    migration.assert_loaded_once(server);
    assert_stop([orchestrator, worker]);
}

#[test]
fn staged_files_of_a_cancelled_workflow_go_also_those_of_workers_that_do_not_know_yet() {
    let (server, migration, sql) = prepared();
    let file = migration.file("workflow.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let key = "{\"cleanUpTransientResources\": \"always\", ";
    std::fs::write(&file, text.replacen('{', key, 1)).unwrap();
    // The worker learns of the cancellation when it has staged what it extracts.
    migration.configure_workers(
        "max_parallel_tasks = 2\ntask_fetch_interval = 0.3\nlease_refresh_interval = 5\nlease = 15",
    );
    let (orchestrator, worker) = (migration.orchestrator(server), migration.worker(server));
    let gate = migration.close_gate();
    let created = migration.create(server);
    migration.wait_for_the_middle(&sql);
    assert_says(
        &migration.ask(server, "cancel", &[]),
        0,
        &["is being cancelled"],
    );
    migration.wait_for(&sql, 1, "TABLE_STATE", "PHASE = 'CANCELLED'");
    drop(gate);
    assert_says(&created.wait(DEADLINE), 4, &[": CANCELLED"]);
    worker.wait_to_say("claim", DEADLINE);
    let left = migration.metadata(server).staged_files();
    assert!(left.is_empty(), "{left:?}");
    assert_stop([orchestrator, worker]);
}

#[test]
fn a_workflow_that_nobody_owns_is_paused_resumed_and_cancelled_by_the_next_orchestrator() {
    let (server, migration, sql) = prepared();
    let worker = migration.worker(server);
    let orchestrator = migration.orchestrator(server);
    let gate = migration.close_gate();
    let created = migration.create(server);
    migration.wait_for_the_middle(&sql);
    assert_eq!(orchestrator.terminate(STOP).code(), Some(0));
    assert_says(
        &migration.ask(server, "pause", &["--table", "guarded"]),
        0,
        &["is paused"],
    );
    assert_says(&migration.ask(server, "resume", &[]), 0, &["continues"]);
    assert_says(
        &migration.ask(server, "cancel", &["--table", "0"]),
        0,
        &["is being cancelled"],
    );
    // The worker is told without an orchestrator.
    assert_eq!(
        migration.count(&sql, "TASK_QUEUE", "STATUS IN ('PENDING', 'CLAIMED')"),
        0
    );
    assert_says(&migration.ask(server, "status", &[]), 0, &["CANCELLING"]);
    let refused = migration.ask(server, "resume", &["--table", "0"]);
    assert_says(&refused, 2, &["is being cancelled"]);
    let orchestrator = migration.orchestrator(server);
    let ended = created.wait(DEADLINE);
    assert_says(
        &ended,
        4,
        &[": COMPLETED, 0 of 1 tables completed, 0 failed, 1 cancelled"],
    );
    migration.assert_what_is_loaded_is_in_the_target(&sql);
    drop(gate);
    assert_says(
        &migration.ask(server, "retry", &[]),
        0,
        &["nothing of the workflow"],
    );
    assert_says(
        &migration.ask(server, "retry", &["--table", "guarded"]),
        0,
        &["runs again"],
    );
    migration.wait_for(&sql, 1, "WORKFLOW", "STATUS = 'COMPLETED'");
    migration.assert_loaded_once(server);
    assert_stop([orchestrator, worker]);
}
