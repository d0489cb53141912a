//! Leases that are not renewed: whoever holds one lets go before the server gives it to others, whatever hangs.

use crate::actors::lease_keeper::{LeaseKeeper, LeaseKeeperArguments, LeaseKeeperMsg};
use crate::actors::testing::{Fault, World, WorldSettings};
use crate::checkpoint::WorkerInfo;
use crate::domain::ClaimToken;
use crate::domain::phase::PartitionPhase;
use crate::domain::progress::TaskProgress;
use ractor::{Actor, ActorRef};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const LEASE: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_secs(10);

async fn keeper(world: &World) -> ActorRef<LeaseKeeperMsg> {
    let arguments = LeaseKeeperArguments {
        checkpoint: world.store.clone(),
        lease: LEASE,
        interval: INTERVAL,
        worker: WorkerInfo {
            worker: "w1".to_owned(),
            affinity: None,
            version: String::new(),
            running: 0,
            capacity: 1,
            rows_per_second: 0.0,
        },
    };
    let spawned = Actor::spawn(None, LeaseKeeper, arguments).await;
    spawned.unwrap().0
}

fn hold(keeper: &ActorRef<LeaseKeeperMsg>, task: &str, asked_at: Instant) -> Arc<TaskProgress> {
    let progress = Arc::new(TaskProgress::default());
    let claim = (task.to_owned(), ClaimToken::generate());
    let span = tracing::Span::none();
    let message = LeaseKeeperMsg::Hold(claim, asked_at, progress.clone(), span);
    keeper.cast(message).unwrap();
    progress
}

/// When it is cancelled, counted from `since`; panics after two leases.
async fn cancelled_after(progress: &TaskProgress, since: Instant) -> Duration {
    while !progress.is_cancelled() {
        assert!(since.elapsed() < LEASE * 2, "not cancelled");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    since.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_task_is_cancelled_before_its_lease_ends_though_no_renewal_is_ever_answered() {
    let world = World::new(WorldSettings::default());
    let hangs = Duration::from_secs(300);
    world.store.faults.slow_down("renew", hangs);
    let keeper = keeper(&world).await;
    // Counted from when the claim was sent: the second one's answer took a while.
    let first = Instant::now();
    let one = hold(&keeper, "one", first);
    tokio::time::sleep(Duration::from_secs(7)).await;
    let (late, heard) = (hold(&keeper, "late", first), Instant::now());
    let two = hold(&keeper, "two", heard);
    for (progress, since) in [(one, first), (late, first), (two, heard)] {
        let after = cancelled_after(&progress, since).await;
        assert!(after < LEASE, "{after:?}");
        assert!(after > LEASE / 2, "{after:?}");
    }
    keeper.stop(None);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_is_tried_again_and_costs_no_task() {
    let world = World::new(WorldSettings {
        task: Duration::from_secs(200),
        tables: vec![("a", 3)],
        ..WorldSettings::default()
    });
    for nth in [1, 4, 9, 16] {
        world.store.faults.plan("renew", nth, Fault::Hang);
        world.store.faults.plan("renew_workflows", nth, Fault::Hang);
    }
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    world.assert_all_loaded_once();
    assert_eq!(world.store.num_failures(), 0);
    assert_eq!(*world.runner.cancelled.lock().unwrap(), 0);
    assert_eq!(world.store.owner(world.workflow).1, 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_hangs_for_longer_than_the_lease_loses_nothing_of_what_was_done() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 3)],
        ..WorldSettings::default()
    });
    world
        .store
        .faults
        .slow_down("finish", Duration::from_secs(100));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world.until_complete().await;
    world.assert_all_loaded_once();
    assert_eq!(world.store.num_failures(), 0);
    assert_eq!(world.runner.started.lock().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn permits_that_loads_could_not_return_are_returned_also_after_the_reaper_was_killed() {
    let world = World::new(WorldSettings::default());
    world.store.leave_permits(4);
    let orchestrator = world.orchestrator("one").await;
    let returned_by = |w: &World| w.store.num_unreturned_permits() <= 2;
    world.until("some are returned", returned_by).await;
    for child in orchestrator.get_cell().get_children() {
        child.kill();
    }
    let all = |w: &World| w.store.num_unreturned_permits() == 0;
    world.until("all are returned", all).await;
}

#[tokio::test(start_paused = true)]
async fn a_workflow_is_let_go_before_its_lease_ends_though_no_renewal_is_ever_answered() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 500)],
        ..WorldSettings::default()
    });
    world
        .store
        .faults
        .slow_down("renew_workflows", Duration::from_secs(300));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world
        .until("something is loaded", |w| {
            w.loaded(PartitionPhase::Loaded) > 0
        })
        .await;
    // Nobody can take it under another epoch before it was let go: what is staged stays, nothing new is.
    let (_, epoch) = world.store.owner(world.workflow);
    let taken = Instant::now();
    let mut last = world.loaded(PartitionPhase::Loaded);
    let mut moved = taken;
    while world.store.owner(world.workflow).1 == epoch {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let loaded = world.loaded(PartitionPhase::Loaded);
        if loaded != last {
            (last, moved) = (loaded, Instant::now());
        }
        assert!(
            taken.elapsed() < Duration::from_secs(120),
            "not taken again"
        );
    }
    // At the end of a lease of a minute, the margin of six seconds and a load's one before.
    let quiet = moved.elapsed();
    assert!(quiet > Duration::from_secs(2), "{quiet:?}");
}
