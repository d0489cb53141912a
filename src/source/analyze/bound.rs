//! The bound of a run: the largest watermark that is not in the future, and the wait until what lies at or below it is
//! complete.

use super::clock::Clock;
use super::session::Subject;
use crate::domain::analysis::{Untold, Watermark};
use crate::domain::quantity::rows_text;
use crate::domain::spec::{ResetPartitions, Synchronization};
use crate::domain::table::{KeyColumn, KeyKind, KeyRange};
use crate::platform::Window;
use crate::source::session::Ask;
use crate::source::{SourceError, SourceErrorKind};
use crate::types::key_text;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long transactions that ran when the bound was read are waited for.
const SETTLING: Duration = Duration::from_secs(60);
/// Between two looks at them at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The watermark of this run.
pub(super) struct Bound {
    pub(super) column: KeyColumn,
    /// Rows above belong to the next run; `None`: no row can be the bound.
    pub(super) upto: Option<String>,
    /// Whether there is no row at all.
    pub(super) is_empty: bool,
    /// Whether there are rows above because their time has not come.
    pub(super) has_rows_above: bool,
    /// Whether there are rows without a watermark.
    pub(super) has_nulls: bool,
    /// Whether every run merges, so that it does no harm to move a row again.
    pub(super) merges: bool,
    /// What the next run is to know.
    pub(super) untold: Untold,
}

impl Bound {
    /// Whether rows above the bound are moved too.
    pub(super) fn moves_above(&self) -> bool {
        self.merges && self.has_rows_above
    }

    /// Whether rows are moved however often they have been.
    pub(super) fn moves_again(&self) -> bool {
        self.moves_above() || self.moves_nulls()
    }

    fn moves_nulls(&self) -> bool {
        self.merges && self.has_nulls
    }

    /// The rows that are moved of a part that was moved up to `after`. `None`: all.
    pub(super) fn window<'a>(&'a self, after: Option<&'a str>) -> Option<Window<'a>> {
        let upto = self.upto.as_deref()?;
        Some(Window {
            column: &self.column,
            after,
            upto: (!self.moves_above()).then_some(upto),
            with_nulls: self.moves_nulls(),
        })
    }

    pub(super) fn into_watermark(self) -> Option<Watermark> {
        Some(Watermark {
            moves_above: self.moves_above(),
            moves_nulls: self.moves_nulls(),
            upto: self.upto?,
            column: self.column,
        })
    }
}

impl Subject<'_> {
    /// Reads the bound, and waits until what lies at or below it is complete.
    pub(super) fn capture_bound(&mut self, written: &str) -> Result<Bound, SourceError> {
        let mut bound = Bound {
            column: self.watermark_column(written)?,
            upto: None,
            is_empty: false,
            has_rows_above: false,
            has_nulls: false,
            merges: matches!(
                self.spec.synchronization,
                Synchronization::Watermark {
                    track_modifications: true,
                    ..
                }
            ),
            untold: Untold::default(),
        };
        let Some(largest) = self.largest(&bound.column, None)? else {
            bound.is_empty = !self.has_row(&[], &KeyRange::Everything, None)?;
            if bound.is_empty {
                return Ok(bound);
            }
            return Err(self.error(
                SourceErrorKind::Refused,
                format_args!(
                    "the watermark column {} is NULL in every row: nothing tells which rows are new; choose another watermarkColumn, or another synchronization strategy",
                    bound.column.name
                ),
            ));
        };
        if is_endless(&largest) {
            return Err(self.error(
                SourceErrorKind::Refused,
                format_args!(
                    "the largest value of the watermark column {} is {largest}, and no later row would ever be above it; correct that row, or leave it out with whereClauseCriteria",
                    bound.column.name
                ),
            ));
        }
        if let Some(limit) = self.committed_bound(&bound.column)? {
            bound.upto = Some(limit);
            self.see_what_is_committed()?;
            self.look_for_nulls(&mut bound)?;
            return Ok(bound);
        }
        match self.clock_after(&bound.column, &largest)? {
            Some(clock) if !clock.has_settled(&bound.column, &largest) => {
                self.cap(&mut bound, &clock, &largest)?;
            }
            _ => bound.upto = Some(largest),
        }
        self.look_for_nulls(&mut bound)?;
        bound.untold = Untold {
            above: bound.moves_above(),
            moved_again: self.spec.reset_partitions == ResetPartitions::EnabledWithDedup,
        };
        if let Some(upto) = &bound.upto {
            self.settle(&bound.column, upto);
            self.see_what_is_committed()?;
        }
        Ok(bound)
    }

    /// What was committed until now is seen by the statements that follow.
    fn see_what_is_committed(&self) -> Result<(), SourceError> {
        match self.platform().sees_one_snapshot() {
            true => self.session.rest(),
            false => Ok(()),
        }
    }

    /// What the source itself says of a column whose values commit in another order than they are given: all at or below
    /// are committed, and later rows are above.
    fn committed_bound(&self, column: &KeyColumn) -> Result<Option<String>, SourceError> {
        let found = self.columns.iter().find(|known| known.name == column.name);
        match found.and_then(|found| self.platform().committed_bound(found)) {
            Some(query) => self.ask_first(&query),
            None => Ok(None),
        }
    }

    /// The largest watermark at or below a limit.
    pub(super) fn largest(
        &self,
        column: &KeyColumn,
        limit: Option<&str>,
    ) -> Result<Option<String>, SourceError> {
        let window = limit.map(|limit| Window {
            column,
            after: None,
            upto: Some(limit),
            with_nulls: false,
        });
        let everything = KeyRange::Everything;
        let scope = self.scope(&[], &everything, window);
        let largest = self.ask_first(&self.platform().maximum(&scope, column))?;
        Ok(largest
            .flatten()
            .map(|largest| key_text::read(column.kind, largest)))
    }

    /// Whether there is a row in a range and a window.
    pub(super) fn has_row(
        &self,
        key: &[KeyColumn],
        range: &KeyRange,
        window: Option<Window<'_>>,
    ) -> Result<bool, SourceError> {
        let scope = self.scope(key, range, window);
        let row = self.ask_first(&self.platform().any_row(&scope))?;
        Ok(row.is_some())
    }

    fn count_above(&self, column: &KeyColumn, limit: &str) -> Result<u64, SourceError> {
        let window = Window {
            column,
            after: Some(limit),
            upto: None,
            with_nulls: false,
        };
        let everything = KeyRange::Everything;
        let scope = self.scope(&[], &everything, Some(window));
        let count = self.ask_first(&self.platform().count(&scope))?;
        Ok(count.unwrap_or(0))
    }

    /// Bounds the run by the clock: if a value of the future were the bound, no later row would be above it. Rows that are
    /// written at a time get later values than what the clock had reached, so that the next run finds them.
    fn cap(&mut self, bound: &mut Bound, clock: &Clock, largest: &str) -> Result<(), SourceError> {
        let column = &bound.column;
        bound.upto = self.largest(column, Some(&clock.settled))?;
        let above = self.count_above(column, &clock.settled)?;
        let future = if clock.has_passed(column, largest) {
            0
        } else if clock.now == clock.settled {
            above
        } else {
            self.count_above(column, &clock.now)?
        };
        bound.has_rows_above = above > 0;
        let (name, now) = (&column.name, &clock.now);
        if bound.upto.is_none() && future > 0 && future == above && !bound.merges {
            return Err(self.error(
                SourceErrorKind::Refused,
                format_args!(
                    "the watermark column {name} is later than the source's clock ({now}) in every row, so that nothing would tell which rows are new; choose another watermarkColumn, correct the rows, or set trackModifications with primaryKeyColumns, by which every run moves them"
                ),
            ));
        }
        if future > 0 {
            let zone = if column.kind == KeyKind::Timestamp {
                "; if the column holds the time of another zone, make that the time zone of the source's login"
            } else {
                ""
            };
            let rows = rows_text(future);
            self.warnings.push(if bound.merges {
                format!(
                    "the watermark {name} is later than the source's clock ({now}) in {rows}, up to {largest}: every run moves these rows again until the clock has passed them; correct them if they are mistakes{zone}"
                )
            } else {
                format!(
                    "the watermark {name} is later than the source's clock ({now}) in {rows}, up to {largest}: these rows wait, and the first run after the clock has passed them moves them; correct them if they are mistakes, or set trackModifications with primaryKeyColumns, by which every run moves them{zone}"
                )
            });
        }
        // Only dates: a day that has begun.
        if let Some(today @ 1..) = above.checked_sub(future) {
            let what = format!(
                "the watermark {name} is a day that is not over in {}",
                rows_text(today)
            );
            if bound.merges {
                self.notes.push(format!(
                    "{what}: later runs move them again until it is, because rows may be added to it"
                ));
            } else {
                self.warnings.push(format!(
                    "{what}, and more may be added to it: these rows wait, and the first run after that day moves them; set trackModifications with primaryKeyColumns to have them moved by every run"
                ));
            }
        }
        Ok(())
    }

    /// Says what becomes of rows without a watermark. An index answers whether there are any.
    fn look_for_nulls(&mut self, bound: &mut Bound) -> Result<(), SourceError> {
        let column = std::slice::from_ref(&bound.column);
        bound.has_nulls = self.has_row(column, &KeyRange::NullKey, None)?;
        if bound.moves_nulls() {
            self.notes.push(format!(
                "the watermark {} is NULL in some rows: every run moves them",
                bound.column.name
            ));
        } else if bound.has_nulls {
            self.warnings.push(format!(
                "the watermark {} is NULL in some rows: the first run moves them, and later runs do not, so that those which have come since then, or have changed, stay behind; give each row a watermark, or set trackModifications with primaryKeyColumns, by which every run moves them",
                bound.column.name
            ));
        }
        Ok(())
    }

    fn watermark_column(&self, written: &str) -> Result<KeyColumn, SourceError> {
        let fits = |kind: &KeyKind| {
            matches!(
                kind,
                KeyKind::Integer
                    | KeyKind::Decimal
                    | KeyKind::Float
                    | KeyKind::Date
                    | KeyKind::Timestamp
                    | KeyKind::DateTime
                    | KeyKind::TimestampTz
                    | KeyKind::Binary
            )
        };
        let kind_of = |column| self.platform().key_kind(column).filter(fits);
        let found = self.column(written).map(|column| (column, kind_of(column)));
        if let Some((column, Some(kind))) = found {
            return Ok(KeyColumn {
                name: column.name.clone(),
                kind,
                nullable: true,
                bytewise: false,
            });
        }
        let choices: Vec<&str> = self
            .columns
            .iter()
            .filter(|column| kind_of(column).is_some())
            .map(|column| column.name.as_str())
            .collect();
        let choices = if choices.is_empty() {
            "the table has none: use another synchronization strategy".to_owned()
        } else {
            format!("the table has {}", choices.join(", "))
        };
        let what = match found {
            Some((column, _)) => format!("of type {}, which does not grow", column.type_name),
            None => format!("and {}", self.no_such_column(written)),
        };
        Err(self.error(
            SourceErrorKind::NoSuchObject,
            format_args!(
                "synchronization.watermarkColumn names {written}, {what}; choose a column of numbers, dates or timestamps: {choices}"
            ),
        ))
    }

    /// Waits for the transactions that may yet commit rows at or below the bound: those that run now.
    fn settle(&mut self, column: &KeyColumn, upto: &str) {
        let Some(query) = self.platform().running_transactions() else {
            return;
        };
        let began = Instant::now();
        let mut pause = Duration::from_millis(50);
        let mut waiting: Option<BTreeSet<String>> = None;
        let problem = loop {
            let running: BTreeSet<String> = match self.ask(&query) {
                Ok(rows) => rows.into_iter().collect(),
                Err(error) => {
                    break format!("what runs there cannot be seen ({})", error.problem.cause());
                }
            };
            let left: BTreeSet<String> = match &waiting {
                Some(waiting) => waiting.intersection(&running).cloned().collect(),
                None => running,
            };
            if left.is_empty() {
                return;
            }
            if began.elapsed() >= SETTLING {
                break match left.len() {
                    1 => "1 transaction that ran before it still runs".to_owned(),
                    n => format!("{n} transactions that ran before it still run"),
                };
            }
            waiting = Some(left);
            if let Err(error) = self.session.rest() {
                break format!("what runs there cannot be seen ({})", error.problem.cause());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        self.warnings.push(format!(
            "the watermark {} = {upto} was read from the source, and {problem}: rows at or below it that are committed after the table is read are not moved by later runs; run when no long transaction writes the table",
            column.name
        ));
    }
}

/// Whether nothing is ever above it.
fn is_endless(value: &str) -> bool {
    let value = value.trim_end_matches("+00").to_ascii_lowercase();
    matches!(value.as_str(), "nan" | "infinity" | "inf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_above_infinity_and_nan() {
        for endless in ["NaN", "Infinity", "infinity", "infinity+00"] {
            assert!(is_endless(endless), "{endless}");
        }
        for value in ["-infinity", "9999-12-31", "1e308", "2024-01-01 00:00:00+00"] {
            assert!(!is_endless(value), "{value}");
        }
    }
}
