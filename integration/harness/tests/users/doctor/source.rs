//! Sources and source tables that are not as they should be.

use super::{assert_found, bad, found, of};
use crate::site::{Site, table, text};
use serde_json::json;
use snowhaul_integration::LocalRedshift;
use std::fs;

fn worker_with(site: &Site<'_>, key: &str, value: &str) -> String {
    let text_of = site.source.worker_configuration("task_fetch_interval = 1");
    let others = text_of
        .lines()
        .filter(|line| !line.starts_with(&format!("{key} =")));
    let others: Vec<&str> = others.collect();
    let file = site.scratch.write(
        "changed.toml",
        &format!("{}\n{key} = {value}\n", others.join("\n")),
    );
    text(&file).to_owned()
}

#[test]
fn what_is_wrong_with_the_source_is_told() {
    let site = Site::shared();
    site.source.sql().run("CREATE TABLE good AS SELECT 1 AS id");
    let workflow = site.workflow(&json!([table("good")]));
    for (key, value, code, parts) in [
        (
            "password",
            "\"wrong-Zq\"",
            3,
            ["password authentication failed", "check username"],
        ),
        (
            "port",
            "1",
            3,
            ["Connection refused", "check host and port"],
        ),
        (
            "odbc_driver",
            "\"No Such Driver\"",
            2,
            ["No Such Driver", "install the driver"],
        ),
    ] {
        let worker = worker_with(&site, key, value);
        let (ended, findings) = found(&site, &["-c", &worker, text(&workflow)]);
        assert_eq!(ended, Some(code), "{findings:#?}");
        assert_found(&findings, "source", "fail", &parts);
        assert_eq!(bad(&findings).last(), Some(&"source_table"));
        assert!(!format!("{findings:?}").contains("wrong-Zq"));
    }
}

#[test]
fn tables_that_cannot_be_read_are_told_one_by_one() {
    let site = Site::shared();
    let admin = LocalRedshift::shared().admin(site.source.name());
    admin.run(
        "CREATE TABLE public.good AS SELECT 1 AS id; CREATE TABLE public.private AS SELECT 1 AS id",
    );
    admin.run("REVOKE ALL ON public.private FROM PUBLIC; GRANT SELECT ON public.good TO snowhaul");
    admin.run("REVOKE ALL ON public.private FROM snowhaul");
    let mut wrong = table("good");
    wrong["target"]["tableName"] = json!("other");
    wrong["whereClauseCriteria"] = json!("no_such_column > 1 -- it ends in a comment");
    let workflow = site.workflow(&json!([
        table("good"),
        table("private"),
        table("missing"),
        wrong
    ]));
    let (code, findings) = found(&site, &["-c", text(&site.worker()), text(&workflow)]);
    assert_eq!(code, Some(1), "{findings:#?}");
    assert_found(&findings, "source_table", "ok", &["good", "1 columns"]);
    assert_found(
        &findings,
        "source_table",
        "fail",
        &["permission denied", "SELECT on the table"],
    );
    assert_found(
        &findings,
        "source_table",
        "fail",
        &["missing", "no such table", "check the names"],
    );
    assert_found(&findings, "source_table", "fail", &["no_such_column"]);
    assert_eq!(of(&findings, "source_table").len(), 4);
}

#[test]
fn a_source_on_another_machine_that_offers_no_tls_is_refused_unless_the_user_says_so() {
    let site = Site::shared();
    // Another way to write 127.0.0.1, which does not say that it is this machine.
    let file = worker_with(&site, "host", "\"127.1\"");
    let (code, findings) = found(&site, &["-c", &file]);
    assert_eq!(code, Some(1), "{findings:#?}");
    assert_found(
        &findings,
        "source",
        "fail",
        &["does not support SSL", "sslmode = \"disable\""],
    );
    let lines = fs::read_to_string(&file).unwrap();
    let lines =
        format!("{lines}[connections.source.redshift.extra_options]\nsslmode = \"disable\"\n");
    let (code, findings) = found(
        &site,
        &["-c", text(&site.scratch.write("clear.toml", &lines))],
    );
    assert_eq!(code, Some(0), "{findings:#?}");
    assert_found(
        &findings,
        "source_encryption",
        "warn",
        &["not encrypted", "verify-full"],
    );
}
