//! `kill -9` of workers and orchestrators.

use crate::migration::{Migration, snowflake};
use snowhaul_integration::LocalRedshift;

#[test]
fn a_worker_killed_in_the_middle_of_an_extraction_changes_nothing() {
    let snowflake = snowflake();
    // Each partition is fetched in several pieces, so that the first are on their way to the stage at the gate.
    let migration = Migration::new(LocalRedshift::shared(), 60_000, 30_000, 55_000);
    let gate = migration.close_gate();
    let _orchestrator = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let worker = migration.worker(snowflake);
    let sql = snowflake.sql();
    migration.wait_for_the_middle(&sql);
    worker.kill();
    let _next = migration.worker(snowflake);
    migration.wait_for(&sql, 1, "TASK_QUEUE", "ATTEMPT >= 2");
    drop(gate);
    migration.assert_ends_right(snowflake, created);
    assert_eq!(
        migration.count(
            &sql,
            "TASK_QUEUE",
            "KIND = 'EXTRACT' AND ATTEMPT >= 2 AND FAILURES >= 1"
        ),
        1
    );
    assert_eq!(
        migration.count(&sql, "PARTITION", "ATTEMPT >= 2"),
        1,
        "the second attempt won"
    );
}

#[test]
fn an_orchestrator_killed_in_the_middle_continues_when_it_is_started_again() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 2_000, 100, 1_000);
    let gate = migration.close_gate();
    let first = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let _worker = migration.worker(snowflake);
    let sql = snowflake.sql();
    migration.wait_for_the_middle(&sql);
    first.kill();
    drop(gate);
    // The worker goes on without an orchestrator.
    migration.wait_for(
        &sql,
        1,
        "TASK_QUEUE",
        "STATUS = 'COMPLETED' AND COLLECTED_AT IS NULL",
    );
    let epoch = migration.epoch(&sql);
    let _second = migration.orchestrator(snowflake);
    migration.assert_ends_right(snowflake, created);
    assert!(migration.epoch(&sql) > epoch);
}

#[test]
fn a_second_orchestrator_stands_by_and_takes_over_from_one_that_is_killed() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 2_000, 100, 1_000);
    let gate = migration.close_gate();
    let first = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let _worker = migration.worker(snowflake);
    let sql = snowflake.sql();
    migration.wait_for_the_middle(&sql);
    let _second = migration.orchestrator(snowflake);
    let later = format!("OWNER_EPOCH > {}", migration.epoch(&sql));
    first.kill();
    migration.wait_for(&sql, 1, "WORKFLOW", &later);
    drop(gate);
    migration.assert_ends_right(snowflake, created);
}

#[test]
fn workers_and_orchestrators_killed_together_and_again_change_nothing() {
    let snowflake = snowflake();
    // There is work until all are killed; and behind what the killed workers still hold there is enough that waits at no
    // gate.
    let migration = Migration::new(LocalRedshift::shared(), 8_000, 100, 7_001);
    let gate = migration.close_gate();
    let sql = snowflake.sql();
    let mut roles = (
        migration.orchestrator(snowflake),
        migration.worker(snowflake),
    );
    let created = migration.create(snowflake);
    migration.wait_for(&sql, 1, "WORKFLOW", "TRUE");
    // Wherever they are then.
    for loaded in [0, 1, 25] {
        migration.wait_for(
            &sql,
            1,
            "WORKFLOW",
            "OWNER IS NOT NULL AND LEASE_UNTIL > SYSDATE()",
        );
        migration.wait_for(&sql, loaded, "PARTITION", "PHASE = 'LOADED'");
        roles.0.kill();
        roles.1.kill();
        roles = (
            migration.orchestrator(snowflake),
            migration.worker(snowflake),
        );
    }
    drop(gate);
    migration.assert_ends_right(snowflake, created);
}
