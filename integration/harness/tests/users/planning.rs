//! Before anything is moved: the file's schema, a file from the catalog, and what a file would do.

use crate::site::{DEADLINE, Site, assert_says, text};
use serde_json::{Value, json};
use snowhaul::domain::table::{Platform, TableRef, WrittenName};
use snowhaul::platform;
use snowhaul_integration::{Ended, Snowhaul, unparsed, worker_configuration};
use std::fs;
use std::path::Path;

/// A call that cannot reach any Snowflake: it must not need one.
fn alone(arguments: &[&str]) -> Ended {
    Snowhaul::new(arguments)
        .env("SNOWFLAKE_HOME", "/nonexistent")
        .run(DEADLINE)
}

fn plan(site: &Site<'_>, workflow: &Path, more: &[&str]) -> Ended {
    let worker = site.worker();
    let mut arguments = vec!["workflow", "plan", text(workflow)];
    arguments.extend(["--source-platform", "redshift", "-c", text(&worker)]);
    alone(&[&arguments, more].concat())
}

fn generate(site: &Site<'_>, more: &[&str]) -> Ended {
    let worker = site.worker();
    let arguments = [
        "workflow",
        "generate",
        "--source-platform",
        "redshift",
        "-c",
        text(&worker),
    ];
    alone(&[&arguments, more].concat())
}

#[track_caller]
fn assert_code(ended: &Ended, code: i32) {
    assert_eq!(
        ended.code(),
        Some(code),
        "{}\n{}",
        ended.stdout,
        ended.stderr
    );
}

fn statements<'a>(plan: &'a Value, place: &str) -> Vec<&'a str> {
    let list = plan[place].as_array().into_iter().flatten();
    list.filter_map(|statement| statement["sql"].as_str())
        .collect()
}

#[test]
fn the_json_schema_is_printed() {
    let ended = alone(&["workflow", "schema"]);
    assert_code(&ended, 0);
    let schema: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert!(
        schema["$defs"]["table"]["properties"]["whereClauseCriteria"].is_object(),
        "{schema:#}"
    );
}

#[test]
fn a_plan_tells_what_would_be_done_with_each_table() {
    let site = Site::shared();
    let sql = site.source.sql();
    for statement in [
        "CREATE TABLE orders (id integer PRIMARY KEY, at timestamp NOT NULL, note varchar(20))",
        "INSERT INTO orders SELECT n, timestamp '2024-01-01' + n * interval '1 hour', 'x' FROM generate_series(1, 1000) n",
        "CREATE TABLE loose (a integer, \"Odd; Name\" text)",
        "INSERT INTO loose VALUES (1, 'y')",
        "ANALYZE",
    ] {
        sql.run(statement);
    }
    let sized = |name: &str, more: Value| {
        let mut table = json!({"source": {"tableName": "orders"}, "target": {"tableName": name},
            "columnNamesToPartitionBy": ["id"], "partitionSize": {"maxRowsPerPartition": 30}});
        for (key, value) in more.as_object().into_iter().flatten() {
            table[key] = value.clone();
        }
        table
    };
    let top = json!({"tables": [
        sized("plain", json!({"whereClauseCriteria": "id > 0", "queryModifiers": {"selectModifier": "ALL"}})),
        sized("hashed", json!({"synchronization": {"strategy": "checksum"}})),
        sized("newer", json!({"synchronization": {"strategy": "watermark", "watermarkColumn": "at",
            "trackModifications": true, "trackDeletions": true}, "primaryKeyColumns": ["id"]})),
        {"source": {"tableName": "loose"}, "target": {"tableName": "loose"}},
    ]});
    let workflow = site.workflow_with(top);
    let ended = plan(&site, &workflow, &[]);
    assert_code(&ended, 0);
    let name = |table: &str| format!("{}.public.{table}", site.source.name());
    assert_says(
        &ended.stdout,
        &[
            &format!("{} → {}.PUBLIC.plain\n", name("orders"), site.target),
            "key: id (columnNamesToPartitionBy)\n",
            "synchronization: none",
            "estimate: 1,000 rows",
            "size at most 30 rows",
            "ranges:",
            "0: id < ",
            "… and ",
            "CREATE TABLE IF NOT EXISTS",
            "source, boundaries of the partitions:",
            "(id > 0\n",
            "source, extraction of partition 0:",
            "source, checksum of partition 0:",
            "source, upper bound of the watermark:",
            "source, keys that are there, of all partitions:",
            "load, partition 0:",
            "COPY INTO",
            "DELETE FROM",
            "MERGE INTO",
            "key: none, as the file says",
            "4 tables, 0 of them cannot be migrated like this",
        ],
    );

    let ended = plan(&site, &workflow, &["--json"]);
    assert_code(&ended, 0);
    let answer: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let tables = answer["tables"].as_array().expect("tables");
    assert_eq!(tables.len(), 4);
    for table in tables {
        let plan = &table["plan"];
        // What the plan says is what the source takes, and what Snowflake would.
        for statement in statements(plan, "sourceStatements") {
            let _ = sql.rows(statement);
        }
        let mut load = statements(plan, "loadStatements");
        load.extend(plan["ddl"].as_str());
        assert!(load.len() > 1, "{plan:#}");
        assert_eq!(unparsed("snowflake", &load), Vec::<String>::new());
    }
    let ranges = tables[0]["plan"]["partitions"].as_array().map(Vec::len);
    assert!(ranges > Some(20), "{ranges:?}");
}

#[test]
fn a_table_that_cannot_be_planned_does_not_hide_the_others() {
    let site = Site::shared();
    site.source
        .sql()
        .run("CREATE TABLE there (id integer PRIMARY KEY)");
    let table = |name: &str| json!({"source": {"tableName": name}, "target": {"tableName": name}, "columnNamesToPartitionBy": null});
    let workflow = site.workflow(&json!([table("missing"), table("there")]));
    let ended = plan(&site, &workflow, &[]);
    assert_code(&ended, 1);
    assert_says(
        &ended.stdout,
        &[
            "missing\n  error: SH0204 ",
            "there is no such table",
            "2 tables, 1 of them cannot be migrated like this",
            "CREATE TABLE IF NOT EXISTS",
        ],
    );
}

#[test]
fn mistakes_of_both_files_and_of_the_command_line_are_told_together() {
    let site = Site::shared();
    let workflow = site.scratch.write("w.json", r#"{"tabels": []}"#);
    let worker = site.scratch.write("configuration.toml", "[application]");
    let ended = alone(&[
        "workflow",
        "plan",
        text(&workflow),
        "--source-platform",
        "oracle",
        "-c",
        text(&worker),
    ]);
    assert_code(&ended, 2);
    assert_says(
        &ended.stderr,
        &[
            "oracle is a platform that is not supported",
            "did you mean `tables`?",
            "selected_task_source",
        ],
    );
}

#[test]
fn a_generated_file_migrates_what_it_names() {
    let site = Site::shared();
    let sql = site.source.sql();
    for statement in [
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders (id integer PRIMARY KEY, note varchar(20))",
        "CREATE TABLE sales.\"Order; Lines\" (\"order\" integer, \"No\" integer, UNIQUE (\"order\", \"No\"))",
        "CREATE TABLE sales.sorted (day date, shop integer, amount numeric(10, 2))",
        "COMMENT ON COLUMN sales.sorted.day IS 'sortkey 1'",
        "COMMENT ON COLUMN sales.sorted.shop IS 'distkey'",
        "CREATE TABLE sales.loose (a text)",
        "CREATE TABLE public.elsewhere (a text)",
        "INSERT INTO sales.orders SELECT n, 'x' FROM generate_series(1, 50) n",
        "INSERT INTO sales.\"Order; Lines\" SELECT n, 1 FROM generate_series(1, 60) n",
        "INSERT INTO sales.sorted SELECT date '2024-01-01' + n, n, n FROM generate_series(1, 70) n",
        "INSERT INTO sales.loose VALUES ('y')",
    ] {
        sql.run(statement);
    }
    let file = site.scratch.path().join("generated.json");
    let wanted = [
        "--schema",
        "sales",
        "--target-database",
        &site.target,
        "--target-schema",
        "PUBLIC",
        "-o",
        text(&file),
    ];
    let ended = generate(&site, &wanted);
    assert_code(&ended, 0);
    assert_says(
        &ended.stderr,
        &["sales.loose has no key", "columnNamesToPartitionBy"],
    );
    let written: Value =
        serde_json::from_str(&fs::read_to_string(&file).expect("a file")).expect("JSON");
    let keys: Vec<(&str, &Value)> = written["tables"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|table| {
            (
                table["source"]["tableName"].as_str().unwrap_or_default(),
                &table["columnNamesToPartitionBy"],
            )
        })
        .collect();
    assert_eq!(
        keys,
        [
            ("\"Order; Lines\"", &json!(["order", "\"No\""])),
            ("loose", &json!([])),
            ("orders", &json!(["id"])),
            ("sorted", &json!(["day"])),
        ]
    );

    let again = generate(&site, &wanted);
    assert_code(&again, 2);
    assert_says(&again.stderr, &["generated.json", "--force"]);
    assert_code(&generate(&site, &[&wanted[..], &["--force"]].concat()), 0);

    let ended = site.run(&file, "generated");
    assert_code(&ended, 0);
    for (table, rows) in [
        ("ORDERS", 50),
        ("\"Order; Lines\"", 60),
        ("SORTED", 70),
        ("LOOSE", 1),
    ] {
        assert_eq!(site.rows_of(table), rows, "{table}");
    }
}

#[test]
fn postgresql_gives_its_partitioned_tables_and_views_stay_behind() {
    let site = Site::shared();
    let sql = site.source.sql();
    for statement in [
        "CREATE TABLE events (id bigint, day date NOT NULL, PRIMARY KEY (day, id)) PARTITION BY RANGE (day)",
        "CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "CREATE TABLE \"Numbered\" (no bigint GENERATED ALWAYS AS IDENTITY, note text)",
        "CREATE VIEW seen AS SELECT * FROM events",
    ] {
        sql.run(statement);
    }
    let section = site.source.postgres_section();
    let worker = worker_configuration("task_fetch_interval = 1", &section);
    let worker = site.scratch.write("postgresql.toml", &worker);
    let ended = alone(&[
        "workflow",
        "generate",
        "--source-platform",
        "postgresql",
        "-c",
        text(&worker),
    ]);
    assert_code(&ended, 0);
    let file: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let tables: Vec<(&Value, &Value)> = file["tables"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|t| (&t["source"]["tableName"], &t["columnNamesToPartitionBy"]))
        .collect();
    assert_eq!(
        tables,
        [
            (&json!("\"Numbered\""), &json!(["no"])),
            (&json!("events"), &json!(["day", "id"])),
        ]
    );
}

#[test]
fn what_the_catalog_is_asked_for_parses() {
    let name = |text: &str| WrittenName(text.to_owned());
    let table = TableRef {
        database: name("d"),
        schema: name("\"S; '\""),
        table: name("t"),
    };
    for (platform, parser) in [
        (Platform::Redshift, "redshift"),
        (Platform::Postgresql, "postgres"),
    ] {
        let dialect = platform::source(platform).expect("a platform");
        let mut statements = vec![
            dialect.relations().sql,
            dialect.lookalikes(&table).sql,
            dialect.privileges(&table).sql,
        ];
        statements.extend(dialect.external_tables().map(|query| query.sql));
        statements.extend(dialect.relatives(&table).map(|query| query.sql));
        statements.extend(dialect.layout(&table).map(|query| query.sql));
        assert_eq!(unparsed(parser, &statements), Vec::<String>::new());
    }
}

#[test]
fn patterns_choose_tables_and_one_that_means_none_is_refused() {
    let site = Site::shared();
    let sql = site.source.sql();
    for table in ["sales_1", "sales_2", "stock"] {
        sql.run(&format!("CREATE TABLE {table} (id integer PRIMARY KEY)"));
    }
    let ended = generate(&site, &["--tables", "sales_*,public.stoc?"]);
    assert_code(&ended, 0);
    let file: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(file["tables"].as_array().map(Vec::len), Some(3), "{file:#}");
    let ended = generate(&site, &["--tables", "sales_1", "--tables", "sails_*"]);
    assert_code(&ended, 2);
    assert_says(
        &ended.stderr,
        &["no table is called sails_*", "public.sales_1"],
    );
    let ended = generate(&site, &["--schema", "nowhere"]);
    assert_code(&ended, 2);
    assert_says(&ended.stderr, &["no table in the schema nowhere"]);
}
