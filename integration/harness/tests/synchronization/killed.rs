//! A run that is killed on its way, again and again, and goes on with the same command.

use crate::tables::{assert_equal, create, entry, insert};
use serde_json::{Value, json};
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migration};
use std::sync::OnceLock;
use std::time::Duration;

/// A transaction whose client is gone holds its locks until Snowflake ends it as idle: after five minutes there, here
/// sooner.
fn snowflake() -> &'static LocalSnowflake {
    static SHARED: OnceLock<LocalSnowflake> = OnceLock::new();
    SHARED.get_or_init(|| LocalSnowflake::start(&["--transaction-idle", "5"]))
}

/// The first run whole; then changes, and a second run that is killed three times before it may end.
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
    let was_at_work =
        [1.5, 2.5, 3.5].map(|seconds| migration.kill_after(Duration::from_secs_f64(seconds)));
    assert!(was_at_work[0], "the first kill came too late");
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
