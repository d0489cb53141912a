//! Calls that fail before their effect or lose their reply.

use crate::actors::testing::{Fault, LoadFault, World, WorldSettings};
use std::time::Duration;

const ORCHESTRATOR_METHODS: [&str; 13] = [
    "take_workflows",
    "fence_tables",
    "renew_workflows",
    "load_tables",
    "load_partitions",
    "count_partitions",
    "start_workflow",
    "complete_workflow",
    "start_analysis",
    "write_plan",
    "enqueue",
    "ended_tasks",
    "apply",
];
const WORKER_METHODS: [&str; 5] = ["claim", "table_work", "renew", "finish", "heartbeat"];

async fn survives(method: &'static str, fault: Fault) {
    for nth in [1, 2, 3, 7] {
        let world = World::new(WorldSettings::default());
        world.store.faults.plan(method, nth, fault);
        world.store.faults.plan("reap", 2, fault);
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        world.until_complete().await;
        world.assert_all_loaded_once();
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_to_any_call_of_the_orchestrator_changes_nothing() {
    for method in ORCHESTRATOR_METHODS {
        survives(method, Fault::LoseReply).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_to_any_call_of_the_worker_changes_nothing() {
    for method in WORKER_METHODS {
        survives(method, Fault::LoseReply).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_the_orchestrator_that_is_rejected_once_changes_nothing() {
    for method in ORCHESTRATOR_METHODS {
        survives(method, Fault::Reject).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_the_worker_that_is_rejected_once_changes_nothing() {
    for method in WORKER_METHODS {
        survives(method, Fault::Reject).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_is_written_one_by_one() {
    survives("apply", Fault::Refuse).await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_cannot_be_stored_fails_its_task_and_no_other() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 1), ("b", 3)],
        ..WorldSettings::default()
    });
    // Both analyses end together: once refused as a batch, and the first once more alone.
    world.store.faults.plan("finish", 1, Fault::Refuse);
    world.store.faults.plan("finish", 2, Fault::Refuse);
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    let phases = world.store.table_phases(world.workflow);
    let failed: Vec<_> = phases.iter().filter_map(|(_, e)| e.as_ref()).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].contains("cannot be stored"), "{}", failed[0]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_could_not_be_written_for_another_reason_than_itself_is_kept() {
    let world = World::new(WorldSettings::default());
    for nth in 1..6 {
        world.store.faults.plan("finish", nth, Fault::Forbid);
    }
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn code_that_panics_beside_an_actor_of_the_orchestrator_changes_nothing() {
    for method in ORCHESTRATOR_METHODS {
        survives(method, Fault::Panic).await;
    }
}

#[tokio::test(start_paused = true)]
async fn code_that_panics_beside_an_actor_of_the_worker_changes_nothing() {
    for method in WORKER_METHODS {
        survives(method, Fault::Panic).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_half_an_hour_changes_nothing() {
    for begin in [1, 4, 9, 21] {
        let world = World::new(WorldSettings::default());
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        tokio::time::sleep(Duration::from_secs(begin)).await;
        world.store.faults.set_down(true);
        world
            .loader
            .faults
            .lock()
            .unwrap()
            .extend([LoadFault::TryAgain; 3]);
        tokio::time::sleep(Duration::from_secs(1_800)).await;
        world.store.faults.set_down(false);
        world.until_complete().await;
        world.assert_all_loaded_once();
    }
}

#[tokio::test(start_paused = true)]
async fn loads_that_fail_in_every_way_are_settled_by_the_checkpoint() {
    use LoadFault::*;
    for faults in [
        vec![TryAgain, TryAgain, LoseReply],
        vec![LoseReply, LoseReply, Doubt, LoseReply],
        vec![Doubt, Doubt, TryAgain, Doubt],
        vec![Panic, LoseReply, Panic],
        vec![RejectWithoutCulprit, TryAgain, Doubt],
    ] {
        let world = World::new(WorldSettings::default());
        world.loader.faults.lock().unwrap().extend(faults);
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        world.until_complete().await;
        world.assert_all_loaded_once();
    }
}
