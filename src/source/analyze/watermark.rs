//! Watermarks: which rows are new since the previous run.

use super::Planned;
use super::bound::Bound;
use super::ranges::Estimate;
use super::session::Subject;
use crate::dialect::Window;
use crate::domain::analysis::{AnalyzedPartition, SyncSnapshot};
use crate::domain::spec::Synchronization;
use crate::domain::table::{KeyColumn, KeyRange, Platform};
use crate::plan::{compare_values, ranges};
use crate::source::{SourceError, SourceErrorKind};
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

impl Subject<'_> {
    /// The partitions of a table that is synchronized by a watermark. The bound may be raised to what earlier runs have
    /// moved already: it never goes back.
    pub(super) fn plan_by_watermark(
        &mut self,
        key: &[KeyColumn],
        bound: &mut Bound,
        previous: Option<&SyncSnapshot>,
        platform: Platform,
    ) -> Result<Planned, SourceError> {
        let Some(previous) = previous else {
            let mut planned = self.plan_anew(key, platform)?;
            if bound.upto.is_none() {
                planned
                    .partitions
                    .iter_mut()
                    .for_each(|p| p.unchanged = true);
            }
            return Ok(planned);
        };
        self.watermarks_are_of_use(previous, &bound.column)?;
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
        let Some(upto) = raised(bound, &stored) else {
            return Ok(Planned {
                partitions: stored.into_iter().map(unchanged).collect(),
                reused: true,
                estimate: Estimate::default(),
            });
        };
        let counts = self.new_rows(key, &bound.column, &upto, &stored)?;
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
                reused: true,
                estimate: Estimate::default(),
            });
        }
        let estimate = self.estimate()?;
        let sizing = self.sizing(estimate, platform);
        let window = Some((&bound.column, upto.as_str()));
        let (partitions, reused) = self.split_grown(key, window, &sizing, partitions)?;
        Ok(Planned {
            partitions,
            reused,
            estimate,
        })
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
        column: &KeyColumn,
        upto: &str,
        stored: &[AnalyzedPartition],
    ) -> Result<HashMap<usize, u64>, SourceError> {
        let ranges: Vec<KeyRange> = stored.iter().map(|p| p.range.clone()).collect();
        let afters: BTreeSet<&str> = stored
            .iter()
            .filter_map(|partition| partition.after.as_deref())
            .filter(|after| *after != upto)
            .collect();
        let mut counts = HashMap::new();
        // One scan for each run that left partitions behind: most often there is one.
        for after in afters {
            let window = Window {
                column,
                after: Some(after),
                upto,
            };
            for (index, summary) in self.summarize(key, &ranges, Some(window), &[])? {
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
        bound: &mut Bound,
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
            return self.plan_anew(key, platform);
        };
        let upto = raised(bound, stored);
        let mut estimate = Estimate::default();
        if let Some(upto) = upto.as_deref().filter(|upto| *upto != after) {
            let window = Window {
                column: &bound.column,
                after: Some(&after),
                upto,
            };
            let everything = KeyRange::Everything;
            let scope = self.scope(&[], &everything, Some(window));
            let count = self.value(&self.dialect().aggregate_query(&scope, "count(*)"))?;
            let rows = count.and_then(|count| count.parse().ok()).unwrap_or(0);
            if rows > 0 {
                let whole = self.estimate()?;
                let bytes = u128::from(whole.bytes) * u128::from(rows)
                    / u128::from(whole.rows.max(rows).max(1));
                estimate = Estimate {
                    rows,
                    bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
                };
                let sizing = self.sizing(estimate, platform);
                let fresh = self.fresh_ranges(key, Some(window), &sizing, estimate)?;
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
        let after = upto.unwrap_or(after);
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

/// The bound, raised to what has been moved already: rows may have been deleted since. `None`: there is no row.
fn raised(bound: &mut Bound, stored: &[AnalyzedPartition]) -> Option<String> {
    let mut upto = bound.upto.clone()?;
    for after in stored
        .iter()
        .filter_map(|partition| partition.after.as_ref())
    {
        let order = compare_values(&bound.column, after, &upto);
        // Of two texts of one value the one that is stored.
        if matches!(order, Some(Ordering::Greater | Ordering::Equal)) {
            upto.clone_from(after);
        }
    }
    bound.upto = Some(upto.clone());
    Some(upto)
}

fn unchanged(partition: AnalyzedPartition) -> AnalyzedPartition {
    AnalyzedPartition {
        unchanged: true,
        ..partition
    }
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

    fn bound(kind: KeyKind, upto: &str) -> Bound {
        Bound {
            column: KeyColumn {
                name: "w".into(),
                kind,
                nullable: false,
                bytewise: false,
            },
            upto: Some(upto.into()),
        }
    }

    fn moved(after: Option<&str>) -> AnalyzedPartition {
        AnalyzedPartition {
            after: after.map(str::to_owned),
            ..KeyRange::Everything.into()
        }
    }

    #[test]
    fn the_bound_never_goes_back_behind_what_was_moved() {
        let raised = |kind, upto: &str, afters: &[Option<&str>]| {
            let stored: Vec<_> = afters.iter().map(|after| moved(*after)).collect();
            raised(&mut bound(kind, upto), &stored).unwrap()
        };
        assert_eq!(raised(KeyKind::Integer, "9", &[Some("10"), None]), "10");
        assert_eq!(
            raised(KeyKind::Integer, "11", &[Some("9"), Some("10")]),
            "11"
        );
        assert_eq!(raised(KeyKind::Decimal, "1.0", &[Some("1.00")]), "1.00");
        assert_eq!(
            raised(KeyKind::Date, "2024-01-01", &[Some("2023-12-31")]),
            "2024-01-01"
        );
    }
}
