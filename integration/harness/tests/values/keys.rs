//! Keys: found where nobody names one, and of every kind; ranges and buckets mean the same rows.

use crate::analysis::{
    PLATFORMS, aggregate, analyze, by_checksum, dialect, settings, spec, table_ref, try_analyze,
};
use crate::partitions::{ROWS, fill, prepare, tables};
use snowhaul::domain::analysis::TableAnalysis;
use snowhaul::domain::spec::{Sampling, Synchronization, TableSpec};
use snowhaul::domain::table::{KeyRange, Platform, QueryModifiers};
use snowhaul::platform::Scope;
use snowhaul::source::infer_keys;
use snowhaul_integration::{LocalRedshift, Sql};

const ROWS_OF_A_RANGE: &str =
    "count(*) || ' ' || COALESCE(sum(id), 0) || ' ' || COALESCE(sum(id::bigint * id), 0)";

/// Each range has the rows of its bucket, and together all.
fn buckets_are_ranges(
    sql: &Sql,
    platform: Platform,
    spec: &TableSpec,
    analysis: &TableAnalysis,
    what: &str,
) {
    let ranges: Vec<KeyRange> = analysis
        .partitions
        .iter()
        .map(|p| p.range.clone())
        .collect();
    let scope = Scope {
        table: &spec.source,
        key: &analysis.key,
        range: &KeyRange::Everything,
        window: None,
        where_clause: None,
        modifiers: &QueryModifiers::default(),
    };
    let summary = dialect(platform)
        .partition_summary(&scope, &ranges, &[ROWS_OF_A_RANGE])
        .query
        .sql;
    let mut buckets = vec!["0 0 0".to_owned(); ranges.len()];
    let mut all = 0;
    for row in sql.rows(&summary) {
        let [Some(index), Some(rows), Some(aggregate)] = row.as_slice() else {
            panic!("{what}: {row:?}");
        };
        all += rows.parse::<i64>().unwrap();
        buckets[index.parse::<usize>().unwrap()].clone_from(aggregate);
    }
    assert_eq!(all, ROWS, "{what}");
    for (range, bucket) in ranges.iter().zip(&buckets) {
        let rows = aggregate(sql, platform, spec, &analysis.key, range, ROWS_OF_A_RANGE);
        assert_eq!(rows, *bucket, "{what}: {range:?}");
    }
}

#[test]
fn every_row_is_in_the_bucket_of_the_range_that_it_satisfies() {
    let database = LocalRedshift::shared().database();
    let sql = prepare(&database);
    for table in tables() {
        fill(&sql, &table);
        let names: Vec<&str> = table.key.iter().map(|(name, _)| *name).collect();
        for platform in PLATFORMS {
            // As the source orders text; in the order of its bytes.
            for synchronization in [Synchronization::None, Synchronization::FullReplace] {
                let bytewise = synchronization == Synchronization::FullReplace;
                let what = format!("{} on {platform}, by bytes: {bytewise}", table.name);
                if bytewise && platform == Platform::Redshift && sql.value(&format!("SELECT string_agg(collation_name, '') FROM information_schema.columns WHERE table_name = '{}'", table.name)).is_some_and(|name| name != "C") {
                    // Redshift has no such collation.
                    continue;
                }
                let spec = TableSpec {
                    synchronization,
                    ..spec(table.name, Some(&names), 100)
                };
                let analysis = analyze(&database, platform, &spec, None);
                assert!(
                    analysis.partitions.len() as i64 >= table.partitions,
                    "{what}: {}",
                    analysis.partitions.len()
                );
                let is_bytewise = analysis.key.iter().any(|column| column.bytewise);
                let is_text = analysis.key.iter().any(|column| column.kind.is_text());
                assert_eq!(is_bytewise, bytewise && is_text, "{what}");
                buckets_are_ranges(&sql, platform, &spec, &analysis, &what);
            }
        }
    }
}

#[test]
fn kinds_of_postgresql_alone_are_keys_too() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run(&format!("CREATE TABLE t AS SELECT n AS id, md5(n::text)::uuid AS u, (3000000000 + n)::oid AS o FROM generate_series(1, {ROWS}) n"));
    for key in ["u", "o"] {
        let spec = spec("t", Some(&[key]), 100);
        let analysis = analyze(&database, Platform::Postgresql, &spec, None);
        // One for NULL.
        assert_eq!(analysis.partitions.len(), 13, "{key}");
        buckets_are_ranges(&sql, Platform::Postgresql, &spec, &analysis, key);
    }
}

#[test]
fn the_key_is_inferred_from_what_the_catalog_calls_unique() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for (statement, on_redshift, on_postgresql) in [
        (
            "t1 (a int, b int, c text, PRIMARY KEY (c, a), UNIQUE (b))",
            "c,a",
            "c,a",
        ),
        (
            "t2 (x int, a int NOT NULL, b int NOT NULL UNIQUE, UNIQUE (a, x))",
            "b",
            "b",
        ),
        (
            "t3 (a json, b int UNIQUE, c int NOT NULL, d int NOT NULL, UNIQUE (d, c))",
            "d,c",
            "d,c",
        ),
        ("t4 (a int, b int NOT NULL)", "", "b"),
        ("t5 (a bytea PRIMARY KEY, b int)", "", ""),
        ("t6 (a int, b int)", "", ""),
        ("t8 (a int, b bigserial)", "b", "b"),
        (
            "\"t ; \"\"7\"\"\" (\"a,b\" int, \"x \"\"\" date, PRIMARY KEY (\"x \"\"\", \"a,b\"))",
            "x \",a,b",
            "x \",a,b",
        ),
    ] {
        sql.run(&format!("CREATE TABLE {statement}"));
        let name = statement.split(" (").next().unwrap();
        if name == "t3" {
            // The numbers of columns have gaps.
            sql.run("ALTER TABLE t3 DROP COLUMN a");
        } else if name == "t4" {
            sql.run("CREATE UNIQUE INDEX i1 ON t4 (b) INCLUDE (a)");
        } else if name == "t6" {
            sql.run("CREATE UNIQUE INDEX i2 ON t6 (a) WHERE b > 1");
            sql.run("CREATE UNIQUE INDEX i3 ON t6 ((a + 1))");
            sql.run("CREATE INDEX i4 ON t6 (b)");
        }
        for (platform, expected) in PLATFORMS.into_iter().zip([on_redshift, on_postgresql]) {
            let analysis = analyze(&database, platform, &spec(name, None, 10), None);
            let names: Vec<&str> = analysis.key.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names.join(","), expected, "{statement} on {platform}");
            let told = if expected.is_empty() {
                analysis
                    .warnings
                    .iter()
                    .any(|w| w.contains("columnNamesToPartitionBy"))
            } else {
                analysis.notes.iter().any(|note| note.contains("inferred"))
            };
            assert!(told, "{:?} {:?}", analysis.warnings, analysis.notes);
            let inferred = infer_keys(
                &settings(&database, platform),
                dialect(platform),
                &[table_ref("none"), table_ref(name)],
            )
            .unwrap();
            let names = inferred[1]
                .as_ref()
                .map(|key| key.columns.join(","))
                .unwrap_or_default();
            assert!(inferred[0].is_none() && names == expected, "{inferred:?}");
        }
    }
}

#[test]
fn boundaries_of_a_large_table_come_from_a_sample_of_it() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE big AS SELECT n AS id, repeat('x', 200) AS b FROM generate_series(1, 20000) n");
    sql.run("CREATE VIEW seen AS SELECT * FROM big");
    sql.run("ANALYZE big");
    for platform in PLATFORMS {
        for name in ["big", "seen"] {
            let spec = TableSpec {
                sampling: Sampling {
                    threshold_rows: 1000,
                    target_rows: 8000,
                },
                ..spec(name, Some(&["id"]), 2000)
            };
            let analysis = analyze(&database, platform, &spec, None);
            let (rows, parts) = (analysis.row_estimate, analysis.partitions.len());
            assert!(
                rows == 20_000 && (5..=11).contains(&parts),
                "{platform} {name}: {rows} {parts}"
            );
            let is_sampled = analysis
                .notes
                .iter()
                .any(|note| note.contains("sample of about 8,000 rows"));
            // A view is no heap of blocks.
            let can_be = name == "big" || platform == Platform::Redshift;
            assert_eq!(
                is_sampled, can_be,
                "{platform} {name}: {:?}",
                analysis.notes
            );
        }
    }
}

#[test]
fn a_value_that_fills_partitions_is_named() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE skewed AS SELECT CASE WHEN n BETWEEN 301 AND 900 THEN 'it''s me' ELSE 'i' || n END AS a, 1 AS b FROM generate_series(1, 1200) n");
    for platform in PLATFORMS {
        let analysis = analyze(
            &database,
            platform,
            &spec("skewed", Some(&["b", "a"]), 100),
            None,
        );
        let named: Vec<&String> = analysis
            .warnings
            .iter()
            .filter(|w| w.starts_with("b = 1, a = it's me stands in about"))
            .collect();
        assert_eq!(named.len(), 1, "{:?}", analysis.warnings);
        assert!(
            named[0].contains("about 600 rows")
                || named[0].contains("about 500 rows")
                || named[0].contains("about 700 rows"),
            "{named:?}"
        );
    }
}

#[test]
fn keys_that_cannot_be_are_refused_by_name() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int PRIMARY KEY, j json, x int)");
    let refused = |spec: &TableSpec| {
        try_analyze(&database, Platform::Postgresql, spec, None)
            .unwrap_err()
            .to_string()
    };
    let message = refused(&spec("t", Some(&["J", "nope", "id"]), 10));
    assert!(
        message.contains("J of type json")
            && message.contains("names nope")
            && message.contains("id, j, x"),
        "{message}"
    );
    let excluded = |synchronization, key| TableSpec {
        synchronization,
        excluded_columns: vec!["ID".to_owned()],
        ..spec("t", key, 10)
    };
    let message = refused(&excluded(by_checksum(), Some(&["id"])));
    assert!(message.contains("excludeSourceColumns"), "{message}");
    // Elsewhere the target does not need it, and by itself nobody takes it where it does.
    for (spec, key) in [
        (excluded(Synchronization::None, Some(&["id"])), 1),
        (excluded(Synchronization::None, None), 1),
        (excluded(Synchronization::FullReplace, None), 0),
    ] {
        assert_eq!(
            analyze(&database, Platform::Postgresql, &spec, None)
                .key
                .len(),
            key
        );
    }
    let empty = analyze(
        &database,
        Platform::Postgresql,
        &spec("t", Some(&[]), 10),
        None,
    );
    assert_eq!(empty.partitions[0].range, KeyRange::Everything);
    assert!(
        empty.warnings[0].contains("one partition"),
        "{:?}",
        empty.warnings
    );
}

#[test]
fn a_statement_that_takes_too_long_is_ended_and_the_setting_named() {
    let database = LocalRedshift::shared().database();
    database
        .sql()
        .run("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 3) n");
    let spec = TableSpec {
        // Counting leaves less time to what follows.
        where_clause: Some("set_config('statement_timeout', '60', false) IS NOT NULL AND pg_sleep(0.05) IS NOT NULL".to_owned()),
        ..spec("t", Some(&["id"]), 1)
    };
    let error = try_analyze(&database, Platform::Postgresql, &spec, None).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("raise the table's executionTimeoutMinutes")
            && error.to_string().contains("20 minutes"),
        "{error}"
    );
    assert!(!error.is_retryable());
}

#[test]
fn the_users_predicate_and_pieces_of_sql_stand_in_every_query() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 1000) n");
    for platform in PLATFORMS {
        let spec = TableSpec {
            where_clause: Some("u.id > 600 -- the new ones".to_owned()),
            query_modifiers: QueryModifiers {
                object: Some(" AS u".to_owned()),
                select: Some("ALL".to_owned()),
                ..QueryModifiers::default()
            },
            ..spec("t", Some(&["id"]), 100)
        };
        let analysis = analyze(&database, platform, &spec, None);
        // One for NULL.
        assert_eq!((analysis.row_estimate, analysis.partitions.len()), (400, 5));
        assert!(
            analysis
                .notes
                .iter()
                .any(|note| note.contains("whereClauseCriteria")),
            "{:?}",
            analysis.notes
        );
    }
}

#[test]
fn not_null_is_believed_only_where_the_source_enforces_it() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let admin = LocalRedshift::shared().admin(database.name());
    admin.run("CREATE EXTENSION postgres_fdw");
    admin.run("CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw");
    admin.run("GRANT USAGE ON FOREIGN SERVER elsewhere TO snowhaul");
    for statement in [
        "CREATE DOMAIN needed AS int NOT NULL",
        "CREATE TABLE plain (a int NOT NULL, b needed)",
        "CREATE TABLE parent (a int NOT NULL)",
        "CREATE TABLE child () INHERITS (parent)",
        "ALTER TABLE child ALTER a DROP NOT NULL",
        "CREATE TABLE grandparent (a int PRIMARY KEY)",
        "CREATE TABLE other_child () INHERITS (grandparent)",
        "CREATE VIEW seen AS SELECT a FROM plain",
        "CREATE MATERIALIZED VIEW kept AS SELECT a FROM plain",
        "CREATE FOREIGN TABLE far (a int NOT NULL) SERVER elsewhere",
        "CREATE TABLE parted (a int NOT NULL) PARTITION BY RANGE (a)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (a)",
        "CREATE TABLE parted_11 PARTITION OF parted_1 FOR VALUES FROM (0) TO (5)",
        "CREATE TABLE mixed (a int NOT NULL) PARTITION BY RANGE (a)",
        "CREATE TABLE mixed_1 PARTITION OF mixed FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (a)",
        "CREATE FOREIGN TABLE mixed_11 PARTITION OF mixed_1 FOR VALUES FROM (0) TO (5) SERVER elsewhere",
        "CREATE TABLE later (a int NOT NULL CONSTRAINT later_a CHECK (a > 0), b int NOT NULL)",
        "CREATE TABLE parted_later (a int NOT NULL) PARTITION BY RANGE (a)",
        "CREATE TABLE parted_later_1 PARTITION OF parted_later (CONSTRAINT later_1 CHECK (a > 0)) FOR VALUES FROM (0) TO (10)",
    ] {
        sql.run(statement);
    }
    // As PostgreSQL 18 writes down NOT NULL … NOT VALID.
    admin.run("UPDATE pg_constraint SET contype = 'n', convalidated = false WHERE conname IN ('later_a', 'later_1')");
    for (table, expected) in [
        ("plain", vec![false, true]),
        ("parent", vec![true]),
        ("child", vec![true]),
        ("grandparent", vec![true]),
        ("seen", vec![true]),
        ("kept", vec![true]),
        ("far", vec![true]),
        ("parted", vec![false]),
        ("parted_11", vec![false]),
        ("mixed", vec![true]),
        ("later", vec![true, false]),
        ("parted_later", vec![true]),
    ] {
        let nullable = |platform| -> Vec<bool> {
            let query = dialect(platform).columns(&table_ref(table)).sql;
            let rows = sql.rows(&query).into_iter();
            rows.map(|row| row[4].as_deref() != Some("false")).collect()
        };
        assert_eq!(nullable(Platform::Postgresql), expected, "{table}");
        if ["seen", "kept", "far"].contains(&table) {
            assert_eq!(
                nullable(Platform::Redshift),
                expected,
                "{table} on Redshift"
            );
        }
    }
    assert_eq!(
        sql.rows(&dialect(Platform::Redshift).columns(&table_ref("plain")).sql)[0][4].as_deref(),
        Some("false")
    );
}

#[test]
fn a_type_of_the_users_that_is_called_as_one_of_the_platforms_has_its_schema_before_its_name() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TYPE public.daterange AS (a date, b date)");
    sql.run("CREATE TYPE public.interval AS ENUM ('day')");
    sql.run("CREATE TABLE t (a public.daterange, b public.interval[], c public.interval, d daterange, e interval)");
    sql.run(
        "INSERT INTO t VALUES (ROW('2024-01-01', NULL), '{day}', 'day', '[2024-01-01,)', '1 day')",
    );
    let rows = sql.rows(&dialect(Platform::Postgresql).columns(&table_ref("t")).sql);
    let names: Vec<&str> = rows.iter().filter_map(|row| row[1].as_deref()).collect();
    assert_eq!(
        names,
        [
            "public.daterange",
            "public.interval",
            "public.interval",
            "daterange",
            "interval"
        ]
    );
}
