//! Watermarks that lie in the future, or go back.

use serde_json::{Value, json};
use snowhaul::dialect::for_platform;
use snowhaul::domain::table::Platform;
use snowhaul_integration::{
    Database, LocalRedshift, LocalSnowflake, Migrated, Migration, Snowhaul, Sql,
};
use std::time::Duration;

/// Types of a watermark that the clock says something of, with a value of the future, and how the `n`th value of the
/// past is written.
const TIMES: [(&str, &str, &str); 3] = [
    ("date", "9999-12-31", "date '2010-01-01' + n"),
    (
        "timestamp",
        "2206-01-01 00:00:00",
        "timestamp '2010-01-01' + n * interval '1 hour'",
    ),
    (
        "timestamptz",
        "2206-01-01 00:00:00+00",
        "timestamptz '2010-01-01 00:00:00+00' + n * interval '1 hour'",
    ),
];

const PLATFORMS: [&str; 2] = ["redshift", "postgresql"];

/// `t (id, at, v)` with the rows 1 to `rows`.
fn create(sql: &Sql, of_type: &str, value: &str, rows: i64) {
    sql.run(&format!(
        "CREATE TABLE t (id bigint PRIMARY KEY, at {of_type}, v text)"
    ));
    insert(sql, value, 1, rows);
}

fn insert(sql: &Sql, value: &str, from: i64, to: i64) {
    sql.run(&format!(
        "INSERT INTO t SELECT n, {value}, 'v' || n FROM generate_series({from}, {to}) n"
    ));
}

/// The table in partitions of 40 rows, with a primary key that only some strategies need.
fn entry(track_modifications: bool, track_deletions: bool) -> Value {
    json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"},
        "columnNamesToPartitionBy": ["id"],
        "partitionSize": {"maxRowsPerPartition": 40},
        "primaryKeyColumns": ["id"],
        "synchronization": {
            "strategy": "watermark", "watermarkColumn": "at",
            "trackModifications": track_modifications, "trackDeletions": track_deletions,
        },
    })
}

fn reset(mut entry: Value) -> Value {
    entry["resetPartitions"] = json!("enabledWithDedup");
    entry
}

/// The rows of the source that meet the condition, and no others, each once.
fn assert_has(sql: &Sql, done: &Migrated, condition: &str) {
    let of_type = sql.value(
        "SELECT data_type FROM information_schema.columns WHERE table_name = 't' AND column_name = 'at'",
    );
    let at = match of_type.as_deref() {
        Some("bigint" | "numeric") => "CAST(at * 100 AS bigint)",
        _ => "to_char(at, 'YYYY-MM-DD HH24:MI:SS')",
    };
    let were = sql.rows(&format!(
        "SELECT id, {at}, v FROM t WHERE {condition} ORDER BY t.id"
    ));
    let are = done
        .sql
        .rows(&format!("SELECT id, {at}, v FROM t ORDER BY t.id, v"));
    assert_eq!(are, were, "{condition}");
}

fn session(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    sql.run("SET timezone TO 'UTC'");
    sql
}

#[test]
fn one_row_of_the_future_waits_and_later_rows_move_on() {
    for platform in PLATFORMS {
        for (of_type, future, value) in TIMES {
            let database = LocalRedshift::shared().database();
            let sql = session(&database);
            create(&sql, of_type, value, 100);
            sql.run(&format!("UPDATE t SET at = '{future}' WHERE id = 50"));
            let mut migration = Migration::from(&database)
                .platform(platform)
                .table(entry(false, false));
            let first = migration.run(0);
            assert_has(&sql, &first, "id <> 50");
            for (from, to) in [(101, 110), (111, 130)] {
                insert(&sql, value, from, to);
                migration = migration.again();
                let later = migration.run(0);
                assert_eq!(later.moved().0, to - from + 1, "{platform} {of_type}");
                assert_has(&sql, &later, "id <> 50");
                let warnings = later.warnings_of("t");
                assert!(
                    warnings.contains("the watermark at is later than the source's clock")
                        && warnings.contains(&format!("in 1 row, up to {}", &future[..10]))
                        && warnings.contains("these rows wait")
                        && warnings.contains("trackModifications"),
                    "{warnings}"
                );
            }
            // Once its time has come, it moves like the others.
            sql.run(&format!(
                "UPDATE t SET at = (SELECT {value} FROM generate_series(131, 131) n) WHERE id = 50"
            ));
            insert(&sql, value, 132, 140);
            migration = migration.again();
            let mended = migration.run(0);
            assert_has(&sql, &mended, "true");
            assert_eq!(mended.moved().0, 10);
            let last = migration.again().run(0);
            assert_eq!(last.moved().0, 0);
            assert_eq!(last.warnings_of("t"), mended.warnings_of("t"));
        }
    }
}

#[test]
fn rows_of_the_future_are_merged_by_every_run() {
    for (of_type, future, value) in TIMES {
        let database = LocalRedshift::shared().database();
        let sql = session(&database);
        create(&sql, of_type, value, 100);
        sql.run(&format!(
            "UPDATE t SET at = '{future}' WHERE id IN (50, 51)"
        ));
        let mut migration = Migration::from(&database)
            .platform("postgresql")
            .table(entry(true, false));
        let mut moved = Vec::new();
        for change in [
            "SELECT 1".to_owned(),
            "UPDATE t SET v = 'changed' WHERE id = 50".to_owned(),
            format!("INSERT INTO t SELECT n, {value}, 'v' || n FROM generate_series(101, 110) n"),
            // Mended.
            format!(
                "UPDATE t SET at = (SELECT {value} FROM generate_series(111, 111) n), v = 'mended' WHERE id IN (50, 51)"
            ),
            "SELECT 1".to_owned(),
        ] {
            sql.run(&change);
            migration = migration.again();
            let done = migration.run(0);
            assert_has(&sql, &done, "true");
            moved.push(done.moved().0);
            if moved.len() < 4 {
                let warnings = done.warnings_of("t");
                assert!(
                    warnings.contains(&format!("in 2 rows, up to {}", &future[..10]))
                        && warnings.contains("every run moves these rows again"),
                    "{warnings}"
                );
            }
        }
        assert_eq!(moved, [100, 2, 12, 2, 0], "{of_type}");
    }
}

#[test]
fn status_shows_what_waits() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let (of_type, future, value) = TIMES[1];
    create(&sql, of_type, value, 10);
    sql.run(&format!("UPDATE t SET at = '{future}' WHERE id = 5"));
    let migration = Migration::from(&database).table(entry(false, false));
    let done = migration.run(0);
    let name = done.metadata("SELECT NAME FROM {s}.WORKFLOW");
    let name = name[0][0].clone().unwrap();
    let ended = Snowhaul::new(["workflow", "status", &name, "--json"])
        .snowflake(LocalSnowflake::shared())
        .metadata(migration.metadata_database())
        .run(Duration::from_secs(60));
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    let status: Value = serde_json::from_str(&ended.stdout).unwrap();
    let warnings = status["warnings"].to_string();
    assert!(
        warnings.contains("these rows wait") && warnings.contains(&future[..10]),
        "{warnings}"
    );
}

#[test]
fn a_table_of_the_future_alone_is_refused_or_merged() {
    for (of_type, future, value) in TIMES {
        let database = LocalRedshift::shared().database();
        let sql = session(&database);
        create(&sql, of_type, value, 100);
        sql.run(&format!("UPDATE t SET at = '{future}'"));
        let appends = Migration::from(&database).table(entry(false, false));
        let refused = appends.run(1);
        let error = refused.errors_of("t");
        assert!(
            error.contains("later than the source's clock") && error.contains("in every row"),
            "{error}"
        );
        let mut migration = appends
            .with_new_target()
            .without_tables()
            .table(entry(true, false));
        for change in [
            "SELECT 1".to_owned(),
            "UPDATE t SET v = 'changed' WHERE id = 50".to_owned(),
            "DELETE FROM t WHERE id = 100".to_owned(),
        ] {
            sql.run(&change);
            migration = migration.again();
            let done = migration.run(0);
            done.sql.run("DELETE FROM t WHERE id = 100");
            assert_has(&sql, &done, "id < 100");
        }
        sql.run(&format!(
            "UPDATE t SET at = (SELECT {value} FROM generate_series(id, id) n), v = 'mended'"
        ));
        migration = migration.again();
        assert_has(&sql, &migration.run(0), "true");
        let last = migration.again().run(0);
        assert_eq!(last.moved().0, 0);
        assert_eq!(last.warnings_of("t").matches("every run moves").count(), 3);
    }
}

#[test]
fn rows_of_a_day_that_is_not_over_wait_or_are_merged() {
    for merges in [false, true] {
        let database = LocalRedshift::shared().database();
        let sql = session(&database);
        let (of_type, _, value) = TIMES[0];
        create(&sql, of_type, value, 100);
        sql.run("UPDATE t SET at = current_date + 2 WHERE id = 100");
        sql.run("UPDATE t SET at = current_date WHERE id IN (98, 99)");
        let mut migration = Migration::from(&database)
            .platform("postgresql")
            .table(entry(merges, false));
        let condition = if merges {
            "true"
        } else {
            "id < 98 OR id > 200"
        };
        for change in [
            "SELECT 1",
            // Of the same day, after a run.
            "INSERT INTO t VALUES (101, current_date, 'later')",
            "INSERT INTO t VALUES (201, current_date - 2, 'before')",
        ] {
            sql.run(change);
            migration = migration.again();
            let done = migration.run(0);
            assert_has(&sql, &done, condition);
            let warnings = done.warnings_of("t");
            assert_eq!(
                warnings.contains("a day that is not over in"),
                !merges,
                "{warnings}"
            );
            assert!(
                warnings.contains("later than the source's clock"),
                "{warnings}"
            );
        }
        // As if the days had passed.
        sql.run("UPDATE t SET at = current_date - 1 WHERE id BETWEEN 98 AND 101");
        let last = migration.again().run(0);
        assert_has(&sql, &last, "true");
    }
}

#[test]
fn a_source_that_was_filled_anew_is_refused_until_it_is_reset() {
    let more = [("bigint", "", "n"), ("numeric(12,2)", "", "n / 4.0")];
    for (of_type, _, value) in TIMES.into_iter().chain(more) {
        let database = LocalRedshift::shared().database();
        let sql = session(&database);
        create(&sql, of_type, value, 100);
        let migration = Migration::from(&database)
            .platform("postgresql")
            .table(entry(false, false));
        let first = migration.run(0);
        let stored = first.metadata("SELECT DISTINCT WATERMARK FROM {s}.SYNC_PARTITION");
        let stored = stored[0][0].clone().unwrap();
        sql.run("TRUNCATE t");
        // Nothing to move is no reason to refuse.
        assert_eq!(migration.clone().again().run(0).moved().0, 0);
        sql.run(&format!(
            "INSERT INTO t SELECT n, {value}, 'anew' || n FROM generate_series(1, 60) n"
        ));
        let refused = migration.clone().again().run(1);
        let error = refused.errors_of("t");
        assert!(
            error.contains(&format!("below {stored}"))
                && error.contains("resetPartitions to enabledWithDedup")
                && error.contains("primaryKeyColumns"),
            "{of_type}: {error}"
        );
        assert_eq!(refused.moved().0, 0);
        assert_eq!(
            refused
                .sql
                .number("SELECT COUNT(*) FROM t WHERE v LIKE 'anew%'"),
            0
        );
        // As it says: what is there is replaced, the rest stays, as ever without trackDeletions.
        let anew = migration
            .clone()
            .again()
            .without_tables()
            .table(reset(entry(false, false)));
        let done = anew.run(0);
        done.sql.run("DELETE FROM t WHERE id > 60");
        assert_has(&sql, &done, "true");
        // And then it goes on as before, without the primary key too.
        insert(&sql, value, 61, 80);
        let mut table = entry(false, false);
        table["primaryKeyColumns"] = json!(null);
        let next = migration.again().without_tables().table(table).run(0);
        assert_eq!(next.moved().0, 20);
        assert_has(&sql, &next, "true");
    }
}

/// The newest rows go now and then where deletions are tracked: all rows are moved again, which is right whatever has
/// happened there.
#[test]
fn a_watermark_that_goes_back_moves_all_rows_again_where_deletions_are_tracked() {
    for track_modifications in [false, true] {
        let database = LocalRedshift::shared().database();
        let sql = session(&database);
        let (of_type, _, value) = TIMES[1];
        create(&sql, of_type, value, 100);
        let mut migration = Migration::from(&database).table(entry(track_modifications, true));
        let _ = migration.run(0);
        let refill =
            format!("INSERT INTO t SELECT n, {value}, 'anew' || n FROM generate_series(1, 60) n");
        for changes in [
            vec!["DELETE FROM t WHERE id > 95"],
            vec!["TRUNCATE t", &refill],
        ] {
            for change in changes {
                sql.run(change);
            }
            migration = migration.again();
            let done = migration.run(0);
            assert_has(&sql, &done, "true");
            assert!(
                done.warnings_of("t")
                    .contains("the whole table is moved again")
            );
        }
        insert(&sql, value, 61, 70);
        let done = migration.again().run(0);
        assert_eq!(done.moved().0, 10);
        assert_has(&sql, &done, "true");
    }
}

/// A run that moves rows again, and fails half-way, leaves some of them in the target and some not: the next one replaces
/// them, though nobody tells it to.
#[test]
fn what_a_reset_has_moved_before_it_failed_is_not_added_again() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let (of_type, _, value) = TIMES[1];
    create(&sql, of_type, value, 100);
    sql.run("ALTER TABLE t ADD COLUMN d date");
    let migration = Migration::from(&database).table(entry(false, false));
    let _ = migration.run(0);
    sql.run("UPDATE t SET v = 'changed'");
    sql.run("UPDATE t SET d = '12024-01-01' WHERE id = 50");
    let migration = migration.again().without_tables();
    let failed = migration.clone().table(reset(entry(false, false))).run(1);
    assert!(failed.moved().0 > 0);
    sql.run("UPDATE t SET d = NULL WHERE id = 50");
    let next = migration.clone().again().table(entry(false, false));
    assert_has(&sql, &next.run(0), "true");
    assert_eq!(next.again().run(0).moved().0, 0);
}

#[test]
fn rows_of_the_future_that_were_merged_are_not_added_when_merging_ends() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let (of_type, future, value) = TIMES[1];
    create(&sql, of_type, value, 100);
    sql.run(&format!("UPDATE t SET at = '{future}' WHERE id = 50"));
    let migration = Migration::from(&database).table(entry(true, false));
    let _ = migration.run(0);
    let migration = migration
        .without_tables()
        .table(entry(false, false))
        .again();
    assert_has(&sql, &migration.run(0), "true");
    sql.run(&format!(
        "UPDATE t SET at = (SELECT {value} FROM generate_series(101, 101) n), v = 'mended' WHERE id = 50"
    ));
    insert(&sql, value, 102, 110);
    let migration = migration.again();
    assert_has(&sql, &migration.run(0), "true");
    assert_eq!(migration.again().run(0).moved().0, 0);
}

/// What earlier versions stored once they had seen such a row: nothing below it ever moved again.
#[test]
fn a_stored_watermark_of_the_future_is_refused() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let (of_type, future, value) = TIMES[1];
    create(&sql, of_type, value, 100);
    sql.run(&format!("UPDATE t SET at = '{future}' WHERE id = 50"));
    let migration = Migration::from(&database).table(entry(false, false));
    let first = migration.run(0);
    first.sql.run(&first.in_metadata(&format!(
        "UPDATE {{s}}.SYNC_PARTITION SET WATERMARK = '{future}'"
    )));
    insert(&sql, value, 101, 110);
    for _ in 0..2 {
        let refused = migration.clone().again().run(1);
        let error = refused.errors_of("t");
        assert!(
            error.contains(&format!("below {future}")) && error.contains("enabledWithDedup"),
            "{error}"
        );
        // Mended or not.
        sql.run("UPDATE t SET at = '2009-01-01' WHERE id = 50");
    }
    let reset = migration
        .again()
        .without_tables()
        .table(reset(entry(false, false)));
    assert_has(&sql, &reset.run(0), "true");
}

#[test]
fn the_clock_is_told_in_utc_and_in_the_sessions_zone_whatever_the_sessions_settings() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for platform in [Platform::Redshift, Platform::Postgresql] {
        let dialect = for_platform(platform).unwrap();
        for (zone, style) in [
            ("Pacific/Kiritimati", "German"),
            ("Pacific/Pago_Pago", "SQL, DMY"),
        ] {
            sql.run(&format!("SET timezone TO '{zone}'"));
            sql.run(&format!("SET datestyle TO '{style}'"));
            sql.run("BEGIN");
            let row = sql.rows(dialect.clock_query()).remove(0);
            let cells: Vec<String> = row.into_iter().map(Option::unwrap).collect();
            // By itself, whether each is what it says: the texts are read back in the form that means one thing only.
            let right = format!(
                "SELECT CAST(abs(extract(epoch FROM clock_timestamp() - timestamptz '{0}+00')) < 30 \
                 AND abs(extract(epoch FROM clock_timestamp() - timestamp '{1}')) < 30 \
                 AND date '{2}' = CAST(timestamp '{0}' AS date) - 1 AND date '{3}' = CAST(timestamp '{1}' AS date) - 1 AS text)",
                cells[0], cells[1], cells[2], cells[3]
            );
            assert_eq!(sql.value(&right).as_deref(), Some("true"), "{cells:?}");
            // Not the transaction's time.
            std::thread::sleep(Duration::from_millis(1_100));
            assert_ne!(
                sql.rows(dialect.clock_query()).remove(0)[0].as_deref(),
                Some(cells[0].as_str())
            );
            sql.run("COMMIT");
        }
    }
}
