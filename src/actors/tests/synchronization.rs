//! Tables that are moved again and again.

use crate::actors::testing::{Fault, World, WorldSettings};
use crate::domain::phase::{PartitionPhase, TablePhase};
use crate::domain::request::Request;
use crate::domain::spec::Synchronization;
use crate::domain::table::Content;
use crate::domain::task::TaskFailure;
use std::time::Duration;

fn checksum() -> Synchronization {
    Synchronization::Checksum { expression: None }
}

#[tokio::test(start_paused = true)]
async fn partitions_that_have_not_changed_are_neither_extracted_nor_loaded() {
    let world = World::new(WorldSettings::default());
    let unchanged: Vec<usize> = (0..40).filter(|no| no % 3 != 0).collect();
    let planned = unchanged.iter().map(|no| ("a".to_owned(), *no));
    let planned = planned.chain((0..25).map(|no| ("b".to_owned(), no)));
    world.planner.unchanged.lock().unwrap().extend(planned);
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    world.assert_loaded_once(0, (0..40).filter(|no| no % 3 == 0));
    world.assert_loaded_once(1, 0..0);
    let count = world
        .store
        .num_partitions(world.workflow, PartitionPhase::Unchanged);
    assert_eq!(count, unchanged.len() + 25);
    let phases = world.store.table_phases(world.workflow);
    assert!(
        phases
            .iter()
            .all(|(phase, _)| *phase == TablePhase::Completed)
    );
}

#[tokio::test(start_paused = true)]
async fn keys_are_read_when_no_row_is_on_its_way_any_more() {
    let world = World::new(WorldSettings::default());
    world
        .planner
        .with_keys
        .lock()
        .unwrap()
        .insert("a".to_owned());
    let orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    // Whoever takes over keeps to it.
    orchestrator.kill();
    let _other = world.orchestrator("two").await;
    world.until_complete().await;
    world.assert_loaded_once(0, 0..41);
    let started = world.runner.started.lock().unwrap();
    let of_table = |task: &&crate::domain::task::ClaimedTask| {
        task.table_no.0 == 0 && task.partition_no.is_some()
    };
    let keys = started.iter().filter(of_table).position(|task| {
        task.slice
            .as_ref()
            .is_some_and(|slice| slice.content == Content::Keys)
    });
    let rows_after = started
        .iter()
        .filter(of_table)
        .skip(keys.expect("keys were read") + 1);
    assert_eq!(
        rows_after
            .filter(|task| task.partition_no.is_some_and(|no| no.0 != 40))
            .count(),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_table_whose_state_another_workflow_holds_fails_and_names_it() {
    let world = World::new(WorldSettings::default());
    world
        .store
        .respecify(world.workflow, 1, |spec| spec.synchronization = checksum());
    world.hold_state(1, "the_other");
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    let phases = world.store.table_phases(world.workflow);
    assert_eq!(phases[1].0, TablePhase::Failed);
    assert!(
        phases[1]
            .1
            .as_deref()
            .unwrap_or_default()
            .contains("the_other"),
        "{phases:?}"
    );
    world.assert_loaded_once(0, 0..40);
    world.assert_loaded_once(1, 0..0);
}

#[tokio::test(start_paused = true)]
async fn the_state_is_claimed_again_after_lost_replies_and_outages() {
    let world = World::new(WorldSettings::default());
    world
        .store
        .respecify(world.workflow, 0, |spec| spec.synchronization = checksum());
    for (nth, fault) in [Fault::Reject, Fault::LoseReply, Fault::Reject]
        .into_iter()
        .enumerate()
    {
        world
            .store
            .faults
            .plan("claim_synchronization", nth + 1, fault);
    }
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    world.assert_all_loaded_once();
}

fn watermark() -> Synchronization {
    Synchronization::Watermark {
        column: "at".to_owned(),
        track_modifications: false,
        track_deletions: false,
    }
}

/// How often a table was analyzed.
fn num_analyses(world: &World, table: u32) -> usize {
    let started = world.runner.started.lock().unwrap();
    let of_table = |task: &&crate::domain::task::ClaimedTask| {
        task.table_no.0 == table && task.partition_no.is_none()
    };
    started.iter().filter(of_table).count()
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_analyzed_again_goes_on_from_where_other_runs_are_by_then() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 3)],
        ..WorldSettings::default()
    });
    world
        .store
        .respecify(world.workflow, 0, |spec| spec.synchronization = watermark());
    world.leave_behind(0, "1");
    let refusal = TaskFailure::permanent("the target is not there");
    world.planner.failures.lock().unwrap().push_back(refusal);
    let _orchestrator = world.orchestrator("one").await;
    // One worker: it has analyzed the table before.
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    let phases = world.store.table_phases(world.workflow);
    assert_eq!(phases[0].0, TablePhase::Failed);
    world.leave_behind(0, "2");
    world
        .store
        .ask_table(world.workflow, 0, Some(Request::Retry));
    world.until_complete().await;
    assert_eq!(
        world.store.watermarks(world.workflow, 0),
        vec![Some("2".to_owned()); 3]
    );
    assert_eq!(num_analyses(&world, 0), 2);
}

#[tokio::test(start_paused = true)]
async fn an_analysis_of_a_state_that_other_runs_have_moved_on_is_made_again_before_it_is_planned() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 3)],
        ..WorldSettings::default()
    });
    world
        .store
        .respecify(world.workflow, 0, |spec| spec.synchronization = watermark());
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world
        .until("the analysis runs", |w| num_analyses(w, 0) == 1)
        .await;
    world.leave_behind(0, "2");
    world.until_complete().await;
    assert_eq!(
        world.store.watermarks(world.workflow, 0),
        vec![Some("2".to_owned()); 3]
    );
    assert_eq!(num_analyses(&world, 0), 2);
    world.assert_loaded_once(0, 0..3);
}
