//! How migrations end.

use crate::actors::orchestrator_supervisor::OrchestratorSupervisorMsg;
use crate::actors::testing::{Behaviour, CAPACITY, World, WorldSettings};
use crate::actors::worker_supervisor::WorkerSupervisorMsg;
use crate::domain::phase::{PartitionPhase, TablePhase};
use crate::domain::task::TaskFailure;
use crate::domain::{PartitionNo, TableNo};
use ractor::ActorStatus;
use std::time::Duration;
use tokio::time::Instant;

fn behave(world: &World, table: &str, partition: Option<u32>, behaviour: Behaviour) {
    let mut behaviours = world.runner.behaviours.lock().unwrap();
    behaviours.insert((table.to_owned(), partition), behaviour);
}

#[tokio::test(start_paused = true)]
async fn a_workflow_of_several_tables_is_loaded_exactly_once() {
    let world = World::new(WorldSettings::default());
    let _orchestrator = world.orchestrator("one").await;
    let (_w1, _w2) = (world.worker("w1").await, world.worker("w2").await);
    world.until_complete().await;
    world.assert_all_loaded_once();
    world
        .until("its files are removed", |w| {
            w.loader.removed.lock().unwrap().as_slice() == [w.workflow.0]
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_panics_is_tried_again() {
    let world = World::new(WorldSettings::default());
    behave(&world, "a", None, Behaviour::Panics(2));
    behave(&world, "a", Some(3), Behaviour::Panics(1));
    behave(&world, "c", Some(0), Behaviour::Panics(3));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_always_fails_fails_alone_after_its_attempts() {
    for (retryable, attempts) in [(true, 5), (false, 1)] {
        let world = World::new(WorldSettings::default());
        behave(&world, "b", Some(7), Behaviour::Fails(retryable));
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        world.until_complete().await;
        let phases = world.store.table_phases(world.workflow);
        let phases: Vec<TablePhase> = phases.into_iter().map(|(phase, _)| phase).collect();
        assert_eq!(
            phases,
            [
                TablePhase::Completed,
                TablePhase::Failed,
                TablePhase::Completed
            ]
        );
        world.assert_loaded_once(0, 0..40);
        world.assert_loaded_once(1, (0..25).filter(|no| *no != 7));
        let errors = world.store.partition_errors(world.workflow, 1);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].1.contains("fails, as the test planned"));
        let started = world.runner.started.lock().unwrap();
        let tries = started.iter().filter(|task| {
            (task.table_no, task.partition_no) == (TableNo(1), Some(PartitionNo(7)))
        });
        assert_eq!(tries.count(), attempts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_away_for_minutes_costs_no_partition() {
    let world = World::new(WorldSettings::default());
    behave(&world, "b", Some(7), Behaviour::Away(12));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_away_for_hours_fails_the_partition_with_the_reason() {
    let world = World::new(WorldSettings::default());
    behave(&world, "b", Some(7), Behaviour::Away(u32::MAX));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    let errors = world.store.partition_errors(world.workflow, 1);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].1.contains("the source is away"));
    world.assert_loaded_once(0, 0..40);
}

#[tokio::test(start_paused = true)]
async fn a_table_whose_analysis_fails_does_not_hold_up_the_others() {
    let world = World::new(WorldSettings::default());
    behave(&world, "b", None, Behaviour::Fails(false));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    let phases = world.store.table_phases(world.workflow);
    assert_eq!(phases[0].0, TablePhase::Completed);
    assert_eq!(phases[1].0, TablePhase::Failed);
    assert!(
        phases[1]
            .1
            .as_ref()
            .is_some_and(|error| error.contains("fails, as the test planned"))
    );
    world.assert_loaded_once(0, 0..40);
    world.assert_loaded_once(2, 0..1);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_planned_fails_with_the_planners_words() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 3)],
        ..WorldSettings::default()
    });
    let failure = TaskFailure::permanent("no such column");
    world.planner.failures.lock().unwrap().push_back(failure);
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    assert_eq!(
        world.store.table_phases(world.workflow),
        [(TablePhase::Failed, Some("no such column".to_owned()))]
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_fails_for_a_passing_reason_is_made_again() {
    let world = World::new(WorldSettings::default());
    let failure = TaskFailure::transient("connection reset");
    let failures = std::iter::repeat_n(failure, 12);
    world.planner.failures.lock().unwrap().extend(failures);
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn a_partition_without_rows_is_loaded() {
    let world = World::new(WorldSettings::default());
    behave(&world, "c", Some(0), Behaviour::Empty);
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    let target = world.store.target(world.workflow, 2);
    assert_eq!(target.len(), 1);
    assert_eq!((target[0].0, target[0].2), (PartitionNo(0), 0));
    assert_eq!(
        world.store.table_phases(world.workflow)[2].0,
        TablePhase::Completed
    );
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_cannot_be_loaded_fails_alone_whether_or_not_the_load_can_name_it() {
    for known in [true, false] {
        let world = World::new(WorldSettings::default());
        let poisoned = [((TableNo(0), PartitionNo(11)), known)];
        world.loader.poison.lock().unwrap().extend(poisoned);
        let _orchestrator = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        world.until_complete().await;
        assert_eq!(
            world.store.table_phases(world.workflow)[0].0,
            TablePhase::Failed
        );
        world.assert_loaded_once(0, (0..40).filter(|no| *no != 11));
        world.assert_loaded_once(1, 0..25);
        let errors = world.store.partition_errors(world.workflow, 0);
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].0, 11);
    }
}

#[tokio::test(start_paused = true)]
async fn an_orchestrator_that_lost_its_lease_stops_and_a_second_one_finishes() {
    let world = World::new(WorldSettings::default());
    let one = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world
        .until("some partitions are loaded", |w| {
            w.loaded(PartitionPhase::Loaded) >= 10
        })
        .await;
    // Somebody takes it and vanishes: neither the first nor the second may drive until that lease is over.
    let until = Instant::now() + Duration::from_secs(45);
    world.store.steal(world.workflow, "thief", until);
    tokio::time::sleep(Duration::from_secs(40)).await;
    let loaded = world.loaded(PartitionPhase::Loaded);
    let staged = world.loaded(PartitionPhase::Staged);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(world.loaded(PartitionPhase::Loaded), loaded);
    assert_eq!(world.loaded(PartitionPhase::Staged), staged);
    one.cast(OrchestratorSupervisorMsg::Drain).unwrap();
    let _two = world.orchestrator("two").await;
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_at_once_from_an_orchestrator_that_is_drained() {
    for at in [0, 3, 11, 29] {
        let world = World::new(WorldSettings::default());
        let one = world.orchestrator("one").await;
        let _two = world.orchestrator("two").await;
        let _worker = world.worker("w1").await;
        world
            .until("some partitions are loaded", |w| {
                w.loaded(PartitionPhase::Loaded) >= at
            })
            .await;
        let owner = world.store.owner(world.workflow).0;
        if owner.as_deref() == Some("one") {
            one.cast(OrchestratorSupervisorMsg::Drain).unwrap();
            let drained = Instant::now();
            world
                .until("the second owns it", |w| {
                    w.store.owner(w.workflow).0.as_deref() == Some("two")
                })
                .await;
            assert!(drained.elapsed() < Duration::from_secs(20));
        }
        world.until_complete().await;
        world.assert_all_loaded_once();
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_under_way_when_an_orchestrator_stops_takes_nothing_with_it() {
    // The first look finds the workflow free; a later one what has been given back while it was on its way.
    for looks in [1, 5] {
        let world = World::new(WorldSettings::default());
        let faults = &world.store.faults;
        // Longer than the world's loads take to stop.
        faults.slow_down("take_workflows", Duration::from_millis(4_500));
        let one = world.orchestrator("one").await;
        world
            .until("the look is under way", |w| {
                w.store.faults.calls("take_workflows") == looks
            })
            .await;
        assert_eq!(world.store.owner(world.workflow).0.is_some(), looks > 1);
        one.cast(OrchestratorSupervisorMsg::Drain).unwrap();
        world
            .until("the orchestrator has stopped", |_| {
                one.get_status() == ActorStatus::Stopped
            })
            .await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(world.store.owner(world.workflow).0, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drained_worker_hands_its_tasks_back_and_another_finishes() {
    for after in [1_000, 4_700, 5_030, 9_100] {
        let world = World::new(WorldSettings {
            task: Duration::from_secs(40),
            ..WorldSettings::default()
        });
        let _orchestrator = world.orchestrator("one").await;
        let first = world.worker("w1").await;
        world
            .until("tasks are claimed", |w| w.store.num_claimed() > 0)
            .await;
        tokio::time::sleep(Duration::from_millis(after)).await;
        first
            .cast(WorkerSupervisorMsg::Drain(Duration::from_secs(10)))
            .unwrap();
        first.wait(Some(Duration::from_secs(30))).await.unwrap();
        assert_eq!(world.store.num_claimed(), 0);
        assert!(world.store.workers().is_empty());
        let _second = world.worker("w2").await;
        world.until_complete().await;
        world.assert_all_loaded_once();
        assert_eq!(world.store.num_failures(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_a_claim_that_is_on_its_way_and_gives_back_what_it_brings() {
    let world = World::new(WorldSettings::default());
    let _orchestrator = world.orchestrator("one").await;
    world
        .until("tasks are queued", |w| w.store.num_queued() > 0)
        .await;
    world
        .store
        .faults
        .slow_down("claim", Duration::from_secs(2));
    let first = world.worker("w1").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    first
        .cast(WorkerSupervisorMsg::Drain(Duration::from_secs(10)))
        .unwrap();
    first.wait(Some(Duration::from_secs(30))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.store.num_claimed(), 0);
    assert!(world.runner.started.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_workflow_does_not_end_before_the_failure_of_its_last_table_is_written() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 3)],
        ..WorldSettings::default()
    });
    world.store.corrupt_table(world.workflow, 0);
    world
        .store
        .faults
        .slow_down("apply", Duration::from_secs(5));
    let _orchestrator = world.orchestrator("one").await;
    world.until_complete().await;
    let (phase, error) = world.store.table_phases(world.workflow)[0].clone();
    assert_eq!(phase, TablePhase::Failed);
    assert!(error.unwrap().contains("without its extraction"));
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_a_task_that_does_not_listen() {
    let world = World::new(WorldSettings::default());
    for partition in 0..40 {
        let deaf = Behaviour::Deaf(Duration::from_secs(120));
        behave(&world, "a", Some(partition), deaf);
    }
    let _orchestrator = world.orchestrator("one").await;
    let first = world.worker("w1").await;
    world
        .until("extractions run", |w| {
            w.runner.started.lock().unwrap().len() > 6
        })
        .await;
    first
        .cast(WorkerSupervisorMsg::Drain(Duration::from_secs(5)))
        .unwrap();
    first.wait(Some(Duration::from_secs(20))).await.unwrap();
    assert_eq!(world.store.num_claimed(), 0);
}

#[tokio::test(start_paused = true)]
async fn tasks_claimed_ahead_that_wait_behind_long_ones_go_to_another_worker() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 40)],
        task: Duration::from_millis(200),
        window: 40,
        ..WorldSettings::default()
    });
    for no in 15..40 {
        let long = Behaviour::Deaf(Duration::from_secs(3_600));
        behave(&world, "a", Some(no), long);
    }
    let _orchestrator = world.orchestrator("one").await;
    let _first = world.worker("w1").await;
    let long_ones = |w: &World| {
        let started = w.runner.started.lock().unwrap();
        started
            .iter()
            .filter(|t| t.partition_no >= Some(PartitionNo(15)))
            .count()
    };
    let slots = CAPACITY;
    world
        .until("one worker is full of long tasks", |w| {
            long_ones(w) == slots
        })
        .await;
    let _second = world.worker("w2").await;
    world
        .until("the other worker is full of them too", |w| {
            long_ones(w) == 2 * slots
        })
        .await;
    assert_eq!(world.store.num_failures(), 0);
}
