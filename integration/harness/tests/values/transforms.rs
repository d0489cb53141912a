//! SQL of the user's own for columns: what the source computes, what COPY INTO computes, and both, value by value.

use serde_json::{Value, json};
use snowhaul_integration::{Database, LocalRedshift, Migrated, Migration};

fn source(database: &Database<'_>) {
    let sql = database.sql();
    sql.run("CREATE TABLE t (id integer PRIMARY KEY, email varchar(40), \"My Secret\" text, amount numeric(10,2), born date, note text, at timestamp)");
    sql.run(
        "INSERT INTO t SELECT n, CASE WHEN n % 7 <> 0 THEN 'User' || n || '@example.com' END, CASE WHEN n % 5 = 0 THEN '' ELSE 'a''b\"{' || n || '}' END, \
         n * 1.25, date '1990-01-01' + n, repeat('é', n), timestamp '2024-01-01' + n * interval '1 hour' FROM generate_series(1, 100) n",
    );
    sql.run("INSERT INTO t (id) VALUES (1000)");
}

fn rules() -> Value {
    json!([
        {"column": "email", "encodeExpression": "md5(lower({{ col_name }}))", "targetType": "VARCHAR(32)"},
        {"columnPattern": "secret$", "encodeExpression": "'<' || {{ col_name }} || '>' -- marked", "decodeExpression": "UPPER({{col_name}})"},
        {"dataType": "numeric(10,2)", "encodeExpression": "{{ col_name }} * 100", "targetType": "NUMBER(12,0)"},
        {"column": "born", "encodeExpression": "to_char({{ col_name }}, 'YYYY-MM-DD')", "targetType": "DATE"},
        {"column": "note", "decodeExpression": "LENGTH({{ col_name }})", "targetType": "NUMBER(10,0)"},
    ])
}

fn assert_transformed(database: &Database<'_>, done: &Migrated) {
    let there = database.sql().rows(
        "SELECT CAST(id AS varchar), md5(lower(email)), upper('<' || \"My Secret\" || '>'), CAST(CAST(amount * 100 AS integer) AS varchar), \
         to_char(born, 'YYYY-MM-DD'), CAST(length(note) AS varchar) FROM t ORDER BY t.id",
    );
    let here = done.sql.rows(
        "SELECT id::VARCHAR, email, \"My Secret\", amount::VARCHAR, TO_CHAR(born, 'YYYY-MM-DD'), note::VARCHAR FROM t ORDER BY t.id",
    );
    let different = there.iter().zip(&here).find(|(a, b)| a != b);
    assert_eq!(different, None);
    assert_eq!(there.len(), here.len());
}

#[test]
fn what_the_user_computes_arrives_on_either_side() {
    for platform in ["redshift", "postgresql"] {
        let database = LocalRedshift::shared().database();
        source(&database);
        let table = json!({
            "source": {"tableName": "t"}, "target": {"tableName": "t"}, "columnNamesToPartitionBy": ["email"],
            "partitionSize": {"maxRowsPerPartition": 30}, "customColumnTransforms": rules(),
        });
        let migration = Migration::from(&database).platform(platform).table(table);
        let plan = migration.plan(&[]);
        for shown in [
            "CAST((md5(lower(\"email\"))\n",
            "\"EMAIL\" VARCHAR(32)",
            "UPPER($1:\"c2\"::VARCHAR)",
            "LENGTH($1:\"c5\"::VARCHAR)",
        ] {
            assert!(
                plan.stdout.replace("\n  ", "\n").contains(shown)
                    || plan.stdout.contains(shown.trim_end()),
                "{shown}\n{}",
                plan.stdout
            );
        }
        let done = migration.run(0);
        assert_transformed(&database, &done);
        let types = done.columns("T");
        for expected in [
            ("EMAIL", "VARCHAR(32)"),
            ("My Secret", "VARCHAR(134217728)"),
            ("AMOUNT", "NUMBER(12,0)"),
            ("BORN", "DATE"),
            ("NOTE", "NUMBER(10,0)"),
        ] {
            let found = types
                .iter()
                .any(|(name, kind)| (name.as_str(), kind.as_str()) == expected);
            assert!(found, "{expected:?} in {types:?}");
        }
    }
}

/// The target's types decide, and a value that they do not hold exactly is an error, computed or not.
#[test]
fn what_is_computed_is_never_rounded() {
    let database = LocalRedshift::shared().database();
    source(&database);
    let rule = json!([{"column": "amount", "encodeExpression": "{{ col_name }} / 3"}]);
    let done = Migration::from(&database)
        .platform("postgresql")
        .prepare(&["CREATE TABLE t (id NUMBER(10,0), amount NUMBER(12,2))"])
        .table(json!({
            "source": {"tableName": "t"}, "target": {"tableName": "t"}, "customColumnTransforms": rule,
            "excludeSourceColumns": ["email", "\"My Secret\"", "born", "note", "at"],
        }))
        .run(1);
    let error = done.errors_of("t");
    assert!(error.contains("amount"), "{error}");
    assert_eq!(done.sql.number("SELECT COUNT(*) FROM t"), 0);
}

/// A checksum is that of the columns themselves: what changes in the source moves, and what does not stays; other
/// expressions move all.
#[test]
fn later_runs_compare_the_columns_and_see_other_expressions() {
    let database = LocalRedshift::shared().database();
    source(&database);
    let sql = database.sql();
    let table = |rules: Value, strategy: Value| {
        json!({
            "source": {"tableName": "t"}, "target": {"tableName": "t"}, "columnNamesToPartitionBy": ["id"],
            "partitionSize": {"maxRowsPerPartition": 30}, "customColumnTransforms": rules, "synchronization": strategy,
        })
    };
    let checksum = json!({"strategy": "checksum"});
    let first = Migration::from(&database).platform("postgresql");
    let migration = first.clone().table(table(rules(), checksum.clone()));
    let _ = migration.run(0);
    sql.run("UPDATE t SET email = 'other@example.com' WHERE id = 5");
    let done = migration.clone().again().run(0);
    assert_transformed(&database, &done);
    let moved = done.moved().0;
    assert!(moved > 0 && moved < 60, "{moved}");
    let mut changed = rules();
    changed[0]["encodeExpression"] = json!("'x' || md5(lower({{ col_name }}))");
    changed[0]["targetType"] = json!("VARCHAR");
    let again = migration
        .without_tables()
        .table(table(changed, checksum))
        .again();
    let done = again.run(1);
    let error = done.errors_of("t");
    // The target that was created for the first expression is too short for the other.
    assert!(
        error.contains("EMAIL") || error.contains("email"),
        "{error}"
    );
    done.sql
        .run("ALTER TABLE t ALTER COLUMN email SET DATA TYPE VARCHAR(40)");
    let done = again.again().run(0);
    assert_eq!(
        done.sql
            .number("SELECT COUNT(*) FROM t WHERE email LIKE 'x%' AND LENGTH(email) = 33"),
        sql.number("SELECT count(*) FROM t WHERE email IS NOT NULL")
    );
}

#[test]
fn columns_that_are_compared_and_names_of_none_are_refused() {
    let database = LocalRedshift::shared().database();
    source(&database);
    let table = |target: &str, more: Value| {
        let mut table = json!({
            "source": {"tableName": "t"}, "target": {"tableName": target}, "columnNamesToPartitionBy": ["id"],
            "customColumnTransforms": [{"column": "id", "encodeExpression": "-{{ col_name }}"}],
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            table[key] = value.clone();
        }
        table
    };
    let done = Migration::from(&database)
        .platform("postgresql")
        .prepare(&[])
        .table(table("a", json!({"synchronization": {"strategy": "full-replace"}})))
        .table(table("b", json!({"synchronization": {"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true}, "columnNamesToPartitionBy": []})))
        .table(table("c", json!({"customColumnTransforms": [{"column": "emial", "targetType": "VARCHAR"}]})))
        .run(1);
    let errors = format!("{:?}", done.metadata.errors());
    for why in [
        "changes the values of the column id: the table is partitioned by it",
        "changes the values of the column id: rows are recognized in the target by its values (primaryKeyColumns)",
        "customColumnTransforms names the column emial, and the table has no such column; did you mean",
    ] {
        assert!(errors.contains(why), "{why}\n{errors}");
    }
}
