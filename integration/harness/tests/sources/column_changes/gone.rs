//! Columns that go, or that change their names.

use super::{assert_says, create, failed, table, warned, watermark};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

#[test]
fn a_column_that_is_gone_from_the_source_keeps_its_values_or_nothing_is_moved() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql);
    let strategies = [
        json!({"strategy": "full-replace"}),
        json!({"strategy": "checksum"}),
    ];
    let runs = strategies.map(|strategy| {
        let migration = Migration::from(&database).table(table(strategy));
        let first = migration.run(0);
        assert_eq!(warned(&first), "");
        (migration, first)
    });
    sql.run("ALTER TABLE t RENAME COLUMN c TO renamed");
    for (migration, first) in &runs {
        // What the error of today tells to do.
        first
            .sql
            .run("ALTER TABLE T ADD COLUMN RENAMED VARCHAR(20)");
        let second = migration.clone().again().run(1);
        assert_says(
            &failed(&second),
            &[
                "the target column C has values",
                "no source column fills it",
                "columnNameMappings",
                "DROP COLUMN",
            ],
        );
        let kept = "SELECT COUNT(*) FROM T WHERE C = 'c' || ID AND RENAMED IS NULL";
        assert_eq!(second.sql.number(kept), 100);
        // One of the ways out.
        second.sql.run("ALTER TABLE T DROP COLUMN RENAMED");
        let mut mapped = table(json!({"strategy": "full-replace"}));
        mapped["columnNameMappings"] = json!([{"sourceName": "renamed", "targetName": "C"}]);
        let again = migration.clone().again().without_tables();
        let third = again.table(mapped).run(0);
        assert_eq!(warned(&third), "");
        let all = "SELECT COUNT(*) FROM T WHERE C = 'c' || ID";
        assert_eq!(third.sql.number(all), 100);
        // Another.
        third.sql.run("ALTER TABLE T DROP COLUMN C");
        third
            .sql
            .run("ALTER TABLE T ADD COLUMN RENAMED VARCHAR(20)");
        let last = migration.clone().again().run(0);
        let all = "SELECT COUNT(*) FROM T WHERE RENAMED = 'c' || ID";
        assert_eq!(last.sql.number(all), 100);
    }
}

#[test]
fn columns_that_change_their_names_are_moved_again_though_their_checksum_is_the_same() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id bigint PRIMARY KEY, a integer, b integer)");
    sql.run("INSERT INTO t SELECT n, 1, 2 FROM generate_series(1, 100) n");
    let migration = Migration::from(&database).table(table(json!({"strategy": "checksum"})));
    let _ = migration.run(0);
    sql.run("ALTER TABLE t RENAME COLUMN a TO x");
    sql.run("ALTER TABLE t RENAME COLUMN b TO a");
    sql.run("ALTER TABLE t RENAME COLUMN x TO b");
    let migration = migration.again();
    let second = migration.run(0);
    assert_eq!(second.moved().0, 100);
    assert_says(
        &warned(&second),
        &["the columns have changed", "moved again"],
    );
    let right = "SELECT COUNT(*) FROM T WHERE A = 2 AND B = 1";
    assert_eq!(second.sql.number(right), 100);
    assert_eq!(migration.again().run(0).moved().0, 0);
}

#[test]
fn a_column_that_is_newly_excluded_is_not_set_to_null_and_one_with_a_default_is_no_hindrance() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql);
    let migration = Migration::from(&database)
        .prepare(&["CREATE TABLE T (ID NUMBER(19,0), V NUMBER(10,2), C VARCHAR(20), AT TIMESTAMP_NTZ DEFAULT SYSDATE(), NOTE VARCHAR)"])
        .table(table(json!({"strategy": "full-replace"})));
    let first = migration.run(0);
    assert_eq!(first.sql.number("SELECT COUNT(AT) FROM T"), 100);
    let mut without = table(json!({"strategy": "full-replace"}));
    without["excludeSourceColumns"] = json!(["c"]);
    let excluding = migration.again().without_tables().table(without);
    // A dry run tells of it.
    let dry = excluding.clone().top(json!({"preflight": true})).run(0);
    assert_says(
        &warned(&dry),
        &[
            "the target column C has values",
            "a run that replaces rows is refused",
        ],
    );
    let second = excluding.again().run(1);
    assert_says(
        &failed(&second),
        &["the target column C has values", "excludeSourceColumns"],
    );
    assert_eq!(second.sql.number("SELECT COUNT(C) FROM T"), 100);
}

#[test]
fn a_first_run_that_replaces_rows_does_not_touch_a_target_with_values_that_nothing_fills() {
    let database = LocalRedshift::shared().database();
    create(&database.sql());
    let migration = Migration::from(&database)
        .prepare(&[
            "CREATE TABLE T (ID NUMBER(19,0), V NUMBER(10,2), C VARCHAR(20), NOTE VARCHAR)",
            "INSERT INTO T (ID, NOTE) VALUES (1, 'by hand')",
        ])
        .table(table(json!({"strategy": "full-replace"})));
    let run = migration.run(1);
    assert_says(&failed(&run), &["the target column NOTE has values"]);
    assert_eq!(
        run.sql
            .number("SELECT COUNT(*) FROM T WHERE NOTE = 'by hand'"),
        1
    );
}

#[test]
fn a_column_that_is_gone_stays_in_rows_that_were_moved_by_a_watermark_and_that_is_told() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql);
    let migration = Migration::from(&database).table(watermark());
    let _ = migration.run(0);
    sql.run("ALTER TABLE t DROP COLUMN c");
    sql.run("INSERT INTO t (id, v) SELECT n, n FROM generate_series(101, 110) n");
    let second = migration.again().run(0);
    assert_eq!(second.moved().0, 10);
    assert_says(
        &warned(&second),
        &[
            "the target column C has values",
            "(the previous run did, from c)",
            "rows that this run adds have NULL there",
        ],
    );
    assert_eq!(second.sql.number("SELECT COUNT(C) FROM T"), 100);
}
