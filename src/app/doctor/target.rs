//! The target tables: those that are there must take what a load sends; those that are not must be creatable.

use super::grants::{Privilege, try_table};
use super::metadata::{create_schema_probe, drop_probe};
use super::{Session, cause, probe_name};
use crate::app::doctor::finding::{Cause, Finding};
use crate::domain::analysis::TableAnalysis;
use crate::domain::problem::Code;
use crate::domain::spec::TableSpec;
use crate::domain::table_plan::{LoadMode, TargetKind};
use crate::plan::synchronization::{load_mode, tracks_deletions};
use crate::snowflake::SnowflakeError;
use crate::snowflake::error::Kind;
use crate::target::{TargetTable, of};
use crate::types::snowflake_name::{exact_name, quote, quote_table};
use futures::StreamExt;
use std::collections::BTreeMap;

/// Tables at once.
const AT_ONCE: usize = 8;
const CHECK: &str = "target_table";

/// What is there of a target.
enum Found {
    Table(Vec<(Privilege, SnowflakeError)>),
    Nothing,
    Error(SnowflakeError),
}

pub(super) async fn check(session: &Session, tables: &[TableSpec], findings: &mut Vec<Finding>) {
    let found: Vec<(&TableSpec, Found)> = futures::stream::iter(tables)
        .map(|spec| async move { (spec, look(session, spec).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut places = Places::default();
    for (spec, found) in found {
        let target = quote_table(&spec.target);
        let finding = match found {
            _ if spec.preflight.is_some() && !matches!(found, Found::Error(_)) => {
                let tried = places.tried(session, spec, findings).await;
                Finding {
                    message: format!("{target}: {}", tried.message),
                    ..tried
                }
            }
            Found::Table(refused) if refused.is_empty() => {
                Finding::ok(CHECK, format!("{target} is there and can be loaded"))
            }
            Found::Table(refused) => {
                let names: Vec<&str> = refused.iter().map(|(p, _)| p.as_str()).collect();
                let message = refused.first().map_or("", |(_, error)| &error.message);
                let code = refused
                    .first()
                    .map_or(Code::PRIVILEGE_MISSING, |(_, error)| error.kind.code());
                let cause = refused
                    .first()
                    .map_or(Cause::Other, |(_, error)| cause(error));
                let grant = format!(
                    "GRANT {} ON TABLE {target} TO ROLE {}",
                    names.join(", "),
                    quote(&session.role)
                );
                Finding::fail(
                    CHECK,
                    code,
                    cause,
                    format!("{target}: {} is refused: {message}", names.join(", ")),
                    refused
                        .first()
                        .map_or(grant.clone(), |(_, error)| remedy(error, grant)),
                )
            }
            Found::Error(error) => Finding::fail(
                CHECK,
                error.kind.code(),
                cause(&error),
                format!("{target}: {}", error.message),
                remedy(
                    &error,
                    format!(
                        "GRANT SELECT, INSERT ON TABLE {target} TO ROLE {}",
                        quote(&session.role)
                    ),
                ),
            ),
            Found::Nothing => {
                let tried = places.tried(session, spec, findings).await;
                Finding {
                    message: format!(
                        "{target} is not there, or the role may not see it: {}",
                        tried.message
                    ),
                    ..tried
                }
            }
        };
        findings.push(finding);
    }
}

/// Where a target is created. Names are quoted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// The copy of a dry run, in a schema of its own.
    Copy { database: String },
    Table {
        database: String,
        schema: String,
        /// Whether the numbers of an identity column continue from a sequence.
        with_sequence: bool,
        kind: TargetKind,
    },
}

impl Place {
    fn of(spec: &TableSpec) -> Self {
        let database = quote(&exact_name(&spec.target.database));
        if spec.preflight.is_some() {
            return Self::Copy { database };
        }
        Self::Table {
            database,
            schema: quote(&exact_name(&spec.target.schema)),
            with_sequence: spec.continue_identity,
            kind: spec.target_kind,
        }
    }
}

/// What was found of each place: it is tried once, whatever the number of its tables.
#[derive(Default)]
struct Places(BTreeMap<Place, Finding>);

impl Places {
    /// Whether the place takes a new table.
    async fn tried(
        &mut self,
        session: &Session,
        spec: &TableSpec,
        findings: &mut Vec<Finding>,
    ) -> Finding {
        let place = Place::of(spec);
        if let Some(tried) = self.0.get(&place) {
            return tried.clone();
        }
        let tried = match &place {
            Place::Copy { database } => dry_run_schema(session, database, findings).await,
            Place::Table {
                database,
                schema,
                with_sequence,
                kind,
            } => {
                let schema = (database.as_str(), schema.as_str());
                creatable(session, schema, of(*kind), *with_sequence, findings).await
            }
        };
        self.0.insert(place, tried.clone());
        tried
    }
}

/// What to do about a statement that was refused, where `grant` helps if a privilege is missing.
fn remedy(error: &SnowflakeError, grant: String) -> String {
    match error.kind {
        Kind::NoPrivilege | Kind::NoSuchObject => grant,
        Kind::Unreachable | Kind::Login | Kind::SessionExpired => "try again".to_owned(),
        _ => "what the message says is to be put right; a target is a table, no view".to_owned(),
    }
}

/// What a run of the table sends to its target.
fn privileges(spec: &TableSpec) -> Vec<Privilege> {
    let mut all = vec![Privilege::Select];
    if spec.preflight.is_some() {
        // A dry run loads a copy.
        return all;
    }
    all.push(Privilege::Insert);
    match load_mode(spec, &TableAnalysis::default(), false) {
        LoadMode::Append => {}
        LoadMode::ReplaceRange => all.push(Privilege::Delete),
        LoadMode::Merge => all.push(Privilege::Update),
    }
    if tracks_deletions(spec) {
        all.push(Privilege::Delete);
        // A source that was filled again is merged.
        if !all.contains(&Privilege::Update) {
            all.push(Privilege::Update);
        }
    }
    all
}

async fn look(session: &Session, spec: &TableSpec) -> Found {
    let target = quote_table(&spec.target);
    let describe = of(spec.target_kind).describe(&spec.target);
    let columns = match session.client.query_named(&*describe).await {
        Ok(columns) => columns,
        Err(error) if error.kind == Kind::NoSuchObject => return Found::Nothing,
        Err(error) => return Found::Error(error),
    };
    let first = columns.rows.first();
    let column = first.and_then(|row| columns.value(row, "name"));
    let column = column.map(quote).unwrap_or_default();
    let mut refused = Vec::new();
    for privilege in privileges(spec) {
        let sql = match privilege {
            // A table may have columns that take no value.
            Privilege::Insert => {
                format!("INSERT INTO {target} ({column}) SELECT {column} FROM {target} WHERE 1 = 0")
            }
            _ => try_table(&target, &column, privilege),
        };
        if let Err(error) = session.client.query(&sql).await {
            refused.push((privilege, error));
        }
    }
    Found::Table(refused)
}

/// Whether the schema of a dry run's copies can be created.
async fn dry_run_schema(session: &Session, database: &str, findings: &mut Vec<Finding>) -> Finding {
    match create_schema_probe(session, database).await {
        Ok(probe) => {
            drop_probe(session, "SCHEMA", &probe, findings).await;
            Finding::ok(CHECK, "the dry run's schema and copy will be created")
        }
        Err(error) => Finding::fail(
            CHECK,
            error.kind.code(),
            cause(&error),
            format!("the dry run's schema cannot be created: {}", error.message),
            remedy(
                &error,
                format!(
                    "GRANT USAGE, CREATE SCHEMA ON DATABASE {database} TO ROLE {}",
                    quote(&session.role)
                ),
            ),
        ),
    }
}

/// Whether a table can be created in the schema, or the schema in the database.
async fn creatable(
    session: &Session,
    (database, schema): (&str, &str),
    kind: &dyn TargetTable,
    with_sequence: bool,
    findings: &mut Vec<Finding>,
) -> Finding {
    let role = quote(&session.role);
    let table = format!("{database}.{schema}.{}", quote(&probe_name()));
    let create = kind.probe(&table);
    match session.client.query(&create).await {
        Ok(_) => {
            drop_probe(session, "TABLE", &table, findings).await;
            if with_sequence {
                let sequence = format!("{database}.{schema}.{}", quote(&probe_name()));
                let create = format!("CREATE SEQUENCE {sequence}");
                if let Err(error) = session.client.query(&create).await {
                    return Finding::fail(
                        CHECK,
                        error.kind.code(),
                        cause(&error),
                        format!(
                            "the sequence of its identity column cannot be created: {}",
                            error.message
                        ),
                        remedy(
                            &error,
                            format!(
                                "GRANT CREATE SEQUENCE ON SCHEMA {database}.{schema} TO ROLE {role}"
                            ),
                        ),
                    );
                }
                drop_probe(session, "SEQUENCE", &sequence, findings).await;
            }
            return Finding::ok(CHECK, "it will be created");
        }
        Err(error) if error.kind == Kind::NoSuchObject => {}
        Err(error) => {
            return Finding::fail(
                CHECK,
                error.kind.code(),
                cause(&error),
                format!("it cannot be created: {}", error.message),
                remedy(
                    &error,
                    format!(
                        "GRANT USAGE, {} ON SCHEMA {database}.{schema} TO ROLE {role}",
                        kind.create_privilege()
                    ),
                ),
            );
        }
    }
    match create_schema_probe(session, database).await {
        Ok(probe) => {
            drop_probe(session, "SCHEMA", &probe, findings).await;
            Finding::ok(
                CHECK,
                format!(
                    "it will be created, and its schema {database}.{schema}, unless that is there and lacks USAGE"
                ),
            )
        }
        Err(error) if error.kind == Kind::NoSuchObject => Finding::warn(
            CHECK,
            Code::OBJECT_NOT_FOUND,
            format!(
                "neither is its database {database}, or the role may not see it; all are created if the role may"
            ),
            format!(
                "CREATE DATABASE {database}; GRANT USAGE, CREATE SCHEMA ON DATABASE {database} TO ROLE {role}"
            ),
        ),
        Err(error) => Finding::fail(
            CHECK,
            error.kind.code(),
            cause(&error),
            format!(
                "its schema {database}.{schema} cannot be created: {}",
                error.message
            ),
            remedy(
                &error,
                format!(
                    "CREATE SCHEMA {database}.{schema}; GRANT USAGE, {} ON SCHEMA {database}.{schema} TO ROLE {role}",
                    kind.create_privilege()
                ),
            ),
        ),
    }
}
