//! Names are data: whatever stands in one, it is that object's, on both sides.

use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration, Sql, unique_name};

/// Quoted as PostgreSQL, Snowflake and the workflow's file have it.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// No two that differ in case only: the local Snowflake takes them for the same.
const ODD: &[&str] = &[
    "a\"b",
    "a\"\"b",
    "\"",
    "a.b",
    "a b",
    " a ",
    "a;b",
    "; DROP TABLE t; --",
    "[c]",
    "{fn now()}",
    "back\\slash",
    "\\",
    "o'clock",
    "ünï",
    "ÜNÏ too",
    "名前",
    "😀",
    "MiXed",
    "select",
    "Table",
    "a?b",
    ":a",
    "$1",
    "$$",
    "%s",
    "c0",
    "1st",
    "/* a",
    "-- a",
    "@stage/",
    "a\tb",
];

/// What a source column is called in the target.
fn arrived(name: &str) -> String {
    let cased = name != name.to_lowercase() && name != name.to_uppercase();
    if cased {
        name.to_owned()
    } else {
        name.to_uppercase()
    }
}

fn columns_of(sql: &Sql, table: &str) -> Vec<String> {
    let rows = sql.rows(&format!("DESCRIBE TABLE {table}"));
    rows.into_iter()
        .map(|mut row| row.remove(0).unwrap())
        .collect()
}

#[test]
fn columns_keep_their_odd_names_and_each_its_own_values() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let columns: Vec<String> = ODD
        .iter()
        .map(|name| format!("{} text", quote(name)))
        .collect();
    sql.run(&format!("CREATE TABLE t ({})", columns.join(", ")));
    for row in 0..40 {
        let values: Vec<String> = (0..ODD.len())
            .map(|column| format!("'{row:02} of {column}'"))
            .collect();
        sql.run(&format!("INSERT INTO t VALUES ({})", values.join(", ")));
    }
    let key = [quote("; DROP TABLE t; --"), quote("a\"b"), quote("\\")];
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnNamesToPartitionBy": key,
            "partitionSize": {"maxRowsPerPartition": 10},
            "whereClauseCriteria": format!("{} <> 'none'", quote("o'clock")),
        }))
        .run(0);
    let names: Vec<String> = ODD.iter().map(|name| arrived(name)).collect();
    assert_eq!(columns_of(&done.sql, "T"), names);
    assert_eq!(
        done.sql.rows("SELECT * FROM T ORDER BY 1"),
        sql.rows("SELECT * FROM t ORDER BY 1")
    );
    assert_eq!(done.metadata.partitions(0), (5, 40));
}

/// A table each costs more than a column.
const ODD_TABLES: &[&str] = &[
    "a\"b.c; DROP TABLE t; --",
    "[x] {fn now()} back\\slash\\",
    "o'clock ünï 名前😀",
    "\"",
    "select",
    "MiXed",
    "?:a $1 $$ %s",
    "/* @stage/\t'",
];

#[test]
fn databases_schemas_and_tables_keep_their_odd_names() {
    let database = LocalRedshift::shared().database_named(&unique_name("Odd {d}\"=\\ 'b é"));
    let sql = database.sql();
    let mut migration = Migration::from(&database);
    let target_database = unique_name("Odd \"target\"; é");
    let schema = "Sch.e\"ma; [x]\\";
    sql.run(&format!("CREATE SCHEMA {}", quote(schema)));
    for (number, name) in ODD_TABLES.iter().enumerate() {
        let table = format!("{}.{}", quote(schema), quote(name));
        sql.run(&format!("CREATE TABLE {table} AS SELECT {number} AS a"));
        migration = migration.table(json!({
            "source": {"schemaName": quote(schema), "tableName": quote(name)},
            "target": {"databaseName": quote(&target_database), "schemaName": quote(schema), "tableName": quote(name)},
        }));
    }
    let done = migration.prepare(&[]).run(0);
    for (number, name) in ODD_TABLES.iter().enumerate() {
        let table = [target_database.as_str(), schema, name]
            .map(quote)
            .join(".");
        assert_eq!(
            done.sql.number(&format!("SELECT A FROM {table}")),
            number as i64,
            "{name}"
        );
    }
}

#[test]
fn names_that_differ_in_case_are_different_where_they_are_quoted() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    for (name, value) in [("orders", 1), ("Orders", 2), ("ORDERS", 3)] {
        sql.run(&format!(
            "CREATE TABLE {} AS SELECT {value} AS a",
            quote(name)
        ));
    }
    let mut migration = Migration::from(&database);
    for (source, target) in [
        ("OrDeRs", "folded"),
        ("\"orders\"", "\"lower\""),
        ("\"Orders\"", "\"Mixed\""),
        ("\"ORDERS\"", "upper"),
    ] {
        migration = migration
            .table(json!({"source": {"tableName": source}, "target": {"tableName": target}}));
    }
    let done = migration.run(0);
    for (target, value) in [("FOLDED", 1), ("lower", 1), ("Mixed", 2), ("UPPER", 3)] {
        assert_eq!(
            done.sql.number(&format!("SELECT A FROM {}", quote(target))),
            value,
            "{target}"
        );
    }
}

#[test]
fn columns_are_renamed_and_types_replaced_as_the_workflow_says() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (id integer, \"Old Name\" varchar(10), n numeric(10,2), other numeric(12,4), at timestamp)");
    sql.run("INSERT INTO t VALUES (1, 'one', 1.25, 1.0001, '2024-01-01 00:00:00.001'), (2, NULL, -1.25, NULL, NULL), (3, 'three', 0, 0, '2024-01-01')");
    let mappings = json!([
        {"sourceName": "\"Old Name\"", "targetName": "\"New \"\"Name\"\"\""},
        {"sourceName": "ID", "targetName": "number"},
        {"sourceName": "n", "targetName": "\"select\""},
    ]);
    let types = json!([
        {"sourceType": "NUMERIC", "targetType": "NUMBER(38, 4)"},
        {"sourceType": "timestamp", "targetType": "TIMESTAMP_NTZ(3)"},
    ]);
    let done = Migration::from(&database)
        .prepare(&["CREATE TABLE OLD (\"select\" NUMBER(20,6), OTHER NUMBER(12,4), AT TIMESTAMP_NTZ(9), NUMBER NUMBER(38,0), \"New \"\"Name\"\"\" VARCHAR(10))"])
        .table(json!({"source": {"tableName": "t"}, "target": {"tableName": "created"}, "columnNameMappings": mappings, "columnTypeMappings": types, "whereClauseCriteria": "id > 1 -- only new ones"}))
        .table(json!({"source": {"tableName": "t"}, "target": {"tableName": "old"}, "columnNameMappings": mappings, "whereClauseCriteria": "id < 3 /* and this */ OR n = 99 -- '"}))
        .run(0);
    let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    assert_eq!(
        done.columns("CREATED"),
        [
            pair("NUMBER", "NUMBER(10,0)"),
            pair("New \"Name\"", "VARCHAR(10)"),
            pair("select", "NUMBER(38,4)"),
            pair("OTHER", "NUMBER(38,4)"),
            pair("AT", "TIMESTAMP_NTZ(3)"),
        ]
    );
    let target = "SELECT NUMBER, \"New \"\"Name\"\"\", \"select\", OTHER, AT FROM";
    let source = "SELECT id, \"Old Name\", CAST(n AS numeric(38,{})), other, at FROM t WHERE";
    assert_eq!(
        done.sql.rows(&format!("{target} CREATED ORDER BY 1")),
        sql.rows(&format!("{} id > 1 ORDER BY 1", source.replace("{}", "4")))
    );
    assert_eq!(
        done.sql.rows(&format!("{target} OLD ORDER BY 1")),
        sql.rows(&format!("{} id < 3 ORDER BY 1", source.replace("{}", "6")))
    );
}

#[test]
fn a_predicate_narrows_every_query_of_its_table() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t AS SELECT n AS id, CASE WHEN n % 10 = 0 THEN repeat('wide', 5000) ELSE 'x' END AS v, n % 2 = 0 AS even FROM generate_series(1, 400) n");
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnNamesToPartitionBy": ["id"],
            "partitionSize": {"maxRowsPerPartition": 100},
            "whereClauseCriteria": "id > 200 OR even -- the others are old",
        }))
        .run(0);
    let rows = "SELECT id, v FROM t {} ORDER BY id";
    assert_eq!(
        done.sql.rows(&rows.replace("{}", "")),
        sql.rows(&rows.replace("{}", "WHERE id > 200 OR even"))
    );
    // Boundaries of what is extracted: no partition is empty but the one for NULL.
    assert_eq!(done.metadata.empty_partitions(), 1);
}

/// Characters that mean something to one side or the other, and some that mean nothing.
const PIECES: &[&str] = &[
    "\"",
    "\"\"",
    "'",
    "''",
    "[",
    "]",
    "{",
    "}",
    "\\",
    "\\n",
    "\n",
    "\r",
    ";",
    "--",
    "/*",
    "*/",
    "%",
    "%s",
    "$$",
    "$1",
    "?",
    ":x",
    "@",
    ".",
    ",",
    " ",
    "\t",
    "`",
    "#",
    "é",
    "ß",
    "名",
    "😀",
    "\u{301}",
    "select",
    "a",
    "B",
    "0",
    "COMMENT '",
    ") COMMENT = '",
];

/// A name of about `length` bytes, from a generator of its own, so that a failure comes again.
fn fuzzed(state: &mut u64, length: usize) -> String {
    let mut name = String::new();
    while name.len() < length {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let piece = PIECES[(*state >> 33) as usize % PIECES.len()];
        if name.len() + piece.len() > length {
            break;
        }
        name.push_str(piece);
    }
    name
}

#[test]
fn fuzzed_names_are_data_on_both_sides() {
    let mut state = 20_240_229;
    // PostgreSQL's names have 63 bytes at most.
    let mut source_name = |number: usize| format!("{}{number:02}", fuzzed(&mut state, 61));
    let (schema, tables) = (source_name(0), [source_name(1), source_name(2)]);
    let columns: Vec<String> = (3..43).map(&mut source_name).collect();
    // The local Snowflake keeps a database in a file of its name, which is short.
    let target_database = unique_name(&fuzzed(&mut state, 30));
    let mut target_name = |number: usize| format!("{number:02}{}", fuzzed(&mut state, 125));
    let target_schema = target_name(2);
    let target_tables = [target_name(3), target_name(4)];
    let renamed: Vec<String> = (5..45).map(&mut target_name).collect();
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run(&format!("CREATE SCHEMA {}", quote(&schema)));
    let mut migration = Migration::from(&database).platform("postgresql");
    let list = |names: &[String]| {
        let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
        quoted.join(", ")
    };
    for (table, target) in tables.iter().zip(&target_tables) {
        let full = format!("{}.{}", quote(&schema), quote(table));
        let defined: Vec<String> = columns
            .iter()
            .map(|name| format!("{} text", quote(name)))
            .collect();
        sql.run(&format!("CREATE TABLE {full} ({})", defined.join(", ")));
        for row in 0..30 {
            let values: Vec<String> = (0..columns.len())
                .map(|column| format!("'{row:02} of {column}'"))
                .collect();
            sql.run(&format!(
                "INSERT INTO {full} VALUES ({})",
                values.join(", ")
            ));
        }
        // What is said of them is data as well.
        let said = table.replace('\\', "\\\\").replace('\'', "''");
        sql.run(&format!("COMMENT ON TABLE {full} IS E'{said}'"));
        let said = columns[1].replace('\\', "\\\\").replace('\'', "''");
        sql.run(&format!(
            "COMMENT ON COLUMN {full}.{} IS E'{said}'",
            quote(&columns[1])
        ));
        let mappings: Vec<_> = columns[..39]
            .iter()
            .zip(&renamed)
            .map(|(source, target)| json!({"sourceName": quote(source), "targetName": quote(target)}))
            .collect();
        migration = migration.table(json!({
            "source": {"schemaName": quote(&schema), "tableName": quote(table)},
            "target": {"databaseName": quote(&target_database), "schemaName": quote(&target_schema), "tableName": quote(target)},
            "columnNameMappings": mappings,
            "columnNamesToPartitionBy": [quote(&columns[0]), quote(&columns[1])],
            "partitionSize": {"maxRowsPerPartition": 10},
            "excludeSourceColumns": [quote(&columns[39])],
        }));
    }
    let done = migration.prepare(&[]).run(0);
    let (columns, renamed) = (&columns[..39], &renamed[..39]);
    for (table, target) in tables.iter().zip(&target_tables) {
        let place = [&target_database, &target_schema, target]
            .map(|name| quote(name))
            .join(".");
        assert_eq!(columns_of(&done.sql, &place), renamed);
        assert_eq!(
            done.sql
                .rows(&format!("SELECT {} FROM {place} ORDER BY 1", list(renamed))),
            sql.rows(&format!(
                "SELECT {} FROM {}.{} ORDER BY 1",
                list(columns),
                quote(&schema),
                quote(table)
            ))
        );
    }
    let snowhaul = snowhaul_integration::LocalSnowflake::shared().statements();
    let creates: Vec<&str> = snowhaul
        .iter()
        .filter_map(|entry| entry["sql"].as_str())
        .filter(|sql| {
            sql.starts_with("CREATE TABLE IF NOT EXISTS") && sql.contains(&quote(&target_schema))
        })
        .collect();
    assert!(creates.len() >= 2);
    assert!(snowhaul_integration::unparsed("snowflake", &creates).is_empty());
}

/// What our own statements call things, on either side.
const OURS: &[&str] = &[
    "place",
    "tile",
    "tiles",
    "firsts",
    "boundary_0",
    "boundary_1",
    "key_0",
    "key_1",
    "text_0",
    "text_1",
    "times",
    "shown",
    "c0",
    "c1",
    "c2",
    "t",
    "s",
    "n",
    "x",
    "part",
    "parts",
    "wanted",
    "objects",
    "number",
    "row_number",
    "count",
    "sum",
];

#[test]
fn a_table_whose_columns_are_called_as_ours_is_moved_by_every_strategy() {
    let strategies = [
        ("once", json!({"strategy": "none"})),
        ("replaced", json!({"strategy": "full-replace"})),
        ("compared", json!({"strategy": "checksum"})),
        (
            "merged",
            json!({"strategy": "watermark", "watermarkColumn": "key_0", "trackModifications": true, "trackDeletions": true}),
        ),
    ];
    for platform in ["redshift", "postgresql"] {
        let database = LocalRedshift::shared().database();
        let sql = database.sql();
        let columns: Vec<String> = OURS
            .iter()
            .map(|name| format!("\"{name}\" int NOT NULL"))
            .collect();
        // Numbers whose order as text is another.
        let values: Vec<String> = (0..OURS.len())
            .map(|place| format!("(g.g * {} + {place}) % 1009", 7 + 2 * place))
            .collect();
        sql.run(&format!(
            "CREATE TABLE firsts ({}, PRIMARY KEY (t, s))",
            columns.join(", ")
        ));
        sql.run(&format!(
            "INSERT INTO firsts SELECT {} FROM generate_series(1, 300) g(g)",
            values.join(", ")
        ));
        let table = |target: &str, strategy: &serde_json::Value| {
            json!({
                "source": {"tableName": "firsts"},
                "target": {"tableName": target},
                "columnNamesToPartitionBy": ["place", "tile"],
                "primaryKeyColumns": ["t", "s"],
                "partitionSize": {"maxRowsPerPartition": 100},
                "synchronization": strategy,
            })
        };
        let mut migration = Migration::from(&database).platform(platform);
        for (target, strategy) in &strategies {
            migration = migration.table(table(target, strategy));
        }
        let expected = || sql.rows("SELECT * FROM firsts ORDER BY t, s");
        let done = migration.run(0);
        for (number, (target, _)) in strategies.iter().enumerate() {
            let rows = done
                .sql
                .rows(&format!("SELECT * FROM {target} ORDER BY T, S"));
            assert_eq!(rows, expected(), "{target} on {platform}");
            let (partitions, _) = done.metadata.partitions(number);
            assert!(partitions >= 3, "{target} on {platform}: {partitions}");
        }
        sql.run("UPDATE firsts SET key_0 = key_0 + 2000, shown = -1 WHERE c0 < 100");
        sql.run("DELETE FROM firsts WHERE place > 900");
        let mut migration = migration.again().without_tables();
        for (target, strategy) in &strategies[1..] {
            migration = migration.table(table(target, strategy));
        }
        let done = migration.run(0);
        for (target, _) in &strategies[1..] {
            let rows = done
                .sql
                .rows(&format!("SELECT * FROM {target} ORDER BY T, S"));
            assert_eq!(rows, expected(), "{target} on {platform}, again");
        }
    }
}

#[test]
fn the_row_of_a_refused_value_is_found_by_keys_that_are_called_as_ours() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (key_0 int, text_0 int, shown date, times int)");
    sql.run("INSERT INTO t VALUES (10, 1, 'infinity', 1), (9, 2, 'infinity', 1), (9, 10, 'infinity', 1), (1, 1, '2024-01-01', 1)");
    let done = Migration::from(&database)
        .table(json!({
            "source": {"tableName": "t"},
            "target": {"tableName": "t"},
            "columnNamesToPartitionBy": ["key_0", "text_0"],
        }))
        .run(1);
    let errors = done.errors_of("t");
    assert!(
        errors.contains("the value infinity in the row with key_0 = 9, text_0 = 2"),
        "{errors}"
    );
}
