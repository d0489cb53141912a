//! Checksums: no change of any value goes unseen, and a second run moves what has changed.

use crate::analysis::{
    PLATFORMS, aggregate, analyze, by_checksum, changed, dialect, moved, spec, try_analyze,
};
use crate::partitions::prepare;
use snowhaul::domain::analysis::SyncSnapshot;
use snowhaul::domain::spec::{ResetPartitions, Synchronization, TableSpec};
use snowhaul::domain::table::{KeyRange, Platform};
use snowhaul_integration::{LocalRedshift, Sql};

/// What makes another table of it: each a statement.
const CHANGES: &[&str] = &[
    // Between rows and columns.
    "UPDATE t SET a = CASE id WHEN 1 THEN 'two' ELSE 'one' END WHERE id IN (1, 2)",
    "UPDATE t SET i = CASE id WHEN 1 THEN 20 ELSE 10 END WHERE id IN (1, 2)",
    "UPDATE t SET i = i + CASE id WHEN 1 THEN 1 ELSE -1 END WHERE id IN (1, 2)",
    "UPDATE t SET a = b, b = a WHERE id = 1",
    "UPDATE t SET a = 'on', b = 'e' || b WHERE id = 1",
    "UPDATE t SET a = a || b, b = '' WHERE id = 1",
    "UPDATE t SET a = NULL, b = a WHERE id = 1",
    "UPDATE t SET a = '3:one' WHERE id = 1",
    // Rows.
    "INSERT INTO t SELECT * FROM t WHERE id = 1",
    "INSERT INTO t SELECT * FROM t",
    "INSERT INTO t DEFAULT VALUES",
    "DELETE FROM t WHERE id = 1",
    "DELETE FROM t WHERE id = 4 AND ctid = (SELECT min(ctid) FROM t WHERE id = 4)",
    "WITH gone AS (DELETE FROM t WHERE id = 2) INSERT INTO t SELECT * FROM t WHERE id = 1",
    "DELETE FROM t",
    // NULL.
    "UPDATE t SET a = '' WHERE id = 3",
    "UPDATE t SET a = '-' WHERE id = 3",
    "UPDATE t SET i = 0 WHERE id = 3",
    "UPDATE t SET l = false WHERE id = 3",
    "UPDATE t SET a = NULL WHERE id = 1",
    "UPDATE t SET b = NULL, a = '' WHERE id = 3",
    // What is equal and looks different.
    "UPDATE t SET n = 1.00 WHERE id = 1",
    "UPDATE t SET f = '-0' WHERE id = 1",
    "UPDATE t SET r = '-0' WHERE id = 1",
    "UPDATE t SET v = '24 hours' WHERE id = 1",
    "UPDATE t SET j = '{\"x\": 1.00}' WHERE id = 1",
    "UPDATE t SET k = '{\"x\":1.0}' WHERE id = 1",
    "UPDATE t SET e = '[0:1]={1,2}' WHERE id = 1",
    "UPDATE t SET p = 'a ' WHERE id = 1",
    "UPDATE t SET q = 'AB' WHERE id = 1",
    // The least there is.
    "UPDATE t SET r = r + 0.0000001 WHERE id = 2",
    "UPDATE t SET f = 0.1::float8 + 0.2 WHERE id = 2",
    "UPDATE t SET s = s + interval '1 microsecond' WHERE id = 1",
    "UPDATE t SET z = z + interval '1 microsecond' WHERE id = 1",
    "UPDATE t SET h = h + interval '1 microsecond' WHERE id = 1",
    "UPDATE t SET d = d + 1 WHERE id = 1",
    "UPDATE t SET l = NOT l WHERE id = 1",
    "UPDATE t SET m = m + 0.01 WHERE id = 1",
    "UPDATE t SET w = w || ' ' WHERE id = 1",
    "UPDATE t SET w = overlay(w PLACING 'y' FROM 2999) WHERE id = 1",
    "UPDATE t SET y = y || '\\x00' WHERE id = 1",
    "UPDATE t SET u = '00000000-0000-0000-0000-000000000002' WHERE id = 1",
    "UPDATE t SET c = 'b' WHERE id = 1",
    "UPDATE t SET e = '{2,1}' WHERE id = 1",
    "UPDATE t SET o = 'happy' WHERE id = 1",
];

fn table(sql: &Sql) {
    sql.run("CREATE TYPE mood AS ENUM ('sad', 'happy')");
    sql.run(
        "CREATE TABLE t (id int, a text, b varchar(20), i bigint, n numeric, m numeric(10,2), f float8, r float4, l bool, d date, s timestamp, z timestamptz, h time, \
         v interval, j jsonb, k json, e int[], c char(5), p bpchar, q text COLLATE ignoring_case, w varchar(3000), y bytea, u uuid, o mood, x timetz, g inet)",
    );
    sql.run(
        "INSERT INTO t VALUES (1, 'one', 'x', 10, 1.0, 1.5, 0, 0, true, '2024-01-01', '2024-01-01', '2024-01-01', '12:00', '1 day', '{\"x\": 1.0}', '{\"x\": 1.0}', '{1,2}', 'a', 'a', 'ab', \
         repeat('x', 2999), '\\x01', '00000000-0000-0000-0000-000000000001', 'sad', '12:00+02', '::1'), \
         (2, 'two', 'x', 20, 'NaN', 2.5, 0.3, 0.1, false, 'infinity', '-infinity', 'infinity', '24:00', '-1 mon', '[]', '[]', '{}', '', '', '', '', '', NULL, NULL, NULL, NULL)",
    );
    sql.run("INSERT INTO t (id, b) VALUES (3, ''), (4, 'twice'), (4, 'twice')");
}

#[test]
fn every_change_of_any_value_is_seen_by_every_form_of_the_checksum() {
    let database = LocalRedshift::shared().database();
    let sql = prepare(&database);
    table(&sql);
    for platform in PLATFORMS {
        let spec = spec("t", Some(&[]), 10);
        let columns = analyze(&database, platform, &spec, None).columns;
        for form in dialect(platform).checksum_aggregates(&columns) {
            let taken = || aggregate(&sql, platform, &spec, &[], &KeyRange::Everything, &form);
            let before = taken();
            assert!(before.starts_with("5:"), "{before}");
            sql.run("UPDATE t SET a = a WHERE id <> 2");
            assert_eq!(taken(), before, "the order of rows: {form}");
            for change in CHANGES {
                sql.run("BEGIN");
                assert!(sql.run(change).count > 0, "{change}");
                assert_ne!(taken(), before, "{change}: {form}");
                sql.run("ROLLBACK");
            }
            assert_eq!(taken(), before, "{form}");
        }
    }
}

fn checksum_spec() -> TableSpec {
    TableSpec {
        synchronization: by_checksum(),
        ..spec("t", Some(&["id"]), 100)
    }
}

#[test]
fn a_second_run_moves_the_partitions_that_have_changed_and_cuts_what_has_grown() {
    for platform in PLATFORMS {
        let database = LocalRedshift::shared().database();
        let sql = database.sql();
        sql.run("CREATE TABLE t AS SELECT n AS id, 'x' || n AS a FROM generate_series(1, 1000) n");
        let spec = checksum_spec();
        let run = |previous: Option<&SyncSnapshot>| analyze(&database, platform, &spec, previous);
        let first = run(None);
        assert_eq!(first.partitions.len(), 11);
        assert_eq!(changed(&first).len(), 11);
        let mut state = moved(&sql, platform, &spec, &first);
        let second = run(Some(&state));
        assert!(
            second.reused && changed(&second).is_empty(),
            "{:?}",
            second.notes
        );
        assert_eq!(moved(&sql, platform, &spec, &second), state);

        sql.run("UPDATE t SET a = '' WHERE id = 150");
        sql.run("INSERT INTO t VALUES (NULL, 'y'), (-5, 'z')");
        sql.run("DELETE FROM t WHERE id BETWEEN 401 AND 500");
        let third = run(Some(&state));
        assert!(third.reused);
        assert_eq!(changed(&third), [0, 1, 4, 10]);
        assert_eq!(third.row_estimate, 902);
        state = moved(&sql, platform, &spec, &third);
        // The empty one too.
        assert!(changed(&run(Some(&state))).is_empty());

        // One that was not moved is moved, whatever stands in it.
        let mut failed = state.clone();
        failed.partitions[7].checksum = None;
        assert_eq!(changed(&run(Some(&failed))), [7]);

        sql.run("INSERT INTO t SELECT n, 'new' FROM generate_series(1001, 2000) n");
        let fourth = run(Some(&state));
        assert!(!fourth.reused, "{:?}", fourth.notes);
        let parts = fourth.partitions.len() - 11;
        assert!((5..=11).contains(&parts), "{parts}");
        assert_eq!(changed(&fourth), (9..=9 + parts).collect::<Vec<_>>());
        let state = moved(&sql, platform, &spec, &fourth);
        let fifth = run(Some(&state));
        assert!(fifth.reused && changed(&fifth).is_empty());
    }
}

#[test]
fn a_table_without_a_key_is_one_partition_that_has_changed_or_not() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int)");
    for platform in PLATFORMS {
        let spec = TableSpec {
            key: None,
            ..checksum_spec()
        };
        let mut state = None;
        for (statement, expected) in [
            ("DELETE FROM t", 1),
            ("DELETE FROM t", 0),
            ("INSERT INTO t VALUES (NULL)", 1),
            ("UPDATE t SET id = id", 0),
            ("DELETE FROM t", 1),
        ] {
            sql.run(statement);
            let analysis = analyze(&database, platform, &spec, state.as_ref());
            assert_eq!(
                changed(&analysis).len(),
                expected,
                "{statement} on {platform}"
            );
            state = Some(moved(&sql, platform, &spec, &analysis));
        }
    }
}

#[test]
fn checksums_of_other_settings_are_of_no_use_and_a_reset_discards_them() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id, n % 10 AS b FROM generate_series(1, 500) n");
    let platform = Platform::Postgresql;
    let spec = checksum_spec();
    let state = moved(
        &sql,
        platform,
        &spec,
        &analyze(&database, platform, &spec, None),
    );
    let other_key = TableSpec {
        key: Some(vec!["b".into(), "id".into()]),
        ..spec.clone()
    };
    let other_rows = TableSpec {
        where_clause: Some("id > 5".into()),
        ..spec.clone()
    };
    let expression = |text: &str| TableSpec {
        synchronization: Synchronization::Checksum {
            expression: Some(text.into()),
        },
        ..spec.clone()
    };
    for other in [&other_key, &other_rows, &expression("sum(b)")] {
        let analysis = analyze(&database, platform, other, Some(&state));
        assert!(!analysis.reused && changed(&analysis).len() == analysis.partitions.len());
        assert!(
            analysis.warnings.iter().any(|w| w.contains("has changed")),
            "{:?}",
            analysis.warnings
        );
    }
    let reset = TableSpec {
        reset_partitions: ResetPartitions::Enabled,
        ..spec.clone()
    };
    let analysis = analyze(&database, platform, &reset, Some(&state));
    assert!(
        !analysis.reused && analysis.warnings.is_empty(),
        "{:?}",
        analysis.warnings
    );

    // The user's own sees what it sees, and how many rows there are.
    let own = expression("sum(b) -- no more");
    let state = moved(
        &sql,
        platform,
        &own,
        &analyze(&database, platform, &own, None),
    );
    sql.run("UPDATE t SET id = -id WHERE id = 1");
    assert!(changed(&analyze(&database, platform, &own, Some(&state))).is_empty());
    sql.run("UPDATE t SET b = b + 1 WHERE id = 5");
    sql.run("INSERT INTO t VALUES (499, 0)");
    let analysis = analyze(&database, platform, &own, Some(&state));
    assert_eq!(changed(&analysis), [0, 4]);
    let wrong = try_analyze(&database, platform, &expression("sum(nope)"), Some(&state));
    assert!(wrong.is_ok(), "another expression: nothing is compared");
}
