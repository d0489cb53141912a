//! What the user asks of a table, as the checkpoint stores it: a field that is added later needs a default.

use super::kinds::{Route, TargetKind};
use super::table::{DateUnit, PartitionSize, QueryModifiers, TableRef};
use serde::{Deserialize, Serialize};

/// What an [`TaskKind::Analyze`](super::task::TaskKind::Analyze) task is about. Stored in `TABLE_STATE.SPEC`, written when the workflow is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableSpec {
    /// Where the rows come from.
    pub source: TableRef,
    /// Where they go.
    pub target: TableRef,
    /// Columns to partition by, as the user wrote them; empty: one partition; `None`: infer them.
    pub key: Option<Vec<String>>,
    /// How large a partition is to be.
    pub partition_size: PartitionSize,
    /// Most rows of a partition, whatever its size; `None`: as many as fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_partition_rows: Option<u64>,
    /// Units of the calendar that the table is cut at, by the one date in its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by_date: Option<DateUnit>,
    /// The user's own SQL for columns: those that count more come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub column_transforms: Vec<TransformRule>,
    /// Whether the target has CHECK constraints; `None`: the user does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_check_constraints: Option<bool>,
    /// Whether intervals are to have a type of their own. They arrive as text, with a warning then. `None`: the user does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants_intervals: Option<bool>,
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
    /// What happens where a policy of the source hides rows.
    #[serde(default)]
    pub row_security: RowSecurity,
    /// When boundaries come from a sample.
    #[serde(default)]
    pub sampling: Sampling,
    /// Minutes that a statement of the analysis may take.
    #[serde(default)]
    pub analysis_timeout_minutes: Option<u64>,
    /// What becomes of the partitions that a previous run stored.
    #[serde(default)]
    pub reset_partitions: ResetPartitions,
    /// Whether identity columns continue counting in the target.
    #[serde(default)]
    pub continue_identity: bool,
    /// Megabytes (10^6 bytes) of files that one COPY INTO loads at most.
    #[serde(default)]
    pub load_segment_mb: Option<u64>,
    /// How rows leave the source.
    #[serde(default, skip_serializing_if = "Route::is_default")]
    pub route: Route,
    /// The kind of the target.
    #[serde(default, skip_serializing_if = "TargetKind::is_default")]
    pub target_kind: TargetKind,
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
            max_partition_rows: None,
            partition_by_date: None,
            column_transforms: Vec::new(),
            has_check_constraints: None,
            wants_intervals: None,
            where_clause: None,
            column_type_mappings: Vec::new(),
            column_name_mappings: Vec::new(),
            synchronization: Synchronization::None,
            primary_key: Vec::new(),
            excluded_columns: Vec::new(),
            query_modifiers: QueryModifiers::default(),
            row_security: RowSecurity::default(),
            sampling: Sampling::default(),
            analysis_timeout_minutes: None,
            reset_partitions: ResetPartitions::Disabled,
            continue_identity: false,
            load_segment_mb: None,
            route: Route::default(),
            target_kind: TargetKind::default(),
            clean_up: CleanUp::OnSuccess,
            preflight: None,
        }
    }
}

/// A rule for columns. It is for those that meet all of what it names, and names something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TransformRule {
    /// The column, as the user wrote it.
    pub column: Option<String>,
    /// A regular expression for its name.
    pub column_pattern: Option<String>,
    /// Its type in the source, as the user wrote it.
    pub data_type: Option<String>,
    /// See [`ColumnTransform::encode`].
    pub encode: Option<String>,
    /// See [`ColumnTransform::decode`].
    pub decode: Option<String>,
    /// The column's type in a target that is created.
    pub target_type: Option<String>,
}

impl TransformRule {
    /// What it does with values, if anything.
    pub fn transform(&self) -> Option<ColumnTransform> {
        let Self { encode, decode, .. } = self;
        (encode.is_some() || decode.is_some()).then(|| ColumnTransform {
            encode: encode.clone(),
            decode: decode.clone(),
        })
    }
}

/// The user's own SQL for a column; `{{ col_name }}` stands for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ColumnTransform {
    /// What the source computes, in its SQL; `None`: the column as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode: Option<String>,
    /// What COPY INTO computes of the value in the file, in Snowflake's SQL; `None`: that value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode: Option<String>,
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

/// What happens where a policy of the source hides rows of a table from the login (row-level security).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RowSecurity {
    /// The table fails: what cannot be seen would be missing in the target, or be deleted there.
    #[default]
    Refuse,
    /// The rows that the login sees are what the user wants.
    Accept,
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
    /// They are discarded: the table is partitioned again, and every partition moved. The target is not wiped.
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
