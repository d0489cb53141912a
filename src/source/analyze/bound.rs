//! The bound of a run: the largest watermark, and the wait until what lies at or below it is complete.

use super::session::Subject;
use crate::domain::table::{KeyColumn, KeyKind, KeyRange};
use crate::source::{SourceError, SourceErrorKind};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long transactions that ran when the bound was read are waited for.
const SETTLING: Duration = Duration::from_secs(60);
/// Between two looks at them at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The watermark of this run.
pub(super) struct Bound {
    pub(super) column: KeyColumn,
    /// Rows above belong to the next run; `None`: there is no row.
    pub(super) upto: Option<String>,
}

impl Subject<'_> {
    /// Reads the bound, and waits until what lies at or below it is complete.
    pub(super) fn capture_bound(&mut self, written: &str) -> Result<Bound, SourceError> {
        let column = self.watermark_column(written)?;
        if column.nullable {
            self.warnings.push(format!(
                "the watermark column {} may be NULL: rows without a watermark are moved by the first run only",
                column.name
            ));
        }
        let everything = KeyRange::Everything;
        let scope = self.scope(&[], &everything, None);
        let upto = self.value(&self.dialect().maximum_query(&scope, &column))?;
        let Some(upto) = upto else {
            let any = self.query(&self.dialect().any_row_query(&scope))?;
            if any.is_empty() {
                return Ok(Bound { column, upto: None });
            }
            return Err(self.error(
                SourceErrorKind::Refused,
                format_args!(
                    "the watermark column {} is NULL in every row: nothing tells which rows are new; choose another watermarkColumn, or another synchronization strategy",
                    column.name
                ),
            ));
        };
        if is_endless(&upto) {
            return Err(self.error(
                SourceErrorKind::Refused,
                format_args!(
                    "the largest value of the watermark column {} is {upto}, and no later row would ever be above it; mend that row, or leave it out with whereClauseCriteria",
                    column.name
                ),
            ));
        }
        self.settle(&column, &upto);
        Ok(Bound {
            column,
            upto: Some(upto),
        })
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
                    | KeyKind::TimestampTz
            )
        };
        let kind_of = |column| self.dialect().key_kind(column).filter(fits);
        let found = self.column(written).map(|column| (column, kind_of(column)));
        if let Some((column, Some(kind))) = found {
            return Ok(KeyColumn {
                name: column.name.clone(),
                kind,
                nullable: column.nullable,
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
        let Some(sql) = self.dialect().running_transactions_query() else {
            return;
        };
        let began = Instant::now();
        let mut pause = Duration::from_millis(50);
        let mut waiting: Option<BTreeSet<String>> = None;
        let problem = loop {
            let running: BTreeSet<String> = match self.query(sql) {
                Ok(rows) => rows.into_iter().flatten().flatten().collect(),
                Err(error) => break format!("what runs there cannot be seen ({})", error.message),
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
