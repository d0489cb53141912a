//! What a workflow leaves behind: staged files, transient tables and schemas, generators.

use serde_json::json;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migrated, Migration};

fn staged_files(migrated: &Migrated) -> usize {
    migrated.metadata.staged_files().len()
}

#[test]
fn staged_files_go_as_the_workflow_says() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE good AS SELECT n AS id FROM generate_series(1, 100) n");
    sql.run("CREATE TABLE bad AS SELECT DATE '12024-01-01' AS d");
    for (when, with_failure, remain) in [
        ("never", false, true),
        ("on-success", false, false),
        ("on-success", true, true),
        ("always", true, false),
    ] {
        let mut migration = Migration::from(&database)
            .whole("good")
            .top(json!({"cleanUpTransientResources": when}));
        if with_failure {
            migration = migration.whole("bad");
        }
        let ended = migration.run(i32::from(with_failure));
        assert_eq!(ended.sql.number("SELECT COUNT(*) FROM good"), 100);
        assert_eq!(staged_files(&ended) > 0, remain, "{when}, {with_failure}");
    }
}

#[test]
fn a_dry_run_fills_a_schema_of_its_own_and_leaves_nothing() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 1000) n");
    sql.run("ANALYZE t");
    for keep in [false, true] {
        let dry = Migration::from(&database)
            .table(json!({
                "source": {"tableName": "t"}, "target": {"tableName": "t"},
                "columnNamesToPartitionBy": ["id"], "partitionSize": {"maxRowsPerPartition": 100},
                "synchronization": {"strategy": "watermark", "watermarkColumn": "id"},
            }))
            .top(json!({"preflight": true, "preflightKeepSchema": keep}))
            .run(0);
        assert_eq!(dry.moved(), (100, vec![("LOADED".to_owned(), 1)]));
        let tables = dry.sql.rows(&format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM {}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA'",
            dry.target
        ));
        let expected: &[[&str; 2]] = if keep {
            &[["PREFLIGHT_1", "PUBLIC__T"]]
        } else {
            &[]
        };
        let found: Vec<Vec<&str>> = tables
            .iter()
            .map(|row| {
                row.iter()
                    .map(|cell| cell.as_deref().unwrap_or_default())
                    .collect()
            })
            .collect();
        assert_eq!(found, expected, "keep: {keep}");
        // Nothing is left for a run that counts.
        assert_eq!(dry.metadata.count("SYNCHRONIZATION", "TRUE"), 0);
    }
}

#[test]
fn identity_columns_count_on_behind_the_rows_that_were_moved() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE made (id serial, name text)");
    sql.run("CREATE TABLE existing (id bigint, name text)");
    sql.run("INSERT INTO made (name) SELECT 'x' FROM generate_series(1, 50)");
    sql.run("INSERT INTO existing SELECT n * 10, 'x' FROM generate_series(1, 50) n");
    let entry = |table: &str| json!({"source": {"tableName": table}, "target": {"tableName": table}, "continueIdentityColumns": true});
    let migration = Migration::from(&database)
        .table(entry("made"))
        .table(entry("existing"))
        .prepare(&[
            "CREATE TABLE EXISTING (ID NUMBER(19,0) IDENTITY START 1 INCREMENT 1, NAME VARCHAR)",
        ]);
    let ended = migration.run(0);
    for (table, next) in [("made", 51), ("existing", 501)] {
        ended
            .sql
            .run(&format!("INSERT INTO {table} (name) VALUES ('next')"));
        assert_eq!(
            ended
                .sql
                .number(&format!("SELECT id FROM {table} WHERE name = 'next'")),
            next
        );
    }
}

#[test]
fn whoever_may_add_rows_may_use_the_generator_that_goes_on() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE made (id serial, name text)");
    sql.run("INSERT INTO made (name) SELECT 'x' FROM generate_series(1, 50)");
    sql.run(
        "CREATE TABLE existing AS SELECT n * 10 AS id, 'x' AS name FROM generate_series(1, 50) n",
    );
    let entry = |table: &str| json!({"source": {"tableName": table}, "target": {"tableName": table}, "continueIdentityColumns": true});
    let migration = Migration::from(&database)
        .table(entry("made"))
        .table(entry("existing"))
        .prepare(&[
            "CREATE TABLE EXISTING (ID NUMBER(19,0) IDENTITY START 1 INCREMENT 1, NAME VARCHAR)",
            "GRANT SELECT, INSERT ON TABLE EXISTING TO ROLE APP",
            "GRANT SELECT ON TABLE EXISTING TO ROLE READER",
        ]);
    let ended = migration.run(0);
    let of = |table: &str, column: usize| {
        let described = ended.sql.rows(&format!("DESCRIBE TABLE {table}"));
        described[0][column].clone().unwrap_or_default()
    };
    let may_use = |default: &str| -> Vec<String> {
        let sequence = default.trim_end_matches(".NEXTVAL");
        let granted = ended
            .sql
            .rows(&format!("SHOW GRANTS ON SEQUENCE {sequence}"));
        let usage = granted
            .into_iter()
            .filter(|row| row[1].as_deref() == Some("USAGE"));
        usage.filter_map(|row| row[5].clone()).collect()
    };
    let existing = of("existing", 4);
    assert!(may_use(&existing).contains(&"APP".to_owned()), "{existing}");
    assert!(
        !may_use(&existing).contains(&"READER".to_owned()),
        "{existing}"
    );
    // What an operator grants, the next run takes along; and the generator before stays as it is.
    sql.run("INSERT INTO made (name) SELECT 'x' FROM generate_series(1, 50)");
    let made = of("made", 4);
    let sequence = made.trim_end_matches(".NEXTVAL");
    ended
        .sql
        .run(&format!("GRANT USAGE ON SEQUENCE {sequence} TO ROLE APP"));
    let _ = migration.again().run(0);
    assert_ne!(of("made", 4), made);
    assert!(may_use(&of("made", 4)).contains(&"APP".to_owned()));
    for entry in LocalSnowflake::shared().statements() {
        let text = entry["sql"].as_str().unwrap_or_default().to_owned();
        let is_gone = text.contains("OR REPLACE SEQUENCE") || text.contains("DROP SEQUENCE");
        assert!(!is_gone || !text.contains(&ended.target), "{text}");
    }
}

#[test]
fn a_generator_that_applications_use_is_not_led_anew_when_another_table_runs_again() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE made (id serial, name text)");
    sql.run("INSERT INTO made (name) SELECT 'x' FROM generate_series(1, 50)");
    sql.run("CREATE TABLE bad AS SELECT DATE '12024-01-01' AS d");
    let entry = |table: &str| json!({"source": {"tableName": table}, "target": {"tableName": table}, "continueIdentityColumns": true});
    let migration = Migration::from(&database)
        .table(entry("made"))
        .table(entry("bad"));
    let ended = migration.run(1);
    let next = || {
        ended.sql.run("INSERT INTO made (name) VALUES ('next')");
        let id = ended
            .sql
            .number("SELECT MAX(id) FROM made WHERE name = 'next'");
        // Given out once, whether the row stays or not.
        ended.sql.run("DELETE FROM made WHERE name = 'next'");
        id
    };
    assert_eq!(next(), 51);
    sql.run("UPDATE bad SET d = DATE '2024-01-01'");
    let (asked, _) = migration.ask_with("retry", "");
    assert_eq!(asked.code(), Some(0), "{}{}", asked.stdout, asked.stderr);
    let _ = migration.run(0);
    assert_eq!(next(), 52);
}

#[test]
fn no_staging_table_is_left_of_merges_and_deletions() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id, n AS v FROM generate_series(1, 100) n");
    let migration = Migration::from(&database).table(json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"}, "primaryKeyColumns": ["id"],
        "synchronization": {"strategy": "watermark", "watermarkColumn": "v", "trackModifications": true, "trackDeletions": true},
    }));
    let _ = migration.run(0);
    sql.run("UPDATE t SET v = v + 1000 WHERE id < 10");
    let ended = migration.again().run(0);
    assert_eq!(ended.moved().0, 9);
    let sent = LocalSnowflake::shared().statements();
    assert!(sent.iter().any(|sql| {
        let text = sql.to_string();
        text.contains("MERGE INTO") && text.contains("STAGING_2_0_")
    }));
    let left = ended.metadata.rows(
        "SELECT TABLE_NAME FROM {d}.INFORMATION_SCHEMA.TABLES WHERE STARTSWITH(TABLE_NAME, 'STAGING_')",
    );
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_table_that_another_workflow_synchronizes_is_left_alone_and_that_workflow_is_named() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 100) n");
    let migration = Migration::from(&database).table(json!({
        "source": {"tableName": "t"}, "target": {"tableName": "t"},
        "synchronization": {"strategy": "checksum"},
    }));
    let first = migration.run(0);
    first.metadata.run(
        "UPDATE {s}.WORKFLOW SET STATUS = 'EXECUTING', OWNER = 'somebody', LEASE_UNTIL = DATEADD('hour', 1, SYSDATE())",
    );
    sql.run("INSERT INTO t VALUES (101)");
    let second = migration.again().run(1);
    assert!(
        second.errors_of("t").contains(&first.workflow),
        "{}",
        second.errors_of("t")
    );
    assert_eq!(second.sql.number("SELECT COUNT(*) FROM t"), 100);
}
