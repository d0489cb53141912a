//! Each kind of actor is killed in the middle of a migration; the result is the same.

use crate::actors::testing::{Kind, World, WorldSettings, kill};
use crate::domain::phase::PartitionPhase;
use ractor::ActorCell;
use std::time::Duration;

/// Moments at which an actor is killed: so many partitions loaded. Several, so that different states are met.
const MOMENTS: [usize; 4] = [0, 5, 20, 45];

async fn kill_each_time(kind: Kind, delay: Duration) {
    let world = World::new(WorldSettings::default());
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
    for delay in [0, 130, 310, 520, 740, 1_330, 2_050] {
        kill_each_time(kind, Duration::from_millis(delay)).await;
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
