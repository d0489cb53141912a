//! What operators ask, in the checkpoint's double.

use super::store::{Rows, Store, TableKey};
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::Request;
use crate::domain::{PartitionNo, TableNo, WorkflowId};

impl Store {
    /// Asks for something, or withdraws it, of a workflow as a whole.
    pub fn ask(&self, id: WorkflowId, request: Option<Request>) {
        let mut rows = self.rows();
        let row = rows.workflows.get_mut(&id).unwrap();
        row.request = request;
        row.request_seq += 1;
        if request == Some(Request::Cancel) {
            for (_, table) in rows.tables.iter_mut().filter(|((w, _), _)| *w == id) {
                table.request = table.request.filter(|asked| *asked == Request::Cancel);
            }
        }
    }

    /// Partitions of a table as a cancellation that was not finished would leave them.
    pub fn leave_cancelled(&self, id: WorkflowId, no: u32, partitions: std::ops::Range<u32>) {
        for partition in partitions.map(PartitionNo) {
            let mut rows = self.rows();
            let row = rows.partitions.get_mut(&(id, TableNo(no), partition));
            row.unwrap().phase = PartitionPhase::Cancelled;
        }
    }

    /// What is asked of a table.
    pub fn table_request(&self, id: WorkflowId, no: u32) -> Option<Request> {
        self.rows().tables[&(id, TableNo(no))].request
    }

    /// A table's request that nobody has withdrawn.
    pub fn leave_request(&self, id: WorkflowId, no: u32, request: Request) {
        let mut rows = self.rows();
        rows.tables.get_mut(&(id, TableNo(no))).unwrap().request = Some(request);
    }

    /// The same of one table; one that shall run again makes the workflow run again.
    pub fn ask_table(&self, id: WorkflowId, no: u32, request: Option<Request>) {
        let mut rows = self.rows();
        rows.tables.get_mut(&(id, TableNo(no))).unwrap().request = request;
        let row = rows.workflows.get_mut(&id).unwrap();
        row.request_seq += 1;
        if request == Some(Request::Retry) {
            row.request = row.request.filter(|asked| *asked != Request::Cancel);
            if row.phase.is_terminal() {
                row.phase = WorkflowPhase::Executing;
            }
        }
    }
}

impl Rows {
    /// Whether a task may not be claimed because its workflow or table is paused or cancelled.
    pub(super) fn is_held(&self, (id, no): TableKey) -> bool {
        let asked = [self.workflows[&id].request, self.tables[&(id, no)].request];
        asked.contains(&Some(Request::Pause)) || asked.contains(&Some(Request::Cancel))
    }

    /// Workflows of which some table shall run again.
    pub(super) fn asked_again(&self) -> Vec<WorkflowId> {
        let tables = self.tables.iter();
        tables
            .filter(|(_, row)| row.request == Some(Request::Retry))
            .map(|((id, _), _)| *id)
            .collect()
    }

    pub(super) fn cancel_table(&mut self, key: TableKey) {
        let table = self.tables.get_mut(&key).unwrap();
        table.request = None;
        if !table.phase.is_terminal() {
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
                task.phase = TaskPhase::Cancelled;
                task.collected = true;
                task.token = None;
            }
        }
    }

    pub(super) fn repeat_table(&mut self, key: TableKey) {
        let table = self.tables.get_mut(&key).unwrap();
        table.request = None;
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
                task.phase = TaskPhase::Pending;
                (task.failures, task.postponed, task.collected) = (0, 0, false);
                (task.token, task.not_before) = (None, None);
                (task.result, task.error) = (None, None);
            }
        }
    }
}
