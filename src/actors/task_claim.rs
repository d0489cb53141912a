//! What TaskPuller asks of the checkpoint, and makes of the end of a job.

use super::extractor::JobEnd;
use super::lease_keeper::Claim;
use super::ports::TaskResult;
use crate::checkpoint::{CheckpointError, ClaimRequest, TableWork, WorkerCheckpoint};
use crate::domain::problem::Code;
use crate::domain::retry::{RetryPolicy, TaskDecision, after_task};
use crate::domain::task::{ClaimedTask, TaskEnd, TaskFailure, TaskKind, TaskOutcome};
use crate::domain::{TableNo, WorkflowId};
use crate::retry::retry;

/// A table as workers know it; whether it is planned.
pub(super) type TableKey = (WorkflowId, TableNo, bool);

pub(super) fn claim_of(task: &ClaimedTask) -> Claim {
    (task.task_id.clone(), task.token)
}

pub(super) fn table_key(task: &ClaimedTask) -> TableKey {
    (
        task.workflow_id,
        task.table_no,
        task.kind == TaskKind::Extract,
    )
}

/// Claims, and reads the tables that are not known yet.
pub(super) async fn claim(
    checkpoint: &dyn WorkerCheckpoint,
    request: &ClaimRequest,
    known: &[TableKey],
) -> Result<(Vec<ClaimedTask>, Vec<TableWork>), CheckpointError> {
    let tasks = checkpoint.claim(request).await?;
    let mut unknown: Vec<_> = tasks
        .iter()
        .map(table_key)
        .filter(|key| !known.contains(key))
        .map(|(id, no, _)| (id, no))
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    if unknown.is_empty() {
        return Ok((tasks, Vec::new()));
    }
    let tables = retry(
        RetryPolicy::CLAIMED_TABLES,
        || checkpoint.table_work(&unknown),
        CheckpointError::failure,
        |_, _| {},
    );
    match tables.await {
        Ok(tables) => Ok((tasks, tables)),
        Err(error) => {
            hand_back(checkpoint, &tasks).await;
            Err(error)
        }
    }
}

/// Gives claimed tasks back that nobody will run. When even that fails, their leases run out.
async fn hand_back(checkpoint: &dyn WorkerCheckpoint, tasks: &[ClaimedTask]) {
    let ends: Vec<TaskEnd> = tasks
        .iter()
        .map(|task| TaskEnd {
            task_id: task.task_id.clone(),
            token: task.token,
            attempt: task.attempt,
            outcome: TaskOutcome::HandedBack,
        })
        .collect();
    if let Err(error) = checkpoint.finish(&ends).await {
        tracing::warn!(%error, tasks = ends.len(), "claimed tasks could not be given back; their leases run out");
    }
}

/// What the end of a job means for its task: done, failed for now or for good, postponed, or released.
pub(super) fn outcome(
    task: &ClaimedTask,
    span: &tracing::Span,
    end: JobEnd,
    retry: &RetryPolicy,
) -> TaskOutcome {
    let failure = match end {
        JobEnd::Ran(Ok(TaskResult::Cancelled)) => return TaskOutcome::HandedBack,
        JobEnd::Ran(Ok(TaskResult::Analysis(analysis))) => match serde_json::to_string(&analysis) {
            Ok(result) => {
                return TaskOutcome::Completed {
                    result,
                    rows: 0,
                    bytes: 0,
                };
            }
            Err(error) => {
                TaskFailure::permanent(Code::INTERNAL.problem(error.to_string()).to_string())
            }
        },
        JobEnd::Ran(Ok(TaskResult::Staged(manifest))) => match serde_json::to_string(&manifest) {
            Ok(result) => {
                return TaskOutcome::Completed {
                    result,
                    rows: manifest.rows(),
                    bytes: manifest.bytes(),
                };
            }
            Err(error) => {
                TaskFailure::permanent(Code::INTERNAL.problem(error.to_string()).to_string())
            }
        },
        JobEnd::Ran(Err(failure)) => failure,
        JobEnd::Lost => TaskFailure::transient(
            Code::INTERNAL
                .problem("the task ended unexpectedly inside the worker")
                .hint("see its log")
                .to_string(),
        ),
    };
    let counts = (task.failures, task.postponed);
    let decision = after_task(retry, failure.kind(), counts, rand::random());
    tracing::warn!(
        parent: span,
        kind = ?task.kind,
        error = failure.message,
        ?decision,
        "task failed"
    );
    match decision {
        TaskDecision::PostponedFor(retry_after) => TaskOutcome::Postponed {
            failure,
            retry_after,
        },
        TaskDecision::FailedFor(retry_after) => TaskOutcome::Failed {
            failure,
            retry_after: Some(retry_after),
        },
        TaskDecision::GiveUp => TaskOutcome::Failed {
            failure,
            retry_after: None,
        },
    }
}
