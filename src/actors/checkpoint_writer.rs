//! CheckpointWriter: group commit of state changes.
//!
//! Changes that arrive while a statement is under way, or within `LINGER`, go out together. One batch is under way
//! at a time: with Snowflake's latency that alone groups what many partitions do at once.

use super::{Reply, effects};
use crate::checkpoint::{
    Applied, CheckpointError, OrchestratorCheckpoint, OwnedWorkflow, StateChange,
};
use crate::domain::WorkflowId;
use crate::domain::retry::RetryPolicy;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::BTreeMap;
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
    /// this first: a change that its predecessor has sent may still be on its way.
    Barrier(Reply<()>),
    /// The linger is over.
    Flush,
    /// A batch has ended: what remains of it (to be tried again) is given back.
    Flushed(Vec<Numbered>),
}

/// The actor.
pub struct CheckpointWriter;

/// Its state.
pub struct CheckpointWriterState {
    checkpoint: Arc<dyn OrchestratorCheckpoint>,
    waiting: Vec<Numbered>,
    /// The next change's number.
    next_no: u64,
    /// Answered when no change with a smaller number is open.
    barriers: Vec<(u64, Reply<()>)>,
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
            waiting: Vec::new(),
            next_no: 0,
            barriers: Vec::new(),
            flush_due: false,
            in_flight: false,
            failures: 0,
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
                state.waiting.push(Numbered {
                    no: state.next_no,
                    change,
                });
                state.next_no += 1;
                state.arm(&myself, LINGER);
            }
            CheckpointWriterMsg::Barrier(reply) => {
                state.barriers.push((state.next_no, reply));
                state.open_barriers();
            }
            CheckpointWriterMsg::Flush => {
                state.flush_due = false;
                state.flush(&myself);
            }
            CheckpointWriterMsg::Flushed(mut again) => {
                state.in_flight = false;
                let pause = if again.is_empty() {
                    state.failures = 0;
                    LINGER
                } else {
                    state.failures = state.failures.saturating_add(1);
                    RetryPolicy::UNTIL_ANSWERED.pause(state.failures, rand::random())
                };
                again.append(&mut state.waiting);
                state.waiting = again;
                state.open_barriers();
                if !state.waiting.is_empty() {
                    state.arm(&myself, pause);
                }
            }
        }
        Ok(())
    }
}

impl CheckpointWriterState {
    fn arm(&mut self, myself: &ActorRef<CheckpointWriterMsg>, after: Duration) {
        if !self.flush_due && !self.in_flight {
            self.flush_due = true;
            myself.send_after(after, || CheckpointWriterMsg::Flush);
        }
    }

    fn open_barriers(&mut self) {
        if self.in_flight || self.barriers.is_empty() {
            return;
        }
        let oldest = self.waiting.iter().map(|change| change.no).min();
        for (no, reply) in std::mem::take(&mut self.barriers) {
            if oldest.is_none_or(|oldest| no <= oldest) {
                reply(());
            } else {
                self.barriers.push((no, reply));
            }
        }
    }

    fn flush(&mut self, myself: &ActorRef<CheckpointWriterMsg>) {
        if self.in_flight || self.waiting.is_empty() {
            return;
        }
        let rest = self.waiting.split_off(self.waiting.len().min(MAX_BATCH));
        let batch = std::mem::replace(&mut self.waiting, rest);
        self.in_flight = true;
        let checkpoint = self.checkpoint.clone();
        effects::run(myself, async move {
            CheckpointWriterMsg::Flushed(write_batch(checkpoint.as_ref(), batch).await)
        });
    }
}

/// Returns once every change that was sent to `writer` before is settled.
///
/// # Errors
/// When the writer is gone: then whoever depends on it is being rebuilt as well.
pub(super) async fn settled_writes(
    writer: &ActorRef<CheckpointWriterMsg>,
) -> Result<(), &'static str> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let reply: Reply<()> = Box::new(move |()| {
        let _ = tell.send(());
    });
    let gone = "the checkpoint writer is gone";
    writer
        .cast(CheckpointWriterMsg::Barrier(reply))
        .map_err(|_| gone)?;
    told.await.map_err(|_| gone)
}

/// Writes a batch, workflow by workflow, answers the askers, and gives back the changes whose writing failed.
async fn write_batch(
    checkpoint: &dyn OrchestratorCheckpoint,
    batch: Vec<Numbered>,
) -> Vec<Numbered> {
    let mut by_workflow: BTreeMap<(WorkflowId, i64), Vec<Numbered>> = BTreeMap::new();
    for change in batch {
        by_workflow
            .entry((change.change.owned.id, change.change.owned.epoch.0))
            .or_default()
            .push(change);
    }
    let mut again = Vec::new();
    for changes in by_workflow.into_values() {
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
