//! Statements over the rows of a table. Syntax of SQL Server 2012.

use super::SqlServer;
use super::checksum::{counted, row_checksum};
use super::keys::{bucket, is_in_every_page, key_text, ordered, range_predicate, window_predicate};
use super::names::two_parts;
use crate::domain::table::{DateUnit, KeyColumn, KeyKind, KeyRange, SourceColumn};
use crate::platform::names::Names;
use crate::platform::query::{Query, TextRow, texts};
use crate::platform::scope::Scope;
use crate::platform::sql::{DateUnitRows, RangeSummary, Sql, SummaryStatements};
use crate::types::ColumnPlan;

/// Of so many rows a sample has some.
const SAMPLED_OF: f64 = 1_000_000.0;

fn from(scope: &Scope<'_>) -> String {
    let table = two_parts(scope.table);
    match &scope.modifiers.object {
        Some(modifier) => format!("{table} {}", modifier.trim()),
        None => table,
    }
}

fn select(scope: &Scope<'_>) -> String {
    match &scope.modifiers.select {
        Some(modifier) => format!("SELECT {}", modifier.trim()),
        None => "SELECT".to_owned(),
    }
}

/// All that bounds the scope, and `more`.
fn condition(scope: &Scope<'_>, more: Vec<String>) -> String {
    let mut terms = range_predicate(scope.key, scope.range);
    terms.extend(scope.window.iter().flat_map(window_predicate));
    terms.extend(more);
    // On a line of its own: the user's predicate may end in a comment.
    terms.extend(
        scope
            .where_clause
            .map(|predicate| format!("({predicate}\n)")),
    );
    match terms.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", terms.join(" AND ")),
    }
}

/// The rows of the scope, of which a statement selects `list`.
fn select_rows(scope: &Scope<'_>, list: &str) -> String {
    format!(
        "{} {list} FROM {}{}",
        select(scope),
        from(scope),
        condition(scope, Vec::new())
    )
}

/// What keeps rows with a NULL in the key away, whatever the catalog says of them.
fn without_null(scope: &Scope<'_>) -> Vec<String> {
    match scope.range {
        KeyRange::Everything => scope
            .key
            .iter()
            .map(|column| format!("{} IS NOT NULL", SqlServer.quote_name(&column.name)))
            .collect(),
        _ => Vec::new(),
    }
}

/// An aggregate as text.
fn aggregate_text(scope: &Scope<'_>, aggregate: &str) -> String {
    select_rows(scope, &format!("CAST(({aggregate}\n) AS nvarchar(max))"))
}

/// Rows and bytes by counting: 100 bytes a row is as good a guess as any.
pub(super) fn counted_text(scope: &Scope<'_>) -> String {
    select_rows(
        scope,
        "CAST(COUNT_BIG(*) AS nvarchar(20)), CAST(COUNT_BIG(*) * 100 AS nvarchar(20))",
    )
}

/// A text for each column of a key, made from its place and the column.
fn each(key: &[KeyColumn], text: &dyn Fn(usize, &KeyColumn) -> String) -> String {
    let columns = key.iter().enumerate();
    let list: Vec<String> = columns.map(|(place, column)| text(place, column)).collect();
    list.join(", ")
}

/// The conditions that keys may be bounds, of columns of a derived table.
fn usable(key: &[KeyColumn], table: &str) -> String {
    let columns = key.iter().enumerate();
    columns
        .filter_map(|(place, column)| is_in_every_page(column, &format!("{table}.key_{place}")))
        .map(|condition| format!(" AND {condition}"))
        .collect()
}

/// A value's unit of the calendar, as a date.
fn unit_of(column: &KeyColumn, unit: DateUnit) -> String {
    let name = SqlServer.quote_name(&column.name);
    let value = match column.kind {
        KeyKind::TimestampTz => format!("CAST(SWITCHOFFSET({name}, '+00:00') AS datetime2(7))"),
        _ => name,
    };
    match unit {
        DateUnit::Year => format!("DATEFROMPARTS(YEAR({value}), 1, 1)"),
        DateUnit::Month => format!("DATEFROMPARTS(YEAR({value}), MONTH({value}), 1)"),
        DateUnit::Day => format!("CAST({value} AS date)"),
    }
}

/// The first value of a unit, in the text form of the column's kind.
fn unit_text(column: &KeyColumn, unit: &str) -> String {
    let day = format!("CONVERT(nvarchar(10), {unit}, 23)");
    match column.kind {
        KeyKind::Date => day,
        KeyKind::TimestampTz => format!("{day} + N' 00:00:00+00'"),
        _ => format!("{day} + N' 00:00:00'"),
    }
}

impl Sql for SqlServer {
    fn boundaries(&self, scope: &Scope<'_>, partitions: u64, share: Option<f64>) -> Query<TextRow> {
        let key = scope.key;
        // What the users' columns are called stands in the innermost query alone.
        let named = each(key, &|i, c| {
            format!("{} AS key_{i}", self.quote_name(&c.name))
        });
        let by = each(key, &|_, c| ordered(c, &self.quote_name(&c.name)));
        let names = each(key, &|i, _| format!("tiles.key_{i}"));
        let tile_by = each(key, &|i, c| ordered(c, &format!("tiles.key_{i}")));
        let boundaries = each(key, &|i, c| {
            format!(
                "{} AS boundary_{i}",
                key_text(c, &format!("firsts.key_{i}"))
            )
        });
        let order = each(key, &|i, c| ordered(c, &format!("firsts.key_{i}")));
        let mut more = without_null(scope);
        // Row by row: TABLESAMPLE takes whole pages, of tables only.
        // https://learn.microsoft.com/sql/t-sql/queries/from-transact-sql
        more.extend(share.map(|share| {
            let of = (share * SAMPLED_OF).round();
            format!("ABS(CHECKSUM(NEWID()) % {SAMPLED_OF}) < {of}")
        }));
        Query::cells(format!(
            "SELECT {boundaries} FROM (SELECT {names}, tiles.tile, ROW_NUMBER() OVER (PARTITION BY tiles.tile ORDER BY {tile_by}) AS place FROM \
             ({} {named}, NTILE({partitions}) OVER (ORDER BY {by}) AS tile FROM {}{}) tiles) firsts \
             WHERE firsts.place = 1 AND firsts.tile > 1{} ORDER BY {order}",
            select(scope),
            from(scope),
            condition(scope, more),
            usable(key, "firsts"),
        ))
    }

    fn date_units(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
    ) -> Query<DateUnitRows> {
        let sql = format!(
            "SELECT {} AS first, CAST(units.row_count AS nvarchar(20)) AS row_count FROM \
             (SELECT dated.unit, COUNT_BIG(*) AS row_count FROM ({} {} AS unit FROM {}{}) dated GROUP BY dated.unit) units ORDER BY units.unit",
            unit_text(column, "units.unit"),
            select(scope),
            unit_of(column, unit),
            from(scope),
            condition(scope, without_null(scope)),
        );
        Query::new(sql, |row| {
            let [first, rows] = texts(row)?;
            Some(DateUnitRows {
                first,
                rows: rows.parse().ok()?,
            })
        })
    }

    fn unit_boundaries(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
        rows: u64,
    ) -> Query<TextRow> {
        let key = scope.key;
        let named = each(key, &|i, c| {
            format!("{} AS key_{i}", self.quote_name(&c.name))
        });
        let names = each(key, &|i, _| format!("dated.key_{i}"));
        let by = each(key, &|i, c| ordered(c, &format!("dated.key_{i}")));
        let boundaries = each(key, &|i, c| {
            format!(
                "{} AS boundary_{i}",
                key_text(c, &format!("placed.key_{i}"))
            )
        });
        let order = each(key, &|i, c| ordered(c, &format!("placed.key_{i}")));
        // Parts of equal size, not full ones and a rest.
        let parts = format!("((placed.row_count + {rows} - 1) / {rows})");
        let part = format!("((placed.row_count + {parts} - 1) / {parts})");
        Query::cells(format!(
            "SELECT {boundaries} FROM (SELECT {names}, ROW_NUMBER() OVER (PARTITION BY dated.unit ORDER BY {by}) AS place, \
             COUNT_BIG(*) OVER (PARTITION BY dated.unit) AS row_count FROM ({} {named}, {} AS unit FROM {}{}) dated) placed \
             WHERE placed.place > 1 AND (placed.place - 1) % {part} = 0{} ORDER BY {order}",
            select(scope),
            unit_of(column, unit),
            from(scope),
            condition(scope, without_null(scope)),
            usable(key, "placed"),
        ))
    }

    fn longest(
        &self,
        scope: &Scope<'_>,
        expressions: &[&str],
        _encoding: &str,
    ) -> Query<Vec<usize>> {
        // In the form in which they are sent: text in UTF-16.
        let longest: Vec<String> = expressions
            .iter()
            .map(|e| format!("CAST(COALESCE(MAX(DATALENGTH({e})), 0) AS nvarchar(20))"))
            .collect();
        Query::new(select_rows(scope, &longest.join(", ")), |row| {
            row.into_iter().map(|cell| cell?.parse().ok()).collect()
        })
    }

    fn row_with_bytes(
        &self,
        _scope: &Scope<'_>,
        _expression: &str,
        _hex: &str,
    ) -> Option<Query<TextRow>> {
        None
    }

    fn row_outside_years(
        &self,
        _scope: &Scope<'_>,
        _column: &ColumnPlan,
    ) -> Option<Query<TextRow>> {
        None
    }

    fn aggregate(&self, scope: &Scope<'_>, aggregate: &str) -> Query<Option<String>> {
        Query::value(aggregate_text(scope, aggregate))
    }

    fn count(&self, scope: &Scope<'_>) -> Query<u64> {
        Query::new(aggregate_text(scope, "COUNT_BIG(*)"), |row| {
            row.into_iter().next()??.parse().ok()
        })
    }

    fn maximum(&self, scope: &Scope<'_>, column: &KeyColumn) -> Query<Option<String>> {
        let name = self.quote_name(&column.name);
        // MAX takes no bit. https://learn.microsoft.com/sql/t-sql/functions/max-transact-sql
        let value = match column.kind {
            KeyKind::Boolean => format!("MAX(CAST({name} AS tinyint))"),
            _ => format!("MAX({name})"),
        };
        Query::value(select_rows(scope, &key_text(column, &value)))
    }

    fn any_row(&self, scope: &Scope<'_>) -> Query<()> {
        Query::existence(format!(
            "SELECT TOP (1) N'1' FROM {}{}",
            from(scope),
            condition(scope, Vec::new())
        ))
    }

    fn checksum_aggregates(&self, columns: &[SourceColumn]) -> Vec<String> {
        vec![row_checksum(columns)]
    }

    fn counted_aggregate(&self, expression: &str) -> String {
        counted(expression)
    }

    fn partition_summary(
        &self,
        scope: &Scope<'_>,
        ranges: &[KeyRange],
        aggregates: &[&str],
    ) -> SummaryStatements {
        // By CROSS APPLY: GROUP BY knows neither places nor names of the list. Its column's name stands beside those of
        // the table's own, which none should be like.
        let mut list = vec![
            "CAST([range of rows].[place of range] AS nvarchar(10))".to_owned(),
            "CAST(COUNT_BIG(*) AS nvarchar(20))".to_owned(),
        ];
        list.extend(
            aggregates
                .iter()
                .map(|aggregate| format!("CAST(({aggregate}\n) AS nvarchar(max))")),
        );
        let sql = format!(
            "{} {} FROM {} CROSS APPLY (VALUES ({})) [range of rows] ([place of range]){} GROUP BY [range of rows].[place of range]",
            select(scope),
            list.join(", "),
            from(scope),
            bucket(scope.key, ranges),
            condition(scope, Vec::new()),
        );
        SummaryStatements {
            before: None,
            query: Query::new(sql, range_summary),
            after: None,
        }
    }

    fn extraction(&self, scope: &Scope<'_>, columns: &[ColumnPlan]) -> String {
        let list: Vec<String> = columns
            .iter()
            .map(|c| format!("{} AS {}", c.expression, c.file_name))
            .collect();
        select_rows(scope, &list.join(", "))
    }
}

fn range_summary(row: TextRow) -> Option<RangeSummary> {
    let mut cells = row.into_iter();
    Some(RangeSummary {
        range: cells.next()??.parse().ok()?,
        rows: cells.next()??.parse().ok()?,
        aggregate: cells.next().flatten().unwrap_or_default(),
    })
}
