//! What tables and views a source has.

use super::error::SourceError;
use super::session::SourceSession;
use crate::domain::catalog::Relation;
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::TableRef;
use crate::platform::{ColumnPrivilege, SourcePlatform, TransactionSettings};

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
    platform: &dyn SourcePlatform,
) -> Result<Relations, SourceError> {
    let session = SourceSession::open(settings, platform, &TransactionSettings::default())?;
    let mut all = session.ask(&platform.relations(), session.source())?;
    let mut unseen = None;
    if let Some(query) = platform.external_tables() {
        match session.ask(&query, session.source()) {
            Ok(tables) => all.extend(tables),
            Err(error) => unseen = Some(error.problem.cause()),
        }
    }
    session.end()?;
    Ok(Relations { all, unseen })
}

/// The columns of each table that the login may not read. Blocking.
///
/// # Errors
/// As [`SourceError`] says.
pub fn unreadable_columns(
    settings: &SourceSettings,
    platform: &dyn SourcePlatform,
    tables: &[TableRef],
) -> Result<Vec<Vec<String>>, SourceError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let session = SourceSession::open(settings, platform, &TransactionSettings::default())?;
    let each = |table: &TableRef| {
        let place = format!("{}, table {table}", settings.place());
        Ok(unreadable(
            &session.ask(&platform.privileges(table), &place)?,
        ))
    };
    tables.iter().map(each).collect()
}

/// The columns that may not be read.
pub(super) fn unreadable(columns: &[ColumnPrivilege]) -> Vec<String> {
    let hidden = columns.iter().filter(|column| !column.is_readable);
    hidden.map(|column| column.column.clone()).collect()
}
