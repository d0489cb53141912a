//! Where a table is cut: its size, and the boundaries that the source answers.

use super::bound::Bound;
use super::session::Subject;
use crate::domain::analysis::AnalyzedPartition;
use crate::domain::quantity::rows_text;
use crate::domain::table::{KeyColumn, KeyRange, KeyTuple, Platform};
use crate::plan::size::{Sizing, Table, sizing};
use crate::plan::{boundaries, misplaced_boundary, ranges};
use crate::platform::{Estimate, RangeSummary, TextRow, Window};
use crate::source::session::Ask;
use crate::source::{SourceError, SourceErrorKind};
use crate::types::key_text;
use std::collections::HashMap;

/// Values that fill more than a partition are named up to this many.
const NAMED_VALUES: usize = 5;

/// Partitions that are cut in one run at most: each costs a query.
const MOST_SPLIT: usize = 16;

impl Subject<'_> {
    /// Rows and bytes, by the catalog or by counting.
    pub(super) fn estimate(&self) -> Result<Estimate, SourceError> {
        let everything = KeyRange::Everything;
        let queries = self
            .platform()
            .estimates(&self.scope(&[], &everything, None));
        let mut failure = None;
        for query in queries {
            match self.ask_first(&query) {
                Ok(Some(Some(estimate))) => return Ok(estimate),
                Ok(_) => failure = None,
                // A catalog that lacks a view, or forbids it, passes on to the next source of an estimate.
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(Estimate::default()), Err)
    }

    pub(super) fn sizing(&self, estimate: Estimate, platform: Platform) -> Sizing {
        let table = Table {
            rows: estimate.rows,
            bytes: estimate.bytes,
            platform,
            synchronization: &self.spec.synchronization,
            max_rows: self.spec.max_partition_rows,
        };
        sizing(table, self.spec.partition_size)
    }

    /// The ranges of a table that is cut again, of the rows in the window.
    pub(super) fn fresh_ranges(
        &mut self,
        key: &[KeyColumn],
        window: Option<Window<'_>>,
        (sizing, platform): (&Sizing, Platform),
        estimate: Estimate,
    ) -> Result<Vec<KeyRange>, SourceError> {
        if key.is_empty() {
            return Ok(vec![KeyRange::Everything]);
        }
        if let Some(unit) = self.spec.partition_by_date {
            let firsts = self.dated_boundaries(key, window, unit, (estimate, platform))?;
            return Ok(ranges(key, &firsts));
        }
        self.notes.push(sizing.explanation.clone());
        if self.spec.where_clause.is_some() {
            self.notes.push(
                "statistics do not know whereClauseCriteria: what it leaves may be less".to_owned(),
            );
        }
        let firsts = if sizing.count > 1 {
            self.boundaries(
                key,
                &KeyRange::Everything,
                window,
                sizing.count,
                estimate.rows,
            )?
        } else {
            Vec::new()
        };
        Ok(ranges(key, &firsts))
    }

    /// Cuts the partitions that have grown far beyond their size; each stands with its rows, or with those in its window.
    /// Answers whether all are as they were.
    pub(super) fn split_grown(
        &mut self,
        key: &[KeyColumn],
        bound: Option<&Bound>,
        sizing: &Sizing,
        partitions: Vec<(AnalyzedPartition, u64)>,
    ) -> Result<(Vec<AnalyzedPartition>, bool), SourceError> {
        let mut grown: Vec<(u64, usize)> = partitions
            .iter()
            .enumerate()
            .filter(|(_, (partition, rows))| {
                !partition.unchanged
                    && (sizing.parts_of(*rows) > 1 || self.may_hold_new_units(partition, *rows))
            })
            .map(|(index, (_, rows))| (*rows, index))
            .collect();
        grown.sort_unstable_by(|a, b| b.cmp(a));
        if grown.len() > MOST_SPLIT {
            self.notes.push(format!(
                "{} partitions have grown: the {MOST_SPLIT} largest are cut, the others in later runs",
                grown.len()
            ));
            grown.truncate(MOST_SPLIT);
        }
        let mut result = Vec::with_capacity(partitions.len());
        let mut reused = true;
        for (index, (partition, rows)) in partitions.into_iter().enumerate() {
            if !grown.iter().any(|(_, other)| *other == index) {
                result.push(partition);
                continue;
            }
            let window = bound.and_then(|bound| bound.window(partition.after.as_deref()));
            let each = sizing.rows_per_partition;
            let parts = match self.spec.partition_by_date {
                Some(unit) => self.split_at_dates(key, &partition.range, window, unit, each)?,
                None => self.split(key, &partition.range, window, sizing.parts_of(rows), rows)?,
            };
            if parts.len() == 1 {
                result.push(partition);
                continue;
            }
            reused = false;
            self.notes.push(format!(
                "a partition has grown to {}: it is cut into {}",
                rows_text(rows),
                parts.len()
            ));
            result.extend(parts.into_iter().map(|range| AnalyzedPartition {
                after: partition.after.clone(),
                ..range.into()
            }));
        }
        Ok((result, reused))
    }

    /// A range that has so many rows in the window, cut into parts; itself where nothing can cut it.
    fn split(
        &mut self,
        key: &[KeyColumn],
        range: &KeyRange,
        window: Option<Window<'_>>,
        parts: u64,
        rows: u64,
    ) -> Result<Vec<KeyRange>, SourceError> {
        if !matches!(range, KeyRange::Between { .. }) {
            return Ok(vec![range.clone()]);
        }
        let firsts = self.boundaries(key, range, window, parts, rows)?;
        Ok(cut(range, firsts))
    }

    fn boundaries(
        &mut self,
        key: &[KeyColumn],
        range: &KeyRange,
        window: Option<Window<'_>>,
        parts: u64,
        rows: u64,
    ) -> Result<Vec<KeyTuple>, SourceError> {
        let tiles = self.tiles(key, range, window, parts, rows)?;
        self.checked_boundaries(key, tiles, rows.div_ceil(parts))
    }

    /// Boundaries from the first keys of tiles of so many rows; values that fill several are named.
    pub(super) fn checked_boundaries(
        &mut self,
        key: &[KeyColumn],
        tiles: Vec<KeyTuple>,
        per_tile: u64,
    ) -> Result<Vec<KeyTuple>, SourceError> {
        let found = boundaries(key, tiles);
        if let Some(tuple) = misplaced_boundary(key, &found.firsts) {
            // Ranges that overlap would double rows: better no migration than a wrong one.
            return Err(self.error(
                SourceErrorKind::Other,
                format_args!(
                    "the source answered partition boundaries out of order, at {}; choose another column to partition by, or [] for one partition",
                    tuple.join(", ")
                ),
            ));
        }
        for (tuple, times) in found.repeated.iter().take(NAMED_VALUES) {
            let named: Vec<String> = key
                .iter()
                .zip(tuple)
                .map(|(column, value)| format!("{} = {value}", column.name))
                .collect();
            self.warnings.push(format!(
                "{} stands in about {}, as many as {times} partitions: no range can divide them, they are one partition",
                named.join(", "),
                rows_text(per_tile.saturating_mul(*times))
            ));
        }
        if let Some(more @ 1..) = found.repeated.len().checked_sub(NAMED_VALUES) {
            self.warnings.push(format!(
                "{more} more values of the key fill more than a partition each"
            ));
        }
        Ok(found.firsts)
    }

    /// The first key of each tile but the first, as the source answers them.
    fn tiles(
        &mut self,
        key: &[KeyColumn],
        range: &KeyRange,
        window: Option<Window<'_>>,
        parts: u64,
        rows: u64,
    ) -> Result<Vec<KeyTuple>, SourceError> {
        let sampling = self.spec.sampling;
        let share = sampling.target_rows.max(1) as f64 / rows.max(1) as f64;
        if rows > sampling.threshold_rows && share < 1.0 {
            let sampled =
                self.platform()
                    .boundaries(&self.scope(key, range, window), parts, Some(share));
            match self.ask(&sampled) {
                Ok(rows) if !rows.is_empty() => {
                    self.notes.push(format!(
                        "boundaries from a sample of about {}",
                        rows_text(sampling.target_rows)
                    ));
                    return self.tuples(key, rows);
                }
                // Not everything can be sampled: a view, for one. And an estimate may be far off.
                Err(error) if error.kind != SourceErrorKind::Refused => return Err(error),
                _ => {}
            }
        }
        let all = self
            .platform()
            .boundaries(&self.scope(key, range, window), parts, None);
        let rows = self.ask(&all)?;
        self.tuples(key, rows)
    }

    pub(super) fn tuples(
        &self,
        key: &[KeyColumn],
        rows: Vec<TextRow>,
    ) -> Result<Vec<KeyTuple>, SourceError> {
        rows.into_iter()
            .map(|row| {
                key.iter()
                    .zip(row)
                    .map(|(column, cell)| cell.map(|cell| key_text::read(column.kind, cell)))
                    .collect::<Option<KeyTuple>>()
                    .ok_or_else(|| {
                        self.error(
                            SourceErrorKind::Other,
                            "the source answered a boundary with NULL in it",
                        )
                    })
            })
            .collect()
    }

    /// Rows and aggregates of each range that has rows, by its index.
    pub(super) fn summarize(
        &self,
        key: &[KeyColumn],
        ranges: &[KeyRange],
        window: Option<Window<'_>>,
        aggregates: &[&str],
    ) -> Result<HashMap<usize, Summary>, SourceError> {
        let everything = KeyRange::Everything;
        let scope = self.scope(key, &everything, window);
        let statements = self
            .platform()
            .partition_summary(&scope, ranges, aggregates);
        let set = |statement: Option<&str>| match statement {
            Some(sql) => self.session.execute(&self.spec.source, sql),
            None => Ok(()),
        };
        set(statements.before)?;
        let summaries = self.ask(&statements.query)?;
        set(statements.after)?;
        summaries
            .into_iter()
            .map(|summary| {
                let RangeSummary {
                    range,
                    rows,
                    aggregate,
                } = summary;
                if range >= ranges.len() {
                    return Err(self.error(
                        SourceErrorKind::Other,
                        "the source answered a row that belongs to no partition",
                    ));
                }
                Ok((range, Summary { rows, aggregate }))
            })
            .collect()
    }
}

/// A range cut at these keys, as far as they are inside; itself where none is, or where it is no range of keys.
pub(super) fn cut(range: &KeyRange, mut firsts: Vec<KeyTuple>) -> Vec<KeyRange> {
    let KeyRange::Between { lower, upper } = range else {
        return vec![range.clone()];
    };
    // The part's own first key is where it begins already.
    firsts.retain(|first| Some(first) != lower.as_ref());
    let lowers = std::iter::once(lower.clone()).chain(firsts.iter().cloned().map(Some));
    let uppers = firsts
        .iter()
        .cloned()
        .map(Some)
        .chain(std::iter::once(upper.clone()));
    lowers
        .zip(uppers)
        .map(|(lower, upper)| KeyRange::Between { lower, upper })
        .collect()
}

/// What a scan says of a range.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) rows: u64,
    /// The first aggregate; empty where there is none.
    pub(super) aggregate: String,
}
