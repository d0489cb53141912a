//! NULL in columns that the catalog calls NOT NULL: children that do not keep it, domains, foreign tables. No row falls out
//! of the ranges of a key or of the windows of a watermark for it, in whatever state earlier versions have left.

mod predicates;

use serde_json::{Value, json};
use snowhaul_integration::{Database, LocalRedshift, Migrated, Migration, Sql};

/// Tables `(id, at, v)`, and their rows.
const TABLES: [(&str, i64); 6] = [
    ("parent", 207),
    ("child", 7),
    ("joined", 100),
    ("composed", 100),
    ("remote", 100),
    ("seen", 100),
];

/// Of a row's number: NULL in both columns, in one of them, or in none.
const HOLES: &str = "CASE WHEN n % 20 <> 0 THEN n END AS id, \
     CASE WHEN n % 30 <> 0 THEN timestamp '2024-01-01' + n * interval '1 minute' END AS at, 'v' || n AS v";

fn create(database: &Database<'_>) -> Sql {
    let sql = database.sql();
    let filled = "n, timestamp '2024-01-01' + n * interval '1 minute', 'v' || n";
    for statement in [
        "CREATE TABLE parent (id int PRIMARY KEY, at timestamp NOT NULL, v text)",
        "CREATE TABLE child () INHERITS (parent)",
        "ALTER TABLE child ALTER COLUMN id DROP NOT NULL, ALTER COLUMN at DROP NOT NULL",
        &format!("INSERT INTO parent SELECT {filled} FROM generate_series(1, 200) n"),
        "INSERT INTO child SELECT NULL, NULL, 'child' || n FROM generate_series(1, 5) n",
        "INSERT INTO child VALUES (1000, NULL, 'child6'), (NULL, timestamp '2024-01-01 12:00:00', 'child7')",
        "CREATE DOMAIN whole AS int NOT NULL",
        "CREATE DOMAIN moment AS timestamp NOT NULL",
        "CREATE TABLE numbered (n int, id whole)",
        "CREATE TABLE dated (n int, at moment)",
        "INSERT INTO numbered SELECT n, n FROM generate_series(1, 100) n WHERE n % 20 <> 0",
        "INSERT INTO dated SELECT n, timestamp '2024-01-01' + n * interval '1 minute' FROM generate_series(1, 100) n WHERE n % 30 <> 0",
        // What is missing at the other side of a join has no value, whatever its domain says.
        "CREATE TABLE joined AS SELECT id, at, 'v' || n AS v FROM generate_series(1, 100) n LEFT JOIN numbered USING (n) LEFT JOIN dated USING (n)",
        // Nor has a field of what is NULL as a whole.
        "CREATE TYPE pair AS (id whole, at moment)",
        "CREATE TABLE composed (id whole, at moment, v text)",
        &format!("INSERT INTO composed SELECT {filled} FROM generate_series(1, 95) n"),
        "INSERT INTO composed SELECT (CAST(NULL AS pair)).id, (CAST(NULL AS pair)).at, 'v' || n FROM generate_series(96, 100) n",
        &format!("CREATE TABLE elsewhere AS SELECT {HOLES} FROM generate_series(1, 100) n"),
    ] {
        sql.run(statement);
    }
    let (user, password) = database.login();
    let admin = LocalRedshift::shared().admin(database.name());
    for statement in [
        "CREATE EXTENSION postgres_fdw".to_owned(),
        format!(
            "CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{}', dbname '{}')",
            database.port_of("postgresql"),
            database.name()
        ),
        format!(
            "CREATE USER MAPPING FOR {user} SERVER other OPTIONS (user '{user}', password '{password}')"
        ),
        format!("GRANT USAGE ON FOREIGN SERVER other TO {user}"),
    ] {
        admin.run(&statement);
    }
    // Nobody keeps what is promised here.
    sql.run("CREATE FOREIGN TABLE remote (id int NOT NULL, at timestamp NOT NULL, v text) SERVER other OPTIONS (table_name 'elsewhere')");
    sql.run("CREATE VIEW seen AS SELECT * FROM remote");
    sql
}

/// A table as the workflow's file has it, in partitions of 60 rows. No key: it is inferred.
fn entry(table: &str, target: &str, key: Option<&[&str]>, synchronization: &Value) -> Value {
    json!({
        "source": {"tableName": table}, "target": {"tableName": target},
        "columnNamesToPartitionBy": key,
        "partitionSize": {"maxRowsPerPartition": 60},
        "synchronization": synchronization,
    })
}

/// Every row as often and every value, in both.
fn assert_equal(sql: &Sql, migrated: &Migrated, source: &str, target: &str) {
    let mut were = sql.rows(&format!(
        "SELECT CAST(id AS text), to_char(at, 'YYYY-MM-DD HH24:MI:SS'), v FROM {source}"
    ));
    let mut are = migrated.sql.rows(&format!(
        "SELECT id::VARCHAR, TO_CHAR(at, 'YYYY-MM-DD HH24:MI:SS'), v FROM {target}"
    ));
    were.sort();
    are.sort();
    assert_eq!(are.len(), were.len(), "{target}");
    let different = were.iter().zip(&are).find(|(was, is)| was != is);
    assert_eq!(different, None, "{target}");
}

fn from<'a>(database: &'a Database<'a>) -> Migration<'a> {
    Migration::from(database).platform("postgresql")
}

#[test]
fn rows_with_null_in_the_key_arrive_whatever_the_catalog_says() {
    let database = LocalRedshift::shared().database();
    let sql = create(&database);
    let mut migration = from(&database);
    // Without the defaults' key, so that one is inferred.
    let defaults = json!({
        "source": {"databaseName": database.name(), "schemaName": "public"},
        "target": {"databaseName": migration.target(), "schemaName": "PUBLIC"},
    });
    migration = migration.top(json!({"defaultTableConfiguration": defaults}));
    let mut targets = Vec::new();
    for (name, rows) in TABLES {
        assert_eq!(sql.number(&format!("SELECT count(*) FROM {name}")), rows);
        for key in [&["id"][..], &["at", "id"]] {
            targets.push((name, format!("{name}_{}", key.len()), Some(key)));
        }
    }
    // By the parent's primary key, which says nothing of its child.
    targets.push(("parent", "inferred".to_owned(), None));
    for (name, target, key) in &targets {
        migration = migration.table(entry(name, target, *key, &json!({"strategy": "none"})));
    }
    let done = migration.run(0);
    for (name, target, _) in &targets {
        assert_equal(&sql, &done, name, target);
    }
    let (inferred, _) = done.metadata.partitions(12);
    assert!(inferred > 1, "{inferred}");
}

#[test]
fn rows_with_null_in_the_key_are_replaced_like_others() {
    let database = LocalRedshift::shared().database();
    let sql = create(&database);
    let strategies = ["checksum", "full-replace"];
    let tables = ["parent", "joined", "composed", "remote"];
    let mut migration = from(&database);
    for strategy in strategies {
        for name in tables {
            let target = format!("{name}_{}", &strategy[..1]);
            let synchronization = json!({"strategy": strategy});
            migration =
                migration.table(entry(name, &target, Some(&["id", "at"]), &synchronization));
        }
    }
    let _ = migration.run(0);
    for change in [
        "UPDATE child SET v = 'new ' || v WHERE v = 'child6'",
        "DELETE FROM child WHERE v = 'child2'",
        "INSERT INTO child VALUES (NULL, NULL, 'child8')",
        "DELETE FROM joined WHERE v = 'v20'",
        "UPDATE composed SET v = 'new ' || v WHERE id IS NULL AND v <> 'v97'",
        "UPDATE elsewhere SET id = 20 WHERE v = 'v20'",
        "INSERT INTO elsewhere VALUES (NULL, NULL, 'v101')",
    ] {
        sql.run(change);
    }
    let done = migration.again().run(0);
    for strategy in strategies {
        for name in tables {
            assert_equal(&sql, &done, name, &format!("{name}_{}", &strategy[..1]));
        }
    }
}

fn watermark(track_modifications: bool, track_deletions: bool) -> Value {
    json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": track_modifications, "trackDeletions": track_deletions})
}

#[test]
fn rows_without_a_watermark_move_with_the_first_run_and_a_warning_says_so() {
    let database = LocalRedshift::shared().database();
    let sql = create(&database);
    sql.run(&format!(
        "CREATE TABLE filled AS SELECT {} FROM generate_series(1, 100) n WHERE n % 30 <> 0",
        HOLES.replace("WHEN n % 20 <> 0", "WHEN true")
    ));
    let mut migration = from(&database);
    for (name, _) in TABLES {
        migration = migration.table(entry(name, name, Some(&["id"]), &watermark(false, false)));
    }
    migration = migration.table(entry("filled", "filled", None, &watermark(false, false)));
    let first = migration.run(0);
    for (name, _) in TABLES {
        assert_equal(&sql, &first, name, name);
        let warnings = first.warnings_of(name);
        assert!(
            warnings.contains("the watermark at is NULL in some rows")
                && warnings.contains("trackModifications"),
            "{name}: {warnings}"
        );
    }
    // It may be NULL there as well, but is not.
    assert!(!first.warnings_of("filled").contains("is NULL"));
    assert_equal(&sql, &first, "filled", "filled");
    // What comes after that arrives if it has one, and the warning stands there again.
    sql.run(
        "INSERT INTO child VALUES (NULL, timestamp '2024-02-01', 'with'), (NULL, NULL, 'without')",
    );
    let second = migration.again().run(0);
    assert_eq!(
        second.sql.rows("SELECT v FROM child WHERE v LIKE 'with%'"),
        [[Some("with".to_owned())]]
    );
    assert!(second.warnings_of("child").contains("is NULL in some rows"));
    assert_eq!(second.moved().0, 2);
}

#[test]
fn rows_without_a_watermark_are_merged_by_every_run() {
    let database = LocalRedshift::shared().database();
    let sql = create(&database);
    let tables = ["parent", "joined", "composed", "remote"];
    let mut migration = from(&database);
    for name in tables {
        let mut entry = entry(name, name, Some(&["id"]), &watermark(true, true));
        entry["primaryKeyColumns"] = json!(["v"]);
        migration = migration.table(entry);
    }
    let first = migration.run(0);
    for change in [
        "UPDATE child SET id = 7000 WHERE v = 'child2'",
        "DELETE FROM child WHERE v = 'child3'",
        "INSERT INTO child VALUES (NULL, NULL, 'child8')",
        "UPDATE joined SET id = 7000 WHERE v = 'v30'",
        "INSERT INTO composed SELECT id, at, 'v101' FROM composed WHERE v = 'v100'",
        "UPDATE elsewhere SET id = 7000 WHERE v = 'v60'",
    ] {
        sql.run(change);
    }
    let migration = migration.again();
    let second = migration.run(0);
    let third = migration.again().run(0);
    for done in [&second, &third] {
        for name in tables {
            assert_equal(&sql, done, name, name);
            assert!(!done.warnings_of(name).contains("NULL"), "{name}");
        }
    }
    drop(first);
}

/// NULL in a key is equal to NULL: the row is neither added again nor taken for one that is gone.
#[test]
fn a_null_in_a_primary_key_column_neither_doubles_rows_nor_deletes_them() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run(&format!(
        "CREATE TABLE t AS SELECT {} FROM generate_series(1, 100) n",
        HOLES.replace("WHEN n % 30 <> 0", "WHEN true")
    ));
    let mut entry = entry("t", "t", Some(&["v"]), &watermark(true, true));
    entry["primaryKeyColumns"] = json!(["id", "v"]);
    let mut migration = from(&database).table(entry);
    let _ = migration.run(0);
    for change in [
        "UPDATE t SET at = at + interval '1 day' WHERE id IS NULL",
        "DELETE FROM t WHERE v IN ('v20', 'v21')",
    ] {
        sql.run(change);
        migration = migration.again();
        let done = migration.run(0);
        assert_equal(&sql, &done, "t", "t");
    }
    // Of two new ones nobody could say which replaces the other.
    sql.run("INSERT INTO t SELECT NULL, timestamp '2024-06-01', 'two' FROM generate_series(1, 2)");
    let refused = migration.again().run(1);
    assert!(
        refused.errors_of("t").contains("do not identify a row")
            && refused.errors_of("t").contains("NULL"),
        "{}",
        refused.errors_of("t")
    );
}

/// Turns the state of a table back into what earlier versions stored: a key that is called NOT NULL, and no range for
/// rows with a NULL in it.
fn as_stored_before(done: &Migrated, target: &str) {
    for change in [
        format!(
            "UPDATE {{s}}.SYNCHRONIZATION SET SETTINGS = REPLACE(SETTINGS, '\"nullable\":true', '\"nullable\":false') WHERE TARGET_TABLE LIKE '%{target}'"
        ),
        format!(
            "DELETE FROM {{s}}.SYNC_PARTITION WHERE KEY_RANGE LIKE '%nullKey%' AND SYNC_KEY IN (SELECT SYNC_KEY FROM {{s}}.SYNCHRONIZATION WHERE TARGET_TABLE LIKE '%{target}')"
        ),
    ] {
        assert!(done.metadata.run(&change).count > 0, "{change}");
    }
}

#[test]
fn what_earlier_versions_left_behind_arrives_and_nothing_else_moves_again() {
    let database = LocalRedshift::shared().database();
    let sql = create(&database);
    let cases = [
        ("joined", "appended", watermark(false, false)),
        ("composed", "merged", watermark(true, false)),
        ("remote", "compared", json!({"strategy": "checksum"})),
    ];
    let mut migration = from(&database);
    for (name, target, synchronization) in &cases {
        let mut entry = entry(name, target, Some(&["id"]), synchronization);
        entry["primaryKeyColumns"] = json!(["v"]);
        migration = migration.table(entry);
    }
    let first = migration.run(0);
    for (_, target, _) in &cases {
        as_stored_before(&first, target);
        first
            .sql
            .run(&format!("DELETE FROM {target} WHERE id IS NULL"));
    }
    let migration = migration.again();
    let second = migration.run(0);
    for (name, target, _) in &cases {
        assert_equal(&sql, &second, name, target);
    }
    // 5 rows each, and of the merged table those without a watermark, which have no key either.
    assert_eq!(second.moved().0, 15);
    assert!(second.warnings_of("joined").contains("left them behind"));
    // Now the state is whole.
    let third = migration.again().run(0);
    assert_eq!(third.moved().0, 5);
    for (name, target, _) in &cases {
        assert_equal(&sql, &third, name, target);
    }
}

/// By a key of several columns earlier versions moved some of the rows with a NULL and not others.
#[test]
fn what_earlier_versions_may_have_left_behind_is_refused_or_merged() {
    let database = LocalRedshift::shared().database();
    let sql = create(&database);
    let mut migration = from(&database);
    for (target, merges) in [("appended", false), ("merged", true)] {
        let mut entry = entry(
            "joined",
            target,
            Some(&["id", "at"]),
            &watermark(merges, false),
        );
        entry["primaryKeyColumns"] = json!(["v"]);
        migration = migration.table(entry);
    }
    let first = migration.run(0);
    for target in ["appended", "merged"] {
        as_stored_before(&first, target);
        first
            .sql
            .run(&format!("DELETE FROM {target} WHERE id IS NULL"));
    }
    let second = migration.clone().again().run(1);
    assert_equal(&sql, &second, "joined", "merged");
    let error = second.errors_of("joined");
    assert!(
        error.contains("NULL in the key column id, at") && error.contains("enabledWithDedup"),
        "{error}"
    );
    assert_eq!(second.sql.number("SELECT COUNT(*) FROM appended"), 95);
    // As the message says.
    let mut reset = entry(
        "joined",
        "appended",
        Some(&["id", "at"]),
        &watermark(false, false),
    );
    reset["primaryKeyColumns"] = json!(["v"]);
    reset["resetPartitions"] = json!("enabledWithDedup");
    let third = migration.again().without_tables().table(reset).run(0);
    assert_equal(&sql, &third, "joined", "appended");
}

/// A range without bounds had no condition: rows with a NULL were moved with it, and are not moved twice.
#[test]
fn what_earlier_versions_moved_as_one_partition_is_not_moved_again() {
    let database = LocalRedshift::shared().database();
    let sql = create(&database);
    let mut table = entry("joined", "joined", Some(&["id"]), &watermark(false, false));
    table["partitionSize"] = json!({"maxRowsPerPartition": 1000});
    let migration = from(&database).table(table);
    let first = migration.run(0);
    as_stored_before(&first, "joined");
    sql.run("INSERT INTO joined VALUES (500, timestamp '2024-02-01', 'new')");
    sql.run(
        "INSERT INTO joined SELECT id, timestamp '2024-02-01', 'newer' FROM joined WHERE v = 'v20'",
    );
    let second = migration.again().run(0);
    assert_eq!(second.moved().0, 2);
    assert_equal(&sql, &second, "joined", "joined");
}
