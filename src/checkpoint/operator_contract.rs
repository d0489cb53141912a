//! What the command line asks of the checkpoint for operators.

use super::contract::CheckpointError;
use crate::domain::phase::{TablePhase, WorkflowPhase};
use crate::domain::request::{OperatorCommand, Request};
use crate::domain::{TableNo, WorkflowId};
use async_trait::async_trait;

/// A workflow as a command finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandedWorkflow {
    /// Id.
    pub id: WorkflowId,
    /// Name.
    pub name: String,
    /// Phase.
    pub phase: WorkflowPhase,
    /// What is asked of it as a whole.
    pub request: Option<Request>,
    /// What the next request must find: somebody else may ask for something too.
    pub request_seq: i64,
    /// Its tables, in order.
    pub tables: Vec<CommandedTable>,
}

/// A table as a command finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandedTable {
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
    /// Why it cannot run again, when another workflow has taken the state of its earlier runs; known for [`OperatorCommand::Retry`] alone.
    pub cannot_retry: Option<String>,
}

/// What the command line asks for operators.
#[async_trait]
pub trait OperatorRequests: Send + Sync {
    /// The workflow of this name, or else of this id, as `command` needs to know it. Two statements, up to two more for
    /// [`OperatorCommand::Retry`].
    async fn commanded(
        &self,
        name_or_id: &str,
        command: OperatorCommand,
    ) -> Result<Option<CommandedWorkflow>, CheckpointError>;

    /// Asks for what `command` says, of these tables or, when there are none, of the workflow as a whole. Compare-and-set: `false` when
    /// somebody has commanded the workflow since it was read, or it has ended; then nothing is written. One transaction.
    async fn submit(
        &self,
        workflow: &CommandedWorkflow,
        command: OperatorCommand,
        tables: &[TableNo],
    ) -> Result<bool, CheckpointError>;
}
