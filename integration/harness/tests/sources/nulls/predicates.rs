//! The predicates that are sent, and not what the ranges mean: real servers say of each row which of them are true.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;
use snowhaul::domain::table::{
    KeyColumn, KeyKind, KeyRange, KeyTuple, Platform, QueryModifiers, SourceColumn, TableRef,
    WrittenName,
};
use snowhaul::domain::table_plan::{ExtractColumn, LoadColumn, TablePlan};
use snowhaul::plan::{boundaries, ranges};
use snowhaul::platform::{self, Scope, SourcePlatform, Window};
use snowhaul::target::replace::{delete_ranges, target_key};
use snowhaul::types::key_text;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Sql, unique_name};

/// The same in every test run; others come on top.
const SEEDS: std::ops::Range<u64> = 0..40;
const MORE: u64 = 10;
/// Rows of a table at most: all combinations, or some of them.
const ROWS: usize = 200;

const PLATFORMS: [Platform; 2] = [Platform::Redshift, Platform::Postgresql];

/// A kind of key: its types on both sides, and values at both ends and in between.
struct Kind {
    kind: KeyKind,
    bytewise: bool,
    source: &'static str,
    /// `None`: no range of it is told to Snowflake.
    target: Option<&'static str>,
    values: &'static [&'static str],
    /// Values that sources alone have.
    at_the_source: &'static [&'static str],
}

const WORDS: &[&str] = &[
    "", "a", "A", "aa", "b", "B", "z", "ä", "Ä", "é", "ß", "ss", "it's", "\\", "a\\'b", "%", "?",
    "_", "😀", "-- x", "a b", "1", "10", "9",
];
const BLANKS: &[&str] = &[" ", "a ", " a", "\t", "a\n"];

const KINDS: &[Kind] = &[
    Kind {
        kind: KeyKind::Integer,
        bytewise: false,
        source: "bigint",
        target: Some("NUMBER(38,0)"),
        values: &[
            "-9223372036854775808",
            "-10",
            "-9",
            "0",
            "1",
            "9",
            "10",
            "9223372036854775807",
        ],
        at_the_source: &[],
    },
    Kind {
        kind: KeyKind::Decimal,
        bytewise: false,
        source: "numeric",
        target: Some("NUMBER(38,10)"),
        values: &[
            "-10000000000000000000000000",
            "-10",
            "-9.99",
            "-0.0000000001",
            "0",
            "0.5",
            "1.00",
            "1.0000000001",
            "10",
            "9999999999999999999999999999.9999999999",
        ],
        at_the_source: &["NaN", "Infinity", "-Infinity", "1e40"],
    },
    Kind {
        kind: KeyKind::Float,
        bytewise: false,
        source: "double precision",
        target: Some("FLOAT"),
        values: &[
            "-1e300",
            "-0",
            "0",
            "1e-300",
            "0.1",
            "0.30000000000000004",
            "1e300",
            "NaN",
            "Infinity",
            "-Infinity",
        ],
        at_the_source: &[],
    },
    Kind {
        kind: KeyKind::Date,
        bytewise: false,
        source: "date",
        target: Some("DATE"),
        values: &[
            "0001-01-01",
            "1582-10-10",
            "1969-12-31",
            "1970-01-01",
            "2024-02-29",
            "9999-12-31",
        ],
        at_the_source: &["infinity", "-infinity", "0044-03-15 BC", "12345-01-01"],
    },
    Kind {
        kind: KeyKind::Timestamp,
        bytewise: false,
        source: "timestamp",
        target: Some("TIMESTAMP_NTZ(9)"),
        values: &[
            "0001-01-01 00:00:00",
            "1969-12-31 23:59:59.999999",
            "2024-02-29 12:00:00",
            "2024-02-29 12:00:00.000001",
            "2024-02-29 12:00:00.5",
            "9999-12-31 23:59:59",
        ],
        at_the_source: &["infinity", "-infinity", "0044-03-15 00:00:00 BC"],
    },
    Kind {
        kind: KeyKind::TimestampTz,
        bytewise: false,
        source: "timestamptz",
        target: Some("TIMESTAMP_TZ(9)"),
        values: &[
            "1582-10-10 00:00:00+00",
            "1969-12-31 23:59:59.999999+00",
            "2024-03-31 00:59:59+00",
            "2024-03-31 01:00:00+00",
            "2024-03-31 01:00:00.5+00",
            "9999-12-30 23:59:59+00",
        ],
        at_the_source: &["infinity", "-infinity", "0044-03-15 00:00:00+00 BC"],
    },
    Kind {
        kind: KeyKind::Time,
        bytewise: false,
        source: "time",
        target: Some("TIME(9)"),
        values: &[
            "00:00:00",
            "00:00:00.000001",
            "12:00:00.5",
            "23:59:59.999999",
        ],
        at_the_source: &["24:00:00"],
    },
    Kind {
        kind: KeyKind::Boolean,
        bytewise: false,
        source: "boolean",
        target: Some("BOOLEAN"),
        values: &["true", "false"],
        at_the_source: &[],
    },
    Kind {
        kind: KeyKind::Uuid,
        bytewise: false,
        source: "uuid",
        target: Some("VARCHAR"),
        values: &[
            "00000000-0000-0000-0000-000000000000",
            "0fffffff-ffff-ffff-ffff-ffffffffffff",
            "a0000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ],
        at_the_source: &[],
    },
    Kind {
        kind: KeyKind::Text,
        bytewise: false,
        source: "text COLLATE \"und-x-icu\"",
        target: None,
        values: WORDS,
        at_the_source: BLANKS,
    },
    Kind {
        kind: KeyKind::Text,
        bytewise: true,
        source: "text",
        target: Some("VARCHAR"),
        values: WORDS,
        at_the_source: BLANKS,
    },
    Kind {
        kind: KeyKind::PaddedText,
        bytewise: false,
        source: "char(8) COLLATE \"und-x-icu\"",
        target: None,
        values: WORDS,
        at_the_source: BLANKS,
    },
    Kind {
        kind: KeyKind::PaddedText,
        bytewise: true,
        source: "char(8)",
        target: Some("VARCHAR"),
        values: WORDS,
        at_the_source: &[" a"],
    },
];

type Cells = Vec<Option<&'static str>>;

/// A table `(id, k0, k1, …)` and its key.
struct Case {
    seed: u64,
    kinds: Vec<&'static Kind>,
    rows: Vec<Cells>,
}

fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

impl Case {
    fn new(seed: u64, kinds: &[&'static Kind], at_the_source: bool) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let kinds: Vec<&Kind> = (0..random.random_range(1..=3))
            .filter_map(|_| kinds.choose(&mut random).copied())
            .collect();
        let pools: Vec<Vec<Option<&str>>> = kinds
            .iter()
            .map(|kind| {
                let more = if at_the_source {
                    kind.at_the_source
                } else {
                    &[]
                };
                let values = kind.values.iter().chain(more).copied().map(Some);
                std::iter::once(None).chain(values).collect()
            })
            .collect();
        let mut rows: Vec<Cells> = vec![Vec::new()];
        for pool in &pools {
            rows = rows
                .iter()
                .flat_map(|row| {
                    pool.iter().map(|cell| {
                        let mut row = row.clone();
                        row.push(*cell);
                        row
                    })
                })
                .collect();
        }
        if rows.len() > ROWS {
            // With each combination of NULL in them.
            let with = |nulls: usize| {
                rows.iter().find(|row| {
                    let mut cells = row.iter().enumerate();
                    cells.all(|(place, cell)| cell.is_none() == (nulls >> place & 1 == 1))
                })
            };
            let mut some: Vec<Cells> = (0..1 << kinds.len()).filter_map(with).cloned().collect();
            some.extend(rows.choose_multiple(&mut random, ROWS).cloned());
            rows = some;
        }
        Self { seed, kinds, rows }
    }

    fn key(&self) -> Vec<KeyColumn> {
        self.kinds
            .iter()
            .enumerate()
            .map(|(place, kind)| KeyColumn {
                name: format!("k{place}"),
                kind: kind.kind,
                nullable: true,
                bytewise: kind.bytewise,
            })
            .collect()
    }

    fn fill(&self, sql: &Sql) {
        let columns = |each: &dyn Fn(usize, &Kind) -> String| -> String {
            let all = self.kinds.iter().enumerate();
            all.map(|(place, kind)| each(place, kind)).collect()
        };
        sql.run("DROP TABLE IF EXISTS t");
        sql.run(&format!(
            "CREATE TABLE t (id integer{})",
            columns(&|place, kind| format!(", k{place} {}", kind.source))
        ));
        let row = |(id, cells): (usize, &Cells)| {
            let cells: String = cells
                .iter()
                .map(|cell| format!(", {}", cell.map_or("NULL".to_owned(), quoted)))
                .collect();
            format!("({id}{cells})")
        };
        let rows: Vec<String> = self.rows.iter().enumerate().map(row).collect();
        // Without types of their own: those of the columns.
        sql.run(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
    }
}

fn table() -> TableRef {
    let part = |text: &str| WrittenName(text.to_owned());
    TableRef {
        database: part("d"),
        schema: part("public"),
        table: part("t"),
    }
}

/// What a statement that reads the scope has as its condition.
fn condition(
    dialect: &dyn SourcePlatform,
    key: &[KeyColumn],
    range: &KeyRange,
    window: Option<Window<'_>>,
) -> String {
    let (table, modifiers) = (table(), QueryModifiers::default());
    let sql = dialect
        .aggregate(
            &Scope {
                table: &table,
                key,
                range,
                window,
                where_clause: None,
                modifiers: &modifiers,
            },
            "count(*)",
        )
        .sql;
    match sql.split_once(" WHERE ") {
        Some((_, condition)) => condition.to_owned(),
        None => "1 = 1".to_owned(),
    }
}

/// The ranges between the keys of some of the rows, as the source cuts them.
fn cut(
    dialect: &dyn SourcePlatform,
    sql: &Sql,
    key: &[KeyColumn],
    random: &mut StdRng,
) -> Vec<KeyRange> {
    let (table, modifiers) = (table(), QueryModifiers::default());
    let some = format!("id % {} = 0", random.random_range(1..=5));
    let query = dialect
        .boundaries(
            &Scope {
                table: &table,
                key,
                range: &KeyRange::Everything,
                window: None,
                where_clause: Some(&some),
                modifiers: &modifiers,
            },
            random.random_range(1..=9),
            None,
        )
        .sql;
    let tiles: Vec<KeyTuple> = sql
        .rows(&query)
        .into_iter()
        .map(|row| {
            let cells = key.iter().zip(row);
            cells
                .map(|(column, cell)| key_text::read(column.kind, cell.unwrap()))
                .collect()
        })
        .collect();
    ranges(key, &boundaries(key, tiles).firsts)
}

/// Of each row, by its id: the numbers of the conditions that are true, as the server says in one statement.
fn true_of(
    sql: &Sql,
    conditions: &[String],
    more: &str,
) -> Vec<(Vec<usize>, Option<String>, String)> {
    let flags: Vec<String> = conditions
        .iter()
        .map(|condition| format!("CASE WHEN {condition} THEN '1' ELSE '0' END"))
        .collect();
    let query = format!(
        "SELECT id, {}, {more} FROM t ORDER BY id",
        flags.join(" || ")
    );
    sql.rows(&query)
        .into_iter()
        .map(|mut row| {
            let (more, flags) = (row.pop().flatten(), row.pop().flatten().unwrap());
            let found = flags.char_indices().filter(|(_, flag)| *flag == '1');
            (found.map(|(place, _)| place).collect(), more, query.clone())
        })
        .collect()
}

fn seeds() -> impl Iterator<Item = u64> {
    let fresh = rand::rng().random_range(1 << 20..1 << 40);
    SEEDS.chain(fresh..fresh + MORE)
}

#[test]
fn every_row_satisfies_the_predicate_of_exactly_one_range_and_is_in_its_bucket() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let kinds: Vec<&Kind> = KINDS.iter().collect();
    for seed in seeds() {
        let case = Case::new(seed, &kinds, true);
        case.fill(&sql);
        let key = case.key();
        for platform in PLATFORMS {
            let dialect = platform::source(platform).unwrap();
            let mut random = StdRng::seed_from_u64(seed);
            let ranges = cut(dialect, &sql, &key, &mut random);
            let conditions: Vec<String> = ranges
                .iter()
                .map(|range| condition(dialect, &key, range, None))
                .collect();
            let (table, modifiers) = (table(), QueryModifiers::default());
            let summary = dialect
                .partition_summary(
                    &Scope {
                        table: &table,
                        key: &key,
                        range: &KeyRange::Everything,
                        window: None,
                        where_clause: None,
                        modifiers: &modifiers,
                    },
                    &ranges,
                    &[],
                )
                .query
                .sql;
            let bucket = summary
                .split_once(", CAST(count(*) AS varchar)")
                .and_then(|(bucket, _)| bucket.strip_prefix("SELECT "))
                .unwrap();
            let found = true_of(&sql, &conditions, bucket);
            assert_eq!(found.len(), case.rows.len());
            for (row, (of, bucket, query)) in case.rows.iter().zip(found) {
                let bucket: Option<usize> = bucket.and_then(|text| text.parse().ok());
                assert!(
                    of.len() == 1 && bucket == Some(of[0]),
                    "seed {} on {platform}: the row {row:?} is in the ranges {of:?} and in bucket {bucket:?} of {ranges:?}\n{query}",
                    case.seed
                );
                let has_null = row.iter().any(Option::is_none);
                assert_eq!(ranges[of[0]] == KeyRange::NullKey, has_null, "{row:?}");
            }
        }
    }
}

#[test]
fn every_row_falls_into_exactly_one_run_of_a_watermark() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    let kinds: Vec<&Kind> = KINDS.iter().take(6).collect();
    for seed in seeds() {
        let case = Case::new(seed, &kinds, true);
        case.fill(&sql);
        let mut random = StdRng::seed_from_u64(seed);
        let column = &case.key()[0];
        // What can be a bound, in order.
        let is_endless = |value: &str| {
            value == "NaN"
                || value
                    .trim_start_matches('-')
                    .eq_ignore_ascii_case("infinity")
        };
        let bounds: Vec<&str> = case.kinds[0]
            .values
            .iter()
            .copied()
            .filter(|value| !is_endless(value) && random.random_bool(0.5))
            .collect();
        let afters = std::iter::once(None).chain(bounds.iter().copied().map(Some));
        let uptos = bounds
            .iter()
            .copied()
            .map(Some)
            .chain(std::iter::once(None));
        let windows: Vec<(Option<&str>, Option<&str>)> = afters.zip(uptos).collect();
        for platform in PLATFORMS {
            let dialect = platform::source(platform).unwrap();
            for with_nulls in [false, true] {
                let conditions: Vec<String> = windows
                    .iter()
                    .map(|(after, upto)| {
                        let window = Window {
                            column,
                            after: *after,
                            upto: *upto,
                            with_nulls,
                        };
                        condition(dialect, &[], &KeyRange::Everything, Some(window))
                    })
                    .collect();
                for (row, (of, _, query)) in case.rows.iter().zip(true_of(&sql, &conditions, "''"))
                {
                    let is_right = match row[0] {
                        None if with_nulls => of.len() == windows.len(),
                        None => of == [0],
                        Some(_) => of.len() == 1,
                    };
                    assert!(
                        is_right,
                        "seed {} on {platform}: the row {row:?} is in the windows {of:?} of {windows:?}\n{query}",
                        case.seed
                    );
                }
            }
        }
    }
}

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
