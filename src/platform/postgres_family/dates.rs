//! Units of the calendar, as the boundaries of partitions.

use super::PostgresLike;
use super::expressions::in_utc;
use super::keys::Keys;
use super::parts::{Parts, each};
use crate::domain::table::{DateUnit, KeyColumn, KeyKind};
use crate::platform::names::Names;
use crate::platform::query::{Query, TextRow, texts};
use crate::platform::scope::Scope;
use crate::platform::sql::DateUnitRows;

/// Statements over units of the calendar.
pub(super) trait Dates: PostgresLike + Sized {
    /// See [`Sql::date_units`](crate::platform::Sql::date_units).
    fn units(&self, scope: &Scope<'_>, column: &KeyColumn, unit: DateUnit) -> Query<DateUnitRows> {
        let first = self.unit_text(column, "units.unit");
        let unit = self.unit_of(column, &self.quote_name(&column.name), unit);
        let sql = format!(
            "SELECT {first} AS first, CAST(units.row_count AS varchar) AS row_count FROM \
             ({} GROUP BY 1) units ORDER BY units.unit",
            self.select_some(
                scope,
                &format!("{unit} AS unit, count(*) AS row_count"),
                self.without_null(scope)
            ),
        );
        Query::new(sql, |row| {
            let [first, rows] = texts(row)?;
            Some(DateUnitRows {
                first,
                rows: rows.parse().ok()?,
            })
        })
    }

    /// See [`Sql::unit_boundaries`](crate::platform::Sql::unit_boundaries).
    fn boundaries(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
        rows: u64,
    ) -> Query<TextRow> {
        // As in `boundaries`: the users' names stand in the innermost query alone.
        let list = |text: &dyn Fn(usize, &KeyColumn) -> String| each(scope.key, text).join(", ");
        let named = list(&|i, c| format!("{} AS key_{i}", self.quote_name(&c.name)));
        let names = list(&|i, _| format!("dated.key_{i}"));
        let ordered = list(&|i, c| self.ordered(c, &format!("dated.key_{i}")));
        let boundaries = list(&|i, c| {
            let text = self.key_text(c, &format!("placed.key_{i}"));
            format!("{text} AS boundary_{i}")
        });
        let order = list(&|i, c| self.ordered(c, &format!("placed.key_{i}")));
        let unit = self.unit_of(column, &self.quote_name(&column.name), unit);
        // Parts of equal size, not full ones and a rest.
        let parts = format!("((placed.row_count + {rows} - 1) / {rows})");
        let part = format!("((placed.row_count + {parts} - 1) / {parts})");
        Query::cells(format!(
            "SELECT {boundaries} FROM (SELECT {names}, row_number() OVER (PARTITION BY dated.unit ORDER BY {ordered}) AS place, \
             count(*) OVER (PARTITION BY dated.unit) AS row_count FROM \
             ({}) dated) placed \
             WHERE placed.place > 1 AND (placed.place - 1) % {part} = 0 ORDER BY {order}",
            self.select_some(
                scope,
                &format!("{named}, {unit} AS unit"),
                self.without_null(scope)
            ),
        ))
    }

    /// A value's unit, as a timestamp.
    fn unit_of(&self, column: &KeyColumn, value: &str, unit: DateUnit) -> String {
        let timestamp = match column.kind {
            KeyKind::TimestampTz => in_utc(value),
            _ => format!("CAST({value} AS timestamp)"),
        };
        format!(
            "{}('{}', {timestamp})",
            self.function("date_trunc"),
            unit.as_str()
        )
    }

    /// The first value of a unit, in the text form of the column's kind.
    fn unit_text(&self, column: &KeyColumn, unit: &str) -> String {
        match column.kind {
            KeyKind::Date => self.date(&format!("CAST({unit} AS date)")),
            KeyKind::TimestampTz => {
                format!("{} || '+00'", self.timestamp(unit))
            }
            _ => self.timestamp(unit),
        }
    }
}

impl<P: PostgresLike> Dates for P {}
