//! The analysis of a table: its columns, its size, and where it is cut.

use super::columns::{source_column, table_comment};
use super::connection::{SourceSettings, query_text};
use super::error::{SourceError, SourceErrorKind};
use crate::dialect::{Dialect, Scope};
use crate::domain::table::{KeyColumn, KeyRange, SourceColumn};
use crate::domain::task::{AnalyzedPartition, SyncSnapshot, TableAnalysis, TableSpec};
use crate::plan::{misplaced_boundary, partition_count, ranges};

/// Reads the catalog and cuts the table. Blocking: a handful of round trips.
///
/// # Errors
/// As [`SourceError`] says; a missing table or key column is named, with those that exist.
pub fn analyze(
    settings: &SourceSettings,
    dialect: &dyn Dialect,
    spec: &TableSpec,
    _previous: Option<&SyncSnapshot>,
) -> Result<TableAnalysis, SourceError> {
    let place = format!("{}, table {}", settings.place(), spec.source);
    let connection = settings.connect(dialect)?;
    let rows = query_text(&connection, &dialect.columns_query(&spec.source), &place)?;
    let columns: Vec<SourceColumn> = rows.iter().map(|row| source_column(row)).collect();
    if columns.is_empty() {
        return Err(SourceError::new(
            SourceErrorKind::NoSuchObject,
            format!(
                "{place}: there is no such table, or the user may not see it; check schemaName and tableName in the workflow (an unquoted name is folded)"
            ),
        ));
    }
    let key = spec
        .key
        .iter()
        .flatten()
        .map(|written| key_column(dialect, written, &columns, &place))
        .collect::<Result<Vec<_>, _>>()?;
    let mut warnings = Vec::new();
    let (mut row_estimate, mut byte_estimate) = (0, 0);
    for sql in dialect.estimate_queries(&spec.source) {
        // A catalog that lacks a view, or forbids it, passes on to the next source of an estimate.
        let Ok(rows) = query_text(&connection, &sql, &place) else {
            continue;
        };
        let number = |index: usize| {
            rows.first()
                .and_then(|row| row.get(index))
                .and_then(|cell| cell.as_deref())
                .and_then(|text| text.parse::<u64>().ok())
        };
        if let (Some(rows), Some(bytes)) = (number(0), number(1)) {
            (row_estimate, byte_estimate) = (rows, bytes);
            break;
        }
    }
    let wanted = if key.is_empty() {
        1
    } else {
        partition_count(row_estimate, byte_estimate, spec.partition_size)
    };
    if key.is_empty() {
        warnings.push(
            "the table has no columnNamesToPartitionBy: it is migrated as one partition".to_owned(),
        );
    }
    let mut boundaries = Vec::new();
    if wanted > 1 {
        let scope = Scope {
            table: &spec.source,
            key: &key,
            range: &KeyRange::Everything,
            window: None,
            where_clause: spec.where_clause.as_deref(),
            modifiers: &spec.query_modifiers,
        };
        let sql = dialect.boundary_query(&scope, wanted, None);
        for row in query_text(&connection, &sql, &place)? {
            let tuple: Option<Vec<String>> = row.into_iter().collect();
            boundaries.push(tuple.ok_or_else(|| {
                SourceError::new(
                    SourceErrorKind::Other,
                    format!("{place}: the source answered a boundary with NULL in it"),
                )
            })?);
        }
        boundaries.dedup();
        if let Some(tuple) = misplaced_boundary(&key, &boundaries) {
            // Ranges that overlap would double rows: better no migration than a wrong one.
            return Err(SourceError::new(
                SourceErrorKind::Other,
                format!(
                    "{place}: the source answered partition boundaries out of order, at {}; choose another column to partition by, or [] for one partition",
                    tuple.join(", ")
                ),
            ));
        }
    }
    Ok(TableAnalysis {
        columns,
        comment: table_comment(&rows),
        primary_key: Vec::new(),
        row_estimate,
        byte_estimate,
        partitions: ranges(&key, &boundaries)
            .into_iter()
            .map(AnalyzedPartition::from)
            .collect(),
        key,
        reused: false,
        watermark: None,
        checksum: None,
        warnings,
        notes: Vec::new(),
    })
}

fn key_column(
    dialect: &dyn Dialect,
    written: &str,
    columns: &[SourceColumn],
    place: &str,
) -> Result<KeyColumn, SourceError> {
    let name = dialect.exact_name(&crate::domain::table::WrittenName(written.to_owned()));
    let Some(column) = columns.iter().find(|column| column.name == name) else {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        return Err(SourceError::new(
            SourceErrorKind::NoSuchObject,
            format!(
                "{place}: columnNamesToPartitionBy names {written}, and the table has no such column; it has {}",
                names.join(", ")
            ),
        ));
    };
    let Some(kind) = dialect.key_kind(column) else {
        return Err(SourceError::new(
            SourceErrorKind::NoSuchObject,
            format!(
                "{place}: columnNamesToPartitionBy names {written} of type {}; choose an integer, decimal, date, timestamp or varchar column, or [] for one partition",
                column.type_name
            ),
        ));
    };
    Ok(KeyColumn {
        name,
        kind,
        nullable: column.nullable,
        bytewise: false,
    })
}
