//! What stands between a statement and the rows that it compares: policies, collations, late views, a sequence that COPY
//! refuses. Nothing is doubled or deleted by it.

use crate::tables::{assert_equal, create, entry, insert};
use serde_json::{Value, json};
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migration, Row, Sql};

fn merging() -> Value {
    json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true, "trackDeletions": true})
}

const TARGET: &str = "CREATE TABLE {t} (ID NUMBER(19,0), GRP NUMBER(10,0), NAME VARCHAR, AMOUNT NUMBER(12,2), AT TIMESTAMP_NTZ(6))";

#[test]
fn a_masked_key_is_refused_where_rows_are_compared_by_it_and_nothing_is_moved() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let tables = [
        ("none", json!({"strategy": "none"})),
        ("replaced", json!({"strategy": "full-replace"})),
        ("sums", json!({"strategy": "checksum"})),
        ("merged", merging()),
        ("tagged", merging()),
    ];
    let mut migration = Migration::from(&database);
    let mut statements = vec![
        "CREATE MASKING POLICY HIDE AS (V NUMBER) RETURNS NUMBER -> 0".to_owned(),
        "CREATE TAG SECRET".to_owned(),
        "ALTER TAG SECRET SET MASKING POLICY HIDE".to_owned(),
    ];
    for (table, synchronization) in tables {
        create(&sql, table, 50);
        migration = migration.table(entry(table, 20, synchronization));
        statements.push(TARGET.replace("{t}", table));
        statements.push(match table {
            "tagged" => format!("ALTER TABLE {table} MODIFY COLUMN ID SET TAG SECRET = 'yes'"),
            _ => format!("ALTER TABLE {table} MODIFY COLUMN ID SET MASKING POLICY HIDE"),
        });
        // One that nothing is compared by.
        statements.push(format!(
            "ALTER TABLE {table} MODIFY COLUMN AMOUNT SET MASKING POLICY HIDE"
        ));
    }
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    let ended = migration.prepare(&statements).run(1);
    assert_equal(&database, &ended, "none");
    for table in ["replaced", "sums", "merged", "tagged"] {
        let errors = ended.errors_of(table);
        assert!(
            errors.contains("column ID has the masking policy")
                && errors.contains("UNSET MASKING POLICY"),
            "{table}: {errors}"
        );
        assert!(!errors.contains("column AMOUNT"), "{table}: {errors}");
        assert_eq!(
            ended.sql.number(&format!("SELECT COUNT(*) FROM {table}")),
            0,
            "{table}"
        );
    }
}

#[test]
fn a_target_that_hides_rows_is_refused_unless_rows_are_only_added_to_it() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let mut migration = Migration::from(&database);
    let mut statements =
        vec!["CREATE ROW ACCESS POLICY FEW AS (V NUMBER) RETURNS BOOLEAN -> V < 10".to_owned()];
    for (table, synchronization) in [
        ("none", json!({"strategy": "none"})),
        ("replaced", json!({"strategy": "full-replace"})),
        (
            "added",
            json!({"strategy": "watermark", "watermarkColumn": "at"}),
        ),
        ("merged", merging()),
    ] {
        create(&sql, table, 50);
        migration = migration.table(entry(table, 20, synchronization));
        statements.push(TARGET.replace("{t}", table));
        statements.push(format!(
            "ALTER TABLE {table} ADD ROW ACCESS POLICY FEW ON (ID)"
        ));
    }
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    let migration = migration.prepare(&statements);
    let ended = migration.run(1);
    assert_equal(&database, &ended, "none");
    for table in ["replaced", "added", "merged"] {
        let errors = ended.errors_of(table);
        assert!(
            errors.contains("row access policy") && errors.contains("DROP ALL ROW ACCESS POLICIES"),
            "{table}: {errors}"
        );
        assert_eq!(
            ended.sql.number(&format!("SELECT COUNT(*) FROM {table}")),
            0,
            "{table}"
        );
    }
}

#[test]
fn a_column_that_a_sequence_fills_and_the_source_lacks_is_named_before_anything_is_moved() {
    let database = LocalRedshift::shared().database();
    database
        .sql()
        .run("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 10) n");
    let migration = Migration::from(&database).whole("t");
    let sequence = format!("\"{}\".\"PUBLIC\".\"NUMBERS\"", migration.target());
    let create =
        format!("CREATE TABLE T (ID NUMBER(10,0), NO NUMBER(38,0) DEFAULT {sequence}.NEXTVAL)");
    let ended = migration
        .prepare(&["CREATE SEQUENCE NUMBERS", &create])
        .run(1);
    let errors = ended.errors_of("t");
    assert!(
        errors.contains("the target column \"NO\" is filled by the sequence"),
        "{errors}"
    );
    assert_eq!(ended.sql.number("SELECT COUNT(*) FROM t"), 0);
}

fn keys(sql: &Sql) -> Vec<Row> {
    let mut rows = sql.rows("SELECT id, v FROM t");
    rows.sort();
    rows
}

/// Keys that a collation takes for one, through runs that add, replace and delete.
fn are_told_apart(
    prepare: impl Fn(Migration<'_>) -> Migration<'_>,
    between: impl Fn(&Migration<'_>, &Sql),
) {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id varchar(10) PRIMARY KEY, v varchar(10), n integer NOT NULL)");
    sql.run("INSERT INTO t VALUES ('a', 'one', 1), ('A', 'two', 1), ('b', 'three', 1), ('B', 'four', 1)");
    let migration = prepare(Migration::from(&database).table(json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"}, "primaryKeyColumns": ["id"],
        "synchronization": {"strategy": "watermark", "watermarkColumn": "n", "trackModifications": true, "trackDeletions": true},
    })));
    let first = migration.run(0);
    assert_eq!(keys(&sql), keys(&first.sql));
    between(&migration, &first.sql);
    sql.run("UPDATE t SET v = 'changed', n = 2 WHERE id = 'A'");
    sql.run("DELETE FROM t WHERE id = 'b'");
    sql.run("INSERT INTO t VALUES ('C', 'five', 2), ('c', 'six', 2)");
    let second = migration.again().run(0);
    assert_eq!(keys(&sql), keys(&second.sql));
}

#[test]
fn a_key_that_the_target_collates_is_compared_exactly() {
    let create = "CREATE TABLE T (ID VARCHAR(10) COLLATE 'en-ci', V VARCHAR(10), N NUMBER(10,0))";
    are_told_apart(|migration| migration.prepare(&[create]), |_, _| {});
}

#[test]
fn defaults_of_databases_give_no_collation_to_what_is_created() {
    are_told_apart(
        |migration| {
            let default = format!(
                "ALTER DATABASE {} SET DEFAULT_DDL_COLLATION = 'en-ci'",
                migration.target()
            );
            migration.prepare(&[&default])
        },
        |migration, sql| {
            // There are staging tables in the second run.
            let metadata = migration.metadata_database();
            sql.run(&format!(
                "ALTER DATABASE {metadata} SET DEFAULT_DDL_COLLATION = 'en-ci'"
            ));
            let types: Vec<Row> = sql.rows("DESCRIBE TABLE t");
            assert!(
                types
                    .iter()
                    .all(|row| !row[1].as_deref().unwrap_or_default().contains("COLLATE")),
                "{types:?}"
            );
        },
    );
}

#[test]
fn what_a_session_sees_late_is_merged_and_deleted_all_the_same() {
    let server = LocalSnowflake::start(&["--late-visibility", "3"]);
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t", 100);
    let migration = Migration::from(&database)
        .on(&server)
        .table(entry("t", 30, merging()));
    let _ = migration.run(0);
    sql.run("UPDATE t SET name = 'changed', at = at + INTERVAL '1 day' WHERE id % 9 = 0");
    sql.run("DELETE FROM t WHERE id % 7 = 0");
    insert(&sql, "t", 101, 120);
    let second = migration.again().run(0);
    assert_equal(&database, &second, "t");
    // Whatever has a staging table has it in one session; what drops it may be another.
    let mut sessions = std::collections::BTreeMap::new();
    for entry in server.statements() {
        let text = entry["sql"].as_str().unwrap_or_default();
        let Some(place) = text.find("STAGING_").filter(|_| !text.starts_with("DROP")) else {
            continue;
        };
        let name: String = text[place..].chars().take_while(|c| *c != '"').collect();
        let session = entry["session"].to_string();
        assert_eq!(
            *sessions.entry(name.clone()).or_insert(session.clone()),
            session,
            "{name}: {text}"
        );
    }
    assert!(sessions.len() > 2, "{sessions:?}");
}
