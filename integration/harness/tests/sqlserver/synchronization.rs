//! Every strategy over several runs: what has changed is moved, and nothing else.

use crate::columns::COLUMNS;
use crate::values::{differences, fill};
use serde_json::{Value, json};
use snowhaul_integration::{Migration, Source, SqlServer};

fn entry(synchronization: Value) -> Value {
    json!({
        "source": {"tableName": "t"}, "target": {"tableName": "T"},
        "columnNamesToPartitionBy": ["id"], "partitionSize": {"maxRowsPerPartition": 1},
        "primaryKeyColumns": ["id"],
        "synchronization": synchronization,
    })
}

#[test]
fn a_checksum_sees_every_change_of_every_type() {
    let database = SqlServer::shared().database();
    let rows = fill(&database);
    let sql = database.sql();
    let migration = Migration::from(&database).table(entry(json!({"strategy": "checksum"})));
    let first = migration.run(0);
    let wrong = differences(&first, "T", rows);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        migration.clone().again().run(0).moved().0,
        0,
        "nothing has changed"
    );
    // Each column of the row of NULL gets a value, one run after the other: an empty text or a zero is no NULL.
    let (left, right) = COLUMNS.split_at(COLUMNS.len() / 2);
    for column in [left, right].map(|columns| &columns[0]) {
        sql.run(&format!(
            "UPDATE t SET {} = {} WHERE id = {rows}",
            column.name, column.values[0].0
        ));
        let done = migration.clone().again().run(0);
        assert_eq!(done.moved().0, 1, "{}", column.name);
    }
}

/// What a checksum of less than every bit takes for the same.
const CHANGES: &[(&str, &str, &str)] = &[
    ("nvarchar(20)", "N'a'", "N'A'"),
    ("nvarchar(20)", "N'a'", "N'a '"),
    ("nvarchar(20)", "NULL", "N''"),
    ("varchar(20)", "'e'", "N'é'"),
    (
        "varchar(max)",
        "REPLICATE(CAST('x' AS varchar(max)), 20000)",
        "REPLICATE(CAST('x' AS varchar(max)), 19999) + 'y'",
    ),
    ("varbinary(20)", "0x", "0x00"),
    ("varbinary(20)", "NULL", "0x"),
    ("float", "0.1E0", "0.10000000000000002E0"),
    ("real", "CAST(1 AS real)", "CAST(1.0000001 AS real)"),
    (
        "datetime2(7)",
        "'2024-01-01T00:00:00.0000001'",
        "'2024-01-01T00:00:00.0000002'",
    ),
    (
        "datetimeoffset(7)",
        "'2024-01-01 00:00:00 +00:00'",
        "'2024-01-01 01:00:00 +01:00'",
    ),
    ("decimal(38,10)", "1.0000000001", "1.0000000002"),
    ("money", "0.0001", "0.0002"),
    ("bit", "0", "NULL"),
    ("xml", "N'<a/>'", "N'<A/>'"),
    ("text", "'a'", "'b'"),
    ("ntext", "N'a'", "N'b'"),
    ("image", "0x01", "0x02"),
    ("sql_variant", "CAST(1 AS int)", "CAST(1 AS bigint)"),
    (
        "sql_variant",
        "CAST(N'a' AS nvarchar(5))",
        "CAST('a' AS varchar(5))",
    ),
    (
        "hierarchyid",
        "hierarchyid::Parse('/1/')",
        "hierarchyid::Parse('/2/')",
    ),
    (
        "geometry",
        "geometry::STGeomFromText('POINT (1 2)', 0)",
        "geometry::STGeomFromText('POINT (1 2)', 4326)",
    ),
    (
        "uniqueidentifier",
        "'6f9619ff-8b86-d011-b42d-00c04fc964ff'",
        "'6f9619ff-8b86-d011-b42d-00c04fc964fe'",
    ),
];

#[test]
fn changes_that_are_easily_missed_are_seen() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    let mut migration = Migration::from(&database);
    for (number, (kind, before, _)) in CHANGES.iter().enumerate() {
        sql.run(&format!(
            "CREATE TABLE t{number} (id int NOT NULL PRIMARY KEY, v {kind} NULL, w {kind} NULL)"
        ));
        // The same twice: a sum of hashes must not cancel them.
        sql.run(&format!(
            "INSERT INTO t{number} VALUES (1, {before}, NULL), (2, {before}, {before})"
        ));
        migration = migration.table(json!({
            "source": {"tableName": format!("t{number}")}, "target": {"tableName": format!("T{number}")},
            "columnNamesToPartitionBy": ["id"],
            "synchronization": {"strategy": "checksum"},
        }));
    }
    let first = migration.run(0);
    assert_eq!(first.moved().0, 2 * CHANGES.len() as i64);
    let unchanged = migration.clone().again().run(0);
    assert_eq!(unchanged.moved().0, 0);
    for (number, (_, _, after)) in CHANGES.iter().enumerate() {
        sql.run(&format!("UPDATE t{number} SET v = {after} WHERE id = 1"));
    }
    let changed = migration.clone().again().run(0);
    let seen = changed.metadata.rows(&format!(
        "SELECT DISTINCT t.TARGET_TABLE FROM {{s}}.TABLE_STATE t JOIN {{s}}.\"PARTITION\" p ON p.WORKFLOW_ID = t.WORKFLOW_ID \
         AND p.TABLE_NO = t.TABLE_NO JOIN {{s}}.WORKFLOW w ON w.WORKFLOW_ID = t.WORKFLOW_ID WHERE p.PHASE = 'LOADED' AND w.NAME = '{}'",
        changed.workflow
    ));
    assert_eq!(seen.len(), CHANGES.len(), "{seen:?}");
    assert_eq!(changed.moved().0, 2 * CHANGES.len() as i64);
    // A value that changes its place with another is a change too.
    for number in 0..CHANGES.len() {
        sql.run(&format!(
            "UPDATE t{number} SET w = v, v = NULL WHERE id = 1"
        ));
    }
    let swapped = migration.clone().again().run(0);
    let moved = CHANGES
        .iter()
        .filter(|(_, _, after)| *after != "NULL")
        .count();
    assert_eq!(swapped.moved().0, 2 * moved as i64);
}

#[test]
fn a_watermark_on_rowversion_moves_what_commits_late() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, v int NOT NULL, version rowversion)");
    sql.run("INSERT INTO t (id, v) VALUES (1, 1), (2, 1), (3, 1)");
    let migration = Migration::from(&database).table(entry(json!({
        "strategy": "watermark", "watermarkColumn": "version", "trackModifications": true, "trackDeletions": true,
    })));
    // Written, and not committed when the bound is read.
    let late = database.sql();
    late.run("BEGIN TRANSACTION");
    late.run("INSERT INTO t (id, v) VALUES (4, 1)");
    let first = migration.run(0);
    assert_eq!(first.sql.number("SELECT COUNT(*) FROM T"), 3);
    late.run("COMMIT TRANSACTION");
    sql.run("UPDATE t SET v = 2 WHERE id = 1");
    sql.run("DELETE FROM t WHERE id = 2");
    let second = migration.clone().again().run(0);
    let rows = second.sql.rows("SELECT ID, V FROM T ORDER BY ID");
    assert_eq!(rows, sql.rows("SELECT id, v FROM t ORDER BY id"));
    let third = migration.clone().again().run(0);
    assert_eq!(third.moved().0, 0, "nothing has come since");
}

#[test]
fn a_watermark_keeps_all_digits_of_its_time() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, at datetime2(7) NULL)");
    sql.run("INSERT INTO t VALUES (1, '2024-01-01T00:00:00.1234567'), (2, '2024-01-01T00:00:00.1234568')");
    let migration = Migration::from(&database).table(entry(
        json!({"strategy": "watermark", "watermarkColumn": "at"}),
    ));
    assert_eq!(migration.run(0).moved().0, 2);
    sql.run("INSERT INTO t VALUES (3, '2024-01-01T00:00:00.1234569')");
    let second = migration.clone().again().run(0);
    assert_eq!(
        second.moved().0,
        1,
        "neither the last rows again nor the next one lost"
    );
    assert_eq!(migration.clone().again().run(0).moved().0, 0);
    assert_eq!(second.sql.number("SELECT COUNT(*) FROM T"), 3);
}

#[test]
fn identities_continue_where_the_source_was() {
    let database = SqlServer::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id bigint IDENTITY(10, 5) PRIMARY KEY, v int)");
    sql.run("INSERT INTO t (v) VALUES (1), (2), (3)");
    let mut entry = entry(json!({"strategy": "none"}));
    entry["continueIdentityColumns"] = json!(true);
    let done = Migration::from(&database).table(entry).run(0);
    done.sql.run("INSERT INTO T (V) VALUES (4)");
    assert!(done.sql.number("SELECT MAX(ID) FROM T") > 20);
}
