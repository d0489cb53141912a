//! Statements over the rows of a table.

use super::query::{Query, TextRow};
use super::scope::Scope;
use crate::domain::table::{DateUnit, KeyColumn, KeyRange, SourceColumn};
use crate::types::ColumnPlan;

/// The statements over rows. Values of keys travel as text that
/// [`key_text::read`](crate::types::key_text::read) takes.
pub trait Sql: Send + Sync {
    /// The first keys of partitions 2..=n of the scope, ascending, a cell for each key column; possibly fewer than n - 1
    /// rows. Rows with a NULL in the key take no part. `share`: from about this part of the rows.
    fn boundaries(&self, scope: &Scope<'_>, partitions: u64, share: Option<f64>) -> Query<TextRow>;

    /// The units of the calendar that the scope has rows of, by a column of dates or times, ascending. Units of times with
    /// a zone are those of UTC. Rows with a NULL in the key take no part.
    fn date_units(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
    ) -> Query<DateUnitRows>;

    /// Keys that divide the units of [`date_units`](Self::date_units) into about equal parts of at most so many rows;
    /// ascending, and none where a unit has no more. Cells as for [`boundaries`](Self::boundaries).
    fn unit_boundaries(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
        rows: u64,
    ) -> Query<TextRow>;

    /// The longest value of each text in bytes of UTF-8, which is what buffers must hold: one row. `encoding`: the
    /// database's own, as the [`Opening`](super::Opening) tells it.
    fn longest(&self, scope: &Scope<'_>, expressions: &[&str], encoding: &str)
    -> Query<Vec<usize>>;

    /// The first row, in the key's order, in which a text has these bytes in the database's own encoding: a cell for each
    /// key column. At most one row. `hex`: the bytes. `None`: the platform's text always has an encoding.
    fn row_with_bytes(
        &self,
        scope: &Scope<'_>,
        expression: &str,
        hex: &str,
    ) -> Option<Query<TextRow>>;

    /// The first row, in the key's order, whose value of a date or timestamp column lies outside the years 1 to 9999
    /// (infinities too): the value and a cell for each key column. At most one row. `None`: the platform has no such
    /// values.
    fn row_outside_years(&self, scope: &Scope<'_>, column: &ColumnPlan) -> Option<Query<TextRow>>;

    /// The value of an aggregate over the scope, as text: one row.
    fn aggregate(&self, scope: &Scope<'_>, aggregate: &str) -> Query<Option<String>>;

    /// The number of rows of the scope: one row.
    fn count(&self, scope: &Scope<'_>) -> Query<u64>;

    /// The largest value of a column: one row, NULL where there is none.
    fn maximum(&self, scope: &Scope<'_>, column: &KeyColumn) -> Query<Option<String>>;

    /// One row if the scope has any.
    fn any_row(&self, scope: &Scope<'_>) -> Query<()>;

    /// Aggregates that see any change of any value of any row of a set of rows, whatever the order of the rows; best
    /// first, because a version of the platform may lack what one needs. Never NULL. A text of `count:hash`.
    fn checksum_aggregates(&self, columns: &[SourceColumn]) -> Vec<String>;

    /// The user's own aggregate in the same form: `count:value`, never NULL.
    fn counted_aggregate(&self, expression: &str) -> String;

    /// Rows and aggregates of each range, in one scan, for the ranges that have rows. The ranges are those of one table
    /// as [`crate::plan::ranges`] orders them, without a gap; those of the scope and its window bound them.
    fn partition_summary(
        &self,
        scope: &Scope<'_>,
        ranges: &[KeyRange],
        aggregates: &[&str],
    ) -> SummaryStatements;

    /// The statement that extracts the scope. Column order is that of `columns`.
    fn extraction(&self, scope: &Scope<'_>, columns: &[ColumnPlan]) -> String;
}

/// A unit of the calendar that has rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateUnitRows {
    /// Its first value.
    pub first: String,
    /// Its rows.
    pub rows: u64,
}

/// The query of [`Sql::partition_summary`], with what its transaction needs around it.
#[derive(Clone, Debug)]
pub struct SummaryStatements {
    /// A statement that comes before, where the platform would otherwise take a slow plan.
    pub before: Option<&'static str>,
    /// The query.
    pub query: Query<RangeSummary>,
    /// A statement that comes after, which takes back what the one before has set.
    pub after: Option<&'static str>,
}

/// What a scan tells of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeSummary {
    /// The place of the range among those that were asked for.
    pub range: usize,
    /// Its rows.
    pub rows: u64,
    /// The first aggregate; empty where none was asked for.
    pub aggregate: String,
}
