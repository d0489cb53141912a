//! The plan of a table's run: what is extracted, how it is loaded, and what later runs find. It is stored as JSON in
//! `TABLE_STATE.EXTRACTION`, once per table; workers get its [`ExtractSpec`] only.

mod stored;

use super::analysis::Watermark;
pub use super::kinds::{Route, TargetKind};
use super::spec::{ColumnTransform, RowSecurity};
use super::table::{Content, KeyColumn, Platform, QueryModifiers, SourceColumn, TableRef};
use serde::{Deserialize, Serialize};
pub use stored::UnreadablePlan;

/// The plan of a table's run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePlan {
    /// What workers extract.
    pub extract: ExtractSpec,
    /// What the orchestrator does with the files. It has as many columns as the extraction, in the same order.
    pub load: LoadSpec,
    /// What is left for later runs.
    pub sync: SyncSpec,
}

/// What the extraction of a partition needs to know of its table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractSpec {
    /// The source's platform.
    pub platform: Platform,
    /// How rows leave the source.
    #[serde(default)]
    pub route: Route,
    /// The table.
    pub source: TableRef,
    /// The key that the partitions' ranges refer to.
    pub key: Vec<KeyColumn>,
    /// The columns, in the order of the file's.
    pub columns: Vec<ExtractColumn>,
    /// Exact names of the columns that identify a row, where [`LoadMode::Merge`] or [`Content::Keys`] needs them.
    #[serde(default)]
    pub primary_key: Vec<String>,
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
}

/// One column of an extraction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractColumn {
    /// The column in the source.
    pub source: SourceColumn,
    /// The full Snowflake type that the file's values have to fit exactly, e.g. `NUMBER(10,0)`. `None`: that of the
    /// platform's own mapping, because the load computes another value from it.
    pub fits: Option<String>,
    /// The user's SQL in place of the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encode: Option<String>,
}

/// How the files of a table are loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadSpec {
    /// Where the rows go: of a dry run, its own table.
    pub target: TableRef,
    /// The kind of that table.
    #[serde(default)]
    pub kind: TargetKind,
    /// The target's columns, in the order of the file's.
    pub columns: Vec<LoadColumn>,
    /// What is done with rows that are there already.
    #[serde(default)]
    pub mode: LoadMode,
    /// Megabytes (10^6 bytes) of files that one COPY INTO loads at most.
    #[serde(default)]
    pub segment_mb: Option<u64>,
}

/// One column of a load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadColumn {
    /// Exact name in the target.
    pub name: String,
    /// Full Snowflake type, e.g. `NUMBER(10,0)`.
    pub target_type: String,
    /// The user's SQL over the file's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode: Option<String>,
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

/// What a run leaves for the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncSpec {
    /// Names the state in `SYNCHRONIZATION`; `None`: it leaves none.
    #[serde(default)]
    pub state_key: Option<String>,
}

/// A column of the source and the column of the target that takes its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedColumn {
    /// The column in the source.
    pub source: SourceColumn,
    /// Exact name of the column in the target.
    pub target_name: String,
    /// Full Snowflake type of the target column.
    pub target_type: String,
    /// The user's own SQL for it.
    pub transform: Option<ColumnTransform>,
}

impl MatchedColumn {
    /// Its two halves: what workers need, and what the load needs.
    pub fn split(self) -> (ExtractColumn, LoadColumn) {
        let ColumnTransform { encode, decode } = self.transform.unwrap_or_default();
        let extract = ExtractColumn {
            source: self.source,
            // What COPY INTO computes from a value is apart from what it is computed from.
            fits: decode.is_none().then(|| self.target_type.clone()),
            encode,
        };
        let load = LoadColumn {
            name: self.target_name,
            target_type: self.target_type,
            decode,
        };
        (extract, load)
    }
}

impl ExtractSpec {
    /// The whole of a table's rows and none of its columns, by the default route.
    pub fn new(platform: Platform, source: TableRef) -> Self {
        Self {
            platform,
            route: Route::default(),
            source,
            key: Vec::new(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            where_clause: None,
            query_modifiers: QueryModifiers::default(),
            row_security: RowSecurity::default(),
            checksum: None,
            watermark: None,
        }
    }

    /// Whether a slice of this content has the column.
    fn moves(&self, content: Content, column: &ExtractColumn) -> bool {
        match content {
            Content::Rows => true,
            Content::Keys => self.primary_key.contains(&column.source.name),
        }
    }

    /// The columns of a slice's files, in their order.
    pub fn columns_of(&self, content: Content) -> Vec<&ExtractColumn> {
        let columns = self.columns.iter();
        columns.filter(|c| self.moves(content, c)).collect()
    }
}

impl LoadSpec {
    /// Rows without columns, added to a table of the default kind.
    pub fn new(target: TableRef) -> Self {
        Self {
            target,
            kind: TargetKind::default(),
            columns: Vec::new(),
            mode: LoadMode::Append,
            segment_mb: None,
        }
    }
}

impl TablePlan {
    /// The columns of a slice's files, each with its column in the target.
    pub fn columns_of(&self, content: Content) -> Vec<(&ExtractColumn, &LoadColumn)> {
        let pairs = self.extract.columns.iter().zip(&self.load.columns);
        let of_slice =
            |(extract, _): &(&ExtractColumn, &LoadColumn)| self.extract.moves(content, extract);
        pairs.filter(of_slice).collect()
    }
}
