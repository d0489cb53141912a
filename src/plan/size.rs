//! How many partitions a table is cut into: pure.

use crate::domain::quantity::{bytes_text, rows_text};
use crate::domain::spec::Synchronization;
use crate::domain::table::{PartitionSize, Platform};
use crate::platform;

/// `auto`: bytes of source data in a partition. Compressed they come near the 100–250 MB that COPY INTO likes best.
const AUTO_BYTES: u64 = 512_000_000;
/// The same of a source that stores its columns compressed, about as much as files are.
const AUTO_BYTES_COMPRESSED: u64 = 256_000_000;
/// `auto`: rows in a partition at most, for tables of very short rows.
const AUTO_ROWS: u64 = 5_000_000;
/// `auto` of partitions that are moved whole when one of their rows changes: so many times smaller.
const FINER: u64 = 4;
/// A table beyond this many bytes may have more partitions, so that more workers can help.
const LARGE_TABLE: u64 = 100_000_000_000;
/// Partitions of other tables at most, with `auto`.
const MAX_AUTO_PARTITIONS: u64 = 1_000;
/// Partitions of a table at most.
const MAX_PARTITIONS: u64 = 10_000;
/// A partition that has grown beyond this many times its size is cut.
const OVERGROWN: u64 = 2;

/// What decides about the number of partitions.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Estimated rows.
    pub rows: u64,
    /// Estimated bytes in the source.
    pub bytes: u64,
    /// Where it is.
    pub platform: Platform,
    /// What later runs do.
    pub synchronization: &'a Synchronization,
    /// Most rows of a partition.
    pub max_rows: Option<u64>,
}

/// How a table is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizing {
    /// Partitions, at least one.
    pub count: u64,
    /// Rows of one, about; at least one.
    pub rows_per_partition: u64,
    /// Most rows of one, where the user says so.
    pub max_rows: Option<u64>,
    /// Why, for people: `12 partitions: 5.8 GB in parts of about 512 MB (auto)`.
    pub explanation: String,
}

impl Sizing {
    /// Into how many parts a partition of so many rows is cut; 1: it is left as it is.
    pub fn parts_of(&self, rows: u64) -> u64 {
        let overgrown = self.rows_per_partition.saturating_mul(OVERGROWN);
        let most = match self.max_rows {
            // Not below what it gets when it is cut.
            Some(max) => max.max(self.rows_per_partition).min(overgrown),
            None => overgrown,
        };
        if rows > most {
            rows.div_ceil(self.rows_per_partition).min(MAX_PARTITIONS)
        } else {
            1
        }
    }
}

/// How a table of this size is cut.
pub fn sizing(table: Table<'_>, size: PartitionSize) -> Sizing {
    let Table { rows, bytes, .. } = table;
    let (mut wanted, mut most, mut parts) = match size {
        PartitionSize::Auto => {
            let (part_bytes, part_rows) = auto(table.platform, table.synchronization);
            let most = if bytes > LARGE_TABLE {
                MAX_PARTITIONS
            } else {
                MAX_AUTO_PARTITIONS
            };
            let (by_bytes, by_rows) = (bytes.div_ceil(part_bytes), rows.div_ceil(part_rows));
            let parts = if by_bytes >= by_rows {
                format!(
                    "{} in parts of about {} (auto)",
                    bytes_text(bytes),
                    bytes_text(part_bytes)
                )
            } else {
                format!(
                    "{} in parts of about {} (auto)",
                    rows_text(rows),
                    rows_text(part_rows)
                )
            };
            (by_bytes.max(by_rows), most, parts)
        }
        PartitionSize::TargetSizeMb(mb) => {
            let part = mb.max(1).saturating_mul(1_000_000);
            let parts = format!(
                "{} in parts of about {} (targetSizeMb)",
                bytes_text(bytes),
                bytes_text(part)
            );
            (bytes.div_ceil(part), MAX_PARTITIONS, parts)
        }
        PartitionSize::MaxRowsPerPartition(max) => {
            let parts = format!(
                "{} in parts of about {} (maxRowsPerPartition)",
                rows_text(rows),
                rows_text(max.max(1))
            );
            (rows.div_ceil(max.max(1)), MAX_PARTITIONS, parts)
        }
    };
    if let Some(max) = table.max_rows {
        let by_cap = rows.div_ceil(max.max(1));
        if by_cap > most {
            most = MAX_PARTITIONS;
        }
        if by_cap > wanted {
            wanted = by_cap;
            parts = format!(
                "{} in parts of at most {} (maxPartitionSizeRows)",
                rows_text(rows),
                rows_text(max.max(1))
            );
        }
    }
    let count = wanted.clamp(1, most);
    let noun = if count == 1 {
        "1 partition".to_owned()
    } else {
        format!("{count} partitions")
    };
    let limit = if wanted > most {
        format!("; {wanted} would be more than a table of this size gets")
    } else {
        String::new()
    };
    Sizing {
        count,
        rows_per_partition: rows.div_ceil(count).max(1),
        max_rows: table.max_rows,
        explanation: format!("{noun}: {parts}{limit}"),
    }
}

/// Bytes and rows of a partition.
fn auto(platform: Platform, synchronization: &Synchronization) -> (u64, u64) {
    let bytes = match platform::settings(platform).is_compressed() {
        true => AUTO_BYTES_COMPRESSED,
        false => AUTO_BYTES,
    };
    match synchronization {
        Synchronization::Checksum { .. } => (bytes / FINER, AUTO_ROWS / FINER),
        Synchronization::None
        | Synchronization::FullReplace
        | Synchronization::Watermark { .. } => (bytes, AUTO_ROWS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(rows: u64, bytes: u64, synchronization: &Synchronization) -> Table<'_> {
        Table {
            rows,
            bytes,
            platform: Platform::Postgresql,
            synchronization,
            max_rows: None,
        }
    }

    #[test]
    fn a_cap_stands_beside_any_size() {
        let none = Synchronization::None;
        let capped = |size, max_rows| {
            let table = Table {
                max_rows,
                ..table(10_000_000, 5_800_000_000, &none)
            };
            let sizing = sizing(table, size);
            (sizing.count, sizing.explanation)
        };
        let cap = "10,000,000 rows in parts of at most 500,000 rows (maxPartitionSizeRows)";
        for size in [
            PartitionSize::Auto,
            PartitionSize::TargetSizeMb(512),
            PartitionSize::MaxRowsPerPartition(1_000_000),
        ] {
            let free = capped(size, None);
            assert!(free.0 < 20, "{free:?}");
            // It is no size of its own.
            assert_eq!(capped(size, Some(100_000_000)), free);
            assert_eq!(
                capped(size, Some(500_000)),
                (20, format!("20 partitions: {cap}"))
            );
        }
        // `auto` stops at 1,000 partitions of a small table, a cap does not.
        assert_eq!(capped(PartitionSize::Auto, Some(5_000)).0, 2_000);
        let grown = sizing(
            Table {
                max_rows: Some(500_000),
                ..table(10_000_000, 1, &none)
            },
            PartitionSize::Auto,
        );
        assert_eq!((grown.parts_of(500_000), grown.parts_of(500_001)), (1, 2));
    }

    #[test]
    fn the_size_is_explained() {
        let none = Synchronization::None;
        let explain = |rows, bytes, size| sizing(table(rows, bytes, &none), size).explanation;
        assert_eq!(
            explain(10_000_000, 5_800_000_000, PartitionSize::Auto),
            "12 partitions: 5.8 GB in parts of about 512 MB (auto)"
        );
        assert_eq!(
            explain(600_000_000, 5_800_000_000, PartitionSize::Auto),
            "120 partitions: 600,000,000 rows in parts of about 5,000,000 rows (auto)"
        );
        assert_eq!(
            explain(10, 999, PartitionSize::TargetSizeMb(1)),
            "1 partition: 999 bytes in parts of about 1 MB (targetSizeMb)"
        );
        assert_eq!(
            explain(1_000_000, 1, PartitionSize::MaxRowsPerPartition(1)),
            "10000 partitions: 1,000,000 rows in parts of about 1 row (maxRowsPerPartition); 1000000 would be more than a table of this size gets"
        );
    }

    #[test]
    fn what_is_moved_whole_when_a_row_changes_is_cut_finer_and_large_tables_into_more() {
        let (none, checksum) = (
            Synchronization::None,
            Synchronization::Checksum { expression: None },
        );
        let count = |bytes, synchronization, platform| {
            let table = Table {
                platform,
                ..table(1, bytes, synchronization)
            };
            sizing(table, PartitionSize::Auto).count
        };
        let gb = 1_000_000_000;
        assert_eq!(count(51 * gb, &none, Platform::Postgresql), 100);
        assert_eq!(count(51 * gb, &none, Platform::Redshift), 200);
        assert_eq!(count(51 * gb, &checksum, Platform::Postgresql), 399);
        assert_eq!(count(100 * gb, &checksum, Platform::Redshift), 1_000);
        assert_eq!(count(200 * gb, &checksum, Platform::Redshift), 3_125);
        assert_eq!(count(9_000 * gb, &none, Platform::Redshift), 10_000);
    }

    proptest! {
        #[test]
        fn there_is_always_a_partition_and_never_too_many(rows: u64, bytes: u64, n in 1u64..1_000_000_000, max_rows in prop::option::of(1u64..1_000_000)) {
            for size in [PartitionSize::Auto, PartitionSize::TargetSizeMb(n), PartitionSize::MaxRowsPerPartition(n)] {
                let sizing = sizing(Table { max_rows, ..table(rows, bytes, &Synchronization::None) }, size);
                prop_assert!(max_rows.is_none_or(|max| sizing.rows_per_partition <= max || sizing.count == MAX_PARTITIONS));
                prop_assert!((1..=MAX_PARTITIONS).contains(&sizing.count));
                prop_assert!(sizing.rows_per_partition >= 1);
                // One that is as large as planned is left alone.
                prop_assert_eq!(sizing.parts_of(sizing.rows_per_partition), 1);
                prop_assert!((1..=MAX_PARTITIONS).contains(&sizing.parts_of(n)));
            }
        }
    }
}
