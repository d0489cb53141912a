//! The orchestrator's half of the checkpoint's double.

use super::faults::store_error;
use super::loader::LOCK_PATIENCE;
use super::store::{PLATFORM, PartitionRow, Rows, Store, TableKey, TaskRow, task_id};
use crate::checkpoint::{
    Admission, Applied, CheckpointError, EndedTask, LoadUnit, NewTask, OrchestratorCheckpoint,
    OwnedWorkflow, PartitionKey, PartitionState, PlannedTable, StateChange, TableState,
    WorkflowSearch,
};
use crate::domain::analysis::fingerprint;
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::{Orders, Request};
use crate::domain::table::TableRef;
use crate::domain::table_plan::TablePlan;
use crate::domain::task::TaskKind;
use crate::domain::{Attempt, OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::Instant;

#[async_trait]
impl OrchestratorCheckpoint for Store {
    async fn bootstrap(&self) -> Result<(), CheckpointError> {
        self.faults.enter("bootstrap").await?.leave(Ok(())).await
    }

    async fn take_workflows(
        &self,
        search: &WorkflowSearch<'_>,
    ) -> Result<Vec<OwnedWorkflow>, CheckpointError> {
        let after = self.faults.enter("take_workflows").await?;
        let mut taken = self.steered(search);
        taken.extend(self.take(search.owner, search.lease, search.limit));
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
            if let Some(table) = self.rows().tables.get_mut(&key) {
                table.epoch = table.epoch.max(owned.epoch);
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

    async fn carry_out(
        &self,
        owned: &OwnedWorkflow,
        orders: &Orders<TableNo>,
    ) -> Result<(), CheckpointError> {
        let after = self.faults.enter("carry_out").await?;
        for no in orders.cancel.iter().chain(&orders.retry) {
            // A load under way ends first.
            let lock = self.table_lock((owned.id, *no));
            let _row = lock.lock().await;
            let mut rows = self.rows();
            rows.check_owner(owned)?;
            if orders.cancel.contains(no) {
                rows.cancel_table((owned.id, *no));
            } else {
                rows.repeat_table((owned.id, *no));
            }
        }
        for no in &orders.withdraw {
            let mut rows = self.rows();
            rows.check_owner(owned)?;
            let is_cancelled = rows.workflows[&owned.id].request == Some(Request::Cancel);
            if let Some(table) = rows.tables.get_mut(&(owned.id, *no))
                && is_cancelled
            {
                table.request = None;
            }
        }
        after.leave(Ok(())).await
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
        _: TableNo,
        _: &str,
        _: (&TableRef, &TableRef),
    ) -> Result<Option<String>, CheckpointError> {
        let after = self.faults.enter("claim_synchronization").await?;
        let answer = {
            let rows = self.rows();
            rows.check_owner(owned).map(|()| rows.synchronizer.clone())
        };
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
        // Like the hybrid tables: a fenced enqueue changes nothing, and does not say so.
        if self.rows().check_owner(owned).is_ok() {
            for task in tasks {
                let table = self.rows().tables[&(owned.id, task.table_no)].phase;
                if table.is_terminal() {
                    continue;
                }
                let no = task.partition.as_ref().map(|(no, _)| *no);
                let id = task_id(owned.id, task.kind, task.table_no, no);
                self.rows()
                    .tasks
                    .entry(id)
                    .or_insert_with(|| new_task(owned.id, task));
            }
        }
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
                task.phase.is_terminal() && !task.collected && workflows.contains(&task.workflow_id)
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
                task.error = Some("the worker went silent".to_owned());
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

    async fn load_waits(
        &self,
        _: &OwnedWorkflow,
        _: TableNo,
        _: u32,
        _: Duration,
        _: &str,
    ) -> Result<(), CheckpointError> {
        let after = self.faults.enter("load_waits").await?;
        after.leave(Ok(())).await
    }

    fn load_statements(
        &self,
        _: &OwnedWorkflow,
        _: TableNo,
        _: &TablePlan,
        _: &[LoadUnit],
        _: u64,
        _: Admission,
    ) -> Vec<(String, u64)> {
        Vec::new()
    }
}

impl Store {
    fn take(&self, owner: &str, lease: Duration, limit: usize) -> Vec<OwnedWorkflow> {
        let now = Instant::now();
        let mut rows = self.rows();
        let asked: Vec<WorkflowId> = rows.asked_again();
        let free = rows.workflows.iter_mut().filter(|(id, row)| {
            (!row.phase.is_terminal() || asked.contains(id))
                && (row.owner.is_none() || row.lease_until.is_none_or(|until| until < now))
        });
        free.take(limit)
            .map(|(id, row)| {
                row.owner = Some(owner.to_owned());
                row.epoch.0 += 1;
                row.lease_until = Some(now + lease);
                OwnedWorkflow {
                    id: *id,
                    epoch: row.epoch,
                    name: row.name.clone(),
                    platform: PLATFORM,
                    affinity: None,
                    phase: row.phase,
                    request: row.request,
                    request_seq: row.request_seq,
                }
            })
            .collect()
    }

    /// What the owner drives already and does not know the newest requests of.
    fn steered(&self, search: &WorkflowSearch<'_>) -> Vec<OwnedWorkflow> {
        let mut rows = self.rows();
        let driven = search.driven.iter().filter_map(|(id, epoch, seq)| {
            let row = rows.workflows.get_mut(id)?;
            let is_ours = row.owner.as_deref() == Some(search.owner) && row.epoch == *epoch;
            if !is_ours || row.request_seq == *seq {
                return None;
            }
            row.lease_until = Some(Instant::now() + search.lease);
            Some(OwnedWorkflow {
                id: *id,
                epoch: *epoch,
                name: row.name.clone(),
                platform: PLATFORM,
                affinity: None,
                phase: row.phase,
                request: row.request,
                request_seq: row.request_seq,
            })
        });
        driven.collect()
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

impl Rows {
    fn start_workflow(&mut self, owned: &OwnedWorkflow) -> Result<(), CheckpointError> {
        self.check_owner(owned)?;
        if let Some(row) = self.workflows.get_mut(&owned.id)
            && row.phase == WorkflowPhase::Pending
        {
            row.phase = WorkflowPhase::Executing;
        }
        Ok(())
    }

    fn complete_workflow(
        &mut self,
        owned: &OwnedWorkflow,
        end: WorkflowPhase,
    ) -> Result<Applied, CheckpointError> {
        self.check_owner(owned)?;
        let may_end = self.have_all_ended(owned.id) && !self.asked_again().contains(&owned.id);
        let Some(row) = self.workflows.get_mut(&owned.id) else {
            return Ok(Applied::No);
        };
        let is_known = row.request_seq == owned.request_seq;
        if row.phase == WorkflowPhase::Executing && is_known && may_end {
            row.phase = end;
            row.owner = None;
        }
        Ok(if row.phase.is_terminal() {
            Applied::Yes
        } else {
            Applied::No
        })
    }

    /// Whether no table of a workflow is at work.
    pub(super) fn have_all_ended(&self, id: WorkflowId) -> bool {
        let mut tables = self.tables.iter();
        tables.all(|((w, _), table)| *w != id || table.phase.is_terminal())
    }

    fn write_plan(
        &mut self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &PlannedTable,
    ) -> Result<Applied, CheckpointError> {
        self.check_owner(owned)?;
        let Some(table) = self.tables.get_mut(&(owned.id, table_no)) else {
            return Ok(Applied::No);
        };
        if !matches!(table.phase, TablePhase::Pending | TablePhase::Analyzing) {
            return Ok(Applied::No);
        }
        let sync = plan.synchronization.as_ref();
        if let Some(started_from) = sync.and_then(|sync| sync.started_from.as_ref())
            && *started_from != fingerprint(table.previous.as_ref()).unwrap()
        {
            let task = task_id(owned.id, TaskKind::Analyze, table_no, None);
            let task = self.tasks.get_mut(&task).unwrap();
            (task.phase, task.collected) = (TaskPhase::Pending, false);
            (task.token, task.result) = (None, None);
            return Ok(Applied::No);
        }
        table.phase = TablePhase::Executing;
        table.plan = Some(plan.plan.clone());
        table.warnings.extend(plan.warnings.iter().cloned());
        for (no, partition) in plan.partitions.iter().enumerate() {
            let row = PartitionRow {
                phase: if partition.unchanged {
                    PartitionPhase::Unchanged
                } else {
                    PartitionPhase::Pending
                },
                slice: partition.slice.clone(),
                attempt: None,
                manifest: None,
                error: None,
            };
            self.partitions
                .insert((owned.id, table_no, PartitionNo(no as u32)), row);
        }
        self.collect(&task_id(owned.id, TaskKind::Analyze, table_no, None));
        Ok(Applied::Yes)
    }

    fn apply(&mut self, owned: &OwnedWorkflow, change: &StateChange) -> Applied {
        let applied = match change {
            StateChange::PartitionStaged {
                key,
                attempt,
                manifest,
            } => {
                self.collect_extraction(owned.id, *key);
                let row = self.partition(owned.id, *key);
                if row.phase == PartitionPhase::Pending {
                    row.phase = PartitionPhase::Staged;
                    row.attempt = Some(*attempt);
                    row.manifest = Some(manifest.clone());
                }
                row.phase == PartitionPhase::Staged && row.attempt == Some(*attempt)
            }
            StateChange::PartitionFailed { key, error } => {
                self.collect_extraction(owned.id, *key);
                let row = self.partition(owned.id, *key);
                if !row.phase.is_terminal() {
                    row.phase = PartitionPhase::Failed;
                    row.error = Some(error.clone());
                }
                row.phase == PartitionPhase::Failed
            }
            StateChange::TableEnded {
                table_no,
                phase,
                error,
            } => {
                self.collect(&task_id(owned.id, TaskKind::Analyze, *table_no, None));
                let table = self.tables.get_mut(&(owned.id, *table_no)).unwrap();
                if !table.phase.is_terminal() && table.epoch == owned.epoch {
                    table.phase = *phase;
                    table.error.clone_from(error);
                }
                let is_applied = table.phase == *phase;
                if is_applied && *phase == TablePhase::Failed {
                    self.cancel_tasks((owned.id, *table_no));
                }
                is_applied
            }
        };
        if applied { Applied::Yes } else { Applied::No }
    }

    fn partition(&mut self, id: WorkflowId, key: PartitionKey) -> &mut PartitionRow {
        self.partitions
            .get_mut(&(id, key.table_no, key.partition_no))
            .unwrap()
    }

    fn collect_extraction(&mut self, id: WorkflowId, key: PartitionKey) {
        self.collect(&task_id(
            id,
            TaskKind::Extract,
            key.table_no,
            Some(key.partition_no),
        ));
    }

    fn collect(&mut self, id: &str) {
        if let Some(task) = self.tasks.get_mut(id)
            && task.phase.is_terminal()
        {
            task.collected = true;
        }
    }

    fn cancel_tasks(&mut self, key: TableKey) {
        for task in self.tasks.values_mut() {
            if (task.workflow_id, task.table_no) == key && !task.phase.is_terminal() {
                task.phase = TaskPhase::Cancelled;
                task.collected = true;
                task.token = None;
            }
        }
    }
}

fn new_task(workflow_id: WorkflowId, task: &NewTask) -> TaskRow {
    TaskRow {
        kind: task.kind,
        workflow_id,
        table_no: task.table_no,
        partition: task.partition.clone(),
        priority: task.priority,
        phase: TaskPhase::Pending,
        attempt: Attempt(0),
        failures: 0,
        postponed: 0,
        token: None,
        lease_until: None,
        not_before: None,
        result: None,
        error: None,
        collected: false,
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
