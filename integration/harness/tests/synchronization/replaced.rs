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
    assert_eq!(first.moved(), (1_000, vec![("LOADED".to_owned(), 5)]));

    // Rows of the source change, go and come; rows of the target's own lie in the middle, beyond both edges, and
    // are gone afterwards.
    sql.run("DELETE FROM t WHERE id % 3 = 0");
    sql.run("UPDATE t SET id = id + 5000 WHERE id % 10 = 1");
    first.sql.run("INSERT INTO t (id, at) VALUES (-5, '2020-01-01'), (301, '2020-01-01'), (99999, '2020-01-01')");
    let second = migration.again().run(0);
    assert_equal(&database, &second, "t");
}
