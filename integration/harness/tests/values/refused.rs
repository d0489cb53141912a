//! Values that the target's type cannot hold: their table fails and says why, and nothing of theirs is rounded, cut or
//! turned into something else; the other tables of the workflow arrive.

use crate::extremes::is_of_postgresql_alone;
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

/// A table `(id, v)` with a value that has no faithful form, and what its error must say.
struct Case {
    table: &'static str,
    source: &'static str,
    value: &'static str,
    /// The type of an existing target's column `V`; none: the target is created.
    target: Option<&'static str>,
    says: &'static [&'static str],
}

const fn case(
    table: &'static str,
    source: &'static str,
    value: &'static str,
    target: Option<&'static str>,
    says: &'static [&'static str],
) -> Case {
    Case {
        table,
        source,
        value,
        target,
        says,
    }
}

const CASES: &[Case] = &[
    case(
        "infinite_date",
        "date",
        "'infinity'",
        None,
        &["column v:", "the value infinity", "id = 77"],
    ),
    case(
        "infinite_timestamp",
        "timestamp",
        "'-infinity'",
        None,
        &["column v:", "the value -infinity", "id = 77"],
    ),
    case(
        "infinite_timestamptz",
        "timestamptz",
        "'infinity'",
        None,
        &["column v:", "the value infinity", "id = 77"],
    ),
    case(
        "before_christ",
        "date",
        "'0044-03-15 BC'",
        None,
        &["column v:", "0044-03-15 BC", "id = 77"],
    ),
    case(
        "timestamp_before_christ",
        "timestamp",
        "'0001-12-31 23:59:59.999999 BC'",
        None,
        &["column v:", "0001-12-31 23:59:59.999999 BC", "id = 77"],
    ),
    case(
        "year_10000",
        "timestamp",
        "'10000-01-01'",
        None,
        &["column v:", "10000-01-01", "id = 77"],
    ),
    case(
        "date_of_year_10000",
        "date",
        "'10000-01-01'",
        Some("DATE"),
        &["column v:", "10000-01-01", "id = 77"],
    ),
    case(
        "no_number",
        "numeric(10,2)",
        "'NaN'",
        None,
        &["column v:", "the value NaN"],
    ),
    case(
        "microsecond",
        "timestamp",
        "'2024-01-01 00:00:00.000001'",
        Some("TIMESTAMP_NTZ(3)"),
        &["column v:", "2024-01-01 00:00:00.000001", "3 digits"],
    ),
    case(
        "microsecond_of_day",
        "time",
        "'23:59:59.999999'",
        Some("TIME(0)"),
        &["column v:", "23:59:59.999999", "0 digits"],
    ),
    case(
        "end_of_day",
        "time",
        "'24:00:00'",
        None,
        &["column v:", "24:00:00"],
    ),
    case(
        "too_large",
        "numeric(10,0)",
        "12345",
        Some("NUMBER(4,0)"),
        &["column v:", "12345", "4 digits"],
    ),
    case(
        "too_fine",
        "numeric(10,2)",
        "1.25",
        Some("NUMBER(10,1)"),
        &["column v:", "1.25", "1 of them"],
    ),
    case(
        "numeric_beyond_38_digits",
        "numeric",
        "1e38",
        Some("NUMBER(38,0)"),
        &["column v:", "100000000000000000000000000000000000000"],
    ),
    case(
        "large_integer",
        "integer",
        "12345",
        Some("NUMBER(4,0)"),
        &["\"V\"", "12345"],
    ),
    case(
        "large_integer_with_scale",
        "bigint",
        "12345",
        Some("NUMBER(6,2)"),
        &["\"V\"", "12345"],
    ),
    case(
        "too_long",
        "varchar(20)",
        "'abcdef'",
        Some("VARCHAR(5)"),
        &["\"V\"", "abcdef"],
    ),
    case(
        "too_many_bytes",
        "bytea",
        "'\\x010203'",
        Some("BINARY(2)"),
        &["\"V\"", "is too long"],
    ),
    case(
        "missing",
        "integer",
        "NULL",
        Some("NUMBER(10,0) NOT NULL"),
        &["\"V\"", "NULL"],
    ),
    case(
        "time_of_day",
        "timestamp",
        "'2024-01-01 00:00:00.000001'",
        Some("DATE"),
        &["column v:", "2024-01-01 00:00:00.000001", "is not midnight"],
    ),
    case(
        "text_no_number",
        "varchar(20)",
        "'1,5'",
        Some("NUMBER(10,2)"),
        &["column v:", "1,5", "is not a decimal"],
    ),
    case(
        "text_too_fine",
        "text",
        "'1.005'",
        Some("NUMBER(10,2)"),
        &["column v:", "1.005", "2 of them"],
    ),
    case(
        "text_no_double",
        "text",
        "'1e400'",
        Some("FLOAT"),
        &["column v:", "1e400"],
    ),
    case(
        "numeric_no_double",
        "numeric",
        "1e400",
        Some("FLOAT"),
        &["column v:", "a double"],
    ),
    case(
        "text_no_date",
        "varchar(20)",
        "'01/02/2024'",
        Some("DATE"),
        &["column v:", "01/02/2024", "is not a date"],
    ),
    case(
        "text_date_outside",
        "text",
        "'0000-01-01'",
        Some("DATE"),
        &["column v:", "0000-01-01", "outside the years"],
    ),
    case(
        "text_no_time",
        "text",
        "'24:00:00'",
        Some("TIME(6)"),
        &["column v:", "24:00:00", "is not a time"],
    ),
    case(
        "text_no_timestamp",
        "text",
        "'2024-01-01'",
        Some("TIMESTAMP_NTZ(9)"),
        &["column v:", "2024-01-01", "is not a timestamp"],
    ),
    case(
        "text_no_offset",
        "text",
        "'2024-01-01 00:00:00'",
        Some("TIMESTAMP_TZ(9)"),
        &["column v:", "2024-01-01 00:00:00", "with offset"],
    ),
    case(
        "text_no_boolean",
        "text",
        "'maybe'",
        Some("BOOLEAN"),
        &["column v:", "maybe", "is not a boolean"],
    ),
    case(
        "text_no_json",
        "text",
        "''",
        Some("VARIANT"),
        &["column v:", "is not a JSON"],
    ),
    case(
        "json_no_array",
        "json",
        "'{\"a\": 1}'",
        Some("ARRAY"),
        &["column v:", "is not a JSON array"],
    ),
    case(
        "json_no_object",
        "jsonb",
        "'null'",
        Some("OBJECT"),
        &["column v:", "is not a JSON object"],
    ),
];

#[test]
fn a_value_that_cannot_be_fails_its_table_with_column_value_and_remedy_and_no_other() {
    for platform in ["redshift", "postgresql"] {
        let is_its_own =
            |case: &&Case| is_of_postgresql_alone(case.source) == (platform == "postgresql");
        assert_refused(
            platform,
            &CASES.iter().filter(is_its_own).collect::<Vec<_>>(),
        );
    }
}

fn assert_refused(platform: &'static str, cases: &[&Case]) {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let mut migration = Migration::from(&database)
        .platform(platform)
        .whole("good_first");
    let mut targets = Vec::new();
    for name in ["good_first", "good_last"] {
        sql.run(&format!(
            "CREATE TABLE {name} AS SELECT n AS id, 'row ' || n AS v FROM generate_series(1, 500) n"
        ));
    }
    for case in cases {
        let table = case.table;
        sql.run(&format!(
            "CREATE TABLE {table} (id integer, v {})",
            case.source
        ));
        sql.run(&format!("INSERT INTO {table} VALUES (77, {})", case.value));
        if let Some(target) = case.target {
            targets.push(format!(
                "CREATE TABLE {table} (ID NUMBER(10,0), V {target})"
            ));
        }
        migration = migration.table(json!({
            "source": {"tableName": table},
            "target": {"tableName": table},
            "columnNamesToPartitionBy": ["id"],
        }));
    }
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let done = migration.whole("good_last").prepare(&targets).run(1);
    let mut wrong = Vec::new();
    for case in cases {
        let error = done.errors_of(case.table);
        for words in case.says.iter().chain(&["whereClauseCriteria"]) {
            if !error.contains(words) {
                wrong.push(format!("{}: no {words} in: {error}", case.table));
            }
        }
        let loaded = done
            .sql
            .number(&format!("SELECT COUNT(*) FROM {}", case.table));
        if loaded != 0 {
            wrong.push(format!("{}: {loaded} rows were loaded", case.table));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for name in ["good_first", "good_last"] {
        let rows = "SELECT COUNT(*), COUNT(DISTINCT id), MIN(v), MAX(v) FROM";
        assert_eq!(
            done.sql.rows(&format!("{rows} {name}")),
            sql.rows(&format!("{rows} {name}"))
        );
        assert_eq!(done.errors_of(name), "");
    }
}

#[test]
fn what_was_refused_arrives_when_the_user_does_what_the_error_says() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE mapped (id integer, v timestamp, d date, n numeric(10,2))");
    sql.run("INSERT INTO mapped VALUES (1, 'infinity', '-infinity', 'NaN'), (2, '12345-01-01', '0044-03-15 BC', 1.50), (3, NULL, NULL, NULL)");
    sql.run("CREATE TABLE left_out AS SELECT id, v FROM mapped");
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "mapped"},
            "target": {"tableName": "mapped"},
            "columnTypeMappings": [
                {"sourceType": "timestamp without time zone", "targetType": "VARCHAR"},
                {"sourceType": "DATE", "targetType": "VARCHAR(40)"},
                {"sourceType": "Decimal", "targetType": "VARCHAR(40)"},
            ],
        }))
        .table(json!({
            "source": {"tableName": "left_out"},
            "target": {"tableName": "left_out"},
            "whereClauseCriteria": "v <> 'infinity' AND v < '10000-01-01' OR v IS NULL",
        }))
        .run(0);
    let texts = "SELECT id, CAST(v AS varchar), CAST(d AS varchar), CAST(n AS varchar) FROM mapped ORDER BY id";
    assert_eq!(
        done.sql.rows("SELECT * FROM MAPPED ORDER BY ID"),
        sql.rows(texts)
    );
    assert_eq!(
        done.sql.rows("SELECT * FROM LEFT_OUT"),
        [[Some("3".to_owned()), None]]
    );
}

#[test]
fn a_refused_row_fails_its_partition_alone() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id, timestamp '2024-01-01' + n * interval '1 day' AS v FROM generate_series(1, 1000) n");
    sql.run("UPDATE t SET v = 'infinity' WHERE id = 555");
    sql.run("ANALYZE t");
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnNamesToPartitionBy": ["id"],
            "partitionSize": {"maxRowsPerPartition": 100},
        }))
        .run(1);
    let errors = done.errors_of("t");
    assert!(errors.contains("id = 555"), "{errors}");
    assert_eq!(done.metadata.partitions_in("FAILED"), 1);
    assert_eq!(done.sql.number("SELECT COUNT(*) FROM T"), 900);
    assert_eq!(
        done.sql
            .number("SELECT COUNT(*) FROM T WHERE ID BETWEEN 501 AND 600"),
        0
    );
}
