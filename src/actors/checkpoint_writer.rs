//! CheckpointWriter: group commit of state changes.
//!
//! Changes that arrive while a statement is under way, or within `LINGER`, go out together. One batch of each workflow is
//! under way at a time: with Snowflake's latency that alone groups what many partitions do at once. Workflows do not wait
//! for each other: a batch may meet rows that a load holds for long.

use super::{Reply, effects};
use crate::checkpoint::{
    Applied, CheckpointError, OrchestratorCheckpoint, OwnedWorkflow, StateChange,
};
use crate::domain::WorkflowId;
use crate::domain::retry::RetryPolicy;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// How long a change waits for company.
const LINGER: Duration = Duration::from_millis(30);
/// Changes in one batch at most; more wait for the next.
const MAX_BATCH: usize = 1_000;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The checkpoint holds it.
    Applied,
    /// The state was another: reload.
    Stale,
    /// The workflow has another owner.
    Fenced,
}

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
    /// Workflows with open changes.
    lanes: HashMap<WorkflowId, Lane>,
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

/// The changes of one workflow.
#[derive(Default)]
struct Lane {
    waiting: Vec<Numbered>,
    flush_due: bool,
    in_flight: bool,
    /// Batches in a row that could not be written.
    failures: u32,
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
            lanes: HashMap::new(),
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
                let lane = state.lanes.entry(id).or_default();
                lane.waiting.push(Numbered { no, change });
                lane.arm(&myself, id, LINGER);
            }
            CheckpointWriterMsg::Barrier(workflow, reply) => {
                state.barriers.push(Barrier {
                    no: state.next_no,
                    workflow,
                    reply,
                });
                state.open_barriers();
            }
            CheckpointWriterMsg::Flush(id) => state.flush(&myself, id),
            CheckpointWriterMsg::Flushed(id, again) => state.flushed(&myself, id, again),
        }
        Ok(())
    }
}

impl Lane {
    fn arm(&mut self, myself: &ActorRef<CheckpointWriterMsg>, id: WorkflowId, after: Duration) {
        if !self.flush_due && !self.in_flight {
            self.flush_due = true;
            myself.send_after(after, move || CheckpointWriterMsg::Flush(id));
        }
    }

    /// Whether a change that came before this number may be open.
    fn is_behind(&self, no: u64) -> bool {
        self.in_flight || self.waiting.iter().any(|change| change.no < no)
    }
}

impl CheckpointWriterState {
    fn open_barriers(&mut self) {
        for barrier in std::mem::take(&mut self.barriers) {
            let mut lanes = self.lanes.iter();
            let waits = match barrier.workflow {
                Some(id) => (self.lanes.get(&id)).is_some_and(|lane| lane.is_behind(barrier.no)),
                None => lanes.any(|(_, lane)| lane.is_behind(barrier.no)),
            };
            if waits {
                self.barriers.push(barrier);
            } else {
                (barrier.reply)(());
            }
        }
    }

    fn flush(&mut self, myself: &ActorRef<CheckpointWriterMsg>, id: WorkflowId) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        lane.flush_due = false;
        if lane.in_flight || lane.waiting.is_empty() {
            return;
        }
        let rest = lane.waiting.split_off(lane.waiting.len().min(MAX_BATCH));
        let batch = std::mem::replace(&mut lane.waiting, rest);
        lane.in_flight = true;
        let checkpoint = self.checkpoint.clone();
        effects::run(myself, async move {
            CheckpointWriterMsg::Flushed(id, write_batch(checkpoint.as_ref(), batch).await)
        });
    }

    fn flushed(
        &mut self,
        myself: &ActorRef<CheckpointWriterMsg>,
        id: WorkflowId,
        mut again: Vec<Numbered>,
    ) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.in_flight = false;
            let pause = if again.is_empty() {
                lane.failures = 0;
                LINGER
            } else {
                lane.failures = lane.failures.saturating_add(1);
                RetryPolicy::UNTIL_ANSWERED.pause(lane.failures, rand::random())
            };
            again.append(&mut lane.waiting);
            lane.waiting = again;
            if lane.waiting.is_empty() {
                self.lanes.remove(&id);
            } else {
                lane.arm(myself, id, pause);
            }
        }
        self.open_barriers();
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
                again.extend(write_singly(checkpoint, &owned, changes).await);
            }
        }
    }
    again
}

/// Writes changes one by one, so that one which is refused does not hold up the others. Who asked for the refused one
/// is told to reload, and gives up in the end.
async fn write_singly(
    checkpoint: &dyn OrchestratorCheckpoint,
    owned: &OwnedWorkflow,
    changes: Vec<Numbered>,
) -> Vec<Numbered> {
    let mut again = Vec::new();
    for change in changes {
        match checkpoint
            .apply(owned, std::slice::from_ref(&change.change.change))
            .await
        {
            Ok(outcomes) if outcomes.first() == Some(&Applied::Yes) => {
                (change.change.reply)(Written::Applied)
            }
            Ok(_) => (change.change.reply)(Written::Stale),
            Err(CheckpointError::Fenced(_)) => (change.change.reply)(Written::Fenced),
            Err(error) if error.is_retryable() => again.push(change),
            Err(error) => {
                tracing::error!(workflow = %owned.name, %error, "a state change was refused");
                (change.change.reply)(Written::Stale);
            }
        }
    }
    again
}
