//! Checksums: which partitions of the previous run have changed since.

use super::Planned;
use super::ranges::Summary;
use super::session::Subject;
use crate::domain::analysis::{AnalyzedPartition, SyncPartition, SyncSettings, SyncSnapshot};
use crate::domain::table::{KeyColumn, KeyRange, Platform};
use crate::plan::earlier::completed;
use crate::platform::{Estimate, Scope};
use crate::source::session::Ask;
use crate::source::{SourceError, SourceErrorKind};

impl Subject<'_> {
    /// The aggregate that partitions are compared by.
    pub(super) fn checksum_aggregate(
        &self,
        expression: Option<&str>,
    ) -> Result<String, SourceError> {
        if let Some(expression) = expression {
            return Ok(self.platform().counted_aggregate(expression));
        }
        let moved: Vec<_> = self
            .columns
            .iter()
            .filter(|column| !self.is_excluded(column))
            .cloned()
            .collect();
        let mut aggregates = self.platform().checksum_aggregates(&moved);
        // The last one needs nothing that a version may lack.
        while aggregates.len() > 1 {
            let nothing = Scope {
                table: &self.spec.source,
                key: &[],
                range: &KeyRange::Everything,
                window: None,
                where_clause: Some("1 = 0"),
                modifiers: &self.spec.query_modifiers,
            };
            let probe = self.platform().aggregate(&nothing, &aggregates[0]);
            match self.ask(&probe) {
                Ok(_) => break,
                Err(error) if error.kind == SourceErrorKind::Unreachable => return Err(error),
                Err(_) => aggregates.remove(0),
            };
        }
        aggregates.into_iter().next().ok_or_else(|| {
            self.error(
                SourceErrorKind::Other,
                "the source's platform has no checksum; use another synchronization strategy",
            )
        })
    }

    /// The partitions of a table that is synchronized by checksums.
    pub(super) fn plan_by_checksum(
        &mut self,
        key: &[KeyColumn],
        aggregate: &str,
        previous: Option<&SyncSnapshot>,
        platform: Platform,
    ) -> Result<Planned, SourceError> {
        let Some(previous) = previous else {
            return self.plan_anew(key, platform);
        };
        let completed = completed(previous).map(|completed| completed.snapshot);
        let is_complete = completed.is_none();
        let previous = completed.as_ref().unwrap_or(previous);
        if let Some(why) = self.checksums_are_of_no_use(&previous.settings, key) {
            self.warnings.push(format!(
                "{why}: the previous run's checksums are of no use, and the whole table is moved again"
            ));
            return self.plan_anew(key, platform);
        }
        let ranges: Vec<KeyRange> = previous
            .partitions
            .iter()
            .map(|partition| partition.range.clone())
            .collect();
        let summaries = self.summarize(key, &ranges, None, &[aggregate])?;
        let partitions: Vec<(AnalyzedPartition, u64)> = previous
            .partitions
            .iter()
            .enumerate()
            .map(|(index, stored)| compared(stored, summaries.get(&index)))
            .collect();
        let unchanged = partitions.iter().filter(|(p, _)| p.unchanged).count();
        self.notes.push(format!(
            "{} partitions of the previous run, {unchanged} of them unchanged",
            partitions.len()
        ));
        let rows = summaries.values().map(|summary| summary.rows).sum();
        if unchanged == partitions.len() {
            return Ok(Planned {
                partitions: partitions.into_iter().map(|(p, _)| p).collect(),
                reused: is_complete,
                estimate: Estimate { rows, bytes: 0 },
            });
        }
        // The rows are known; their bytes are what the catalog says.
        let estimate = Estimate {
            rows,
            ..self.estimate()?
        };
        let sizing = self.sizing(estimate, platform);
        let (partitions, is_whole) = self.split_grown(key, None, &sizing, partitions)?;
        Ok(Planned {
            partitions,
            reused: is_complete && is_whole,
            estimate,
        })
    }

    fn checksums_are_of_no_use(
        &self,
        was: &SyncSettings,
        key: &[KeyColumn],
    ) -> Option<&'static str> {
        if was.synchronization != self.spec.synchronization {
            Some("the synchronization has changed")
        } else if was.where_clause != self.spec.where_clause {
            Some("whereClauseCriteria has changed")
        } else if was.key != key {
            Some("the key has changed")
        } else {
            None
        }
    }
}

/// A stored partition beside what is in the source now, and its rows there.
fn compared(stored: &SyncPartition, now: Option<&Summary>) -> (AnalyzedPartition, u64) {
    let unchanged = match (&stored.checksum, now) {
        (Some(was), Some(now)) => *was == now.aggregate,
        // Both without a row, whatever the aggregate makes of that.
        (Some(was), None) => was.starts_with("0:"),
        (None, _) => false,
    };
    let partition = AnalyzedPartition {
        range: stored.range.clone(),
        after: None,
        checksum: stored.checksum.clone(),
        unchanged,
    };
    (partition, now.map_or(0, |now| now.rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_unchanged_only_if_what_was_loaded_is_what_is_there() {
        let unchanged = |was: Option<&str>, now: Option<&str>| {
            let stored = SyncPartition {
                range: KeyRange::Everything,
                checksum: was.map(str::to_owned),
                watermark: None,
            };
            let now = now.map(|aggregate| Summary {
                rows: 1,
                aggregate: aggregate.to_owned(),
            });
            compared(&stored, now.as_ref()).0.unchanged
        };
        assert!(unchanged(Some("1:5"), Some("1:5")));
        assert!(!unchanged(Some("1:5"), Some("1:6")));
        assert!(!unchanged(Some("1:5"), None));
        assert!(unchanged(Some("0:"), None));
        assert!(!unchanged(Some("0:0"), Some("1:0")));
        assert!(!unchanged(None, None));
        assert!(!unchanged(Some(""), Some("1:0")));
    }
}
