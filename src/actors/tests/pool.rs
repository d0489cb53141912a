//! RemoteExtractorPool and CheckpointWriter alone: epochs, strangers and barriers.

use crate::actors::checkpoint_writer::{
    Change, CheckpointWriter, CheckpointWriterMsg, Written, settled_writes,
};
use crate::actors::remote_extractor_pool::{
    RemoteExtractorPool, RemoteExtractorPoolArguments, RemoteExtractorPoolMsg, Submission,
};
use crate::actors::testing::{Fault, World, WorldSettings};
use crate::checkpoint::{
    NewTask, OrchestratorCheckpoint, OwnedWorkflow, StateChange, WorkflowSearch,
};
use crate::domain::TableNo;
use crate::domain::idle::IdlePolicy;
use crate::domain::phase::TablePhase;
use crate::domain::task::TaskKind;
use ractor::{Actor, ActorRef};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

async fn owned(world: &World, owner: &str) -> Arc<OwnedWorkflow> {
    let lease = Duration::from_millis(1);
    let search = WorkflowSearch {
        owner,
        affinity: None,
        lease,
        limit: 1,
        driven: &[],
    };
    let taken = world.store.take_workflows(&search).await;
    let owned = taken.unwrap().remove(0);
    world.store.fence_tables(&owned).await.unwrap();
    Arc::new(owned)
}

async fn pool(world: &World) -> ActorRef<RemoteExtractorPoolMsg> {
    let arguments = RemoteExtractorPoolArguments {
        checkpoint: world.store.clone(),
        poll: IdlePolicy {
            base: Duration::from_secs(2),
            cap: Duration::from_secs(2),
        },
    };
    let spawned = Actor::spawn(None, RemoteExtractorPool, arguments).await;
    spawned.unwrap().0
}

fn submission(
    owned: &Arc<OwnedWorkflow>,
    heard: &mpsc::UnboundedSender<&'static str>,
    who: &'static str,
) -> Submission {
    let heard = heard.clone();
    Submission {
        owned: owned.clone(),
        task: NewTask {
            kind: TaskKind::Analyze,
            table_no: TableNo(0),
            partition: None,
            priority: 0,
        },
        ended: Box::new(move |_| {
            let _ = heard.send(who);
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn the_watcher_of_a_newer_epoch_is_neither_replaced_nor_forgotten_for_an_older_one() {
    let world = World::new(WorldSettings::default());
    let old = owned(&world, "one").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let new = owned(&world, "one").await;
    let pool = pool(&world).await;
    let (tell, mut heard) = mpsc::unbounded_channel();
    let messages = [
        RemoteExtractorPoolMsg::Submit(submission(&new, &tell, "new")),
        RemoteExtractorPoolMsg::Submit(submission(&old, &tell, "old")),
        RemoteExtractorPoolMsg::Forget(old.id, old.epoch),
    ];
    for message in messages {
        pool.cast(message).unwrap();
    }
    let _worker = world.worker("w1").await;
    let first = tokio::time::timeout(Duration::from_secs(600), heard.recv()).await;
    assert_eq!(first, Ok(Some("new")));
    pool.stop(None);
}

#[tokio::test(start_paused = true)]
async fn tasks_of_two_epochs_that_come_together_are_queued_under_the_one_that_holds() {
    let world = World::new(WorldSettings::default());
    let old = owned(&world, "one").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let new = owned(&world, "one").await;
    let pool = pool(&world).await;
    let (tell, mut heard) = mpsc::unbounded_channel();
    for (owned, who) in [(&old, "old"), (&new, "new")] {
        let submission = submission(owned, &tell, who);
        pool.cast(RemoteExtractorPoolMsg::Submit(submission))
            .unwrap();
    }
    let _worker = world.worker("w1").await;
    let first = tokio::time::timeout(Duration::from_secs(600), heard.recv()).await;
    assert_eq!(first, Ok(Some("new")));
    pool.stop(None);
}

#[tokio::test(start_paused = true)]
async fn a_barrier_opens_after_the_changes_before_it_even_when_they_are_tried_again() {
    let world = World::new(WorldSettings::default());
    let owned = owned(&world, "one").await;
    world.store.faults.plan("apply", 1, Fault::Reject);
    world.store.faults.plan("apply", 2, Fault::LoseReply);
    let spawned = Actor::spawn(None, CheckpointWriter, world.store.clone()).await;
    let writer = spawned.unwrap().0;
    let (tell, mut heard) = mpsc::unbounded_channel();
    let write = |no| {
        let tell = tell.clone();
        let change = Change {
            owned: owned.clone(),
            change: StateChange::TableEnded {
                table_no: TableNo(no),
                phase: TablePhase::Failed,
                error: None,
            },
            reply: Box::new(move |written| {
                let _ = tell.send((no, written));
            }),
        };
        writer.cast(CheckpointWriterMsg::Write(change)).unwrap();
    };
    write(0);
    let barrier = settled_writes(&writer, None);
    barrier.await.unwrap();
    assert_eq!(heard.try_recv(), Ok((0, Written::Applied)));
    // With nothing on its way it opens at once.
    settled_writes(&writer, None).await.unwrap();
    assert_eq!(world.store.table_phases(owned.id)[0].0, TablePhase::Failed);
    writer.stop(None);
}
