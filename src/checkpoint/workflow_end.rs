//! The end of a workflow, written in one transaction; and what whoever cleans up after it asks.

use super::cells::{Cells, corrupt};
use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::phase_sql::{ENDED_TABLE, TABLE_COMPLETED, TASK_CANCELLED, TASK_CLAIMED, TASK_PENDING};
use crate::domain::TableNo;
use crate::domain::phase::WorkflowPhase;
use crate::domain::request::Request;
use crate::failpoint::Step;
use crate::snowflake::SnowflakeError;
use std::collections::BTreeSet;
use std::time::Duration;

impl HybridCheckpoint {
    /// As [`super::OrchestratorCheckpoint::complete_workflow`] says.
    pub(super) async fn end_workflow(
        &self,
        owned: &OwnedWorkflow,
        end: WorkflowPhase,
    ) -> Result<Applied, CheckpointError> {
        let (s, id, fence) = (&self.s, owned.id, self.fence(owned));
        // Everybody who asks something of the workflow changes this row first. Locked, and as it is known here, it says that
        // nothing has been asked since, so that no owner of this epoch has let a table run again, and keeps it so.
        let lock = format!(
            "UPDATE {s}.WORKFLOW_REQUEST SET REQUESTED_AT = REQUESTED_AT WHERE WORKFLOW_ID = {id} AND REQUEST_SEQ = {} AND {fence}",
            owned.request_seq
        );
        // Who dies between a change of phase and the collection of its tasks leaves these behind, and nobody asks for
        // them again: the partitions are past them. Nobody wants those that have not ended either.
        let leftover = format!(
            "UPDATE {s}.TASK_QUEUE SET COLLECTED_AT = SYSDATE(), ENDED_AT = COALESCE(ENDED_AT, SYSDATE()), STATUS = IFF(STATUS IN ({TASK_PENDING}, {TASK_CLAIMED}), {TASK_CANCELLED}, STATUS), \
             CLAIM_TOKEN = IFF(STATUS = {TASK_CLAIMED}, NULL, CLAIM_TOKEN) WHERE WORKFLOW_ID = {id} AND COLLECTED_AT IS NULL AND {fence}"
        );
        let complete = format!(
            "UPDATE {s}.WORKFLOW SET STATUS = '{end}', ENDED_AT = SYSDATE(), OWNER = NULL WHERE WORKFLOW_ID = {id} AND OWNER_EPOCH = {} AND STATUS = '{}' \
             AND NOT EXISTS (SELECT 1 FROM {s}.TABLE_STATE t WHERE t.WORKFLOW_ID = {id} AND t.PHASE NOT IN {ENDED_TABLE}) \
             AND NOT EXISTS (SELECT 1 FROM {s}.TABLE_REQUEST r WHERE r.WORKFLOW_ID = {id} AND r.REQUEST = '{}') \
             AND EXISTS (SELECT 1 FROM {s}.WORKFLOW_REQUEST x WHERE x.WORKFLOW_ID = {id} AND x.REQUEST_SEQ = {})",
            owned.epoch,
            WorkflowPhase::Executing,
            Request::Retry.as_str(),
            owned.request_seq
        );
        let transaction = self.client.begin(Step::CompleteBegin).await?;
        let written: Result<bool, CheckpointError> = async {
            if transaction.execute(Step::CompleteLock, &lock).await? != 1 {
                return Ok(false);
            }
            transaction
                .execute(Step::WorkflowCollect, &leftover)
                .await?;
            Ok(transaction
                .execute(Step::WorkflowComplete, &complete)
                .await?
                == 1)
        }
        .await;
        // In doubt, the asker asks again, and finds here what is true.
        if transaction
            .end(Step::CompleteCommit, written, |it| *it)
            .await?
        {
            self.purge_tasks().await;
            return Ok(Applied::Yes);
        }
        self.how_it_ended(owned).await
    }

    /// Nothing was written: it was written before (a lost reply), it cannot be yet, or somebody else has the workflow.
    async fn how_it_ended(&self, owned: &OwnedWorkflow) -> Result<Applied, CheckpointError> {
        let sql = format!(
            "SELECT STATUS FROM {}.WORKFLOW WHERE WORKFLOW_ID = {} AND OWNER_EPOCH = {}",
            self.s, owned.id, owned.epoch
        );
        let rows = self.query(&sql).await?;
        let Some(row) = rows.first() else {
            return Err(CheckpointError::Fenced(owned.id));
        };
        let status = Cells(row, 0).text()?;
        let phase =
            WorkflowPhase::parse(&status).ok_or_else(|| corrupt("a workflow's status", &status))?;
        Ok(if phase.is_terminal() {
            Applied::Yes
        } else {
            Applied::No
        })
    }

    /// Whether this owner still drives the workflow. One statement.
    ///
    /// # Errors
    /// Why Snowflake does not answer.
    pub async fn is_driven_here(&self, owned: &OwnedWorkflow) -> Result<bool, SnowflakeError> {
        let sql = format!(
            "SELECT WORKFLOW_ID FROM {}.WORKFLOW WHERE WORKFLOW_ID = {} AND OWNER_EPOCH = {} AND OWNER IS NOT NULL",
            self.s, owned.id, owned.epoch.0
        );
        Ok(!self.client.query(&sql).await?.is_empty())
    }

    /// The tables that have been completed since the workflow ended the last time, if it ever did. One statement.
    ///
    /// # Errors
    /// Why Snowflake does not answer.
    pub async fn completed_since_last_end(
        &self,
        owned: &OwnedWorkflow,
    ) -> Result<BTreeSet<TableNo>, SnowflakeError> {
        let sql = format!(
            "SELECT t.TABLE_NO FROM {s}.TABLE_STATE t JOIN {s}.WORKFLOW w ON w.WORKFLOW_ID = t.WORKFLOW_ID \
             WHERE t.WORKFLOW_ID = {} AND t.PHASE = {TABLE_COMPLETED} AND (w.ENDED_AT IS NULL OR t.ENDED_AT > w.ENDED_AT)",
            owned.id,
            s = self.s
        );
        let rows = self.client.query(&sql).await?;
        let numbers = rows.into_iter().flatten().flatten();
        Ok(numbers
            .filter_map(|text| text.parse().ok().map(TableNo))
            .collect())
    }

    /// For how long workers of cancelled tasks may go on. `None`: there is none. One statement.
    ///
    /// # Errors
    /// Why Snowflake does not answer.
    pub async fn cancelled_leases(
        &self,
        owned: &OwnedWorkflow,
    ) -> Result<Option<Duration>, SnowflakeError> {
        let sql = format!(
            "SELECT TIMESTAMPDIFF('millisecond', SYSDATE(), MAX(LEASE_UNTIL)) FROM {}.TASK_QUEUE WHERE WORKFLOW_ID = {} AND STATUS = {TASK_CANCELLED} AND LEASE_UNTIL > SYSDATE()",
            self.s, owned.id
        );
        let rows = self.client.query(&sql).await?;
        let left = rows.into_iter().flatten().next().flatten();
        let left = left.and_then(|text| text.parse::<u64>().ok());
        Ok(left.map(|ms| Duration::from_millis(ms.max(1))))
    }
}
