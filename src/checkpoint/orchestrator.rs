//! What an orchestrator asks of the hybrid tables.

use super::cells::{Cells, kind_text, task_id, to_json};
use super::contract::*;
use super::fence::unique_step;
use super::hybrid::HybridCheckpoint;
use super::orchestrator_contract::*;
use super::phase_sql::{
    ENDED_TABLE, TABLE_ANALYZING, TABLE_PENDING, TASK_CLAIMED, TASK_COMPLETED, TASK_FAILED,
    TASK_PENDING, WORKFLOW_EXECUTING, WORKFLOW_PENDING,
};
use super::rows::{ended_task, owned_workflow, partition_state, phase_count, table_state};
use super::sql::{
    bound_values, from_now, like, marks, number_list, portions, text, text_list, text_opt, values,
};
use crate::domain::affinity::AffinityFilter;
use crate::domain::phase::{PartitionPhase, WorkflowPhase};
use crate::domain::request::DueRequests;
use crate::domain::table::TableRef;
use crate::domain::{OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use crate::failpoint::Step;
use crate::snowflake::{Bind, Statement};
use async_trait::async_trait;
use std::time::Duration;

impl HybridCheckpoint {
    /// A change of the workflow's own row that must find it in our hands.
    async fn change_workflow(
        &self,
        at: Step,
        owned: &OwnedWorkflow,
        set: &str,
        from: WorkflowPhase,
    ) -> Result<(), CheckpointError> {
        let sql = format!(
            "UPDATE {}.WORKFLOW SET {set} WHERE WORKFLOW_ID = {} AND OWNER_EPOCH = {} AND STATUS = '{from}'",
            self.s, owned.id, owned.epoch
        );
        // No row: applied before (a lost reply), or fenced.
        if self.execute(at, &sql).await? == 0 {
            self.check_owner(owned).await
        } else {
            Ok(())
        }
    }

    async fn partitions_where(
        &self,
        condition: &str,
    ) -> Result<Vec<PartitionState>, CheckpointError> {
        let sql = format!(
            "SELECT PARTITION_NO, PHASE, KEY_RANGE, ATTEMPT, MANIFEST FROM {}.\"PARTITION\" WHERE {condition}",
            self.s
        );
        self.query(&sql)
            .await?
            .iter()
            .map(partition_state)
            .collect()
    }
}

/// The condition on a workflow's row that there is something to do. A request to run again may come in the moment in which
/// the workflow ends.
pub(super) fn open(s: &str) -> String {
    format!(
        "(STATUS IN ({WORKFLOW_PENDING}, {WORKFLOW_EXECUTING}) OR WORKFLOW_ID IN (SELECT WORKFLOW_ID FROM {s}.TABLE_REQUEST WHERE REQUEST = 'RETRY'))"
    )
}

/// The condition on a workflow's row, after others, that an orchestrator of this affinity drives it.
pub(super) fn of_affinity(affinity: Option<&AffinityFilter>) -> String {
    let is_meant = match affinity {
        None => return String::new(),
        Some(AffinityFilter::Exactly(affinity)) => format!("AFFINITY = {}", text(affinity)),
        Some(AffinityFilter::Pattern(pattern)) => format!("AFFINITY {}", like(pattern)),
    };
    format!(" AND (AFFINITY IS NULL OR {is_meant})")
}

fn phase_list(phases: &[PartitionPhase]) -> String {
    text_list(phases.iter().map(|phase| phase.as_str()))
}

#[async_trait]
impl OrchestratorCheckpoint for HybridCheckpoint {
    async fn take_workflows(
        &self,
        search: &WorkflowSearch<'_>,
    ) -> Result<Vec<OwnedWorkflow>, CheckpointError> {
        let s = &self.s;
        let token = uuid::Uuid::new_v4().to_string();
        let owner = Bind::from(search.owner);
        let mut binds = vec![
            owner.clone(),
            Bind::from(token.as_str()),
            owner.clone(),
            Bind::from(unique_step()),
        ];
        let free = format!(
            "{} AND (OWNER IS NULL OR LEASE_UNTIL < SYSDATE()){}",
            open(s),
            of_affinity(search.affinity)
        );
        let asked = self.asked_of(search).map_or_else(String::new, |asked| {
            binds.push(owner);
            format!(" OR (OWNER = ? AND WORKFLOW_ID IN ({asked}))")
        });
        let take = format!(
            "UPDATE {s}.WORKFLOW SET OWNER = ?, OWNER_TOKEN = ?, LEASE_UNTIL = {}, \
             OWNER_EPOCH = OWNER_EPOCH + IFF(OWNER = ? AND LEASE_UNTIL >= SYSDATE(), 0, ?) \
             WHERE (WORKFLOW_ID IN (SELECT WORKFLOW_ID FROM {s}.WORKFLOW WHERE {free} ORDER BY CREATED_AT, WORKFLOW_ID LIMIT {limit}) AND {free}){asked}",
            from_now(search.lease),
            limit = search.limit
        );
        // Not repeated on a lost reply: a second take would count as somebody else's.
        let take = Statement::bound(take, binds);
        if self.client.execute(Step::WorkflowTake, take).await? == 0 {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT w.WORKFLOW_ID, w.OWNER_EPOCH, w.NAME, w.SOURCE_PLATFORM, w.AFFINITY, w.STATUS, x.REQUEST, COALESCE(x.REQUEST_SEQ, 0) \
             FROM {s}.WORKFLOW w LEFT JOIN {s}.WORKFLOW_REQUEST x ON x.WORKFLOW_ID = w.WORKFLOW_ID WHERE w.OWNER_TOKEN = ?"
        );
        let sql = Statement::bound(sql, vec![Bind::from(token.as_str())]);
        self.query(sql).await?.iter().map(owned_workflow).collect()
    }

    async fn fence_tables(&self, owned: &OwnedWorkflow) -> Result<(), CheckpointError> {
        self.fence_all_tables(owned).await
    }

    async fn renew_workflows(
        &self,
        owner: &str,
        owned: &[(WorkflowId, OwnerEpoch)],
        lease: Duration,
    ) -> Result<Vec<WorkflowId>, CheckpointError> {
        let rows = owned
            .iter()
            .flat_map(|(id, epoch)| [Bind::from(id.0), Bind::from(epoch.0)]);
        let ids = owned.iter().map(|(id, _)| Bind::from(id.0));
        let mut binds: Vec<Bind> = rows.chain([Bind::from(owner)]).collect();
        let v = bound_values(&["I", "E"], owned.len());
        let kept = format!(
            "SELECT w.WORKFLOW_ID FROM {}.WORKFLOW w JOIN ({v}) v ON w.WORKFLOW_ID = v.I AND w.OWNER_EPOCH = v.E WHERE w.OWNER = ?",
            self.s
        );
        let kept = Statement::bound(kept, binds.clone());
        binds.extend(ids);
        let sql = format!(
            "UPDATE {s}.WORKFLOW w SET LEASE_UNTIL = {} FROM ({v}) v WHERE w.WORKFLOW_ID = v.I AND w.OWNER_EPOCH = v.E AND w.OWNER = ? AND w.WORKFLOW_ID IN {}",
            from_now(lease),
            marks(owned.len()),
            s = self.s
        );
        let sql = Statement::bound(sql, binds);
        if self.execute(Step::WorkflowRenew, sql).await? == owned.len() as u64 {
            return Ok(Vec::new());
        }
        let kept: Vec<i64> = self
            .query(kept)
            .await?
            .iter()
            .map(|row| Cells(row, 0).number())
            .collect::<Result<_, _>>()?;
        Ok(owned
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| !kept.contains(&id.0))
            .collect())
    }

    async fn release_workflows(&self, owner: &str) -> Result<(), CheckpointError> {
        let sql = format!(
            "UPDATE {}.WORKFLOW SET OWNER = NULL, LEASE_UNTIL = SYSDATE() WHERE OWNER = {}",
            self.s,
            text(owner)
        );
        self.execute(Step::WorkflowRelease, &sql).await?;
        Ok(())
    }

    async fn load_tables(&self, id: WorkflowId) -> Result<Vec<TableState>, CheckpointError> {
        let sql = format!(
            "SELECT t.TABLE_NO, t.PHASE, t.SPEC, t.EXTRACTION, t.NUM_PARTITIONS, r.REQUEST FROM {s}.TABLE_STATE t \
             LEFT JOIN {s}.TABLE_REQUEST r ON r.WORKFLOW_ID = t.WORKFLOW_ID AND r.TABLE_NO = t.TABLE_NO WHERE t.WORKFLOW_ID = {id} ORDER BY t.TABLE_NO",
            s = self.s
        );
        self.query(&sql).await?.iter().map(table_state).collect()
    }

    async fn load_partitions(
        &self,
        id: WorkflowId,
        table_no: TableNo,
        phases: &[PartitionPhase],
        from: PartitionNo,
        limit: usize,
    ) -> Result<Vec<PartitionState>, CheckpointError> {
        self.partitions_where(&format!(
            "WORKFLOW_ID = {id} AND TABLE_NO = {table_no} AND PHASE IN {} AND PARTITION_NO >= {from} ORDER BY PARTITION_NO LIMIT {limit}",
            phase_list(phases)
        ))
        .await
    }

    async fn count_partitions(
        &self,
        id: WorkflowId,
        table_no: TableNo,
    ) -> Result<Vec<(PartitionPhase, u64)>, CheckpointError> {
        let sql = format!(
            "SELECT PHASE, COUNT(*) FROM {}.\"PARTITION\" WHERE WORKFLOW_ID = {id} AND TABLE_NO = {table_no} GROUP BY PHASE",
            self.s
        );
        self.query(&sql).await?.iter().map(phase_count).collect()
    }

    async fn start_workflow(&self, owned: &OwnedWorkflow) -> Result<(), CheckpointError> {
        self.change_workflow(
            Step::WorkflowStart,
            owned,
            &format!("STATUS = {WORKFLOW_EXECUTING}, STARTED_AT = SYSDATE()"),
            WorkflowPhase::Pending,
        )
        .await
    }

    async fn complete_workflow(
        &self,
        owned: &OwnedWorkflow,
        end: WorkflowPhase,
    ) -> Result<Applied, CheckpointError> {
        self.end_workflow(owned, end).await
    }

    async fn apply_requests(
        &self,
        owned: &OwnedWorkflow,
        orders: &DueRequests<TableNo>,
    ) -> Result<(), CheckpointError> {
        self.apply_due_requests(owned, orders).await
    }

    async fn start_analysis(
        &self,
        owned: &OwnedWorkflow,
        tables: &[TableNo],
    ) -> Result<(), CheckpointError> {
        let sql = format!(
            "UPDATE {}.TABLE_STATE SET PHASE = {TABLE_ANALYZING}, STARTED_AT = SYSDATE() WHERE WORKFLOW_ID = {} AND TABLE_NO IN {} AND PHASE = {TABLE_PENDING} AND OWNER_EPOCH = {}",
            self.s,
            owned.id,
            number_list(tables),
            owned.epoch
        );
        self.execute(Step::TableAnalyze, &sql).await?;
        Ok(())
    }

    async fn claim_synchronization(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        sync_key: &str,
        (source, target): (&TableRef, &TableRef),
    ) -> Result<Option<String>, CheckpointError> {
        self.claim_sync(owned, table_no, sync_key, (source, target))
            .await
    }

    async fn write_plan(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        planned: &PlannedTable,
    ) -> Result<Applied, CheckpointError> {
        self.write_table_plan(owned, table_no, planned).await
    }

    async fn enqueue(
        &self,
        owned: &OwnedWorkflow,
        tasks: &[NewTask],
    ) -> Result<(), CheckpointError> {
        let mut rows = Vec::with_capacity(tasks.len());
        for task in tasks {
            let partition = task.partition.as_ref().map(|(no, _)| *no);
            let range = task
                .partition
                .as_ref()
                .map(|(_, range)| to_json(range))
                .transpose()?;
            rows.push(vec![
                text(&task_id(owned.id, task.kind, task.table_no, partition)),
                task.table_no.to_string(),
                partition.map_or_else(|| "NULL".to_owned(), |no| no.to_string()),
                text(kind_text(task.kind)),
                task.priority.to_string(),
                text_opt(range.as_deref()),
            ]);
        }
        for chunk in portions(&rows) {
            let sql = format!(
                "INSERT INTO {s}.TASK_QUEUE (TASK_ID, WORKFLOW_ID, TABLE_NO, PARTITION_NO, KIND, SOURCE_PLATFORM, AFFINITY, PRIORITY, STATUS, KEY_RANGE) \
                 SELECT v.I, {id}, v.T, v.P, v.K, {platform}, {affinity}, v.O, {TASK_PENDING}, v.R FROM ({v}) v \
                 WHERE NOT EXISTS (SELECT 1 FROM {s}.TASK_QUEUE q WHERE q.TASK_ID = v.I) \
                 AND EXISTS (SELECT 1 FROM {s}.TABLE_STATE t WHERE t.WORKFLOW_ID = {id} AND t.TABLE_NO = v.T AND t.PHASE NOT IN {ENDED_TABLE}) AND {fence}",
                s = self.s,
                id = owned.id,
                platform = text(owned.platform.as_str()),
                affinity = text_opt(owned.affinity.as_deref()),
                v = values(&["I", "T", "P", "K", "O", "R"], chunk),
                fence = self.fence(owned)
            );
            self.execute(Step::TaskEnqueue, &sql).await?;
        }
        Ok(())
    }

    async fn ended_tasks(
        &self,
        workflows: &[WorkflowId],
        limit: usize,
    ) -> Result<Vec<EndedTask>, CheckpointError> {
        let sql = format!(
            "SELECT TASK_ID, KIND, WORKFLOW_ID, TABLE_NO, PARTITION_NO, ATTEMPT, STATUS, RESULT, ERROR FROM {}.TASK_QUEUE \
             WHERE WORKFLOW_ID IN {} AND STATUS IN ({TASK_COMPLETED}, {TASK_FAILED}) AND COLLECTED_AT IS NULL ORDER BY ENDED_AT LIMIT {limit}",
            self.s,
            number_list(workflows)
        );
        self.query(&sql).await?.iter().map(ended_task).collect()
    }

    async fn apply(
        &self,
        owned: &OwnedWorkflow,
        changes: &[StateChange],
    ) -> Result<Vec<Applied>, CheckpointError> {
        self.apply_changes(owned, changes).await
    }

    async fn reap(
        &self,
        workflows: &[WorkflowId],
        max_failures: u32,
    ) -> Result<u64, CheckpointError> {
        self.execute(Step::TaskReap, &format!(
            "UPDATE {}.TASK_QUEUE SET STATUS = IFF(FAILURES + 1 >= {max_failures}, {TASK_FAILED}, {TASK_PENDING}), FAILURES = FAILURES + 1, CLAIM_TOKEN = NULL, \
             ENDED_AT = IFF(FAILURES + 1 >= {max_failures}, SYSDATE(), NULL), \
             ERROR = 'the worker ' || COALESCE(WORKER_ID, '?') || ' went silent while it ran this task; see its log' \
             WHERE WORKFLOW_ID IN {} AND STATUS = {TASK_CLAIMED} AND LEASE_UNTIL < SYSDATE()",
            self.s,
            number_list(workflows)
        ))
        .await
    }

    async fn return_permits(&self) -> usize {
        self.limits().return_permits().await
    }

    async fn record_load_retry(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        failures: u32,
        pause: Duration,
        reason: &str,
    ) -> Result<(), CheckpointError> {
        let sql = format!(
            "UPDATE {}.TABLE_STATE SET LOAD_FAILURES = {failures}, LOAD_NOT_BEFORE = {}, LOAD_ERROR = {} \
             WHERE WORKFLOW_ID = {} AND TABLE_NO = {table_no} AND OWNER_EPOCH = {}",
            self.s,
            from_now(pause),
            text(reason),
            owned.id,
            owned.epoch
        );
        self.client.execute(Step::LoadWaits, &sql).await?;
        Ok(())
    }
}
