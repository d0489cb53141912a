//! TaskEndWriter: the worker's group commit. Ends of tasks that come while a statement is under way go out together.

use super::Reply;
use super::effects::{self, flush_after, singly};
use crate::checkpoint::{Applied, CheckpointError, StoreFailure, WorkerCheckpoint};
use crate::domain::group_commit::GroupCommit;
use crate::domain::problem::Code;
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
    /// In one lane.
    ends: GroupCommit<(), Ending>,
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
            ends: GroupCommit::new(LINGER, usize::MAX),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let due = match message {
            TaskEndWriterMsg::Write(end, reply) => state.ends.push((), (end, reply)),
            TaskEndWriterMsg::Flush => {
                if let Some(batch) = state.ends.flush(()) {
                    let checkpoint = state.checkpoint.clone();
                    effects::run(&myself, async move {
                        TaskEndWriterMsg::Flushed(write_batch(checkpoint.as_ref(), batch).await)
                    });
                }
                None
            }
            TaskEndWriterMsg::Flushed(again) => state.ends.flushed((), again, rand::random()),
        };
        flush_after(&myself, due, || TaskEndWriterMsg::Flush);
        Ok(())
    }
}

/// Writes ends together, answers the askers, and gives back those whose writing failed.
async fn write_batch(checkpoint: &dyn WorkerCheckpoint, batch: Vec<Ending>) -> Vec<Ending> {
    let ends: Vec<TaskEnd> = batch.iter().map(|(end, _)| end.clone()).collect();
    match checkpoint.finish(&ends).await {
        Ok(applied) => {
            batch
                .into_iter()
                .zip(applied)
                .for_each(|((_, reply), applied)| reply(applied));
            Vec::new()
        }
        Err(error) if !error.is_retryable() => {
            tracing::error!(%error, tasks = batch.len(), "ends of tasks were refused; writing them one by one");
            singly(batch, |ending| write_alone(checkpoint, ending)).await
        }
        Err(error) => {
            // Should Snowflake stay away for longer than the leases, the tasks go to others, and these ends
            // will match no row.
            tracing::warn!(%error, tasks = batch.len(), "ends of tasks could not be written; trying again");
            batch
        }
    }
}

/// Writes an end that was refused together with others, so that one which is refused does not hold up the others. A result
/// that cannot be stored is the task's failure. Answers the end when it is to be tried again.
async fn write_alone(
    checkpoint: &dyn WorkerCheckpoint,
    (mut end, reply): Ending,
) -> Option<Ending> {
    let mut answer = checkpoint.finish(std::slice::from_ref(&end)).await;
    if let Err(error) = &answer
        && error.is_refusal()
        && matches!(end.outcome, TaskOutcome::Completed { .. })
    {
        tracing::error!(task_id = end.task_id, %error, "a task's result was refused; the task fails");
        end.outcome = TaskOutcome::Failed {
            failure: TaskFailure::permanent(
                Code::INTERNAL
                    .problem(format!("the result of the task cannot be stored: {error}"))
                    .to_string(),
            ),
            retry_after: None,
        };
        answer = checkpoint.finish(std::slice::from_ref(&end)).await;
    }
    match answer {
        Ok(applied) => reply(applied.first().copied().unwrap_or(Applied::No)),
        Err(error) if error.is_retryable() => return Some((end, reply)),
        // Not the end's doing, and the work is done: should nobody fix it before the lease runs out, it counts for nothing.
        Err(CheckpointError::Store(error)) if error.what == StoreFailure::Other => {
            tracing::error!(task_id = end.task_id, %error, "the end of a task could not be written; trying again");
            return Some((end, reply));
        }
        Err(error) => {
            // The lease runs out, and the task is claimed again.
            tracing::error!(task_id = end.task_id, %error, "the end of a task was refused");
            reply(Applied::No);
        }
    }
    None
}
