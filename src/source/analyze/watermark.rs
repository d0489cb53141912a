//! Watermarks: which rows are new since the previous run.

use super::Planned;
use super::bound::Bound;
use super::session::Subject;
use crate::domain::analysis::{AnalyzedPartition, SyncSnapshot};
use crate::domain::spec::Synchronization;
use crate::domain::table::{KeyColumn, KeyRange, Platform};
use crate::plan::earlier::{Completed, completed};
use crate::plan::synchronization::{has_untold_rows, tracks_deletions};
use crate::plan::{compare_values, ranges};
use crate::platform::Estimate;
use crate::source::session::Ask;
use crate::source::{SourceError, SourceErrorKind};
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

impl Subject<'_> {
    /// The partitions of a table that is synchronized by a watermark.
    pub(super) fn plan_by_watermark(
        &mut self,
        key: &[KeyColumn],
        bound: &mut Bound,
        previous: Option<&SyncSnapshot>,
        platform: Platform,
    ) -> Result<Planned, SourceError> {
        let Some(previous) = previous else {
            return self.plan_whole(key, bound, platform);
        };
        self.watermarks_are_of_use(previous, &bound.column)?;
        let untold = has_untold_rows(previous);
        bound.untold.moved_again |= untold;
        bound.untold.above |= previous.settings.untold.above && bound.has_rows_above;
        if self.has_gone_back(bound, previous)? {
            bound.untold.moved_again = true;
            return self.plan_whole(key, bound, platform);
        }
        let completed = self.completed(bound, previous)?;
        let is_complete = completed.is_none();
        let previous = completed.as_ref().unwrap_or(previous);
        let stored: Vec<AnalyzedPartition> = previous
            .partitions
            .iter()
            .map(|partition| AnalyzedPartition {
                after: partition.watermark.clone(),
                ..partition.range.clone().into()
            })
            .collect();
        if previous.settings.key != key {
            return self.plan_delta_anew(key, bound, &stored, platform);
        }
        let Some(upto) = bound.upto.clone() else {
            // There is no row; or there are rows that wait, or that every run moves, and none was ever moved for good.
            let moves_all = bound.moves_above();
            let estimate = if moves_all {
                self.estimate()?
            } else {
                Estimate::default()
            };
            let partitions = stored.into_iter().map(|partition| AnalyzedPartition {
                unchanged: !moves_all,
                ..partition
            });
            return Ok(Planned {
                partitions: partitions.collect(),
                reused: is_complete,
                estimate,
            });
        };
        let counts = self.new_rows(key, bound, &stored)?;
        let partitions: Vec<(AnalyzedPartition, u64)> = stored
            .into_iter()
            .enumerate()
            .map(|(index, partition)| match counts.get(&index) {
                Some(rows) => (partition, *rows),
                // It was never moved: all its rows are new, and it has its size.
                None if partition.after.is_none() => (partition, 0),
                None => (up_to_date(partition, &upto), 0),
            })
            .collect();
        self.notes.push(format!(
            "{} of {} partitions have new rows",
            partitions.iter().filter(|(p, _)| !p.unchanged).count(),
            partitions.len()
        ));
        if partitions.iter().all(|(partition, _)| partition.unchanged) {
            return Ok(Planned {
                partitions: partitions.into_iter().map(|(p, _)| p).collect(),
                reused: is_complete,
                estimate: Estimate::default(),
            });
        }
        let estimate = self.estimate()?;
        let sizing = self.sizing(estimate, platform);
        let (partitions, is_whole) = self.split_grown(key, Some(bound), &sizing, partitions)?;
        Ok(Planned {
            partitions,
            reused: is_complete && is_whole,
            estimate,
        })
    }

    /// All partitions of a table of which nothing was moved, or nothing that counts.
    fn plan_whole(
        &mut self,
        key: &[KeyColumn],
        bound: &Bound,
        platform: Platform,
    ) -> Result<Planned, SourceError> {
        let mut planned = self.plan_anew(key, platform)?;
        if bound.upto.is_none() && !bound.moves_above() {
            for partition in &mut planned.partitions {
                partition.unchanged = true;
            }
        }
        Ok(planned)
    }

    /// Whether the bound is below what earlier runs have moved, and the whole table has to be moved again. Otherwise it is
    /// not below afterwards. A table without any row is as it was.
    fn has_gone_back(
        &mut self,
        bound: &mut Bound,
        previous: &SyncSnapshot,
    ) -> Result<bool, SourceError> {
        let afters = previous
            .partitions
            .iter()
            .filter_map(|p| p.watermark.as_deref());
        let Some(moved) = largest_of(&bound.column, afters) else {
            return Ok(false);
        };
        if bound.is_empty {
            return Ok(false);
        }
        let largest = match bound.upto.clone() {
            Some(upto) => upto,
            // All rows wait for their time. What is not above what was moved would be new all the same.
            None => match self.largest(&bound.column, Some(moved))? {
                Some(largest) => largest,
                None => {
                    bound.upto = Some(moved.to_owned());
                    return Ok(false);
                }
            },
        };
        match compare_values(&bound.column, &largest, moved) {
            Some(Ordering::Less) => {}
            Some(Ordering::Equal) => {
                // Of two texts of one value the one that is stored.
                bound.upto = Some(moved.to_owned());
                return Ok(false);
            }
            Some(Ordering::Greater) | None => return Ok(false),
        }
        let what = format!(
            "the largest value of the watermark {} is {largest}, below {moved}, up to which earlier runs have moved the rows: rows were deleted or corrected, or the table was filled again",
            bound.column.name
        );
        if tracks_deletions(self.spec) {
            self.warnings.push(format!(
                "{what}; the whole table is moved again, and replaces what is there by primaryKeyColumns"
            ));
            return Ok(true);
        }
        Err(self.error(
            SourceErrorKind::Refused,
            format_args!(
                "{what}, and nothing tells which of its rows have been moved; set resetPartitions to enabledWithDedup, with primaryKeyColumns, for one run that moves the whole table again and replaces what is there, or empty the target and set resetPartitions to enabled for one run; if nothing but the newest rows were deleted, runs continue as soon as there is a newer one"
            ),
        ))
    }

    /// The state with a range for rows with a NULL in the key, where an earlier version stored none.
    fn completed(
        &mut self,
        bound: &Bound,
        previous: &SyncSnapshot,
    ) -> Result<Option<SyncSnapshot>, SourceError> {
        let Some(Completed {
            mut snapshot,
            unknown,
        }) = completed(previous)
        else {
            return Ok(None);
        };
        let merges = bound.merges || bound.untold.moved_again;
        let names = |columns: &[KeyColumn]| {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            names.join(", ")
        };
        let key = &snapshot.settings.key;
        if unknown.is_empty() {
            let stored = previous.partitions.len();
            let is_new = stored > 1 && snapshot.partitions.len() > stored;
            if is_new && !merges && self.has_row(key, &KeyRange::NullKey, None)? {
                self.warnings.push(format!(
                    "there are rows with NULL in the key column {}, which earlier runs took for NOT NULL: they have left them behind, and this one moves them; only if the first of those runs had moved the table as one partition, some of them are in the target twice now",
                    names(key)
                ));
            }
            return Ok(Some(snapshot));
        }
        if !self.has_row(&unknown, &KeyRange::NullKey, None)? {
            return Ok(Some(snapshot));
        }
        if !merges {
            return Err(self.error(
                SourceErrorKind::Refused,
                format_args!(
                    "there are rows with NULL in the key column {}, which earlier runs took for NOT NULL, and nothing tells which of them have been moved; set resetPartitions to enabledWithDedup, with primaryKeyColumns, for one run that moves the whole table again and replaces what is there, or empty the target and set resetPartitions to enabled for one run",
                    names(&unknown)
                ),
            ));
        }
        for partition in &mut snapshot.partitions {
            if partition.range == KeyRange::NullKey {
                partition.watermark = None;
            }
        }
        Ok(Some(snapshot))
    }

    fn watermarks_are_of_use(
        &self,
        previous: &SyncSnapshot,
        column: &KeyColumn,
    ) -> Result<(), SourceError> {
        let changed = match &previous.settings.synchronization {
            Synchronization::Watermark { column: was, .. }
                if self.column(was).is_some_and(|was| was.name == column.name) =>
            {
                if previous.settings.where_clause != self.spec.where_clause {
                    Some("whereClauseCriteria")
                } else {
                    let without = self.spec.query_modifiers.without_child_tables;
                    (previous.settings.without_child_tables != without)
                        .then_some("includeChildTables")
                }
            }
            Synchronization::Watermark { .. } => Some("synchronization.watermarkColumn"),
            _ => Some("synchronization.strategy"),
        };
        changed.map_or(Ok(()), |what| {
            Err(self.error(
                SourceErrorKind::Refused,
                format_args!(
                    "{what} has changed since the previous run, so that nothing tells which rows have been moved; undo the change, or empty the target and set resetPartitions to enabled to move the whole table again (or to enabledWithDedup, where primaryKeyColumns are known, without emptying it)"
                ),
            ))
        })
    }

    /// The rows above what was moved already, of the partitions that have any, by their index.
    fn new_rows(
        &self,
        key: &[KeyColumn],
        bound: &Bound,
        stored: &[AnalyzedPartition],
    ) -> Result<HashMap<usize, u64>, SourceError> {
        let ranges: Vec<KeyRange> = stored.iter().map(|p| p.range.clone()).collect();
        let afters: BTreeSet<&str> = stored
            .iter()
            .filter_map(|partition| partition.after.as_deref())
            .filter(|after| bound.moves_again() || bound.upto.as_deref() != Some(after))
            .collect();
        let mut counts = HashMap::new();
        // One scan for each run that left partitions behind: most often there is one.
        for after in afters {
            let window = bound.window(Some(after));
            for (index, summary) in self.summarize(key, &ranges, window, &[])? {
                if stored[index].after.as_deref() == Some(after) {
                    counts.insert(index, summary.rows);
                }
            }
        }
        Ok(counts)
    }

    /// The key has changed: what is new is cut by the new one, if one watermark says what that is.
    fn plan_delta_anew(
        &mut self,
        key: &[KeyColumn],
        bound: &Bound,
        stored: &[AnalyzedPartition],
        platform: Platform,
    ) -> Result<Planned, SourceError> {
        let after = stored.first().and_then(|partition| partition.after.clone());
        if stored.iter().any(|partition| partition.after != after) {
            return Err(self.error(
                SourceErrorKind::Refused,
                "the partition key has changed since a run that moved some partitions and not others, so that nothing tells which rows have been moved; undo the change of columnNamesToPartitionBy until a run has completed, or empty the target and set resetPartitions to enabled",
            ));
        }
        self.notes
            .push("the key has changed: the new rows are cut by the new one".to_owned());
        let Some(after) = after else {
            return self.plan_whole(key, bound, platform);
        };
        let mut estimate = Estimate::default();
        let has_new_rows = bound.moves_again() || bound.upto.as_ref() != Some(&after);
        if let Some(window) = bound.window(Some(&after)).filter(|_| has_new_rows) {
            let everything = KeyRange::Everything;
            let scope = self.scope(&[], &everything, Some(window));
            let count = self.ask_first(&self.platform().count(&scope))?;
            let rows = count.unwrap_or(0);
            if rows > 0 {
                let whole = self.estimate()?;
                let bytes = u128::from(whole.bytes) * u128::from(rows)
                    / u128::from(whole.rows.max(rows).max(1));
                estimate = Estimate {
                    rows,
                    bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
                };
                let sizing = self.sizing(estimate, platform);
                let fresh = self.fresh_ranges(key, Some(window), (&sizing, platform), estimate)?;
                return Ok(Planned {
                    partitions: fresh
                        .into_iter()
                        .map(|range| AnalyzedPartition {
                            after: Some(after.clone()),
                            ..range.into()
                        })
                        .collect(),
                    reused: false,
                    estimate,
                });
            }
        }
        let after = bound.upto.clone().unwrap_or(after);
        Ok(Planned {
            partitions: ranges(key, &[])
                .into_iter()
                .map(|range| up_to_date(range.into(), &after))
                .collect(),
            reused: false,
            estimate,
        })
    }
}

/// The largest of stored watermarks.
fn largest_of<'a>(
    column: &KeyColumn,
    watermarks: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    watermarks.reduce(
        |largest, next| match compare_values(column, next, largest) {
            Some(Ordering::Greater) => next,
            _ => largest,
        },
    )
}

fn up_to_date(partition: AnalyzedPartition, upto: &str) -> AnalyzedPartition {
    AnalyzedPartition {
        after: Some(upto.to_owned()),
        unchanged: true,
        ..partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::KeyKind;

    #[test]
    fn the_largest_watermark_is_found_by_value() {
        let largest = |kind, watermarks: &[&'static str]| {
            let column = KeyColumn {
                name: "w".into(),
                kind,
                nullable: true,
                bytewise: false,
            };
            largest_of(&column, watermarks.iter().copied())
        };
        assert_eq!(largest(KeyKind::Integer, &["9", "10", "8"]), Some("10"));
        assert_eq!(
            largest(KeyKind::Date, &["9999-12-31", "2024-01-01"]),
            Some("9999-12-31")
        );
        assert_eq!(largest(KeyKind::Date, &[]), None);
    }
}
