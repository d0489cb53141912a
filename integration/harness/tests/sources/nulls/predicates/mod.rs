//! The predicates that are sent, and not what the ranges mean: real servers say of each row which of them are true.

mod kinds;
mod ranges;
mod snowflake;
mod watermarks;

use kinds::Kind;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use snowhaul::domain::table::{
    KeyColumn, KeyRange, KeyTuple, Platform, QueryModifiers, TableRef, WrittenName,
};
use snowhaul::plan::{boundaries, ranges};
use snowhaul::platform::{Scope, SourcePlatform, Window};
use snowhaul::types::key_text;
use snowhaul_integration::Sql;

/// The same in every test run; others come on top.
const SEEDS: std::ops::Range<u64> = 0..40;
const MORE: u64 = 10;
/// Rows of a table at most: all combinations, or some of them.
const ROWS: usize = 200;

const PLATFORMS: [Platform; 2] = [Platform::Redshift, Platform::Postgresql];

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
