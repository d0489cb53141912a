//! What operators ask, as the workflow's owner and the workers see it.

use super::{Rows, TableKey};
use crate::checkpoint::{CheckpointError, OwnedWorkflow};
use crate::domain::phase::{PartitionPhase, TablePhase, WorkflowPhase};
use crate::domain::request::{DueRequests, Request};
use crate::domain::{TableNo, WorkflowId};
use std::collections::BTreeSet;

impl Rows {
    /// Whether a task may not be claimed because its workflow or table is paused or cancelled.
    pub(super) fn is_held(&self, (id, no): TableKey) -> bool {
        let asked = [self.workflows[&id].request, self.tables[&(id, no)].request];
        asked.contains(&Some(Request::Pause)) || asked.contains(&Some(Request::Cancel))
    }

    /// Workflows of which some table is to run again.
    pub(super) fn asked_again(&self) -> BTreeSet<WorkflowId> {
        let tables = self.tables.iter();
        tables
            .filter(|(_, row)| row.request == Some(Request::Retry))
            .map(|((id, _), _)| *id)
            .collect()
    }

    /// Carries out what operators asked of tables: all of it, or nothing.
    pub(super) fn apply_requests(
        &mut self,
        owned: &OwnedWorkflow,
        orders: &DueRequests<TableNo>,
    ) -> Result<(), CheckpointError> {
        self.check_owner(owned)?;
        let taken = self.taken_states(owned.id);
        for no in &orders.cancel {
            self.cancel_table(owned, *no);
        }
        for no in &orders.retry {
            let key = (owned.id, *no);
            if let Some(holder) = taken.get(no) {
                self.refuse_table(owned, *no, holder);
            } else if self.tables.contains_key(&key) {
                self.repeat_table(owned, *no);
            }
        }
        if self.workflows[&owned.id].request == Some(Request::Cancel) {
            for no in &orders.withdraw {
                self.withdraw(owned, *no);
            }
        }
        Ok(())
    }

    /// Takes the request away that a table runs again.
    fn withdraw(&mut self, owned: &OwnedWorkflow, no: TableNo) {
        if let Some(table) = self.tables.get_mut(&(owned.id, no)) {
            table.request = table.request.filter(|asked| *asked != Request::Retry);
        }
    }

    /// A table that cannot run again says why.
    fn refuse_table(&mut self, owned: &OwnedWorkflow, no: TableNo, holder: &str) {
        if let Some(table) = self.tables.get_mut(&(owned.id, no))
            && matches!(table.phase, TablePhase::Failed | TablePhase::Cancelled)
        {
            table.error = Some(format!("the workflow {holder} has the state of this table"));
        }
        self.withdraw(owned, no);
    }

    fn cancel_table(&mut self, owned: &OwnedWorkflow, no: TableNo) {
        let key = (owned.id, no);
        let Some(table) = self.tables.get_mut(&key) else {
            return;
        };
        table.request = None;
        if !table.phase.is_terminal() && table.epoch == owned.epoch {
            table.phase = TablePhase::Cancelled;
        }
        for (_, row) in self
            .partitions
            .iter_mut()
            .filter(|((w, t, _), _)| (*w, *t) == key)
        {
            if !row.phase.is_terminal() {
                row.phase = PartitionPhase::Cancelled;
            }
        }
        for task in self.tasks.values_mut() {
            if (task.workflow_id, task.table_no) == key && !task.collected {
                task.cancel();
            }
        }
    }

    fn repeat_table(&mut self, owned: &OwnedWorkflow, no: TableNo) {
        self.withdraw(owned, no);
        let key = (owned.id, no);
        let Some(table) = self.tables.get_mut(&key) else {
            return;
        };
        let had_ended = matches!(table.phase, TablePhase::Failed | TablePhase::Cancelled);
        let is_planned = table.plan.is_some();
        if had_ended {
            table.error = None;
            table.phase = if is_planned {
                TablePhase::Executing
            } else {
                TablePhase::Pending
            };
        }
        let mut again = Vec::new();
        for ((.., no), row) in self
            .partitions
            .iter_mut()
            .filter(|((w, t, _), _)| (*w, *t) == key)
        {
            let is_open = matches!(row.phase, PartitionPhase::Pending | PartitionPhase::Staged);
            let is_given_up = matches!(
                row.phase,
                PartitionPhase::Failed | PartitionPhase::Cancelled
            );
            if is_given_up || had_ended && is_open {
                again.push(*no);
                row.phase = PartitionPhase::Pending;
                (row.attempt, row.manifest, row.error) = (None, None, None);
            }
        }
        for task in self.tasks.values_mut() {
            let is_meant = match &task.partition {
                Some((no, _)) => again.contains(no),
                None => had_ended && !is_planned,
            };
            if (task.workflow_id, task.table_no) == key && is_meant {
                task.queue_again();
            }
        }
        // Usually done already by whoever asked; not when the workflow ended in that moment.
        if let Some(workflow) = self.workflows.get_mut(&owned.id)
            && workflow.phase.is_terminal()
        {
            workflow.phase = WorkflowPhase::Executing;
        }
    }
}
