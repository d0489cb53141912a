//! Runs while the source is written to: what comes in between is in this run or in the next, never lost, never twice.

use crate::tables::{assert_equal, create, entry};
use serde_json::{Value, json};
use snowhaul_integration::{Database, LocalRedshift, Migration};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Runs while writers are at work.
const RUNS_BETWEEN: usize = 2;

/// What the writers do besides adding rows.
#[derive(Clone, Copy, PartialEq)]
enum Writing {
    Inserts,
    Updates,
    Everything,
}

/// Migrates again and again while two sessions write, in transactions that overlap and end out of order; then once more.
fn migrate_while_writing(database: &Database<'_>, writing: Writing, synchronization: Value) {
    let sql = database.sql();
    create(&sql, "t", 300);
    // A time that is taken at the statement, long before the commit.
    sql.run("ALTER TABLE t ALTER COLUMN at SET DEFAULT clock_timestamp()");
    sql.run("UPDATE t SET at = clock_timestamp()");
    let mut migration = Migration::from(database)
        .platform("postgresql")
        .table(entry("t", 100, synchronization));
    let (stop, next) = (AtomicBool::new(false), AtomicI64::new(1_000));
    let migration = std::thread::scope(|scope| {
        for writer in 0..2_u64 {
            let (stop, next) = (&stop, &next);
            scope.spawn(move || {
                let sql = database.sql();
                while !stop.load(Ordering::SeqCst) {
                    let id = next.fetch_add(1, Ordering::SeqCst);
                    sql.run("BEGIN");
                    sql.run(&format!(
                        "INSERT INTO t (id, grp, name) VALUES ({id}, 1, 'new {id}')"
                    ));
                    if writing != Writing::Inserts {
                        // Each writer has its own half, so that they do not wait for each other.
                        sql.run(&format!(
                            "UPDATE t SET amount = {id}, at = clock_timestamp() WHERE id % 40 = {}",
                            id % 20 * 2 + writer as i64
                        ));
                    }
                    if writing == Writing::Everything {
                        sql.run(&format!(
                            "UPDATE t SET name = NULL WHERE id % 60 = {}",
                            id % 30 * 2 + writer as i64
                        ));
                        sql.run(&format!(
                            "DELETE FROM t WHERE id % 200 = {}",
                            id % 100 * 2 + writer as i64
                        ));
                    }
                    std::thread::sleep(Duration::from_millis(20 + 120 * writer));
                    sql.run("COMMIT");
                }
            });
        }
        for _ in 0..RUNS_BETWEEN {
            migration = migration.again();
            let _ = migration.run(0);
        }
        stop.store(true, Ordering::SeqCst);
        migration
    });
    let migration = migration.again();
    let last = migration.run(0);
    assert!(
        next.load(Ordering::SeqCst) > 1_010,
        "the writers have written"
    );
    assert_equal(database, &last, "t");
    assert_eq!(migration.again().run(0).moved().0, 0);
}

#[test]
fn rows_that_are_added_during_runs_arrive_once() {
    migrate_while_writing(
        &LocalRedshift::shared().database(),
        Writing::Inserts,
        json!({"strategy": "watermark", "watermarkColumn": "at"}),
    );
}

#[test]
fn rows_that_are_added_and_updated_during_runs_arrive_in_their_last_version() {
    migrate_while_writing(
        &LocalRedshift::shared().database(),
        Writing::Updates,
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true}),
    );
}

#[test]
fn whatever_happens_during_runs_a_checksum_sees_it() {
    migrate_while_writing(
        &LocalRedshift::shared().database(),
        Writing::Everything,
        json!({"strategy": "checksum"}),
    );
}
