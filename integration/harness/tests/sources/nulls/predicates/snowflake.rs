//! A range is the same rows on both sides.

use super::kinds::{KINDS, Kind};
use super::{Case, condition, cut, seeds, table, true_of};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use snowhaul::domain::table::{KeyKind, Platform, SourceColumn};
use snowhaul::domain::table_plan::{ExtractColumn, LoadColumn, TablePlan};
use snowhaul::platform;
use snowhaul::target::replace::{delete_ranges, target_key};
use snowhaul_integration::{LocalRedshift, LocalSnowflake, unique_name};

/// What Snowflake is told to delete of a range, and how its rows come into its table.
fn plan(case: &Case) -> TablePlan {
    let columns = case.kinds.iter().enumerate().map(|(place, kind)| {
        let (name, target_type) = (format!("k{place}"), kind.target.unwrap().to_owned());
        let load = LoadColumn {
            name: name.to_uppercase(),
            target_type: target_type.clone(),
            decode: None,
        };
        let source = SourceColumn {
            name,
            ..SourceColumn::default()
        };
        let extract = ExtractColumn {
            source,
            fits: Some(target_type),
            encode: None,
        };
        (extract, load)
    });
    let (extracted, loaded): (Vec<_>, Vec<_>) = columns.unzip();
    let spec = json!({
        "version": 4,
        "extract": {"platform": "postgresql", "source": table(), "key": case.key(), "columns": extracted},
        "load": {"target": table(), "columns": loaded, "mode": "replaceRange"},
        "sync": {},
    });
    serde_json::from_value(spec).unwrap()
}

fn in_snowflake(kind: &Kind, value: &str) -> String {
    let text = match kind.kind {
        KeyKind::Float => value.replace("Infinity", "inf"),
        KeyKind::TimestampTz => value.replace("+00", " +00:00"),
        // As they arrive.
        KeyKind::PaddedText => value.trim_end_matches(' ').to_owned(),
        _ => value.to_owned(),
    };
    let text = text.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{text}'::{}", kind.target.unwrap())
}

#[test]
fn a_range_is_the_same_rows_in_the_source_and_in_snowflake() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let snowflake = LocalSnowflake::shared().sql();
    let schema = unique_name("PREDICATES");
    snowflake.run(&format!("CREATE DATABASE {schema}"));
    snowflake.run(&format!("USE SCHEMA {schema}.PUBLIC"));
    let kinds: Vec<&Kind> = KINDS.iter().filter(|kind| kind.target.is_some()).collect();
    for seed in seeds() {
        let case = Case::new(seed, &kinds, false);
        case.fill(&sql);
        let dialect = platform::source(Platform::Postgresql).unwrap();
        let mut random = StdRng::seed_from_u64(seed);
        let key = case.key();
        let ranges = cut(dialect, &sql, &key, &mut random);
        let at_the_source: Vec<String> = ranges
            .iter()
            .map(|range| condition(dialect, &key, range, None))
            .collect();
        let target = target_key(&plan(&case)).unwrap();
        let in_the_target: Vec<String> = ranges
            .iter()
            .map(|range| {
                let delete = delete_ranges("t", &target, &[range]).unwrap();
                match delete.split_once(" WHERE ") {
                    Some((_, condition)) => condition.to_owned(),
                    None => "1 = 1".to_owned(),
                }
            })
            .collect();
        let columns: String = case
            .kinds
            .iter()
            .enumerate()
            .map(|(place, kind)| format!(", k{place} {}", kind.target.unwrap()))
            .collect();
        snowflake.run(&format!(
            "CREATE OR REPLACE TABLE t (id NUMBER(10,0){columns})"
        ));
        let rows: Vec<String> = case
            .rows
            .iter()
            .enumerate()
            .map(|(id, cells)| {
                let cells: String = case
                    .kinds
                    .iter()
                    .zip(cells)
                    .map(|(kind, cell)| {
                        let cell = cell.map_or("NULL".to_owned(), |cell| in_snowflake(kind, cell));
                        format!(", {cell}")
                    })
                    .collect();
                format!("SELECT {id}{cells}")
            })
            .collect();
        snowflake.run(&format!("INSERT INTO t {}", rows.join(" UNION ALL ")));
        let were = true_of(&sql, &at_the_source, "''");
        let are = true_of(&snowflake, &in_the_target, "''");
        assert_eq!(are.len(), case.rows.len());
        for (row, (was, is)) in case.rows.iter().zip(were.iter().zip(are)) {
            assert!(
                was.0 == is.0 && is.0.len() == 1,
                "seed {}: the row {row:?} is in the ranges {:?} of the source and {:?} of Snowflake, of {ranges:?}\n{}\n{}",
                case.seed,
                was.0,
                is.0,
                was.2,
                is.2
            );
        }
    }
}
