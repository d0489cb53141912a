//! What can be known of a source without moving anything.

use super::analyze::family::Relatives;
use super::connection::{chosen_driver, protection};
use super::error::{SourceError, SourceErrorKind};
use super::missing::no_such_table;
use super::readable::Reader;
use super::session::{Ask, At, SourceSession};
use crate::domain::source_settings::SourceSettings;
use crate::domain::spec::TableSpec;
use crate::domain::table::SourceColumn;
use crate::platform::{Protection, SourcePlatform, TransactionSettings};
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
    let manager = |error: odbc_api::Error| SourceError::from_driver_manager(&error);
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
pub fn probe(
    settings: &SourceSettings,
    platform: &dyn SourcePlatform,
) -> Result<SourceFacts, SourceError> {
    let session = SourceSession::open(settings, platform, &TransactionSettings::default())?;
    let at = At {
        session: &session,
        place: session.source(),
    };
    let server = at.ask_first(&platform.server())?.unwrap_or_default();
    // A version that cannot tell leaves it to the settings.
    let is_encrypted = platform
        .encryption()
        .and_then(|query| at.ask_first(&query).ok()?);
    let is_pooled = is_pooled(settings, &session)?;
    let driver = chosen_driver(settings, platform)?;
    Ok(SourceFacts {
        server: server.version,
        clock: server.clock,
        protection: protection(settings, platform, &driver, is_encrypted),
        is_pooled,
        driver,
    })
}

/// Whether something gives each transaction whichever of the server's sessions is free. A session of the client's own
/// stays the same, and is nobody else's.
fn is_pooled(settings: &SourceSettings, one: &SourceSession<'_>) -> Result<bool, SourceError> {
    one.end()?;
    let other = SourceSession::open(settings, one.platform, &TransactionSettings::default())?;
    let next = |session: &SourceSession<'_>| {
        let facts = session.begin()?;
        session.end()?;
        Ok::<_, SourceError>(facts.session)
    };
    let (first, second) = (next(one)?, next(&other)?);
    Ok(first == second || next(one)? != first || next(&other)? != second)
}

/// A table that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbedTable {
    /// How many columns move.
    pub num_columns: usize,
    /// What users should know.
    pub warnings: Vec<String>,
}

/// For each table, of one database, what there is to know once no row of it has been selected. Blocking.
///
/// # Errors
/// When the source cannot be reached at all.
pub fn probe_tables(
    settings: &SourceSettings,
    platform: &dyn SourcePlatform,
    tables: &[TableSpec],
) -> Result<Vec<Result<ProbedTable, SourceError>>, SourceError> {
    let session = SourceSession::open(settings, platform, &TransactionSettings::default())?;
    session.begin()?;
    let each = |spec: &TableSpec| {
        session.switch(&TransactionSettings {
            row_security: spec.row_security,
            ..TransactionSettings::default()
        })?;
        let place = format!("{}, table {}", settings.place(), spec.source);
        let source = At {
            session: &session,
            place: &place,
        };
        let columns = source.ask(&platform.columns(&spec.source))?;
        if columns.is_empty() {
            return Err(no_such_table(&source, platform, &spec.source, &place));
        }
        let all: Vec<SourceColumn> = columns.into_iter().map(|c| c.column).collect();
        let reader = Reader {
            platform,
            spec,
            user: &settings.username,
            place: &place,
        };
        let num_columns = reader.check(&source, &all)?;
        Ok(ProbedTable {
            num_columns,
            warnings: relatives_warnings(&source, platform, spec, tables, &place)?,
        })
    };
    Ok(tables.iter().map(each).collect())
}

/// What users should know of tables whose rows come with one another. `all`: the tables of the workflow.
fn relatives_warnings(
    source: &impl Ask,
    platform: &dyn SourcePlatform,
    spec: &TableSpec,
    all: &[TableSpec],
    place: &str,
) -> Result<Vec<String>, SourceError> {
    let Some(query) = platform.relatives(&spec.source) else {
        return Ok(Vec::new());
    };
    let relatives = Relatives::of(source.ask(&query)?);
    let told = relatives.told(&spec.query_modifiers);
    let told = told.map_err(|why| SourceError::new(SourceErrorKind::Refused, why).at(place))?;
    let mut warnings: Vec<String> = told.into_iter().collect();
    for (schema, table) in &relatives.parents {
        let is_read_with_children = all.iter().any(|other| {
            platform.exact_name(&other.source.schema) == *schema
                && platform.exact_name(&other.source.table) == *table
                && !other.query_modifiers.without_child_tables
        });
        if is_read_with_children {
            warnings.push(format!(
                "its rows come with those of {schema}.{table}, which the workflow names as well: they are moved twice; take one of the two out, or write \"includeChildTables\": false at {schema}.{table} if it is no partitioned table"
            ));
        }
    }
    Ok(warnings)
}
