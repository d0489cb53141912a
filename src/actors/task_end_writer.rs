//! TaskEndWriter: the worker's group commit. Ends of tasks that come while a statement is under way go out together.

use super::{Reply, effects};
use crate::checkpoint::{Applied, CheckpointError, StoreFailure, WorkerCheckpoint};
use crate::domain::retry::RetryPolicy;
use crate::domain::task::{TaskEnd, TaskFailure, TaskOutcome};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;
use std::time::Duration;

/// How long an end waits for company. The slot is free at once; only the partition's load waits.
const LINGER: Duration = Duration::from_millis(250);

/// An end, and who wants to know when it is certain.
pub type Ending = (TaskEnd, Reply<Applied>);

/// Messages.
pub enum TaskEndWriterMsg {
    /// Write this.
    Write(TaskEnd, Reply<Applied>),
    /// The linger is over.
    Flush,
    /// A batch has ended; these are to be tried again.
    Flushed(Vec<Ending>),
}

/// The actor.
pub struct TaskEndWriter;

/// Its state.
pub struct TaskEndWriterState {
    checkpoint: Arc<dyn WorkerCheckpoint>,
    waiting: Vec<Ending>,
    flush_due: bool,
    in_flight: bool,
    /// Batches in a row that could not be written.
    failures: u32,
}

impl Actor for TaskEndWriter {
    type Msg = TaskEndWriterMsg;
    type State = TaskEndWriterState;
    type Arguments = Arc<dyn WorkerCheckpoint>;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        checkpoint: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(TaskEndWriterState {
            checkpoint,
            waiting: Vec::new(),
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
            TaskEndWriterMsg::Write(end, reply) => {
                state.waiting.push((end, reply));
                state.arm(&myself, LINGER);
            }
            TaskEndWriterMsg::Flush => {
                state.flush_due = false;
                state.flush(&myself);
            }
            TaskEndWriterMsg::Flushed(again) => {
                state.in_flight = false;
                let pause = if again.is_empty() {
                    state.failures = 0;
                    LINGER
                } else {
                    state.failures = state.failures.saturating_add(1);
                    RetryPolicy::UNTIL_ANSWERED.pause(state.failures, rand::random())
                };
                state.waiting.extend(again);
                state.arm(&myself, pause);
            }
        }
        Ok(())
    }
}

impl TaskEndWriterState {
    fn arm(&mut self, myself: &ActorRef<TaskEndWriterMsg>, after: Duration) {
        if !self.flush_due && !self.in_flight && !self.waiting.is_empty() {
            self.flush_due = true;
            myself.send_after(after, || TaskEndWriterMsg::Flush);
        }
    }

    fn flush(&mut self, myself: &ActorRef<TaskEndWriterMsg>) {
        let batch = std::mem::take(&mut self.waiting);
        if batch.is_empty() {
            return;
        }
        self.in_flight = true;
        let ends: Vec<TaskEnd> = batch.iter().map(|(end, _)| end.clone()).collect();
        let checkpoint = self.checkpoint.clone();
        effects::run(myself, async move {
            let again = match checkpoint.finish(&ends).await {
                Ok(applied) => {
                    batch
                        .into_iter()
                        .zip(applied)
                        .for_each(|((_, reply), applied)| reply(applied));
                    Vec::new()
                }
                Err(error) if !error.is_retryable() => {
                    tracing::error!(%error, tasks = batch.len(), "ends of tasks were refused; writing them one by one");
                    write_singly(checkpoint.as_ref(), batch).await
                }
                Err(error) => {
                    // Should Snowflake stay away for longer than the leases, the tasks go to others, and these ends
                    // will match no row.
                    tracing::warn!(%error, tasks = batch.len(), "ends of tasks could not be written; trying again");
                    batch
                }
            };
            TaskEndWriterMsg::Flushed(again)
        });
    }
}

/// Writes ends one by one, so that one which is refused does not hold up the others. A result that cannot be stored
/// is the task's failure.
async fn write_singly(checkpoint: &dyn WorkerCheckpoint, batch: Vec<Ending>) -> Vec<Ending> {
    let mut again = Vec::new();
    for (mut end, reply) in batch {
        let mut answer = checkpoint.finish(std::slice::from_ref(&end)).await;
        if let Err(error) = &answer
            && error.is_refusal()
            && matches!(end.outcome, TaskOutcome::Completed { .. })
        {
            tracing::error!(task_id = end.task_id, %error, "a task's result was refused; the task fails");
            end.outcome = TaskOutcome::Failed {
                failure: TaskFailure::last(format!(
                    "the result of the task cannot be stored: {error}"
                )),
                retry_after: None,
            };
            answer = checkpoint.finish(std::slice::from_ref(&end)).await;
        }
        match answer {
            Ok(applied) => reply(applied.first().copied().unwrap_or(Applied::No)),
            Err(error) if error.is_retryable() => again.push((end, reply)),
            // Not the end's doing, and the work is done: should nobody mend it before the lease runs out, it counts for nothing.
            Err(CheckpointError::Store(error)) if error.what == StoreFailure::Other => {
                tracing::error!(task_id = end.task_id, %error, "the end of a task could not be written; trying again");
                again.push((end, reply));
            }
            Err(error) => {
                // The lease runs out, and the task is claimed anew.
                tracing::error!(task_id = end.task_id, %error, "the end of a task was refused");
                reply(Applied::No);
            }
        }
    }
    again
}
