//! Columns that come, go and change their type between the runs of a table.

mod added;
mod gone;
mod types;

use serde_json::{Value, json};
use snowhaul_integration::{Migrated, Sql};

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
