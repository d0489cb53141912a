//! What operators ask, as the workflow's owner and the workers see it: `WORKFLOW_REQUEST` and `TABLE_REQUEST`.
//!
//! Only the command line and the procedures of the worksheet write requests, and only a workflow's owner carries them out, fenced by its epoch.

use super::cells::{Cells, corrupt};
use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::phase_sql::{
    CANCELLED_TASK, ENDED_TABLE, PARTITION_CANCELLED, PARTITION_FAILED, PARTITION_PENDING,
    PARTITION_STAGED, QUEUED_AGAIN, TABLE_CANCELLED, TABLE_EXECUTING, TABLE_FAILED, TABLE_PENDING,
    WORKFLOW_CANCELLED, WORKFLOW_COMPLETED, WORKFLOW_EXECUTING,
};
use super::sql::{number_list, text, text_list, values};
use crate::domain::request::{DueRequests, Request};
use crate::domain::table_plan::TablePlan;
use crate::domain::{TableNo, WorkflowId};
use crate::failpoint::Step;
use crate::snowflake::Transaction;
use std::collections::BTreeMap;

/// Reads a request.
pub(super) fn request(stored: Option<String>) -> Result<Option<Request>, CheckpointError> {
    stored
        .map(|text| Request::parse(&text).ok_or_else(|| corrupt("a request", &text)))
        .transpose()
}

impl HybridCheckpoint {
    /// The query of those driven workflows of which something was asked that their owner does not know yet.
    pub(super) fn asked_of(&self, search: &WorkflowSearch<'_>) -> Option<String> {
        let rows: Vec<_> = search
            .driven
            .iter()
            .map(|(id, _, seq)| vec![id.to_string(), seq.to_string()])
            .collect();
        (!rows.is_empty()).then(|| {
            format!(
                "SELECT x.WORKFLOW_ID FROM {}.WORKFLOW_REQUEST x JOIN ({}) v ON v.I = x.WORKFLOW_ID WHERE x.REQUEST_SEQ <> v.N",
                self.s,
                values(&["I", "N"], &rows)
            )
        })
    }

    /// As [`super::OrchestratorCheckpoint::apply_requests`] says.
    pub(super) async fn apply_due_requests(
        &self,
        owned: &OwnedWorkflow,
        orders: &DueRequests<TableNo>,
    ) -> Result<(), CheckpointError> {
        let lost = self.lost_states(owned, &orders.retry).await?;
        let retry: Vec<TableNo> = orders
            .retry
            .iter()
            .copied()
            .filter(|no| !lost.contains_key(no))
            .collect();
        let mut statements = Vec::new();
        if !orders.cancel.is_empty() {
            statements.extend(self.cancellation(owned, &orders.cancel));
        }
        if !retry.is_empty() {
            statements.extend(self.repetition(owned, &retry));
        }
        for (no, holder) in &lost {
            statements.extend(self.refusal(owned, *no, holder));
        }
        if !orders.withdraw.is_empty() {
            statements.push(self.withdrawal_if_cancelled(owned, &orders.withdraw));
        }
        let transaction = self.client.begin(Step::OrdersBegin).await?;
        let done = async {
            self.check_owner_within(&transaction, owned).await?;
            for sql in &statements {
                transaction.execute(Step::OrdersWrite, sql).await?;
            }
            // An owner that was frozen in between has lost the workflow meanwhile: its last statements match nothing, and
            // then the first ones must not count either.
            self.check_owner_within(&transaction, owned).await?;
            Ok::<_, CheckpointError>(())
        };
        // In doubt, the asker reads the tables again and finds what is true.
        let done = done.await;
        transaction.end(Step::OrdersCommit, done, |()| true).await
    }

    async fn check_owner_within(
        &self,
        transaction: &Transaction,
        owned: &OwnedWorkflow,
    ) -> Result<(), CheckpointError> {
        // Not by a lock of the workflow's row: what follows may wait for a load, and the lease is renewed meanwhile.
        let owner = format!("SELECT 1 WHERE {}", self.fence(owned));
        if transaction.query(&owner).await?.is_empty() {
            return Err(CheckpointError::Fenced(owned.id));
        }
        Ok(())
    }

    /// The table's rows first: that waits for a load under way, and keeps others out. What it has loaded is seen then.
    fn cancellation(&self, owned: &OwnedWorkflow, tables: &[TableNo]) -> Vec<String> {
        let (s, of, fence) = (&self.s, of_tables(owned.id, tables), self.fence(owned));
        vec![
            format!(
                "UPDATE {s}.TABLE_STATE SET PHASE = {TABLE_CANCELLED}, ENDED_AT = SYSDATE(), LOAD_PERMIT = NULL, {NO_LOAD_FAILURES} WHERE {of} \
                 AND OWNER_EPOCH = {} AND PHASE NOT IN {ENDED_TABLE}",
                owned.epoch
            ),
            format!(
                "UPDATE {s}.\"PARTITION\" SET PHASE = {PARTITION_CANCELLED} WHERE {of} AND PHASE IN ({PARTITION_PENDING}, {PARTITION_STAGED}) AND {fence}"
            ),
            format!(
                "UPDATE {s}.TASK_QUEUE SET {CANCELLED_TASK} \
                 WHERE {of} AND COLLECTED_AT IS NULL AND {fence}"
            ),
            // Whatever was asked: it is cancelled.
            format!("DELETE FROM {s}.TABLE_REQUEST WHERE {of} AND {fence}"),
        ]
    }

    fn repetition(&self, owned: &OwnedWorkflow, tables: &[TableNo]) -> Vec<String> {
        let (s, of, fence) = (&self.s, of_tables(owned.id, tables), self.fence(owned));
        // Of a table that goes on only what failed or was cancelled; of one that had ended all that is not in the target: staged files may be
        // gone, and what was cancelled was staged by attempts that count no more.
        let open = format!(
            "SELECT p.PARTITION_NO FROM {s}.\"PARTITION\" p JOIN {s}.TABLE_STATE t ON t.WORKFLOW_ID = p.WORKFLOW_ID AND t.TABLE_NO = p.TABLE_NO"
        );
        let again = format!(
            "(p.PHASE IN ({PARTITION_FAILED}, {PARTITION_CANCELLED}) OR (t.PHASE IN ({TABLE_FAILED}, {TABLE_CANCELLED}) AND p.PHASE IN ({PARTITION_PENDING}, {PARTITION_STAGED})))"
        );
        vec![
            format!(
                "UPDATE {s}.TABLE_STATE SET LOAD_SEQ = 0 WHERE {of} AND OWNER_EPOCH = {}",
                owned.epoch
            ),
            // The analysis, where there is no plan yet.
            format!(
                "UPDATE {s}.TASK_QUEUE q SET {QUEUED_AGAIN} WHERE {} AND q.PARTITION_NO IS NULL AND {fence} AND EXISTS (SELECT 1 FROM {s}.TABLE_STATE t \
                 WHERE t.WORKFLOW_ID = q.WORKFLOW_ID AND t.TABLE_NO = q.TABLE_NO AND t.EXTRACTION IS NULL AND t.PHASE IN ({TABLE_FAILED}, {TABLE_CANCELLED}))",
                qualified(&of, "q")
            ),
            format!(
                "UPDATE {s}.TASK_QUEUE q SET {QUEUED_AGAIN} WHERE {} AND {fence} AND EXISTS ({open} WHERE p.WORKFLOW_ID = q.WORKFLOW_ID \
                 AND p.TABLE_NO = q.TABLE_NO AND p.PARTITION_NO = q.PARTITION_NO AND {again})",
                qualified(&of, "q")
            ),
            format!(
                "UPDATE {s}.\"PARTITION\" p SET PHASE = {PARTITION_PENDING}, ATTEMPT = NULL, MANIFEST = NULL, ROWS_STAGED = NULL, BYTES = NULL, STAGED_AT = NULL, \
                 FAILED_AT = NULL, ERROR = NULL FROM {s}.TABLE_STATE t WHERE t.WORKFLOW_ID = p.WORKFLOW_ID AND t.TABLE_NO = p.TABLE_NO AND {} AND {again} AND {fence}",
                qualified(&of, "p")
            ),
            format!(
                "UPDATE {s}.TABLE_STATE SET PHASE = IFF(EXTRACTION IS NULL, {TABLE_PENDING}, {TABLE_EXECUTING}), ERROR = NULL, ENDED_AT = NULL, {NO_LOAD_FAILURES} \
                 WHERE {of} AND OWNER_EPOCH = {} AND PHASE IN ({TABLE_FAILED}, {TABLE_CANCELLED})",
                owned.epoch
            ),
            // Usually done already by whoever asked; not when the workflow ended in that moment.
            format!(
                "UPDATE {s}.WORKFLOW SET STATUS = {WORKFLOW_EXECUTING} WHERE WORKFLOW_ID = {} AND OWNER_EPOCH = {} AND STATUS IN ({WORKFLOW_COMPLETED}, {WORKFLOW_CANCELLED})",
                owned.id, owned.epoch
            ),
            self.withdrawal(&of, &fence),
        ]
    }

    /// A table that cannot run again: it says why, and the request goes.
    fn refusal(&self, owned: &OwnedWorkflow, no: TableNo, holder: &str) -> Vec<String> {
        let (of, fence) = (of_tables(owned.id, &[no]), self.fence(owned));
        let error = state_taken(holder);
        vec![
            format!(
                "UPDATE {}.TABLE_STATE SET ERROR = {} WHERE {of} AND OWNER_EPOCH = {} AND PHASE IN ({TABLE_FAILED}, {TABLE_CANCELLED})",
                self.s,
                text(&error),
                owned.epoch
            ),
            self.withdrawal(&of, &fence),
        ]
    }

    fn withdrawal(&self, of: &str, fence: &str) -> String {
        format!(
            "DELETE FROM {}.TABLE_REQUEST WHERE {of} AND REQUEST = 'RETRY' AND {fence}",
            self.s
        )
    }

    /// A table that is to run again of a workflow that is cancelled, if it is that still: operators may have asked again.
    fn withdrawal_if_cancelled(&self, owned: &OwnedWorkflow, tables: &[TableNo]) -> String {
        let (of, fence) = (of_tables(owned.id, tables), self.fence(owned));
        format!(
            "{} AND EXISTS (SELECT 1 FROM {}.WORKFLOW_REQUEST x WHERE x.WORKFLOW_ID = {} AND x.REQUEST = 'CANCEL')",
            self.withdrawal(&of, &fence),
            self.s,
            owned.id
        )
    }

    /// Those of these tables whose state of earlier runs another workflow has taken, with its name.
    async fn lost_states(
        &self,
        owned: &OwnedWorkflow,
        tables: &[TableNo],
    ) -> Result<BTreeMap<TableNo, String>, CheckpointError> {
        if tables.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.taken_states(owned.id, &of_tables(owned.id, tables))
            .await
    }

    /// Those of a workflow's planned tables, of which `of` holds, whose state of earlier runs another workflow has taken.
    /// One statement, two if some of them have such a state.
    pub(super) async fn taken_states(
        &self,
        id: WorkflowId,
        of: &str,
    ) -> Result<BTreeMap<TableNo, String>, CheckpointError> {
        let planned = format!(
            "SELECT TABLE_NO, EXTRACTION FROM {}.TABLE_STATE WHERE {of} AND EXTRACTION IS NOT NULL",
            self.s
        );
        let mut keys = BTreeMap::new();
        for row in self.query(&planned).await? {
            let mut c = Cells(&row, 0);
            let no = TableNo(c.number()?);
            if let Some(key) = c.json::<TablePlan>()?.sync.state_key {
                keys.insert(key, no);
            }
        }
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let taken = format!(
            "SELECT y.SYNC_KEY, w.NAME FROM {s}.SYNCHRONIZATION y JOIN {s}.WORKFLOW w ON w.WORKFLOW_ID = y.WORKFLOW_ID WHERE y.WORKFLOW_ID <> {id} AND y.SYNC_KEY IN {}",
            text_list(keys.keys().map(String::as_str)),
            s = self.s
        );
        let mut holders = BTreeMap::new();
        for row in self.query(&taken).await? {
            let mut c = Cells(&row, 0);
            let (key, holder) = (c.text()?, c.text()?);
            if let Some(no) = keys.get(&key) {
                holders.insert(*no, holder);
            }
        }
        Ok(holders)
    }
}

/// What is said of a table that cannot run again because of another workflow.
pub(super) fn state_taken(holder: &str) -> String {
    format!(
        "the workflow {holder} has synchronized the same source table into the same target since, so that this run cannot go on: create a new workflow, which moves what is missing"
    )
}

/// No load has failed since the last one that committed.
pub(super) const NO_LOAD_FAILURES: &str =
    "LOAD_FAILURES = NULL, LOAD_NOT_BEFORE = NULL, LOAD_ERROR = NULL";

/// The condition on a workflow's tables.
pub(super) fn of_tables(id: WorkflowId, tables: &[TableNo]) -> String {
    format!("WORKFLOW_ID = {id} AND TABLE_NO IN {}", number_list(tables))
}

/// The same for a row that has a name.
fn qualified(of: &str, row: &str) -> String {
    of.replace("WORKFLOW_ID", &format!("{row}.WORKFLOW_ID"))
        .replace("TABLE_NO", &format!("{row}.TABLE_NO"))
}
