//! Writes a workflow file from the source's catalog.

use super::AppError;
use super::sources::reach;
use crate::config::generate::{FoundTable, GenerateOptions, selects, workflow_text};
use crate::config::worker::WorkerConfig;
use crate::domain::catalog::{Reading, Relation, RelationKind};
use crate::domain::problem::Code;
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::{Platform, TableRef, WrittenName};
use crate::plan::names::listed;
use crate::plan::relations::{Choice, ChosenTable, choose};
use crate::platform::{self, SourcePlatform};
use crate::source::{self, SourceError, SourceErrorKind};

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
) -> Result<Generated, AppError> {
    let (settings, dialect) = reach(worker, platform).await?;
    let database = match &wanted.database {
        Some(written) => dialect.exact_name(written),
        None => settings.database.clone(),
    };
    let settings = platform::in_database(settings, &database);
    let place = settings.place();
    let schema = wanted.schema.clone();
    let patterns = wanted.patterns.clone();
    let work = move || find_tables(&settings, dialect, schema.as_ref(), &patterns);
    let (tables, mut warnings) = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| AppError::internal(format!("the catalog's reader ended: {error}")))??;
    if tables.is_empty() {
        let schema = wanted
            .schema
            .map_or_else(String::new, |schema| format!(" in the schema {}", schema.0));
        let others: String = warnings.iter().map(|told| format!("\n  {told}")).collect();
        return Err(AppError::refused(
            Code::NO_SOURCE_TABLES
                .problem(format!(
                    "there is no table{schema}, or the user may not see it"
                ))
                .hint(format!("check --database and --schema{others}"))
                .at(place),
        ));
    }
    let options = GenerateOptions {
        database,
        target_database: wanted.target_database,
        target_schema: wanted.target_schema,
    };
    let (text, more) = workflow_text(dialect, &options, &tables);
    warnings.extend(more);
    Ok(Generated {
        text,
        num_tables: tables.len(),
        warnings,
    })
}

/// The tables, and what is left out.
fn find_tables(
    settings: &SourceSettings,
    dialect: &dyn SourcePlatform,
    schema: Option<&WrittenName>,
    patterns: &[String],
) -> Result<(Vec<FoundTable>, Vec<String>), AppError> {
    let relations = source::list_relations(settings, dialect)?;
    let schema = schema.map(|schema| dialect.exact_name(schema));
    let in_schema = |r: &Relation| schema.as_ref().is_none_or(|schema| r.schema == *schema);
    let choice = choose(&relations.all, |r| {
        let is_meant =
            patterns.is_empty() || patterns.iter().any(|p| selects(p, &r.schema, &r.name));
        in_schema(r) && is_meant
    });
    let here: Vec<&Relation> = relations.all.iter().filter(|r| in_schema(r)).collect();
    idle_patterns(patterns, &here, &choice)?;
    let mut told = choice.left_out;
    told.extend(
        relations
            .unseen
            .map(|why| format!("external tables cannot be seen: {why}")),
    );
    let reference = |relation: &Relation| {
        let quoted = |exact: &str| WrittenName(dialect.quote_name(exact));
        TableRef {
            database: quoted(&settings.database),
            schema: quoted(&relation.schema),
            table: quoted(&relation.name),
        }
    };
    let tables: Vec<TableRef> = choice
        .tables
        .iter()
        .map(|t| reference(t.relation))
        .collect();
    let keys = source::infer_keys(settings, dialect, &tables)?;
    let is_partly_hidden =
        |table: &&ChosenTable<'_>| table.relation.reading == Reading::SomeColumns;
    let hidden: Vec<TableRef> = choice
        .tables
        .iter()
        .filter(is_partly_hidden)
        .map(|table| reference(table.relation))
        .collect();
    let mut hidden = source::unreadable_columns(settings, dialect, &hidden)?.into_iter();
    let found = choice.tables.iter().zip(keys).map(|(table, key)| {
        let unreadable = match is_partly_hidden(&table) {
            true => hidden.next().unwrap_or_default(),
            false => Vec::new(),
        };
        let key = key.map(|key| key.columns).unwrap_or_default();
        FoundTable {
            schema: table.relation.schema.clone(),
            table: table.relation.name.clone(),
            key: match key.iter().any(|column| unreadable.contains(column)) {
                true => Vec::new(),
                false => key,
            },
            unreadable,
            without_child_tables: table.without_child_tables,
        }
    });
    Ok((found.collect(), told))
}

/// Refuses patterns that mean no table, with the tables that there are, or with what they mean instead.
fn idle_patterns(
    patterns: &[String],
    here: &[&Relation],
    choice: &Choice<'_>,
) -> Result<(), AppError> {
    let chosen = || {
        let tables = choice.tables.iter().map(|table| table.relation);
        tables.chain(choice.covered.iter().copied())
    };
    let is_idle = |pattern: &&String| !chosen().any(|r| selects(pattern, &r.schema, &r.name));
    let mut problems = Vec::new();
    for pattern in patterns.iter().filter(is_idle) {
        let meant = here.iter().filter(|r| selects(pattern, &r.schema, &r.name));
        let meant: Vec<String> = meant
            .map(|r| format!("{} {}", r.kind.as_str(), r.full_name()))
            .collect();
        problems.push(match meant.is_empty() {
            true => format!("no table is called {pattern}"),
            false => format!(
                "{pattern} means no table that can be written: {}",
                listed(&meant, 5)
            ),
        });
    }
    if problems.is_empty() || here.is_empty() {
        return Ok(());
    }
    let mut told = choice.left_out.clone();
    let tables = here
        .iter()
        .filter(|r| matches!(r.kind, RelationKind::Table | RelationKind::PartitionedTable));
    let known: Vec<String> = tables.map(|r| r.full_name()).collect();
    if !known.is_empty() {
        told.insert(0, format!("there are {}", listed(&known, 20)));
    }
    Err(AppError::refused(
        Code::NO_SOURCE_TABLES
            .problem(problems.join("; "))
            .hint(told.join("; "))
            .at("--tables"),
    ))
}

impl From<SourceError> for AppError {
    fn from(error: SourceError) -> Self {
        let kind = error.kind;
        let problems = (*error.problem).into();
        match kind {
            SourceErrorKind::Unreachable | SourceErrorKind::Login => Self::Unreachable(problems),
            _ => Self::Refused(problems),
        }
    }
}
