//! The worker's half.

use super::Store;
use crate::checkpoint::{
    Applied, CheckpointError, ClaimRequest, LeaseRenewal, TableWork, WorkerCheckpoint, WorkerInfo,
};
use crate::domain::phase::TaskPhase;
use crate::domain::task::{ClaimedTask, TaskEnd, TaskOutcome};
use crate::domain::{ClaimToken, TableNo, WorkflowId};
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::Instant;

#[async_trait]
impl WorkerCheckpoint for Store {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedTask>, CheckpointError> {
        let after = self.faults.enter("claim").await?;
        let claimed = self.take_tasks(request);
        after.leave(Ok(claimed)).await
    }

    async fn table_work(
        &self,
        tables: &[(WorkflowId, TableNo)],
    ) -> Result<Vec<TableWork>, CheckpointError> {
        let after = self.faults.enter("table_work").await?;
        let work = {
            let rows = self.rows();
            let known = tables.iter().filter_map(|key| {
                let row = rows.tables.get(key)?;
                Some(TableWork {
                    workflow_id: key.0,
                    workflow_name: rows.workflows[&key.0].name.clone(),
                    table_no: key.1,
                    spec: row.spec.clone(),
                    extract: row.plan.clone().map(|plan| plan.extract),
                    previous: (row.plan.is_none() && row.spec.synchronization.is_stateful())
                        .then(|| rows.snapshot(*key))
                        .flatten(),
                })
            });
            known.collect()
        };
        after.leave(Ok(work)).await
    }

    async fn renew(
        &self,
        leases: &[LeaseRenewal],
        lease: Duration,
    ) -> Result<Vec<String>, CheckpointError> {
        let after = self.faults.enter("renew").await?;
        let mut lost = Vec::new();
        for renewal in leases {
            match self.rows().tasks.get_mut(&renewal.task_id) {
                Some(task)
                    if task.token == Some(renewal.token) && task.phase == TaskPhase::Claimed =>
                {
                    task.lease_until = Some(Instant::now() + lease);
                }
                _ => lost.push(renewal.task_id.clone()),
            }
        }
        after.leave(Ok(lost)).await
    }

    async fn finish(&self, ends: &[TaskEnd]) -> Result<Vec<Applied>, CheckpointError> {
        let after = self.faults.enter("finish").await?;
        let applied = ends.iter().map(|end| self.finish_one(end)).collect();
        after.leave(Ok(applied)).await
    }

    async fn heartbeat(&self, worker: &WorkerInfo) -> Result<(), CheckpointError> {
        let after = self.faults.enter("heartbeat").await?;
        self.rows()
            .workers
            .insert(worker.worker.clone(), worker.running);
        after.leave(Ok(())).await
    }

    async fn forget_workers(&self, _: Duration) -> Result<(), CheckpointError> {
        self.faults
            .enter("forget_workers")
            .await?
            .leave(Ok(()))
            .await
    }

    async fn sign_off(&self, worker: &str) -> Result<(), CheckpointError> {
        let after = self.faults.enter("sign_off").await?;
        self.rows().workers.remove(worker);
        after.leave(Ok(())).await
    }
}

impl Store {
    fn take_tasks(&self, request: &ClaimRequest) -> Vec<ClaimedTask> {
        let (now, token) = (Instant::now(), ClaimToken::generate());
        let mut rows = self.rows();
        let keys = rows.tables.keys().copied();
        let held: Vec<_> = keys.filter(|key| rows.is_held(*key)).collect();
        let rows = &mut *rows;
        // The tasks of a workflow have its platform and its affinity.
        let is_meant = |id: WorkflowId| {
            let workflow = &rows.workflows[&id];
            let affinity = request.affinity.as_ref();
            request.platforms.contains(&workflow.platform)
                && (affinity.is_none()
                    || workflow.affinity.is_none()
                    || workflow.affinity.as_ref() == affinity)
        };
        let mut free: Vec<_> = rows
            .tasks
            .iter_mut()
            .filter(|(_, task)| {
                is_meant(task.workflow_id)
                    && task.phase == TaskPhase::Pending
                    && task.not_before.is_none_or(|at| at <= now)
                    && task.lease_until.is_none_or(|until| until <= now)
                    && !held.contains(&(task.workflow_id, task.table_no))
            })
            .collect();
        free.sort_by_key(|(id, task)| {
            (
                task.priority,
                task.workflow_id,
                task.table_no,
                (*id).clone(),
            )
        });
        let won = free.into_iter().take(request.limit);
        won.map(|(id, task)| {
            task.phase = TaskPhase::Claimed;
            task.attempt.0 += 1;
            task.token = Some(token);
            task.worker = Some(request.worker.clone());
            task.lease_until = Some(now + request.lease);
            ClaimedTask {
                task_id: id.clone(),
                kind: task.kind,
                workflow_id: task.workflow_id,
                table_no: task.table_no,
                partition_no: task.partition.as_ref().map(|(no, _)| *no),
                slice: task.partition.as_ref().map(|(_, slice)| slice.clone()),
                attempt: task.attempt,
                failures: task.failures,
                postponed: task.postponed,
                token,
                platform: rows.workflows[&task.workflow_id].platform,
            }
        })
        .collect()
    }

    fn finish_one(&self, end: &TaskEnd) -> Applied {
        let mut rows = self.rows();
        let Some(task) = rows.tasks.get_mut(&end.task_id) else {
            return Applied::No;
        };
        if task.token != Some(end.token) {
            // A claim that was cancelled gives up its lease.
            if task.token.is_none() && task.attempt == end.attempt {
                task.lease_until = None;
            }
            return Applied::No;
        }
        if task.phase != TaskPhase::Claimed {
            // The same claim ended before, and its reply was lost.
            return Applied::Yes;
        }
        task.lease_until = None;
        (task.result, task.error, task.not_before) = (None, None, None);
        let now = Instant::now();
        match &end.outcome {
            TaskOutcome::Completed { result, .. } => {
                task.phase = TaskPhase::Completed;
                task.result = Some(result.clone());
            }
            TaskOutcome::Failed {
                failure,
                retry_after,
            } => {
                task.failures += 1;
                task.error = Some(failure.message.clone());
                task.not_before = retry_after.map(|pause| now + pause);
                task.phase = if retry_after.is_some() {
                    TaskPhase::Pending
                } else {
                    TaskPhase::Failed
                };
            }
            TaskOutcome::Postponed {
                failure,
                retry_after,
            } => {
                task.postponed += 1;
                task.error = Some(failure.message.clone());
                task.not_before = Some(now + *retry_after);
                task.phase = TaskPhase::Pending;
            }
            TaskOutcome::HandedBack => task.phase = TaskPhase::Pending,
        }
        Applied::Yes
    }
}
