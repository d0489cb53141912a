//! A table of changes on both sides, and their comparison.

use serde_json::{Value, json};
use snowhaul_integration::{Database, Migrated, Sql};

/// `id`, `grp`, `name` (NULL and empty), `amount`, `at`.
pub fn create(sql: &Sql, table: &str, rows: i64) {
    sql.run(&format!(
        "CREATE TABLE {table} (id bigint PRIMARY KEY, grp integer, name varchar(40), amount numeric(12,2), at timestamp NOT NULL)"
    ));
    insert(sql, table, 1, rows);
}

/// Rows with these ids.
pub fn insert(sql: &Sql, table: &str, from: i64, to: i64) {
    sql.run(&format!(
        "INSERT INTO {table} SELECT n, n % 7, CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'name ' || n END, n * 1.25, \
         TIMESTAMP '2024-01-01' + n * INTERVAL '1 minute' FROM generate_series({from}, {to}) n"
    ));
    sql.run(&format!("ANALYZE {table}"));
}

/// The table as a workflow's file has it, in partitions of `rows`.
pub fn entry(table: &str, rows: i64, synchronization: Value) -> Value {
    json!({
        "source": {"tableName": table}, "target": {"tableName": table},
        "columnNamesToPartitionBy": ["id"],
        "partitionSize": {"maxRowsPerPartition": rows},
        "primaryKeyColumns": ["id"],
        "synchronization": synchronization,
    })
}

/// Every row and every value, in both.
pub fn assert_equal(database: &Database<'_>, migrated: &Migrated, table: &str) {
    let source = database.sql().rows(&format!(
        "SELECT id::text, grp::text, name, amount::text, to_char(at, 'YYYY-MM-DD HH24:MI:SS.US') FROM {table} x ORDER BY x.id"
    ));
    let target = migrated.sql.rows(&format!(
        "SELECT id::VARCHAR, grp::VARCHAR, name, amount::VARCHAR, TO_CHAR(at, 'YYYY-MM-DD HH24:MI:SS.FF6') FROM {table} x ORDER BY x.id"
    ));
    let different = source.iter().zip(&target).find(|(a, b)| a != b);
    assert_eq!(different, None, "{table}");
    assert_eq!(source.len(), target.len(), "{table}");
}
