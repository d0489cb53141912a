//! Rows are recognized by what the source promises, where nobody names a key: and by nothing that it does not.

use serde_json::{Value, json};
use snowhaul_integration::{Database, LocalRedshift, Migrated, Migration};

fn tracked(name: &str, more: &Value) -> Value {
    let mut table = json!({
        "source": {"tableName": name}, "target": {"tableName": name},
        "synchronization": {"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true, "trackDeletions": true},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        table[key] = value.clone();
    }
    table
}

fn assert_same(database: &Database<'_>, done: &Migrated, table: &str) {
    let values =
        |cast: &str| format!("SELECT id::{cast}, no::{cast}, v FROM {table} ORDER BY 1, 2");
    let source = database.sql().rows(&values("varchar"));
    assert_eq!(done.sql.rows(&values("VARCHAR")), source, "{table}");
}

#[test]
fn keys_that_the_source_promises_are_inferred_and_told() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let columns = "id integer NOT NULL, no integer NOT NULL, v varchar(20), at timestamp NOT NULL";
    for statement in [
        &format!("CREATE TABLE pk ({columns}, PRIMARY KEY (id, no))"),
        &format!("CREATE TABLE uq ({columns})"),
        "CREATE UNIQUE INDEX uq_no ON uq (no)",
        &format!("CREATE TABLE dedup ({columns}, PRIMARY KEY (no))"),
    ] {
        sql.run(statement);
    }
    let tables = ["pk", "uq", "dedup"];
    for table in tables {
        sql.run(&format!(
            "INSERT INTO {table} SELECT n % 3, n, 'v' || n, timestamp '2024-01-01' + n * interval '1 hour' FROM generate_series(1, 90) n"
        ));
    }
    let watermark = json!({"synchronization": {"strategy": "watermark", "watermarkColumn": "at"}, "resetPartitions": "enabledWithDedup"});
    let migration = Migration::from(&database)
        .platform("postgresql")
        .table(tracked("pk", &json!({})))
        .table(tracked("uq", &json!({"primaryKeyColumns": []})))
        .table(tracked("dedup", &watermark));
    let plan = migration.plan(&[]);
    for told in [
        "because: rows are recognized by: id, no (inferred: primary key)",
        "because: rows are recognized by: no (inferred: unique constraint or index uq_no)",
        "warning: primaryKeyColumns names no column: rows are recognized by id, no, the columns of the primary key",
    ] {
        assert!(plan.stdout.contains(told), "{told}\n{}", plan.stdout);
    }
    let _ = migration.run(0);
    for table in tables {
        sql.run(&format!(
            "UPDATE {table} SET v = 'new', at = at + interval '1 year' WHERE no % 10 = 0"
        ));
        sql.run(&format!(
            "INSERT INTO {table} VALUES (1, 1000, NULL, '2025-06-01')"
        ));
    }
    sql.run("DELETE FROM pk WHERE no = 7");
    sql.run("DELETE FROM uq WHERE no = 8");
    let done = migration.again().run(0);
    for table in tables {
        assert_same(&database, &done, table);
        let warnings = done.warnings_of(table);
        assert!(
            warnings.contains("primaryKeyColumns names no column"),
            "{table}: {warnings}"
        );
        assert!(
            !warnings.contains("does not enforce"),
            "{table}: {warnings}"
        );
    }
}

#[test]
fn a_key_that_redshift_does_not_enforce_is_inferred_with_that_said() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run(
        "CREATE TABLE declared (id integer PRIMARY KEY, no integer, v varchar(9), at timestamp)",
    );
    sql.run("INSERT INTO declared SELECT n, n, 'v', timestamp '2024-01-01' FROM generate_series(1, 20) n");
    let migration = Migration::from(&database).table(tracked("declared", &json!({})));
    let done = migration.run(0);
    let warnings = done.warnings_of("declared");
    assert!(
        warnings.contains(
            "by id, the columns of the primary key, which the source declares and does not enforce"
        ),
        "{warnings}"
    );
    sql.run("UPDATE declared SET v = 'new', at = '2025-01-01' WHERE id = 3");
    let done = migration.again().run(0);
    assert_same(&database, &done, "declared");
}

#[test]
fn what_is_no_promise_is_no_key() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for statement in [
        "CREATE TABLE loose (id integer, no integer NOT NULL, v text, at timestamp)",
        // NULL as often as you like; not of all rows; of an expression; and of what is left out.
        "CREATE UNIQUE INDEX ON loose (id)",
        "CREATE UNIQUE INDEX ON loose (no) WHERE no > 5",
        "CREATE UNIQUE INDEX ON loose ((no + 1))",
        "CREATE TABLE hidden (id integer PRIMARY KEY, no integer, v text, at timestamp)",
        "CREATE TABLE parent (id integer PRIMARY KEY, no integer, v text, at timestamp)",
        "CREATE TABLE child () INHERITS (parent)",
        "INSERT INTO parent VALUES (1, 1, 'a', '2024-01-01')",
        "INSERT INTO child VALUES (1, 2, 'b', '2024-01-01')",
    ] {
        sql.run(statement);
    }
    let done = Migration::from(&database)
        .platform("postgresql")
        .prepare(&[])
        .table(tracked("loose", &json!({})))
        .table(tracked("hidden", &json!({"excludeSourceColumns": ["id"]})))
        .table(tracked("parent", &json!({})))
        .run(1);
    for (table, why) in [
        (
            "loose",
            "no unique index whose columns are all NOT NULL and go into the target",
        ),
        (
            "hidden",
            "no unique index whose columns are all NOT NULL and go into the target",
        ),
        (
            "parent",
            "no constraint of the source reaches beyond one table",
        ),
    ] {
        let error = done.errors_of(table);
        assert!(
            error.contains("primaryKeyColumns names no column"),
            "{table}: {error}"
        );
        assert!(error.contains(why), "{table}: {error}");
    }
}
