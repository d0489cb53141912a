//! Names that need quotes, tables that are not what they seem, and predicates that the ODBC driver would read otherwise.

use serde_json::{Value, json};
use snowhaul_integration::{LocalRedshift, Migration, unique_name};

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
}

fn orders(more: Value) -> Value {
    let mut table = json!({"source": {"tableName": "orders"}, "target": {"tableName": "orders"}});
    for (key, value) in more.as_object().into_iter().flatten() {
        table[key] = value.clone();
    }
    table
}

#[test]
fn a_camel_case_name_without_quotes_means_the_column_that_is_spelled_so() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE orders (\"orderId\" int PRIMARY KEY, \"updatedAt\" timestamp NOT NULL, \"secretNote\" text, \"oldName\" text)");
    sql.run("INSERT INTO orders SELECT n, timestamp '2024-01-01' + n * interval '1 hour', 's', 'first' FROM generate_series(1, 100) n");
    let table = orders(json!({
        "columnNamesToPartitionBy": ["orderId"],
        "partitionSize": {"maxRowsPerPartition": 30},
        "primaryKeyColumns": ["orderId"],
        "excludeSourceColumns": ["secretNote"],
        "columnNameMappings": [{"sourceName": "oldName", "targetName": "new_name"}],
        "synchronization": {"strategy": "watermark", "watermarkColumn": "updatedAt", "trackModifications": true, "trackDeletions": true},
    }));
    let migration = Migration::from(&database)
        .platform("postgresql")
        .table(table);
    let arrived = "SELECT \"orderId\", \"updatedAt\", new_name FROM ORDERS ORDER BY 1";
    let there = "SELECT \"orderId\", \"updatedAt\", \"oldName\" FROM orders ORDER BY 1";
    let done = migration.run(0);
    assert_eq!(done.sql.rows(arrived), sql.rows(there));
    assert!(done.metadata.partitions(0).0 > 3);
    assert_eq!(done.columns("ORDERS").len(), 3);
    // The next run knows what the name meant.
    sql.run("UPDATE orders SET \"oldName\" = 'second', \"updatedAt\" = '2025-01-01' WHERE \"orderId\" <= 10");
    sql.run("DELETE FROM orders WHERE \"orderId\" > 90");
    let done = migration.again().run(0);
    assert_eq!(done.sql.rows(arrived), sql.rows(there));
    assert_eq!(
        done.sql
            .number("SELECT COUNT(*) FROM ORDERS WHERE new_name = 'second'"),
        10
    );
}

#[test]
fn a_folded_column_comes_before_one_that_is_spelled_so_and_none_is_named_twice() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE orders (orderid int, \"orderId\" int, \"lineNo\" int)");
    sql.run("INSERT INTO orders SELECT 1, n, n FROM generate_series(1, 9) n");
    let done = Migration::from(&database)
        .table(orders(json!({"excludeSourceColumns": ["orderId"]})))
        .run(0);
    assert_eq!(
        done.sql.rows("SELECT \"orderId\" FROM ORDERS ORDER BY 1"),
        sql.rows("SELECT \"orderId\" FROM orders ORDER BY 1")
    );
    let done = Migration::from(&database)
        .table(orders(
            json!({"columnNamesToPartitionBy": ["lineNo", "\"lineNo\""]}),
        ))
        .prepare(&[])
        .run(1);
    assert_says(
        &done.errors_of("orders"),
        &["columnNamesToPartitionBy names the column lineNo twice"],
    );
}

#[test]
fn a_column_in_another_case_is_shown_as_it_stands_in_json() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let quoted = r#"did you mean "\"orderId\""?"#;
    let cases = [
        (
            "columnNamesToPartitionBy",
            json!({"columnNamesToPartitionBy": ["OrderID"]}),
        ),
        (
            "excludeSourceColumns",
            json!({"excludeSourceColumns": ["OrderID"]}),
        ),
        (
            "columnNameMappings",
            json!({"columnNameMappings": [{"sourceName": "OrderID", "targetName": "x"}]}),
        ),
        (
            "watermarkColumn",
            json!({"synchronization": {"strategy": "watermark", "watermarkColumn": "OrderID"}}),
        ),
        (
            "primaryKeyColumns",
            json!({"primaryKeyColumns": ["OrderID"],
                "synchronization": {"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true}}),
        ),
    ];
    let mut migration = Migration::from(&database).prepare(&[]);
    for (number, (_, more)) in cases.iter().enumerate() {
        sql.run(&format!(
            "CREATE TABLE orders{number} (\"orderId\" int, at timestamp)"
        ));
        sql.run(&format!("INSERT INTO orders{number} VALUES (1, now())"));
        let mut table = orders(more.clone());
        for side in ["source", "target"] {
            table[side]["tableName"] = json!(format!("orders{number}"));
        }
        migration = migration.table(table);
    }
    let done = migration.run(1);
    for (number, (key, _)) in cases.iter().enumerate() {
        assert_says(
            &done.errors_of(&format!("orders{number}")),
            &[
                key,
                "the table has no such column",
                quoted,
                "it has orderId, at",
            ],
        );
    }
}

#[test]
fn a_table_that_is_spelled_otherwise_is_shown_as_it_stands_in_json() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for statement in [
        "CREATE TABLE \"Orders\" (id int)",
        "CREATE SCHEMA \"Sales\"",
        "CREATE TABLE \"Sales\".\"Lines\" (id int)",
        "CREATE SCHEMA archive",
        "CREATE TABLE archive.old (id int)",
    ] {
        sql.run(statement);
    }
    let cases = [
        (
            "public",
            "Orders",
            &["no such table", r#"write "tableName": "\"Orders\"""#][..],
        ),
        ("public", "orders", &[r#"write "tableName": "\"Orders\"""#]),
        (
            "Sales",
            "Lines",
            &[r#""schemaName": "\"Sales\"", "tableName": "\"Lines\"""#],
        ),
        (
            "sales",
            "none",
            &["no schema sales, but Sales", r#""schemaName": "\"Sales\"""#],
        ),
        (
            "public",
            "old",
            &["there is no such table; there is archive.old"],
        ),
        (
            "nowhere",
            "old",
            &["there is no schema nowhere", "there is archive.old"],
        ),
    ];
    let mut migration = Migration::from(&database).prepare(&[]);
    for (number, (schema, name, _)) in cases.iter().enumerate() {
        let target = format!("t{number}");
        migration = migration.table(
            json!({"source": {"schemaName": schema, "tableName": name}, "target": {"tableName": target}}),
        );
    }
    let done = migration.run(1);
    for (schema, name, parts) in cases {
        assert_says(&done.errors_of(&format!("{schema}.{name}")), parts);
    }
}

#[test]
fn a_database_whose_name_differs_in_case_is_another_one() {
    let name = unique_name("shop");
    let server = LocalRedshift::shared();
    let small = server.database_named(&name.to_lowercase());
    let large = server.database_named(&name.to_uppercase());
    small.sql().run("CREATE TABLE orders AS SELECT 1 AS id");
    large.sql().run("CREATE TABLE orders AS SELECT 2 AS id");
    let table = |written: String, target: &str| json!({"source": {"databaseName": written, "tableName": "orders"}, "target": {"tableName": target}});
    // The worker logs in to the small one.
    let done = Migration::from(&small)
        .platform("postgresql")
        .table(table(name.to_uppercase(), "folded"))
        .table(table(format!("\"{}\"", name.to_uppercase()), "quoted"))
        .run(0);
    assert_eq!(done.sql.number("SELECT ID FROM FOLDED"), 1);
    assert_eq!(done.sql.number("SELECT ID FROM QUOTED"), 2);
}

#[test]
fn what_is_no_table_is_said_to_be_what_it_is() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for statement in [
        "CREATE TABLE empty ()",
        "CREATE SEQUENCE numbers",
        "CREATE TYPE pair AS (a int, b int)",
        "CREATE TABLE indexed (id int)",
        "CREATE INDEX by_id ON indexed (id)",
    ] {
        sql.run(statement);
    }
    let admin = LocalRedshift::shared().admin(database.name());
    admin.run("CREATE SCHEMA closed; CREATE TABLE closed.t (id int)");
    let done = Migration::from(&database)
        .platform("postgresql")
        .prepare(&[])
        .whole("empty")
        .whole("numbers")
        .whole("pair")
        .whole("by_id")
        .table(json!({"source": {"schemaName": "closed", "tableName": "nothing"}, "target": {"tableName": "n"}}))
        .table(json!({"source": {"schemaName": "closed", "tableName": "t"}, "target": {"tableName": "closed_t"}}))
        .run(1);
    assert_says(
        &done.errors_of("empty"),
        &["public.empty has no columns", "nothing to move"],
    );
    assert_says(
        &done.errors_of("closed.nothing"),
        &[
            "may not use the schema closed",
            "GRANT USAGE ON SCHEMA \"closed\"",
        ],
    );
    assert_says(
        &done.errors_of("closed.t"),
        &["permission denied", "GRANT USAGE ON SCHEMA \"closed\""],
    );
    // A sequence, a type and an index have columns of their own in the catalog.
    for (name, kind) in [
        ("numbers", "sequence"),
        ("pair", "composite type"),
        ("by_id", "index"),
    ] {
        assert_says(
            &done.errors_of(name),
            &[&format!("public.{name} is of the kind {kind}")],
        );
    }
}

#[test]
fn operators_that_the_driver_would_take_for_parameters_are_refused_when_the_file_is_read() {
    let database = LocalRedshift::shared().database();
    database
        .sql()
        .run("CREATE TABLE orders AS SELECT 1 AS id, '{\"vip\": 1}'::jsonb AS data");
    for (key, more, instead) in [
        (
            "whereClauseCriteria",
            json!({"whereClauseCriteria": "data ? 'vip'"}),
            "jsonb_exists(data",
        ),
        (
            "whereClauseCriteria",
            json!({"whereClauseCriteria": "data ?| array['vip']"}),
            "jsonb_exists_any(",
        ),
        (
            "whereClauseCriteria",
            json!({"whereClauseCriteria": "data ?& array['vip']"}),
            "jsonb_exists_all(",
        ),
        (
            "whereClauseCriteria",
            json!({"whereClauseCriteria": "data @? '$.vip'"}),
            "jsonb_path_exists(",
        ),
        (
            "whereClauseCriteria",
            json!({"whereClauseCriteria": "point(1, id) ?- point(0, 1)"}),
            "oprname = '?-'",
        ),
        (
            "synchronization.checksumExpression",
            json!({"synchronization": {"strategy": "checksum", "checksumExpression": "bool_or(data ? 'vip')"}}),
            "jsonb_exists(data",
        ),
        (
            "queryModifiers.objectModifier",
            json!({"queryModifiers": {"objectModifier": "?"}}),
            "takes a `?` outside of quotes for a parameter",
        ),
    ] {
        let done = Migration::from(&database)
            .platform("postgresql")
            .table(orders(more))
            .prepare(&[])
            .run(2);
        assert_says(&done.ended.stderr, &[&format!("tables[0].{key}"), instead]);
    }
    // What is named instead does the same.
    let cases = [
        ("jsonb_exists(data, 'vip')", 1),
        ("jsonb_exists(data, 'other')", 0),
        ("jsonb_exists_any(data, ARRAY['vip', 'b'])", 1),
        ("jsonb_exists_all(data, ARRAY['vip', 'b'])", 0),
        ("jsonb_path_exists(data, '$.vip', '{}', true)", 1),
    ];
    let mut migration = Migration::from(&database).platform("postgresql");
    for (number, (predicate, _)) in cases.iter().enumerate() {
        let target = json!({"tableName": format!("t{number}")});
        migration = migration.table(orders(
            json!({"whereClauseCriteria": predicate, "target": target}),
        ));
    }
    let done = migration.run(0);
    for (number, (predicate, rows)) in cases.iter().enumerate() {
        let count = format!("SELECT COUNT(*) FROM T{number}");
        assert_eq!(done.sql.number(&count), *rows, "{predicate}");
    }
}

#[test]
fn marks_of_the_driver_in_quotes_names_and_comments_are_left_alone() {
    let database = LocalRedshift::shared().database_named(&unique_name("marks ?{d}"));
    let sql = database.sql();
    sql.run("CREATE TABLE \"what? {fn now()}\" (id int PRIMARY KEY, \"a?\" text, \"{d 'x'}\" text, day date)");
    sql.run("INSERT INTO \"what? {fn now()}\" SELECT n, CASE WHEN n % 2 = 0 THEN 'yes?' ELSE '{no}' END, E'it\\'s ?', date '2024-01-01' + n FROM generate_series(1, 100) n");
    let predicates = [
        "\"a?\" = 'yes?'",
        "\"a?\" = $$yes?$$ -- ? really",
        "\"a?\" = $tag$yes?$tag$ /* ? { } */",
        "\"{d 'x'}\" = E'it\\'s ?' AND \"a?\" <> '{no}'",
        "id > 50 /* ? /* nested? */ } */",
        "\"a?\" = U&'yes\\003F' AND 'é?' <> '?'",
        "day > {d '2024-02-01'} AND {fn ucase(\"a?\")} = 'YES?'",
        "day > { ts '2024-02-01 00:00:00' }",
        "'{1,2}'::int[] @> ARRAY[1] AND id < 10",
    ];
    let mut migration = Migration::from(&database).platform("postgresql");
    for (number, predicate) in predicates.iter().enumerate() {
        migration = migration.table(json!({
            "source": {"tableName": "\"what? {fn now()}\""},
            "target": {"tableName": format!("t{number}")},
            "columnNamesToPartitionBy": ["id", "\"a?\""],
            "partitionSize": {"maxRowsPerPartition": 30},
            "whereClauseCriteria": predicate,
            "synchronization": {"strategy": "checksum", "checksumExpression": "max('?' || \"a?\")"},
        }));
    }
    let done = migration.run(0);
    for (number, predicate) in predicates.iter().enumerate() {
        let plain = predicate
            .replace("{d '2024-02-01'}", "date '2024-02-01'")
            .replace("{fn ucase(\"a?\")}", "upper(\"a?\")")
            .replace("{ ts '2024-02-01 00:00:00' }", "timestamp '2024-02-01'");
        let there = sql.rows(&format!(
            "SELECT id, \"a?\", \"{{d 'x'}}\" FROM \"what? {{fn now()}}\" WHERE ({plain}\n) ORDER BY id"
        ));
        assert!(!there.is_empty(), "{predicate}");
        let query = format!("SELECT ID, \"A?\", \"{{d 'x'}}\" FROM T{number} ORDER BY ID");
        assert_eq!(done.sql.rows(&query), there, "{predicate}");
    }
}

#[test]
fn what_the_driver_reads_otherwise_than_the_source_is_refused() {
    let database = LocalRedshift::shared().database();
    database
        .sql()
        .run("CREATE TABLE orders AS SELECT 1 AS id, 'x'::text AS note");
    for predicate in [
        "note = $a_b$what?$a_b$",
        "note = e'it\\'s' AND note <> 'what?'",
        "id = 1 /*/ ? */",
        "id > {x}",
        "to_tsvector(note) @@identity_query",
    ] {
        let done = Migration::from(&database)
            .platform("postgresql")
            .table(orders(json!({"whereClauseCriteria": predicate})))
            .prepare(&[])
            .run(2);
        assert_says(
            &done.ended.stderr,
            &["tables[0].whereClauseCriteria", "ODBC"],
        );
    }
}
