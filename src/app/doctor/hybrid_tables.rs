//! Whether the account has hybrid tables, and creates what else the metadata is made of.

use super::metadata::drop_probe;
use super::{Session, cause, probe_name};
use crate::app::doctor::finding::Finding;
use crate::domain::problem::Code;
use crate::snowflake::error::Kind;
use crate::types::snowflake_name::quote;

/// What helps where there are none.
pub(super) const ANOTHER_ACCOUNT: &str = "use an account in a commercial region of AWS or Azure for the metadata; the targets must be in the same account";

/// Why a region has no hybrid tables (documentation: "Hybrid tables", limitations).
pub(super) fn region_without(region: &str) -> Option<String> {
    let name = region.to_uppercase();
    if name.contains("GCP") {
        Some(format!(
            "{region} is in Google Cloud, where there are no hybrid tables"
        ))
    } else if name.contains("GOV") || name.contains("DOD") {
        Some(format!(
            "{region} is a government region, where there are no hybrid tables"
        ))
    } else {
        None
    }
}

/// Creates a hybrid table, writes, reads and drops it; and what else the metadata and loads by key are made of.
pub(super) async fn hybrid_tables(session: &Session, schema: &str, findings: &mut Vec<Finding>) {
    let table = format!("{schema}.{}", quote(&probe_name()));
    let create = format!(
        "CREATE HYBRID TABLE {table} (ID NUMBER(10,0) NOT NULL, NOTE VARCHAR(16), PRIMARY KEY (ID))"
    );
    let role = quote(&session.role);
    if let Err(error) = session.client.query(&create).await {
        let (message, remedy) = match (error.kind.clone(), region_without(&session.region)) {
            (Kind::NoPrivilege, _) => (
                error.message.clone(),
                format!("GRANT CREATE HYBRID TABLE ON SCHEMA {schema} TO ROLE {role}"),
            ),
            (_, Some(why)) => (format!("{why}: {}", error.message), ANOTHER_ACCOUNT.to_owned()),
            (_, None) => (
                error.message.clone(),
                "hybrid tables need a commercial AWS or Azure region and an account that is not a trial: convert a trial account, or ask Snowflake's support to enable them".to_owned(),
            ),
        };
        let code = match error.kind {
            Kind::NoPrivilege => Code::PRIVILEGE_MISSING,
            _ => Code::NO_HYBRID_TABLES,
        };
        findings.push(Finding::fail(
            "hybrid_tables",
            code,
            cause(&error),
            message,
            remedy,
        ));
        return;
    }
    let statements = [
        format!("INSERT INTO {table} (ID, NOTE) VALUES (1, 'a')"),
        format!("UPDATE {table} SET NOTE = 'b' WHERE ID = 1"),
        format!("SELECT NOTE FROM {table} WHERE ID = 1"),
        format!("DELETE FROM {table} WHERE ID = 1"),
    ];
    let mut failed = None;
    for sql in &statements {
        if let Err(error) = session.client.query(sql).await {
            failed = Some(error);
            break;
        }
    }
    drop_probe(session, "TABLE", &table, findings).await;
    for (kind, definition) in [
        ("TABLE", "TRANSIENT TABLE {} (ID NUMBER(10,0))"),
        ("STAGE", "STAGE {}"),
        ("VIEW", "VIEW {} AS SELECT 1 AS ID"),
    ] {
        let name = format!("{schema}.{}", quote(&probe_name()));
        let create = format!("CREATE {}", definition.replace("{}", &name));
        match session.client.query(&create).await {
            Ok(_) => drop_probe(session, kind, &name, findings).await,
            Err(error) => findings.push(Finding::fail(
                "orchestrator_privileges",
                error.kind.code(),
                cause(&error),
                format!(
                    "no {} can be created in {schema}: {}",
                    kind.to_lowercase(),
                    error.message
                ),
                format!("GRANT CREATE {kind} ON SCHEMA {schema} TO ROLE {role}"),
            )),
        }
    }
    findings.push(match failed {
        None => Finding::ok("hybrid_tables", "created, written, read and dropped"),
        Some(error) => Finding::fail(
            "hybrid_tables",
            Code::NO_HYBRID_TABLES,
            cause(&error),
            error.message,
            "the account creates hybrid tables but does not serve them: ask Snowflake's support",
        ),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_without_hybrid_tables_are_known() {
        for region in ["AWS_US_WEST_2", "PUBLIC.AZURE_WESTEUROPE", "LOCAL"] {
            assert_eq!(region_without(region), None);
        }
        for region in [
            "GCP_US_CENTRAL1",
            "AWS_US_GOV_WEST_1",
            "AZURE_USGOVVIRGINIA",
            "AWS_US_EAST_1_DOD",
        ] {
            assert!(region_without(region).is_some(), "{region}");
        }
    }
}
