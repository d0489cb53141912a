//! Tasks: what the orchestrator asks of workers, and what they answer. These types are stored as JSON in the
//! checkpoint, so a field that is added later needs a default.

use super::analysis::Watermark;
use super::retry::Failure;
use super::spec::{ColumnTransform, RowSecurity};
use super::table::{Content, KeyColumn, Platform, QueryModifiers, Slice, SourceColumn, TableRef};
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
    /// Pieces of SQL for every statement.
    #[serde(default)]
    pub query_modifiers: QueryModifiers,
    /// What happens where a policy of the source hides rows.
    #[serde(default)]
    pub row_security: RowSecurity,
    /// The checksum that each extraction takes of exactly the rows that it reads: an aggregate in the source's SQL.
    #[serde(default)]
    pub checksum: Option<String>,
    /// The watermark that bounds every extraction.
    #[serde(default)]
    pub watermark: Option<Watermark>,
    /// What the load does with rows that are there already.
    #[serde(default)]
    pub load: LoadMode,
    /// Exact source names of the columns that identify a row, where [`LoadMode::Merge`] or [`Content::Keys`] needs them.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Names the state that the run leaves for the next one; `None`: it leaves none.
    #[serde(default)]
    pub sync_key: Option<String>,
    /// Megabytes (10^6 bytes) of files that one COPY INTO loads at most.
    #[serde(default)]
    pub load_segment_mb: Option<u64>,
}

impl ExtractionSpec {
    /// The columns that a slice moves.
    pub fn columns_of(&self, content: Content) -> Vec<&ExtractColumn> {
        let is_moved = |column: &&ExtractColumn| match content {
            Content::Rows => true,
            Content::Keys => self.primary_key.contains(&column.source.name),
        };
        self.columns.iter().filter(is_moved).collect()
    }
}

/// What a load does with rows that are in the target already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LoadMode {
    /// Nothing: rows are added.
    #[default]
    Append,
    /// Those of the partition's range are deleted first.
    ReplaceRange,
    /// Those with the same primary key are replaced.
    Merge,
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
    /// The user's own SQL for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<ColumnTransform>,
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

/// What an extraction staged: the only files of the partition that are ever loaded, once its attempt has won.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The files; empty for a partition without rows.
    pub files: Vec<StagedFile>,
    /// The checksum of exactly these rows, where the table's synchronization asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
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
    /// Whether something outside is away, such as a source that restarts: waiting helps, and the task is not to blame.
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
            (false, true) => Failure::Passing,
            (false, false) => Failure::Final,
        }
    }

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
