//! What tables a source has.

use super::connection::SourceSettings;
use super::error::SourceError;
use super::session::SourceSession;
use crate::dialect::Dialect;
use crate::dialect::transaction::TransactionSettings;
use crate::domain::table::WrittenName;

/// The tables of one schema, as the user wrote it, or of all, in order: exact names of schema and table. Blocking.
///
/// # Errors
/// As [`SourceError`] says. A schema that is not there has no tables.
pub fn list_tables(
    settings: &SourceSettings,
    dialect: &dyn Dialect,
    schema: Option<&WrittenName>,
) -> Result<Vec<(String, String)>, SourceError> {
    let session = SourceSession::open(settings, dialect, &TransactionSettings::default())?;
    let rows = session.query(&dialect.tables_query(schema), session.source())?;
    session.end()?;
    let names = |row: Vec<Option<String>>| {
        let [schema, table]: [Option<String>; 2] = row.try_into().ok()?;
        Some((schema?, table?))
    };
    Ok(rows.into_iter().filter_map(names).collect())
}
