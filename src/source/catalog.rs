//! What tables and views a source has.

use super::error::SourceError;
use super::session::SourceSession;
use crate::dialect::Dialect;
use crate::dialect::transaction::TransactionSettings;
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::TableRef;
use crate::plan::relations::{Reading, Relation, RelationKind};

/// What a source has.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    /// All tables and views of its users, in order.
    pub all: Vec<Relation>,
    /// Why tables outside of the source cannot be seen.
    pub unseen: Option<String>,
}

/// The tables and views of a source. Blocking.
///
/// # Errors
/// As [`SourceError`] says.
pub fn list_relations(
    settings: &SourceSettings,
    dialect: &dyn Dialect,
) -> Result<Relations, SourceError> {
    let session = SourceSession::open(settings, dialect, &TransactionSettings::default())?;
    let rows = session.query(&dialect.relations_query(), session.source())?;
    let mut all: Vec<Relation> = rows.into_iter().filter_map(relation).collect();
    let mut unseen = None;
    if let Some(sql) = dialect.external_tables_query() {
        match session.query(sql, session.source()) {
            Ok(rows) => all.extend(rows.into_iter().filter_map(external_table)),
            Err(error) => unseen = Some(error.message),
        }
    }
    session.end()?;
    Ok(Relations { all, unseen })
}

fn relation(row: Vec<Option<String>>) -> Option<Relation> {
    let [id, schema, name, kind, columns, own, parents, reading] = row
        .into_iter()
        .collect::<Option<Vec<_>>>()?
        .try_into()
        .ok()?;
    Some(Relation {
        id,
        schema,
        name,
        kind: RelationKind::parse(&kind),
        num_columns: columns.parse().unwrap_or(0),
        num_own_columns: own.parse().unwrap_or(0),
        parents: parents
            .split(',')
            .filter(|parent| !parent.is_empty())
            .map(str::to_owned)
            .collect(),
        reading: match reading.as_str() {
            "all" => Reading::All,
            "some" => Reading::SomeColumns,
            _ => Reading::Nothing,
        },
    })
}

fn external_table(row: Vec<Option<String>>) -> Option<Relation> {
    let [schema, name] = row
        .into_iter()
        .collect::<Option<Vec<_>>>()?
        .try_into()
        .ok()?;
    Some(Relation {
        id: format!("{schema}.{name}"),
        schema,
        name,
        kind: RelationKind::ExternalTable,
        num_columns: 0,
        num_own_columns: 0,
        parents: Vec::new(),
        reading: Reading::All,
    })
}

/// The columns of each table that the login may not read. Blocking.
///
/// # Errors
/// As [`SourceError`] says.
pub fn unreadable_columns(
    settings: &SourceSettings,
    dialect: &dyn Dialect,
    tables: &[TableRef],
) -> Result<Vec<Vec<String>>, SourceError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let session = SourceSession::open(settings, dialect, &TransactionSettings::default())?;
    let each = |table: &TableRef| {
        let place = format!("{}, table {table}", settings.place());
        let rows = session.query(&dialect.privileges_query(table), &place)?;
        Ok(unreadable(&rows))
    };
    tables.iter().map(each).collect()
}

/// The columns that may not be read, of an answer to [`Dialect::privileges_query`].
pub(super) fn unreadable(rows: &[Vec<Option<String>>]) -> Vec<String> {
    let hidden = rows
        .iter()
        .filter(|row| row.get(1).and_then(Option::as_deref) == Some("false"));
    hidden.filter_map(|row| row.first()?.clone()).collect()
}
