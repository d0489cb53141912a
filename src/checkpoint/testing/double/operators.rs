//! What the command line asks for operators.

use super::Store;
use crate::checkpoint::{CheckpointError, CommandedTable, CommandedWorkflow, OperatorRequests};
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::{OperatorCommand, Request};
use crate::domain::{PartitionNo, TableNo, WorkflowId};
use async_trait::async_trait;

#[async_trait]
impl OperatorRequests for Store {
    async fn commanded(
        &self,
        name_or_id: &str,
        command: OperatorCommand,
    ) -> Result<Option<CommandedWorkflow>, CheckpointError> {
        let after = self.faults.enter("commanded").await?;
        let id = {
            let rows = self.rows();
            let mut named = rows.workflows.iter();
            let named = named.find(|(_, row)| row.name == name_or_id);
            named
                .map(|(id, _)| *id)
                .or_else(|| Some(WorkflowId(name_or_id.parse().ok()?)))
        };
        let found = id.and_then(|id| self.find_commanded(id, command));
        after.leave(Ok(found)).await
    }

    async fn submit(
        &self,
        workflow: &CommandedWorkflow,
        command: OperatorCommand,
        tables: &[TableNo],
    ) -> Result<bool, CheckpointError> {
        let after = self.faults.enter("submit").await?;
        let is_submitted = self.submit_now(workflow, command, tables);
        after.leave(Ok(is_submitted)).await
    }
}

impl Store {
    fn find_commanded(
        &self,
        id: WorkflowId,
        command: OperatorCommand,
    ) -> Option<CommandedWorkflow> {
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
            CommandedTable {
                table_no: key.1,
                source_table: row.spec.source.to_string(),
                phase: row.phase,
                request: row.request,
                num_failed_partitions: failed.count() as u64,
                is_dry_run: row.spec.preflight.is_some(),
                cannot_retry: (taken.get(&key.1))
                    .filter(|_| command == OperatorCommand::Retry && is_given_up)
                    .map(|holder| format!("the workflow {holder} has the state of this table")),
            }
        };
        Some(CommandedWorkflow {
            id,
            name: workflow.name.clone(),
            phase: workflow.phase,
            request: workflow.request,
            request_seq: workflow.request_seq,
            tables: tables.map(table).collect(),
        })
    }

    fn submit_now(
        &self,
        commanded: &CommandedWorkflow,
        command: OperatorCommand,
        tables: &[TableNo],
    ) -> bool {
        let (id, is_whole) = (commanded.id, tables.is_empty());
        let mut rows = self.rows();
        let rows = &mut *rows;
        let Some(workflow) = rows.workflows.get_mut(&id) else {
            return false;
        };
        let is_still = match command {
            OperatorCommand::Retry => workflow.phase == commanded.phase,
            OperatorCommand::Pause | OperatorCommand::Resume | OperatorCommand::Cancel => {
                !workflow.phase.is_terminal()
            }
        };
        if !is_still || workflow.request_seq != commanded.request_seq {
            return false;
        }
        workflow.request_seq += 1;
        match (command, is_whole) {
            (OperatorCommand::Pause, true) => workflow.request = Some(Request::Pause),
            (OperatorCommand::Cancel, true) => workflow.request = Some(Request::Cancel),
            (OperatorCommand::Resume, true) => workflow.request = None,
            (OperatorCommand::Retry, _) => {
                workflow.request = workflow.request.filter(|asked| *asked != Request::Cancel);
                if workflow.phase.is_terminal() {
                    workflow.phase = WorkflowPhase::Executing;
                }
            }
            (OperatorCommand::Pause | OperatorCommand::Cancel | OperatorCommand::Resume, false) => {
            }
        }
        let asked = match command {
            OperatorCommand::Pause => Some(Request::Pause),
            OperatorCommand::Cancel => Some(Request::Cancel),
            OperatorCommand::Retry => Some(Request::Retry),
            OperatorCommand::Resume => None,
        };
        let is_meant = |no: &TableNo| is_whole || tables.contains(no);
        let of_workflow = rows.tables.iter_mut().filter(|((w, _), _)| *w == id);
        for (_, table) in of_workflow.filter(|((_, no), _)| is_meant(no)) {
            match (is_whole, command) {
                (false, _) => table.request = asked,
                // A table does not begin again in a workflow that is being cancelled.
                (true, OperatorCommand::Cancel) => {
                    table.request = table.request.filter(|asked| *asked == Request::Cancel);
                }
                (true, OperatorCommand::Resume) => {
                    table.request = table.request.filter(|asked| *asked != Request::Pause);
                }
                (true, OperatorCommand::Pause | OperatorCommand::Retry) => {}
            }
        }
        if command == OperatorCommand::Cancel {
            for task in rows.tasks.values_mut() {
                let is_open = matches!(task.phase, TaskPhase::Pending | TaskPhase::Claimed);
                if task.workflow_id == id && is_meant(&task.table_no) && is_open {
                    task.cancel();
                }
            }
        }
        true
    }

    /// Submits a command now, whatever was asked before.
    fn pull_at_once(&self, id: WorkflowId, request: Option<Request>, tables: &[TableNo]) {
        let command = match request {
            Some(Request::Pause) => OperatorCommand::Pause,
            Some(Request::Cancel) => OperatorCommand::Cancel,
            Some(Request::Retry) => OperatorCommand::Retry,
            None => OperatorCommand::Resume,
        };
        let commanded = self.find_commanded(id, command);
        assert!(
            commanded.is_some_and(|commanded| self.submit_now(&commanded, command, tables)),
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
