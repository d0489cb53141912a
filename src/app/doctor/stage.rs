//! The stage of extracted files: a small file is written, found, and removed.

use super::{Session, cause};
use crate::app::doctor::finding::Finding;
use crate::snowflake::error::Kind;
use crate::snowflake::{Connection, SnowflakeError};
use crate::stage::{self, internal::InternalStage};
use crate::types::metadata_location::MetadataLocation;
use crate::types::snowflake_name::quote;
use bytes::Bytes;
use futures::StreamExt;

const CONTENT: &[u8] = b"written by snowhaul doctor, to be removed at once\n";

pub(super) async fn check(
    session: &Session,
    connection: &Connection,
    location: &MetadataLocation,
    findings: &mut Vec<Finding>,
) {
    let name = location.stage();
    let failed = |what: &str, error: &SnowflakeError| {
        let remedy = match error.kind {
            Kind::NoPrivilege | Kind::NoSuchObject => format!(
                "GRANT READ, WRITE ON STAGE {} TO ROLE {}",
                name.trim_start_matches('@'),
                quote(&session.role)
            ),
            Kind::Unreachable => {
                "let this machine reach the storage behind the stage: SELECT SYSTEM$ALLOWLIST() lists its hosts (type STAGE)".to_owned()
            }
            _ => "fix what the message says".to_owned(),
        };
        let code = stage::problem(error).code;
        let message = format!("{name}: a file cannot be {what}: {}", error.message);
        Finding::fail("stage", code, cause(error), message, remedy)
    };
    let directory = format!("doctor/{}", uuid::Uuid::new_v4().simple());
    let stage = match InternalStage::new(connection.clone(), name.clone()) {
        Ok(stage) => stage,
        Err(error) => {
            findings.push(failed("written", &error));
            return;
        }
    };
    let content = futures::stream::iter([Ok(Bytes::from_static(CONTENT))]).boxed();
    if let Err(error) = stage.put_file(&format!("{directory}/probe"), content).await {
        findings.push(failed("written", &error));
        return;
    }
    let list = format!("LIST {name}/{directory}/");
    match session.client.query_named(&*list).await {
        Err(error) => findings.push(failed("read", &error)),
        Ok(listed)
            if listed.rows.len() == 1
                && listed.value(&listed.rows[0], "size") == Some(&CONTENT.len().to_string()) => {}
        Ok(listed) => {
            let error = SnowflakeError::refused(format!(
                "it was written, and LIST answers with {} files",
                listed.rows.len()
            ));
            findings.push(failed("read", &error));
        }
    }
    let remove = format!("REMOVE {name}/{directory}/");
    match session.client.query(&remove).await {
        Err(error) => findings.push(failed("removed", &error)),
        Ok(_) if findings.last().is_some_and(|last| last.check == "stage") => {}
        Ok(_) => findings.push(Finding::ok(
            "stage",
            format!("{name}: a file was written, read and removed"),
        )),
    }
}
