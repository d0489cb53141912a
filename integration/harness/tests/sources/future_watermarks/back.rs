//! Watermarks that go back, and the reset that is the way out.

use super::{NUMBERS, TIMES, Times, prepared, reset, session};
use serde_json::{Value, json};
use snowhaul_integration::LocalRedshift;

#[test]
fn a_source_that_was_filled_anew_is_refused_until_it_is_reset() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let tables: Vec<&Times> = TIMES.iter().chain(&NUMBERS).collect();
    let migration = prepared(&database, &sql, &tables, |table| table.entry(false, false));
    let first = migration.run(0);
    let stored = |table: &Times| {
        let mut stored = first.metadata.watermarks(&format!(".{}", table.name));
        assert_eq!(stored.len(), 1, "{stored:?}");
        stored.remove(0).unwrap()
    };
    for table in &tables {
        sql.run(&format!("TRUNCATE {}", table.name));
    }
    // Nothing to move is no reason to refuse.
    assert_eq!(migration.clone().again().run(0).moved().0, 0);
    for table in &tables {
        table.insert(&sql, 1, 60);
        sql.run(&format!("UPDATE {} SET v = 'anew'", table.name));
    }
    let refused = migration.clone().again().run(1);
    assert_eq!(refused.moved().0, 0);
    let with = |change: &dyn Fn(Value) -> Value| {
        let none = migration.clone().again().without_tables();
        tables.iter().fold(none, |migration, table| {
            migration.table(change(table.entry(false, false)))
        })
    };
    for table in &tables {
        let error = refused.errors_of(table.name);
        assert!(
            error.contains(&format!("below {}", stored(table)))
                && error.contains("resetPartitions to enabledWithDedup")
                && error.contains("primaryKeyColumns"),
            "{error}"
        );
        let anew = format!("SELECT COUNT(*) FROM {} WHERE v = 'anew'", table.name);
        assert_eq!(refused.sql.number(&anew), 0);
    }
    // As it says: what is there is replaced, the rest stays, as ever without trackDeletions.
    let done = with(&reset).run(0);
    for table in &tables {
        done.sql
            .run(&format!("DELETE FROM {} WHERE id > 60", table.name));
        table.assert_has(&sql, &done, "true");
        table.insert(&sql, 61, 80);
    }
    // And then it goes on as before, without the primary key too.
    let next = with(&|mut entry| {
        entry["primaryKeyColumns"] = json!(null);
        entry
    })
    .run(0);
    assert_eq!(next.moved().0, 100);
    for table in &tables {
        table.assert_has(&sql, &next, "true");
    }
}

/// The newest rows go now and then where deletions are tracked: all rows are moved again, which is right whatever has
/// happened there.
#[test]
fn a_watermark_that_goes_back_moves_all_rows_again_where_deletions_are_tracked() {
    for track_modifications in [false, true] {
        let database = LocalRedshift::shared().database();
        let sql = session(&database);
        let table = &TIMES[1];
        let mut migration = prepared(&database, &sql, &[table], |table| {
            table.entry(track_modifications, true)
        });
        let _ = migration.run(0);
        for changes in [
            &["DELETE FROM times WHERE id > 95"][..],
            &["TRUNCATE times"],
        ] {
            for change in changes {
                sql.run(change);
            }
            if sql.number("SELECT count(*) FROM times") == 0 {
                table.insert(&sql, 1, 60);
                sql.run("UPDATE times SET v = 'anew'");
            }
            migration = migration.again();
            let done = migration.run(0);
            table.assert_has(&sql, &done, "true");
            assert!(
                done.warnings_of("times")
                    .contains("the whole table is moved again")
            );
        }
        table.insert(&sql, 61, 70);
        let done = migration.again().run(0);
        assert_eq!(done.moved().0, 10);
        table.assert_has(&sql, &done, "true");
    }
}

/// A run that moves rows again, and fails half-way, leaves some of them in the target and some not: the next one replaces
/// them, though nobody tells it to.
#[test]
fn what_a_reset_has_moved_before_it_failed_is_not_added_again() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let table = &TIMES[1];
    let migration = prepared(&database, &sql, &[table], |table| table.entry(false, false));
    sql.run("ALTER TABLE times ADD COLUMN d date");
    let _ = migration.run(0);
    sql.run("UPDATE times SET v = 'changed'");
    sql.run("UPDATE times SET d = '12024-01-01' WHERE id = 50");
    let migration = migration.again().without_tables();
    let failed = migration
        .clone()
        .table(reset(table.entry(false, false)))
        .run(1);
    assert!(failed.moved().0 > 0);
    sql.run("UPDATE times SET d = NULL WHERE id = 50");
    let next = migration.again().table(table.entry(false, false));
    table.assert_has(&sql, &next.run(0), "true");
    assert_eq!(next.again().run(0).moved().0, 0);
}

/// What earlier versions stored once they had seen such a row: nothing below it ever moved again.
#[test]
fn a_stored_watermark_of_the_future_is_refused() {
    let database = LocalRedshift::shared().database();
    let sql = session(&database);
    let table = &TIMES[1];
    let migration = prepared(&database, &sql, &[table], |table| table.entry(false, false));
    table.postpone(&sql, "id = 50");
    let first = migration.run(0);
    first.metadata.run(&format!(
        "UPDATE {{s}}.SYNC_PARTITION SET WATERMARK = '{}'",
        table.future
    ));
    table.insert(&sql, 101, 110);
    for _ in 0..2 {
        let refused = migration.clone().again().run(1);
        let error = refused.errors_of("times");
        assert!(
            error.contains(&format!("below {}", table.future))
                && error.contains("enabledWithDedup"),
            "{error}"
        );
        // Mended or not.
        table.mend(&sql, "id = 50", "50");
    }
    let reset = migration
        .again()
        .without_tables()
        .table(reset(table.entry(false, false)));
    table.assert_has(&sql, &reset.run(0), "true");
}
