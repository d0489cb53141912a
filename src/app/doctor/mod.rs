//! `doctor`: whether everything that the roles need is there, asked of the real servers, without leaving anything behind.
//!
//! Privileges are tried, not read: statements of the kind that a role sends, over no row. So whatever gives the privilege
//! (a grant, ownership, another role) counts, and nothing else does.

mod account;
pub mod finding;
mod grants;
mod hybrid_tables;
mod metadata;
mod parameters;
pub mod probe;
mod source;
mod stage;
mod target;

pub use grants::{Role, grants, table_privileges};
pub use probe::probe;

use crate::app::doctor::finding::{Cause, Finding};
use crate::checkpoint::METADATA_VERSION;
use crate::domain::source_settings::SourceSettings;
use crate::domain::spec::TableSpec;
use crate::domain::table::Platform;
use crate::snowflake::error::Kind;
use crate::snowflake::{Connection, SnowflakeClient, SnowflakeError};
use crate::types::metadata_location::MetadataLocation;
use std::collections::BTreeMap;

/// What is to be examined.
pub struct Examination {
    /// What the connection is for: one role, or both.
    pub roles: Vec<Role>,
    /// The connection; `None`: it was refused, which is reported already.
    pub connection: Option<Connection>,
    /// Where the metadata is, or will be.
    pub metadata: MetadataLocation,
    /// The sources of the worker's file; `None`: no such file was given.
    pub sources: Option<BTreeMap<Platform, SourceSettings>>,
    /// How many loads may run in the connection's own warehouse; `None`: none, or nobody says.
    pub loads_in_this_warehouse: Option<usize>,
    /// The workflow's tables, and where they come from.
    pub workflow: Option<(Platform, Vec<TableSpec>)>,
}

/// The session whose privileges are tried.
struct Session {
    client: SnowflakeClient,
    /// The role, as Snowflake names it.
    role: String,
    /// Where the account is, e.g. `AWS_US_WEST_2`.
    region: String,
}

/// What this program is.
pub fn version() -> Finding {
    Finding::ok(
        "version",
        format!(
            "snowhaul {} ({} {}), metadata version {METADATA_VERSION}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        ),
    )
}

/// Runs all checks, one after another, and returns what they find.
pub async fn examine(examination: &Examination) -> Vec<Finding> {
    let mut findings = Vec::new();
    snowflake(examination, &mut findings).await;
    if let Some(sources) = &examination.sources {
        source::check(sources, examination.workflow.as_ref(), &mut findings).await;
    }
    findings
}

async fn snowflake(examination: &Examination, findings: &mut Vec<Finding>) {
    let Some(connection) = &examination.connection else {
        findings.push(Finding::skipped("login", "connection"));
        return;
    };
    account::describe(connection, findings);
    let Some(session) = account::log_in(connection, findings).await else {
        for check in ["role", "warehouse", "metadata", "stage"] {
            findings.push(Finding::skipped(check, "login"));
        }
        return;
    };
    account::tokens(&session, connection, findings).await;
    parameters::check(&session, findings).await;
    let Some(warehouse) = account::warehouse(&session, connection, findings).await else {
        for check in ["metadata", "stage"] {
            findings.push(Finding::skipped(check, "warehouse"));
        }
        return;
    };
    parameters::warehouse(&session, connection, examination, &warehouse, findings).await;
    if metadata::check(&session, examination, findings).await {
        stage::check(&session, connection, &examination.metadata, findings).await;
    } else {
        findings.push(Finding::skipped("stage", "metadata"));
    }
    if let (Some((_, tables)), true) = (
        &examination.workflow,
        examination.roles.contains(&Role::Orchestrator),
    ) {
        target::check(&session, tables, findings).await;
    }
}

fn cause(error: &SnowflakeError) -> Cause {
    match error.kind {
        Kind::Unreachable | Kind::Login | Kind::SessionExpired => Cause::Unreachable,
        _ => Cause::Other,
    }
}

/// A name that nothing else has, for what is made and removed again.
fn probe_name() -> String {
    format!("SNOWHAUL_DOCTOR_{}", uuid::Uuid::new_v4().simple()).to_uppercase()
}
