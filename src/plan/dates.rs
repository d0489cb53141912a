//! Partitions at units of the calendar: pure.

use super::compare_values;
use crate::domain::table::{KeyColumn, KeyKind, KeyTuple};
use std::cmp::Ordering;

/// Partitions of a table at most.
const MAX_PARTITIONS: u64 = 10_000;

/// A unit of the calendar that has rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its first value, in the text form of the column's [`KeyKind`].
    pub first: String,
    /// Its rows.
    pub rows: u64,
}

/// Whether a key column is of dates or times.
pub fn is_dated(column: &KeyColumn) -> bool {
    matches!(
        column.kind,
        KeyKind::Date | KeyKind::Timestamp | KeyKind::TimestampTz
    )
}

/// The key with its one date in front, so that a unit's rows are one range; the others keep their order.
///
/// # Errors
/// Why there is no such key: none of its columns is of dates, or several are.
pub fn dated_key(mut key: Vec<KeyColumn>) -> Result<Vec<KeyColumn>, String> {
    let dated: Vec<usize> = (0..key.len()).filter(|i| is_dated(&key[*i])).collect();
    match dated.as_slice() {
        [one] => {
            let column = key.remove(*one);
            key.insert(0, column);
            Ok(key)
        }
        [] => Err(
            "partitionByDate cuts at units of a date, and no column in columnNamesToPartitionBy is a date or a timestamp; name one there, or omit partitionByDate"
                .to_owned(),
        ),
        several => {
            let names: Vec<&str> = several.iter().map(|i| key[*i].name.as_str()).collect();
            Err(format!(
                "partitionByDate cuts at units of the one date in columnNamesToPartitionBy, and {} are dates; keep one",
                names.join(" and ")
            ))
        }
    }
}

/// How many rows of a unit may stay together, so that there are not too many partitions. `None`: the units alone are too many.
pub fn rows_together(units: &[Unit], wanted: u64) -> Option<u64> {
    let count = |rows: u64| -> u64 { units.iter().map(|u| u.rows.div_ceil(rows).max(1)).sum() };
    if units.len() as u64 > MAX_PARTITIONS {
        return None;
    }
    let mut rows = wanted.max(1);
    while count(rows) > MAX_PARTITIONS {
        rows = rows.saturating_mul(2);
    }
    Some(rows)
}

/// The first keys of the second, third, … partition: where each unit but the first begins, and the keys that divide units
/// (both ascending).
pub fn boundaries(key: &[KeyColumn], units: &[Unit], inside: Vec<KeyTuple>) -> Vec<KeyTuple> {
    let Some(dated) = key.first() else {
        return inside;
    };
    let mut firsts = Vec::with_capacity(units.len() + inside.len());
    let mut inside = inside.into_iter().peekable();
    for unit in units.iter().skip(1) {
        let is_before = |tuple: &KeyTuple| {
            tuple.first().is_some_and(|value| {
                compare_values(dated, value, &unit.first) == Some(Ordering::Less)
            })
        };
        while let Some(tuple) = inside.next_if(is_before) {
            firsts.push(tuple);
        }
        firsts.push(vec![unit.first.clone()]);
    }
    firsts.extend(inside);
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::KeyRange;
    use crate::plan::{misplaced_boundary, ranges};
    use proptest::prelude::*;

    fn column(name: &str, kind: KeyKind) -> KeyColumn {
        KeyColumn {
            name: name.to_owned(),
            kind,
            nullable: true,
            bytewise: false,
        }
    }

    fn key() -> Vec<KeyColumn> {
        vec![column("d", KeyKind::Date), column("id", KeyKind::Integer)]
    }

    fn unit(first: &str, rows: u64) -> Unit {
        Unit {
            first: first.to_owned(),
            rows,
        }
    }

    #[test]
    fn the_one_date_leads_the_key() {
        let names =
            |key: Vec<KeyColumn>| -> Vec<String> { key.into_iter().map(|c| c.name).collect() };
        let mut turned = key();
        turned.reverse();
        assert_eq!(
            dated_key(turned).map(names),
            Ok(vec!["d".into(), "id".into()])
        );
        let none = vec![column("id", KeyKind::Integer)];
        assert!(dated_key(none).expect_err("no date").contains("no column"));
        let two = vec![column("a", KeyKind::Date), column("b", KeyKind::Timestamp)];
        assert!(
            dated_key(two)
                .expect_err("two dates")
                .contains("a and b are dates")
        );
    }

    #[test]
    fn there_are_never_too_many_partitions() {
        let many: Vec<Unit> = (0..10).map(|_| unit("x", 1_000_000)).collect();
        assert_eq!(rows_together(&many, 100_000), Some(100_000));
        assert_eq!(rows_together(&many, 1), Some(1_024));
        let too_many: Vec<Unit> = (0..10_001).map(|_| unit("x", 1)).collect();
        assert_eq!(rows_together(&too_many, 5), None);
    }

    #[test]
    fn a_unit_begins_where_the_calendar_has_it() {
        let units = [
            unit("2024-01-01", 2),
            unit("2024-02-01", 9),
            unit("2024-04-01", 1),
        ];
        let inside = vec![
            vec!["2024-02-01".to_owned(), "5".to_owned()],
            vec!["2024-02-20".to_owned(), "1".to_owned()],
        ];
        let firsts = boundaries(&key(), &units, inside);
        let texts: Vec<String> = firsts.iter().map(|tuple| tuple.join(" ")).collect();
        assert_eq!(
            texts,
            ["2024-02-01", "2024-02-01 5", "2024-02-20 1", "2024-04-01"]
        );
        assert_eq!(misplaced_boundary(&key(), &firsts), None);
    }

    /// Days since 2000-01-01 as text: months of 28 days do.
    fn date(day: u64) -> String {
        format!(
            "{:04}-{:02}-{:02}",
            2000 + day / 336,
            day / 28 % 12 + 1,
            day % 28 + 1
        )
    }

    proptest! {
        #[test]
        fn ranges_are_disjoint_cover_every_key_and_keep_units_apart(
            mut rows in prop::collection::vec((0u64..700, 0i64..9), 1..60),
            each in 1usize..9,
            others in prop::collection::vec((0u64..800, -1i64..10), 1..40),
        ) {
            rows.sort_unstable();
            let month = |day: u64| day / 28;
            let mut units: Vec<Unit> = Vec::new();
            let mut inside = Vec::new();
            for part in rows.chunk_by(|a, b| month(a.0) == month(b.0)) {
                units.push(unit(&date(month(part[0].0) * 28), part.len() as u64));
                inside.extend(part.chunks(each).skip(1).map(|rest| vec![date(rest[0].0), rest[0].1.to_string()]));
            }
            let found = crate::plan::boundaries(&key(), boundaries(&key(), &units, inside));
            prop_assert_eq!(misplaced_boundary(&key(), &found.firsts), None);
            let ranges = ranges(&key(), &found.firsts);
            let holds = |range: &KeyRange, tuple: &KeyTuple| match range {
                KeyRange::Between { lower, upper } => {
                    let below = |bound: &KeyTuple| crate::plan::compare(&key(), tuple, bound) == Some(Ordering::Less);
                    lower.as_ref().is_none_or(|bound| !below(bound)) && upper.as_ref().is_none_or(below)
                }
                _ => false,
            };
            let place = |day: u64, id: i64| {
                let tuple = vec![date(day), id.to_string()];
                let held: Vec<usize> = (0..ranges.len()).filter(|i| holds(&ranges[*i], &tuple)).collect();
                held
            };
            for (day, id) in rows.iter().chain(&others) {
                prop_assert_eq!(place(*day, *id).len(), 1);
            }
            // Rows of two units that have rows never share a range.
            for pair in rows.windows(2) {
                if month(pair[0].0) != month(pair[1].0) {
                    prop_assert_ne!(place(pair[0].0, pair[0].1), place(pair[1].0, pair[1].1));
                }
            }
        }
    }
}
