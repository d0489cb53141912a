//! Statements over the rows of a table.

use super::PostgresLike;
use super::checksum::{counted, text_checksum};
use super::dates::Dates;
use super::expressions::Sample;
use super::keys::Keys;
use super::parts::{Parts, each};
use crate::domain::table::{DateUnit, KeyColumn, KeyRange, SourceColumn};
use crate::platform::names::Names;
use crate::platform::query::{Query, TextRow};
use crate::platform::scope::Scope;
use crate::platform::sql::{DateUnitRows, RangeSummary, Sql, SummaryStatements};
use crate::types::{ColumnPlan, Fetch};
use arrow::datatypes::DataType;

impl<P: PostgresLike> Sql for P {
    fn boundaries(&self, scope: &Scope<'_>, partitions: u64, share: Option<f64>) -> Query<TextRow> {
        let key = scope.key;
        // What the users' columns are called stands in the innermost query alone: no name of ours can meet one of theirs.
        let list = |text: &dyn Fn(usize, &KeyColumn) -> String| each(key, text).join(", ");
        let named = list(&|i, c| format!("{} AS key_{i}", self.quote_name(&c.name)));
        let ordered = list(&|_, c| self.ordered(c, &self.quote_name(&c.name)));
        let names = list(&|i, _| format!("tiles.key_{i}"));
        let tile_ordered = list(&|i, c| self.ordered(c, &format!("tiles.key_{i}")));
        let texts = list(&|i, c| {
            let text = self.key_text(c, &format!("firsts.key_{i}"));
            format!("{text} AS boundary_{i}")
        });
        let order = list(&|i, c| self.ordered(c, &format!("firsts.key_{i}")));
        let mut more = self.without_null(scope);
        let mut from = self.from(scope);
        match share.map(|share| self.sample(share)) {
            Some(Sample::Clause(clause)) => from = format!("{from} {clause}"),
            Some(Sample::Condition(condition)) => more.push(condition),
            None => {}
        }
        Query::cells(format!(
            "SELECT {texts} FROM (SELECT {names}, tiles.tile, row_number() OVER (PARTITION BY tiles.tile ORDER BY {tile_ordered}) AS place FROM \
             ({} {named}, ntile({partitions}) OVER (ORDER BY {ordered}) AS tile FROM {from}{}) tiles) firsts \
             WHERE firsts.place = 1 AND firsts.tile > 1 ORDER BY {order}",
            self.select(scope),
            self.condition(scope, more),
        ))
    }

    fn date_units(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
    ) -> Query<DateUnitRows> {
        Dates::units(self, scope, column, unit)
    }

    fn unit_boundaries(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
        rows: u64,
    ) -> Query<TextRow> {
        Dates::boundaries(self, scope, column, unit, rows)
    }

    fn longest(
        &self,
        scope: &Scope<'_>,
        expressions: &[&str],
        encoding: &str,
    ) -> Query<Vec<usize>> {
        let is_sent_as_stored = self.sends_as_stored(encoding);
        let octet_length = self.function("octet_length");
        let bytes = |expression: &str| {
            if is_sent_as_stored {
                format!("{octet_length}({expression})")
            } else {
                // What the conversion adds: of a char its blanks count, and a cast would take them.
                let text = format!("CAST({expression} AS varchar)");
                let convert_to = self.function("convert_to");
                format!(
                    "{octet_length}({expression}) + {octet_length}({convert_to}({text}, 'UTF8')) - {octet_length}({text})"
                )
            }
        };
        let longest: Vec<String> = expressions
            .iter()
            .map(|e| format!("CAST(COALESCE(max({}), 0) AS varchar)", bytes(e)))
            .collect();
        let sql = self.select_rows(scope, &longest.join(", "));
        Query::new(sql, |row| {
            row.into_iter().map(|cell| cell?.parse().ok()).collect()
        })
    }

    fn row_with_bytes(
        &self,
        scope: &Scope<'_>,
        expression: &str,
        hex: &str,
    ) -> Option<Query<TextRow>> {
        let [decode, convert_to, encoding] =
            ["decode", "convert_to", "getdatabaseencoding"].map(|name| self.function(name));
        let holds = format!(
            "position({decode}('{hex}', 'hex') IN {convert_to}(CAST({expression} AS varchar), {encoding}())) > 0"
        );
        Some(Query::new(self.first_row(scope, None, holds), |mut row| {
            // What is shown of the value, and here is NULL.
            (!row.is_empty()).then(|| row.split_off(1))
        }))
    }

    fn row_outside_years(&self, scope: &Scope<'_>, column: &ColumnPlan) -> Option<Query<TextRow>> {
        let name = self.quote_name(&column.source_name);
        // A text without a type of its own takes the column's.
        let (text, zone) = match (&column.fetch, &column.data_type) {
            (Fetch::EpochDays, _) => (self.date(&name), ""),
            (_, DataType::Timestamp(_, Some(_))) => (self.timestamptz(&name), " 00:00:00+00"),
            _ => (self.timestamp(&name), ""),
        };
        let outside = format!("({name} < '0001-01-01{zone}' OR {name} >= '10000-01-01{zone}')");
        Some(Query::cells(self.first_row(scope, Some(&text), outside)))
    }

    fn aggregate(&self, scope: &Scope<'_>, aggregate: &str) -> Query<Option<String>> {
        Query::value(self.aggregate_text(scope, aggregate))
    }

    fn count(&self, scope: &Scope<'_>) -> Query<u64> {
        Query::new(self.aggregate_text(scope, "count(*)"), |row| {
            row.into_iter().next()??.parse().ok()
        })
    }

    fn maximum(&self, scope: &Scope<'_>, column: &KeyColumn) -> Query<Option<String>> {
        let maximum = format!("max({})", self.quote_name(&column.name));
        Query::value(self.select_rows(scope, &self.key_text(column, &maximum)))
    }

    fn any_row(&self, scope: &Scope<'_>) -> Query<()> {
        Query::existence(self.any_row_text(scope))
    }

    fn checksum_aggregates(&self, columns: &[SourceColumn]) -> Vec<String> {
        let rows = self.row_checksum(columns);
        rows.into_iter()
            .chain([text_checksum(self, columns)])
            .collect()
    }

    fn counted_aggregate(&self, expression: &str) -> String {
        counted(expression, "")
    }

    fn partition_summary(
        &self,
        scope: &Scope<'_>,
        ranges: &[KeyRange],
        aggregates: &[&str],
    ) -> SummaryStatements {
        // As a number, not as text: rows are grouped by it.
        let mut list = vec![
            self.bucket(scope.key, ranges),
            "CAST(count(*) AS varchar)".to_owned(),
        ];
        list.extend(
            aggregates
                .iter()
                .map(|aggregate| format!("CAST(({aggregate}\n) AS varchar)")),
        );
        let sql = format!("{} GROUP BY 1", self.select_rows(scope, &list.join(", ")));
        let [before, after] = match self.around_summary() {
            Some([before, after]) => [Some(before), Some(after)],
            None => [None, None],
        };
        SummaryStatements {
            before,
            query: Query::new(sql, range_summary),
            after,
        }
    }

    fn extraction(&self, scope: &Scope<'_>, columns: &[ColumnPlan]) -> String {
        let list: Vec<String> = columns
            .iter()
            .map(|c| format!("{} AS {}", c.expression, c.file_name))
            .collect();
        self.select_rows(scope, &list.join(", "))
    }
}

fn range_summary(row: TextRow) -> Option<RangeSummary> {
    let mut cells = row.into_iter();
    let range = cells.next()??.parse().ok()?;
    let rows = cells.next()??.parse().ok()?;
    Some(RangeSummary {
        range,
        rows,
        aggregate: cells.next().flatten().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::{KeyKind, QueryModifiers, TableRef, WrittenName};
    use crate::platform::redshift::Redshift;
    use crate::platform::types::Types;

    fn column(name: &str, kind: KeyKind, nullable: bool) -> KeyColumn {
        KeyColumn {
            name: name.to_owned(),
            kind,
            nullable,
            bytewise: false,
        }
    }

    #[test]
    fn the_first_time_outside_the_years_is_looked_for_in_the_range_alone() {
        let name = |text: &str| WrittenName(text.to_owned());
        let table = TableRef {
            database: name("d"),
            schema: name("s"),
            table: name("t"),
        };
        let key = [column("k", KeyKind::Integer, false)];
        let range = KeyRange::Between {
            lower: Some(vec!["5".into()]),
            upper: None,
        };
        let at = SourceColumn {
            name: "at".to_owned(),
            type_name: "date".to_owned(),
            ..SourceColumn::default()
        };
        assert_eq!(
            Redshift
                .row_outside_years(
                    &Scope {
                        table: &table,
                        key: &key,
                        range: &range,
                        window: None,
                        where_clause: Some("x > 1 -- y"),
                        modifiers: &QueryModifiers::default(),
                    },
                    &Redshift.plan_column(&at, 0, None).plan
                )
                .expect("a query")
                .sql,
            "SELECT firsts.shown, firsts.text_0 FROM (SELECT COALESCE(to_char(\"at\", 'YYYY-MM-DD') || CASE WHEN \"at\" < '0001-01-01' THEN ' BC' ELSE '' END, \
             CAST(\"at\" AS varchar)) AS shown, CAST(\"k\" AS varchar) AS text_0, \"k\" AS key_0 FROM \"s\".\"t\" WHERE \"k\" >= 5 \
             AND (\"at\" < '0001-01-01' OR \"at\" >= '10000-01-01') AND (x > 1 -- y\n)) firsts ORDER BY firsts.key_0 LIMIT 1"
        );
    }

    #[test]
    fn a_predicate_that_ends_in_a_comment_does_not_swallow_the_rest() {
        let text = Redshift.where_text(vec!["a = 1".to_owned()], Some("b > 2 -- new ones"));
        assert_eq!(text, " WHERE a = 1 AND (b > 2 -- new ones\n)");
    }
}
