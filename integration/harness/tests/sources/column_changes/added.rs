//! Columns that come.

use super::{assert_says, create, insert, table, warned, watermark};
use serde_json::{Value, json};
use snowhaul_integration::{LocalRedshift, Migration};

#[test]
fn a_column_that_is_added_after_a_watermark_is_named_with_the_rows_that_lack_it_and_a_reset_fills_them()
 {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql);
    let mut migration = Migration::from(&database).table(watermark());
    let first = migration.run(0);
    assert_eq!(warned(&first), "");

    // An old state has no columns: it is read, and not compared.
    sql.run("ALTER TABLE t ADD COLUMN early integer DEFAULT 1");
    first.sql.run("ALTER TABLE T ADD COLUMN EARLY NUMBER(10,0)");
    let mut settings: Value = serde_json::from_str(&first.metadata.synchronizations()[0]).unwrap();
    assert!(
        settings
            .as_object_mut()
            .unwrap()
            .remove("columns")
            .is_some()
    );
    let old = settings.to_string().replace('\'', "''");
    first.metadata.run(&format!(
        "UPDATE {{s}}.SYNCHRONIZATION SET SETTINGS = '{old}'"
    ));
    insert(&sql, 101, 110);
    migration = migration.again();
    let second = migration.run(0);
    assert_eq!((second.moved().0, warned(&second).as_str()), (10, ""));

    sql.run("ALTER TABLE t ADD COLUMN late integer DEFAULT 7");
    second.sql.run("ALTER TABLE T ADD COLUMN LATE NUMBER(10,0)");
    insert(&sql, 111, 120);
    migration = migration.again();
    let third = migration.run(0);
    assert_eq!(third.moved().0, 10);
    assert_says(
        &warned(&third),
        &[
            "column late is new since the previous run",
            "whose id is at or below 110",
            "enabledWithDedup",
            "primaryKeyColumns",
        ],
    );
    // Once: the next run compares with this one.
    migration = migration.again();
    assert_eq!(warned(&migration.run(0)), "");

    let mut reset = watermark();
    reset["resetPartitions"] = json!("enabledWithDedup");
    let filled = migration.again().without_tables().table(reset).run(0);
    assert_eq!(warned(&filled), "");
    let all = "SELECT COUNT(*) FROM T WHERE LATE = 7 AND EARLY = 1";
    assert_eq!(filled.sql.number(all), 120);
    assert_eq!(filled.sql.number("SELECT COUNT(*) FROM T"), 120);
}

#[test]
fn a_column_that_is_added_moves_everything_by_the_built_in_checksum_and_is_told_by_ones_own() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql);
    for (expression, rows) in [(None, 100), (Some("sum(id)"), 0)] {
        let mut synchronization = json!({"strategy": "checksum"});
        if let Some(expression) = expression {
            synchronization["checksumExpression"] = json!(expression);
        }
        sql.run("ALTER TABLE t DROP COLUMN IF EXISTS late");
        let migration = Migration::from(&database).table(table(synchronization));
        let first = migration.run(0);
        sql.run("ALTER TABLE t ADD COLUMN late integer DEFAULT 7");
        first.sql.run("ALTER TABLE T ADD COLUMN LATE NUMBER(10,0)");
        let second = migration.again().run(0);
        assert_eq!(second.moved().0, rows, "{expression:?}");
        let filled = second.sql.number("SELECT COUNT(*) FROM T WHERE LATE = 7");
        assert_eq!(filled, rows, "{expression:?}");
        let warned = warned(&second);
        match expression {
            None => assert_eq!(warned, ""),
            Some(_) => assert_says(
                &warned,
                &[
                    "column late is new",
                    "checksum has not changed",
                    "resetPartitions",
                ],
            ),
        }
    }
}
