//! CheckpointWriter: group commit of state changes.
//!
//! Changes that arrive while a statement is under way, or within `LINGER`, go out together. One batch of each workflow is
//! under way at a time: with Snowflake's latency that alone groups what many partitions do at once. Workflows do not wait
//! for each other: a batch may meet rows that a load holds for long.

use super::Reply;
use super::effects::{self, flush_after, singly};
use crate::checkpoint::{
    Applied, CheckpointError, OrchestratorCheckpoint, OwnedWorkflow, StateChange,
};
use crate::domain::WorkflowId;
use crate::domain::group_commit::GroupCommit;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a change waits for company.
const LINGER: Duration = Duration::from_millis(30);
/// Changes in one batch at most; more wait for the next.
const MAX_BATCH: usize = 1_000;

pub use crate::domain::phase::Written;

/// A change, whose it is, and who wants to know.
pub struct Change {
    /// The workflow with the epoch that fences the change.
    pub owned: Arc<OwnedWorkflow>,
    /// The change.
    pub change: StateChange,
    /// Called once the outcome is certain.
    pub reply: Reply<Written>,
}

/// A change with its place in the order of arrival.
pub struct Numbered {
    no: u64,
    change: Change,
}

/// Messages.
pub enum CheckpointWriterMsg {
    /// Write this.
    Write(Change),
    /// Answer once every change that came before this is settled. Who rebuilds something from the checkpoint asks
    /// this first: a change that its predecessor has sent may still be on its way. Of one workflow, or of all.
    Barrier(Option<WorkflowId>, Reply<()>),
    /// The linger of this workflow's changes is over.
    Flush(WorkflowId),
    /// A batch of this workflow has ended: what remains of it (to be tried again) is given back.
    Flushed(WorkflowId, Vec<Numbered>),
}

/// The actor.
pub struct CheckpointWriter;

/// Its state.
pub struct CheckpointWriterState {
    checkpoint: Arc<dyn OrchestratorCheckpoint>,
    /// By workflow.
    changes: GroupCommit<WorkflowId, Numbered>,
    /// The next change's number.
    next_no: u64,
    /// Answered when no change with a smaller number is open.
    barriers: Vec<Barrier>,
}

struct Barrier {
    no: u64,
    workflow: Option<WorkflowId>,
    reply: Reply<()>,
}

impl Actor for CheckpointWriter {
    type Msg = CheckpointWriterMsg;
    type State = CheckpointWriterState;
    type Arguments = Arc<dyn OrchestratorCheckpoint>;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        checkpoint: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(CheckpointWriterState {
            checkpoint,
            changes: GroupCommit::new(LINGER, MAX_BATCH),
            next_no: 0,
            barriers: Vec::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            CheckpointWriterMsg::Write(change) => {
                let (no, id) = (state.next_no, change.owned.id);
                state.next_no += 1;
                let due = state.changes.push(id, Numbered { no, change });
                flush_after(&myself, due, move || CheckpointWriterMsg::Flush(id));
            }
            CheckpointWriterMsg::Barrier(workflow, reply) => {
                state.barriers.push(Barrier {
                    no: state.next_no,
                    workflow,
                    reply,
                });
                state.open_barriers();
            }
            CheckpointWriterMsg::Flush(id) => {
                if let Some(batch) = state.changes.flush(id) {
                    let checkpoint = state.checkpoint.clone();
                    effects::run(&myself, async move {
                        CheckpointWriterMsg::Flushed(
                            id,
                            write_batch(checkpoint.as_ref(), batch).await,
                        )
                    });
                }
            }
            CheckpointWriterMsg::Flushed(id, again) => {
                let due = state.changes.flushed(id, again, rand::random());
                flush_after(&myself, due, move || CheckpointWriterMsg::Flush(id));
                state.open_barriers();
            }
        }
        Ok(())
    }
}

impl CheckpointWriterState {
    fn open_barriers(&mut self) {
        for barrier in std::mem::take(&mut self.barriers) {
            let came_before = |change: &Numbered| change.no < barrier.no;
            if self.changes.is_open(barrier.workflow, came_before) {
                self.barriers.push(barrier);
            } else {
                (barrier.reply)(());
            }
        }
    }
}

/// Returns once every change of this workflow, or of all, that was sent to `writer` before is settled.
///
/// # Errors
/// When the writer is gone: then whoever depends on it is being rebuilt as well.
pub(super) async fn settled_writes(
    writer: &ActorRef<CheckpointWriterMsg>,
    workflow: Option<WorkflowId>,
) -> Result<(), &'static str> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let reply: Reply<()> = Box::new(move |()| {
        let _ = tell.send(());
    });
    let gone = "the checkpoint writer is gone";
    writer
        .cast(CheckpointWriterMsg::Barrier(workflow, reply))
        .map_err(|_| gone)?;
    told.await.map_err(|_| gone)
}

/// Writes a batch of one workflow, epoch by epoch, answers the askers, and gives back the changes whose writing failed.
async fn write_batch(
    checkpoint: &dyn OrchestratorCheckpoint,
    batch: Vec<Numbered>,
) -> Vec<Numbered> {
    let mut by_epoch: BTreeMap<i64, Vec<Numbered>> = BTreeMap::new();
    for change in batch {
        let epoch = change.change.owned.epoch.0;
        by_epoch.entry(epoch).or_default().push(change);
    }
    let mut again = Vec::new();
    for changes in by_epoch.into_values() {
        let owned = changes[0].change.owned.clone();
        let list: Vec<StateChange> = changes.iter().map(|c| c.change.change.clone()).collect();
        match checkpoint.apply(&owned, &list).await {
            Ok(outcomes) => {
                for (change, applied) in changes.into_iter().zip(outcomes) {
                    let written = if applied == Applied::Yes {
                        Written::Applied
                    } else {
                        Written::Stale
                    };
                    (change.change.reply)(written);
                }
            }
            Err(CheckpointError::Fenced(_)) => changes
                .into_iter()
                .for_each(|c| (c.change.reply)(Written::Fenced)),
            Err(error) if error.is_retryable() => {
                tracing::warn!(workflow = %owned.name, %error, changes = changes.len(), "state changes could not be written; trying again");
                again.extend(changes);
            }
            Err(error) => {
                tracing::error!(workflow = %owned.name, %error, changes = changes.len(), "state changes were refused; writing them one by one");
                again.extend(singly(changes, |change| write_alone(checkpoint, change)).await);
            }
        }
    }
    again
}

/// Writes a change that was refused together with others, so that one which is refused does not hold up the others. Who asked
/// for the refused one is told to reload, and gives up in the end. Answers the change when it is to be tried again.
async fn write_alone(
    checkpoint: &dyn OrchestratorCheckpoint,
    change: Numbered,
) -> Option<Numbered> {
    let Change {
        owned,
        change: what,
        ..
    } = &change.change;
    let written = match checkpoint.apply(owned, std::slice::from_ref(what)).await {
        Ok(outcomes) if outcomes.first() == Some(&Applied::Yes) => Written::Applied,
        Ok(_) => Written::Stale,
        Err(CheckpointError::Fenced(_)) => Written::Fenced,
        Err(error) if error.is_retryable() => return Some(change),
        Err(error) => {
            tracing::error!(workflow = %owned.name, %error, "a state change was refused");
            Written::Stale
        }
    };
    (change.change.reply)(written);
    None
}
