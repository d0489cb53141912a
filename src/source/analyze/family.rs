//! The tables whose rows come with a table's.

use super::session::Subject;
use crate::domain::catalog::RelationKind;
use crate::domain::table::QueryModifiers;
use crate::plan::names::listed;
use crate::platform::{Kinship, Relative};
use crate::source::session::Ask;
use crate::source::{SourceError, SourceErrorKind};

/// Child tables that a warning names at most.
const NAMED: usize = 5;

/// How a table hangs together with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct Relatives {
    /// What the table is.
    pub(in crate::source) kind: Option<RelationKind>,
    /// Those whose rows come with it, as `schema.name`.
    pub(in crate::source) children: Vec<String>,
    /// Those of them that have columns which it has not.
    pub(in crate::source) with_own_columns: Vec<String>,
    /// Those that its rows come with: exact names of schema and table.
    pub(in crate::source) parents: Vec<(String, String)>,
}

impl Relatives {
    /// Sorts what the catalog answers.
    pub(in crate::source) fn of(rows: Vec<Relative>) -> Self {
        let mut relatives = Self::default();
        for row in rows {
            match row.relation {
                Kinship::Itself => relatives.kind = Some(row.kind),
                Kinship::Parent => relatives.parents.push((row.schema, row.name)),
                Kinship::Child => {
                    let full_name = format!("{}.{}", row.schema, row.name);
                    if row.has_own_columns {
                        relatives.with_own_columns.push(full_name.clone());
                    }
                    relatives.children.push(full_name);
                }
            }
        }
        relatives
    }

    /// What users should know of a table that is read with its child tables.
    fn warning(&self) -> Option<String> {
        let tables = match self.children.len() {
            0 => return None,
            1 => "1 child table comes".to_owned(),
            num => format!("{num} child tables come"),
        };
        let own = match self.with_own_columns.is_empty() {
            true => String::new(),
            false => format!(
                "; the columns that {} has and this table has not stay behind",
                listed(&self.with_own_columns, NAMED)
            ),
        };
        Some(format!(
            "what is in {tables} with the rows of this table: {}; a child table that is migrated as well is moved twice, unless \"includeChildTables\": false has this table read alone{own}",
            listed(&self.children, NAMED)
        ))
    }

    /// What users should know of a table that is read as `modifiers` say.
    ///
    /// # Errors
    /// Why nothing would be read of it without its child tables.
    pub(in crate::source) fn told(
        &self,
        modifiers: &QueryModifiers,
    ) -> Result<Option<String>, &'static str> {
        if !modifiers.without_child_tables {
            Ok(self.warning())
        } else if self.kind == Some(RelationKind::PartitionedTable) {
            Err(
                "the table is partitioned, and all its rows are in its partitions: with \"includeChildTables\": false nothing would be read; omit that key",
            )
        } else {
            Ok(None)
        }
    }
}

impl Subject<'_> {
    /// Tells which tables' rows come with this one's.
    pub(super) fn tell_child_tables(&mut self) -> Result<(), SourceError> {
        let Some(query) = self.platform().relatives(&self.spec.source) else {
            return Ok(());
        };
        let relatives = Relatives::of(self.ask(&query)?);
        let modifiers = &self.spec.query_modifiers;
        let told = relatives.told(modifiers);
        let warning = told.map_err(|why| self.error(SourceErrorKind::Refused, why))?;
        self.has_child_rows = !modifiers.without_child_tables && !relatives.children.is_empty();
        self.warnings.extend(warning);
        if self.has_child_rows && !self.spec.primary_key.is_empty() {
            self.warnings.push(
                "no constraint of the source reaches beyond one table: rows of the table and of its child tables that have the same primaryKeyColumns are taken for one row; name columns that tell them apart"
                    .to_owned(),
            );
        }
        Ok(())
    }
}
