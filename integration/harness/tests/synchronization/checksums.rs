//! `checksum`: partitions whose rows are the same stay where they are; all others are replaced.

use crate::tables::{assert_equal, create, entry, insert};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration};

fn phases(unchanged: i64, loaded: i64) -> Vec<(String, i64)> {
    [("LOADED", loaded), ("UNCHANGED", unchanged)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(phase, count)| (phase.to_owned(), count))
        .collect()
}

/// Both forms of the checksum, each with the range of NULL: Redshift's by text, PostgreSQL's own.
fn only_what_has_changed_moves(postgresql: bool) {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 1_000);
    let mut migration =
        Migration::from(&database).table(entry("t", 100, json!({"strategy": "checksum"})));
    if postgresql {
        migration = migration.platform("postgresql");
    }
    let first = migration.run(0);
    assert_eq!(first.moved(), (1_000, phases(0, 11)));
    assert_equal(&database, &first, "t");

    migration = migration.again();
    let second = migration.run(0);
    assert_eq!(second.moved(), (0, phases(11, 0)));

    // Two rows of one partition exchange a value; NULL becomes empty in another; a row goes; rows come behind the end.
    sql.run("UPDATE t SET amount = CASE id WHEN 10 THEN 20 * 1.25 ELSE 10 * 1.25 END WHERE id IN (10, 20)");
    sql.run("UPDATE t SET name = '' WHERE id = 300");
    sql.run("DELETE FROM t WHERE id = 555");
    insert(&sql, "t", 1_001, 1_005);
    migration = migration.again();
    let third = migration.run(0);
    let (moved, found) = third.moved();
    assert_equal(&database, &third, "t");
    assert_eq!(found, phases(7, 4), "{moved} rows");

    migration = migration.again();
    let fourth = migration.run(0);
    assert_eq!(fourth.moved(), (0, phases(11, 0)));
    assert_equal(&database, &fourth, "t");
}

#[test]
fn only_what_has_changed_in_a_redshift_moves() {
    only_what_has_changed_moves(false);
}

#[test]
fn only_what_has_changed_in_a_postgresql_moves() {
    only_what_has_changed_moves(true);
}

#[test]
fn a_partition_that_failed_is_moved_by_the_next_run_and_the_others_are_not() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 400);
    sql.run("UPDATE t SET at = '12024-01-01' WHERE id = 150");
    let migration =
        Migration::from(&database).table(entry("t", 100, json!({"strategy": "checksum"})));
    let first = migration.run(1);
    assert!(
        first.errors_of("t").contains("id = 150"),
        "{}",
        first.errors_of("t")
    );
    assert_eq!(first.moved().0, 300);

    sql.run("UPDATE t SET at = '2024-01-01' WHERE id = 150");
    let second = migration.again().run(0);
    assert_eq!(second.moved(), (100, phases(4, 1)));
    assert_equal(&database, &second, "t");
}

#[test]
fn partitions_that_grow_far_beyond_their_size_are_cut_again() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 300);
    let migration =
        Migration::from(&database).table(entry("t", 100, json!({"strategy": "checksum"})));
    let first = migration.run(0);
    assert_eq!(first.moved(), (300, phases(0, 4)));
    insert(&sql, "t", 301, 1_300);
    let migration = migration.again();
    let second = migration.run(0);
    assert_equal(&database, &second, "t");
    let (_, found) = second.moved();
    assert!(found.contains(&("UNCHANGED".to_owned(), 3)), "{found:?}");
    assert!(
        found.iter().any(|(phase, n)| phase == "LOADED" && *n > 5),
        "{found:?}"
    );
    let third = migration.again().run(0);
    assert_eq!(third.moved().0, 0);
    assert_equal(&database, &third, "t");
}

#[test]
fn partitions_are_made_anew_when_they_are_reset_and_replace_what_is_there() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 300);
    let migration =
        Migration::from(&database).table(entry("t", 100, json!({"strategy": "checksum"})));
    let _ = migration.run(0);
    let mut table = entry("t", 50, json!({"strategy": "checksum"}));
    table["resetPartitions"] = json!("enabled");
    let migration = migration.again().without_tables().table(table);
    let second = migration.run(0);
    assert_eq!(second.moved(), (300, phases(0, 7)));
    assert_equal(&database, &second, "t");
}

#[test]
fn an_own_expression_decides_what_has_changed() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 200);
    let own = json!({"strategy": "checksum", "checksumExpression": "max(at)"});
    let migration = Migration::from(&database).table(entry("t", 100, own));
    let _ = migration.run(0);
    // Not seen by it, as the user wants.
    sql.run("UPDATE t SET name = 'other' WHERE id = 5");
    let migration = migration.again();
    assert_eq!(migration.run(0).moved(), (0, phases(3, 0)));
    sql.run("UPDATE t SET at = '2030-01-01' WHERE id = 150");
    assert_eq!(migration.again().run(0).moved(), (100, phases(2, 1)));
}
