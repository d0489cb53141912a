//! What can be known of a source without moving anything.

use super::connection::SourceSettings;
use super::error::{SourceError, SourceErrorKind};
use super::session::SourceSession;
use super::tls::Protection;
use crate::dialect::transaction::TransactionSettings;
use crate::dialect::{Dialect, Scope};
use crate::domain::spec::TableSpec;
use crate::domain::table::KeyRange;
use odbc_api::environment;

/// A source that answers.
#[derive(Clone, Debug)]
pub struct SourceFacts {
    /// The chosen ODBC driver.
    pub driver: String,
    /// The server's version, in its own words.
    pub server: String,
    /// The server's clock in seconds since 1970.
    pub clock: Option<f64>,
    /// How the connection is protected.
    pub protection: Protection,
    /// Whether a pooler shares the server's sessions between transactions of its clients.
    pub is_pooled: bool,
}

/// The installed ODBC drivers, by name.
///
/// # Errors
/// When the driver manager does not work.
pub fn installed_drivers() -> Result<Vec<String>, SourceError> {
    let manager =
        |error: odbc_api::Error| SourceError::from_odbc(&error, "the ODBC driver manager");
    let drivers = environment().map_err(manager)?.drivers().map_err(manager)?;
    Ok(drivers
        .into_iter()
        .map(|driver| driver.description)
        .collect())
}

/// Logs in and asks what there is. Blocking.
///
/// # Errors
/// As [`SourceError`] says.
pub fn probe(settings: &SourceSettings, dialect: &dyn Dialect) -> Result<SourceFacts, SourceError> {
    let session = SourceSession::open(settings, dialect, &TransactionSettings::default())?;
    let rows = session.query(dialect.server_query(), session.source())?;
    let mut row = rows.into_iter().next().unwrap_or_default().into_iter();
    let (server, clock) = (row.next().flatten(), row.next().flatten());
    let is_encrypted = dialect.encryption_query().and_then(|sql| {
        // A version that cannot tell leaves it to the settings.
        let told = session.value(sql, session.source()).ok()?;
        Some(told.as_deref() == Some("true"))
    });
    let is_pooled = is_pooled(settings, &session)?;
    let driver = settings.chosen_driver()?;
    Ok(SourceFacts {
        server: server.unwrap_or_default(),
        clock: clock.and_then(|seconds| seconds.parse().ok()),
        protection: settings.protection(&driver, is_encrypted),
        is_pooled,
        driver,
    })
}

/// Whether something gives each transaction whichever of the server's sessions is free. A session of the client's own
/// stays the same, and is nobody else's.
fn is_pooled(settings: &SourceSettings, one: &SourceSession<'_>) -> Result<bool, SourceError> {
    one.end()?;
    let other = SourceSession::open(settings, one.dialect, &TransactionSettings::default())?;
    let next = |session: &SourceSession<'_>| {
        let facts = session.begin()?;
        session.end()?;
        Ok::<_, SourceError>(facts.session)
    };
    let (first, second) = (next(one)?, next(&other)?);
    Ok(first == second || next(one)? != first || next(&other)? != second)
}

/// For each table, of one database, how many columns it has, once no row of it has been selected. Blocking.
///
/// # Errors
/// When the source cannot be reached at all.
pub fn probe_tables(
    settings: &SourceSettings,
    dialect: &dyn Dialect,
    tables: &[TableSpec],
) -> Result<Vec<Result<usize, SourceError>>, SourceError> {
    let session = SourceSession::open(settings, dialect, &TransactionSettings::default())?;
    session.begin()?;
    let each = |spec: &TableSpec| {
        session.switch(&TransactionSettings {
            row_security: spec.row_security,
            ..TransactionSettings::default()
        })?;
        let place = format!("{}, table {}", settings.place(), spec.source);
        let columns = session.query(&dialect.columns_query(&spec.source), &place)?;
        if columns.is_empty() {
            return Err(SourceError::new(
                SourceErrorKind::NoSuchObject,
                format!("{place}: there is no such table, or this user does not see it"),
            ));
        }
        // No row, so that the predicate and the privileges on every column are checked and nothing is read.
        let names = columns.iter().filter_map(|row| row.first()?.as_deref());
        let each: Vec<String> = names
            .map(|name| format!("{} IS NULL", dialect.quote_name(name)))
            .collect();
        let mut none = format!("1 = 0 AND ({})", each.join(" OR "));
        if let Some(predicate) = &spec.where_clause {
            none.push_str(&format!(" AND ({predicate}\n)"));
        }
        let scope = Scope {
            table: &spec.source,
            key: &[],
            range: &KeyRange::Everything,
            window: None,
            where_clause: Some(&none),
            modifiers: &spec.query_modifiers,
        };
        session.query(&dialect.any_row_query(&scope), &place)?;
        Ok(columns.len())
    };
    Ok(tables.iter().map(each).collect())
}
