//! Tables that fail at run time: exit code 1, a row in `DATA_MIGRATION_ERROR`, and the other tables unharmed.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::{Value, json};
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Scratch};

/// `table` with other keys.
fn with(mut table: Value, keys: &Value) -> Value {
    for (key, value) in keys.as_object().into_iter().flatten() {
        match (value.as_object(), table[key].as_object_mut()) {
            (Some(more), Some(there)) => there.extend(more.clone()),
            _ => table[key] = value.clone(),
        }
    }
    table
}

/// The error of a target table, which must be the only one of its kind.
#[track_caller]
fn error_of<'a>(errors: &'a [(String, Option<String>, String)], table: &str) -> &'a str {
    let of: Vec<_> = errors.iter().filter(|error| error.0 == table).collect();
    assert_eq!(of.len(), 1, "{table}: {errors:#?}");
    &of[0].2
}

#[test]
fn what_is_wrong_with_one_table_of_the_source_leaves_the_others_alone() {
    let site = Site::shared();
    let source = site.source.sql();
    source.run("CREATE TABLE good AS SELECT generate_series(1, 50) AS id");
    source.run("CREATE TABLE no_rows (id integer PRIMARY KEY, v varchar(10))");
    source.run("CREATE TABLE zero AS SELECT 0 AS id");
    let admin = LocalRedshift::shared().admin(site.source.name());
    admin.run("CREATE TABLE private AS SELECT 1 AS id");
    let from = |name: &str, keys: Value| with(table(name), &keys);
    let workflow = site.workflow(&json!([
        table("good"),
        from(
            "no_rows",
            json!({"columnNamesToPartitionBy": ["id"], "partitionSize": {"maxRowsPerPartition": 1}})
        ),
        table("private"),
        table("no_table"),
        from("no_schema", json!({"source": {"schemaName": "nowhere"}})),
        from(
            "no_database",
            json!({"source": {"databaseName": "no_such_db"}})
        ),
        from(
            "no_key",
            json!({"source": {"tableName": "good"}, "columnNamesToPartitionBy": ["idd"]})
        ),
        from(
            "no_column",
            json!({"source": {"tableName": "good"}, "whereClauseCriteria": "idd = 1"})
        ),
        from(
            "no_syntax",
            json!({"source": {"tableName": "good"}, "whereClauseCriteria": "id = = 1"})
        ),
        from(
            "no_sum",
            json!({"source": {"tableName": "zero"}, "whereClauseCriteria": "1 / id = 1"})
        ),
    ]));
    let ended = site.run(&workflow, "w");
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert_says(&ended.stdout, &["2 of 10 tables completed, 8 failed"]);
    assert_eq!((site.rows_of("good"), site.rows_of("no_rows")), (50, 0));
    let errors = site.errors();
    assert_eq!(errors.len(), 8, "{errors:#?}");
    for (table, parts) in [
        (
            "private",
            [
                "permission denied for the table",
                "GRANT SELECT ON \"public\".\"private\"",
                "TO \"snowhaul\"",
            ],
        ),
        (
            "no_table",
            [
                "public.no_table",
                "there is no such table",
                "check schemaName and tableName",
            ],
        ),
        (
            "no_schema",
            [
                "nowhere.no_schema",
                "there is no such table",
                "check schemaName and tableName",
            ],
        ),
        (
            "no_database",
            [
                "database no_such_db",
                "does not exist",
                "check the names in the workflow",
            ],
        ),
        (
            "no_key",
            [
                "columnNamesToPartitionBy names idd",
                "no such column",
                "it has id",
            ],
        ),
        (
            "no_column",
            [
                "column \"idd\" does not exist",
                "(SQL state 42703)",
                "check the names",
            ],
        ),
        (
            "no_syntax",
            [
                "syntax error",
                "(SQL state 42601)",
                "check whereClauseCriteria",
            ],
        ),
        (
            "no_sum",
            [
                "division by zero",
                "(SQL state 22012)",
                "check whereClauseCriteria",
            ],
        ),
    ] {
        let error = error_of(&errors, table);
        assert_says(error, &parts);
        for noise in ["Native error", "ODBC emitted", "Error while executing"] {
            assert!(!error.contains(noise), "{error}");
        }
        // What the command prints is what the view says.
        assert_says(&ended.stdout, &[error]);
    }
}

#[test]
fn what_is_wrong_with_one_table_of_the_target_leaves_the_others_alone() {
    let site = Site::shared();
    let source = site.source.sql();
    source.run("CREATE TABLE s (id integer, v varchar(100), d date)");
    source.run("INSERT INTO s VALUES (1, 'a long text', '2020-01-01'), (70000, NULL, NULL)");
    let sql = site.sql();
    sql.run(&format!("CREATE DATABASE {}", site.target));
    for (name, columns) in [
        ("GOOD", "ID NUMBER(10,0), V VARCHAR, D DATE"),
        (
            "MORE",
            "ID NUMBER(10,0), V VARCHAR, D DATE, NOTE VARCHAR, K VARCHAR NOT NULL DEFAULT 'x'",
        ),
        ("LACKS", "ID NUMBER(10,0), V VARCHAR"),
        (
            "UNFILLED",
            "ID NUMBER(10,0), V VARCHAR, D DATE, K VARCHAR NOT NULL",
        ),
        ("IMPOSSIBLE", "ID NUMBER(10,0), V VARCHAR, D BOOLEAN"),
        ("SMALL", "ID NUMBER(4,0), V VARCHAR, D DATE"),
        ("SHORT", "ID NUMBER(10,0), V VARCHAR(3), D DATE"),
        ("FILLED", "ID NUMBER(10,0), V VARCHAR NOT NULL, D DATE"),
    ] {
        sql.run(&format!(
            "CREATE TABLE {}.PUBLIC.{name} ({columns})",
            site.target
        ));
    }
    let names = [
        "GOOD",
        "MORE",
        "LACKS",
        "UNFILLED",
        "IMPOSSIBLE",
        "SMALL",
        "SHORT",
        "FILLED",
    ];
    let tables: Vec<Value> = names
        .iter()
        .map(|name| json!({"source": {"tableName": "s"}, "target": {"tableName": name}}))
        .collect();
    let ended = site.run(&site.workflow(&json!(tables)), "w");
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert_says(&ended.stdout, &["2 of 8 tables completed, 6 failed"]);
    let counts = names.map(|name| site.rows_of(name));
    assert_eq!(counts, [2, 2, 0, 0, 0, 0, 0, 0]);
    let errors = site.errors();
    for (table, code, parts) in [
        ("LACKS", "SH0402", vec!["has no column", "D"]),
        ("UNFILLED", "SH0404", vec!["K", "NOT NULL"]),
        ("IMPOSSIBLE", "SH0403", vec!["d", "date", "BOOLEAN"]),
        (
            "SMALL",
            "SH0312",
            vec!["partition 0", "70000", "change the target column"],
        ),
        (
            "SHORT",
            "SH0312",
            vec!["partition 0", "change the target column"],
        ),
        (
            "FILLED",
            "SH0312",
            vec!["partition 0", "change the target column"],
        ),
    ] {
        let error = error_of(&errors, table);
        assert!(error.starts_with(code), "{code}: {error}");
        assert_says(error, &parts);
        assert_says(error, &[&format!("target {}.PUBLIC.{table}", site.target)]);
    }
}

#[test]
fn a_privilege_that_is_missing_in_snowflake_fails_its_table_only() {
    let scratch = Scratch::new("deny");
    let denied = ["^CREATE TABLE .*no_create", "^COPY INTO .*no_copy"];
    let deny = scratch.write("deny.json", &json!(denied).to_string());
    let snowflake = LocalSnowflake::start(&["--deny", text(&deny)]);
    let site = Site::on(&snowflake);
    let source = site.source.sql();
    for name in ["good", "no_create", "no_copy"] {
        source.run(&format!("CREATE TABLE {name} AS SELECT 1 AS id"));
    }
    let tables = json!([table("no_create"), table("no_copy"), table("good")]);
    let ended = site.run(&site.workflow(&tables), "w");
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert_eq!(site.rows_of("good"), 1);
    assert_eq!(site.rows_of("no_copy"), 0);
    let errors = site.errors();
    for name in ["no_create", "no_copy"] {
        let parts = [
            "SH0311 target ",
            "Insufficient privileges",
            "grant the privilege to the connection's role",
            "003001",
        ];
        assert_says(error_of(&errors, name), &parts);
        assert_says(
            error_of(&errors, name),
            &[&format!("target {}.PUBLIC.{name}", site.target)],
        );
    }
    // The same files, once the privilege is there, in another workflow.
    std::fs::write(&deny, "[]").unwrap();
    let again = site
        .run_command(&site.workflow(&tables), "w2")
        .run(DEADLINE);
    assert_eq!(again.code(), Some(0), "{}", again.stderr);
}
