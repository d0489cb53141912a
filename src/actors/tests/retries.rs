//! Operators let run again what failed or was cancelled.

use super::operations::{NOTICED, phases, until_loaded};
use crate::actors::testing::{Behaviour, World, WorldSettings};
use crate::domain::phase::{PartitionPhase, TablePhase, WorkflowPhase};
use crate::domain::request::Request;
use crate::domain::{Attempt, PartitionNo, TableNo};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_cancelled_workflow_runs_again_and_every_partition_is_loaded_exactly_once() {
    for at in [0, 3, 20, 60] {
        let world = World::new(WorldSettings::default());
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        until_loaded(&world, at).await;
        world.store.ask(world.workflow, Some(Request::Cancel));
        world
            .until("the workflow has ended", |w| {
                w.store.workflow_phase(w.workflow).is_terminal()
            })
            .await;
        for (no, phase) in phases(&world).iter().enumerate() {
            if *phase == TablePhase::Cancelled {
                world
                    .store
                    .ask_table(world.workflow, no as u32, Some(Request::Retry));
            }
        }
        world.until_complete().await;
        world.assert_all_loaded_once();
    }
}

#[tokio::test(start_paused = true)]
async fn failed_partitions_run_again_under_new_attempts_and_nothing_else_does() {
    let world = World::new(WorldSettings::default());
    let poison = Some(7);
    let behave = |behaviour| {
        let mut behaviours = world.runner.behaviours.lock().unwrap();
        behaviours.insert(("b".to_owned(), poison), behaviour);
    };
    behave(Behaviour::Fails(true));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    assert_eq!(phases(&world)[1], TablePhase::Failed);
    let started = world.runner.started.lock().unwrap().len();
    behave(Behaviour::Panics(0));
    world
        .store
        .ask_table(world.workflow, 1, Some(Request::Retry));
    assert_eq!(
        world.store.workflow_phase(world.workflow),
        WorkflowPhase::Executing
    );
    world.until_complete().await;
    world.assert_all_loaded_once();
    assert_eq!(world.runner.started.lock().unwrap().len(), started + 1);
    let target = world.store.target(world.workflow, 1);
    let again = target.iter().find(|(no, ..)| *no == PartitionNo(7));
    assert_eq!(again.map(|(_, attempt, _)| *attempt), Some(Attempt(6)));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_was_never_planned_is_analyzed_again() {
    let world = World::new(WorldSettings::default());
    let analysis = ("b".to_owned(), None);
    world
        .runner
        .behaviours
        .lock()
        .unwrap()
        .insert(analysis, Behaviour::Fails(false));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    world.runner.behaviours.lock().unwrap().clear();
    world
        .store
        .ask_table(world.workflow, 1, Some(Request::Retry));
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn partitions_that_failed_run_again_while_their_table_is_at_work() {
    let world = World::new(WorldSettings::default());
    world
        .loader
        .poison
        .lock()
        .unwrap()
        .insert((TableNo(0), PartitionNo(2)), true);
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world
        .until("a partition has failed", |w| {
            w.loaded(PartitionPhase::Failed) == 1
        })
        .await;
    assert_eq!(phases(&world)[0], TablePhase::Executing);
    world.loader.poison.lock().unwrap().clear();
    world
        .store
        .ask_table(world.workflow, 0, Some(Request::Retry));
    world.until_complete().await;
    world.assert_all_loaded_once();
}

/// A workflow of which one table fails, so that it can run again.
fn about_to_end(settings: WorldSettings) -> World {
    let world = World::new(settings);
    world
        .runner
        .behaviours
        .lock()
        .unwrap()
        .insert(("b".to_owned(), Some(7)), Behaviour::Fails(false));
    world
}

#[tokio::test(start_paused = true)]
async fn a_table_that_shall_run_again_while_the_workflow_ends_does_so_and_loses_nothing_to_the_end()
{
    // Operators ask while the end's own effects are under way, and while it is being written.
    for call in ["finish", "complete_workflow"] {
        let slow = Duration::from_secs(20);
        // What runs again is at work still when the end would have its effect.
        let world = about_to_end(WorldSettings {
            task: 2 * slow,
            ..WorldSettings::default()
        });
        if call == "finish" {
            *world.loader.end.lock().unwrap() = slow;
        } else {
            world.store.faults.slow_down(call, slow);
        }
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        world
            .until("all tables have ended", |w| {
                phases(w).iter().all(|phase| phase.is_terminal())
            })
            .await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.runner.behaviours.lock().unwrap().clear();
        world
            .store
            .ask_table(world.workflow, 1, Some(Request::Retry));
        world
            .until("the table is loaded", |w| {
                phases(w)[1] == TablePhase::Completed
            })
            .await;
        assert_eq!(
            world.store.workflow_phase(world.workflow),
            WorkflowPhase::Executing,
            "{call}"
        );
        world.until_complete().await;
        world.assert_all_loaded_once();
        assert_eq!(*world.loader.ends_of_open_workflows.lock().unwrap(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_workflow_that_is_cancelled_before_its_retry_is_noticed_ends() {
    let world = about_to_end(WorldSettings::default());
    let one = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    one.kill();
    world
        .store
        .ask_table(world.workflow, 1, Some(Request::Retry));
    world.store.ask(world.workflow, Some(Request::Cancel));
    // As a version that did not withdraw them would have left it.
    for retry_is_left in [false, true] {
        if retry_is_left {
            world.store.leave_request(world.workflow, 1, Request::Retry);
        }
        let orchestrator = world.orchestrator("two").await;
        world
            .until("the workflow has ended", |w| {
                w.store.workflow_phase(w.workflow).is_terminal()
            })
            .await;
        tokio::time::sleep(NOTICED).await;
        assert!(world.store.workflow_phase(world.workflow).is_terminal());
        assert_eq!(phases(&world)[1], TablePhase::Failed);
        orchestrator.kill();
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_with_cancelled_partitions_is_never_complete_and_a_retry_loads_them() {
    let world = World::new(WorldSettings::default());
    let one = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    until_loaded(&world, 3).await;
    one.kill();
    world.store.leave_cancelled(world.workflow, 0, 30..33);
    let _two = world.orchestrator("two").await;
    world.until_complete().await;
    let (phase, error) = world.store.table_phases(world.workflow)[0].clone();
    assert_eq!(phase, TablePhase::Failed);
    assert!(error.unwrap().contains("workflow retry"));
    world
        .store
        .ask_table(world.workflow, 0, Some(Request::Retry));
    world.until_complete().await;
    world.assert_all_loaded_once();
}
