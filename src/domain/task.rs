//! Tasks: what the orchestrator asks of workers, and what they answer. These types are stored as JSON in the
//! checkpoint, so a field that is added later needs a default.

use super::table::{
    KeyColumn, KeyRange, KeyTuple, PartitionSize, Platform, SourceColumn, TableRef,
};
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

/// What an [`TaskKind::Analyze`] task is about. Stored in `TABLE_STATE.SPEC`, written when the workflow is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableSpec {
    /// Where the rows come from.
    pub source: TableRef,
    /// Where they go.
    pub target: TableRef,
    /// Columns to partition by, as the user wrote them; empty: one partition.
    pub key: Vec<String>,
    /// How large a partition shall be.
    pub partition_size: PartitionSize,
    /// A predicate in the source's SQL that every query of this table carries.
    pub where_clause: Option<String>,
    /// Replaces the default target type of a source type: (source type name, Snowflake type).
    pub column_type_mappings: Vec<(String, String)>,
    /// Renames: (source column, target column), as the user wrote them.
    pub column_name_mappings: Vec<(String, String)>,
}

/// What an [`TaskKind::Analyze`] task found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableAnalysis {
    /// All columns, in table order.
    pub columns: Vec<SourceColumn>,
    /// The key columns resolved against the catalog; empty: one partition.
    pub key: Vec<KeyColumn>,
    /// Estimated rows (statistics; may be stale).
    pub row_estimate: u64,
    /// Estimated bytes in the source.
    pub byte_estimate: u64,
    /// First keys of the second, third, … partition: strictly ascending in the source's order.
    pub boundaries: Vec<KeyTuple>,
    /// Findings that users should know of.
    pub warnings: Vec<String>,
}

/// What an [`TaskKind::Extract`] task needs of its table. Stored once, in `TABLE_STATE.EXTRACTION`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractionSpec {
    /// The source's platform.
    pub platform: Platform,
    /// The table.
    pub source: TableRef,
    /// Where its rows go.
    pub target: TableRef,
    /// The key that the partitions' ranges speak of.
    pub key: Vec<KeyColumn>,
    /// Columns to extract, in order; each file column is named as [`crate::types`] says.
    pub columns: Vec<ExtractColumn>,
    /// A predicate in the source's SQL.
    pub where_clause: Option<String>,
}

/// One column on its way: where it is read and where it is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractColumn {
    /// The column in the source.
    pub source: SourceColumn,
    /// Exact name of the column in the target.
    pub target_name: String,
    /// Full Snowflake type of the target column, e.g. `NUMBER(10,0)`.
    pub target_type: String,
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
    /// The range to extract ([`TaskKind::Extract`] only).
    pub range: Option<KeyRange>,
    /// This claim's number.
    pub attempt: Attempt,
    /// Failures of earlier claims.
    pub failures: u32,
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

/// What an extraction staged: the only files of the partition that are ever loaded, once its attempt has won.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The files; empty for a partition without rows.
    pub files: Vec<StagedFile>,
}

impl Manifest {
    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }
}

/// How a task failed, as the checkpoint stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskFailure {
    /// Whether another attempt can help.
    pub retryable: bool,
    /// Whether something outside is away, such as a source that restarts: waiting helps, and the task is not to blame.
    #[serde(default)]
    pub outage: bool,
    /// What is wrong, where, and what to do; free of secrets.
    pub message: String,
}

impl TaskFailure {
    /// A failure after which another attempt cannot help.
    pub fn last(message: impl Into<String>) -> Self {
        Self {
            retryable: false,
            outage: false,
            message: message.into(),
        }
    }

    /// A failure after which another attempt may help.
    pub fn passing(message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            outage: false,
            message: message.into(),
        }
    }

    /// A failure because something outside is away.
    pub fn outage(message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            outage: true,
            message: message.into(),
        }
    }
}

/// The end of one claim, as the worker tells it. Every end is fenced by the claim's token.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEnd {
    /// Key in `TASK_QUEUE`.
    pub task_id: String,
    /// The claim that ends.
    pub token: ClaimToken,
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
    /// Something outside is away: back to the queue for a while, not counted as a failure.
    Postponed {
        /// What is away.
        failure: TaskFailure,
        /// When another attempt may start.
        retry_after: std::time::Duration,
    },
    /// Given back unfinished (the worker stops): claimable at once, not counted as a failure.
    HandedBack,
}
