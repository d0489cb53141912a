//! Units of the calendar, as the boundaries of partitions.

use super::PostgresFamily;
use crate::dialect::{Dialect, Scope};
use crate::domain::table::{DateUnit, KeyColumn, KeyKind};
use crate::types::postgres_family::texts;

impl PostgresFamily {
    /// See [`Dialect::date_units_query`].
    pub(super) fn date_units(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
    ) -> String {
        let first = self.unit_text(column, "units.unit");
        format!(
            "SELECT {first} AS first, CAST(units.row_count AS varchar) AS row_count FROM \
             ({} {} AS unit, count(*) AS row_count FROM {}{} GROUP BY 1) units ORDER BY units.unit",
            self.select(scope),
            self.unit_of(column, &self.quote_name(&column.name), unit),
            self.from(scope),
            self.condition(scope, self.without_null(scope)),
        )
    }

    /// See [`Dialect::unit_boundary_query`].
    pub(super) fn unit_boundaries(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
        rows: u64,
    ) -> String {
        // As in `boundary_query`: the users' names stand in the innermost query alone.
        let list = |text: &dyn Fn(usize, &KeyColumn) -> String| {
            let key = scope.key.iter().enumerate();
            key.map(|(i, c)| text(i, c)).collect::<Vec<_>>().join(", ")
        };
        let named = list(&|i, c| format!("{} AS key_{i}", self.quote_name(&c.name)));
        let names = list(&|i, _| format!("dated.key_{i}"));
        let ordered = list(&|i, c| self.ordered(c, &format!("dated.key_{i}")));
        let texts = list(&|i, c| {
            let text = self.key_text(c, &format!("placed.key_{i}"));
            format!("{text} AS boundary_{i}")
        });
        let order = list(&|i, c| self.ordered(c, &format!("placed.key_{i}")));
        // Parts of equal size, not full ones and a rest.
        let parts = format!("((placed.row_count + {rows} - 1) / {rows})");
        let part = format!("((placed.row_count + {parts} - 1) / {parts})");
        format!(
            "SELECT {texts} FROM (SELECT {names}, row_number() OVER (PARTITION BY dated.unit ORDER BY {ordered}) AS place, \
             count(*) OVER (PARTITION BY dated.unit) AS row_count FROM \
             ({} {named}, {} AS unit FROM {}{}) dated) placed \
             WHERE placed.place > 1 AND (placed.place - 1) % {part} = 0 ORDER BY {order}",
            self.select(scope),
            self.unit_of(column, &self.quote_name(&column.name), unit),
            self.from(scope),
            self.condition(scope, self.without_null(scope)),
        )
    }

    /// A value's unit, as a timestamp.
    fn unit_of(&self, column: &KeyColumn, value: &str, unit: DateUnit) -> String {
        let timestamp = match column.kind {
            KeyKind::TimestampTz => texts::in_utc(value),
            _ => format!("CAST({value} AS timestamp)"),
        };
        format!(
            "{}('{}', {timestamp})",
            texts::function("date_trunc", self.is_redshift),
            unit.as_str()
        )
    }

    /// The first value of a unit, in the text form of the column's kind.
    fn unit_text(&self, column: &KeyColumn, unit: &str) -> String {
        match column.kind {
            KeyKind::Date => texts::date(&format!("CAST({unit} AS date)"), self.is_redshift),
            KeyKind::TimestampTz => {
                format!("{} || '+00'", texts::timestamp(unit, self.is_redshift))
            }
            _ => texts::timestamp(unit, self.is_redshift),
        }
    }
}
