//! What a table's analysis finds, and what earlier runs of the table left behind for it. Stored as JSON in the checkpoint:
//! a field that is added later needs a default.

use super::spec::{ColumnTransform, Synchronization};
use super::table::{KeyColumn, KeyRange, SourceColumn, TypeClass};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What an earlier run of the same source table into the same target left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncSnapshot {
    /// What its partitions are about.
    pub settings: SyncSettings,
    /// Its partitions, in order.
    pub partitions: Vec<SyncPartition>,
}

/// Names what earlier runs left behind, so that an analysis and a plan can check whether they are about the same.
///
/// # Errors
/// None that is known: a snapshot can be written as JSON.
pub fn fingerprint(snapshot: Option<&SyncSnapshot>) -> Result<String, serde_json::Error> {
    Ok(digest(serde_json::to_vec(&snapshot)?))
}

/// A name of 64 hexadecimal digits for these bytes (SHA-256).
pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stored partitions, checksums and watermarks depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncSettings {
    /// The partition key.
    pub key: Vec<KeyColumn>,
    /// The user's predicate.
    pub where_clause: Option<String>,
    /// The strategy.
    pub synchronization: Synchronization,
    /// Of a table with a watermark: rows that the partitions' watermarks do not cover.
    #[serde(default, skip_serializing_if = "Untold::is_none")]
    pub untold: Untold,
    /// Whether the rows of child tables were left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_child_tables: bool,
    /// The columns that were moved; `None`: an earlier version did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<MovedColumn>>,
}

/// Rows that may be in the target though no watermark says so. Where there are any, the next run has to replace rows by
/// their primary key: if it added them, they would be there twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Untold {
    /// Rows above the watermarks, because they lie in the future.
    #[serde(default)]
    pub above: bool,
    /// Rows of partitions that this run moves again, until each of them is loaded.
    #[serde(default)]
    pub moved_again: bool,
}

impl Untold {
    /// Whether there are none. Then nothing is written of them, so that a state of an earlier version keeps its name.
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A source column as a run has moved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MovedColumn {
    /// Its exact name.
    pub name: String,
    /// See [`SourceColumn::type_name`].
    pub type_name: String,
    /// See [`SourceColumn::length_or_precision`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_or_precision: Option<u32>,
    /// See [`SourceColumn::scale`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<i32>,
    /// See [`SourceColumn::class`].
    #[serde(default)]
    pub class: TypeClass,
    /// Exact name of the target column.
    pub target: String,
    /// The user's own SQL for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<ColumnTransform>,
}

impl MovedColumn {
    /// The column, as far as it was stored.
    pub fn source(&self) -> SourceColumn {
        SourceColumn {
            name: self.name.clone(),
            type_name: self.type_name.clone(),
            length_or_precision: self.length_or_precision,
            scale: self.scale,
            class: self.class,
            ..SourceColumn::default()
        }
    }
}

/// What a run is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousRun {
    /// The columns that it moved.
    pub columns: Vec<MovedColumn>,
    /// The watermark up to which all was moved, if it is one for all partitions.
    #[serde(default)]
    pub watermark: Option<String>,
}

impl PreviousRun {
    /// What a stored state says of the run that left it. `None`: an earlier version did not say.
    pub fn of(snapshot: &SyncSnapshot) -> Option<Self> {
        let mut stored = snapshot
            .partitions
            .iter()
            .filter_map(|p| p.watermark.as_ref());
        let first = stored.next();
        Some(Self {
            columns: snapshot.settings.columns.clone()?,
            watermark: first
                .filter(|first| stored.all(|other| other == *first))
                .cloned(),
        })
    }
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

/// What an [`TaskKind::Analyze`](super::task::TaskKind::Analyze) task found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Names what it found of earlier runs: the fingerprint of the [`SyncSnapshot`], or of none. Absent: it does not say.
    #[serde(default)]
    pub started_from: Option<String>,
    /// Whether the partitions' ranges are those that the previous run stored, one by one.
    #[serde(default)]
    pub reused: bool,
    /// What it compares with, where earlier runs have left something that is still of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousRun>,
    /// The watermark of this run. `None`: there is nothing to move by it, or all rows are moved whatever their watermark.
    #[serde(default)]
    pub watermark: Option<Watermark>,
    /// Rows that may be in the target before or after this run though no watermark says so.
    #[serde(default)]
    pub untold: Untold,
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
    /// Whether rows above are moved as well, by this run and again by the next. Rows are merged then.
    #[serde(default)]
    pub moves_above: bool,
    /// Whether rows without a watermark are moved by every run, not just by the first. Rows are merged then.
    #[serde(default)]
    pub moves_nulls: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_a_version_without_columns_is_read_and_not_compared() {
        let stored = r#"{"settings":{"key":[],"whereClause":null,"synchronization":{"strategy":"watermark","column":"at","trackModifications":false,"trackDeletions":false}},"partitions":[]}"#;
        let snapshot: SyncSnapshot = serde_json::from_str(stored).expect("reads");
        assert_eq!(PreviousRun::of(&snapshot), None);
        // Its name is what it was, so that an analysis of that version can still be planned.
        assert_eq!(
            serde_json::to_string(&snapshot).ok().as_deref(),
            Some(stored)
        );
    }

    #[test]
    fn a_watermark_is_told_only_if_it_is_one() {
        let snapshot = |watermarks: &[Option<&str>]| SyncSnapshot {
            settings: SyncSettings {
                key: Vec::new(),
                where_clause: None,
                synchronization: Synchronization::FullReplace,
                columns: Some(Vec::new()),
                ..SyncSettings::default()
            },
            partitions: watermarks
                .iter()
                .map(|watermark| SyncPartition {
                    range: KeyRange::Everything,
                    checksum: None,
                    watermark: watermark.map(str::to_owned),
                })
                .collect(),
        };
        let watermark = |watermarks: &[Option<&str>]| {
            PreviousRun::of(&snapshot(watermarks)).and_then(|previous| previous.watermark)
        };
        assert_eq!(
            watermark(&[Some("1"), None, Some("1")]).as_deref(),
            Some("1")
        );
        assert_eq!(watermark(&[Some("1"), Some("2")]), None);
        assert_eq!(watermark(&[None]), None);
    }
}
