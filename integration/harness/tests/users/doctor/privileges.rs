//! Privileges: those that are missing, and whether those that are asked for are those that are used.

use super::{assert_found, bad, found, prepare};
use crate::site::{Site, table, text};
use serde_json::{Value, json};
use snowhaul::app::doctor::{Role, table_privileges};
use snowhaul_integration::{LocalSnowflake, Scratch};
use std::fs;

#[test]
fn each_missing_privilege_is_told_with_the_statement_that_grants_it() {
    let scratch = Scratch::new("deny");
    let deny = scratch.write("deny.json", "[]");
    let snowflake = LocalSnowflake::start(&["--deny", text(&deny)]);
    let site = Site::on(&snowflake);
    prepare(&site);
    site.sql().run(&format!("CREATE DATABASE {}", site.target));
    site.sql().run(&format!(
        "CREATE TABLE {}.PUBLIC.GOOD (ID NUMBER)",
        site.target
    ));
    let workflow = site.workflow(&json!([table("good"), table("new")]));
    let with = |patterns: Value, arguments: &[&str]| {
        fs::write(&deny, patterns.to_string()).unwrap();
        let (code, findings) = found(&site, arguments);
        assert_eq!(code, Some(1), "{patterns}: {findings:#?}");
        findings
    };
    let schema = format!("\"{}\".\"DATA_MIGRATION\"", site.metadata);
    let findings = with(
        json!(["^UPDATE .*TASK_QUEUE", "^DELETE FROM .*\"WORKER\""]),
        &["--role", "worker"],
    );
    assert_eq!(bad(&findings), ["worker_privileges"]);
    let grant = format!("GRANT UPDATE ON TABLE {schema}.\"TASK_QUEUE\" TO ROLE \"SYSADMIN\"");
    let parts = [&grant, "GRANT DELETE ON TABLE", "Insufficient privileges"];
    assert_found(&findings, "worker_privileges", "fail", &parts);
    let findings = with(json!(["^CREATE HYBRID"]), &[]);
    assert_eq!(bad(&findings), ["hybrid_tables"]);
    assert_found(
        &findings,
        "hybrid_tables",
        "fail",
        &["GRANT CREATE HYBRID TABLE ON SCHEMA", &schema],
    );
    for (statement, what) in [
        ("^PUT", "written"),
        ("^LIST", "read"),
        ("^REMOVE", "removed"),
    ] {
        let findings = with(json!([statement]), &[]);
        assert_eq!(bad(&findings), ["stage"], "{findings:#?}");
        let parts = [
            &format!("cannot be {what}"),
            "GRANT READ, WRITE ON STAGE",
            &schema,
        ];
        assert_found(&findings, "stage", "fail", &parts);
    }
    let arguments = ["--source-platform", "redshift", text(&workflow)];
    let findings = with(json!([format!("^INSERT .*{}", site.target)]), &arguments);
    assert_found(
        &findings,
        "target_table",
        "fail",
        &["GOOD", "GRANT INSERT ON TABLE"],
    );
    let findings = with(json!([format!("^CREATE .*{}", site.target)]), &arguments);
    assert_found(&findings, "target_table", "ok", &["GOOD"]);
    assert_found(
        &findings,
        "target_table",
        "fail",
        &["NEW", "GRANT USAGE, CREATE TABLE ON SCHEMA"],
    );
}

/// Each table of the metadata in a statement, with the privilege that it needs there.
fn touched(sql: &str, schema: &str) -> Vec<(String, &'static str)> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let mut touched = Vec::new();
    for pair in words.windows(2) {
        let Some(name) = pair[1].trim_start_matches('(').strip_prefix(schema) else {
            continue;
        };
        let name = name.trim_start_matches(['.', '"']);
        let name: String = name
            .chars()
            .take_while(|c| c.is_ascii_uppercase() || *c == '_')
            .collect();
        let privileges: &[&str] = match pair[0].trim_start_matches('(') {
            "UPDATE" => &["SELECT", "UPDATE"],
            "INTO" if sql.contains("MERGE INTO") => &["SELECT", "INSERT", "UPDATE"],
            "INTO" => &["INSERT"],
            "FROM" if sql.starts_with("DELETE") => &["SELECT", "DELETE"],
            "FROM" | "JOIN" => &["SELECT"],
            _ => &[],
        };
        touched.extend(
            privileges
                .iter()
                .map(|privilege| (name.clone(), *privilege)),
        );
    }
    touched
}

#[test]
fn what_the_roles_send_is_what_they_are_granted() {
    let snowflake = LocalSnowflake::start(&[]);
    let site = Site::on(&snowflake);
    let source = site.source.sql();
    source.run(
        "CREATE TABLE a AS SELECT generate_series(1, 30)::bigint AS id, now()::timestamp AS at",
    );
    source.run("CREATE TABLE b AS SELECT * FROM a");
    let (mut a, mut b) = (table("a"), table("b"));
    a["synchronization"] = json!({"strategy": "checksum"});
    b["synchronization"] =
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true});
    b["primaryKeyColumns"] = json!(["id"]);
    for table in [&mut a, &mut b] {
        table["columnNamesToPartitionBy"] = json!(["id"]);
        table["partitionSize"] = json!({"maxRowsPerPartition": 10});
    }
    let workflow = site.workflow(&json!([a, b, table("missing")]));
    for name in ["first", "second"] {
        let ended = site.run(&workflow, name);
        assert_eq!(ended.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    }
    let schema = format!("\"{}\".\"DATA_MIGRATION\"", site.metadata);
    for (role, name) in [
        (Role::Orchestrator, "orchestrator"),
        (Role::Worker, "worker"),
    ] {
        let granted = table_privileges(role);
        let tables: Vec<&str> = granted.iter().map(|(table, _)| *table).collect();
        let mut seen = 0;
        for statement in snowflake.statements() {
            let sql = statement["sql"].as_str().unwrap_or_default();
            let tag = statement["tag"].as_str().unwrap_or_default();
            let is_change = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"]
                .iter()
                .any(|word| sql.starts_with(word));
            if !is_change || !tag.contains(&format!("\"role\":\"{name}\"")) {
                continue;
            }
            for (table, privilege) in touched(sql, &schema) {
                // The owner's own staging tables and views.
                let is_known = tables.contains(&table.as_str()) || role == Role::Worker;
                if is_known {
                    seen += 1;
                    let is_granted = granted.iter().any(|(t, p)| *t == table && *p == privilege);
                    assert!(is_granted, "{name}: {privilege} on {table}: {sql}");
                }
            }
        }
        assert!(seen > 20, "{name}: {seen}");
    }
}
