//! Odd names of columns, tables, schemas and databases, and names that differ in case.

use super::{columns_of, quote};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration, unique_name};

/// No two that differ in case only: the local Snowflake takes them for the same.
const ODD: &[&str] = &[
    "a\"b",
    "a\"\"b",
    "\"",
    "a.b",
    "a b",
    " a ",
    "a;b",
    "; DROP TABLE t; --",
    "[c]",
    "{fn now()}",
    "back\\slash",
    "\\",
    "o'clock",
    "ünï",
    "ÜNÏ too",
    "名前",
    "😀",
    "MiXed",
    "select",
    "Table",
    "a?b",
    ":a",
    "$1",
    "$$",
    "%s",
    "c0",
    "1st",
    "/* a",
    "-- a",
    "@stage/",
    "a\tb",
];

/// What a source column is called in the target.
fn arrived(name: &str) -> String {
    let cased = name != name.to_lowercase() && name != name.to_uppercase();
    if cased {
        name.to_owned()
    } else {
        name.to_uppercase()
    }
}

#[test]
fn columns_keep_their_odd_names_and_each_its_own_values() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let columns: Vec<String> = ODD
        .iter()
        .map(|name| format!("{} text", quote(name)))
        .collect();
    sql.run(&format!("CREATE TABLE t ({})", columns.join(", ")));
    for row in 0..40 {
        let values: Vec<String> = (0..ODD.len())
            .map(|column| format!("'{row:02} of {column}'"))
            .collect();
        sql.run(&format!("INSERT INTO t VALUES ({})", values.join(", ")));
    }
    let key = [quote("; DROP TABLE t; --"), quote("a\"b"), quote("\\")];
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnNamesToPartitionBy": key,
            "partitionSize": {"maxRowsPerPartition": 10},
            "whereClauseCriteria": format!("{} <> 'none'", quote("o'clock")),
        }))
        .run(0);
    let names: Vec<String> = ODD.iter().map(|name| arrived(name)).collect();
    assert_eq!(columns_of(&done.sql, "T"), names);
    assert_eq!(
        done.sql.rows("SELECT * FROM T ORDER BY 1"),
        sql.rows("SELECT * FROM t ORDER BY 1")
    );
    assert_eq!(done.metadata.partitions(0), (5, 40));
}

/// A table each costs more than a column.
const ODD_TABLES: &[&str] = &[
    "a\"b.c; DROP TABLE t; --",
    "[x] {fn now()} back\\slash\\",
    "o'clock ünï 名前😀",
    "\"",
    "select",
    "MiXed",
    "?:a $1 $$ %s",
    "/* @stage/\t'",
];

#[test]
fn databases_schemas_and_tables_keep_their_odd_names() {
    let database = LocalRedshift::shared().database_named(&unique_name("Odd {d}\"=\\ 'b é"));
    let sql = database.sql();
    let mut migration = Migration::from(&database);
    let target_database = unique_name("Odd \"target\"; é");
    let schema = "Sch.e\"ma; [x]\\";
    sql.run(&format!("CREATE SCHEMA {}", quote(schema)));
    for (number, name) in ODD_TABLES.iter().enumerate() {
        let table = format!("{}.{}", quote(schema), quote(name));
        sql.run(&format!("CREATE TABLE {table} AS SELECT {number} AS a"));
        migration = migration.table(json!({
            "source": {"schemaName": quote(schema), "tableName": quote(name)},
            "target": {"databaseName": quote(&target_database), "schemaName": quote(schema), "tableName": quote(name)},
        }));
    }
    let done = migration.prepare(&[]).run(0);
    for (number, name) in ODD_TABLES.iter().enumerate() {
        let table = [target_database.as_str(), schema, name]
            .map(quote)
            .join(".");
        assert_eq!(
            done.sql.number(&format!("SELECT A FROM {table}")),
            number as i64,
            "{name}"
        );
    }
}

#[test]
fn names_that_differ_in_case_are_different_where_they_are_quoted() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for (name, value) in [("orders", 1), ("Orders", 2), ("ORDERS", 3)] {
        sql.run(&format!(
            "CREATE TABLE {} AS SELECT {value} AS a",
            quote(name)
        ));
    }
    let mut migration = Migration::from(&database);
    for (source, target) in [
        ("OrDeRs", "folded"),
        ("\"orders\"", "\"lower\""),
        ("\"Orders\"", "\"Mixed\""),
        ("\"ORDERS\"", "upper"),
    ] {
        migration = migration
            .table(json!({"source": {"tableName": source}, "target": {"tableName": target}}));
    }
    let done = migration.run(0);
    for (target, value) in [("FOLDED", 1), ("lower", 1), ("Mixed", 2), ("UPPER", 3)] {
        assert_eq!(
            done.sql.number(&format!("SELECT A FROM {}", quote(target))),
            value,
            "{target}"
        );
    }
}
