//! Targets of other types than the source's, wherever each value has an exact form there.

use crate::compared::{difference, values};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

/// A column of the source with two values, the type of the target's, and what is compared on both sides.
struct Way {
    source: &'static str,
    values: [&'static str; 2],
    target: &'static str,
    from: &'static str,
    to: &'static str,
    is_told: bool,
}

const fn way(
    source: &'static str,
    values: [&'static str; 2],
    target: &'static str,
    from: &'static str,
    is_told: bool,
) -> Way {
    Way {
        source,
        values,
        target,
        from,
        to: "{c}",
        is_told,
    }
}

const fn document(
    source: &'static str,
    values: [&'static str; 2],
    target: &'static str,
    from: &'static str,
    is_told: bool,
) -> Way {
    Way {
        to: "TO_JSON({c})",
        ..way(source, values, target, from, is_told)
    }
}

const WAYS: &[Way] = &[
    way(
        "varchar(60)",
        ["'007.50'", "'-9999999999999999999999999999.9999999999'"],
        "NUMBER(38,10)",
        "CAST({c} AS numeric(38,10))",
        true,
    ),
    way(
        "char(10)",
        ["'42'", "'-1'"],
        "NUMBER(5,0)",
        "CAST({c} AS numeric(5,0))",
        true,
    ),
    way(
        "text",
        ["'1e-3'", "'-Infinity'"],
        "FLOAT",
        "CAST({c} AS float8)",
        true,
    ),
    way(
        "varchar",
        ["'TRUE'", "'n'"],
        "BOOLEAN",
        "CAST({c} AS boolean)",
        true,
    ),
    way(
        "text",
        ["'0001-01-01'", "'9999-12-31'"],
        "DATE",
        "CAST({c} AS date)",
        true,
    ),
    way(
        "char(20)",
        ["'23:59:59.999999'", "'00:00:00'"],
        "TIME(6)",
        "CAST({c} AS time)",
        true,
    ),
    way(
        "text",
        ["'0001-01-01 00:00:00'", "'2024-02-29T23:59:59.123456'"],
        "TIMESTAMP_NTZ(9)",
        "CAST({c} AS timestamp)",
        true,
    ),
    way(
        "text",
        ["'2024-02-29 23:59:59.5-11'", "'2024-02-29 23:59:59+05:45'"],
        "TIMESTAMP_TZ(9)",
        "CAST({c} AS timestamptz)",
        true,
    ),
    document("text", ["'[1, null]'", "'\"a\"'"], "VARIANT", "{c}", true),
    document("text", ["'[1,null]'", "'[]'"], "ARRAY", "{c}", true),
    document(
        "jsonb",
        ["'[1]'", "'[]'"],
        "ARRAY",
        "CAST({c} AS text)",
        false,
    ),
    document(
        "json",
        ["'{\"a\":1}'", "'{}'"],
        "OBJECT",
        "CAST({c} AS text)",
        false,
    ),
    document(
        "integer[]",
        ["'{1,NULL}'", "'{{1},{2}}'"],
        "VARIANT",
        "to_json({c})",
        false,
    ),
    document(
        "bigint",
        ["9223372036854775807", "-1"],
        "VARIANT",
        "CAST({c} AS text)",
        false,
    ),
    document(
        "boolean",
        ["true", "false"],
        "VARIANT",
        "CAST({c} AS text)",
        false,
    ),
    way(
        "numeric",
        ["0.1", "'NaN'"],
        "FLOAT",
        "CAST({c} AS float8)",
        true,
    ),
    way(
        "timestamp",
        ["'2024-02-29'", "'0001-01-01'"],
        "DATE",
        "CAST({c} AS date)",
        false,
    ),
    way(
        "date",
        ["'2024-02-29'", "'9999-12-31'"],
        "TIMESTAMP_TZ(9)",
        "CAST({c} AS timestamp) AT TIME ZONE 'UTC'",
        true,
    ),
    way(
        "date",
        ["'2024-02-29'", "'0001-01-01'"],
        "TIMESTAMP_NTZ(0)",
        "CAST({c} AS timestamp)",
        false,
    ),
    way(
        "money",
        ["'1.25'", "'-0.01'"],
        "NUMBER(10,2)",
        "CAST({c} AS numeric)",
        false,
    ),
    way(
        "money",
        ["'1.25'", "'-1000'"],
        "VARCHAR",
        "CAST(CAST({c} AS numeric) AS text)",
        false,
    ),
];

#[test]
fn every_exact_way_into_a_target_of_another_type_is_taken() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let (mut source, mut target) = (Vec::new(), Vec::new());
    for (number, way) in WAYS.iter().enumerate() {
        source.push(format!("c{number} {}", way.source));
        target.push(format!("c{number} {}", way.target));
    }
    sql.run(&format!(
        "CREATE TABLE t (id integer, {})",
        source.join(", ")
    ));
    for row in 0..2 {
        let list: Vec<&str> = WAYS.iter().map(|way| way.values[row]).collect();
        sql.run(&format!(
            "INSERT INTO t VALUES ({row}, {})",
            list.join(", ")
        ));
    }
    sql.run("INSERT INTO t VALUES (2)");
    let ddl = format!("CREATE TABLE T (id NUMBER(38,0), {})", target.join(", "));
    let done = Migration::from(&database)
        .platform("postgresql")
        .prepare(&[&ddl])
        .whole("t")
        .run(0);
    let warnings = done.warnings_of("t");
    let mut wrong = Vec::new();
    for (number, way) in WAYS.iter().enumerate() {
        let name = format!("c{number}");
        let mut there = values(&sql, way.from, &name);
        let mut here = values(&done.sql, way.to, &name);
        if way.to != "{c}" {
            for text in there.iter_mut().chain(&mut here).flatten() {
                text.retain(|c| c != ' ');
            }
        }
        let what = format!("{} into {}", way.source, way.target);
        wrong.extend(difference(&what, &there, &here));
        if warnings.contains(&format!("column {name} ")) != way.is_told {
            wrong.push(format!("{what}: {warnings}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_mapping_without_an_exact_way_is_refused_before_anything_is_created() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (a bytea, b numeric(10,2), c text)");
    sql.run("INSERT INTO t VALUES ('x', 1, 'y')");
    let done = Migration::from(&database)
        .prepare(&[])
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnTypeMappings": [
                {"sourceType": "bytea", "targetType": "VARIANT"},
                {"sourceType": "DECIMAL(10,2)", "targetType": "DATE"},
                {"sourceType": "text", "targetType": "BINARY(10)"},
            ],
        }))
        .run(1);
    let error = done.metadata.table_errors().remove(0);
    for words in [
        "column a of type bytea",
        "VARIANT",
        "column b of type numeric(10,2)",
        "DATE",
        "column c of type text",
        "columnTypeMappings",
    ] {
        assert!(error.contains(words), "no {words} in {error}");
    }
    assert!(done.sql.try_run("DESCRIBE TABLE T").is_err());
}
