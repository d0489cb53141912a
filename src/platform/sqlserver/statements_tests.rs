//! Every shape of statement, one after the other: what a parser of T-SQL is to read.

use super::SqlServer;
use crate::domain::table::{
    DateUnit, KeyColumn, KeyKind, KeyRange, QueryModifiers, SourceColumn, TableRef, WrittenName,
};
use crate::plan::ranges;
use crate::platform::catalog::Catalog;
use crate::platform::scope::{Scope, Window};
use crate::platform::sql::Sql;
use std::fmt::Write as _;

/// A key column of each kind, with two values in ascending order.
const KEYS: &[(&str, KeyKind, bool, [&str; 2])] = &[
    ("k_bigint", KeyKind::Integer, false, ["-5", "3000000000"]),
    ("k_decimal", KeyKind::Decimal, false, ["-0.50", "12.25"]),
    ("k_float", KeyKind::Float, false, ["-1e-7", "1.5e300"]),
    ("k_bit", KeyKind::Boolean, false, ["false", "true"]),
    ("k_date", KeyKind::Date, false, ["0001-01-01", "2024-02-29"]),
    (
        "k_datetime",
        KeyKind::DateTime,
        false,
        ["1753-01-01 00:00:00.000", "2024-02-29 23:59:59.997"],
    ),
    (
        "k_datetime2",
        KeyKind::Timestamp,
        false,
        ["0001-01-01 00:00:00.0000001", "2024-02-29 23:59:59.9999999"],
    ),
    (
        "k_offset",
        KeyKind::TimestampTz,
        false,
        [
            "0001-01-01 00:00:00.0000001+00",
            "2024-02-29 23:59:59.9999999+00",
        ],
    ),
    (
        "k_time",
        KeyKind::Time,
        false,
        ["00:00:00.0000001", "23:59:59.9999999"],
    ),
    (
        "k_guid",
        KeyKind::Guid,
        false,
        [
            "FFFFFFFF-FFFF-FFFF-FFFF-000000000001",
            "00000000-0000-0000-0000-000000000002",
        ],
    ),
    (
        "k_guid",
        KeyKind::Guid,
        true,
        [
            "00000000-0000-0000-0000-000000000002",
            "FFFFFFFF-FFFF-FFFF-FFFF-000000000001",
        ],
    ),
    ("k_binary", KeyKind::Binary, false, ["00FF", "7F00"]),
    ("k_varchar", KeyKind::PageText, false, ["aN'b", "it's"]),
    ("k_varchar", KeyKind::PageText, true, ["a", "é"]),
    ("k_nvarchar", KeyKind::Text, false, ["a\\\nb", "日本"]),
    ("k_nvarchar", KeyKind::Text, true, ["a\\\nb", "😀"]),
];

const TYPES: &[(&str, &str)] = &[
    ("k_bigint", "bigint"),
    ("k_float", "float"),
    ("k_varchar", "varchar"),
    ("c_text", "text"),
    ("c_ntext", "ntext"),
    ("c_xml", "xml"),
    ("c_variant", "sql_variant"),
    ("c_point", "geometry"),
    ("c]bracket", "money"),
];

fn column(name: &str, kind: KeyKind, bytewise: bool) -> KeyColumn {
    KeyColumn {
        name: name.to_owned(),
        kind,
        nullable: true,
        bytewise,
    }
}

fn table() -> TableRef {
    let written = |name: &str| WrittenName(name.to_owned());
    TableRef {
        database: written("app"),
        schema: written("dbo"),
        table: written("[all ]] kinds]"),
    }
}

/// What is asked of a table by a key: of each kind what depends on it.
fn of_key(key: &[KeyColumn], bounds: &[Vec<String>]) -> Vec<String> {
    let table = table();
    let modifiers = QueryModifiers::default();
    let found = ranges(key, bounds);
    let everything = KeyRange::Everything;
    let scope = |range| Scope {
        table: &table,
        key,
        range,
        window: None,
        where_clause: None,
        modifiers: &modifiers,
    };
    let mut statements = vec![
        SqlServer.boundaries(&scope(&everything), 4, None).sql,
        SqlServer
            .partition_summary(&scope(&everything), &found, &[])
            .query
            .sql,
    ];
    statements.extend(found.iter().map(|range| SqlServer.count(&scope(range)).sql));
    let watermark = &key[0];
    if !watermark.bytewise {
        statements.push(SqlServer.maximum(&scope(&everything), watermark).sql);
        let window = Window {
            column: watermark,
            after: Some(&bounds[0][0]),
            upto: Some(&bounds[1][0]),
            with_nulls: false,
        };
        let windowed = Scope {
            window: Some(window),
            ..scope(&everything)
        };
        statements.push(SqlServer.any_row(&windowed).sql);
    }
    statements
}

/// All of them, each once.
fn statements() -> Vec<String> {
    let table = table();
    let modifiers = QueryModifiers {
        object: Some("WITH (NOLOCK)".to_owned()),
        ..QueryModifiers::default()
    };
    let id = [column("k_bigint", KeyKind::Integer, false)];
    let everything = KeyRange::Everything;
    let scope = Scope {
        table: &table,
        key: &id,
        range: &everything,
        window: None,
        where_clause: Some("k_bigint > 0 -- all"),
        modifiers: &modifiers,
    };
    let columns: Vec<SourceColumn> = TYPES
        .iter()
        .map(|(name, type_name)| SourceColumn {
            name: (*name).to_owned(),
            type_name: (*type_name).to_owned(),
            ..SourceColumn::default()
        })
        .collect();
    let rowversion = SourceColumn {
        type_name: "timestamp".to_owned(),
        ..SourceColumn::default()
    };
    let date = column("k_datetime2", KeyKind::Timestamp, false);
    let zoned = column("k_offset", KeyKind::TimestampTz, false);
    let checksum = SqlServer.checksum_aggregates(&columns).concat();
    let counted = SqlServer.counted_aggregate("SUM(k_float) -- all");
    let mut statements = vec![
        SqlServer.server().sql,
        SqlServer.clock().sql,
        SqlServer.columns(&table).sql,
        SqlServer.constraints(&table).sql,
        SqlServer.relations().sql,
        SqlServer.lookalikes(&table).sql,
        SqlServer.privileges(&table).sql,
        SqlServer.boundaries(&scope, 4, Some(0.01)).sql,
        SqlServer.date_units(&scope, &date, DateUnit::Year).sql,
        SqlServer.date_units(&scope, &zoned, DateUnit::Month).sql,
        SqlServer
            .unit_boundaries(&scope, &date, DateUnit::Day, 1000)
            .sql,
        SqlServer
            .longest(&scope, &["CAST([c_text] AS nvarchar(max))"], "")
            .sql,
        SqlServer.aggregate(&scope, &checksum).sql,
        SqlServer.aggregate(&scope, &counted).sql,
        SqlServer
            .partition_summary(&scope, &ranges(&id, &[vec!["5".to_owned()]]), &[&checksum])
            .query
            .sql,
    ];
    statements.extend(
        SqlServer
            .estimates(&scope)
            .into_iter()
            .map(|query| query.sql),
    );
    statements.extend(
        [
            SqlServer.encryption().map(|query| query.sql),
            SqlServer.layout(&table).map(|query| query.sql),
            SqlServer.hidden_rows(&scope).map(|query| query.sql),
            SqlServer.running_transactions().map(|query| query.sql),
            SqlServer
                .committed_bound(&rowversion)
                .map(|query| query.sql),
            SqlServer.consistency().map(|query| query.sql),
            SqlServer.table_warnings(&table).map(|query| query.sql),
            SqlServer.disguised_columns(&table).map(|query| query.sql),
        ]
        .into_iter()
        .flatten(),
    );
    for (name, kind, bytewise, values) in KEYS {
        let bounds: Vec<Vec<String>> = values.iter().map(|v| vec![(*v).to_owned()]).collect();
        statements.extend(of_key(&[column(name, *kind, *bytewise)], &bounds));
    }
    let pair = [
        column("k_varchar", KeyKind::PageText, false),
        column("k_datetime", KeyKind::DateTime, false),
    ];
    let bounds = ["a", "b"].map(|text| vec![text.to_owned(), "2024-01-01 00:00:00.003".to_owned()]);
    statements.extend(of_key(&pair, &bounds));
    let mut seen = std::collections::BTreeSet::new();
    statements.retain(|statement| seen.insert(statement.clone()));
    statements
}

#[test]
fn each_statement_is_what_it_was() {
    let mut text = String::new();
    for statement in statements() {
        let _ = writeln!(text, "{statement}\nGO");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn text_that_the_server_makes_of_values_has_a_length() {
    for statement in statements() {
        for bare in ["AS nvarchar)", "AS varchar)", "(nvarchar,", "(varchar,"] {
            assert!(!statement.contains(bare), "{statement}");
        }
    }
}
