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
        &[
            "private: permission denied",
            "GRANT SELECT ON \"public\".\"private\" TO \"snowhaul\"",
        ],
    );
    assert_found(
        &findings,
        "source_table",
        "fail",
        &["missing", "no such table", "check schemaName and tableName"],
    );
    assert_found(&findings, "source_table", "fail", &["no_such_column"]);
    assert_eq!(of(&findings, "source_table").len(), 4);
}

/// The worker's file of the site, for PostgreSQL.
fn postgresql_worker(site: &Site<'_>) -> String {
    let lines = fs::read_to_string(site.worker()).unwrap();
    let lines = lines.replace(
        &site.source.worker_section(),
        &site.source.postgres_section(),
    );
    text(&site.scratch.write("postgresql.toml", &lines)).to_owned()
}

#[test]
fn a_column_that_stays_behind_needs_no_grant_and_one_that_moves_is_named() {
    let site = Site::shared();
    let admin = LocalRedshift::shared().admin(site.source.name());
    for statement in [
        "CREATE TABLE public.people (id int PRIMARY KEY, name text, \"Ssn\" text UNIQUE)",
        "GRANT SELECT (id, name) ON public.people TO snowhaul",
        "CREATE TABLE public.by_ssn (ssn text UNIQUE, name text)",
        "INSERT INTO public.by_ssn SELECT n, 'x' FROM generate_series(1, 5) n",
        "GRANT SELECT (name) ON public.by_ssn TO snowhaul",
        "CREATE TABLE public.none (id int)",
        "CREATE SCHEMA closed",
        "CREATE TABLE closed.t (id int)",
        "GRANT SELECT ON closed.t TO snowhaul",
    ] {
        admin.run(statement);
    }
    let mut without = table("people");
    without["excludeSourceColumns"] = json!(["Ssn"]);
    let mut whole = table("people");
    whole["target"]["tableName"] = json!("whole");
    let mut closed = table("t");
    closed["source"]["schemaName"] = json!("closed");
    let workflow = site.workflow(&json!([without, whole, table("none"), closed]));
    let worker = postgresql_worker(&site);
    let (code, findings) = found(
        &site,
        &[
            "-c",
            &worker,
            "--source-platform",
            "postgresql",
            text(&workflow),
        ],
    );
    assert_eq!(code, Some(1), "{findings:#?}");
    assert_found(
        &findings,
        "source_table",
        "ok",
        &["people can be read: 2 columns"],
    );
    assert_found(
        &findings,
        "source_table",
        "fail",
        &[
            "permission denied for the columns Ssn",
            "GRANT SELECT (\"Ssn\") ON \"public\".\"people\" TO \"snowhaul\"",
            "excludeSourceColumns",
        ],
    );
    assert_found(
        &findings,
        "source_table",
        "fail",
        &[
            "public.none",
            "GRANT SELECT ON \"public\".\"none\" TO \"snowhaul\"",
        ],
    );
    assert_found(
        &findings,
        "source_table",
        "fail",
        &[
            "closed.t",
            "GRANT USAGE ON SCHEMA \"closed\" TO \"snowhaul\"",
        ],
    );
    assert_eq!(of(&findings, "source_table").len(), 4);

    // What doctor says can be read is read, though the only key that the table has is hidden.
    let mut hidden = table("by_ssn");
    hidden["excludeSourceColumns"] = json!(["ssn"]);
    hidden["columnNamesToPartitionBy"] = json!(null);
    let workflow = site.scratch.write(
        "hidden.json",
        &json!({
            "defaultTableConfiguration": {
                "source": {"databaseName": site.source.name(), "schemaName": "public"},
                "target": {"databaseName": site.target, "schemaName": "PUBLIC"},
            },
            "tables": [hidden],
        })
        .to_string(),
    );
    let arguments = [
        "run",
        text(&workflow),
        "--source-platform",
        "postgresql",
        "--name",
        "hidden",
        "-c",
        &worker,
    ];
    let ended = site.command(&arguments).run(super::DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(site.rows_of("by_ssn"), 5);
}

#[test]
fn tables_whose_rows_come_with_one_another_are_told() {
    let site = Site::shared();
    let sql = site.source.sql();
    for statement in [
        "CREATE TABLE p (id int)",
        "CREATE TABLE q () INHERITS (p)",
        "CREATE TABLE cut (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE cut_1 PARTITION OF cut FOR VALUES FROM (0) TO (9)",
    ] {
        sql.run(statement);
    }
    let tables = json!([table("p"), table("q"), table("cut"), table("cut_1")]);
    let workflow = site.workflow(&tables);
    let worker = postgresql_worker(&site);
    let arguments = [
        "-c",
        &worker,
        "--source-platform",
        "postgresql",
        text(&workflow),
    ];
    let (code, findings) = found(&site, &arguments);
    assert_eq!(code, Some(0), "{findings:#?}");
    let warned: Vec<_> = of(&findings, "source_table")
        .into_iter()
        .filter(|f| f[1] == "warn")
        .collect();
    assert_eq!(warned.len(), 3, "{warned:#?}");
    for parts in [
        &["public.p: ", "1 child table comes", "includeChildTables"][..],
        &[
            "public.q: ",
            "its rows come with those of public.p",
            "moved twice",
        ],
        &["public.cut_1: ", "its rows come with those of public.cut"],
    ] {
        assert_found(&findings, "source_table", "warn", parts);
    }
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
