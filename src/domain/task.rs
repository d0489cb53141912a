//! Tasks: what the orchestrator asks of workers, and what they answer. These types are stored as JSON in the
//! checkpoint, so a field that is added later needs a default.

use super::retry::Failure;
use super::table::{Platform, Slice};
use super::{Attempt, ClaimToken, PartitionNo, TableNo, WorkflowId};
use serde::{Deserialize, Serialize};

/// What kind of work a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskKind {
    /// Read the source's catalog and cut the table into ranges: one per table.
    Analyze,
    /// Extract one partition into staged files.
    Extract,
}

/// A task as a worker holds it after a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimedTask {
    /// Key in `TASK_QUEUE`.
    pub task_id: String,
    /// Kind.
    pub kind: TaskKind,
    /// Workflow.
    pub workflow_id: WorkflowId,
    /// Table of the workflow.
    pub table_no: TableNo,
    /// Partition; `None` for table-wide tasks.
    pub partition_no: Option<PartitionNo>,
    /// What to extract ([`TaskKind::Extract`] only).
    pub slice: Option<Slice>,
    /// This claim's number.
    pub attempt: Attempt,
    /// Failures of earlier claims.
    pub failures: u32,
    /// Earlier claims that were postponed because something outside was away.
    pub postponed: u32,
    /// This claim's fence.
    pub token: ClaimToken,
    /// Source platform.
    pub platform: Platform,
}

/// One staged file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Path below the stage, e.g. `workflows/7/0/12/1/part-00000.parquet`.
    pub path: String,
    /// Rows inside.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
}

/// What an extraction staged: the only files of the partition that are ever loaded, once its attempt has won. The names and
/// types of the files' columns follow from the table's plan and its route
/// ([`ExtractionRoute::plan_column`](crate::extract::ExtractionRoute::plan_column)); they are the same in all manifests of a
/// table, and not stored again in each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The files; empty for a partition without rows.
    pub files: Vec<StagedFile>,
    /// The checksum of exactly these rows, where the table's synchronization asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Where the files are.
    #[serde(default, skip_serializing_if = "StageLocation::is_internal")]
    pub stage: StageLocation,
    /// What they are.
    #[serde(default, skip_serializing_if = "FileFormat::is_parquet")]
    pub format: FileFormat,
}

/// The stage that holds the files of a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StageLocation {
    /// The stage in the metadata's schema.
    #[default]
    Internal,
}

impl StageLocation {
    fn is_internal(&self) -> bool {
        *self == Self::Internal
    }
}

/// The format of staged files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FileFormat {
    /// Parquet, with logical types.
    #[default]
    Parquet,
}

impl FileFormat {
    fn is_parquet(&self) -> bool {
        *self == Self::Parquet
    }
}

/// A worker may have written any number.
fn saturating_sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

impl Manifest {
    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        saturating_sum(self.files.iter().map(|f| f.rows))
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        saturating_sum(self.files.iter().map(|f| f.bytes))
    }
}

/// How a task failed, as the checkpoint stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskFailure {
    /// Whether another attempt can help.
    pub retryable: bool,
    /// Whether something outside is unavailable, such as a source that restarts: waiting helps, and the task is not to blame.
    #[serde(default)]
    pub outage: bool,
    /// What is wrong, where, and what to do; free of secrets.
    pub message: String,
}

impl TaskFailure {
    /// What it says about another attempt.
    pub fn kind(&self) -> Failure {
        match (self.outage, self.retryable) {
            (true, _) => Failure::Outage,
            (false, true) => Failure::Transient,
            (false, false) => Failure::Permanent,
        }
    }

    /// A failure of this kind.
    pub fn of(failure: Failure, message: impl Into<String>) -> Self {
        match failure {
            Failure::Outage => Self::outage(message),
            // Whatever was staged is of an attempt that no manifest names.
            Failure::Transient | Failure::InDoubt | Failure::Unexplained => {
                Self::transient(message)
            }
            Failure::Permanent => Self::permanent(message),
        }
    }

    /// A failure after which another attempt cannot help.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            retryable: false,
            outage: false,
            message: message.into(),
        }
    }

    /// A failure after which another attempt may help.
    pub fn transient(message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            outage: false,
            message: message.into(),
        }
    }

    /// A failure because something outside is unavailable.
    pub fn outage(message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            outage: true,
            message: message.into(),
        }
    }
}

/// The end of one claim, as the worker reports it. Every end is fenced by the claim's token.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEnd {
    /// Key in `TASK_QUEUE`.
    pub task_id: String,
    /// The claim that ends.
    pub token: ClaimToken,
    /// The number of that claim.
    pub attempt: Attempt,
    /// How it ended.
    pub outcome: TaskOutcome,
}

/// How a claim ended.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOutcome {
    /// Done: the result as JSON ([`TableAnalysis`] or [`Manifest`]).
    Completed {
        /// The result.
        result: String,
        /// Rows extracted (0 for an analysis).
        rows: u64,
        /// Bytes staged.
        bytes: u64,
    },
    /// Failed. The store counts the failure; it returns the task to the queue after `retry_after`, or ends it as
    /// failed when that is `None`.
    Failed {
        /// What is wrong, where, and what to do.
        failure: TaskFailure,
        /// When another attempt may start; `None`: never.
        retry_after: Option<std::time::Duration>,
    },
    /// Something outside is unavailable: back to the queue for a while, not counted as a failure.
    Postponed {
        /// What is unavailable.
        failure: TaskFailure,
        /// When another attempt may start.
        retry_after: std::time::Duration,
    },
    /// Given back unfinished (the worker stops): claimable at once, not counted as a failure.
    HandedBack,
}
