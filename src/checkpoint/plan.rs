//! A table's plan, written in one transaction.

use super::contract::*;
use super::hybrid::{HybridCheckpoint, task_id, to_json};
use super::orchestrator::INSERT_ROWS;
use super::sql::{text, values};
use crate::domain::TableNo;
use crate::domain::phase::PartitionPhase;
use crate::domain::task::TaskKind;
use crate::failpoint::Step;

impl HybridCheckpoint {
    /// As [`OrchestratorCheckpoint::write_plan`] says.
    pub(super) async fn write_table_plan(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
    ) -> Result<Applied, CheckpointError> {
        let (s, id) = (&self.s, owned.id);
        let sync_statements = plan
            .synchronization
            .as_ref()
            .map(|synchronization| {
                self.sync_plan_statements(owned, table_no, plan, synchronization)
            })
            .transpose()?;
        let transaction = self.client.begin(Step::PlanBegin).await?;
        let written: Result<bool, CheckpointError> = async {
            let update = format!(
                "UPDATE {s}.TABLE_STATE SET PHASE = 'EXECUTING', EXTRACTION = {}, NUM_PARTITIONS = {}, ROW_ESTIMATE = {}, BYTE_ESTIMATE = {} \
                 WHERE WORKFLOW_ID = {id} AND TABLE_NO = {table_no} AND PHASE IN ('PENDING', 'ANALYZING') AND OWNER_EPOCH = {}",
                text(&to_json(&plan.extraction)?),
                plan.partitions.len(),
                plan.row_estimate,
                plan.byte_estimate,
                owned.epoch
            );
            if transaction.execute(Step::PlanTable, &update).await? != 1 {
                return Ok(false);
            }
            let mut rows = Vec::with_capacity(plan.partitions.len());
            for (no, partition) in plan.partitions.iter().enumerate() {
                let phase = if partition.unchanged {
                    PartitionPhase::Unchanged
                } else {
                    PartitionPhase::Pending
                };
                rows.push(vec![no.to_string(), text(phase.as_str()), text(&to_json(&partition.slice)?)]);
            }
            for chunk in rows.chunks(INSERT_ROWS) {
                let v = values(&["N", "F", "R"], chunk);
                transaction.execute(Step::PlanPartitions, &format!("INSERT INTO {s}.\"PARTITION\" (WORKFLOW_ID, TABLE_NO, PARTITION_NO, PHASE, KEY_RANGE) SELECT {id}, {table_no}, v.N, v.F, v.R FROM ({v}) v")).await?;
            }
            if !plan.warnings.is_empty() {
                let rows: Vec<_> = plan.warnings.iter().enumerate().map(|(no, warning)| vec![no.to_string(), text(warning)]).collect();
                let v = values(&["N", "W"], &rows);
                transaction.execute(Step::PlanWarnings, &format!("INSERT INTO {s}.WARNING (WORKFLOW_ID, TABLE_NO, WARNING_NO, WARNING) SELECT {id}, {table_no}, v.N, v.W FROM ({v}) v")).await?;
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
            Ok(Applied::No)
        }
    }
}
