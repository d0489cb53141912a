//! What versions before this one stored of a table whose key the catalog calls NOT NULL: ranges, but none for rows with a
//! NULL in the key, which may be there all the same. Pure.

use crate::domain::analysis::{SyncPartition, SyncSnapshot};
use crate::domain::table::{KeyColumn, KeyRange};

/// A state with a range for rows with a NULL in the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The state; its partitions are no longer those that are stored.
    pub snapshot: SyncSnapshot,
    /// Where it is not known which rows with a NULL in one of these columns were moved: the columns. If there is no such
    /// row, nothing is unknown. Otherwise empty.
    pub unknown: Vec<KeyColumn>,
}

/// Completes a state. `None`: it is complete.
pub fn completed(previous: &SyncSnapshot) -> Option<Completed> {
    let trusted: Vec<KeyColumn> = previous
        .settings
        .key
        .iter()
        .filter(|column| !column.nullable)
        .cloned()
        .map(apart)
        .collect();
    if trusted.is_empty() {
        return None;
    }
    let mut snapshot = previous.clone();
    let key = &mut snapshot.settings.key;
    *key = key.drain(..).map(apart).collect();
    let is_single = key.len() == 1;
    let is_null = |partition: &&SyncPartition| partition.range == KeyRange::NullKey;
    let others: Vec<&SyncPartition> = previous
        .partitions
        .iter()
        .filter(|partition| !is_null(partition))
        .collect();
    // A range without bounds had no condition at all, and rows with a NULL were moved with it.
    let whole = match others.as_slice() {
        [one] => Some(one.watermark.clone()),
        _ => None,
    };
    let apart = previous.partitions.iter().find(is_null);
    let unknown = match (&whole, apart) {
        (Some(whole), Some(apart)) => *whole != apart.watermark,
        (Some(_), None) => false,
        // A comparison with NULL is not true: none of these rows was moved. By a key of several columns it may be true
        // for the others.
        (None, _) => !is_single,
    };
    if apart.is_none() {
        snapshot.partitions.push(SyncPartition {
            range: KeyRange::NullKey,
            checksum: None,
            watermark: whole.flatten(),
        });
    }
    Some(Completed {
        snapshot,
        unknown: if unknown { trusted } else { Vec::new() },
    })
}

fn apart(column: KeyColumn) -> KeyColumn {
    KeyColumn {
        nullable: true,
        ..column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state as it was stored: `(name, nullable)` of the key, bounds, whether there is a range for NULL.
    fn stored(key: &str, partitions: &str) -> SyncSnapshot {
        let text = format!(
            r#"{{"settings": {{"key": {key}, "whereClause": null, "synchronization":
               {{"strategy": "watermark", "column": "w", "trackModifications": false, "trackDeletions": false}}}},
               "partitions": {partitions}}}"#
        );
        serde_json::from_str(&text).expect("as it is stored")
    }

    const ONE: &str = r#"[{"name": "a", "kind": "integer", "nullable": false}]"#;
    const TWO: &str = r#"[{"name": "a", "kind": "integer", "nullable": false}, {"name": "b", "kind": "text", "nullable": true}]"#;
    const WHOLE: &str = r#"[{"range": {"kind": "between", "lower": null, "upper": null}, "checksum": "3:4", "watermark": "9"}]"#;
    const CUT: &str = r#"[{"range": {"kind": "between", "lower": null, "upper": ["5"]}, "checksum": null, "watermark": "9"},
        {"range": {"kind": "between", "lower": ["5"], "upper": null}, "checksum": null, "watermark": "8"}]"#;

    fn null_range(completed: &Completed) -> (Option<&str>, Vec<&str>) {
        let last = completed.snapshot.partitions.last().expect("partitions");
        assert_eq!((&last.range, &last.checksum), (&KeyRange::NullKey, &None));
        assert!(completed.snapshot.settings.key.iter().all(|c| c.nullable));
        let unknown = completed.unknown.iter().map(|c| c.name.as_str()).collect();
        (last.watermark.as_deref(), unknown)
    }

    #[test]
    fn a_missing_range_was_never_moved_or_with_the_range_that_had_no_bounds() {
        let cut = completed(&stored(ONE, CUT)).expect("incomplete");
        assert_eq!(null_range(&cut), (None, vec![]));
        assert_eq!(cut.snapshot.partitions.len(), 3);
        // The others stand as they were.
        assert_eq!(
            cut.snapshot.partitions[..2],
            stored(ONE, CUT).partitions[..]
        );
        let whole = completed(&stored(ONE, WHOLE)).expect("incomplete");
        assert_eq!(null_range(&whole), (Some("9"), vec![]));
    }

    #[test]
    fn of_a_key_of_several_columns_nobody_knows_what_was_moved() {
        let key = TWO.replace("true", "false");
        let cut = completed(&stored(&key, CUT)).expect("incomplete");
        assert_eq!(null_range(&cut), (None, vec!["a", "b"]));
        let whole = completed(&stored(&key, WHOLE)).expect("incomplete");
        assert_eq!(null_range(&whole), (Some("9"), vec![]));
        // A range for NULL, but for one column alone.
        let mut partly = stored(TWO, CUT);
        partly.partitions.push(SyncPartition {
            range: KeyRange::NullKey,
            checksum: None,
            watermark: Some("7".into()),
        });
        let partly = completed(&partly).expect("incomplete");
        assert_eq!(null_range(&partly), (Some("7"), vec!["a"]));
        assert_eq!(partly.snapshot.partitions.len(), 3);
    }

    #[test]
    fn what_is_complete_stays_as_it_is() {
        assert_eq!(completed(&stored(&ONE.replace("false", "true"), CUT)), None);
        let everything =
            r#"[{"range": {"kind": "everything"}, "checksum": null, "watermark": "9"}]"#;
        assert_eq!(completed(&stored("[]", everything)), None);
    }
}
