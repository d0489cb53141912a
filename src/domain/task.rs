//! Tasks: what the orchestrator asks of workers, and what they answer. These types are stored as JSON in the
//! checkpoint, so a field that is added later needs a default.

use super::table::{
    Content, KeyColumn, KeyRange, PartitionSize, Platform, QueryModifiers, Slice, SourceColumn,
    TableRef,
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
    /// Columns to partition by, as the user wrote them; empty: one partition; `None`: infer them.
    pub key: Option<Vec<String>>,
    /// How large a partition shall be.
    pub partition_size: PartitionSize,
    /// A predicate in the source's SQL that every query of this table carries.
    pub where_clause: Option<String>,
    /// Replaces the default target type of a source type: (source type name, Snowflake type).
    pub column_type_mappings: Vec<(String, String)>,
    /// Renames: (source column, target column), as the user wrote them.
    pub column_name_mappings: Vec<(String, String)>,
    /// What later runs of the same table do.
    #[serde(default)]
    pub synchronization: Synchronization,
    /// Columns that identify a row, as the user wrote them; empty: none given.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Columns that are left out, as the user wrote them.
    #[serde(default)]
    pub excluded_columns: Vec<String>,
    /// Pieces of SQL for every statement that reads rows.
    #[serde(default)]
    pub query_modifiers: QueryModifiers,
    /// When boundaries come from a sample.
    #[serde(default)]
    pub sampling: Sampling,
    /// Minutes that a statement of the analysis may take.
    #[serde(default)]
    pub analysis_timeout_minutes: Option<u64>,
    /// What becomes of the partitions that a previous run stored.
    #[serde(default)]
    pub reset_partitions: ResetPartitions,
    /// Whether identity columns go on counting in the target.
    #[serde(default)]
    pub continue_identity: bool,
    /// Megabytes (10^6 bytes) of files that one COPY INTO loads at most.
    #[serde(default)]
    pub load_segment_mb: Option<u64>,
    /// When the workflow's staged files are removed; the same for all its tables.
    #[serde(default)]
    pub clean_up: CleanUp,
    /// Set in a dry run; the same for all the workflow's tables.
    #[serde(default)]
    pub preflight: Option<Preflight>,
}

impl TableSpec {
    /// A table without any of the optional settings.
    pub fn new(source: TableRef, target: TableRef) -> Self {
        Self {
            source,
            target,
            key: None,
            partition_size: PartitionSize::Auto,
            where_clause: None,
            column_type_mappings: Vec::new(),
            column_name_mappings: Vec::new(),
            synchronization: Synchronization::None,
            primary_key: Vec::new(),
            excluded_columns: Vec::new(),
            query_modifiers: QueryModifiers::default(),
            sampling: Sampling::default(),
            analysis_timeout_minutes: None,
            reset_partitions: ResetPartitions::Disabled,
            continue_identity: false,
            load_segment_mb: None,
            clean_up: CleanUp::OnSuccess,
            preflight: None,
        }
    }
}

/// A bounded dry run: one partition of each table goes into the transient schema `PREFLIGHT_<workflow id>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preflight {
    /// Whether the schema stays when the workflow ends.
    pub keep_schema: bool,
}

/// What a run of a table does with what earlier runs brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    tag = "strategy"
)]
pub enum Synchronization {
    /// Every run adds the whole table; nothing is stored.
    #[default]
    None,
    /// Every run moves the whole table, and deletes the target's rows of each partition first; nothing is stored.
    FullReplace,
    /// Partitions whose checksum has changed are replaced.
    Checksum {
        /// The user's own aggregate in the source's SQL instead of the built-in one.
        expression: Option<String>,
    },
    /// Rows above the watermark of the previous run are added.
    Watermark {
        /// The column, as the user wrote it.
        column: String,
        /// Whether rows replace those with the same primary key.
        track_modifications: bool,
        /// Whether target rows whose primary key is gone from the source are deleted.
        track_deletions: bool,
    },
}

impl Synchronization {
    /// Whether runs leave something behind for the next one.
    pub fn is_stateful(&self) -> bool {
        matches!(self, Self::Checksum { .. } | Self::Watermark { .. })
    }
}

/// When boundaries come from a sample, and of how many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sampling {
    /// Tables of more estimated rows are sampled.
    pub threshold_rows: u64,
    /// About this many rows are looked at.
    pub target_rows: u64,
}

impl Default for Sampling {
    /// As the field's own tool has them.
    fn default() -> Self {
        Self {
            threshold_rows: 100_000_000,
            target_rows: 20_000_000,
        }
    }
}

/// What becomes of the partitions that a previous run of a table stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResetPartitions {
    /// They are used again.
    #[default]
    Disabled,
    /// They are discarded: the table is partitioned anew, and every partition moved. The target is not wiped.
    Enabled,
    /// The same, and rows replace those with the same primary key, also without `trackModifications`.
    EnabledWithDedup,
}

/// When a workflow's staged files are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleanUp {
    /// Never.
    Never,
    /// At its end, those of the tables that completed.
    #[default]
    OnSuccess,
    /// At its end, all.
    Always,
}

/// What an earlier run of the same source table into the same target left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncSnapshot {
    /// What its partitions speak of.
    pub settings: SyncSettings,
    /// Its partitions, in order.
    pub partitions: Vec<SyncPartition>,
}

/// What stored partitions, checksums and watermarks depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncSettings {
    /// The partition key.
    pub key: Vec<KeyColumn>,
    /// The user's predicate.
    pub where_clause: Option<String>,
    /// The strategy.
    pub synchronization: Synchronization,
}

/// A partition that an earlier run left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncPartition {
    /// Its part of the table.
    pub range: KeyRange,
    /// Checksum of the rows that were loaded last; `None`: none were.
    pub checksum: Option<String>,
    /// All rows up to this watermark are loaded; `None`: none are.
    pub watermark: Option<String>,
}

/// What an [`TaskKind::Analyze`] task found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableAnalysis {
    /// All columns, in table order, those that are left out too.
    pub columns: Vec<SourceColumn>,
    /// The table's comment.
    #[serde(default)]
    pub comment: Option<String>,
    /// The key columns resolved against the catalog; empty: one partition.
    pub key: Vec<KeyColumn>,
    /// Exact names of the columns that identify a row, as far as the synchronization needs them.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Estimated rows (statistics; may be stale).
    pub row_estimate: u64,
    /// Estimated bytes in the source. Of a table without anything to move nobody asks: 0.
    pub byte_estimate: u64,
    /// The table's partitions, in order: disjoint, and together the whole table.
    pub partitions: Vec<AnalyzedPartition>,
    /// Whether the partitions' ranges are those that the previous run stored, one by one.
    #[serde(default)]
    pub reused: bool,
    /// The watermark of this run.
    #[serde(default)]
    pub watermark: Option<Watermark>,
    /// The aggregate whose values the partitions' checksums are: each extraction takes it of the rows that it reads.
    #[serde(default)]
    pub checksum: Option<String>,
    /// Findings that users should know of.
    pub warnings: Vec<String>,
    /// How key, size and partitions came about, for people.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A partition as the analysis found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalyzedPartition {
    /// Its part of the table.
    pub range: KeyRange,
    /// The watermark up to which its rows are loaded already. Of a partition without rows above the previous run's, that
    /// of this run.
    #[serde(default)]
    pub after: Option<String>,
    /// The checksum of what is loaded already.
    #[serde(default)]
    pub checksum: Option<String>,
    /// Whether there is nothing to move.
    #[serde(default)]
    pub unchanged: bool,
}

impl From<KeyRange> for AnalyzedPartition {
    fn from(range: KeyRange) -> Self {
        Self {
            range,
            after: None,
            checksum: None,
            unchanged: false,
        }
    }
}

/// The watermark of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watermark {
    /// The column.
    pub column: KeyColumn,
    /// Captured before anything was extracted: rows above belong to the next run.
    pub upto: String,
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
