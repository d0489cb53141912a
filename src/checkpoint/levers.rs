//! What the command line asks of the hybrid tables to steer workflows. It writes requests, which the workflow's owner
//! carries out, and stops tasks that nobody wants any more.

use super::contract::*;
use super::fence::unique_step;
use super::hybrid::{Cells, HybridCheckpoint, corrupt};
use super::lever_contract::*;
use super::requests::{of_tables, request, state_taken};
use super::sql::{text, values};
use crate::domain::phase::{TablePhase, WorkflowPhase};
use crate::domain::request::{Lever, Request};
use crate::domain::spec::TableSpec;
use crate::domain::{TableNo, WorkflowId};
use crate::failpoint::Step;
use crate::snowflake::Row;
use async_trait::async_trait;

#[async_trait]
impl WorkflowLevers for HybridCheckpoint {
    async fn steered(
        &self,
        name_or_id: &str,
        lever: Lever,
    ) -> Result<Option<SteeredWorkflow>, CheckpointError> {
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
        Ok(Some(SteeredWorkflow {
            id,
            name,
            phase: WorkflowPhase::parse(&status)
                .ok_or_else(|| corrupt("a workflow's status", &status))?,
            request: request(c.text_opt())?,
            request_seq: c.number()?,
            tables: self.steered_tables(id, lever).await?,
        }))
    }

    async fn pull(
        &self,
        workflow: &SteeredWorkflow,
        lever: Lever,
        tables: &[TableNo],
    ) -> Result<bool, CheckpointError> {
        let transaction = self.client.begin(Step::RequestBegin).await?;
        let written = async {
            let mut statements = self.statements(workflow, lever, tables).into_iter();
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
    async fn steered_tables(
        &self,
        id: WorkflowId,
        lever: Lever,
    ) -> Result<Vec<SteeredTable>, CheckpointError> {
        let s = &self.s;
        let sql = format!(
            "SELECT t.TABLE_NO, t.SOURCE_TABLE, t.PHASE, r.REQUEST, COALESCE(f.FAILED, 0), t.SPEC FROM {s}.TABLE_STATE t \
             LEFT JOIN {s}.TABLE_REQUEST r ON r.WORKFLOW_ID = t.WORKFLOW_ID AND r.TABLE_NO = t.TABLE_NO \
             LEFT JOIN (SELECT TABLE_NO, COUNT(*) AS FAILED FROM {s}.\"PARTITION\" WHERE WORKFLOW_ID = {id} AND PHASE = 'FAILED' GROUP BY TABLE_NO) f ON f.TABLE_NO = t.TABLE_NO \
             WHERE t.WORKFLOW_ID = {id} ORDER BY t.TABLE_NO"
        );
        let read = |row: &Row| {
            let mut c = Cells(row, 0);
            let (table_no, source_table, phase) = (TableNo(c.number()?), c.text()?, c.text()?);
            Ok(SteeredTable {
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
        let mut tables: Vec<SteeredTable> = self
            .query(&sql)
            .await?
            .iter()
            .map(read)
            .collect::<Result<_, CheckpointError>>()?;
        if lever == Lever::Retry {
            let not_loaded = "PHASE IN ('FAILED', 'CANCELLED')";
            let of = format!("WORKFLOW_ID = {id} AND {not_loaded}");
            let taken = self.taken_states(id, &of).await?;
            for table in &mut tables {
                table.cannot_retry = taken.get(&table.table_no).map(|name| state_taken(name));
            }
        }
        Ok(tables)
    }

    /// The first must change one row; then nobody else steers before the end of the transaction.
    fn statements(
        &self,
        workflow: &SteeredWorkflow,
        lever: Lever,
        tables: &[TableNo],
    ) -> Vec<String> {
        let (s, id) = (&self.s, workflow.id);
        let whole = tables.is_empty();
        // Running again is asked of tables, and ends the cancellation of the whole.
        let set = match (lever, whole) {
            (Lever::Pause, true) => "REQUEST = 'PAUSE', ",
            (Lever::Cancel, true) => "REQUEST = 'CANCEL', ",
            (Lever::Resume, true) => "REQUEST = NULL, ",
            (Lever::Retry, _) => "REQUEST = IFF(REQUEST = 'CANCEL', NULL, REQUEST), ",
            (Lever::Pause | Lever::Cancel | Lever::Resume, false) => "",
        };
        let still = match lever {
            Lever::Retry => format!("w.STATUS = '{}'", workflow.phase),
            Lever::Pause | Lever::Cancel | Lever::Resume => {
                "w.STATUS IN ('PENDING', 'EXECUTING')".to_owned()
            }
        };
        let mut statements = vec![format!(
            "UPDATE {s}.WORKFLOW_REQUEST SET {set}REQUEST_SEQ = REQUEST_SEQ + {step}, REQUESTED_AT = SYSDATE() WHERE WORKFLOW_ID = {id} AND REQUEST_SEQ = {} \
             AND EXISTS (SELECT 1 FROM {s}.WORKFLOW w WHERE w.WORKFLOW_ID = {id} AND {still})",
            workflow.request_seq,
            step = unique_step(),
        )];
        let of = if whole {
            format!("WORKFLOW_ID = {id}")
        } else {
            of_tables(id, tables)
        };
        let asked = match lever {
            Lever::Pause => Some(Request::Pause),
            Lever::Cancel => Some(Request::Cancel),
            Lever::Retry => Some(Request::Retry),
            Lever::Resume => None,
        };
        if !whole || matches!(lever, Lever::Resume | Lever::Cancel) {
            // A table does not begin again in a workflow that is being cancelled.
            let which = match (whole, lever) {
                (false, _) => "",
                (true, Lever::Cancel) => " AND REQUEST IN ('PAUSE', 'RETRY')",
                (true, _) => " AND REQUEST = 'PAUSE'",
            };
            statements.push(format!("DELETE FROM {s}.TABLE_REQUEST WHERE {of}{which}"));
        }
        if let Some(asked) = asked.filter(|_| !whole) {
            let rows: Vec<_> = tables.iter().map(|no| vec![no.to_string()]).collect();
            statements.push(format!(
                "INSERT INTO {s}.TABLE_REQUEST (WORKFLOW_ID, TABLE_NO, REQUEST) SELECT {id}, v.N, '{}' FROM ({}) v",
                asked.as_str(),
                values(&["N"], &rows)
            ));
        }
        match lever {
            // Whoever runs one learns at its next renewal, also while no orchestrator is there. Until its lease is past it may
            // run on: LEASE_UNTIL stays.
            Lever::Cancel => statements.push(format!(
                "UPDATE {s}.TASK_QUEUE SET STATUS = 'CANCELLED', CLAIM_TOKEN = NULL, ENDED_AT = SYSDATE(), COLLECTED_AT = SYSDATE() \
                 WHERE {of} AND STATUS IN ('PENDING', 'CLAIMED')"
            )),
            // ENDED_AT stays: what was completed before has been ended already.
            Lever::Retry => statements.push(format!(
                "UPDATE {s}.WORKFLOW SET STATUS = 'EXECUTING' WHERE WORKFLOW_ID = {id} AND STATUS IN ('COMPLETED', 'CANCELLED')"
            )),
            Lever::Pause | Lever::Resume => {}
        }
        statements
    }
}
