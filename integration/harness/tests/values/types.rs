//! Every type by its extremes, into created targets and into targets that exist: both sides are read by their own
//! drivers and compared.

use crate::compared::{assert_created, difference, reading_like_the_worker, source, values};
use crate::extremes::{TEXT, columns_of};
use snowhaul_integration::{LocalRedshift, Migration};

pub const MOOD: &str = "CREATE TYPE mood AS ENUM ('sad; \"or\" not', 'glad')";

#[test]
fn every_type_arrives_by_value_in_a_created_target() {
    for platform in ["redshift", "postgresql"] {
        let columns = columns_of(platform);
        let database = LocalRedshift::shared().database();
        source(&database, &[MOOD], &columns);
        let done = Migration::from(&database)
            .platform(platform)
            .whole("t")
            .run(0);
        assert_created(&database, &done, &columns);
        let warnings = done.warnings_of("t");
        let has = |name: &&&str| columns.iter().any(|column| column.name == **name);
        for column in ["c_numeric", "c_inet"].iter().filter(has) {
            assert!(warnings.contains(&format!("column {column}")), "{warnings}");
        }
        for column in ["c_uuid", "c_enum", "c_array", "c_json"] {
            assert!(!warnings.contains(column), "{warnings}");
        }
        assert_eq!(
            done.columns("T")[0],
            ("ID".to_owned(), "NUMBER(10,0)".to_owned())
        );
    }
}

/// Target types that are not the default, and what is compared then: the column, its target type, source's expression,
/// target's expression.
const EXISTING: &[(&str, &str, &str, &str)] = &[
    (
        "c_smallint",
        "NUMBER(38,5)",
        "CAST({c} AS numeric(38,5))",
        "{c}",
    ),
    ("c_integer", "VARCHAR", TEXT, "{c}"),
    ("c_bigint", "VARCHAR(20)", TEXT, "{c}"),
    ("c_whole", "NUMBER(38,0)", "{c}", "{c}"),
    ("c_fraction", "VARCHAR(60)", TEXT, "{c}"),
    (
        "c_money",
        "NUMBER(38,10)",
        "CAST({c} AS numeric(38,10))",
        "{c}",
    ),
    ("c_real", "VARCHAR", TEXT, "{c}"),
    ("c_double", "VARCHAR(40)", TEXT, "{c}"),
    ("c_boolean", "VARCHAR(5)", TEXT, "{c}"),
    ("c_date", "VARCHAR(10)", TEXT, "{c}"),
    ("c_timestamp", "VARCHAR", TEXT, "{c}"),
    ("c_timestamptz", "TIMESTAMP_LTZ(9)", "{c}", "{c}"),
    ("c_time", "VARCHAR", TEXT, "{c}"),
    ("c_timetz", "VARCHAR(100)", TEXT, "{c}"),
    ("c_interval", "VARCHAR(100)", TEXT, "{c}"),
    ("c_char", "VARCHAR", "{c}", "{c}"),
    ("c_varchar", "VARCHAR(16777216)", "{c}", "{c}"),
    ("c_text", "VARCHAR(100000)", "{c}", "{c}"),
    ("c_bytea", "VARCHAR", "encode({c}, 'hex')", "{c}"),
    ("c_json", "VARCHAR", TEXT, "{c}"),
    ("c_jsonb", "VARCHAR", TEXT, "{c}"),
    ("c_uuid", "VARCHAR(36)", TEXT, "{c}"),
    ("c_inet", "VARCHAR(50)", TEXT, "{c}"),
    ("c_enum", "VARCHAR(50)", TEXT, "{c}"),
    ("c_array", "VARCHAR", TEXT, "{c}"),
    ("c_numeric", "VARCHAR(100)", TEXT, "{c}"),
    ("c_longest", "VARCHAR(65535)", "{c}", "{c}"),
];

#[test]
fn every_type_arrives_by_value_in_a_target_that_decides_the_types() {
    for platform in ["redshift", "postgresql"] {
        every_type_arrives_where_the_target_decides(platform);
    }
}

fn every_type_arrives_where_the_target_decides(platform: &'static str) {
    let there = columns_of(platform);
    let database = LocalRedshift::shared().database();
    source(&database, &[MOOD], &there);
    let has = |name: &str| there.iter().any(|column| column.name == name);
    let existing: Vec<_> = EXISTING.iter().filter(|(name, ..)| has(name)).collect();
    // Another order than the source's, and columns that no source column fills.
    let mut columns: Vec<String> = existing
        .iter()
        .rev()
        .map(|(name, kind, ..)| format!("{name} {kind}"))
        .collect();
    columns.insert(3, "extra_date DATE".to_owned());
    columns.push("extra_default NUMBER(3,0) DEFAULT 7".to_owned());
    let ddl = format!(
        "CREATE TABLE T ({}, id NUMBER(38,0) NOT NULL)",
        columns.join(", ")
    );
    let done = Migration::from(&database)
        .platform(platform)
        .prepare(&[&ddl])
        .whole("t")
        .run(0);
    let sql = reading_like_the_worker(&database);
    let wrong: Vec<String> = existing
        .iter()
        .filter_map(|(name, _, from, to)| {
            difference(
                name,
                &values(&sql, from, name),
                &values(&done.sql, to, name),
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rows = sql.number("SELECT COUNT(*) FROM t");
    let unfilled = "SELECT COUNT(*) FROM T WHERE extra_date IS NULL AND extra_default = 7";
    assert_eq!(done.sql.number(unfilled), rows);
}

#[test]
fn narrower_targets_take_the_values_that_fit_exactly() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id integer, c_numeric numeric, c_timestamp timestamp, c_time time, c_date date, c_bigint bigint, c_integer integer, c_timestamptz timestamptz, c_plain timestamp)");
    sql.run("INSERT INTO t VALUES (1, 1234567890123456789012345678.0123456789, '1969-12-31 23:59:59.999', '23:59:59.999', '0001-01-01', 9999, -2147483648, '1999-12-31 23:59:59.5+00', '9999-12-31 23:59:59.999999'), (2, -0.0000000001, '9999-12-31 23:59:59.001', '00:00:00', '9999-12-31', -9999, 16777217, '0001-01-01 00:00:00+00', '1969-12-31 23:59:59.999999'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (4, 1.50, '2024-01-01', '12:00:00.1', '1970-01-01', 0, 0, '2024-01-01 00:00:00+09', '0001-01-01')");
    let ddl = "CREATE TABLE T (c_plain TIMESTAMP_TZ(9), id NUMBER(3,0), c_numeric NUMBER(38,10), c_timestamp TIMESTAMP_NTZ(3), c_time TIME(3), c_date TIMESTAMP_NTZ(0), c_bigint NUMBER(4,0), c_integer FLOAT, c_timestamptz TIMESTAMP_NTZ(3))";
    let done = Migration::from(&database).prepare(&[ddl]).whole("t").run(0);
    let wrong: Vec<String> = [
        ("c_numeric", "CAST({c} AS numeric(38,10))"),
        ("c_timestamp", "{c}"),
        ("c_time", "{c}"),
        ("c_date", "CAST({c} AS timestamp)"),
        ("c_bigint", "{c}"),
        ("c_integer", "CAST({c} AS double precision)"),
        ("c_timestamptz", "{c} AT TIME ZONE 'UTC'"),
        ("c_plain", "{c} AT TIME ZONE 'UTC'"),
    ]
    .iter()
    .filter_map(|(name, from)| {
        difference(
            name,
            &values(&sql, from, name),
            &values(&done.sql, "{c}", name),
        )
    })
    .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let warnings = done.warnings_of("t");
    for column in ["c_timestamptz", "c_plain"] {
        assert!(warnings.contains(&format!("column {column}")), "{warnings}");
    }
}
