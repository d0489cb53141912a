//! Names that a generator makes.

use super::{columns_of, quote};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, Migration, unique_name};

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
