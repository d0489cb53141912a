//! What a worker asks of the checkpoint.

use super::contract::{Applied, CheckpointError};
use crate::domain::analysis::SyncSnapshot;
use crate::domain::spec::TableSpec;
use crate::domain::table::Platform;
use crate::domain::table_plan::ExtractSpec;
use crate::domain::task::{ClaimedTask, TaskEnd};
use crate::domain::{ClaimToken, TableNo, WorkflowId};
use async_trait::async_trait;
use std::time::Duration;

/// What a worker offers when it claims.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// The worker's id.
    pub worker: String,
    /// Platforms whose source it can reach.
    pub platforms: Vec<Platform>,
    /// Its affinity; `None` takes any task.
    pub affinity: Option<String>,
    /// How many at most.
    pub limit: usize,
    /// How many at most of those that rate limits speak of: slots that are free now. What is claimed ahead would be counted as
    /// running.
    pub slots: usize,
    /// How long the claim holds without renewal.
    pub lease: Duration,
}

/// What a worker needs to know of a table.
#[derive(Clone, Debug)]
pub struct TableWork {
    /// Workflow.
    pub workflow_id: WorkflowId,
    /// Its name: for logs.
    pub workflow_name: String,
    /// Table.
    pub table_no: TableNo,
    /// What the user asked.
    pub spec: TableSpec,
    /// How to extract it, once planned.
    pub extract: Option<ExtractSpec>,
    /// What an earlier run of the same table left behind; only while it is not planned.
    pub previous: Option<SyncSnapshot>,
}

/// A lease to renew, with the progress of its task.
#[derive(Clone, Debug)]
pub struct LeaseRenewal {
    /// Task.
    pub task_id: String,
    /// Claim.
    pub token: ClaimToken,
    /// Rows extracted so far.
    pub rows: u64,
    /// Bytes staged so far.
    pub bytes: u64,
}

/// A worker's row in `WORKER`.
#[derive(Clone, Debug)]
pub struct WorkerInfo {
    /// Id: host, process and a random part.
    pub worker: String,
    /// Affinity.
    pub affinity: Option<String>,
    /// snowhaul's version.
    pub version: String,
    /// Tasks running.
    pub running: u32,
    /// Tasks at once at most.
    pub capacity: u32,
    /// Rows per second since the last heartbeat.
    pub rows_per_second: f64,
}

/// What a worker asks.
#[async_trait]
pub trait WorkerCheckpoint: Send + Sync {
    /// Takes up to `limit` tasks, in the order of their priority; no more than rate limits allow. One statement when there
    /// is none, one more to read what was won; while limits are set, a transaction of five statements when some may run, and one
    /// more when the first tasks are all forbidden.
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedTask>, CheckpointError>;
    /// What the tasks' tables are. One statement, and one for each table that is to be analyzed and that an earlier run
    /// may have left something for.
    async fn table_work(
        &self,
        tables: &[(WorkflowId, TableNo)],
    ) -> Result<Vec<TableWork>, CheckpointError>;
    /// Renews leases and reports progress; answers the tasks that are lost (another claim, or ended). One statement,
    /// one more if some are lost.
    async fn renew(
        &self,
        leases: &[LeaseRenewal],
        lease: Duration,
    ) -> Result<Vec<String>, CheckpointError>;
    /// Ends claims; the answers stand in the order of `ends`: `No` means that the claim was lost and nothing was
    /// written, except that a claim which was cancelled gives up its lease. One statement, up to two more if some did not
    /// apply.
    async fn finish(&self, ends: &[TaskEnd]) -> Result<Vec<Applied>, CheckpointError>;
    /// Writes the worker's row. One statement.
    async fn heartbeat(&self, worker: &WorkerInfo) -> Result<(), CheckpointError>;
    /// Removes the rows of workers that have been silent for this long. One statement.
    async fn forget_workers(&self, silent_for: Duration) -> Result<(), CheckpointError>;
    /// Removes the worker's row. One statement.
    async fn sign_off(&self, worker: &str) -> Result<(), CheckpointError>;
}
