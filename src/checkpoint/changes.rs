//! Changes of state, as the group commit brings them: each kind in one statement, and what became of them.

use super::cells::{Cells, task_id, to_json};
use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::phase_sql::{
    CANCELLED_TASK, ENDED_TABLE, PARTITION_FAILED, PARTITION_STAGED, TASK_CLAIMED, TASK_COMPLETED,
    TASK_FAILED, TASK_PENDING,
};
use super::requests::NO_LOAD_FAILURES;
use super::sql::{before, list_of, number_list, portions, text, text_list, text_opt, values};
use crate::domain::phase::{PartitionPhase, TablePhase};
use crate::domain::task::TaskKind;
use crate::domain::{Attempt, TableNo};
use crate::failpoint::Step;
use std::collections::HashMap;

impl HybridCheckpoint {
    /// As [`super::OrchestratorCheckpoint::apply`] says.
    pub(super) async fn apply_changes(
        &self,
        owned: &OwnedWorkflow,
        changes: &[StateChange],
    ) -> Result<Vec<Applied>, CheckpointError> {
        let (mut staged, mut failed, mut ended, mut done) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                StateChange::PartitionStaged {
                    key,
                    attempt,
                    manifest,
                } => {
                    done.push(task_id(
                        owned.id,
                        TaskKind::Extract,
                        key.table_no,
                        Some(key.partition_no),
                    ));
                    staged.push((*key, *attempt, manifest));
                }
                StateChange::PartitionFailed { key, error } => {
                    done.push(task_id(
                        owned.id,
                        TaskKind::Extract,
                        key.table_no,
                        Some(key.partition_no),
                    ));
                    failed.push((*key, error.as_str()));
                }
                StateChange::TableEnded {
                    table_no,
                    phase,
                    error,
                } => {
                    done.push(task_id(owned.id, TaskKind::Analyze, *table_no, None));
                    ended.push((*table_no, *phase, error.as_deref()));
                }
            }
        }
        let changed = self.apply_staged(owned, &staged).await?
            + self.apply_failed(owned, &failed).await?
            + self.apply_table_ends(owned, &ended).await?;
        let given_up: Vec<TableNo> = ended
            .iter()
            .filter(|(_, phase, _)| *phase == TablePhase::Failed)
            .map(|(no, ..)| *no)
            .collect();
        self.cancel_tasks(owned, &given_up).await?;
        let outcome = if changed == changes.len() as u64 {
            vec![Applied::Yes; changes.len()]
        } else {
            self.settle(owned, changes).await?
        };
        // After the phases: a crash in between leaves a task that is collected again, never one that is lost.
        self.collect(owned, &done).await?;
        Ok(outcome)
    }

    async fn apply_staged(
        &self,
        owned: &OwnedWorkflow,
        staged: &[(PartitionKey, Attempt, &crate::domain::task::Manifest)],
    ) -> Result<u64, CheckpointError> {
        if staged.is_empty() {
            return Ok(0);
        }
        let mut rows = Vec::with_capacity(staged.len());
        for (key, attempt, manifest) in staged {
            rows.push(vec![
                key.table_no.to_string(),
                key.partition_no.to_string(),
                attempt.to_string(),
                text(&to_json(manifest)?),
                manifest.rows().to_string(),
                manifest.bytes().to_string(),
            ]);
        }
        let mut changed = 0;
        for rows in portions(&rows) {
            changed += self.execute(Step::PartitionStaged, &format!(
                "UPDATE {s}.\"PARTITION\" p SET PHASE = {PARTITION_STAGED}, ATTEMPT = v.A, MANIFEST = v.M, ROWS_STAGED = v.R, BYTES = v.B, STAGED_AT = SYSDATE() FROM ({}) v \
                 WHERE {} AND p.PHASE IN {} AND {}",
                values(&["T", "P", "A", "M", "R", "B"], rows),
                self.of_partitions(owned, rows),
                before!(PartitionPhase::Staged),
                self.fence(owned),
                s = self.s
            ))
            .await?;
        }
        Ok(changed)
    }

    /// The condition that partition `p` is the one that row `v` of these names by its first two values: table, partition.
    fn of_partitions(&self, owned: &OwnedWorkflow, rows: &[Vec<String>]) -> String {
        let mut tables: Vec<Vec<String>> = rows.iter().map(|row| row[..1].to_vec()).collect();
        tables.sort();
        tables.dedup();
        format!(
            "p.WORKFLOW_ID = {} AND p.TABLE_NO = v.T AND p.PARTITION_NO = v.P AND p.TABLE_NO IN {} AND p.PARTITION_NO IN {}",
            owned.id,
            list_of(&tables, 0),
            list_of(rows, 1)
        )
    }

    async fn apply_failed(
        &self,
        owned: &OwnedWorkflow,
        failed: &[(PartitionKey, &str)],
    ) -> Result<u64, CheckpointError> {
        if failed.is_empty() {
            return Ok(0);
        }
        let rows: Vec<_> = failed
            .iter()
            .map(|(key, error)| {
                vec![
                    key.table_no.to_string(),
                    key.partition_no.to_string(),
                    text(error),
                ]
            })
            .collect();
        self.execute(Step::PartitionFailed, &format!(
            "UPDATE {s}.\"PARTITION\" p SET PHASE = {PARTITION_FAILED}, ERROR = v.E, FAILED_AT = SYSDATE() FROM ({}) v \
             WHERE {} AND p.PHASE IN {} AND {}",
            values(&["T", "P", "E"], &rows),
            self.of_partitions(owned, &rows),
            before!(PartitionPhase::Failed),
            self.fence(owned),
            s = self.s
        ))
        .await
    }

    async fn apply_table_ends(
        &self,
        owned: &OwnedWorkflow,
        ended: &[(TableNo, TablePhase, Option<&str>)],
    ) -> Result<u64, CheckpointError> {
        if ended.is_empty() {
            return Ok(0);
        }
        let rows: Vec<_> = ended
            .iter()
            .map(|(no, phase, error)| vec![no.to_string(), text(phase.as_str()), text_opt(*error)])
            .collect();
        self.execute(Step::TableEnd, &format!(
            "UPDATE {s}.TABLE_STATE t SET PHASE = v.F, ERROR = v.E, ENDED_AT = SYSDATE(), LOAD_PERMIT = NULL, {NO_LOAD_FAILURES} FROM ({}) v \
             WHERE t.WORKFLOW_ID = {} AND t.TABLE_NO = v.T AND t.OWNER_EPOCH = {} AND ({}) AND t.TABLE_NO IN {}",
            values(&["T", "F", "E"], &rows),
            owned.id,
            owned.epoch,
            may_end(),
            list_of(&rows, 0),
            s = self.s
        ))
        .await
    }

    /// Nobody waits for the tasks of a table that has failed: their files would stay.
    async fn cancel_tasks(
        &self,
        owned: &OwnedWorkflow,
        tables: &[TableNo],
    ) -> Result<(), CheckpointError> {
        if tables.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE {s}.TASK_QUEUE q SET {CANCELLED_TASK} \
             WHERE q.WORKFLOW_ID = {id} AND q.TABLE_NO IN {} AND q.STATUS IN ({TASK_PENDING}, {TASK_CLAIMED}) AND {} \
             AND EXISTS (SELECT 1 FROM {s}.TABLE_STATE t WHERE t.WORKFLOW_ID = {id} AND t.TABLE_NO = q.TABLE_NO AND t.PHASE IN {ENDED_TABLE})",
            number_list(tables),
            self.fence(owned),
            s = self.s,
            id = owned.id
        );
        self.execute(Step::TaskCollect, &sql).await?;
        Ok(())
    }

    /// Marks ended tasks as collected. Not those that have been let run again meanwhile.
    async fn collect(
        &self,
        owned: &OwnedWorkflow,
        task_ids: &[String],
    ) -> Result<(), CheckpointError> {
        if task_ids.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE {}.TASK_QUEUE SET COLLECTED_AT = SYSDATE() WHERE TASK_ID IN {} AND COLLECTED_AT IS NULL AND STATUS IN ({TASK_COMPLETED}, {TASK_FAILED}) AND {}",
            self.s,
            text_list(task_ids.iter().map(String::as_str)),
            self.fence(owned)
        );
        self.execute(Step::TaskCollect, &sql).await?;
        Ok(())
    }

    /// What became of changes when fewer rows changed than were asked: some may have been applied before.
    async fn settle(
        &self,
        owned: &OwnedWorkflow,
        changes: &[StateChange],
    ) -> Result<Vec<Applied>, CheckpointError> {
        self.check_owner(owned).await?;
        let keys: Vec<String> = changes
            .iter()
            .filter_map(|change| match change {
                StateChange::PartitionStaged { key, .. }
                | StateChange::PartitionFailed { key, .. } => Some(format!(
                    "(TABLE_NO = {} AND PARTITION_NO = {})",
                    key.table_no, key.partition_no
                )),
                StateChange::TableEnded { .. } => None,
            })
            .collect();
        let mut partitions: HashMap<(u32, u32), (String, Option<u32>)> = HashMap::new();
        if !keys.is_empty() {
            let sql = format!(
                "SELECT TABLE_NO, PARTITION_NO, PHASE, ATTEMPT FROM {}.\"PARTITION\" WHERE WORKFLOW_ID = {} AND ({})",
                self.s,
                owned.id,
                keys.join(" OR ")
            );
            for row in self.query(&sql).await? {
                let mut c = Cells(&row, 0);
                partitions.insert((c.number()?, c.number()?), (c.text()?, c.number_opt()));
            }
        }
        let tables: HashMap<u32, String> = self
            .query(&format!(
                "SELECT TABLE_NO, PHASE FROM {}.TABLE_STATE WHERE WORKFLOW_ID = {}",
                self.s, owned.id
            ))
            .await?
            .iter()
            .map(|row| {
                let mut c = Cells(row, 0);
                Ok::<_, CheckpointError>((c.number()?, c.text()?))
            })
            .collect::<Result<_, _>>()?;
        let settled = changes.iter().map(|change| {
            let applied = match change {
                StateChange::PartitionStaged { key, attempt, .. } => partitions
                    .get(&(key.table_no.0, key.partition_no.0))
                    .is_some_and(|(phase, won)| {
                        phase == PartitionPhase::Staged.as_str() && *won == Some(attempt.0)
                    }),
                StateChange::PartitionFailed { key, .. } => partitions
                    .get(&(key.table_no.0, key.partition_no.0))
                    .is_some_and(|(phase, _)| phase == PartitionPhase::Failed.as_str()),
                StateChange::TableEnded {
                    table_no, phase, ..
                } => tables
                    .get(&table_no.0)
                    .is_some_and(|stored| stored == phase.as_str()),
            };
            if applied { Applied::Yes } else { Applied::No }
        });
        Ok(settled.collect())
    }
}

/// The condition that table `t` may end as row `v` says.
fn may_end() -> String {
    let ends = [
        TablePhase::Completed,
        TablePhase::Failed,
        TablePhase::Cancelled,
    ];
    let may_end = |end: TablePhase| format!("v.F = '{end}' AND t.PHASE IN {}", before!(end));
    ends.map(may_end).join(" OR ")
}
