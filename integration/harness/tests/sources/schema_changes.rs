//! Sources whose tables change while they are migrated.

use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

/// Stopped between plan and extraction, changed, and continued.
#[test]
fn a_table_that_is_not_the_planned_one_any_more_is_said_to_have_changed() {
    for platform in ["postgresql", "redshift"] {
        for (change, said) in [
            ("ALTER TABLE t DROP COLUMN v", "column v is gone"),
            ("ALTER TABLE t RENAME COLUMN v TO w", "column v is gone"),
            (
                "ALTER TABLE t ALTER COLUMN v TYPE bigint",
                "column v was int4 and is int8",
            ),
            (
                "ALTER TABLE t ALTER COLUMN v TYPE text",
                "column v was int4 and is text",
            ),
            ("ALTER TABLE t RENAME TO gone", "it is not there any more"),
        ] {
            let database = LocalRedshift::shared().database();
            let sql = database.sql();
            sql.run("CREATE TABLE t (id int PRIMARY KEY, v int)");
            sql.run("INSERT INTO t SELECT n, n FROM generate_series(1, 100) n");
            let migration = Migration::from(&database).platform(platform).table(json!({
                "source": {"tableName": "t"}, "target": {"tableName": "t"}, "columnNamesToPartitionBy": ["id"],
            }));
            let (ended, caused) = migration.run_with("file.put.before=1*return(kill)");
            assert!(!caused.is_empty(), "{}", ended.stderr);
            migration.let_leases_run_out();
            sql.run(change);
            let ended = migration.run(1);
            let error = ended.errors_of("t");
            assert!(error.contains(said), "{platform}: {change}: {error}");
            assert!(error.contains("workflow retry"), "{error}");
            assert_eq!(ended.sql.number("SELECT COUNT(*) FROM t"), 0);
        }
    }
}

/// What the message says to do helps: the change is undone, and the table runs again.
#[test]
fn a_change_that_is_undone_lets_the_table_run_again() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int PRIMARY KEY, v int)");
    sql.run("INSERT INTO t SELECT n, n FROM generate_series(1, 100) n");
    let migration = Migration::from(&database).platform("postgresql").whole("t");
    let (_, caused) = migration.run_with("file.put.before=1*return(kill)");
    assert!(!caused.is_empty());
    migration.let_leases_run_out();
    sql.run("ALTER TABLE t RENAME COLUMN v TO w");
    assert!(migration.run(1).errors_of("t").contains("column v is gone"));
    sql.run("ALTER TABLE t RENAME COLUMN w TO v");
    let (retried, _) = migration.ask_with("retry", "");
    assert_eq!(retried.code(), Some(0), "{}", retried.stderr);
    let ended = migration.run(0);
    assert_eq!(ended.sql.number("SELECT SUM(v) FROM t"), 5050);
}
