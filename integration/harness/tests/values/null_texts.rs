//! Texts that formats and tools take for NULL are texts.

use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration, Row, Sql};

fn rows(sql: &Sql) -> Vec<Row> {
    let mut rows = sql.rows("SELECT id, name FROM t");
    // Each side has an order of its own.
    rows.sort();
    rows
}

#[test]
fn texts_that_look_like_null_arrive_as_they_are_through_every_strategy() {
    let database = LocalRedshift::shared().database();
    let source = database.sql();
    for (number, synchronization) in [
        json!({"strategy": "none"}),
        json!({"strategy": "full-replace"}),
        json!({"strategy": "checksum"}),
        json!({"strategy": "watermark", "watermarkColumn": "at"}),
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true, "trackDeletions": true}),
    ]
    .into_iter()
    .enumerate()
    {
        source.run("DROP TABLE IF EXISTS t");
        source.run("CREATE TABLE t (id varchar(10) PRIMARY KEY, name varchar(10), at timestamp NOT NULL)");
        let insert = |more: u32, day: u32| {
            // Also as keys, which have no NULL.
            for text in ["'\\N'", "'NULL'", "''", "'\\\\N'", "'null'", "NULL"] {
                let id = if text == "NULL" { "'none'" } else { text };
                source.run(&format!(
                    "INSERT INTO t VALUES ({id} || repeat('x', {more}), {text}, TIMESTAMP '2024-01-{day:02}')"
                ));
            }
        };
        insert(0, 1);
        let migration = Migration::from(&database).table(json!({
            "source": {"tableName": "t"}, "target": {"tableName": "t"},
            "primaryKeyColumns": ["id"],
            "synchronization": synchronization,
        }));
        let first = migration.run(0);
        let (sent, arrived) = (rows(&source), rows(&first.sql));
        assert_eq!(sent, arrived, "{synchronization}");
        if number == 0 {
            continue;
        }
        // The same again, and changed rows beside new ones.
        insert(1, 2);
        if number != 3 {
            source.run("UPDATE t SET at = TIMESTAMP '2024-01-03', name = '\\N' WHERE name = 'NULL'");
        }
        let second = migration.again().run(0);
        assert_eq!(rows(&source), rows(&second.sql), "{synchronization}");
    }
}
