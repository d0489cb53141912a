//! The metadata: whether it is there, whether the roles may do with it what they do, and whether the account has hybrid
//! tables.

use super::account::exactly;
use super::grants::{Need, Privilege, Role, grants};
use super::hybrid_tables::{ANOTHER_ACCOUNT, hybrid_tables, region_without};
use super::{Examination, Session, cause, probe_name};
use crate::app::doctor::finding::{Cause, Finding};
use crate::checkpoint::{CheckpointError, HybridCheckpoint, METADATA_VERSION};
use crate::domain::problem::Code;
use crate::snowflake::error::Kind;
use crate::snowflake::{Row, SnowflakeError};
use crate::types::metadata_location::MetadataLocation;
use crate::types::snowflake_name::quote;
use futures::StreamExt;

/// Statements at once.
const AT_ONCE: usize = 8;

/// Whether the metadata is there and can be read.
pub(super) async fn check(
    session: &Session,
    examination: &Examination,
    findings: &mut Vec<Finding>,
) -> bool {
    let location = &examination.metadata;
    let is_orchestrator = examination.roles.contains(&Role::Orchestrator);
    let schema = location.quoted();
    let checkpoint = HybridCheckpoint::new(session.client.clone(), location.clone());
    match checkpoint.check_schema().await {
        Ok(()) => {
            let message = format!("{schema}, version {METADATA_VERSION}");
            findings.push(Finding::ok("metadata", message));
            for role in &examination.roles {
                findings.push(privileges(session, &schema, *role).await);
            }
            if is_orchestrator {
                hybrid_tables(session, &schema, findings).await;
            }
            true
        }
        Err(CheckpointError::NoMetadata { cause, .. }) => {
            let grants = grants(Role::Worker, location, &session.role).join("; ");
            let remedy = if is_orchestrator {
                "start an orchestrator, which creates or upgrades it".to_owned()
            } else {
                format!(
                    "start an orchestrator, which creates or upgrades it; if it is there, the role may not see it: {grants}"
                )
            };
            findings.push(Finding::warn(
                "metadata",
                Code::METADATA_MISSING,
                format!("{schema} does not exist in version {METADATA_VERSION}: {cause}"),
                remedy,
            ));
            if is_orchestrator {
                creation(session, examination, findings).await;
            }
            false
        }
        Err(CheckpointError::Store(error)) if error.unreachable => {
            findings.push(Finding::fail(
                "metadata",
                Code::SNOWFLAKE_UNREACHABLE,
                Cause::Unreachable,
                error.message,
                "try again; Snowflake answered before",
            ));
            false
        }
        Err(error @ CheckpointError::Foreign { .. }) => {
            findings.push(Finding::fail(
                "metadata",
                Code::METADATA_FOREIGN,
                Cause::Other,
                error.to_string(),
                format!(
                    "set {} to a schema of snowhaul's own",
                    MetadataLocation::SCHEMA_VARIABLE
                ),
            ));
            false
        }
        Err(error @ CheckpointError::Schema(_)) => {
            findings.push(Finding::fail(
                "metadata",
                Code::METADATA_VERSION,
                Cause::Other,
                error.to_string(),
                "run the same version of snowhaul everywhere",
            ));
            false
        }
        Err(error) => {
            let grants = grants(Role::Worker, location, &session.role).join("; ");
            findings.push(Finding::fail(
                "metadata",
                error.problem().code,
                Cause::Other,
                error.to_string(),
                grants,
            ));
            false
        }
    }
}

/// Tries every privilege that the role needs.
async fn privileges(session: &Session, schema: &str, role: Role) -> Finding {
    let check = match role {
        Role::Orchestrator => "orchestrator_privileges",
        Role::Worker => "worker_privileges",
    };
    let each = role.needs().iter().flat_map(|need| {
        need.privileges
            .iter()
            .map(move |privilege| (need, *privilege))
    });
    let tried: Vec<(&Need, Privilege, Option<SnowflakeError>)> = futures::stream::iter(each)
        .map(|(need, privilege)| async move {
            let sql = need.probe(schema, privilege);
            (need, privilege, session.client.query(&sql).await.err())
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut missing, mut remedies, mut worst) = (Vec::new(), Vec::new(), Cause::Other);
    for need in role.needs() {
        let refused: Vec<(Privilege, &SnowflakeError)> = tried
            .iter()
            .filter(|(other, ..)| other.table == need.table)
            .filter_map(|(_, privilege, error)| error.as_ref().map(|error| (*privilege, error)))
            .collect();
        let Some((_, first)) = refused.first() else {
            continue;
        };
        if cause(first) == Cause::Unreachable {
            worst = Cause::Unreachable;
        }
        let privileges: Vec<Privilege> = refused.iter().map(|(privilege, _)| *privilege).collect();
        let names: Vec<&str> = privileges.iter().map(|p| p.as_str()).collect();
        missing.push(format!(
            "{} on {}: {}",
            names.join(", "),
            need.table,
            first.message
        ));
        remedies.push(need.grant(schema, &session.role, &privileges));
    }
    if missing.is_empty() {
        let message = format!(
            "{} statements tried on {} tables",
            tried.len(),
            role.needs().len()
        );
        Finding::ok(check, message)
    } else {
        Finding::fail(
            check,
            Code::PRIVILEGE_MISSING,
            worst,
            missing.join("; "),
            remedies.join("; "),
        )
    }
}

/// Whether the role may create the metadata, when it is not there.
async fn creation(session: &Session, examination: &Examination, findings: &mut Vec<Finding>) {
    let location = &examination.metadata;
    let (database, role) = (quote(&location.database), quote(&session.role));
    if let Some(what) = transient(session, location).await {
        findings.push(Finding::fail(
            "hybrid_tables", Code::NO_HYBRID_TABLES,
            Cause::Other,
            format!("{what} is transient, and cannot hold hybrid tables"),
            "create another one, without TRANSIENT, and name it as the metadata's: CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA, CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA, or snowflake_database_for_metadata in the worker's file",
        ));
        return;
    }
    // The schema may be there, empty.
    if !is_absent(session, &location.quoted()).await {
        hybrid_tables(session, &location.quoted(), findings).await;
        return;
    }
    match create_schema_probe(session, &database).await {
        Ok(probe) => {
            hybrid_tables(session, &probe, findings).await;
            drop_probe(session, "SCHEMA", &probe, findings).await;
        }
        Err(error) if error.kind == Kind::NoSuchObject => {
            findings.push(Finding::warn(
                "orchestrator_privileges", Code::OBJECT_NOT_FOUND,
                format!(
                    "the database {database} does not exist, or {role} may not see it; the orchestrator creates it if it may"
                ),
                format!(
                    "CREATE DATABASE {database}; {}; or: GRANT CREATE DATABASE ON ACCOUNT TO ROLE {role}",
                    grants(Role::Orchestrator, location, &session.role).join("; ")
                ),
            ));
            findings.push(match region_without(&session.region) {
                Some(why) => Finding::fail(
                    "hybrid_tables",
                    Code::NO_HYBRID_TABLES,
                    Cause::Other,
                    why,
                    ANOTHER_ACCOUNT,
                ),
                None => Finding::warn(
                    "hybrid_tables",
                    Code::NO_HYBRID_TABLES,
                    "not tried: there is no database to try them in; trial accounts have none",
                    "run doctor again when the database is there",
                ),
            });
        }
        Err(error) => {
            findings.push(Finding::fail(
                "orchestrator_privileges",
                error.kind.code(),
                cause(&error),
                format!("no schema can be created in {database}: {}", error.message),
                grants(Role::Orchestrator, location, &session.role).join("; "),
            ));
            findings.push(Finding::skipped("hybrid_tables", "orchestrator_privileges"));
        }
    }
}

/// The metadata's database or schema, where it is there and transient (documentation of CREATE HYBRID TABLE, usage notes).
async fn transient(session: &Session, location: &MetadataLocation) -> Option<String> {
    let (database, schema) = (&location.database, &location.schema);
    let questions = [
        (
            format!("SHOW DATABASES LIKE {}", exactly(database)),
            database,
            format!("the database {}", quote(database)),
        ),
        (
            format!(
                "SHOW SCHEMAS LIKE {} IN DATABASE {}",
                exactly(schema),
                quote(database)
            ),
            schema,
            format!("the schema {}", location.quoted()),
        ),
    ];
    for (sql, name, what) in questions {
        // What does not exist, or may not be seen, is reported elsewhere.
        let Ok(answer) = session.client.query_named(&*sql).await else {
            continue;
        };
        let is_transient = |row: &&Row| {
            answer.value(row, "name") == Some(name)
                && answer
                    .value(row, "options")
                    .is_some_and(|options| options.contains("TRANSIENT"))
        };
        if answer.rows.iter().any(|row| is_transient(&row)) {
            return Some(what);
        }
    }
    None
}

async fn is_absent(session: &Session, schema: &str) -> bool {
    let sql = format!("USE SCHEMA {schema}");
    session.client.query(&sql).await.is_err()
}

/// Creates a schema for a try in a quoted database, and answers its name, for [`drop_probe`]. No transient one: that takes
/// no hybrid table (documentation of CREATE HYBRID TABLE, usage notes).
pub(super) async fn create_schema_probe(
    session: &Session,
    database: &str,
) -> Result<String, SnowflakeError> {
    let probe = format!("{database}.{}", quote(&probe_name()));
    let sql = format!("CREATE SCHEMA {probe}");
    session.client.query(&sql).await?;
    Ok(probe)
}

/// Removes what a check made; what stays behind is reported.
pub(super) async fn drop_probe(
    session: &Session,
    kind: &str,
    name: &str,
    findings: &mut Vec<Finding>,
) {
    let sql = format!("DROP {kind} IF EXISTS {name}");
    if let Err(error) = session.client.query(&sql).await {
        findings.push(Finding::warn(
            "leftover",
            Code::LEFTOVER,
            format!("{name} could not be dropped: {}", error.message),
            sql,
        ));
    }
}
