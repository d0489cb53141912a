//! The double of the checkpoint: its state in memory.
//!
//! It keeps the contract to the letter (epochs, compare-and-set, claim tokens, leases on tokio's clock), which the suite
//! compares with the hybrid tables, and each of its methods can be made to fail before its effect or after it (a lost
//! reply). It knows no rate limits.

mod bench;
mod changes;
mod faults;
mod operators;
mod orchestrator;
mod requests;
mod scenes;
mod synchronization;
mod worker;

pub use bench::DoubleBench;
pub use faults::{Fault, Faults};
pub use scenes::PLATFORM;

use crate::checkpoint::{CheckpointError, NewWorkflow, OwnedWorkflow};
use crate::domain::analysis::{SyncPartition, SyncSettings};
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::Request;
use crate::domain::spec::TableSpec;
use crate::domain::table::{Platform, Slice};
use crate::domain::table_plan::TablePlan;
use crate::domain::task::{Manifest, TaskKind};
use crate::domain::{Attempt, ClaimToken, OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

pub type TableKey = (WorkflowId, TableNo);

/// How long a row that is locked is waited for.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct WorkflowRow {
    pub name: String,
    pub platform: Platform,
    pub affinity: Option<String>,
    pub phase: WorkflowPhase,
    pub owner: Option<String>,
    pub epoch: OwnerEpoch,
    pub lease_until: Option<Instant>,
    pub request: Option<Request>,
    pub request_seq: i64,
}

pub(super) struct TableRow {
    pub phase: TablePhase,
    pub spec: TableSpec,
    pub plan: Option<TablePlan>,
    pub epoch: OwnerEpoch,
    pub error: Option<String>,
    pub warnings: Vec<String>,
    pub request: Option<Request>,
}

/// What runs of a pair of tables leave for the next.
pub(super) struct SyncRow {
    /// Whose turn it is.
    pub table: TableKey,
    /// What the partitions depend on; `None`: nothing was planned yet.
    pub settings: Option<SyncSettings>,
    pub partitions: BTreeMap<PartitionNo, SyncPartition>,
}

pub(super) struct PartitionRow {
    pub phase: PartitionPhase,
    pub slice: Slice,
    pub attempt: Option<Attempt>,
    pub manifest: Option<Manifest>,
    pub error: Option<String>,
}

pub(super) struct TaskRow {
    pub kind: TaskKind,
    pub workflow_id: WorkflowId,
    pub table_no: TableNo,
    pub partition: Option<(PartitionNo, Slice)>,
    pub priority: i32,
    pub phase: TaskPhase,
    pub attempt: Attempt,
    pub failures: u32,
    pub postponed: u32,
    pub token: Option<ClaimToken>,
    pub worker: Option<String>,
    pub lease_until: Option<Instant>,
    pub not_before: Option<Instant>,
    pub result: Option<String>,
    pub error: Option<String>,
    pub collected: bool,
}

#[derive(Default)]
pub(super) struct Rows {
    pub workflows: BTreeMap<WorkflowId, WorkflowRow>,
    pub tables: BTreeMap<TableKey, TableRow>,
    pub partitions: BTreeMap<(WorkflowId, TableNo, PartitionNo), PartitionRow>,
    pub tasks: BTreeMap<String, TaskRow>,
    pub workers: HashMap<String, u32>,
    /// By the key of the pair of tables.
    pub synchronizations: BTreeMap<String, SyncRow>,
    /// What the loads committed, in order: partition, attempt, rows.
    pub target: BTreeMap<TableKey, Vec<(PartitionNo, Attempt, u64)>>,
    /// Permits that loads could not return.
    pub unreturned_permits: usize,
}

/// The checkpoint in memory, with what the loads commit.
#[derive(Default)]
pub struct Store {
    rows: Mutex<Rows>,
    locks: Mutex<HashMap<TableKey, Arc<tokio::sync::Mutex<()>>>>,
    /// Faults of its calls.
    pub faults: Faults,
}

impl Store {
    pub(super) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// The lock of a table's row: held by a load's transaction.
    pub fn table_lock(&self, key: TableKey) -> Arc<tokio::sync::Mutex<()>> {
        self.locks.lock().unwrap().entry(key).or_default().clone()
    }

    /// Creates a workflow.
    pub fn create(&self, workflow: &NewWorkflow) -> WorkflowId {
        let mut rows = self.rows();
        let id = WorkflowId(rows.workflows.len() as i64 + 1);
        rows.workflows.insert(
            id,
            WorkflowRow {
                name: workflow.name.clone(),
                platform: workflow.platform,
                affinity: workflow.affinity.clone(),
                phase: WorkflowPhase::Pending,
                owner: None,
                epoch: OwnerEpoch(0),
                lease_until: None,
                request: None,
                request_seq: 0,
            },
        );
        for (no, spec) in workflow.tables.iter().enumerate() {
            let row = TableRow {
                phase: TablePhase::Pending,
                spec: spec.clone(),
                plan: None,
                epoch: OwnerEpoch(0),
                error: None,
                warnings: Vec::new(),
                request: None,
            };
            rows.tables.insert((id, TableNo(no as u32)), row);
        }
        id
    }
}

impl Rows {
    pub(super) fn check_owner(&self, owned: &OwnedWorkflow) -> Result<(), CheckpointError> {
        match self.workflows.get(&owned.id) {
            Some(row) if row.epoch == owned.epoch => Ok(()),
            _ => Err(CheckpointError::Fenced(owned.id)),
        }
    }
}

/// The same work has the same key.
fn task_id(
    workflow: WorkflowId,
    kind: TaskKind,
    table: TableNo,
    partition: Option<PartitionNo>,
) -> String {
    let kind = match kind {
        TaskKind::Analyze => "ANALYZE",
        TaskKind::Extract => "EXTRACT",
    };
    match partition {
        Some(partition) => format!("{workflow}/{table}/{partition}/{kind}"),
        None => format!("{workflow}/{table}/{kind}"),
    }
}
