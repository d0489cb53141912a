//! What a workflow would do with a table.

use crate::domain::spec::Synchronization;
use crate::domain::table::{KeyColumn, KeyRange, PartitionSize};
use serde::Serialize;

/// One table of a workflow.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TablePreview {
    /// The source table, as the user wrote it.
    pub source: String,
    /// The target table, as the user wrote it.
    pub target: String,
    /// What would be done.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What would be done with a table.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It cannot be migrated like this.
    Error(String),
    /// It would be migrated like this.
    Plan(Box<PlannedTable>),
}

/// A table that can be migrated.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedTable {
    /// The key that it is cut by; empty: one partition.
    pub key: Vec<KeyColumn>,
    /// Whether the file names the key.
    pub key_is_given: bool,
    /// What later runs do.
    pub synchronization: Synchronization,
    /// How large a partition is to be.
    pub partition_size: PartitionSize,
    /// Most rows of one, where the file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_partition_rows: Option<u64>,
    /// Estimated rows.
    pub row_estimate: u64,
    /// Estimated bytes in the source.
    pub byte_estimate: u64,
    /// The partitions' ranges of the key.
    pub partitions: Vec<KeyRange>,
    /// Whether only one of them would be moved, into a schema of its own.
    pub preflight: bool,
    /// How key, size and partitions came about.
    pub notes: Vec<String>,
    /// What users should know of.
    pub warnings: Vec<String>,
    /// The target, if it does not exist.
    pub ddl: String,
    /// Statements that the source would get.
    pub source_statements: Vec<Statement>,
    /// Statements that Snowflake would get to load a partition.
    pub load_statements: Vec<Statement>,
}

/// A statement and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// What it is for.
    pub purpose: String,
    /// Its text.
    pub sql: String,
}
