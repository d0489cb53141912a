//! What runs of one table leave for the next: whose turn it is, the partitions, their checksums and watermarks.
//!
//! `SYNCHRONIZATION` has a row for each pair of source and target table. Its `WORKFLOW_ID` is a fence: only that workflow's
//! loads may move the state on, and a workflow takes it only when the one that had it has ended or is being cancelled. So the range of a
//! watermark can be neither read nor loaded twice by two workflows of the same table.

use super::cells::{Cells, corrupt, to_json};
use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::orchestrator_contract::*;
use super::phase_sql::{TABLE_CANCELLED, WORKFLOW_EXECUTING, WORKFLOW_PENDING};
use super::sql::{list_of, number_list, portions, text, text_opt, values};
use crate::domain::analysis::{SyncPartition, SyncSnapshot, fingerprint};
use crate::domain::planned::SyncPlan;
use crate::domain::table::{Content, TableRef};
use crate::domain::table_plan::TablePlan;
use crate::domain::{TableNo, WorkflowId};
use crate::failpoint::Step;
use crate::snowflake::{Row, Transaction};

impl HybridCheckpoint {
    /// As [`OrchestratorCheckpoint::claim_synchronization`] says.
    pub(super) async fn claim_sync(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        sync_key: &str,
        (source, target): (&TableRef, &TableRef),
    ) -> Result<Option<String>, CheckpointError> {
        let (s, id, key) = (&self.s, owned.id, text(sync_key));
        let fence = self.fence(owned);
        self.execute(Step::SyncCreate, &format!(
            "INSERT INTO {s}.SYNCHRONIZATION (SYNC_KEY, SOURCE_TABLE, TARGET_TABLE, WORKFLOW_ID, TABLE_NO) \
             SELECT {key}, {}, {}, {id}, {table_no} WHERE NOT EXISTS (SELECT 1 FROM {s}.SYNCHRONIZATION x WHERE x.SYNC_KEY = {key}) AND {fence}",
            text(&source.to_string()),
            text(&target.to_string())
        ))
        .await?;
        let taken = self
            .execute(Step::SyncClaim, &format!(
                "UPDATE {s}.SYNCHRONIZATION y SET WORKFLOW_ID = {id}, TABLE_NO = {table_no} WHERE y.SYNC_KEY = {key} AND {fence} AND NOT EXISTS \
                 (SELECT 1 FROM {s}.WORKFLOW h JOIN {s}.WORKFLOW_REQUEST x ON x.WORKFLOW_ID = h.WORKFLOW_ID JOIN {s}.TABLE_STATE t ON t.WORKFLOW_ID = h.WORKFLOW_ID \
                 WHERE h.WORKFLOW_ID = y.WORKFLOW_ID AND t.TABLE_NO = y.TABLE_NO AND h.WORKFLOW_ID <> {id} AND h.STATUS IN ({WORKFLOW_PENDING}, {WORKFLOW_EXECUTING}) \
                 AND COALESCE(x.REQUEST, '') <> 'CANCEL' AND t.PHASE <> {TABLE_CANCELLED})"
            ))
            .await?;
        if taken == 1 {
            return Ok(None);
        }
        self.check_owner(owned).await?;
        let holder = self
            .query(&format!(
                "SELECT w.NAME FROM {s}.SYNCHRONIZATION y JOIN {s}.WORKFLOW w ON w.WORKFLOW_ID = y.WORKFLOW_ID WHERE y.SYNC_KEY = {key}"
            ))
            .await?;
        let name = holder.first().map_or_else(
            || Ok("another workflow".to_owned()),
            |row| Cells(row, 0).text(),
        )?;
        Ok(Some(name))
    }

    /// What writes the state's settings and partitions in the plan's transaction, each with the number of rows that it
    /// must change, where that is known.
    pub(super) fn sync_plan_statements(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        planned: &PlannedTable,
        synchronization: &SyncPlan,
    ) -> Result<Vec<(String, Option<u64>)>, CheckpointError> {
        let (s, key) = (&self.s, text(&synchronization.key));
        let mut statements = vec![(
            format!(
                "UPDATE {s}.SYNCHRONIZATION SET SETTINGS = {}, UPDATED_AT = SYSDATE() WHERE SYNC_KEY = {key} AND WORKFLOW_ID = {} AND TABLE_NO = {table_no}",
                text(&to_json(&synchronization.settings)?),
                owned.id
            ),
            Some(1),
        )];
        if synchronization.reused {
            statements.extend(self.advance_unchanged(planned, &key));
            return Ok(statements);
        }
        statements.push((
            format!("DELETE FROM {s}.SYNC_PARTITION WHERE SYNC_KEY = {key}"),
            None,
        ));
        let mut rows = Vec::new();
        for (no, partition) in planned.partitions.iter().enumerate() {
            if partition.slice.content == Content::Rows {
                rows.push(vec![
                    no.to_string(),
                    text(&to_json(&partition.slice.range)?),
                    text_opt(partition.checksum.as_deref()),
                    text_opt(partition.slice.after.as_deref()),
                ]);
            }
        }
        for chunk in portions(&rows) {
            let v = values(&["N", "R", "C", "W"], chunk);
            statements.push((
                format!("INSERT INTO {s}.SYNC_PARTITION (SYNC_KEY, PARTITION_NO, KEY_RANGE, CHECKSUM, WATERMARK) SELECT {key}, v.N, v.R, v.C, v.W FROM ({v}) v"),
                Some(chunk.len() as u64),
            ));
        }
        Ok(statements)
    }

    /// Partitions without a row up to this run's watermark stand at it as well: otherwise each run would leave watermarks
    /// of its own behind, and the next would look for rows above each of them.
    fn advance_unchanged(
        &self,
        planned: &PlannedTable,
        key: &str,
    ) -> Option<(String, Option<u64>)> {
        let upto = &planned.plan.extract.watermark.as_ref()?.upto;
        let numbers: Vec<usize> = planned
            .partitions
            .iter()
            .enumerate()
            .filter(|(_, p)| p.unchanged && p.slice.after.as_ref() == Some(upto))
            .map(|(no, _)| no)
            .collect();
        let sql = format!(
            "UPDATE {s}.SYNC_PARTITION SET WATERMARK = {} WHERE SYNC_KEY = {key} AND PARTITION_NO IN {}",
            text(upto),
            number_list(&numbers),
            s = self.s
        );
        (!numbers.is_empty()).then_some((sql, Some(numbers.len() as u64)))
    }

    /// What a load's transaction stores for the next run, each with the number of rows that it must change.
    pub(super) fn sync_load_statements(
        &self,
        owned: &OwnedWorkflow,
        plan: &TablePlan,
        units: &[LoadUnit],
    ) -> Vec<(String, u64)> {
        let Some(key) = plan.sync.state_key.as_deref().map(text) else {
            return Vec::new();
        };
        let s = &self.s;
        let mut statements = vec![(
            format!(
                "UPDATE {s}.SYNCHRONIZATION SET UPDATED_AT = SYSDATE() WHERE SYNC_KEY = {key} AND WORKFLOW_ID = {}",
                owned.id
            ),
            1,
        )];
        let watermark = plan.extract.watermark.as_ref().map(|w| w.upto.as_str());
        let rows: Vec<_> = units
            .iter()
            .filter(|unit| unit.content == Content::Rows)
            .map(|unit| {
                vec![
                    unit.key.partition_no.to_string(),
                    text_opt(unit.checksum.as_deref()),
                ]
            })
            .collect();
        if !rows.is_empty() {
            statements.push((
                format!(
                    "UPDATE {s}.SYNC_PARTITION p SET CHECKSUM = v.C, WATERMARK = {}, UPDATED_AT = SYSDATE() FROM ({}) v WHERE p.SYNC_KEY = {key} AND p.PARTITION_NO = v.P AND p.PARTITION_NO IN {}",
                    text_opt(watermark),
                    values(&["P", "C"], &rows),
                    list_of(&rows, 0)
                ),
                rows.len() as u64,
            ));
        }
        statements
    }

    /// What an earlier run left behind for a table that this workflow holds. `None`: nothing.
    pub(super) async fn sync_snapshot(
        &self,
        id: WorkflowId,
        table_no: TableNo,
    ) -> Result<Option<SyncSnapshot>, CheckpointError> {
        snapshot(&self.query(&self.snapshot_sql(id, table_no)).await?)
    }

    /// Whether an analysis that started from the state of this name may be planned: it is the one that is stored. Within the
    /// plan's transaction, before that changes it.
    pub(super) async fn starts_from_stored(
        &self,
        transaction: &Transaction,
        (id, table_no): (WorkflowId, TableNo),
        started_from: Option<&str>,
    ) -> Result<bool, CheckpointError> {
        let Some(started_from) = started_from else {
            return Ok(true);
        };
        let rows = transaction.query(&self.snapshot_sql(id, table_no)).await?;
        let stored = fingerprint(snapshot(&rows)?.as_ref())
            .map_err(|error| corrupt("a synchronization state", &error.to_string()))?;
        Ok(stored == started_from)
    }

    /// The settings come once, not with each partition: they name all columns.
    fn snapshot_sql(&self, id: WorkflowId, table_no: TableNo) -> String {
        format!(
            "SELECT CASE WHEN ROW_NUMBER() OVER (ORDER BY p.PARTITION_NO) = 1 THEN y.SETTINGS END, p.KEY_RANGE, p.CHECKSUM, p.WATERMARK FROM {s}.SYNCHRONIZATION y JOIN {s}.SYNC_PARTITION p ON p.SYNC_KEY = y.SYNC_KEY \
             WHERE y.WORKFLOW_ID = {id} AND y.TABLE_NO = {table_no} AND y.SETTINGS IS NOT NULL ORDER BY p.PARTITION_NO",
            s = self.s
        )
    }
}

fn snapshot(rows: &[Row]) -> Result<Option<SyncSnapshot>, CheckpointError> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let read = |row: &Row| {
        let mut c = Cells(row, 1);
        Ok::<_, CheckpointError>(SyncPartition {
            range: c.json()?,
            checksum: c.text_opt(),
            watermark: c.text_opt(),
        })
    };
    Ok(Some(SyncSnapshot {
        settings: Cells(first, 0).json()?,
        partitions: rows.iter().map(read).collect::<Result<_, _>>()?,
    }))
}
