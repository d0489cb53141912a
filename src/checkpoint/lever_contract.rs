//! What the command line asks of the checkpoint to steer workflows.

use super::contract::CheckpointError;
use crate::domain::phase::{TablePhase, WorkflowPhase};
use crate::domain::request::{Lever, Request};
use crate::domain::{TableNo, WorkflowId};
use async_trait::async_trait;

/// A workflow as a lever finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SteeredWorkflow {
    /// Id.
    pub id: WorkflowId,
    /// Name.
    pub name: String,
    /// Phase.
    pub phase: WorkflowPhase,
    /// What is asked of it as a whole.
    pub request: Option<Request>,
    /// What the next request must find: somebody else may steer too.
    pub request_seq: i64,
    /// Its tables, in order.
    pub tables: Vec<SteeredTable>,
}

/// A table as a lever finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SteeredTable {
    /// Place in the workflow.
    pub table_no: TableNo,
    /// Source table as written.
    pub source_table: String,
    /// Phase.
    pub phase: TablePhase,
    /// What is asked of it.
    pub request: Option<Request>,
    /// Partitions that failed.
    pub num_failed_partitions: u64,
    /// Whether it is a dry run's.
    pub is_dry_run: bool,
    /// Why it cannot run again, when another workflow has taken the state of its earlier runs; known for [`Lever::Retry`] alone.
    pub cannot_retry: Option<String>,
}

/// What the command line asks to steer workflows.
#[async_trait]
pub trait WorkflowLevers: Send + Sync {
    /// The workflow of this name, or else of this id, as `lever` needs to know it. Two statements, up to two more for
    /// [`Lever::Retry`].
    async fn steered(
        &self,
        name_or_id: &str,
        lever: Lever,
    ) -> Result<Option<SteeredWorkflow>, CheckpointError>;

    /// Asks for what `lever` says, of these tables or, when there are none, of the workflow as a whole. Compare-and-set: `false` when
    /// somebody has steered the workflow since it was read, or it has ended; then nothing is written. One transaction.
    async fn pull(
        &self,
        workflow: &SteeredWorkflow,
        lever: Lever,
        tables: &[TableNo],
    ) -> Result<bool, CheckpointError>;
}
