//! A run that is killed on its way, again and again, and goes on with the same command.

use crate::tables::{assert_equal, create, entry, insert};
use serde_json::{Value, json};
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migration};
use std::sync::OnceLock;

/// A transaction whose client is gone holds its locks until Snowflake ends it as idle: after five minutes there, here
/// sooner.
fn snowflake() -> &'static LocalSnowflake {
    static SHARED: OnceLock<LocalSnowflake> = OnceLock::new();
    SHARED.get_or_init(|| LocalSnowflake::start(&["--transaction-idle", "5"]))
}

/// The first run whole; then changes, and a second run that is killed again and again before it may end.
fn survives(synchronization: Value, change: &str) {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 600);
    let migration =
        Migration::from(&database)
            .on(snowflake())
            .table(entry("t", 20, synchronization));
    let first = migration.run(0);
    assert_equal(&database, &first, "t");
    insert(&sql, "t", 601, 900);
    sql.run(change);
    let migration = migration.again();
    // Whoever reads the table waits for this.
    let lock = database.sql();
    lock.run("BEGIN");
    lock.run("LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    assert!(migration.kill_when("TASK_QUEUE", "STATUS = 'CLAIMED'"));
    lock.run("ROLLBACK");
    // Where these find it depends on the machine; it may be at its end.
    for (table, condition) in [
        ("PARTITION", "PHASE = 'PENDING'"),
        ("PARTITION", "PHASE IN ('STAGED', 'LOADED')"),
        ("PARTITION", "PHASE = 'LOADED'"),
    ] {
        if !migration.is_complete() {
            migration.kill_when(table, condition);
        }
    }
    let migration = if migration.is_complete() {
        migration.again()
    } else {
        migration
    };
    let last = migration.run(0);
    assert_equal(&database, &last, "t");
    let again = migration.again().run(0);
    assert_eq!(again.moved().0, 0);
    assert_equal(&database, &again, "t");
}

#[test]
fn checksums_survive() {
    survives(
        json!({"strategy": "checksum"}),
        "UPDATE t SET name = 'changed' WHERE id % 50 = 0",
    );
}

#[test]
fn merges_and_deletions_survive() {
    survives(
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true, "trackDeletions": true}),
        "UPDATE t SET name = 'changed', at = at + INTERVAL '1 year' WHERE id % 7 = 0",
    );
}

#[test]
fn appends_above_a_watermark_survive() {
    survives(
        json!({"strategy": "watermark", "watermarkColumn": "id"}),
        "SELECT 1",
    );
}
