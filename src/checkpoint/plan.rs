//! A table's plan, written in one transaction.

use super::cells::{task_id, to_json};
use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::orchestrator_contract::*;
use super::phase_sql::{QUEUED_AGAIN, TABLE_EXECUTING, TASK_COMPLETED};
use super::sql::{before, portions, text, values};
use crate::domain::TableNo;
use crate::domain::phase::{PartitionPhase, TablePhase};
use crate::domain::task::TaskKind;
use crate::failpoint::Step;

impl HybridCheckpoint {
    /// As [`OrchestratorCheckpoint::write_plan`] says.
    pub(super) async fn write_table_plan(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        planned: &PlannedTable,
    ) -> Result<Applied, CheckpointError> {
        let (s, id) = (&self.s, owned.id);
        let sync_statements = planned
            .synchronization
            .as_ref()
            .map(|synchronization| {
                self.sync_plan_statements(owned, table_no, planned, synchronization)
            })
            .transpose()?;
        let started_from = planned
            .synchronization
            .as_ref()
            .and_then(|s| s.started_from.as_deref());
        let mut is_outdated = false;
        let transaction = self.client.begin(Step::PlanBegin).await?;
        let written: Result<bool, CheckpointError> = async {
            let update = format!(
                "UPDATE {s}.TABLE_STATE SET PHASE = {TABLE_EXECUTING}, EXTRACTION = {}, NUM_PARTITIONS = {}, ROW_ESTIMATE = {}, BYTE_ESTIMATE = {} \
                 WHERE WORKFLOW_ID = {id} AND TABLE_NO = {table_no} AND PHASE IN {} AND OWNER_EPOCH = {}",
                text(&to_json(&planned.plan)?),
                planned.partitions.len(),
                planned.row_estimate,
                planned.byte_estimate,
                before!(TablePhase::Executing),
                owned.epoch
            );
            if transaction.execute(Step::PlanTable, &update).await? != 1 {
                return Ok(false);
            }
            // An analysis may have read the state before this workflow took it over, from a workflow that moved it on.
            if !self.starts_from_stored(&transaction, (id, table_no), started_from).await? {
                is_outdated = true;
                return Ok(false);
            }
            let mut rows = Vec::with_capacity(planned.partitions.len());
            for (no, partition) in planned.partitions.iter().enumerate() {
                let phase = if partition.unchanged {
                    PartitionPhase::Unchanged
                } else {
                    PartitionPhase::Pending
                };
                rows.push(vec![no.to_string(), text(phase.as_str()), text(&to_json(&partition.slice)?)]);
            }
            for chunk in portions(&rows) {
                let v = values(&["N", "F", "R"], chunk);
                transaction.execute(Step::PlanPartitions, &format!("INSERT INTO {s}.\"PARTITION\" (WORKFLOW_ID, TABLE_NO, PARTITION_NO, PHASE, KEY_RANGE) SELECT {id}, {table_no}, v.N, v.F, v.R FROM ({v}) v")).await?;
            }
            if !planned.warnings.is_empty() {
                let rows: Vec<_> = planned.warnings.iter().enumerate().map(|(no, warning)| vec![no.to_string(), text(warning)]).collect();
                for chunk in portions(&rows) {
                    let v = values(&["N", "W"], chunk);
                    transaction.execute(Step::PlanWarnings, &format!("INSERT INTO {s}.WARNING (WORKFLOW_ID, TABLE_NO, WARNING_NO, WARNING) SELECT {id}, {table_no}, v.N, v.W FROM ({v}) v")).await?;
                }
            }
            if let Some(plan) = &sync_statements {
                for (sql, expected) in plan {
                    let changed = transaction.execute(Step::PlanSync, sql).await?;
                    if expected.is_some_and(|expected| expected != changed) {
                        return Ok(false);
                    }
                }
            }
            let analysis = task_id(id, TaskKind::Analyze, table_no, None);
            transaction.execute(Step::PlanCollect, &format!("UPDATE {s}.TASK_QUEUE SET COLLECTED_AT = SYSDATE() WHERE TASK_ID = {}", text(&analysis))).await?;
            Ok(true)
        }
        .await;
        // In doubt, the asker starts again from the checkpoint and finds what is true.
        if transaction.end(Step::PlanCommit, written, |it| *it).await? {
            Ok(Applied::Yes)
        } else {
            self.check_owner(owned).await?;
            if is_outdated {
                self.analyze_again(owned, table_no).await?;
            }
            Ok(Applied::No)
        }
    }

    /// Puts a table's analysis back into the queue. A repetition after a lost reply at most does it once more.
    async fn analyze_again(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
    ) -> Result<(), CheckpointError> {
        tracing::warn!(workflow = %owned.name, table = table_no.0, "the analysis started from another state of earlier runs than the one that is stored; the table is analyzed again");
        let sql = format!(
            "UPDATE {s}.TASK_QUEUE q SET {QUEUED_AGAIN} WHERE q.TASK_ID = {} AND q.STATUS = {TASK_COMPLETED} AND {}",
            text(&task_id(owned.id, TaskKind::Analyze, table_no, None)),
            self.fence(owned),
            s = self.s
        );
        self.execute(Step::PlanCollect, &sql).await?;
        Ok(())
    }
}
