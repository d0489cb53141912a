//! Tables that are cut at units of the calendar.

use super::ranges::cut;
use super::session::Subject;
use crate::domain::analysis::AnalyzedPartition;
use crate::domain::quantity::rows_text;
use crate::domain::table::{DateUnit, KeyColumn, KeyRange, KeyTuple, Platform};
use crate::plan::dates::{self, Unit};
use crate::platform::{Estimate, Window};
use crate::source::session::Ask;
use crate::source::{SourceError, SourceErrorKind};
use crate::types::key_text;

impl Subject<'_> {
    /// The first keys of the second, third, … partition of a table that is cut again. Rows are counted by the way, so that the
    /// size does not rest on the catalog's estimate.
    pub(super) fn dated_boundaries(
        &mut self,
        key: &[KeyColumn],
        window: Option<Window<'_>>,
        unit: DateUnit,
        (estimate, platform): (Estimate, Platform),
    ) -> Result<Vec<KeyTuple>, SourceError> {
        let range = KeyRange::Everything;
        let units = self.units(key, &range, window, unit)?;
        let rows = units.iter().map(|unit| unit.rows).sum();
        let each = self
            .sizing(Estimate { rows, ..estimate }, platform)
            .rows_per_partition;
        self.notes.push(format!(
            "cut at each {} that has rows, {} of them (partitionByDate); one of more than about {} is divided",
            unit.as_str(),
            units.len(),
            rows_text(each)
        ));
        self.between_units(key, &range, window, unit, (&units, each))
    }

    /// A range cut at the units that its rows are of, and inside of them where they have more rows than `each`.
    pub(super) fn split_at_dates(
        &mut self,
        key: &[KeyColumn],
        range: &KeyRange,
        window: Option<Window<'_>>,
        unit: DateUnit,
        each: u64,
    ) -> Result<Vec<KeyRange>, SourceError> {
        if !matches!(range, KeyRange::Between { .. }) {
            return Ok(vec![range.clone()]);
        }
        let units = self.units(key, range, window, unit)?;
        let firsts = self.between_units(key, range, window, unit, (&units, each))?;
        Ok(cut(range, firsts))
    }

    /// Whether rows of units that the table did not have when it was cut are in this partition: they are in the last one.
    pub(super) fn may_hold_new_units(&self, partition: &AnalyzedPartition, rows: u64) -> bool {
        self.spec.partition_by_date.is_some()
            && rows > 0
            && matches!(partition.range, KeyRange::Between { upper: None, .. })
    }

    fn units(
        &self,
        key: &[KeyColumn],
        range: &KeyRange,
        window: Option<Window<'_>>,
        unit: DateUnit,
    ) -> Result<Vec<Unit>, SourceError> {
        let Some(dated) = key.first() else {
            return Ok(Vec::new());
        };
        let scope = self.scope(key, range, window);
        let units = self.ask(&self.platform().date_units(&scope, dated, unit))?;
        Ok(units
            .into_iter()
            .map(|unit| Unit {
                first: key_text::read(dated.kind, unit.first),
                rows: unit.rows,
            })
            .collect())
    }

    fn between_units(
        &mut self,
        key: &[KeyColumn],
        range: &KeyRange,
        window: Option<Window<'_>>,
        unit: DateUnit,
        (units, each): (&[Unit], u64),
    ) -> Result<Vec<KeyTuple>, SourceError> {
        let Some(each) = dates::rows_together(units, each) else {
            return Err(self.error(
                SourceErrorKind::Refused,
                format_args!(
                    "partitionByDate \"{}\" would cut the table into {} partitions, more than a table gets; choose a longer unit",
                    unit.as_str(),
                    units.len()
                ),
            ));
        };
        let inside = match key.first() {
            Some(dated) if units.iter().any(|unit| unit.rows > each) => {
                let scope = self.scope(key, range, window);
                let boundaries = self.platform().unit_boundaries(&scope, dated, unit, each);
                let rows = self.ask(&boundaries)?;
                self.tuples(key, rows)?
            }
            _ => Vec::new(),
        };
        self.checked_boundaries(key, dates::boundaries(key, units, inside), each)
    }
}
