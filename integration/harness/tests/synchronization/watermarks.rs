//! `watermark`: rows above the last one move, once.

use crate::tables::{assert_equal, create, entry, insert};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

#[test]
fn only_rows_above_the_watermark_move_and_each_of_them_once() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 500);
    let mut migration = Migration::from(&database).table(entry(
        "t",
        100,
        json!({"strategy": "watermark", "watermarkColumn": "at"}),
    ));
    let first = migration.run(0);
    assert_eq!(first.moved().0, 500);
    assert_equal(&database, &first, "t");

    migration = migration.again();
    let second = migration.run(0);
    assert_eq!(second.moved(), (0, vec![("UNCHANGED".to_owned(), 6)]));

    insert(&sql, "t", 501, 530);
    migration = migration.again();
    let third = migration.run(0);
    assert_eq!(third.moved().0, 30);
    assert_equal(&database, &third, "t");

    // Or each run would have to look above as many watermarks as there were runs.
    let watermarks = third.metadata.watermarks("");
    assert_eq!(watermarks.len(), 1, "{watermarks:?}");

    // Far more than a partition's worth at the end.
    insert(&sql, "t", 531, 1_500);
    migration = migration.again();
    let fourth = migration.run(0);
    let (moved, phases) = fourth.moved();
    assert_eq!(moved, 970);
    assert!(
        phases.iter().any(|(phase, n)| phase == "LOADED" && *n > 3),
        "{phases:?}"
    );
    assert_equal(&database, &fourth, "t");
    assert_eq!(migration.again().run(0).moved().0, 0);
}

#[test]
fn rows_that_were_updated_replace_their_old_version_by_a_composite_key() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 500);
    let mut table = entry(
        "t",
        100,
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true}),
    );
    table["primaryKeyColumns"] = json!(["grp", "id"]);
    let mut migration = Migration::from(&database).table(table);
    let first = migration.run(0);
    assert_eq!(first.moved().0, 500);
    sql.run(
        "UPDATE t SET name = 'new', amount = NULL, at = at + INTERVAL '1 year' WHERE id % 50 = 0",
    );
    insert(&sql, "t", 600_000, 600_009);
    migration = migration.again();
    let second = migration.run(0);
    assert_eq!(second.moved().0, 20);
    assert_equal(&database, &second, "t");
    assert_eq!(migration.again().run(0).moved().0, 0);
}

#[test]
fn rows_that_are_gone_from_the_source_are_deleted() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 300);
    let mut migration = Migration::from(&database).table(entry(
        "t",
        100,
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true, "trackDeletions": true}),
    ));
    let first = migration.run(0);
    assert_equal(&database, &first, "t");
    sql.run("DELETE FROM t WHERE id BETWEEN 90 AND 110");
    insert(&sql, "t", 301, 310);
    migration = migration.again();
    let second = migration.run(0);
    assert_eq!(second.moved().0, 10);
    assert_equal(&database, &second, "t");
    sql.run("DELETE FROM t");
    migration = migration.again();
    let third = migration.run(0);
    assert_eq!(third.moved().0, 0);
    assert_equal(&database, &third, "t");
}

#[test]
fn a_partition_that_failed_is_moved_by_the_next_run_from_its_own_watermark() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 400);
    sql.run("ALTER TABLE t ADD COLUMN d date");
    sql.run("UPDATE t SET d = '12024-01-01' WHERE id = 150");
    let mut migration = Migration::from(&database).table(entry(
        "t",
        100,
        json!({"strategy": "watermark", "watermarkColumn": "at"}),
    ));
    let first = migration.run(1);
    assert_eq!(first.moved().0, 300);
    sql.run("UPDATE t SET d = NULL WHERE id = 150");
    insert(&sql, "t", 401, 405);
    migration = migration.again();
    let second = migration.run(0);
    assert_eq!(second.moved().0, 105);
    assert_equal(&database, &second, "t");
    assert_eq!(migration.again().run(0).moved().0, 0);
}

#[test]
fn a_reset_with_dedup_merges_what_is_there_already() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 300);
    let watermark = json!({"strategy": "watermark", "watermarkColumn": "id"});
    let migration = Migration::from(&database).table(entry("t", 100, watermark.clone()));
    let _ = migration.run(0);
    sql.run("UPDATE t SET name = 'changed behind the watermark' WHERE id = 7");
    let mut table = entry("t", 100, watermark);
    table["resetPartitions"] = json!("enabledWithDedup");
    let second = migration.again().without_tables().table(table).run(0);
    assert_eq!(second.moved().0, 300);
    assert_equal(&database, &second, "t");
}

#[test]
fn a_changed_predicate_is_refused_with_its_remedy_and_moves_nothing() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 100);
    let watermark = json!({"strategy": "watermark", "watermarkColumn": "id"});
    let migration = Migration::from(&database).table(entry("t", 100, watermark.clone()));
    let _ = migration.run(0);
    let mut table = entry("t", 100, watermark);
    table["whereClauseCriteria"] = json!("id > 50");
    let second = migration.again().without_tables().table(table).run(1);
    assert!(
        second.errors_of("t").contains("resetPartitions"),
        "{}",
        second.errors_of("t")
    );
    assert_eq!(second.moved().0, 0);
}

#[test]
fn a_key_that_does_not_identify_rows_is_told_and_nothing_is_merged() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 100);
    let mut table = entry(
        "t",
        100,
        json!({"strategy": "watermark", "watermarkColumn": "id", "trackModifications": true}),
    );
    table["primaryKeyColumns"] = json!(["grp"]);
    let migration = Migration::from(&database)
        .table(table)
        .prepare(&["CREATE TABLE T (ID NUMBER(19,0), GRP NUMBER(10,0), NAME VARCHAR(40), AMOUNT NUMBER(12,2), AT TIMESTAMP_NTZ(6))", "INSERT INTO T (ID) VALUES (-1)"]);
    let first = migration.run(1);
    assert!(
        first.errors_of("t").contains("primaryKeyColumns"),
        "{}",
        first.errors_of("t")
    );
    assert_eq!(first.sql.number("SELECT COUNT(*) FROM T"), 1);
}

#[test]
fn an_analysis_of_a_state_that_another_run_has_moved_on_since_is_not_planned() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 300);
    let migration = Migration::from(&database).table(entry(
        "t",
        100,
        json!({"strategy": "watermark", "watermarkColumn": "at"}),
    ));
    let first = migration.run(0);
    insert(&sql, "t", 301, 310);
    // As if it had been made before the first run loaded anything: it would load all rows again.
    first.metadata.run(
        "INSERT INTO {s}.TASK_QUEUE (TASK_ID, WORKFLOW_ID, TABLE_NO, KIND, SOURCE_PLATFORM, PRIORITY, STATUS, RESULT, ENDED_AT) \
         SELECT (WORKFLOW_ID + 1)::VARCHAR || '/0/ANALYZE', WORKFLOW_ID + 1, TABLE_NO, KIND, SOURCE_PLATFORM, PRIORITY, STATUS, RESULT, ENDED_AT \
         FROM {s}.TASK_QUEUE WHERE KIND = 'ANALYZE'",
    );
    let second = migration.again().run(0);
    let analyses = second.metadata.rows(
        "SELECT WORKFLOW_ID, ATTEMPT FROM {s}.TASK_QUEUE WHERE KIND = 'ANALYZE' ORDER BY WORKFLOW_ID",
    );
    let once = |id: &str| vec![Some(id.to_owned()), Some("1".to_owned())];
    assert_eq!(analyses, [once("1"), once("2")]);
    assert_eq!(second.moved().0, 10);
    assert_equal(&database, &second, "t");
}
