//! What the command line asks to steer workflows.

use super::Store;
use crate::checkpoint::{CheckpointError, SteeredTable, SteeredWorkflow, WorkflowLevers};
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::{Lever, Request};
use crate::domain::{PartitionNo, TableNo, WorkflowId};
use async_trait::async_trait;

#[async_trait]
impl WorkflowLevers for Store {
    async fn steered(
        &self,
        name_or_id: &str,
        lever: Lever,
    ) -> Result<Option<SteeredWorkflow>, CheckpointError> {
        let after = self.faults.enter("steered").await?;
        let id = {
            let rows = self.rows();
            let mut named = rows.workflows.iter();
            let named = named.find(|(_, row)| row.name == name_or_id);
            named
                .map(|(id, _)| *id)
                .or_else(|| Some(WorkflowId(name_or_id.parse().ok()?)))
        };
        let found = id.and_then(|id| self.find_steered(id, lever));
        after.leave(Ok(found)).await
    }

    async fn pull(
        &self,
        workflow: &SteeredWorkflow,
        lever: Lever,
        tables: &[TableNo],
    ) -> Result<bool, CheckpointError> {
        let after = self.faults.enter("pull").await?;
        let is_pulled = self.pull_now(workflow, lever, tables);
        after.leave(Ok(is_pulled)).await
    }
}

impl Store {
    fn find_steered(&self, id: WorkflowId, lever: Lever) -> Option<SteeredWorkflow> {
        let rows = self.rows();
        let workflow = rows.workflows.get(&id)?;
        let taken = rows.taken_states(id);
        let tables = rows.tables.iter().filter(|((w, _), _)| *w == id);
        let table = |(key, row): (&(WorkflowId, TableNo), &super::TableRow)| {
            let partitions = rows.partitions.iter();
            let failed = partitions.filter(|((w, t, _), partition)| {
                (*w, *t) == *key && partition.phase == PartitionPhase::Failed
            });
            let is_given_up = matches!(row.phase, TablePhase::Failed | TablePhase::Cancelled);
            SteeredTable {
                table_no: key.1,
                source_table: row.spec.source.to_string(),
                phase: row.phase,
                request: row.request,
                num_failed_partitions: failed.count() as u64,
                is_dry_run: row.spec.preflight.is_some(),
                cannot_retry: (taken.get(&key.1))
                    .filter(|_| lever == Lever::Retry && is_given_up)
                    .map(|holder| format!("the workflow {holder} has the state of this table")),
            }
        };
        Some(SteeredWorkflow {
            id,
            name: workflow.name.clone(),
            phase: workflow.phase,
            request: workflow.request,
            request_seq: workflow.request_seq,
            tables: tables.map(table).collect(),
        })
    }

    fn pull_now(&self, steered: &SteeredWorkflow, lever: Lever, tables: &[TableNo]) -> bool {
        let (id, is_whole) = (steered.id, tables.is_empty());
        let mut rows = self.rows();
        let rows = &mut *rows;
        let Some(workflow) = rows.workflows.get_mut(&id) else {
            return false;
        };
        let is_still = match lever {
            Lever::Retry => workflow.phase == steered.phase,
            Lever::Pause | Lever::Resume | Lever::Cancel => !workflow.phase.is_terminal(),
        };
        if !is_still || workflow.request_seq != steered.request_seq {
            return false;
        }
        workflow.request_seq += 1;
        match (lever, is_whole) {
            (Lever::Pause, true) => workflow.request = Some(Request::Pause),
            (Lever::Cancel, true) => workflow.request = Some(Request::Cancel),
            (Lever::Resume, true) => workflow.request = None,
            (Lever::Retry, _) => {
                workflow.request = workflow.request.filter(|asked| *asked != Request::Cancel);
                if workflow.phase.is_terminal() {
                    workflow.phase = WorkflowPhase::Executing;
                }
            }
            (Lever::Pause | Lever::Cancel | Lever::Resume, false) => {}
        }
        let asked = match lever {
            Lever::Pause => Some(Request::Pause),
            Lever::Cancel => Some(Request::Cancel),
            Lever::Retry => Some(Request::Retry),
            Lever::Resume => None,
        };
        let is_meant = |no: &TableNo| is_whole || tables.contains(no);
        let of_workflow = rows.tables.iter_mut().filter(|((w, _), _)| *w == id);
        for (_, table) in of_workflow.filter(|((_, no), _)| is_meant(no)) {
            match (is_whole, lever) {
                (false, _) => table.request = asked,
                // A table does not begin again in a workflow that is being cancelled.
                (true, Lever::Cancel) => {
                    table.request = table.request.filter(|asked| *asked == Request::Cancel);
                }
                (true, Lever::Resume) => {
                    table.request = table.request.filter(|asked| *asked != Request::Pause);
                }
                (true, Lever::Pause | Lever::Retry) => {}
            }
        }
        if lever == Lever::Cancel {
            for task in rows.tasks.values_mut() {
                let is_open = matches!(task.phase, TaskPhase::Pending | TaskPhase::Claimed);
                if task.workflow_id == id && is_meant(&task.table_no) && is_open {
                    task.cancel();
                }
            }
        }
        true
    }

    /// Pulls a lever now, whatever was asked before.
    fn pull_at_once(&self, id: WorkflowId, request: Option<Request>, tables: &[TableNo]) {
        let lever = match request {
            Some(Request::Pause) => Lever::Pause,
            Some(Request::Cancel) => Lever::Cancel,
            Some(Request::Retry) => Lever::Retry,
            None => Lever::Resume,
        };
        let steered = self.find_steered(id, lever);
        assert!(
            steered.is_some_and(|steered| self.pull_now(&steered, lever, tables)),
            "{request:?} of {tables:?} cannot be asked now"
        );
    }

    /// Asks for something, or withdraws a pause, of a workflow as a whole.
    pub fn ask(&self, id: WorkflowId, request: Option<Request>) {
        self.pull_at_once(id, request, &[]);
    }

    /// The same of one table.
    pub fn ask_table(&self, id: WorkflowId, no: u32, request: Option<Request>) {
        self.pull_at_once(id, request, &[TableNo(no)]);
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
}
