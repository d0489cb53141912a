//! `none` and `full-replace`.

use crate::tables::{assert_equal, create, entry};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

#[test]
fn a_full_replacement_leaves_exactly_the_sources_rows_whatever_was_there() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 1_000);
    let migration =
        Migration::from(&database).table(entry("t", 200, json!({"strategy": "full-replace"})));
    let first = migration.run(0);
    assert_equal(&database, &first, "t");
    assert_eq!(first.moved(), (1_000, vec![("LOADED".to_owned(), 6)]));

    // Rows of the source change, go and come; rows of the target's own lie in the middle, beyond both edges, and
    // are gone afterwards.
    sql.run("DELETE FROM t WHERE id % 3 = 0");
    sql.run("UPDATE t SET id = id + 5000 WHERE id % 10 = 1");
    first.sql.run("INSERT INTO t (id, at) VALUES (-5, '2020-01-01'), (301, '2020-01-01'), (99999, '2020-01-01')");
    let second = migration.again().run(0);
    assert_equal(&database, &second, "t");
}

/// Where the source sorts text in another order than Snowflake, a range has to mean the same rows on both sides all the
/// same.
#[test]
fn ranges_of_text_in_another_collation_replace_the_rows_that_they_hold() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id text COLLATE \"en-x-icu\" PRIMARY KEY, v integer)");
    // Upper case, lower case, umlauts, blanks and signs mixed: ICU puts them next to each other, bytes do not.
    sql.run(
        "INSERT INTO t SELECT (ARRAY['a', 'B', 'ä', 'Z', '_', ' ', '-', 'é', '\\', ''''])[1 + n % 10] || n, n FROM generate_series(1, 500) n",
    );
    sql.run("ANALYZE t");
    for strategy in ["full-replace", "checksum"] {
        let migration = Migration::from(&database)
            .platform("postgresql")
            .table(json!({
                "source": {"tableName": "t"}, "target": {"tableName": "t"},
                "columnNamesToPartitionBy": ["id"],
                "partitionSize": {"maxRowsPerPartition": 50},
                "synchronization": {"strategy": strategy},
            }));
        let _ = migration.run(0);
        sql.run("UPDATE t SET v = v + 1000 WHERE v % 7 = 0");
        sql.run("DELETE FROM t WHERE v % 31 = 0");
        let second = migration.again().run(0);
        let all = "SELECT id, v FROM t";
        let mut source = sql.rows("SELECT id, v::text FROM t");
        let mut target = second.sql.rows(&all.replace(" v ", " v::VARCHAR "));
        source.sort();
        target.sort();
        assert_eq!(target.len(), source.len(), "{strategy}");
        assert!(target == source, "{strategy}: rows differ");
    }
}
