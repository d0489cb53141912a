//! The end of a workflow, written in one transaction.

use super::contract::*;
use super::hybrid::{Cells, HybridCheckpoint, corrupt};
use super::requests::ENDED_TABLE;
use crate::domain::phase::WorkflowPhase;
use crate::domain::request::Request;
use crate::failpoint::Step;

impl HybridCheckpoint {
    /// As [`OrchestratorCheckpoint::complete_workflow`] says.
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
            "UPDATE {s}.TASK_QUEUE SET COLLECTED_AT = SYSDATE(), ENDED_AT = COALESCE(ENDED_AT, SYSDATE()), STATUS = IFF(STATUS IN ('PENDING', 'CLAIMED'), 'CANCELLED', STATUS), \
             CLAIM_TOKEN = IFF(STATUS = 'CLAIMED', NULL, CLAIM_TOKEN) WHERE WORKFLOW_ID = {id} AND COLLECTED_AT IS NULL AND {fence}"
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
}
