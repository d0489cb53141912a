//! Writes a workflow file from the source's catalog.

use super::RoleError;
use super::plan_preview::reach;
use crate::config::generate::{FoundTable, Surroundings, selects, workflow_text};
use crate::config::worker::WorkerConfig;
use crate::dialect::Dialect;
use crate::domain::table::{Platform, TableRef, WrittenName};
use crate::source::{self, SourceError, SourceErrorKind, SourceSettings};

/// Which tables, and where they go.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The source's database, as the user wrote it; `None`: the worker's.
    pub database: Option<WrittenName>,
    /// Only tables of this schema, as the user wrote it.
    pub schema: Option<WrittenName>,
    /// Only tables that one of these patterns means; empty: all.
    pub patterns: Vec<String>,
    /// The target's database, as the user wrote it; `None`: named like the source's.
    pub target_database: Option<WrittenName>,
    /// The target's schema, as the user wrote it; `None`: each named like the source's.
    pub target_schema: Option<WrittenName>,
}

/// A workflow file.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its text.
    pub text: String,
    /// Its tables.
    pub num_tables: usize,
    /// What users should know of it.
    pub warnings: Vec<String>,
}

/// Asks the source for its tables and their keys.
///
/// # Errors
/// When the source cannot be reached, or has no such tables: also when a pattern means none.
pub async fn generate(
    worker: &WorkerConfig,
    platform: Platform,
    wanted: Wanted,
) -> Result<Generated, RoleError> {
    let (settings, dialect) = reach(worker, platform).await?;
    let database = match &wanted.database {
        Some(written) => dialect.exact_name(written),
        None => settings.database.clone(),
    };
    let settings = settings.with_database(&database);
    let place = settings.place();
    let schema = wanted.schema.clone();
    let patterns = wanted.patterns.clone();
    let work = move || find_tables(&settings, dialect, schema.as_ref(), &patterns);
    let tables = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| RoleError::Internal(format!("the catalog's reader ended: {error}")))??;
    if tables.is_empty() {
        let schema = wanted
            .schema
            .map_or_else(String::new, |schema| format!(" in the schema {}", schema.0));
        return Err(RoleError::Refused(format!(
            "{place}: there is no table{schema}, or the user may not see it; check --database and --schema"
        )));
    }
    let surroundings = Surroundings {
        database,
        target_database: wanted.target_database,
        target_schema: wanted.target_schema,
    };
    let (text, warnings) = workflow_text(dialect, &surroundings, &tables);
    Ok(Generated {
        text,
        num_tables: tables.len(),
        warnings,
    })
}

fn find_tables(
    settings: &SourceSettings,
    dialect: &dyn Dialect,
    schema: Option<&WrittenName>,
    patterns: &[String],
) -> Result<Vec<FoundTable>, RoleError> {
    let all = source::list_tables(settings, dialect, schema)?;
    if !all.is_empty() {
        let is_idle = |pattern: &&String| !all.iter().any(|(s, t)| selects(pattern, s, t));
        let idle: Vec<&str> = patterns
            .iter()
            .filter(is_idle)
            .map(String::as_str)
            .collect();
        if !idle.is_empty() {
            let known: Vec<String> = all
                .iter()
                .take(20)
                .map(|(s, t)| format!("{s}.{t}"))
                .collect();
            let more = if all.len() > known.len() { ", …" } else { "" };
            return Err(RoleError::Refused(format!(
                "--tables: no table is called {}; there are {}{more}",
                idle.join(" or "),
                known.join(", ")
            )));
        }
    }
    let names: Vec<(String, String)> = all
        .into_iter()
        .filter(|(s, t)| patterns.is_empty() || patterns.iter().any(|p| selects(p, s, t)))
        .collect();
    let quoted = |exact: &str| WrittenName(dialect.quote_name(exact));
    let tables: Vec<TableRef> = names
        .iter()
        .map(|(schema, table)| TableRef {
            database: quoted(&settings.database),
            schema: quoted(schema),
            table: quoted(table),
        })
        .collect();
    let keys = source::infer_keys(settings, dialect, &tables)?;
    let found = names
        .into_iter()
        .zip(keys)
        .map(|((schema, table), key)| FoundTable {
            schema,
            table,
            key: key.map(|key| key.columns).unwrap_or_default(),
        });
    Ok(found.collect())
}

impl From<SourceError> for RoleError {
    fn from(error: SourceError) -> Self {
        match error.kind {
            SourceErrorKind::Unreachable | SourceErrorKind::Login => {
                Self::Unreachable(error.message)
            }
            _ => Self::Refused(error.message),
        }
    }
}
