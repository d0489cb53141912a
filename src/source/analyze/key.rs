//! The key that a table is cut by, and the one that tells its rows apart.

use super::session::{Session, Subject};
use crate::domain::analysis::SyncSnapshot;
use crate::domain::catalog::{KeyCandidate, KeyOrigin, LayoutColumn};
use crate::domain::source_settings::SourceSettings;
use crate::domain::spec::{ResetPartitions, RowSecurity, Synchronization};
use crate::domain::table::{KeyColumn, KeyKind, SourceColumn, TableRef};
use crate::plan::dates::dated_key;
use crate::plan::key::{choose_key, choose_row_key, layout_key};
use crate::plan::synchronization::has_untold_rows;
use crate::platform::{ConstraintRow, SourcePlatform};
use crate::source::catalog::unreadable;
use crate::source::session::Ask;
use crate::source::{SourceError, SourceErrorKind};

/// The keys that tables can be cut by, in the order of the tables: those that a run infers, otherwise the sort or the
/// distribution key; `None`: there is none. Blocking; one login, and up to three statements a table.
///
/// # Errors
/// As [`SourceError`] says. A table that is not there has no key.
pub fn infer_keys(
    settings: &SourceSettings,
    platform: &dyn SourcePlatform,
    tables: &[TableRef],
) -> Result<Vec<Option<KeyCandidate>>, SourceError> {
    let session = Session::open(settings, platform, None, RowSecurity::Refuse)?;
    let infer = |table: &TableRef| {
        let (columns, _) = session.columns(table)?;
        let constraints = constraints(&session, table)?;
        let may_be_key = |column: &SourceColumn| platform.key_kind(column).is_some();
        if let Some(chosen) = choose_key(&constraints, &columns, may_be_key) {
            return Ok(Some(chosen));
        }
        by_layout(&session, table, &columns, may_be_key)
    };
    tables.iter().map(infer).collect()
}

/// The key that the table's layout makes.
fn by_layout(
    session: &Session<'_>,
    table: &TableRef,
    columns: &[SourceColumn],
    may_be_key: impl Fn(&SourceColumn) -> bool,
) -> Result<Option<KeyCandidate>, SourceError> {
    let chosen = layout_key(&layout(session, table)?, |name| {
        columns.iter().any(|c| c.name == name && may_be_key(c))
    });
    Ok(chosen.map(|chosen| match chosen.origin {
        KeyOrigin::SortKey if session.platform.layout_is_index() => KeyCandidate {
            origin: KeyOrigin::ClusteredIndex,
            ..chosen
        },
        _ => chosen,
    }))
}

/// How the source lays out the table's rows; empty: it does not tell.
fn layout(session: &Session<'_>, table: &TableRef) -> Result<Vec<LayoutColumn>, SourceError> {
    match session.platform.layout(table) {
        Some(query) => session.ask(table, &query),
        None => Ok(Vec::new()),
    }
}

/// What the catalog calls unique.
fn constraints(session: &Session<'_>, table: &TableRef) -> Result<Vec<KeyCandidate>, SourceError> {
    let rows = session.ask(table, &session.platform.constraints(table))?;
    let name_of = |wanted: &String| {
        rows.iter().find_map(|row| match row {
            ConstraintRow::Column { name, number } if number == wanted => Some(name.clone()),
            _ => None,
        })
    };
    let candidates = rows.iter().filter_map(|row| match row {
        ConstraintRow::Column { .. } => None,
        ConstraintRow::Key {
            is_primary,
            name,
            columns,
        } => Some(KeyCandidate {
            origin: match is_primary {
                true => KeyOrigin::PrimaryKey,
                false => KeyOrigin::Unique(name.clone()),
            },
            columns: columns.iter().map(name_of).collect::<Option<_>>()?,
        }),
    });
    Ok(candidates.collect())
}

impl Subject<'_> {
    /// The key that ranges speak of; empty: one partition.
    pub(super) fn resolve_key(
        &mut self,
        previous: Option<&SyncSnapshot>,
    ) -> Result<Vec<KeyColumn>, SourceError> {
        match &self.spec.key {
            Some(written) if written.is_empty() => {
                self.warnings.push(
                    "columnNamesToPartitionBy is empty: the table is migrated as one partition"
                        .to_owned(),
                );
                Ok(Vec::new())
            }
            Some(written) => {
                let mut problems = Vec::new();
                let mut key = Vec::with_capacity(written.len());
                for name in written {
                    match self.written_key_column(name) {
                        Ok(column) if key.contains(&column) => problems.push(format!(
                            "columnNamesToPartitionBy names the column {} twice",
                            column.name
                        )),
                        Ok(column) => key.push(column),
                        Err(problem) => problems.push(problem),
                    }
                }
                if !problems.is_empty() {
                    return Err(self.error(SourceErrorKind::NoSuchObject, problems.join("; ")));
                }
                if self.spec.partition_by_date.is_some() {
                    key =
                        dated_key(key).map_err(|why| self.error(SourceErrorKind::Refused, why))?;
                }
                self.note_key(&key, "columnNamesToPartitionBy");
                Ok(key)
            }
            None => self.infer_key(previous),
        }
    }

    fn infer_key(
        &mut self,
        previous: Option<&SyncSnapshot>,
    ) -> Result<Vec<KeyColumn>, SourceError> {
        // As long as it can be: what was stored speaks of it.
        if let Some(key) = previous.and_then(|previous| self.same_key(&previous.settings.key)) {
            self.note_key(&key, "the previous run");
            return Ok(key);
        }
        let constraints = constraints(self.session, &self.spec.source)?;
        let hidden = self.hidden_columns()?;
        let may_be_key = |column: &SourceColumn| {
            let is_in_target = !column.computed && !self.is_excluded(column);
            !hidden.contains(&column.name)
                && self.platform().key_kind(column).is_some()
                && (is_in_target || !self.replaces_ranges())
        };
        let chosen = match choose_key(&constraints, self.columns, may_be_key) {
            None if self.platform().layout_is_index() => {
                // The index serves only where it has the order that ranges are compared in.
                let is_sought = |column: &SourceColumn| {
                    let kind = self.platform().key_kind(column);
                    may_be_key(column)
                        && kind.is_some_and(|kind| !self.key_column(column, kind).bytewise)
                };
                by_layout(self.session, &self.spec.source, self.columns, is_sought)?
            }
            chosen => chosen,
        };
        let Some(chosen) = chosen else {
            self.warnings.push(
                "the table has no primary key, unique constraint or identity column that it could be cut by: it is migrated as one partition; name columns with columnNamesToPartitionBy"
                    .to_owned(),
            );
            return Ok(Vec::new());
        };
        let key: Vec<KeyColumn> = chosen
            .columns
            .iter()
            .filter_map(|name| self.columns.iter().find(|column| column.name == *name))
            .filter_map(|column| Some(self.key_column(column, self.platform().key_kind(column)?)))
            .collect();
        self.note_key(&key, &format!("inferred: {}", chosen.origin));
        Ok(key)
    }

    /// Columns that are left out, and that the login may not read either: no statement may name them.
    fn hidden_columns(&self) -> Result<Vec<String>, SourceError> {
        if self.spec.excluded_columns.is_empty() {
            return Ok(Vec::new());
        }
        let columns = self.ask(&self.platform().privileges(&self.spec.source))?;
        Ok(unreadable(&columns))
    }

    /// A stored key, if the table still has it just so. What it says of NULL does not matter.
    fn same_key(&self, stored: &[KeyColumn]) -> Option<Vec<KeyColumn>> {
        let now: Vec<KeyColumn> = stored
            .iter()
            .map(|was| {
                let column = self.columns.iter().find(|column| column.name == was.name)?;
                let now = self.key_column(column, self.platform().key_kind(column)?);
                let was = KeyColumn {
                    nullable: now.nullable,
                    ..was.clone()
                };
                (now == was).then_some(now)
            })
            .collect::<Option<_>>()?;
        (!now.is_empty()).then_some(now)
    }

    fn note_key(&mut self, key: &[KeyColumn], origin: &str) {
        let names: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
        self.notes
            .push(format!("key: {} ({origin})", names.join(", ")));
    }

    fn written_key_column(&self, written: &str) -> Result<KeyColumn, String> {
        let Some(column) = self.column(written) else {
            return Err(format!(
                "columnNamesToPartitionBy names {written}, and {}",
                self.no_such_column(written)
            ));
        };
        let Some(kind) = self.platform().key_kind(column) else {
            return Err(format!(
                "columnNamesToPartitionBy names {written} of type {}, whose values have no order that a range could use; choose a column of numbers, text, dates, times or booleans, or [] for one partition",
                column.type_name
            ));
        };
        if self.replaces_ranges() && self.is_excluded(column) {
            return Err(format!(
                "columnNamesToPartitionBy names {written}, and excludeSourceColumns leaves it out of the target, where the rows of a partition could not be found to be replaced; take it out of one of the two"
            ));
        }
        Ok(self.key_column(column, kind))
    }

    fn key_column(&self, column: &SourceColumn, kind: KeyKind) -> KeyColumn {
        KeyColumn {
            name: column.name.clone(),
            kind,
            // Whatever the catalog says: foreign tables, children and domains do not keep it.
            nullable: true,
            bytewise: (kind.is_text() || kind == KeyKind::Guid) && self.replaces_ranges(),
        }
    }

    /// Whether the rows of a range are deleted in the target.
    fn replaces_ranges(&self) -> bool {
        matches!(
            self.spec.synchronization,
            Synchronization::FullReplace | Synchronization::Checksum { .. }
        )
    }

    /// Exact names of the columns that identify a row, where the synchronization needs them, or what earlier runs left.
    pub(super) fn resolve_primary_key(
        &mut self,
        previous: Option<&SyncSnapshot>,
    ) -> Result<Vec<String>, SourceError> {
        let needed = match &self.spec.synchronization {
            Synchronization::Watermark {
                track_modifications,
                track_deletions,
                ..
            } => *track_modifications || *track_deletions || previous.is_some_and(has_untold_rows),
            _ => false,
        };
        if !needed && self.spec.reset_partitions != ResetPartitions::EnabledWithDedup {
            return Ok(Vec::new());
        }
        if self.spec.primary_key.is_empty() {
            return self.infer_primary_key();
        }
        let mut problems = Vec::new();
        let mut excluded = Vec::new();
        let mut names = Vec::new();
        for written in &self.spec.primary_key {
            match self.column(written) {
                None => problems.push(format!(
                    "primaryKeyColumns names {written}, and {}",
                    self.no_such_column(written)
                )),
                Some(column) if self.is_excluded(column) => excluded.push(written.as_str()),
                Some(column) if names.contains(&column.name) => problems.push(format!(
                    "primaryKeyColumns names the column {} twice",
                    column.name
                )),
                Some(column) => names.push(column.name.clone()),
            }
        }
        if !excluded.is_empty() {
            problems.push(format!(
                "primaryKeyColumns names {}, and excludeSourceColumns leaves it out of the target; take it out of one of the two",
                excluded.join(", ")
            ));
        }
        if problems.is_empty() {
            Ok(names)
        } else {
            Err(self.error(SourceErrorKind::NoSuchObject, problems.join("; ")))
        }
    }

    /// The key that the catalog promises, where nobody names one.
    fn infer_primary_key(&mut self) -> Result<Vec<String>, SourceError> {
        let needed = "rows are to be recognized, and primaryKeyColumns names no column";
        if self.has_child_rows {
            return Err(self.error(
                SourceErrorKind::NoSuchObject,
                format_args!(
                    "{needed}: none is inferred, because rows of child tables come with the table's, and no constraint of the source reaches beyond one table; name the columns that identify a row, or have the table read alone (\"includeChildTables\": false)"
                ),
            ));
        }
        let constraints = constraints(self.session, &self.spec.source)?;
        let chosen = choose_row_key(&constraints, self.columns, |column| {
            !self.is_excluded(column)
        });
        let Some(chosen) = chosen else {
            return Err(self.error(
                SourceErrorKind::NoSuchObject,
                format_args!(
                    "{needed}: none is inferred, because the table has no primary key and no unique index whose columns are all NOT NULL and go into the target; name those that identify a row"
                ),
            ));
        };
        let columns = chosen.columns.join(", ");
        self.notes.push(format!(
            "rows are recognized by: {columns} (inferred: {})",
            chosen.origin
        ));
        let doubt = match self.platform().enforces_keys() {
            true => "",
            false => {
                ", which the source declares and does not enforce: a load that finds two rows with the same key fails"
            }
        };
        self.warnings.push(format!(
            "primaryKeyColumns names no column: rows are recognized by {columns}, the columns of the {}{doubt}; name others with primaryKeyColumns",
            chosen.origin
        ));
        Ok(chosen.columns)
    }
}
