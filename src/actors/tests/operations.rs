//! Operators pause, resume, cancel, and let run again.

use crate::actors::testing::{Fault, World, WorldSettings};
use crate::domain::phase::{PartitionPhase, TablePhase, WorkflowPhase};
use crate::domain::request::Request;
use crate::domain::{PartitionNo, TableNo};
use std::time::Duration;

/// Longer than the dispatcher's poll, a task and a load take.
pub(super) const NOTICED: Duration = Duration::from_secs(15);

pub(super) async fn until_loaded(world: &World, at_least: usize) {
    world
        .until("some partitions are loaded", |w| {
            w.loaded(PartitionPhase::Loaded) >= at_least
        })
        .await;
}

pub(super) fn phases(world: &World) -> Vec<TablePhase> {
    let tables = world.store.table_phases(world.workflow);
    tables.into_iter().map(|(phase, _)| phase).collect()
}

#[tokio::test(start_paused = true)]
async fn a_paused_workflow_begins_nothing_keeps_what_ran_and_goes_on_when_it_is_resumed() {
    for at in [0, 3, 20] {
        let world = World::new(WorldSettings::default());
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        until_loaded(&world, at).await;
        world.store.ask(world.workflow, Some(Request::Pause));
        tokio::time::sleep(NOTICED).await;
        let loaded = world.loaded(PartitionPhase::Loaded);
        let started = world.runner.started.lock().unwrap().len();
        assert_eq!(world.store.num_claimed(), 0);
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(world.loaded(PartitionPhase::Loaded), loaded);
        assert_eq!(world.runner.started.lock().unwrap().len(), started);
        assert_eq!(*world.runner.cancelled.lock().unwrap(), 0);
        world.store.ask(world.workflow, None);
        world.until_complete().await;
        world.assert_all_loaded_once();
        assert_eq!(world.store.num_failures(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_table_waits_alone() {
    let world = World::new(WorldSettings::default());
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    until_loaded(&world, 3).await;
    world
        .store
        .ask_table(world.workflow, 0, Some(Request::Pause));
    world
        .until("the other tables are loaded", |w| {
            phases(w)[1..] == [TablePhase::Completed, TablePhase::Completed]
        })
        .await;
    tokio::time::sleep(NOTICED).await;
    let before = world.store.target(world.workflow, 0).len();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(world.store.target(world.workflow, 0).len(), before);
    assert!(before < 40);
    assert_eq!(
        world.store.workflow_phase(world.workflow),
        WorkflowPhase::Executing
    );
    world.store.ask_table(world.workflow, 0, None);
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn a_workflow_that_is_paused_before_anybody_drives_it_does_not_begin() {
    let world = World::new(WorldSettings::default());
    world.store.ask(world.workflow, Some(Request::Pause));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(world.runner.started.lock().unwrap().is_empty());
    world.store.ask(world.workflow, None);
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_workflow_ends_stops_its_tasks_and_keeps_what_was_loaded() {
    for at in [0, 3, 20] {
        let world = World::new(WorldSettings {
            task: Duration::from_secs(20),
            ..WorldSettings::default()
        });
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        until_loaded(&world, at).await;
        world
            .until("tasks run", |w| w.store.num_claimed() > 0)
            .await;
        world.store.ask(world.workflow, Some(Request::Cancel));
        world
            .until("the workflow is cancelled", |w| {
                w.store.workflow_phase(w.workflow) == WorkflowPhase::Cancelled
            })
            .await;
        assert!(phases(&world).iter().all(|phase| phase.is_terminal()));
        assert_eq!(
            world.loaded(PartitionPhase::Pending) + world.loaded(PartitionPhase::Staged),
            0
        );
        assert_eq!(world.store.num_claimed() + world.store.num_queued(), 0);
        let loaded: usize = (0..3)
            .map(|no| world.store.target(world.workflow, no).len())
            .sum();
        assert_eq!(world.loaded(PartitionPhase::Loaded), loaded);
        assert_eq!(*world.loader.removed.lock().unwrap(), [world.workflow.0]);
        world
            .until("running tasks are stopped", |w| {
                *w.runner.cancelled.lock().unwrap() > 0
            })
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_waits_for_a_load_under_way_whose_rows_then_count() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 4)],
        load: Duration::from_secs(30),
        ..WorldSettings::default()
    });
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world
        .until("a load runs", |w| {
            !w.loader.batches.lock().unwrap().is_empty()
        })
        .await;
    world.store.ask(world.workflow, Some(Request::Cancel));
    world
        .until("the workflow has ended", |w| {
            w.store.workflow_phase(w.workflow).is_terminal()
        })
        .await;
    let target = world.store.target(world.workflow, 0);
    assert!(!target.is_empty());
    assert_eq!(target.len(), world.loaded(PartitionPhase::Loaded));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_table_leaves_the_others_alone_and_the_workflow_completes() {
    let world = World::new(WorldSettings::default());
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    until_loaded(&world, 3).await;
    world
        .store
        .ask_table(world.workflow, 0, Some(Request::Cancel));
    world.until_complete().await;
    assert_eq!(
        phases(&world),
        [
            TablePhase::Cancelled,
            TablePhase::Completed,
            TablePhase::Completed
        ]
    );
    world.assert_loaded_once(1, 0..25);
    world.assert_loaded_once(2, 0..1);
}

#[tokio::test(start_paused = true)]
async fn requests_survive_the_death_of_whoever_should_notice_them() {
    for request in [Some(Request::Cancel), Some(Request::Pause)] {
        let world = World::new(WorldSettings::default());
        let one = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        until_loaded(&world, 3).await;
        one.kill();
        world.store.ask(world.workflow, request);
        let _two = world.orchestrator("two").await;
        // The first one's lease runs out.
        tokio::time::sleep(Duration::from_secs(90)).await;
        let loaded = world.loaded(PartitionPhase::Loaded);
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(world.loaded(PartitionPhase::Loaded), loaded);
        let phase = world.store.workflow_phase(world.workflow);
        assert_eq!(
            phase == WorkflowPhase::Cancelled,
            request == Some(Request::Cancel)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_to_a_look_or_to_what_is_carried_out_loses_no_request() {
    for call in ["take_workflows", "apply_requests"] {
        for fault in [Fault::Reject, Fault::LoseReply] {
            let world = World::new(WorldSettings::default());
            let _orchestrator = world.orchestrator("one").await;
            let _worker = world.worker("w1").await;
            until_loaded(&world, 3).await;
            let calls = world.store.faults.calls(call);
            world.store.faults.plan(call, calls + 1, fault);
            world.store.ask(world.workflow, Some(Request::Cancel));
            world
                .until("the workflow is cancelled", |w| {
                    w.store.workflow_phase(w.workflow) == WorkflowPhase::Cancelled
                })
                .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_a_table_that_loads_keeps_no_other_table_waiting() {
    for request in [Request::Cancel, Request::Retry] {
        let task = Duration::from_secs(20);
        let world = World::new(WorldSettings {
            task,
            ..WorldSettings::default()
        });
        let (slow, one_failed) = (TableNo(0), PartitionNo(0));
        let poison = || world.loader.poison.lock().unwrap();
        if request == Request::Retry {
            poison().insert((slow, one_failed), true);
        }
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        until_loaded(&world, 6).await;
        let load = Duration::from_secs(900);
        world.loader.slow.lock().unwrap().insert(slow, load);
        // The next one begins.
        tokio::time::sleep(3 * task).await;
        poison().clear();
        world.store.ask_table(world.workflow, 0, Some(request));
        // Something is asked of another one while that waits.
        tokio::time::sleep(NOTICED).await;
        world
            .store
            .ask_table(world.workflow, 1, Some(Request::Pause));
        tokio::time::sleep(NOTICED).await;
        world.store.ask_table(world.workflow, 1, None);
        let asked = world.store.table_request(world.workflow, 0);
        assert_eq!(asked, Some(request), "the load has ended already");
        world
            .until("the other tables are loaded", |w| {
                phases(w)[1..] == [TablePhase::Completed; 2]
            })
            .await;
        assert_eq!(world.store.table_request(world.workflow, 0), Some(request));
        world.loader.slow.lock().unwrap().clear();
        world.until_complete().await;
        if request == Request::Cancel {
            assert_eq!(phases(&world)[0], TablePhase::Cancelled);
            let target = world.store.target(world.workflow, 0).len();
            assert_eq!(target + 26, world.loaded(PartitionPhase::Loaded));
        } else {
            world.assert_all_loaded_once();
        }
    }
}
