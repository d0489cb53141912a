//! How changes of state are applied.

use super::{PartitionRow, Rows, TableKey, TableRow, TaskRow, task_id};
use crate::checkpoint::{
    Applied, CheckpointError, LoadUnit, NewTask, OwnedWorkflow, PartitionKey, PlannedTable,
    StateChange,
};
use crate::domain::analysis::fingerprint;
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::table_plan::TablePlan;
use crate::domain::task::TaskKind;
use crate::domain::{Attempt, PartitionNo, TableNo, WorkflowId};

fn applied(is: bool) -> Applied {
    if is { Applied::Yes } else { Applied::No }
}

impl Rows {
    pub(super) fn start_workflow(&mut self, owned: &OwnedWorkflow) -> Result<(), CheckpointError> {
        self.check_owner(owned)?;
        if let Some(row) = self.workflows.get_mut(&owned.id)
            && row.phase == WorkflowPhase::Pending
        {
            row.phase = WorkflowPhase::Executing;
        }
        Ok(())
    }

    pub(super) fn complete_workflow(
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
            self.end_leftovers(owned.id);
            return Ok(Applied::Yes);
        }
        Ok(applied(row.phase.is_terminal()))
    }

    /// Nobody asks any more for the tasks of a workflow that has ended.
    fn end_leftovers(&mut self, id: WorkflowId) {
        let of_workflow = self.tasks.values_mut().filter(|t| t.workflow_id == id);
        for task in of_workflow.filter(|task| !task.collected) {
            task.collected = true;
            match task.phase {
                TaskPhase::Claimed => {
                    (task.phase, task.token) = (TaskPhase::Cancelled, None);
                }
                TaskPhase::Pending => task.phase = TaskPhase::Cancelled,
                TaskPhase::Completed | TaskPhase::Failed | TaskPhase::Cancelled => {}
            }
        }
    }

    pub(super) fn enqueue(&mut self, owned: &OwnedWorkflow, tasks: &[NewTask]) {
        if self.check_owner(owned).is_err() {
            return;
        }
        for task in tasks {
            let table = self.tables.get(&(owned.id, task.table_no));
            if table.is_none_or(|table| table.phase.is_terminal()) {
                continue;
            }
            let no = task.partition.as_ref().map(|(no, _)| *no);
            let id = task_id(owned.id, task.kind, task.table_no, no);
            self.tasks
                .entry(id)
                .or_insert_with(|| new_task(owned.id, task));
        }
    }

    /// Whether no table of a workflow is at work.
    pub(super) fn have_all_ended(&self, id: WorkflowId) -> bool {
        let mut tables = self.tables.iter();
        tables.all(|((w, _), table)| *w != id || table.phase.is_terminal())
    }

    pub(super) fn write_plan(
        &mut self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &PlannedTable,
    ) -> Result<Applied, CheckpointError> {
        self.check_owner(owned)?;
        let key = (owned.id, table_no);
        let is_open = |table: &TableRow| {
            matches!(table.phase, TablePhase::Pending | TablePhase::Analyzing)
                && table.epoch == owned.epoch
        };
        if !self.tables.get(&key).is_some_and(is_open) {
            return Ok(Applied::No);
        }
        if let Some(sync) = &plan.synchronization {
            if let Some(started_from) = &sync.started_from
                && *started_from != fingerprint(self.snapshot(key).as_ref()).unwrap()
            {
                self.analyze_again(key);
                return Ok(Applied::No);
            }
            if !self.plan_synchronization(key, plan, sync) {
                return Ok(Applied::No);
            }
        }
        if let Some(table) = self.tables.get_mut(&key) {
            table.phase = TablePhase::Executing;
            table.plan = Some(plan.plan.clone());
            table.warnings.extend(plan.warnings.iter().cloned());
        }
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

    /// Puts the analysis of a table back into the queue.
    fn analyze_again(&mut self, (id, no): TableKey) {
        let task = self
            .tasks
            .get_mut(&task_id(id, TaskKind::Analyze, no, None));
        if let Some(task) = task.filter(|task| task.phase == TaskPhase::Completed) {
            task.queue_again();
        }
    }

    pub(super) fn apply(&mut self, owned: &OwnedWorkflow, change: &StateChange) -> Applied {
        match change {
            StateChange::PartitionStaged {
                key,
                attempt,
                manifest,
            } => {
                self.collect_extraction(owned.id, *key);
                let Some(row) = self.partition(owned.id, *key) else {
                    return Applied::No;
                };
                if row.phase == PartitionPhase::Pending {
                    row.phase = PartitionPhase::Staged;
                    row.attempt = Some(*attempt);
                    row.manifest = Some(manifest.clone());
                }
                applied(row.phase == PartitionPhase::Staged && row.attempt == Some(*attempt))
            }
            StateChange::PartitionFailed { key, error } => {
                self.collect_extraction(owned.id, *key);
                let Some(row) = self.partition(owned.id, *key) else {
                    return Applied::No;
                };
                if !row.phase.is_terminal() {
                    row.phase = PartitionPhase::Failed;
                    row.error = Some(error.clone());
                }
                applied(row.phase == PartitionPhase::Failed)
            }
            StateChange::TableEnded {
                table_no,
                phase,
                error,
            } => self.end_table(owned, *table_no, *phase, error.as_deref()),
        }
    }

    fn end_table(
        &mut self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        phase: TablePhase,
        error: Option<&str>,
    ) -> Applied {
        self.collect(&task_id(owned.id, TaskKind::Analyze, table_no, None));
        let Some(table) = self.tables.get_mut(&(owned.id, table_no)) else {
            return Applied::No;
        };
        if table.phase.may_become(phase) && table.epoch == owned.epoch {
            table.phase = phase;
            table.error = error.map(str::to_owned);
        }
        let (is_ended, outcome) = (table.phase.is_terminal(), applied(table.phase == phase));
        if is_ended && phase == TablePhase::Failed {
            self.cancel_tasks((owned.id, table_no));
        }
        outcome
    }

    fn partition(&mut self, id: WorkflowId, key: PartitionKey) -> Option<&mut PartitionRow> {
        self.partitions
            .get_mut(&(id, key.table_no, key.partition_no))
    }

    /// What a load's transaction changes: all of it, or nothing.
    pub(super) fn load(
        &mut self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        units: &[LoadUnit],
    ) -> bool {
        let table = (owned.id, table_no);
        let is_ours = self
            .tables
            .get(&table)
            .is_some_and(|row| row.epoch == owned.epoch);
        let key = |unit: &LoadUnit| (owned.id, table_no, unit.key.partition_no);
        let are_staged = units.iter().all(|unit| {
            self.partitions.get(&key(unit)).is_some_and(|row| {
                row.phase == PartitionPhase::Staged && row.attempt == Some(unit.attempt)
            })
        });
        if !is_ours || !are_staged || !self.load_synchronization(owned.id, plan, units) {
            return false;
        }
        for unit in units {
            if let Some(row) = self.partitions.get_mut(&key(unit)) {
                row.phase = PartitionPhase::Loaded;
            }
            let loaded = self.target.entry(table).or_default();
            loaded.push((unit.key.partition_no, unit.attempt, unit.rows));
        }
        true
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
            && matches!(task.phase, TaskPhase::Completed | TaskPhase::Failed)
        {
            task.collected = true;
        }
    }

    fn cancel_tasks(&mut self, key: TableKey) {
        for task in self.tasks.values_mut() {
            if (task.workflow_id, task.table_no) == key && !task.phase.is_terminal() {
                task.cancel();
            }
        }
    }
}

impl TaskRow {
    /// Back to the queue, attempts counted again; their numbers go on. Whoever ran it may do so until its lease ends.
    pub(super) fn queue_again(&mut self) {
        self.phase = TaskPhase::Pending;
        (self.failures, self.postponed, self.collected) = (0, 0, false);
        (self.token, self.not_before) = (None, None);
        (self.result, self.error) = (None, None);
    }

    /// Nobody wants it any more.
    pub(super) fn cancel(&mut self) {
        (self.phase, self.collected, self.token) = (TaskPhase::Cancelled, true, None);
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
        worker: None,
        lease_until: None,
        not_before: None,
        result: None,
        error: None,
        collected: false,
    }
}
