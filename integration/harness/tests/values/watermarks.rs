//! Watermarks: each run moves what is above the previous one's, and what was under way when the bound was read.

use crate::analysis::{
    PLATFORMS, analyze, by_checksum, by_watermark, changed, moved, settings, spec, try_analyze,
};
use snowhaul::domain::analysis::{SyncSnapshot, TableAnalysis};
use snowhaul::domain::spec::{ResetPartitions, Synchronization, TableSpec};
use snowhaul::domain::table::{KeyKind, Platform, QueryModifiers};
use snowhaul::platform::{self, Scope, Window};
use snowhaul_integration::{Database, LocalRedshift, Sql};

use std::time::Duration;

fn watermark_spec(column: &str) -> TableSpec {
    TableSpec {
        synchronization: by_watermark(column),
        ..spec("t", Some(&["id"]), 100)
    }
}

/// The ids that the partitions of an analysis move, each as often as it is moved.
fn ids(sql: &Sql, spec: &TableSpec, analysis: &TableAnalysis) -> Vec<i64> {
    let mut ids = Vec::new();
    let Some(watermark) = &analysis.watermark else {
        return ids;
    };
    for partition in analysis.partitions.iter().filter(|p| !p.unchanged) {
        let scope = Scope {
            table: &spec.source,
            key: &analysis.key,
            range: &partition.range,
            window: Some(Window {
                column: &watermark.column,
                after: partition.after.as_deref(),
                upto: (!watermark.moves_above).then_some(watermark.upto.as_str()),
                with_nulls: watermark.moves_nulls,
            }),
            where_clause: None,
            modifiers: &QueryModifiers::default(),
        };
        let dialect = platform::source(Platform::Postgresql).unwrap();
        let list = dialect
            .aggregate(&scope, "string_agg(CAST(id AS varchar), ',')")
            .sql;
        ids.extend(
            sql.value(&list)
                .unwrap_or_default()
                .split(',')
                .filter_map(|id| id.parse::<i64>().ok()),
        );
    }
    ids.sort_unstable();
    ids
}

#[test]
fn later_runs_move_what_is_above_and_nothing_twice() {
    for platform in PLATFORMS {
        for (of_type, kind) in [
            ("int", KeyKind::Integer),
            ("numeric(12,2)", KeyKind::Decimal),
            ("float8", KeyKind::Float),
            ("date", KeyKind::Date),
            ("timestamp", KeyKind::Timestamp),
            ("timestamptz", KeyKind::TimestampTz),
        ] {
            let database = LocalRedshift::shared().database();
            let sql = database.sql();
            let value = |n: &str| match kind {
                KeyKind::Date => format!("date '2010-01-01' + {n}"),
                KeyKind::Timestamp | KeyKind::TimestampTz => {
                    format!("timestamp '2024-01-01' + {n} * interval '1.000001 second'")
                }
                _ => n.to_owned(),
            };
            sql.run(&format!(
                "CREATE TABLE t (id int PRIMARY KEY, w {of_type} NOT NULL)"
            ));
            sql.run(&format!(
                "INSERT INTO t SELECT n, {} FROM generate_series(1, 500) n",
                value("n")
            ));
            let spec = watermark_spec("W");
            let run =
                |previous: Option<&SyncSnapshot>| analyze(&database, platform, &spec, previous);
            let first = run(None);
            assert_eq!(first.watermark.as_ref().unwrap().column.kind, kind);
            assert_eq!(
                ids(&sql, &spec, &first),
                (1..=500).collect::<Vec<_>>(),
                "{of_type}"
            );
            let mut state = moved(&sql, platform, &spec, &first);
            let second = run(Some(&state));
            assert!(second.reused && changed(&second).is_empty(), "{of_type}");

            // Updated, new, and, above the bound by then, those that come during the run.
            sql.run(&format!("UPDATE t SET w = {} WHERE id = 7", value("501")));
            sql.run(&format!("INSERT INTO t VALUES (-1, {})", value("502")));
            let third = run(Some(&state));
            sql.run(&format!("INSERT INTO t VALUES (-2, {})", value("503")));
            assert_eq!(changed(&third), [0], "{of_type}");
            assert_eq!(ids(&sql, &spec, &third), [-1, 7], "{of_type}");
            state = moved(&sql, platform, &spec, &third);
            assert_eq!(state.partitions[3].watermark, state.partitions[0].watermark);
            let fourth = run(Some(&state));
            assert_eq!(ids(&sql, &spec, &fourth), [-2], "{of_type}");

            // A run that failed half-way: what was moved is not moved again.
            let mut failed = state.clone();
            failed.partitions[2].watermark = None;
            failed.partitions[1].watermark = Some(second.watermark.unwrap().upto);
            sql.run(&format!("INSERT INTO t VALUES (1000, {})", value("504")));
            let fifth = run(Some(&failed));
            let mut expected = vec![-2];
            expected.extend(201..=300);
            expected.push(1000);
            assert_eq!(ids(&sql, &spec, &fifth), expected, "{of_type}");

            // Many at once are cut.
            state = moved(&sql, platform, &spec, &fifth);
            sql.run(&format!(
                "INSERT INTO t SELECT n, {} FROM generate_series(2001, 3000) n",
                value("n")
            ));
            let sixth = run(Some(&state));
            assert!(
                !sixth.reused && changed(&sixth).len() > 5,
                "{of_type}: {:?}",
                sixth.notes
            );
            assert_eq!(
                ids(&sql, &spec, &sixth),
                (2001..=3000).collect::<Vec<_>>(),
                "{of_type}"
            );
            state = moved(&sql, platform, &spec, &sixth);

            // Below what was moved, whatever is there now may be new.
            sql.run("DELETE FROM t WHERE id > 2500");
            let message = try_analyze(&database, platform, &spec, Some(&state))
                .unwrap_err()
                .to_string();
            let moved = sixth.watermark.unwrap().upto;
            assert!(
                message.contains(&format!("below {moved}"))
                    && message.contains("resetPartitions to enabledWithDedup"),
                "{of_type}: {message}"
            );
            // Until there is something above it.
            sql.run(&format!("INSERT INTO t VALUES (3001, {})", value("3001")));
            assert_eq!(ids(&sql, &spec, &run(Some(&state))), [3001], "{of_type}");
        }
    }
}

#[test]
fn rows_without_a_watermark_are_moved_once_and_empty_tables_move_nothing() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int PRIMARY KEY, w int)");
    let (platform, spec) = (Platform::Postgresql, watermark_spec("w"));
    let empty = analyze(&database, platform, &spec, None);
    assert!(empty.watermark.is_none() && changed(&empty).is_empty());
    let state = moved(&sql, platform, &spec, &empty);
    sql.run("INSERT INTO t VALUES (1, 1), (2, NULL)");
    let first = analyze(&database, platform, &spec, Some(&state));
    assert_eq!(ids(&sql, &spec, &first), [1, 2]);
    assert!(
        first
            .warnings
            .iter()
            .any(|w| w.contains("is NULL in some rows")),
        "{:?}",
        first.warnings
    );
    let state = moved(&sql, platform, &spec, &first);
    sql.run("INSERT INTO t VALUES (3, 3), (4, NULL)");
    let second = analyze(&database, platform, &spec, Some(&state));
    assert_eq!(ids(&sql, &spec, &second), [3]);
    sql.run("DELETE FROM t");
    let none = analyze(&database, platform, &spec, Some(&state));
    assert!(none.reused && none.watermark.is_none() && changed(&none).is_empty());
    assert_eq!(moved(&sql, platform, &spec, &none), state);
    sql.run("INSERT INTO t VALUES (5, 0)");
    let message = try_analyze(&database, platform, &spec, Some(&state))
        .unwrap_err()
        .to_string();
    assert!(message.contains("is 0, below 1"), "{message}");
}

#[test]
fn a_watermark_that_cannot_be_is_refused_with_what_can() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id, 'x' AS a, now() AS at, 1::float8 AS f, NULL::date AS d, date '2024-01-01' AS e FROM generate_series(1, 10) n");
    let refused = |spec: &TableSpec, previous: Option<&SyncSnapshot>| {
        try_analyze(&database, Platform::Postgresql, spec, previous)
            .unwrap_err()
            .to_string()
    };
    for column in ["a", "nope"] {
        let message = refused(&watermark_spec(column), None);
        assert!(
            message.contains(&format!("watermarkColumn names {column}"))
                && message.contains("id, at, f, d, e"),
            "{message}"
        );
    }
    assert!(refused(&watermark_spec("d"), None).contains("NULL in every row"));
    sql.run("UPDATE t SET f = 'NaN', e = 'infinity' WHERE id = 1");
    for column in ["f", "e"] {
        assert!(
            refused(&watermark_spec(column), None).contains("no later row would ever be above it")
        );
    }
    let keyed = |primary_key: &[&str]| TableSpec {
        synchronization: Synchronization::Watermark {
            column: "id".into(),
            track_modifications: true,
            track_deletions: false,
        },
        primary_key: primary_key.iter().map(|name| (*name).to_owned()).collect(),
        ..watermark_spec("id")
    };
    let message = refused(&keyed(&["A", "gone"]), None);
    assert!(
        message.contains("primaryKeyColumns names gone"),
        "{message}"
    );
    let analysis = analyze(&database, Platform::Postgresql, &keyed(&["A", "id"]), None);
    assert_eq!(analysis.primary_key, ["a", "id"]);
}

#[test]
fn what_was_moved_under_other_settings_is_told_apart_or_refused() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id, n AS w, n % 7 AS b FROM generate_series(1, 500) n");
    let (platform, spec) = (Platform::Postgresql, watermark_spec("w"));
    let state = moved(
        &sql,
        platform,
        &spec,
        &analyze(&database, platform, &spec, None),
    );
    let other_rows = TableSpec {
        where_clause: Some("id > 5".into()),
        ..spec.clone()
    };
    let checksum = SyncSnapshot {
        settings: snowhaul::domain::analysis::SyncSettings {
            synchronization: by_checksum(),
            ..state.settings.clone()
        },
        ..state.clone()
    };
    for (spec, previous, what) in [
        (&other_rows, &state, "whereClauseCriteria"),
        (&watermark_spec("id"), &state, "watermarkColumn"),
        (&spec, &checksum, "strategy"),
    ] {
        let message = try_analyze(&database, platform, spec, Some(previous))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(what) && message.contains("resetPartitions"),
            "{message}"
        );
        let reset = TableSpec {
            reset_partitions: ResetPartitions::Enabled,
            ..spec.clone()
        };
        let analysis = analyze(&database, platform, &reset, Some(previous));
        assert!(
            analysis
                .partitions
                .iter()
                .all(|p| p.after.is_none() && !p.unchanged)
        );
    }
    let other_key = TableSpec {
        key: Some(vec!["b".into(), "id".into()]),
        ..spec.clone()
    };
    let nothing = analyze(&database, platform, &other_key, Some(&state));
    assert!(!nothing.reused && changed(&nothing).is_empty());
    sql.run("INSERT INTO t SELECT n, n, n % 7 FROM generate_series(501, 900) n");
    let delta = analyze(&database, platform, &other_key, Some(&state));
    assert_eq!(delta.row_estimate, 400);
    assert_eq!(delta.partitions.len(), 5);
    assert_eq!(ids(&sql, &spec, &delta), (501..=900).collect::<Vec<_>>());
    let mut failed = state;
    failed.partitions[1].watermark = None;
    let message = try_analyze(&database, platform, &other_key, Some(&failed))
        .unwrap_err()
        .to_string();
    assert!(message.contains("partition key has changed"), "{message}");
}

/// Starts an analysis, and ends the transaction of another session once the analysis waits for it.
fn analyze_beside(
    database: &Database<'_>,
    sql: &Sql,
    spec: &TableSpec,
    end: impl FnOnce(),
) -> TableAnalysis {
    let settings = settings(database, Platform::Postgresql);
    let (spec, dialect) = (
        spec.clone(),
        platform::source(Platform::Postgresql).unwrap(),
    );
    let analysis =
        std::thread::spawn(move || snowhaul::source::analyze(&settings, dialect, &spec, None));
    // The reader is there as well.
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'snowhaul'";
    snowhaul_integration::until(Duration::from_secs(60), || sql.number(sessions) > 1);
    // Long enough to read the bound and to look, most often.
    std::thread::sleep(Duration::from_secs(1));
    assert!(!analysis.is_finished());
    end();
    analysis
        .join()
        .unwrap()
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_committed_late_is_waited_for_whether_written_before_the_bound_is_read_or_after() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int, w timestamptz NOT NULL DEFAULT now())");
    let spec = watermark_spec("w");
    // A worker's own session does not hold up another.
    let reader = database.sql();
    reader.run("SET application_name TO 'snowhaul'");
    reader.run("BEGIN");
    reader.run("SELECT count(*) FROM t");
    for written_before in [true, false] {
        sql.run("DELETE FROM t");
        let late = database.sql();
        late.run("BEGIN");
        let write = || late.run("INSERT INTO t VALUES (1)");
        if written_before {
            write();
        } else {
            // Its rows will bear this time.
            late.run("SELECT now()");
        }
        sql.run("INSERT INTO t VALUES (2)");
        let analysis = analyze_beside(&database, &sql, &spec, || {
            if !written_before {
                write();
            }
            late.run("COMMIT");
        });
        assert!(analysis.warnings.is_empty(), "{:?}", analysis.warnings);
        assert_eq!(ids(&sql, &spec, &analysis), [1, 2], "{written_before}");
    }
}
