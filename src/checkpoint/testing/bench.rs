//! What a store offers to the tests of its contract, beside the contract.

use crate::checkpoint::{
    LoadUnit, NewWorkflow, OperatorRequests, OrchestratorCheckpoint, OwnedWorkflow,
    WorkerCheckpoint,
};
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::Request;
use crate::domain::table_plan::TablePlan;
use crate::domain::{Attempt, TableNo, WorkflowId};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// A store under test. Nobody else works on it.
#[async_trait]
pub trait Bench: Send + Sync {
    /// Its orchestrator's half.
    fn orchestrator(&self) -> &dyn OrchestratorCheckpoint;
    /// Its worker's half.
    fn worker(&self) -> &dyn WorkerCheckpoint;
    /// Its operators' part.
    fn operators(&self) -> &dyn OperatorRequests;
    /// Creates a workflow.
    async fn create(&self, workflow: &NewWorkflow) -> WorkflowId;
    /// The checkpoint's part of a load's transaction, which is committed if all of it applies; whether it was.
    async fn load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        units: &[LoadUnit],
    ) -> bool;
    /// All leases run out, and all pauses between attempts end.
    async fn let_time_pass(&self);
    /// What is stored of a workflow.
    async fn stored(&self, id: WorkflowId) -> Stored;
}

/// What is stored of a workflow: what tests compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its phase.
    pub phase: WorkflowPhase,
    /// Its owner.
    pub owner: Option<String>,
    /// What is asked of it.
    pub request: Option<Request>,
    /// Its tables.
    pub tables: BTreeMap<TableNo, StoredTable>,
    /// Its partitions, by table and partition.
    pub partitions: BTreeMap<(u32, u32), StoredPartition>,
    /// Its tasks, by what their keys say after the workflow.
    pub tasks: BTreeMap<String, StoredTask>,
}

/// What is stored of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTable {
    /// Phase.
    pub phase: TablePhase,
    /// Error; of one whose state another workflow has taken, as much as is the same in each store.
    pub error: Option<String>,
    /// What is asked of it.
    pub request: Option<Request>,
    /// Whether it was planned.
    pub is_planned: bool,
    /// Its warnings.
    pub num_warnings: usize,
    /// What it has for the next run: each partition's checksum and watermark.
    pub state: Vec<(Option<String>, Option<String>)>,
}

/// What is stored of a partition.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPartition {
    /// Phase.
    pub phase: PartitionPhase,
    /// The attempt that won.
    pub attempt: Option<Attempt>,
    /// Rows of its manifest.
    pub rows: Option<u64>,
    /// Error.
    pub error: Option<String>,
}

/// What is stored of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTask {
    /// Phase.
    pub phase: TaskPhase,
    /// Claims so far.
    pub attempt: Attempt,
    /// Failures that count.
    pub failures: u32,
    /// Postponements.
    pub postponed: u32,
    /// Whether a claim's token stands there.
    pub has_token: bool,
    /// Whether a lease holds.
    pub is_leased: bool,
    /// Whether it is not to be claimed yet.
    pub is_postponed: bool,
    /// Whether its end was collected.
    pub is_collected: bool,
    /// Result.
    pub result: Option<String>,
    /// Error.
    pub error: Option<String>,
}

/// A table's error as tests compare it.
pub fn comparable(error: Option<String>) -> Option<String> {
    let (before, after) = ("the workflow ", " has ");
    error.map(|text| match text.strip_prefix(before) {
        Some(rest) => {
            let holder = rest.split(after).next().unwrap_or_default();
            format!("taken by {holder}")
        }
        None => text,
    })
}
