//! A migration that an older version has half done, finished by this one.

use crate::site::{DEADLINE, Site, text};
use snowhaul_integration::{Metadata, Row, Sql, eventually};

/// What version 3 of the metadata held when its processes were killed: five tables of all strategies, of each about half of
/// the partitions loaded, and no staged file. The names of the databases are in braces.
const HALF_DONE: &str = include_str!("half_done_by_version_3.sql");

/// Each table, and how a row of the source arrives.
const TABLES: [(&str, &str); 5] = [
    ("appended", PLAIN),
    ("replaced", PLAIN),
    ("summed", PLAIN),
    ("merged", PLAIN),
    (
        "computed",
        "id::text, (grp + 1)::text, length(upper(name))::text, (amount * 2)::text, to_char(at, 'YYYY-MM-DD HH24:MI:SS')",
    ),
];
const PLAIN: &str = "id::text, grp::text, name, amount::text, to_char(at, 'YYYY-MM-DD HH24:MI:SS')";
const ARRIVED: &str = "id::VARCHAR, grp::VARCHAR, name::VARCHAR, amount::VARCHAR, TO_CHAR(at, 'YYYY-MM-DD HH24:MI:SS')";

fn fill_source(sql: &Sql) {
    for (table, _) in TABLES {
        sql.run(&format!(
            "CREATE TABLE {table} (id bigint PRIMARY KEY, grp integer, name varchar(40), amount numeric(12,2), at timestamp NOT NULL)"
        ));
        sql.run(&format!(
            "INSERT INTO {table} SELECT n, n % 7, CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'name ' || n END, n * 1.25, \
             TIMESTAMP '2024-01-01' + n * INTERVAL '1 minute' FROM generate_series(1, 1000) n"
        ));
    }
}

fn rows_of_source(site: &Site<'_>, table: &str, columns: &str, condition: &str) -> Vec<Row> {
    site.source.sql().rows(&format!(
        "SELECT {columns} FROM {table} x WHERE {condition} ORDER BY x.id"
    ))
}

/// A row as a list of Snowflake's literals.
fn literals(row: &Row) -> String {
    let cells = row.iter().map(|cell| match cell {
        Some(text) => format!("'{text}'"),
        None => "NULL".to_owned(),
    });
    format!("({})", cells.collect::<Vec<_>>().join(", "))
}

/// The targets as they were: with the rows of the partitions that are loaded.
fn fill_targets(site: &Site<'_>, metadata: &Metadata) {
    let sql = site.sql();
    sql.run(&format!("CREATE DATABASE {}", site.target));
    for (number, (table, columns)) in TABLES.into_iter().enumerate() {
        let target = format!("{}.PUBLIC.{table}", site.target);
        let types = match table {
            "computed" => "GRP NUMBER(12,0), NAME NUMBER(10,0), AMOUNT NUMBER(20,2)",
            _ => "GRP NUMBER(10,0), NAME VARCHAR(40), AMOUNT NUMBER(12,2)",
        };
        sql.run(&format!(
            "CREATE TABLE {target} (ID NUMBER(19,0), {types}, AT TIMESTAMP_NTZ(6))"
        ));
        let loaded = metadata.rows(&format!(
            "SELECT KEY_RANGE FROM {{s}}.\"PARTITION\" WHERE TABLE_NO = {number} AND PHASE = 'LOADED'"
        ));
        assert!((1..10).contains(&loaded.len()), "{table}: not half done");
        for range in loaded.into_iter().flatten().flatten() {
            let range: serde_json::Value = serde_json::from_str(&range).unwrap();
            if range["kind"] == "nullKey" {
                continue;
            }
            let bound = |end: &str| range[end][0].as_str().map(str::to_owned);
            let lower = bound("lower").unwrap_or_else(|| "0".to_owned());
            let upper = bound("upper").unwrap_or_else(|| "100000".to_owned());
            let condition = format!("x.id >= {lower} AND x.id < {upper}");
            let rows = rows_of_source(site, table, columns, &condition);
            let values: Vec<String> = rows.iter().map(literals).collect();
            sql.run(&format!(
                "INSERT INTO {target} VALUES {}",
                values.join(", ")
            ));
        }
    }
    // What is gone from the source, and is deleted at the end.
    sql.run(&format!(
        "INSERT INTO {}.PUBLIC.merged VALUES (5000, 1, 'gone', 1, '2020-01-01')",
        site.target
    ));
}

#[test]
fn what_version_3_has_half_done_is_finished_and_no_row_is_lost_or_doubled() {
    let site = Site::shared();
    fill_source(&site.source.sql());
    let metadata = site.metadata();
    metadata.run("CREATE DATABASE {d}");
    metadata.run("CREATE SCHEMA {s}");
    let statements = HALF_DONE.split(";\n");
    for statement in statements.filter(|text| !text.trim().is_empty()) {
        let statement = statement
            .replace("{source}", site.source.name())
            .replace("{target}", &site.target);
        metadata.run(&statement);
    }
    fill_targets(&site, &metadata);
    let orchestrator = site.command(&["orchestrator"]).start();
    let worker = site
        .command(&["worker", "-c", text(&site.worker())])
        .start();
    eventually("the workflow has ended", DEADLINE, || {
        metadata.count("WORKFLOW", "STATUS IN ('COMPLETED', 'FAILED')") == 1
    });
    assert_eq!(worker.terminate(DEADLINE).code(), Some(0));
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
    assert_eq!(site.errors(), []);
    assert_eq!(metadata.version(), 4);
    for (table, columns) in TABLES {
        let there = rows_of_source(&site, table, columns, "true");
        let here = site.sql().rows(&format!(
            "SELECT {ARRIVED} FROM {}.PUBLIC.{table} x ORDER BY x.id",
            site.target
        ));
        let different = there.iter().zip(&here).find(|(a, b)| a != b);
        assert_eq!(different, None, "{table}");
        assert_eq!(there.len(), here.len(), "{table}");
    }
}
