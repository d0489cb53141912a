//! Columns that change their type.

use super::{assert_says, create, failed, table, warned, watermark};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

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
