//! Columns that come, go and change their type between the runs of a table.

use serde_json::{Value, json};
use snowhaul_integration::{LocalRedshift, Migrated, Migration, Sql};

/// Rows with these ids.
fn insert(sql: &Sql, from: i64, to: i64) {
    sql.run(&format!(
        "INSERT INTO t (id, v, c) SELECT n, n * 1.25, 'c' || n FROM generate_series({from}, {to}) n"
    ));
}

/// A table `t` of 100 rows.
fn create(sql: &Sql) {
    sql.run("CREATE TABLE t (id bigint PRIMARY KEY, v numeric(10,2), c varchar(20))");
    insert(sql, 1, 100);
    sql.run("ANALYZE t");
}

fn table(synchronization: Value) -> Value {
    json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"},
        "columnNamesToPartitionBy": ["id"],
        "partitionSize": {"maxRowsPerPartition": 50},
        "primaryKeyColumns": ["id"],
        "synchronization": synchronization,
    })
}

fn watermark() -> Value {
    table(json!({"strategy": "watermark", "watermarkColumn": "id"}))
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
}

/// The warnings of the workflow that has just ended: those of the newest.
fn warned(run: &Migrated) -> String {
    run.metadata.newest_warnings()
}

fn failed(run: &Migrated) -> String {
    run.metadata.newest_errors()
}

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

#[test]
fn a_column_of_another_type_is_told_with_the_rows_that_were_moved_as_the_old_one() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id bigint PRIMARY KEY, a timestamp, b integer, w integer)");
    sql.run("INSERT INTO t SELECT n, TIMESTAMP '2024-07-01 12:00:00', n, n FROM generate_series(1, 10) n");
    let migration = Migration::from(&database).table(watermark());
    let _ = migration.run(0);
    sql.run("ALTER TABLE t ALTER COLUMN a TYPE timestamptz USING a AT TIME ZONE 'Europe/Berlin', ALTER COLUMN b TYPE text, ALTER COLUMN w TYPE bigint");
    sql.run("INSERT INTO t VALUES (11, TIMESTAMPTZ '2024-07-01 12:00:00+02', '11', 11)");
    let second = migration.again().run(0);
    let warned = warned(&second);
    assert_says(
        &warned,
        &[
            "column a was of type timestamp in the previous run, and is of type timestamptz now: the rows that were moved before (whose id is at or below 10) were moved as the old type",
            "column b was of type int4 in the previous run, and is of type text now",
            // Not all of its values fit, and what was moved is what it was.
            "column w of type int8 into W of type NUMBER(10,0)",
            "NUMBER(19,0) (ALTER TABLE … ALTER COLUMN … SET DATA TYPE NUMBER(19,0))",
        ],
    );
    assert!(!warned.contains("column w was"), "{warned}");
    assert_eq!(second.sql.number("SELECT COUNT(*) FROM T"), 11);
}

#[test]
fn a_watermark_column_of_another_type_is_refused_because_its_watermark_means_other_rows() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id bigint PRIMARY KEY, at timestamp NOT NULL)");
    sql.run("INSERT INTO t SELECT n, TIMESTAMP '2024-07-01 12:00:00' + n * INTERVAL '1 minute' FROM generate_series(1, 10) n");
    let by_time = table(json!({"strategy": "watermark", "watermarkColumn": "at"}));
    let migration = Migration::from(&database).table(by_time.clone());
    let _ = migration.run(0);
    sql.run(
        "ALTER TABLE t ALTER COLUMN at TYPE timestamptz USING at AT TIME ZONE 'America/New_York'",
    );
    let migration = migration.again();
    let second = migration.run(1);
    assert_says(
        &failed(&second),
        &[
            "the watermark column at was of type timestamp",
            "enabledWithDedup",
        ],
    );
    assert_eq!(second.moved().0, 0);
    let mut reset = by_time;
    reset["resetPartitions"] = json!("enabledWithDedup");
    let third = migration.again().without_tables().table(reset).run(0);
    assert_eq!(third.sql.number("SELECT COUNT(*) FROM T"), 10);
}

#[test]
fn a_wider_type_is_advised_where_a_value_does_not_fit_and_before() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql);
    sql.run("ALTER TABLE t ADD COLUMN at timestamp(0), ADD COLUMN n numeric, ADD COLUMN i integer");
    let migration = Migration::from(&database)
        .prepare(&["CREATE TABLE T (ID NUMBER(19,0), V NUMBER(10,2), C VARCHAR(20), AT TIMESTAMP_NTZ(0), N NUMBER(8,2), I NUMBER(10,0))"])
        .table(watermark());
    let first = migration.run(0);
    assert_eq!(warned(&first), "");
    sql.run("ALTER TABLE t ALTER COLUMN v TYPE numeric(14,4), ALTER COLUMN c TYPE varchar(40), ALTER COLUMN at TYPE timestamp, ALTER COLUMN i TYPE bigint");
    // All of these fit.
    sql.run("INSERT INTO t VALUES (101, 1.5, 'c', '2024-01-01 00:00:00', 1.5, 1)");
    let migration = migration.again();
    let second = migration.run(0);
    assert_eq!(second.moved().0, 1);
    let in_place = |target: &str| {
        format!("what holds all is {target} (ALTER TABLE … ALTER COLUMN … SET DATA TYPE {target})")
    };
    assert_says(
        &warned(&second),
        &[
            "column v of type numeric(14,4) into V of type NUMBER(10,2)",
            "NUMBER(14,4) (Snowflake does not change a column's scale",
            "column c of type varchar(40) into C of type VARCHAR(20)",
            &in_place("VARCHAR(40)"),
            "TIMESTAMP_NTZ(6) (Snowflake does not change",
            &in_place("NUMBER(19,0)"),
        ],
    );
    assert!(
        !warned(&second).contains("column n "),
        "{}",
        warned(&second)
    );
    // And none of these.
    let mut migration = migration;
    for (id, values, column, advice) in [
        (
            102,
            "1.2345, 'c', NULL, NULL, 1",
            "column v: the value 1.2345",
            "make the target column NUMBER(14,4) (",
        ),
        (
            102,
            "1, 'c', '2024-01-01 00:00:00.5', NULL, 1",
            "column at: the value 2024-01-01 00:00:00.500000",
            "make the target column TIMESTAMP_NTZ(6) (",
        ),
        (
            102,
            "1, 'c', NULL, 1234567.125, 1",
            "column n: the value 1234567.125",
            "make the target column NUMBER(10,3) (",
        ),
        (
            102,
            "1, 'c', NULL, 123456789, 1",
            "column n: the value 123456789",
            "make the target column NUMBER(11,2) (ALTER TABLE",
        ),
        (
            102,
            "1, 'c', NULL, 'NaN', 1",
            "column n: the value NaN",
            "make the target column VARCHAR (",
        ),
        (
            102,
            "1, 'c', NULL, 1, 12345678901",
            "12345678901",
            "what holds all is NUMBER(19,0)",
        ),
        (
            102,
            "1, 'ccccccccccccccccccccccccccccc', NULL, 1, 1",
            "ccccccccccc",
            "what holds all is VARCHAR(40)",
        ),
    ] {
        sql.run(&format!("INSERT INTO t VALUES ({id}, {values})"));
        migration = migration.again();
        let run = migration.run(1);
        assert_says(&failed(&run), &[column, advice]);
        assert_eq!(run.moved().0, 0);
        sql.run(&format!("DELETE FROM t WHERE id = {id}"));
    }
}
