//! Cuts a table into disjoint ranges of its key, and memory into batches: pure.

pub mod target;

use crate::domain::table::{KeyColumn, KeyRange, KeyTuple, PartitionSize};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::KeyKind;
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

    proptest! {
        #[test]
        fn every_key_falls_into_exactly_one_range(
            mut boundaries in prop::collection::vec(prop::collection::vec(-20i64..20, 2), 0..12),
            keys in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.8, -25i64..25), 2), 1..60),
        ) {
            boundaries.sort();
            let boundaries: Vec<KeyTuple> = boundaries.iter().map(|t| t.iter().map(i64::to_string).collect()).collect();
            let column = |name: &str| KeyColumn { name: name.into(), kind: KeyKind::Integer, nullable: true };
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
