//! Ranges as SQL: every row of a table satisfies exactly one of them on the source, whatever the boundaries were taken from.

use crate::partitions::{ROWS, fill, prepare, tables};
use snowhaul::domain::table::{
    KeyColumn, KeyKind, KeyRange, KeyTuple, Platform, QueryModifiers, SourceColumn, TableRef,
    WrittenName,
};
use snowhaul::plan::ranges;
use snowhaul::platform::{self, Scope, SourcePlatform};
use snowhaul_integration::{LocalRedshift, Sql};
use std::collections::HashMap;

fn table_ref(name: &str) -> TableRef {
    let part = |text: &str| WrittenName(text.to_owned());
    TableRef {
        database: part("d"),
        schema: part("public"),
        table: part(name),
    }
}

/// How often each id of a table is extracted by the ranges between boundaries of some of its rows.
fn extracted(
    dialect: &dyn SourcePlatform,
    sql: &Sql,
    name: &str,
    key: &[KeyColumn],
    some: &str,
) -> (usize, HashMap<Option<String>, u32>) {
    let table = table_ref(name);
    let modifiers = QueryModifiers::default();
    let scope = |range, where_clause| Scope {
        table: &table,
        key,
        range,
        window: None,
        where_clause,
        modifiers: &modifiers,
    };
    let boundaries: Vec<KeyTuple> = sql
        .rows(
            &dialect
                .boundaries(&scope(&KeyRange::Everything, Some(some)), 9, None)
                .sql,
        )
        .into_iter()
        .map(|row| row.into_iter().map(Option::unwrap).collect())
        .collect();
    let id = SourceColumn {
        name: "id".into(),
        type_name: "int4".into(),
        ..SourceColumn::default()
    };
    let plan = [dialect.plan_column(&id, 0, None).plan];
    let ranges = ranges(key, &boundaries);
    let mut seen = HashMap::new();
    for range in &ranges {
        for mut row in sql.rows(&dialect.extraction(&scope(range, None), &plan)) {
            *seen.entry(row.remove(0)).or_insert(0) += 1;
        }
    }
    (ranges.len(), seen)
}

/// What comes into a table after its analysis lies anywhere, beyond the edges too.
#[test]
fn a_row_that_the_analysis_did_not_see_is_extracted_exactly_once() {
    let database = LocalRedshift::shared().database();
    let sql = prepare(&database);
    let dialect = platform::source(Platform::Redshift).unwrap();
    for table in tables() {
        fill(&sql, &table);
        let key: Vec<KeyColumn> = table
            .key
            .iter()
            .map(|(name, kind)| KeyColumn {
                name: (*name).to_owned(),
                kind: *kind,
                nullable: !table.columns[usize::from(*name == "b")].contains("NOT NULL"),
                bytewise: false,
            })
            .collect();
        let (parts, seen) = extracted(
            dialect,
            &sql,
            table.name,
            &key,
            "id BETWEEN 400 AND 800 AND id % 5 < 2",
        );
        assert!(
            parts >= table.partitions.min(2) as usize,
            "{}: {parts}",
            table.name
        );
        let twice: Vec<_> = seen
            .iter()
            .filter(|(_, times)| **times != 1)
            .take(5)
            .collect();
        assert!(twice.is_empty(), "{}: {twice:?}", table.name);
        assert_eq!(seen.len() as i64, ROWS, "{}", table.name);
    }
}

/// Such rows are refused later; until then they are rows like others.
#[test]
fn infinities_and_years_before_christ_in_a_key_are_extracted_exactly_once() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let dialect = platform::source(Platform::Redshift).unwrap();
    for (kind, of_type) in [
        (KeyKind::Date, "date"),
        (KeyKind::Timestamp, "timestamp"),
        (KeyKind::TimestampTz, "timestamptz"),
    ] {
        sql.run("DROP TABLE IF EXISTS t");
        sql.run(&format!("CREATE TABLE t AS SELECT n AS id, (ARRAY['infinity', '-infinity', '0044-03-15 BC', '12345-01-01', '2024-01-01', '2024-01-02'])[1 + n % 6]::{of_type} AS a FROM generate_series(1, 600) n"));
        let key = [KeyColumn {
            name: "a".into(),
            kind,
            nullable: true,
            bytewise: false,
        }];
        let (parts, seen) = extracted(dialect, &sql, "t", &key, "true");
        assert!(parts > 4, "{of_type}: {parts}");
        assert!(
            seen.len() == 600 && seen.values().all(|times| *times == 1),
            "{of_type}"
        );
    }
}
