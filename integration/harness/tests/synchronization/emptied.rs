//! Targets that somebody has emptied or dropped since the previous run.

use crate::tables::{assert_equal, create, entry, insert};
use serde_json::{Value, json};
use snowhaul_integration::{LocalRedshift, Migration};

fn is_filled_again(synchronization: &Value, loss: &str) {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 300);
    let migration = Migration::from(&database).table(entry("t", 100, synchronization.clone()));
    let first = migration.run(0);
    insert(&sql, "t", 301, 310);
    first.sql.run(loss);
    let migration = migration.again();
    let second = migration.run(0);
    assert_equal(&database, &second, "t");
    assert!(
        second.warnings_of("t").contains("moved again"),
        "{}",
        second.warnings_of("t")
    );
    let third = migration.again().run(0);
    assert_eq!(third.moved().0, 0, "{loss}");
    assert_equal(&database, &third, "t");
}

#[test]
fn a_target_that_was_dropped_is_filled_again_whatever_the_watermark() {
    let watermark =
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true});
    is_filled_again(&watermark, "DROP TABLE t");
}

#[test]
fn a_target_that_was_emptied_is_filled_again_whatever_the_watermark() {
    is_filled_again(
        &json!({"strategy": "watermark", "watermarkColumn": "at"}),
        "TRUNCATE TABLE t",
    );
}

#[test]
fn a_target_that_was_dropped_is_filled_again_whatever_the_checksums() {
    is_filled_again(&json!({"strategy": "checksum"}), "DROP TABLE t");
}

#[test]
fn a_source_that_was_emptied_empties_its_target_where_deletions_are_tracked() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 100);
    let migration = Migration::from(&database).table(entry(
        "t",
        50,
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackDeletions": true}),
    ));
    let _ = migration.run(0);
    sql.run("DELETE FROM t");
    let second = migration.again().run(0);
    assert_eq!(second.sql.number("SELECT COUNT(*) FROM t"), 0);
}
