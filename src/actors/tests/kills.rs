//! Each kind of actor is killed in the middle of a migration; the result is the same.

use crate::actors::orchestrator_supervisor::OrchestratorSupervisorMsg;
use crate::actors::testing::{Kind, World, WorldSettings, kill};
use crate::actors::worker_supervisor::WorkerSupervisorMsg;
use crate::domain::phase::PartitionPhase;
use ractor::ActorCell;
use std::time::Duration;

/// Moments at which an actor is killed: so many partitions loaded. Several, so that different states are met.
const MOMENTS: [usize; 4] = [0, 5, 20, 45];

async fn kill_each_time(kind: Kind, delay: Duration, slow: Option<&'static str>) {
    let world = World::new(WorldSettings::default());
    if let Some(method) = slow {
        world.store.faults.slow_down(method, Duration::from_secs(3));
    }
    let orchestrator: ActorCell = world.orchestrator("one").await.into();
    let worker: ActorCell = world.worker("w1").await.into();
    let root = if Kind::ORCHESTRATOR.contains(&kind) {
        &orchestrator
    } else {
        &worker
    };
    for moment in MOMENTS {
        world
            .until("so many partitions are loaded", |w| {
                w.loaded(PartitionPhase::Loaded) >= moment
            })
            .await;
        tokio::time::sleep(delay).await;
        world
            .until("there is somebody to kill", |_| kill(root, kind))
            .await;
    }
    world.until_complete().await;
    world.assert_all_loaded_once();
}

async fn kill_at_many_moments(kind: Kind) {
    // With slow writes, what was sent before the kill is still on its way when the successor reads.
    for slow in [None, Some("apply"), Some("write_plan")] {
        for delay in [0, 130, 520, 1_330, 2_050, 3_700, 4_900, 6_100] {
            kill_each_time(kind, Duration::from_millis(delay), slow).await;
        }
    }
}

macro_rules! killed {
    ($($name:ident: $kind:ident),+ $(,)?) => { $(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            kill_at_many_moments(Kind::$kind).await;
        }
    )+ };
}

killed! {
    a_killed_dispatcher_changes_nothing: WorkflowDispatcher,
    a_killed_workflow_changes_nothing: Workflow,
    a_killed_table_planner_changes_nothing: TablePlanner,
    a_killed_partition_changes_nothing: Partition,
    a_killed_load_actor_changes_nothing: CopyInto,
    a_killed_remote_pool_changes_nothing: RemoteExtractorPool,
    a_killed_checkpoint_writer_changes_nothing: CheckpointWriter,
    a_killed_lease_reaper_changes_nothing: LeaseReaper,
    a_killed_task_puller_changes_nothing: TaskPuller,
    a_killed_lease_keeper_changes_nothing: LeaseKeeper,
    a_killed_task_end_writer_changes_nothing: TaskEndWriter,
    a_killed_extractor_pool_changes_nothing: ExtractorPool,
    a_killed_extractor_changes_nothing: Extractor,
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_written_over_the_head_of_a_successor_does_not_take_its_analysis_away() {
    for kind in [Kind::TablePlanner, Kind::Workflow] {
        let world = World::new(WorldSettings {
            tables: vec![("a", 3)],
            ..WorldSettings::default()
        });
        world
            .store
            .faults
            .slow_down("write_plan", Duration::from_secs(3));
        let orchestrator: ActorCell = world.orchestrator("one").await.into();
        let _worker = world.worker("w1").await;
        world
            .until("the plan is being written", |w| {
                w.store.faults.calls("write_plan") == 1
            })
            .await;
        tokio::time::sleep(Duration::from_millis(2_750)).await;
        assert!(kill(&orchestrator, kind));
        world.until_complete().await;
        world.assert_all_loaded_once();
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_killed_while_a_worker_drains_the_worker_leaves_and_another_finishes() {
    for kind in Kind::WORKER {
        let world = World::new(WorldSettings::default());
        let _orchestrator = world.orchestrator("one").await;
        let worker = world.worker("w1").await;
        world
            .until("some partitions are loaded", |w| {
                w.loaded(PartitionPhase::Loaded) >= 5
            })
            .await;
        worker
            .cast(WorkerSupervisorMsg::Drain(Duration::from_secs(10)))
            .unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        kill(&worker.get_cell(), kind);
        worker.wait(Some(Duration::from_secs(30))).await.unwrap();
        assert!(world.store.workers().is_empty(), "{kind:?}");
        let _second = world.worker("w2").await;
        world.until_complete().await;
        world.assert_all_loaded_once();
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_killed_while_an_orchestrator_drains_another_finishes() {
    for kind in Kind::ORCHESTRATOR {
        let world = World::new(WorldSettings::default());
        let one = world.orchestrator("one").await;
        let _worker = world.worker("w1").await;
        world
            .until("some partitions are loaded", |w| {
                w.loaded(PartitionPhase::Loaded) >= 5
            })
            .await;
        one.cast(OrchestratorSupervisorMsg::Drain).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        kill(&one.get_cell(), kind);
        one.wait(Some(Duration::from_secs(30))).await.unwrap();
        let _two = world.orchestrator("two").await;
        world.until_complete().await;
        world.assert_all_loaded_once();
    }
}

#[tokio::test(start_paused = true)]
async fn partitions_killed_again_and_again_are_loaded_once() {
    let world = World::new(WorldSettings::default());
    let orchestrator: ActorCell = world.orchestrator("one").await.into();
    let _worker = world.worker("w1").await;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(390)).await;
        for victim in Kind::Partition.below(&orchestrator).into_iter().step_by(3) {
            victim.kill();
        }
    }
    world.until_complete().await;
    world.assert_all_loaded_once();
}
