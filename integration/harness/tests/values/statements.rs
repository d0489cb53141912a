//! Every statement is read by a parser that shares nothing with this project, for what a forgiving local server lets
//! through.

use crate::compared::source;
use crate::extremes::columns_of;
use crate::partitions::tables;
use crate::postgres;
use crate::types::MOOD;
use serde_json::json;
use snowhaul::domain::table::{
    DateUnit, KeyColumn, KeyKind, KeyRange, Platform, QueryModifiers, SourceColumn, TableRef,
    WrittenName,
};
use snowhaul::plan::ranges;
use snowhaul::platform::{self, Isolation, Scope, TransactionSettings, Window};
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migration, unparsed};
use std::time::Duration;

#[test]
fn a_parser_understands_every_statement_that_a_migration_sends_to_snowflake() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE good AS SELECT n AS id, date '2024-01-01' + n AS d, 'x' AS \"T;\"\"ext\", '{}'::json AS j, 1.5::numeric(10,2) AS n, now() AS z, 'a'::bytea AS b, time '12:00' AS t FROM generate_series(1, 300) n");
    sql.run("CREATE TABLE bad AS SELECT 'too long' AS v");
    let (good, created) = (
        json!({"tableName": "good"}),
        json!({"tableName": "created"}),
    );
    let done = Migration::from(&database)
        .prepare(&["CREATE TABLE GOOD (ID NUMBER(38,2), D VARCHAR, \"T;\"\"ext\" VARCHAR, J VARIANT, N VARCHAR, Z TIMESTAMP_NTZ, B VARCHAR, T TIME(3))", "CREATE TABLE BAD (V VARCHAR(3))"])
        .table(json!({"source": good, "target": good, "columnNamesToPartitionBy": ["id"], "partitionSize": {"maxRowsPerPartition": 100}}))
        .table(json!({"source": good, "target": {"databaseName": "\"A ; b\"", "schemaName": "new", "tableName": "created"}}))
        .table(json!({"source": good, "target": created}))
        .whole("bad")
        .run(1);
    let of_snowhaul = |entry: &serde_json::Value| {
        entry["tag"]
            .as_str()
            .is_some_and(|tag| tag.contains("snowhaul"))
    };
    let statements: Vec<String> = LocalSnowflake::shared()
        .statements()
        .iter()
        .filter(|entry| of_snowhaul(entry))
        .filter_map(|entry| entry["sql"].as_str())
        // The parser reads what is explained.
        .map(|sql| sql.strip_prefix("EXPLAIN ").unwrap_or(sql).to_owned())
        .collect();
    for word in [
        "CREATE HYBRID TABLE",
        "COPY INTO",
        "PUT ",
        "REMOVE ",
        "UPDATE ",
        "INSERT ",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "CREATE SCHEMA",
        &done.target,
    ] {
        assert!(statements.iter().any(|sql| sql.contains(word)), "no {word}");
    }
    let wrong = unparsed("snowflake", &statements);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_parser_understands_every_statement_of_a_migration_of_all_types_on_both_sides() {
    for (platform, dialect, is_postgresqls_own) in [
        ("redshift", "redshift", false),
        ("postgresql", "postgres", false),
        ("postgresql", "postgres", true),
    ] {
        let database = LocalRedshift::shared().database();
        if is_postgresqls_own {
            source(&database, postgres::TYPES, postgres::COLUMNS);
        } else {
            source(&database, &[MOOD], &columns_of(platform));
        }
        let sql = database.sql();
        sql.run("COMMENT ON TABLE t IS E'it''s; \\\\ -- \\n'");
        sql.run("COMMENT ON COLUMN t.id IS E'\\\\''\"'");
        let migration = Migration::from(&database).platform(platform);
        let migration = migration.table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnNamesToPartitionBy": ["id"],
            "partitionSize": {"maxRowsPerPartition": 2},
            "whereClauseCriteria": "id >= 0 -- all",
        }));
        let mut target = String::new();
        let sent = database.statements_of(|| target = migration.run(0).target);
        // The driver's own are in lower case; sqlglot does not read SET.
        let ours = ["SELECT ", "WITH "];
        let queries: Vec<String> = sent
            .into_iter()
            .filter(|sql| ours.iter().any(|word| sql.starts_with(word)))
            .collect();
        for words in ["pg_attribute", "ntile(", "octet_length(", "AS c0"] {
            assert!(
                queries.iter().any(|sql| sql.contains(words)),
                "no {words} in {queries:#?}"
            );
        }
        let wrong = unparsed(dialect, &queries);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let loads: Vec<String> = LocalSnowflake::shared()
            .statements()
            .iter()
            .filter_map(|entry| entry["sql"].as_str())
            // The parser reads what is explained.
            .map(|sql| sql.strip_prefix("EXPLAIN ").unwrap_or(sql).to_owned())
            .filter(|sql| sql.contains(&target) && !sql.starts_with("CREATE DATABASE"))
            .collect();
        for words in ["CREATE TABLE IF NOT EXISTS", "COPY INTO", "COMMENT = "] {
            assert!(loads.iter().any(|sql| sql.contains(words)), "no {words}");
        }
        let wrong = unparsed("snowflake", &loads);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// Types of Redshift's own too, which the local one lacks.
const TYPES: &[(&str, Option<u32>, Option<i32>)] = &[
    ("int2", None, None),
    ("int8", None, None),
    ("numeric", Some(38), Some(37)),
    ("numeric", Some(18), Some(0)),
    ("float4", None, None),
    ("float8", None, None),
    ("bool", None, None),
    ("bpchar", Some(4096), None),
    ("varchar", Some(65535), None),
    ("date", None, None),
    ("timestamp", None, None),
    ("timestamptz", None, None),
    ("time", None, None),
    ("timetz", None, None),
    ("interval", None, None),
    ("intervaly2m", None, None),
    ("intervald2s", None, None),
    ("super", None, None),
    ("varbyte", Some(100), None),
    ("geometry", None, None),
    ("hllsketch", None, None),
];

#[test]
fn a_parser_understands_every_statement_that_the_dialect_makes_for_redshift() {
    understood(Platform::Redshift, "redshift");
}

#[test]
fn a_parser_understands_every_statement_that_the_dialect_makes_for_postgresql() {
    understood(Platform::Postgresql, "postgres");
}

fn understood(platform: Platform, parser: &str) {
    let dialect = platform::source(platform).unwrap();
    let part = |text: &str| WrittenName(text.to_owned());
    let mut statements: Vec<String> = Vec::new();
    for isolation in [Isolation::EachStatement, Isolation::OneSnapshot] {
        let opening = dialect.opening(&TransactionSettings {
            isolation,
            statement_timeout: Some(Duration::from_secs(60)),
            ..TransactionSettings::default()
        });
        statements.extend(opening.statements);
        statements.extend([opening.settings, opening.identity]);
    }
    for name in ["orders", "\"My; \"\"Table\"\" \\ 'x' -- y\""] {
        let table = TableRef {
            database: part("d"),
            schema: part(name),
            table: part(name),
        };
        statements.push(dialect.columns(&table).sql);
        let modifiers = QueryModifiers::default();
        statements.extend(
            dialect
                .estimates(&Scope {
                    table: &table,
                    key: &[],
                    range: &KeyRange::Everything,
                    window: None,
                    where_clause: Some("a > 1 -- or more"),
                    modifiers: &modifiers,
                })
                .into_iter()
                .map(|query| query.sql),
        );
        statements.push(dialect.constraints(&table).sql);
        statements.extend(dialect.running_transactions().map(|query| query.sql));
        let columns: Vec<SourceColumn> = TYPES
            .iter()
            .enumerate()
            .map(
                |(index, (type_name, length_or_precision, scale))| SourceColumn {
                    name: format!("c; \"{index}\" \\"),
                    type_name: (*type_name).to_owned(),
                    length_or_precision: *length_or_precision,
                    scale: *scale,
                    nullable: true,
                    ..SourceColumn::default()
                },
            )
            .collect();
        let mut aggregates = dialect.checksum_aggregates(&columns);
        aggregates.push(dialect.counted_aggregate("sum(a) -- mine"));
        let aggregates: Vec<&str> = aggregates.iter().map(String::as_str).collect();
        let columns: Vec<_> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| dialect.plan_column(column, index, None).plan)
            .collect();
        let expressions: Vec<&str> = columns
            .iter()
            .map(|column| column.expression.as_str())
            .collect();
        for keys in tables() {
            let key: Vec<KeyColumn> = keys
                .key
                .iter()
                .map(|(name, kind)| KeyColumn {
                    name: format!("{name} \"k\""),
                    kind: *kind,
                    nullable: true,
                    // In some of the tables.
                    bytewise: kind.is_text() && keys.name.contains("pair"),
                })
                .collect();
            let value = |kind: KeyKind, low: bool| match (kind, low) {
                (KeyKind::Integer | KeyKind::Decimal, true) => "-12",
                (KeyKind::Integer | KeyKind::Decimal, false) => "345.50",
                (KeyKind::Date, true) => "0001-01-01",
                (KeyKind::Date, false) => "9999-12-31",
                (KeyKind::Timestamp | KeyKind::DateTime, _) => "2024-01-01 00:00:00.000001",
                (KeyKind::TimestampTz, _) => "2024-01-01 00:00:00.000001+00",
                (KeyKind::Float, true) => "-Infinity",
                (KeyKind::Float, false) => "NaN",
                (KeyKind::Time, _) => "12:34:56.000001",
                (KeyKind::Boolean, low) => ["true", "false"][usize::from(low)],
                (KeyKind::Binary, _) => "00FF",
                (KeyKind::Uuid | KeyKind::Guid, _) => "0b3e9f36-2f3e-4f4e-8f5e-6f7e8f9e0f1e",
                (KeyKind::Text | KeyKind::PaddedText | KeyKind::PageText, true) => "it's \\ -- ?",
                (KeyKind::Text | KeyKind::PaddedText | KeyKind::PageText, false) => "é😀\"",
            };
            let bound = |low: bool| {
                key.iter()
                    .map(|column| value(column.kind, low).to_owned())
                    .collect()
            };
            let mut all = ranges(&key, &[bound(true), bound(false)]);
            all.push(KeyRange::Everything);
            for predicate in [
                None,
                Some("a > 1 -- or more"),
                Some("b LIKE '%;%' OR c IS NULL"),
            ] {
                let modifiers = QueryModifiers {
                    object: predicate.map(|_| " AS t".to_owned()),
                    select: predicate.map(|_| "ALL".to_owned()),
                    ..QueryModifiers::default()
                };
                let watermark = KeyColumn {
                    name: "at".to_owned(),
                    kind: KeyKind::Timestamp,
                    nullable: true,
                    bytewise: false,
                };
                let window = predicate.map(|_| Window {
                    column: &watermark,
                    after: Some("2024-01-01 00:00:00"),
                    upto: Some("2024-01-02 00:00:00"),
                    with_nulls: false,
                });
                let scope = |range| Scope {
                    table: &table,
                    key: &key,
                    range,
                    window,
                    where_clause: predicate,
                    modifiers: &modifiers,
                };
                let everything = scope(&KeyRange::Everything);
                statements.push(dialect.boundaries(&everything, 7, None).sql);
                statements.push(dialect.boundaries(&everything, 7, Some(0.05)).sql);
                for unit in [DateUnit::Year, DateUnit::Month, DateUnit::Day] {
                    for kind in [KeyKind::Date, KeyKind::Timestamp, KeyKind::TimestampTz] {
                        let dated = KeyColumn {
                            kind,
                            ..watermark.clone()
                        };
                        statements.push(dialect.date_units(&everything, &dated, unit).sql);
                        let inside = dialect.unit_boundaries(&everything, &dated, unit, 9);
                        statements.push(inside.sql);
                    }
                }
                statements.extend(
                    dialect
                        .estimates(&everything)
                        .into_iter()
                        .map(|query| query.sql),
                );
                statements.push(dialect.maximum(&everything, &watermark).sql);
                statements.push(dialect.any_row(&everything).sql);
                let summary = dialect.partition_summary(
                    &everything,
                    &ranges(&key, &[bound(true), bound(false)]),
                    &aggregates,
                );
                statements.extend(summary.before.map(str::to_owned));
                statements.push(summary.query.sql);
                statements.extend(summary.after.map(str::to_owned));
                for aggregate in &aggregates {
                    statements.push(dialect.aggregate(&everything, aggregate).sql);
                    statements.push(dialect.count(&everything).sql);
                }
                for range in &all {
                    for encoding in ["UTF8", "LATIN1"] {
                        let longest = dialect.longest(&scope(range), &expressions, encoding);
                        statements.push(longest.sql);
                    }
                    let bytes = dialect.row_with_bytes(&scope(range), expressions[0], "e9");
                    statements.extend(bytes.map(|query| query.sql));
                    for type_name in ["date", "timestamp", "timestamptz"] {
                        let at = SourceColumn {
                            name: "at; \"x\"".to_owned(),
                            type_name: type_name.to_owned(),
                            ..SourceColumn::default()
                        };
                        let at = dialect.plan_column(&at, 0, None).plan;
                        let outside = dialect.row_outside_years(&scope(range), &at);
                        statements.extend(outside.map(|query| query.sql));
                    }
                    statements.push(dialect.extraction(&scope(range), &columns));
                }
            }
        }
    }
    statements.sort();
    statements.dedup();
    let wrong = unparsed(parser, &statements);
    assert!(
        wrong.is_empty(),
        "{} of {}\n{}",
        wrong.len(),
        statements.len(),
        wrong[..wrong.len().min(3)].join("\n")
    );
}

#[test]
fn the_parser_refuses_what_is_no_statement() {
    let wrong = [
        "SELECT a b c FROM t",
        "SELECT 1; SELECT 2",
        "SELECT 'x",
        "CREATE HYBRID TABEL t (a INT)",
        "REMOVE @\"S\"; DROP",
    ];
    assert_eq!(unparsed("snowflake", &wrong).len(), wrong.len());
    assert_eq!(
        unparsed("redshift", &["SELECT 1 FROM \"t\" WHERE"]).len(),
        1
    );
}
