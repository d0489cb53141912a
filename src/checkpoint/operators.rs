//! What the command line asks of the hybrid tables to carry an operator's command to workflows. It writes requests, which the workflow's owner
//! carries out, and stops tasks that nobody wants any more.

use super::cells::{Cells, corrupt};
use super::contract::*;
use super::fence::unique_step;
use super::hybrid::HybridCheckpoint;
use super::operator_contract::*;
use super::operator_sql::{Operands, statements};
use super::phase_sql::{PARTITION_FAILED, TABLE_CANCELLED, TABLE_FAILED};
use super::requests::{request, state_taken};
use super::sql::text;
use crate::domain::phase::{TablePhase, WorkflowPhase};
use crate::domain::request::OperatorCommand;
use crate::domain::spec::TableSpec;
use crate::domain::{TableNo, WorkflowId};
use crate::failpoint::Step;
use crate::snowflake::Row;
use async_trait::async_trait;

#[async_trait]
impl OperatorRequests for HybridCheckpoint {
    async fn commanded(
        &self,
        name_or_id: &str,
        command: OperatorCommand,
    ) -> Result<Option<CommandedWorkflow>, CheckpointError> {
        let by_id = name_or_id
            .parse::<i64>()
            .map_or_else(|_| String::new(), |id| format!(" OR w.WORKFLOW_ID = {id}"));
        let sql = format!(
            "SELECT w.WORKFLOW_ID, w.NAME, w.STATUS, x.REQUEST, x.REQUEST_SEQ FROM {s}.WORKFLOW w JOIN {s}.WORKFLOW_REQUEST x ON x.WORKFLOW_ID = w.WORKFLOW_ID \
             WHERE w.NAME = {name}{by_id} ORDER BY IFF(w.NAME = {name}, 0, 1) LIMIT 1",
            s = self.s,
            name = text(name_or_id)
        );
        let rows = self.query(&sql).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let mut c = Cells(row, 0);
        let (id, name, status) = (WorkflowId(c.number()?), c.text()?, c.text()?);
        Ok(Some(CommandedWorkflow {
            id,
            name,
            phase: WorkflowPhase::parse(&status)
                .ok_or_else(|| corrupt("a workflow's status", &status))?,
            request: request(c.text_opt())?,
            request_seq: c.number()?,
            tables: self.commanded_tables(id, command).await?,
        }))
    }

    async fn submit(
        &self,
        workflow: &CommandedWorkflow,
        command: OperatorCommand,
        tables: &[TableNo],
    ) -> Result<bool, CheckpointError> {
        let transaction = self.client.begin(Step::RequestBegin).await?;
        let written = async {
            let (id, seq) = (workflow.id.to_string(), workflow.request_seq.to_string());
            let step = unique_step().to_string();
            let tables: Vec<String> = tables.iter().map(TableNo::to_string).collect();
            let operands = Operands {
                s: &self.s,
                id: &id,
                seq: &seq,
                step: &step,
                phase: (command == OperatorCommand::Retry).then_some(workflow.phase),
                tables: &tables,
            };
            let mut statements = statements(command, &operands).into_iter();
            if let Some(first) = statements.next()
                && transaction.execute(Step::RequestWrite, &first).await? != 1
            {
                return Ok(false);
            }
            for sql in statements {
                transaction.execute(Step::RequestWrite, &sql).await?;
            }
            Ok::<_, CheckpointError>(true)
        };
        // In doubt, whoever asked reads the workflow again and finds the request, or not.
        let written = written.await;
        transaction
            .end(Step::RequestCommit, written, |it| *it)
            .await
    }
}

impl HybridCheckpoint {
    async fn commanded_tables(
        &self,
        id: WorkflowId,
        command: OperatorCommand,
    ) -> Result<Vec<CommandedTable>, CheckpointError> {
        let s = &self.s;
        let sql = format!(
            "SELECT t.TABLE_NO, t.SOURCE_TABLE, t.PHASE, r.REQUEST, COALESCE(f.FAILED, 0), t.SPEC FROM {s}.TABLE_STATE t \
             LEFT JOIN {s}.TABLE_REQUEST r ON r.WORKFLOW_ID = t.WORKFLOW_ID AND r.TABLE_NO = t.TABLE_NO \
             LEFT JOIN (SELECT TABLE_NO, COUNT(*) AS FAILED FROM {s}.\"PARTITION\" WHERE WORKFLOW_ID = {id} AND PHASE = {PARTITION_FAILED} GROUP BY TABLE_NO) f ON f.TABLE_NO = t.TABLE_NO \
             WHERE t.WORKFLOW_ID = {id} ORDER BY t.TABLE_NO"
        );
        let read = |row: &Row| {
            let mut c = Cells(row, 0);
            let (table_no, source_table, phase) = (TableNo(c.number()?), c.text()?, c.text()?);
            Ok(CommandedTable {
                table_no,
                source_table,
                phase: TablePhase::parse(&phase)
                    .ok_or_else(|| corrupt("a table's phase", &phase))?,
                request: request(c.text_opt())?,
                num_failed_partitions: c.number()?,
                is_dry_run: c.json::<TableSpec>()?.preflight.is_some(),
                cannot_retry: None,
            })
        };
        let mut tables: Vec<CommandedTable> = self
            .query(&sql)
            .await?
            .iter()
            .map(read)
            .collect::<Result<_, CheckpointError>>()?;
        if command == OperatorCommand::Retry {
            let not_loaded = format!("PHASE IN ({TABLE_FAILED}, {TABLE_CANCELLED})");
            let of = format!("WORKFLOW_ID = {id} AND {not_loaded}");
            let taken = self.taken_states(id, &of).await?;
            for table in &mut tables {
                table.cannot_retry = taken.get(&table.table_no).map(|name| state_taken(name));
            }
        }
        Ok(tables)
    }
}
