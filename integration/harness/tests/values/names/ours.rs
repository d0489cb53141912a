//! Columns that are called as things of our own statements.

use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

/// What our own statements call things, on either side.
const OURS: &[&str] = &[
    "place",
    "tile",
    "tiles",
    "firsts",
    "boundary_0",
    "boundary_1",
    "key_0",
    "key_1",
    "text_0",
    "text_1",
    "times",
    "shown",
    "c0",
    "c1",
    "c2",
    "t",
    "s",
    "n",
    "x",
    "part",
    "parts",
    "wanted",
    "objects",
    "number",
    "row_number",
    "count",
    "sum",
];

#[test]
fn a_table_whose_columns_are_called_as_ours_is_moved_by_every_strategy() {
    let strategies = [
        ("once", json!({"strategy": "none"})),
        ("replaced", json!({"strategy": "full-replace"})),
        ("compared", json!({"strategy": "checksum"})),
        (
            "merged",
            json!({"strategy": "watermark", "watermarkColumn": "key_0", "trackModifications": true, "trackDeletions": true}),
        ),
    ];
    for platform in ["redshift", "postgresql"] {
        let database = LocalRedshift::shared().database();
        let sql = database.sql();
        let columns: Vec<String> = OURS
            .iter()
            .map(|name| format!("\"{name}\" int NOT NULL"))
            .collect();
        // Numbers whose order as text is another.
        let values: Vec<String> = (0..OURS.len())
            .map(|place| format!("(g.g * {} + {place}) % 1009", 7 + 2 * place))
            .collect();
        sql.run(&format!(
            "CREATE TABLE firsts ({}, PRIMARY KEY (t, s))",
            columns.join(", ")
        ));
        sql.run(&format!(
            "INSERT INTO firsts SELECT {} FROM generate_series(1, 300) g(g)",
            values.join(", ")
        ));
        let table = |target: &str, strategy: &serde_json::Value| {
            json!({
                "source": {"tableName": "firsts"},
                "target": {"tableName": target},
                "columnNamesToPartitionBy": ["place", "tile"],
                "primaryKeyColumns": ["t", "s"],
                "partitionSize": {"maxRowsPerPartition": 100},
                "synchronization": strategy,
            })
        };
        let mut migration = Migration::from(&database).platform(platform);
        for (target, strategy) in &strategies {
            migration = migration.table(table(target, strategy));
        }
        let expected = || sql.rows("SELECT * FROM firsts ORDER BY t, s");
        let done = migration.run(0);
        for (number, (target, _)) in strategies.iter().enumerate() {
            let rows = done
                .sql
                .rows(&format!("SELECT * FROM {target} ORDER BY T, S"));
            assert_eq!(rows, expected(), "{target} on {platform}");
            let (partitions, _) = done.metadata.partitions(number);
            assert!(partitions >= 3, "{target} on {platform}: {partitions}");
        }
        sql.run("UPDATE firsts SET key_0 = key_0 + 2000, shown = -1 WHERE c0 < 100");
        sql.run("DELETE FROM firsts WHERE place > 900");
        let mut migration = migration.again().without_tables();
        for (target, strategy) in &strategies[1..] {
            migration = migration.table(table(target, strategy));
        }
        let done = migration.run(0);
        for (target, _) in &strategies[1..] {
            let rows = done
                .sql
                .rows(&format!("SELECT * FROM {target} ORDER BY T, S"));
            assert_eq!(rows, expected(), "{target} on {platform}, again");
        }
    }
}

#[test]
fn the_row_of_a_refused_value_is_found_by_keys_that_are_called_as_ours() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (key_0 int, text_0 int, shown date, times int)");
    sql.run("INSERT INTO t VALUES (10, 1, 'infinity', 1), (9, 2, 'infinity', 1), (9, 10, 'infinity', 1), (1, 1, '2024-01-01', 1)");
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnNamesToPartitionBy": ["key_0", "text_0"],
        }))
        .run(1);
    let errors = done.errors_of("t");
    assert!(
        errors.contains("the value infinity in the row with key_0 = 9, text_0 = 2"),
        "{errors}"
    );
}
