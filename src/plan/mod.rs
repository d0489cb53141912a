//! Cuts a table into disjoint ranges of its key, and memory into batches: pure.

pub mod synchronization;
pub mod target;

use crate::domain::table::{KeyColumn, KeyKind, KeyRange, KeyTuple, PartitionSize};
use std::cmp::Ordering;

/// `auto`: bytes of source data in a partition. Compressed they come near the 100–250 MB that COPY INTO likes best.
const AUTO_BYTES: u64 = 512_000_000;
/// `auto`: rows in a partition at most, for tables of very short rows.
const AUTO_ROWS: u64 = 5_000_000;
/// Partitions of a table at most.
const MAX_PARTITIONS: u64 = 10_000;

/// How many partitions a table of this estimated size is cut into: at least one.
pub fn partition_count(rows: u64, bytes: u64, size: PartitionSize) -> u64 {
    let count = match size {
        PartitionSize::Auto => bytes.div_ceil(AUTO_BYTES).max(rows.div_ceil(AUTO_ROWS)),
        PartitionSize::TargetSizeMb(mb) => bytes.div_ceil(mb.max(1).saturating_mul(1_000_000)),
        PartitionSize::MaxRowsPerPartition(max) => rows.div_ceil(max.max(1)),
    };
    count.clamp(1, MAX_PARTITIONS)
}

/// The ranges between `boundaries` (the first keys of the second, third, … partition, ascending): below the first,
/// between them, from the last on; and the rows with a NULL in the key, in one range of their own.
pub fn ranges(key: &[KeyColumn], boundaries: &[KeyTuple]) -> Vec<KeyRange> {
    if key.is_empty() {
        return vec![KeyRange::Everything];
    }
    let mut bounds: Vec<KeyTuple> = boundaries.to_vec();
    // Equal ones stand together: a value that fills more than one tile is one partition.
    bounds.dedup();
    let lowers = std::iter::once(None).chain(bounds.iter().cloned().map(Some));
    let uppers = bounds
        .iter()
        .cloned()
        .map(Some)
        .chain(std::iter::once(None));
    let mut ranges: Vec<KeyRange> = lowers
        .zip(uppers)
        .map(|(lower, upper)| KeyRange::Between { lower, upper })
        .collect();
    if key.iter().any(|column| column.nullable) {
        ranges.push(KeyRange::NullKey);
    }
    ranges
}

/// The first boundary that is not above the one before it, where the order can be known without the source: an
/// order that is wrong would make ranges overlap. Text is ordered by the source's collation alone.
pub fn misplaced_boundary<'a>(
    key: &[KeyColumn],
    boundaries: &'a [KeyTuple],
) -> Option<&'a KeyTuple> {
    boundaries
        .windows(2)
        .find(|pair| {
            let order = key
                .iter()
                .zip(pair[0].iter().zip(&pair[1]))
                .map(|(column, (a, b))| compare(column.kind, a, b))
                .find(|order| *order != Some(Ordering::Equal));
            // Equal tuples, or a first difference that descends; what cannot be compared is left to the source.
            matches!(order, None | Some(Some(Ordering::Greater)))
        })
        .map(|pair| &pair[1])
}

fn compare(kind: KeyKind, a: &str, b: &str) -> Option<Ordering> {
    match kind {
        KeyKind::Integer => Some(a.parse::<i128>().ok()?.cmp(&b.parse::<i128>().ok()?)),
        KeyKind::Decimal => compare_decimals(a, b),
        // Years of four digits and no era: the text's order is the time's.
        KeyKind::Date | KeyKind::Timestamp | KeyKind::TimestampTz => {
            let plain = |text: &str| {
                text.as_bytes().get(4) == Some(&b'-')
                    && text.as_bytes()[0].is_ascii_digit()
                    && !text.contains("BC")
            };
            let trim = |text: &str| text.trim_end_matches("+00").to_owned();
            (plain(a) && plain(b)).then(|| trim(a).cmp(&trim(b)))
        }
        KeyKind::Boolean | KeyKind::Time | KeyKind::Uuid => Some(a.cmp(b)),
        _ if a == b => Some(Ordering::Equal),
        KeyKind::Float | KeyKind::Text | KeyKind::PaddedText => None,
    }
}

fn compare_decimals(a: &str, b: &str) -> Option<Ordering> {
    let split = |text: &str| -> Option<(bool, String, String)> {
        let negative = text.starts_with('-');
        let digits = text.trim_start_matches('-');
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        (!whole.is_empty() && plain(whole) && plain(fraction)).then(|| {
            (
                negative,
                whole.trim_start_matches('0').to_owned(),
                fraction.trim_end_matches('0').to_owned(),
            )
        })
    };
    let ((a_negative, a_whole, a_fraction), (b_negative, b_whole, b_fraction)) =
        (split(a)?, split(b)?);
    let magnitude =
        (a_whole.len(), &a_whole, &a_fraction).cmp(&(b_whole.len(), &b_whole, &b_fraction));
    Some(match (a_negative, b_negative) {
        (false, false) => magnitude,
        (true, true) => magnitude.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Key = Vec<Option<i64>>;

    /// What the ranges mean, apart from any SQL.
    fn holds(range: &KeyRange, key: &Key) -> bool {
        let parse = |tuple: &KeyTuple| {
            tuple
                .iter()
                .map(|v| v.parse::<i64>().expect("number"))
                .collect::<Vec<_>>()
        };
        match range {
            KeyRange::Everything => true,
            KeyRange::NullKey => key.iter().any(Option::is_none),
            KeyRange::Between { lower, upper } => {
                match key.iter().copied().collect::<Option<Vec<i64>>>() {
                    None => false,
                    Some(key) => {
                        lower.as_ref().is_none_or(|l| key >= parse(l))
                            && upper.as_ref().is_none_or(|u| key < parse(u))
                    }
                }
            }
        }
    }

    fn key(kind: KeyKind) -> KeyColumn {
        KeyColumn {
            name: "k".into(),
            kind,
            nullable: false,
            bytewise: false,
        }
    }

    fn tuples(values: &[&str]) -> Vec<KeyTuple> {
        values
            .iter()
            .map(|value| vec![(*value).to_owned()])
            .collect()
    }

    #[test]
    fn boundaries_in_the_order_of_their_text_are_found_out() {
        let misplaced = |kind, values: &[&str]| {
            misplaced_boundary(&[key(kind)], &tuples(values)).map(|tuple| tuple[0].clone())
        };
        assert_eq!(
            misplaced(KeyKind::Integer, &["10", "9"]).as_deref(),
            Some("9")
        );
        assert_eq!(
            misplaced(KeyKind::Integer, &["9", "9"]).as_deref(),
            Some("9")
        );
        assert_eq!(misplaced(KeyKind::Integer, &["-10", "9", "10"]), None);
        assert_eq!(
            misplaced(KeyKind::Decimal, &["-0.50", "0.5", "9.99", "10"]),
            None
        );
        assert_eq!(
            misplaced(KeyKind::Decimal, &["10", "9.99"]).as_deref(),
            Some("9.99")
        );
        assert_eq!(
            misplaced(KeyKind::Date, &["2020-01-01", "2019-12-31"]).as_deref(),
            Some("2019-12-31")
        );
        assert_eq!(
            misplaced(
                KeyKind::Timestamp,
                &["2020-01-01 00:00:00", "2020-01-01 00:00:00.5"]
            ),
            None
        );
        assert_eq!(misplaced(KeyKind::Text, &["b", "A"]), None);
    }

    proptest! {
        #[test]
        fn decimals_compare_as_numbers(a in -100_000i64..100_000, b in -100_000i64..100_000) {
            let text = |n: i64| {
                let digits = format!("{:03}", n.unsigned_abs());
                let (whole, fraction) = digits.split_at(digits.len() - 2);
                format!("{}{whole}.{fraction}", if n < 0 { "-" } else { "" })
            };
            prop_assert_eq!(compare_decimals(&text(a), &text(b)), Some(a.cmp(&b)));
        }

        #[test]
        fn every_key_falls_into_exactly_one_range(
            mut boundaries in prop::collection::vec(prop::collection::vec(-20i64..20, 2), 0..12),
            keys in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.8, -25i64..25), 2), 1..60),
        ) {
            boundaries.sort();
            let boundaries: Vec<KeyTuple> = boundaries.iter().map(|t| t.iter().map(i64::to_string).collect()).collect();
            let column = |name: &str| KeyColumn { name: name.into(), kind: KeyKind::Integer, nullable: true, bytewise: false };
            let ranges = ranges(&[column("a"), column("b")], &boundaries);
            for key in keys {
                prop_assert_eq!(ranges.iter().filter(|range| holds(range, &key)).count(), 1, "{:?} in {:?}", key, ranges);
            }
        }

        #[test]
        fn there_is_always_a_partition_and_never_too_many(rows: u64, bytes: u64, n in 1u64..1_000_000_000) {
            for size in [PartitionSize::Auto, PartitionSize::TargetSizeMb(n), PartitionSize::MaxRowsPerPartition(n)] {
                prop_assert!((1..=MAX_PARTITIONS).contains(&partition_count(rows, bytes, size)));
            }
        }
    }
}
