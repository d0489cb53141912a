//! The orchestrator's half.

use super::faults::store_error;
use super::{LOCK_PATIENCE, Store, TaskRow};
use crate::checkpoint::{
    Applied, CheckpointError, EndedTask, NewTask, OrchestratorCheckpoint, OwnedWorkflow,
    PartitionState, PlannedTable, StateChange, TableState, WorkflowSearch,
};
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::DueRequests;
use crate::domain::table::TableRef;
use crate::domain::{OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

#[async_trait]
impl OrchestratorCheckpoint for Store {
    async fn take_workflows(
        &self,
        search: &WorkflowSearch<'_>,
    ) -> Result<Vec<OwnedWorkflow>, CheckpointError> {
        let after = self.faults.enter("take_workflows").await?;
        let taken = self.take(search);
        after.leave(Ok(taken)).await
    }

    async fn fence_tables(&self, owned: &OwnedWorkflow) -> Result<(), CheckpointError> {
        let after = self.faults.enter("fence_tables").await?;
        let tables: Vec<_> = {
            let rows = self.rows();
            let keys = rows.tables.keys().copied();
            keys.filter(|(w, _)| *w == owned.id).collect()
        };
        for key in tables {
            // A load of the former owner ends first.
            let lock = self.table_lock(key);
            let Ok(_row) = tokio::time::timeout(LOCK_PATIENCE, lock.lock()).await else {
                return Err(store_error("a row is locked", true));
            };
            // One that has lost the workflow meanwhile changes nothing, and is not told.
            let mut rows = self.rows();
            if rows.check_owner(owned).is_ok()
                && let Some(table) = rows.tables.get_mut(&key)
            {
                table.epoch = owned.epoch;
            }
        }
        after.leave(Ok(())).await
    }

    async fn renew_workflows(
        &self,
        owner: &str,
        owned: &[(WorkflowId, OwnerEpoch)],
        lease: Duration,
    ) -> Result<Vec<WorkflowId>, CheckpointError> {
        let after = self.faults.enter("renew_workflows").await?;
        let mut lost = Vec::new();
        for (id, epoch) in owned {
            let mut rows = self.rows();
            match rows.workflows.get_mut(id) {
                Some(row) if row.owner.as_deref() == Some(owner) && row.epoch == *epoch => {
                    row.lease_until = Some(Instant::now() + lease);
                }
                _ => lost.push(*id),
            }
        }
        after.leave(Ok(lost)).await
    }

    async fn release_workflows(&self, owner: &str) -> Result<(), CheckpointError> {
        let after = self.faults.enter("release_workflows").await?;
        for row in self.rows().workflows.values_mut() {
            if row.owner.as_deref() == Some(owner) {
                (row.owner, row.lease_until) = (None, None);
            }
        }
        after.leave(Ok(())).await
    }

    async fn load_tables(&self, id: WorkflowId) -> Result<Vec<TableState>, CheckpointError> {
        let after = self.faults.enter("load_tables").await?;
        let tables = self.read_tables(id);
        after.leave(Ok(tables)).await
    }

    async fn load_partitions(
        &self,
        id: WorkflowId,
        table_no: TableNo,
        phases: &[PartitionPhase],
        from: PartitionNo,
        limit: usize,
    ) -> Result<Vec<PartitionState>, CheckpointError> {
        let after = self.faults.enter("load_partitions").await?;
        let found: Vec<_> = {
            let rows = self.rows();
            let all = rows.partitions.range((id, table_no, from)..);
            all.take_while(|((w, t, _), _)| (*w, *t) == (id, table_no))
                .filter(|(_, row)| phases.contains(&row.phase))
                .take(limit)
                .map(|((.., no), row)| PartitionState {
                    partition_no: *no,
                    phase: row.phase,
                    slice: row.slice.clone(),
                    attempt: row.attempt,
                    manifest: row.manifest.clone(),
                })
                .collect()
        };
        after.leave(Ok(found)).await
    }

    async fn count_partitions(
        &self,
        id: WorkflowId,
        table_no: TableNo,
    ) -> Result<Vec<(PartitionPhase, u64)>, CheckpointError> {
        let after = self.faults.enter("count_partitions").await?;
        let counts = {
            let rows = self.rows();
            let count = |phase: PartitionPhase| {
                let of_table = rows.partitions.iter();
                of_table
                    .filter(|((w, t, _), row)| (*w, *t) == (id, table_no) && row.phase == phase)
                    .count() as u64
            };
            let all = PartitionPhase::ALL.iter();
            all.map(|phase| (*phase, count(*phase)))
                .filter(|(_, n)| *n > 0)
                .collect()
        };
        after.leave(Ok(counts)).await
    }

    async fn start_workflow(&self, owned: &OwnedWorkflow) -> Result<(), CheckpointError> {
        let after = self.faults.enter("start_workflow").await?;
        let answer = self.rows().start_workflow(owned);
        after.leave(answer).await
    }

    async fn complete_workflow(
        &self,
        owned: &OwnedWorkflow,
        end: WorkflowPhase,
    ) -> Result<Applied, CheckpointError> {
        let after = self.faults.enter("complete_workflow").await?;
        let answer = self.rows().complete_workflow(owned, end);
        after.leave(answer).await
    }

    async fn apply_requests(
        &self,
        owned: &OwnedWorkflow,
        orders: &DueRequests<TableNo>,
    ) -> Result<(), CheckpointError> {
        let after = self.faults.enter("apply_requests").await?;
        let tables: Vec<_> = orders.cancel.iter().chain(&orders.retry).collect();
        let mut held = Vec::new();
        for no in tables {
            // A load under way ends first.
            let lock = self.table_lock((owned.id, *no));
            held.push(lock.lock_owned().await);
        }
        let answer = self.rows().apply_requests(owned, orders);
        after.leave(answer).await
    }

    async fn start_analysis(
        &self,
        owned: &OwnedWorkflow,
        tables: &[TableNo],
    ) -> Result<(), CheckpointError> {
        let after = self.faults.enter("start_analysis").await?;
        for no in tables {
            if let Some(table) = self.rows().tables.get_mut(&(owned.id, *no))
                && table.epoch == owned.epoch
                && table.phase == TablePhase::Pending
            {
                table.phase = TablePhase::Analyzing;
            }
        }
        after.leave(Ok(())).await
    }

    async fn claim_synchronization(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        sync_key: &str,
        _: (&TableRef, &TableRef),
    ) -> Result<Option<String>, CheckpointError> {
        let after = self.faults.enter("claim_synchronization").await?;
        let answer = self.rows().claim_synchronization(owned, table_no, sync_key);
        after.leave(answer).await
    }

    async fn write_plan(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &PlannedTable,
    ) -> Result<Applied, CheckpointError> {
        let after = self.faults.enter("write_plan").await?;
        let answer = self.rows().write_plan(owned, table_no, plan);
        after.leave(answer).await
    }

    async fn enqueue(
        &self,
        owned: &OwnedWorkflow,
        tasks: &[NewTask],
    ) -> Result<(), CheckpointError> {
        let after = self.faults.enter("enqueue").await?;
        // One that is fenced changes nothing, and is not told.
        self.rows().enqueue(owned, tasks);
        after.leave(Ok(())).await
    }

    async fn ended_tasks(
        &self,
        workflows: &[WorkflowId],
        limit: usize,
    ) -> Result<Vec<EndedTask>, CheckpointError> {
        let after = self.faults.enter("ended_tasks").await?;
        let ended = {
            let rows = self.rows();
            let open = rows.tasks.iter().filter(|(_, task)| {
                let has_ended = matches!(task.phase, TaskPhase::Completed | TaskPhase::Failed);
                has_ended && !task.collected && workflows.contains(&task.workflow_id)
            });
            open.take(limit)
                .map(|(id, task)| ended_task(id, task))
                .collect()
        };
        after.leave(Ok(ended)).await
    }

    async fn apply(
        &self,
        owned: &OwnedWorkflow,
        changes: &[StateChange],
    ) -> Result<Vec<Applied>, CheckpointError> {
        let after = self.faults.enter("apply").await?;
        for change in changes {
            if let StateChange::TableEnded { table_no, .. } = change {
                // A load under way holds the table's row.
                let lock = self.table_lock((owned.id, *table_no));
                let _row = lock.lock().await;
            }
        }
        let answer = {
            let mut rows = self.rows();
            rows.check_owner(owned)
                .map(|()| changes.iter().map(|c| rows.apply(owned, c)).collect())
        };
        after.leave(answer).await
    }

    async fn reap(
        &self,
        workflows: &[WorkflowId],
        max_failures: u32,
    ) -> Result<u64, CheckpointError> {
        let after = self.faults.enter("reap").await?;
        let mut reaped = 0;
        for task in self.rows().tasks.values_mut() {
            if workflows.contains(&task.workflow_id)
                && task.phase == TaskPhase::Claimed
                && task.lease_until.is_some_and(|until| until < Instant::now())
            {
                task.failures += 1;
                task.token = None;
                task.error = Some(format!(
                    "the worker {} went silent while it ran this task; see its log",
                    task.worker.as_deref().unwrap_or("?")
                ));
                task.phase = if task.failures >= max_failures {
                    TaskPhase::Failed
                } else {
                    TaskPhase::Pending
                };
                reaped += 1;
            }
        }
        after.leave(Ok(reaped)).await
    }

    async fn return_permits(&self) -> usize {
        let left = self.rows().unreturned_permits.saturating_sub(1);
        self.rows().unreturned_permits = left;
        left
    }

    async fn record_load_retry(
        &self,
        _: &OwnedWorkflow,
        _: TableNo,
        _: u32,
        _: Duration,
        _: &str,
    ) -> Result<(), CheckpointError> {
        let after = self.faults.enter("record_load_retry").await?;
        after.leave(Ok(())).await
    }
}

impl Store {
    /// What is free, and what the owner drives already and does not know the newest requests of.
    fn take(&self, search: &WorkflowSearch<'_>) -> Vec<OwnedWorkflow> {
        let now = Instant::now();
        let mut rows = self.rows();
        let again: BTreeSet<WorkflowId> = rows.asked_again();
        let free = rows.workflows.iter().filter(|(id, row)| {
            let is_meant = search
                .affinity
                .is_none_or(|affinity| affinity.matches(row.affinity.as_deref()));
            is_meant
                && (!row.phase.is_terminal() || again.contains(id))
                && (row.owner.is_none() || row.lease_until.is_some_and(|until| until < now))
        });
        let free: BTreeSet<WorkflowId> = free.take(search.limit).map(|(id, _)| *id).collect();
        let is_asked = |id: &WorkflowId, seq: i64| {
            search
                .driven
                .iter()
                .any(|(driven, _, known)| driven == id && *known != seq)
        };
        let mut taken = Vec::new();
        for (id, row) in &mut rows.workflows {
            let is_ours = row.owner.as_deref() == Some(search.owner);
            let is_news = is_ours && is_asked(id, row.request_seq);
            if !free.contains(id) && !is_news {
                continue;
            }
            // Its epoch stays while the lease holds.
            if !(is_ours && row.lease_until.is_some_and(|until| until >= now)) {
                row.epoch.0 += 1;
            }
            row.owner = Some(search.owner.to_owned());
            row.lease_until = Some(now + search.lease);
            taken.push(OwnedWorkflow {
                id: *id,
                epoch: row.epoch,
                name: row.name.clone(),
                platform: row.platform,
                affinity: row.affinity.clone(),
                phase: row.phase,
                request: row.request,
                request_seq: row.request_seq,
            });
        }
        taken
    }

    fn read_tables(&self, id: WorkflowId) -> Vec<TableState> {
        let rows = self.rows();
        let count = |no: TableNo| {
            let keys = rows.partitions.keys();
            keys.filter(|(w, t, _)| (*w, *t) == (id, no)).count() as u32
        };
        let of_workflow = rows.tables.iter().filter(|((w, _), _)| *w == id);
        of_workflow
            .map(|((_, no), row)| TableState {
                table_no: *no,
                phase: row.phase,
                spec: row.spec.clone(),
                plan: row.plan.clone(),
                num_partitions: count(*no),
                request: row.request,
            })
            .collect()
    }
}

fn ended_task(id: &str, task: &TaskRow) -> EndedTask {
    let result = if task.phase == TaskPhase::Completed {
        Ok(task.result.clone().unwrap_or_default())
    } else {
        Err(task.error.clone().unwrap_or_default())
    };
    EndedTask {
        task_id: id.to_owned(),
        kind: task.kind,
        workflow_id: task.workflow_id,
        table_no: task.table_no,
        partition_no: task.partition.as_ref().map(|(no, _)| *no),
        attempt: task.attempt,
        result,
    }
}
