//! Partitions at units of the calendar: disjoint, complete, and each row once.

use serde_json::{Value, json};
use snowhaul_integration::{Database, LocalRedshift, Migrated, Migration};

const COLUMNS: &str = "id, d, t, z, v";

/// Every fifteenth day of more than two years with holes, a day with very many rows, times at both ends of units, and NULL.
fn source(database: &Database<'_>, table: &str) {
    let sql = database.sql();
    for statement in [
        format!(
            "CREATE TABLE {table} (id integer, d date, t timestamp, z timestamptz, v varchar(20))"
        ),
        format!(
            "INSERT INTO {table} SELECT n, date '2022-11-20' + n * 15, timestamp '2022-11-20 23:59:59.999999' + n * interval '15 days', \
             timestamptz '2022-11-20 23:59:59.999999+00' + n * interval '15 days', 'v' || n FROM generate_series(1, 54) n WHERE n % 20 < 14"
        ),
        format!(
            "INSERT INTO {table} SELECT 10000 + n, '2024-02-29', '2024-02-29 12:00', '2024-02-29 12:00+00', 'leap' FROM generate_series(1, 300) n"
        ),
        format!(
            "INSERT INTO {table} VALUES (1, '2023-01-01', '2023-01-01', '2023-01-01 00:00+00', 'first'), (NULL, '2023-01-01', '2023-01-01', '2023-01-01 00:00+00', 'no id')"
        ),
        format!(
            "INSERT INTO {table} VALUES (2, NULL, NULL, NULL, 'no date'), (NULL, NULL, NULL, NULL, NULL)"
        ),
        format!("ANALYZE {table}"),
    ] {
        sql.run(&statement);
    }
}

fn entry(table: &str, target: &str, key: &Value, unit: &str, more: &Value) -> Value {
    let mut entry = json!({"source": {"tableName": table}, "target": {"tableName": target}, "columnNamesToPartitionBy": key, "partitionByDate": unit});
    for (key, value) in more.as_object().into_iter().flatten() {
        entry[key] = value.clone();
    }
    entry
}

fn assert_same(database: &Database<'_>, done: &Migrated, table: &str, target: &str) {
    let order = "ORDER BY 1 NULLS LAST, 5 NULLS LAST";
    let text = |t: &str, z: &str| format!("CAST(id AS varchar), CAST(d AS varchar), {t}, {z}, v");
    let sql = database.sql();
    sql.run("SET TIME ZONE 'UTC'");
    let there = sql.rows(&format!(
        "SELECT {} FROM {table} {order}",
        text(
            "to_char(t, 'YYYY-MM-DD HH24:MI:SS.US')",
            "to_char(z, 'YYYY-MM-DD HH24:MI:SS.US')"
        )
    ));
    let here = done.sql.rows(&format!(
        "SELECT {} FROM {target} {order}",
        text(
            "TO_CHAR(t, 'YYYY-MM-DD HH24:MI:SS.FF6')",
            "TO_CHAR(CONVERT_TIMEZONE('UTC', z), 'YYYY-MM-DD HH24:MI:SS.FF6')"
        )
    ));
    let different = there.iter().zip(&here).find(|(a, b)| a != b);
    assert_eq!(different, None, "{COLUMNS} of {target}");
    assert_eq!(there.len(), here.len(), "{target}");
}

/// The lower bounds of the partitions of a table of the workflow.
fn bounds(done: &Migrated, table_no: usize) -> Vec<String> {
    let ranges = done.metadata.key_ranges(table_no);
    let lower = |range: String| {
        let range: Value = serde_json::from_str(&range).ok()?;
        let bound = range["lower"].as_array()?.iter().filter_map(Value::as_str);
        Some(bound.collect::<Vec<_>>().join(" "))
    };
    ranges.into_iter().filter_map(lower).collect()
}

#[test]
fn a_table_is_cut_where_units_of_the_calendar_begin() {
    let database = LocalRedshift::shared().database();
    for platform in ["redshift", "postgresql"] {
        let table = format!("of_{platform}");
        source(&database, &table);
        let sized = json!({"targetPartitionSizeRows": 40});
        let cases = [
            ("by_year", json!(["d"]), "year", json!({})),
            ("by_month", json!(["t"]), "month", json!({})),
            ("by_day", json!(["z"]), "day", json!({})),
            // Inside of units, by what stands behind the date in the key, wherever the date stands.
            ("sized", json!(["id", "d"]), "month", sized.clone()),
            ("one_value", json!(["d"]), "month", sized),
            (
                "capped",
                json!(["d", "id"]),
                "year",
                json!({"maxPartitionSizeRows": 100}),
            ),
        ];
        let mut migration = Migration::from(&database).platform(platform);
        for (target, key, unit, more) in &cases {
            migration = migration.table(entry(&table, target, key, unit, more));
        }
        let done = migration.run(0);
        for (target, ..) in &cases {
            assert_same(&database, &done, &table, target);
        }
        assert_eq!(bounds(&done, 0), ["2023-01-01", "2024-01-01", "2025-01-01"]);
        let months = bounds(&done, 1);
        assert!(
            months
                .iter()
                .all(|first| first[7..].starts_with("-01 00:00:00")),
            "{months:?}"
        );
        // A month without rows has no partition, and the first one has no lower bound.
        let all = format!("SELECT count(DISTINCT date_trunc('month', t)) FROM {table}");
        assert_eq!(months.len() as i64 + 1, database.sql().number(&all));
        let days = bounds(&done, 2);
        assert!(
            days.iter().all(|first| first.contains(" 00:00:00")),
            "{days:?}"
        );
        let (partitions, rows) = done.metadata.partitions(3);
        // 300 rows of one day are divided by their ids, months are not.
        assert!(partitions > months.len() as i64 + 6, "{partitions}");
        assert_eq!(
            rows,
            database
                .sql()
                .number(&format!("SELECT count(*) FROM {table}"))
        );
        assert!(
            bounds(&done, 3)
                .iter()
                .any(|bound| bound.starts_with("2024-02-29 10")),
            "{:?}",
            bounds(&done, 3)
        );
        let warnings = done.warnings_of(&table);
        assert!(
            warnings.contains("d = 2024-02-29 stands in about"),
            "{warnings}"
        );
        assert!(done.metadata.partitions(5).0 > 6, "{:?}", bounds(&done, 5));
    }
}

#[test]
fn rows_of_a_new_month_get_a_partition_of_their_own() {
    let database = LocalRedshift::shared().database();
    source(&database, "growing");
    let sql = database.sql();
    let checksum = json!({"synchronization": {"strategy": "checksum"}});
    let migration = Migration::from(&database)
        .platform("postgresql")
        .table(entry(
            "growing",
            "growing",
            &json!(["d", "id"]),
            "month",
            &checksum,
        ));
    let done = migration.run(0);
    let before = bounds(&done, 0).len();
    sql.run("INSERT INTO growing SELECT 5000 + n, date '2025-03-10' + n, '2025-03-10', '2025-03-10 00:00+00', 'later' FROM generate_series(1, 60) n");
    sql.run("UPDATE growing SET v = 'changed' WHERE d = '2024-02-29' AND id % 2 = 0");
    let migration = migration.again();
    let done = migration.run(0);
    assert_same(&database, &done, "growing", "growing");
    let after = done.moved();
    // February 2024 and the last partition, which is cut at March, April and May.
    let moved = after
        .1
        .iter()
        .find(|(phase, _)| phase == "LOADED")
        .map(|(_, num)| *num);
    assert!(moved.is_some_and(|num| (2..=6).contains(&num)), "{after:?}");
    let bounds = done.metadata.synchronized_ranges();
    let text = format!("{bounds:?}");
    for month in ["2025-04-01", "2025-05-01"] {
        assert!(text.contains(month), "{before}: {text}");
    }
    // Nothing has changed: nothing moves.
    let done = migration.again().run(0);
    assert_eq!(done.moved().0, 0, "{:?}", done.moved());
    assert_same(&database, &done, "growing", "growing");
}

#[test]
fn a_key_without_one_date_is_refused() {
    let database = LocalRedshift::shared().database();
    source(&database, "t");
    let cases = [
        (
            "none",
            json!(["id"]),
            "no column in columnNamesToPartitionBy is a date or a timestamp",
        ),
        ("two", json!(["d", "t"]), "d and t are dates; keep one"),
    ];
    let mut migration = Migration::from(&database).prepare(&[]);
    for (target, key, _) in &cases {
        migration = migration.table(entry("t", target, key, "month", &json!({})));
    }
    let done = migration.run(1);
    let errors = format!("{:?}", done.metadata.errors());
    for (_, _, why) in cases {
        assert!(errors.contains(why), "{errors}");
    }
}
