//! The target tables: those that are there must take what a load sends; those that are not must be creatable.

use super::account::cell;
use super::grants::{Privilege, try_table};
use super::metadata::{create_schema_probe, drop_probe};
use super::{Session, cause, probe_name};
use crate::domain::spec::{Synchronization, TableSpec};
use crate::snowflake::SnowflakeError;
use crate::snowflake::error::Kind;
use crate::telemetry::doctor_report::{Cause, Finding};
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
    // A schema is tried once, whatever the number of its tables.
    let mut schemas: BTreeMap<(String, String), Finding> = BTreeMap::new();
    for (spec, found) in found {
        let target = quote_table(&spec.target);
        let finding = match found {
            Found::Table(refused) if refused.is_empty() => {
                Finding::ok(CHECK, format!("{target} is there and can be loaded"))
            }
            Found::Table(refused) => {
                let names: Vec<&str> = refused.iter().map(|(p, _)| p.as_str()).collect();
                let message = refused.first().map_or("", |(_, error)| &error.message);
                let cause = refused
                    .first()
                    .map_or(Cause::Other, |(_, error)| cause(error));
                Finding::fail(
                    CHECK,
                    cause,
                    format!("{target}: {} is refused: {message}", names.join(", ")),
                    format!(
                        "GRANT {} ON TABLE {target} TO ROLE {}",
                        names.join(", "),
                        quote(&session.role)
                    ),
                )
            }
            Found::Error(error) => Finding::fail(
                CHECK,
                cause(&error),
                format!("{target}: {}", error.message),
                format!(
                    "GRANT SELECT, INSERT ON TABLE {target} TO ROLE {}",
                    quote(&session.role)
                ),
            ),
            Found::Nothing => {
                let [database, schema] = [&spec.target.database, &spec.target.schema]
                    .map(|name| quote(&exact_name(name)));
                let key = (database, schema);
                let tried = match schemas.get(&key) {
                    Some(tried) => tried.clone(),
                    None => {
                        let tried = creatable(session, &key.0, &key.1, findings).await;
                        schemas.insert(key, tried.clone());
                        tried
                    }
                };
                Finding {
                    message: format!("{target} is not there: {}", tried.message),
                    ..tried
                }
            }
        };
        findings.push(finding);
    }
}

/// What a run of the table sends to its target.
fn privileges(spec: &TableSpec) -> Vec<Privilege> {
    let mut all = vec![Privilege::Select, Privilege::Insert];
    match spec.synchronization {
        Synchronization::None => {}
        Synchronization::FullReplace | Synchronization::Checksum { .. } => {
            all.push(Privilege::Delete);
        }
        Synchronization::Watermark {
            track_modifications,
            track_deletions,
            ..
        } => {
            if track_modifications {
                all.push(Privilege::Update);
            }
            if track_deletions {
                all.push(Privilege::Delete);
            }
        }
    }
    all
}

async fn look(session: &Session, spec: &TableSpec) -> Found {
    let target = quote_table(&spec.target);
    let columns = match session
        .client
        .query(&format!("DESCRIBE TABLE {target}"))
        .await
    {
        Ok(rows) => rows,
        Err(error) if error.kind == Kind::NoSuchObject => return Found::Nothing,
        Err(error) => return Found::Error(error),
    };
    let column = columns
        .first()
        .map(|row| quote(cell(row, 0)))
        .unwrap_or_default();
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

/// Whether a table can be created in the schema, or the schema in the database.
async fn creatable(
    session: &Session,
    database: &str,
    schema: &str,
    findings: &mut Vec<Finding>,
) -> Finding {
    let role = quote(&session.role);
    let table = format!("{database}.{schema}.{}", quote(&probe_name()));
    let create = format!("CREATE TRANSIENT TABLE {table} (ID NUMBER(10,0))");
    match session.client.query(&create).await {
        Ok(_) => {
            drop_probe(session, "TABLE", &table, findings).await;
            return Finding::ok(CHECK, "it will be created");
        }
        Err(error) if error.kind == Kind::NoSuchObject => {}
        Err(error) => {
            return Finding::fail(
                CHECK,
                cause(&error),
                format!("it cannot be created: {}", error.message),
                format!("GRANT USAGE, CREATE TABLE ON SCHEMA {database}.{schema} TO ROLE {role}"),
            );
        }
    }
    match create_schema_probe(session, database).await {
        Ok(probe) => {
            drop_probe(session, "SCHEMA", &probe, findings).await;
            Finding::ok(
                CHECK,
                format!("it will be created, and its schema {database}.{schema}"),
            )
        }
        Err(error) if error.kind == Kind::NoSuchObject => Finding::warn(
            CHECK,
            format!(
                "neither is its database {database}, or the role may not see it; all are created if the role may"
            ),
            format!(
                "CREATE DATABASE {database}; GRANT USAGE, CREATE SCHEMA ON DATABASE {database} TO ROLE {role}"
            ),
        ),
        Err(error) => Finding::fail(
            CHECK,
            cause(&error),
            format!(
                "its schema {database}.{schema} cannot be created: {}",
                error.message
            ),
            format!(
                "CREATE SCHEMA {database}.{schema}; GRANT USAGE, CREATE TABLE ON SCHEMA {database}.{schema} TO ROLE {role}"
            ),
        ),
    }
}
