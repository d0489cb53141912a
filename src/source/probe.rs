//! What can be known of a source without moving anything.

use super::analyze::family::Relatives;
use super::catalog::unreadable;
use super::columns::source_column;
use super::connection::{Results, SourceSettings, query_text};
use super::error::{SourceError, SourceErrorKind};
use super::missing::no_such_table;
use super::tls::Protection;
use crate::dialect::{Dialect, Scope};
use crate::domain::spec::{Synchronization, TableSpec};
use crate::domain::table::{KeyRange, SourceColumn};
use crate::plan::names::{find_column, listed};
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
    let connection = settings.connect(dialect, Results::Small)?;
    let rows = query_text(&connection, dialect.server_query(), &settings.place())?;
    let mut row = rows.into_iter().next().unwrap_or_default().into_iter();
    let (server, clock) = (row.next().flatten(), row.next().flatten());
    let is_encrypted = dialect.encryption_query().and_then(|sql| {
        // A version that cannot tell leaves it to the settings.
        let rows = query_text(&connection, sql, &settings.place()).ok()?;
        Some(rows.first()?.first()?.as_deref() == Some("true"))
    });
    let driver = settings.chosen_driver()?;
    Ok(SourceFacts {
        server: server.unwrap_or_default(),
        clock: clock.and_then(|seconds| seconds.parse().ok()),
        protection: settings.protection(&driver, is_encrypted),
        driver,
    })
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
    dialect: &dyn Dialect,
    tables: &[TableSpec],
) -> Result<Vec<Result<ProbedTable, SourceError>>, SourceError> {
    let connection = settings.connect(dialect, Results::Small)?;
    let each = |spec: &TableSpec| {
        let place = format!("{}, table {}", settings.place(), spec.source);
        let query = |sql: &str| query_text(&connection, sql, &place);
        let rows = query(&dialect.columns_query(&spec.source))?;
        if rows.is_empty() {
            return Err(no_such_table(query, dialect, &spec.source, &place));
        }
        let all: Vec<SourceColumn> = rows.iter().map(|row| source_column(row)).collect();
        let columns = needed_columns(dialect, spec, &all);
        // No row, so that the predicate and the privileges on each of the columns are checked and nothing is read.
        let each: Vec<String> = columns
            .iter()
            .map(|column| format!("{} IS NULL", dialect.quote_name(&column.name)))
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
        if let Err(error) = query(&dialect.any_row_query(&scope)) {
            let grants = (error.kind == SourceErrorKind::NoPrivilege)
                .then(|| query(&dialect.privileges_query(&spec.source)).ok())
                .flatten()
                .and_then(|rows| {
                    missing_grants(dialect, spec, &columns, &rows, &settings.username)
                });
            return Err(match grants {
                Some(what) => SourceError::new(error.kind, format!("{place}: {what}")),
                None => error,
            });
        }
        Ok(ProbedTable {
            num_columns: columns.len(),
            warnings: relatives_warnings(query, dialect, spec, tables, &place)?,
        })
    };
    Ok(tables.iter().map(each).collect())
}

/// The columns that statements of the table name: all but those that are left out.
fn needed_columns<'a>(
    dialect: &dyn Dialect,
    spec: &TableSpec,
    all: &'a [SourceColumn],
) -> Vec<&'a SourceColumn> {
    let watermark = match &spec.synchronization {
        Synchronization::Watermark { column, .. } => Some(column),
        _ => None,
    };
    let find = |written: &String| find_column(dialect, all, written);
    let excluded: Vec<&SourceColumn> = spec.excluded_columns.iter().filter_map(find).collect();
    let named = spec
        .key
        .iter()
        .flatten()
        .chain(&spec.primary_key)
        .chain(watermark);
    let named: Vec<&SourceColumn> = named.filter_map(find).collect();
    let needed = |column: &&SourceColumn| !excluded.contains(column) || named.contains(column);
    all.iter().filter(needed).collect()
}

/// What the login lacks, and the statements that give it; `None`: the catalog tells of nothing.
fn missing_grants(
    dialect: &dyn Dialect,
    spec: &TableSpec,
    needed: &[&SourceColumn],
    rows: &[Vec<Option<String>>],
    user: &str,
) -> Option<String> {
    let [schema, table] = [&spec.source.schema, &spec.source.table]
        .map(|name| dialect.quote_name(&dialect.exact_name(name)));
    let user = dialect.quote_name(user);
    let mut grants = Vec::new();
    if rows.first()?.get(2)?.as_deref() == Some("false") {
        grants.push(format!("GRANT USAGE ON SCHEMA {schema} TO {user}"));
    }
    let hidden = unreadable(rows);
    let lacking: Vec<&str> = needed
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| hidden.iter().any(|hidden| hidden == name))
        .collect();
    if !lacking.is_empty() && hidden.len() == rows.len() && needed.len() == rows.len() {
        grants.push(format!("GRANT SELECT ON {schema}.{table} TO {user}"));
    } else if !lacking.is_empty() {
        let list: Vec<String> = lacking
            .iter()
            .map(|name| dialect.quote_name(name))
            .collect();
        grants.push(format!(
            "GRANT SELECT ({}) ON {schema}.{table} TO {user}",
            list.join(", ")
        ));
    }
    let remedy = grants.join("; ");
    match lacking.as_slice() {
        _ if grants.is_empty() => None,
        [] => Some(format!("permission denied for schema {schema} — {remedy}")),
        lacking if lacking.len() == needed.len() => {
            Some(format!("permission denied for the table — {remedy}"))
        }
        lacking => Some(format!(
            "permission denied for the columns {} — {remedy}; or name them in excludeSourceColumns, and they stay behind",
            listed(lacking, 20)
        )),
    }
}

/// What users should know of tables whose rows come with one another. `all`: the tables of the workflow.
fn relatives_warnings(
    query: impl Fn(&str) -> Result<Vec<Vec<Option<String>>>, SourceError>,
    dialect: &dyn Dialect,
    spec: &TableSpec,
    all: &[TableSpec],
    place: &str,
) -> Result<Vec<String>, SourceError> {
    let Some(sql) = dialect.relatives_query(&spec.source) else {
        return Ok(Vec::new());
    };
    let relatives = Relatives::read(query(&sql)?);
    let mut warnings = Vec::new();
    if !spec.query_modifiers.without_child_tables {
        warnings.extend(relatives.warning());
    } else if let Some(why) = relatives.emptiness() {
        return Err(SourceError::new(
            SourceErrorKind::Refused,
            format!("{place}: {why}"),
        ));
    }
    for (schema, table) in &relatives.parents {
        let is_read_with_children = all.iter().any(|other| {
            dialect.exact_name(&other.source.schema) == *schema
                && dialect.exact_name(&other.source.table) == *table
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
