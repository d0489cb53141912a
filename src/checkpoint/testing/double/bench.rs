//! The double as a store under test.

use super::super::bench::{Bench, Stored, StoredPartition, StoredTable, StoredTask, comparable};
use super::Store;
use crate::checkpoint::{
    LoadUnit, NewWorkflow, OperatorRequests, OrchestratorCheckpoint, OwnedWorkflow,
    WorkerCheckpoint,
};
use crate::domain::table_plan::TablePlan;
use crate::domain::task::Manifest;
use crate::domain::{TableNo, WorkflowId};
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::Instant;

/// The double as a store under test.
#[derive(Default)]
pub struct DoubleBench(pub Store);

#[async_trait]
impl Bench for DoubleBench {
    fn orchestrator(&self) -> &dyn OrchestratorCheckpoint {
        &self.0
    }

    fn worker(&self) -> &dyn WorkerCheckpoint {
        &self.0
    }

    fn operators(&self) -> &dyn OperatorRequests {
        &self.0
    }

    async fn create(&self, workflow: &NewWorkflow) -> WorkflowId {
        self.0.create(workflow)
    }

    async fn load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        units: &[LoadUnit],
    ) -> bool {
        self.0.load(owned, table_no, plan, units)
    }

    async fn let_time_pass(&self) {
        let past = Instant::now() - Duration::from_secs(1);
        let mut rows = self.0.rows();
        let leases = rows.workflows.values_mut().map(|row| &mut row.lease_until);
        leases.flatten().for_each(|until| *until = past);
        for task in rows.tasks.values_mut() {
            let times = [&mut task.lease_until, &mut task.not_before];
            times.into_iter().flatten().for_each(|until| *until = past);
        }
    }

    async fn stored(&self, id: WorkflowId) -> Stored {
        let rows = self.0.rows();
        let now = Instant::now();
        let workflow = &rows.workflows[&id];
        let tables = rows.tables.iter().filter(|((w, _), _)| *w == id);
        let partitions = rows.partitions.iter().filter(|((w, ..), _)| *w == id);
        let tasks = rows.tasks.iter().filter(|(_, task)| task.workflow_id == id);
        Stored {
            phase: workflow.phase,
            owner: workflow.owner.clone(),
            request: workflow.request,
            tables: tables
                .map(|(key, row)| {
                    let table = StoredTable {
                        phase: row.phase,
                        error: comparable(row.error.clone()),
                        request: row.request,
                        is_planned: row.plan.is_some(),
                        num_warnings: row.warnings.len(),
                        state: rows.snapshot(*key).map_or_else(Vec::new, |snapshot| {
                            let partitions = snapshot.partitions.into_iter();
                            partitions.map(|p| (p.checksum, p.watermark)).collect()
                        }),
                    };
                    (key.1, table)
                })
                .collect(),
            partitions: partitions
                .map(|((_, table, no), row)| {
                    let partition = StoredPartition {
                        phase: row.phase,
                        attempt: row.attempt,
                        rows: row.manifest.as_ref().map(Manifest::rows),
                        error: row.error.clone(),
                    };
                    ((table.0, no.0), partition)
                })
                .collect(),
            tasks: tasks
                .map(|(key, row)| {
                    let key = key.split_once('/').map_or("", |(_, rest)| rest);
                    let task = StoredTask {
                        phase: row.phase,
                        attempt: row.attempt,
                        failures: row.failures,
                        postponed: row.postponed,
                        has_token: row.token.is_some(),
                        is_leased: row.lease_until.is_some_and(|until| until > now),
                        is_postponed: row.not_before.is_some_and(|at| at > now),
                        is_collected: row.collected,
                        result: row.result.clone(),
                        error: row.error.clone(),
                    };
                    (key.to_owned(), task)
                })
                .collect(),
        }
    }
}

impl Store {
    /// What a load's transaction changes: all of it, or nothing.
    pub fn load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        units: &[LoadUnit],
    ) -> bool {
        self.rows().load(owned, table_no, plan, units)
    }

    /// Whether no table of a workflow is at work.
    pub fn have_all_ended(&self, id: WorkflowId) -> bool {
        self.rows().have_all_ended(id)
    }
}
