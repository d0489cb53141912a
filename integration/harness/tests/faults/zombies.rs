//! Processes that are stopped for longer than their leases, and wake up when others have their work.

use crate::migration::{DEADLINE, Migration, snowflake};
use snowhaul_integration::{LocalRedshift, Running, Signal, eventually};

/// What a worker says when the end of a task finds its claim gone.
const LOST: &str = "the claim was lost before its end";

/// What an orchestrator says when it finds its workflow in other hands.
const LEASE_LOST: &str = "the lease is lost; another orchestrator may drive it now";

/// Stops a worker that extracts, and waits until another has all its tasks.
fn a_sleeping_worker_is_replaced(migration: &Migration<'_>) -> (Running, Running) {
    let snowflake = snowflake();
    let zombie = migration.worker(snowflake);
    let sql = snowflake.sql();
    migration.wait_for_the_middle(&sql);
    zombie.signal(Signal::STOP);
    let next = migration.worker(snowflake);
    migration.wait_for(&sql, 1, "TASK_QUEUE", "ATTEMPT >= 2 AND STATUS = 'CLAIMED'");
    (zombie, next)
}

#[test]
fn a_worker_that_wakes_up_when_others_have_done_its_tasks_changes_nothing() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 1_000, 500, 600);
    let gate = migration.close_gate();
    let _orchestrator = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let (mut zombie, _next) = a_sleeping_worker_is_replaced(&migration);
    drop(gate);
    migration.assert_ends_right(snowflake, created);
    zombie.signal(Signal::CONT);
    zombie.wait_to_say(LOST, DEADLINE);
    migration.assert_loaded_once(snowflake);
    assert!(zombie.ended().is_none(), "it serves on");
}

#[test]
fn a_worker_that_wakes_up_while_others_do_its_tasks_changes_nothing() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 1_000, 500, 600);
    let gate = migration.close_gate();
    let _orchestrator = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let (mut zombie, _next) = a_sleeping_worker_is_replaced(&migration);
    zombie.signal(Signal::CONT);
    // Its extractions wait at the gate like the others', until it is told that they are not its own any more.
    zombie.wait_to_say(LOST, DEADLINE);
    drop(gate);
    migration.assert_ends_right(snowflake, created);
    assert!(zombie.ended().is_none(), "it serves on");
}

#[test]
fn orchestrators_that_wake_up_when_the_other_has_taken_over_do_no_harm() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 6_000, 100, 6_001);
    let mut orchestrators = [(); 2].map(|()| migration.orchestrator(snowflake));
    let created = migration.create(snowflake);
    let _worker = migration.worker(snowflake);
    let sql = snowflake.sql();
    for loaded in [5, 30] {
        migration.wait_for(&sql, loaded, "PARTITION", "PHASE = 'LOADED'");
        let epoch = migration.epoch(&sql);
        let owner = format!("SELECT OWNER FROM {}", migration.object("WORKFLOW"));
        let owner = sql.value(&owner).unwrap_or_default();
        let owns = |running: &&Running| owner.contains(&format!("/{}/", running.id()));
        let Some(asleep) = orchestrators.iter().find(owns) else {
            panic!("{owner} is neither");
        };
        asleep.signal(Signal::STOP);
        let next = format!("OWNER_EPOCH > {epoch} AND OWNER <> '{owner}'");
        migration.wait_for(&sql, 1, "WORKFLOW", &next);
        let told = asleep.stdout().matches(LEASE_LOST).count();
        asleep.signal(Signal::CONT);
        // It says that it has been replaced, and stands by.
        eventually(LEASE_LOST, DEADLINE, || {
            asleep.stdout().matches(LEASE_LOST).count() > told
        });
    }
    migration.assert_ends_right(snowflake, created);
    let both = orchestrators.iter_mut().all(|one| one.ended().is_none());
    assert!(both, "they serve on");
}
