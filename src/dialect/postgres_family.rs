//! Amazon Redshift and PostgreSQL, which share their quoting, their catalog and most of their SQL.

mod catalog;
mod checksum;
mod columns;
mod dates;
mod keys;
mod relations;
mod transaction;

use super::transaction::{Opening, TransactionSettings};
use super::{Dialect, Scope};
use crate::domain::table::{
    DateUnit, KeyColumn, KeyKind, KeyRange, SourceColumn, TableRef, WrittenName,
};
use crate::types::postgres_family::texts;
use crate::types::{ColumnPlan, Fetch, PlannedColumn, postgres_family};
use arrow::datatypes::DataType;

/// The dialect of both.
pub(super) struct PostgresFamily {
    /// Whether it is Redshift.
    pub(super) is_redshift: bool,
}

impl PostgresFamily {
    fn table(&self, table: &TableRef) -> String {
        format!(
            "{}.{}",
            self.quote_name(&self.exact_name(&table.schema)),
            self.quote_name(&self.exact_name(&table.table))
        )
    }

    /// The user's piece stands where the user put it, blanks or not.
    fn from(&self, scope: &Scope<'_>) -> String {
        let only = match scope.modifiers.without_child_tables {
            true => "ONLY ",
            false => "",
        };
        let table = self.table(scope.table);
        match &scope.modifiers.object {
            Some(modifier) => format!("{only}{table} {}", modifier.trim()),
            None => format!("{only}{table}"),
        }
    }

    fn select(&self, scope: &Scope<'_>) -> String {
        match &scope.modifiers.select {
            Some(modifier) => format!("SELECT {}", modifier.trim()),
            None => "SELECT".to_owned(),
        }
    }

    /// All that bounds the scope, and `more`.
    fn condition(&self, scope: &Scope<'_>, more: Vec<String>) -> String {
        let mut terms = self.range_predicate(scope.key, scope.range);
        terms.extend(
            scope
                .window
                .iter()
                .flat_map(|window| self.window_predicate(window)),
        );
        terms.extend(more);
        self.where_text(terms, scope.where_clause)
    }

    /// The first row, in the key's order, that meets a condition: `shown` and each key column as text.
    fn first_row(&self, scope: &Scope<'_>, shown: Option<&str>, condition: String) -> String {
        // Ordered by what only the inner query calls as the user does: see `boundary_query`.
        let list = |text: &dyn Fn(usize, &KeyColumn) -> String| -> Vec<String> {
            let key = scope.key.iter().enumerate();
            key.map(|(i, c)| text(i, c)).collect()
        };
        let mut outer = vec!["firsts.shown".to_owned()];
        outer.extend(list(&|i, _| format!("firsts.text_{i}")));
        let mut inner = vec![format!("{} AS shown", shown.unwrap_or("NULL"))];
        inner.extend(list(&|i, c| {
            let name = self.quote_name(&c.name);
            format!("{} AS text_{i}, {name} AS key_{i}", self.key_text(c, &name))
        }));
        let order = list(&|i, c| self.ordered(c, &format!("firsts.key_{i}")));
        let order = if order.is_empty() {
            String::new()
        } else {
            format!(" ORDER BY {}", order.join(", "))
        };
        format!(
            "SELECT {} FROM ({} {} FROM {}{}) firsts{order} LIMIT 1",
            outer.join(", "),
            self.select(scope),
            inner.join(", "),
            self.from(scope),
            self.condition(scope, vec![condition])
        )
    }

    /// What keeps rows with a NULL in the key away.
    fn without_null(&self, scope: &Scope<'_>) -> Vec<String> {
        match scope.range {
            // Whatever the catalog says of them.
            KeyRange::Everything => scope
                .key
                .iter()
                .map(|c| format!("{} IS NOT NULL", self.quote_name(&c.name)))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn where_text(&self, mut terms: Vec<String>, where_clause: Option<&str>) -> String {
        // On a line of its own: the user's predicate may end in a comment.
        terms.extend(where_clause.map(|predicate| format!("({predicate}\n)")));
        if terms.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", terms.join(" AND "))
        }
    }
}

impl Dialect for PostgresFamily {
    fn exact_name(&self, written: &WrittenName) -> String {
        let text = written.0.trim();
        match text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
        {
            Some(inner) if text.len() >= 2 => inner.replace("\"\"", "\""),
            _ => text.to_lowercase(),
        }
    }

    fn quote_name(&self, exact: &str) -> String {
        format!("\"{}\"", exact.replace('"', "\"\""))
    }

    fn quote_text(&self, text: &str) -> String {
        // Redshift and an old setting of PostgreSQL read a backslash as an escape: E'' means the same everywhere.
        if text.contains('\\') {
            format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
        } else {
            format!("'{}'", text.replace('\'', "''"))
        }
    }

    fn opening(&self, settings: &TransactionSettings) -> Opening {
        self.opening(settings)
    }

    fn declare_cursor(&self, name: &str, query: &str) -> String {
        // As both have it; a query may end in a comment of the user's.
        format!("DECLARE {name} CURSOR FOR {query}")
    }

    fn fetch_forward(&self, name: &str, rows: usize) -> String {
        format!("FETCH FORWARD {rows} FROM {name}")
    }

    fn most_fetched_rows(&self) -> usize {
        if self.is_redshift {
            // Of a cluster of one node, and who knows whose cluster it is.
            // https://docs.aws.amazon.com/redshift/latest/dg/fetch.html
            1_000
        } else {
            10_000
        }
    }

    fn policy_query(&self, scope: &Scope<'_>) -> Option<String> {
        // Whoever may read a table sees in the plan that policies filter it, though not how; the catalog's views of
        // policies are for security administrators. https://docs.aws.amazon.com/redshift/latest/dg/r_EXPLAIN.html
        self.is_redshift
            .then(|| format!("EXPLAIN {}", self.any_row_query(scope)))
    }

    fn hides_rows(&self, line: &str) -> bool {
        line.contains("RLS SecureScan")
    }

    fn server_query(&self) -> &'static str {
        catalog::SERVER
    }

    fn clock_query(&self) -> &'static str {
        self.clock()
    }

    fn encryption_query(&self) -> Option<&'static str> {
        (!self.is_redshift).then_some(catalog::ENCRYPTION)
    }

    fn plan_column(
        &self,
        column: &SourceColumn,
        index: usize,
        target: Option<&str>,
    ) -> PlannedColumn {
        postgres_family::plan_column(
            column,
            &self.quote_name(&column.name),
            index,
            target,
            self.is_redshift,
        )
    }

    fn type_name(&self, written: &str) -> String {
        // Arguments may stand inside: `timestamp(3) with time zone`.
        let base = match (written.find('('), written.rfind(')')) {
            (Some(open), Some(close)) if open < close => {
                format!("{} {}", &written[..open], &written[close + 1..])
            }
            _ => written.to_owned(),
        };
        let words: Vec<String> = base.split_whitespace().map(str::to_lowercase).collect();
        let name = words.join(" ");
        if let Some(element) = name.strip_suffix("[]") {
            return format!("{}[]", self.type_name(element));
        }
        let catalog = match name.as_str() {
            "smallint" | "smallserial" | "serial2" => "int2",
            "integer" | "int" | "serial" | "serial4" => "int4",
            "bigint" | "bigserial" | "serial8" => "int8",
            "decimal" => "numeric",
            "real" => "float4",
            "double precision" | "float" => "float8",
            "boolean" => "bool",
            "character" | "char" | "nchar" => "bpchar",
            "character varying" | "nvarchar" => "varchar",
            "timestamp without time zone" => "timestamp",
            "timestamp with time zone" => "timestamptz",
            "time without time zone" => "time",
            "time with time zone" => "timetz",
            "binary varying" | "varbinary" => "varbyte",
            "bit varying" => "varbit",
            // The domain that names large objects, of the extension of this name.
            "lo" => "oid",
            other => other,
        };
        catalog.to_owned()
    }

    fn text_type(&self) -> &'static str {
        "text"
    }

    fn is_interval(&self, type_name: &str) -> bool {
        ["interval", "intervaly2m", "intervald2s"].contains(&type_name)
    }

    fn enforces_keys(&self) -> bool {
        // https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html
        !self.is_redshift
    }

    fn columns_query(&self, table: &TableRef) -> String {
        self.columns_of(table)
    }

    fn estimate_queries(&self, scope: &Scope<'_>) -> Vec<String> {
        self.estimates(scope)
    }

    fn constraints_query(&self, table: &TableRef) -> String {
        self.constraints(table)
    }

    fn relations_query(&self) -> String {
        self.relations()
    }

    fn external_tables_query(&self) -> Option<&'static str> {
        self.external_tables()
    }

    fn relatives_query(&self, table: &TableRef) -> Option<String> {
        self.relatives(table)
    }

    fn lookalikes_query(&self, table: &TableRef) -> String {
        self.lookalikes(table)
    }

    fn privileges_query(&self, table: &TableRef) -> String {
        self.privileges(table)
    }

    fn layout_query(&self, table: &TableRef) -> Option<String> {
        self.layout(table)
    }

    fn key_kind(&self, column: &SourceColumn) -> Option<KeyKind> {
        self.kind(column)
    }

    fn boundary_query(&self, scope: &Scope<'_>, partitions: u64, share: Option<f64>) -> String {
        let key = scope.key;
        // What the users' columns are called stands in the innermost query alone: no name of ours can meet one of theirs.
        let list = |text: &dyn Fn(usize, &KeyColumn) -> String| {
            let texts: Vec<String> = key.iter().enumerate().map(|(i, c)| text(i, c)).collect();
            texts.join(", ")
        };
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
        match share {
            // Whole blocks, the others not even read.
            Some(share) if !self.is_redshift => {
                from = format!("{from} TABLESAMPLE SYSTEM ({})", share * 100.0);
            }
            Some(share) => more.push(format!("random() < {share}")),
            None => {}
        }
        format!(
            "SELECT {texts} FROM (SELECT {names}, tiles.tile, row_number() OVER (PARTITION BY tiles.tile ORDER BY {tile_ordered}) AS place FROM \
             ({} {named}, ntile({partitions}) OVER (ORDER BY {ordered}) AS tile FROM {from}{}) tiles) firsts \
             WHERE firsts.place = 1 AND firsts.tile > 1 ORDER BY {order}",
            self.select(scope),
            self.condition(scope, more),
        )
    }

    fn date_units_query(&self, scope: &Scope<'_>, column: &KeyColumn, unit: DateUnit) -> String {
        self.date_units(scope, column, unit)
    }

    fn unit_boundary_query(
        &self,
        scope: &Scope<'_>,
        column: &KeyColumn,
        unit: DateUnit,
        rows: u64,
    ) -> String {
        self.unit_boundaries(scope, column, unit, rows)
    }

    fn longest_query(&self, scope: &Scope<'_>, expressions: &[&str], encoding: &str) -> String {
        let is_sent_as_stored = self.is_redshift || matches!(encoding, "UTF8" | "SQL_ASCII");
        let octet_length = texts::function("octet_length", self.is_redshift);
        let bytes = |expression: &str| {
            if is_sent_as_stored {
                format!("{octet_length}({expression})")
            } else {
                // What the conversion adds: of a char its blanks count, and a cast would take them.
                let text = format!("CAST({expression} AS varchar)");
                let convert_to = texts::function("convert_to", self.is_redshift);
                format!(
                    "{octet_length}({expression}) + {octet_length}({convert_to}({text}, 'UTF8')) - {octet_length}({text})"
                )
            }
        };
        let longest: Vec<String> = expressions
            .iter()
            .map(|e| format!("CAST(COALESCE(max({}), 0) AS varchar)", bytes(e)))
            .collect();
        format!(
            "{} {} FROM {}{}",
            self.select(scope),
            longest.join(", "),
            self.from(scope),
            self.condition(scope, Vec::new())
        )
    }

    fn bytes_query(&self, scope: &Scope<'_>, expression: &str, hex: &str) -> String {
        let [decode, convert_to, encoding] = ["decode", "convert_to", "getdatabaseencoding"]
            .map(|name| texts::function(name, self.is_redshift));
        let holds = format!(
            "position({decode}('{hex}', 'hex') IN {convert_to}(CAST({expression} AS varchar), {encoding}())) > 0"
        );
        self.first_row(scope, None, holds)
    }

    fn aggregate_query(&self, scope: &Scope<'_>, aggregate: &str) -> String {
        format!(
            "{} CAST(({aggregate}\n) AS varchar) FROM {}{}",
            self.select(scope),
            self.from(scope),
            self.condition(scope, Vec::new())
        )
    }

    fn maximum_query(&self, scope: &Scope<'_>, column: &KeyColumn) -> String {
        let maximum = format!("max({})", self.quote_name(&column.name));
        format!(
            "{} {} FROM {}{}",
            self.select(scope),
            self.key_text(column, &maximum),
            self.from(scope),
            self.condition(scope, Vec::new())
        )
    }

    fn any_row_query(&self, scope: &Scope<'_>) -> String {
        format!(
            "{} 1 FROM {}{} LIMIT 1",
            self.select(scope),
            self.from(scope),
            self.condition(scope, Vec::new())
        )
    }

    fn checksum_aggregates(&self, columns: &[SourceColumn]) -> Vec<String> {
        if self.is_redshift {
            vec![self.text_checksum(columns)]
        } else {
            vec![self.hash_checksum(columns), self.text_checksum(columns)]
        }
    }

    fn counted_aggregate(&self, expression: &str) -> String {
        checksum::counted(expression, "")
    }

    fn around_summary(&self) -> Option<[&'static str; 2]> {
        // PostgreSQL guesses that an expression over the key has about as many values as the key, and would sort all rows,
        // on disk when they are many. They are few: a hash table holds them.
        (!self.is_redshift).then_some([
            "SET LOCAL enable_sort TO off",
            "SET LOCAL enable_sort TO DEFAULT",
        ])
    }

    fn partition_summary_query(
        &self,
        scope: &Scope<'_>,
        ranges: &[KeyRange],
        aggregates: &[&str],
    ) -> String {
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
        format!(
            "{} {} FROM {}{} GROUP BY 1",
            self.select(scope),
            list.join(", "),
            self.from(scope),
            self.condition(scope, Vec::new())
        )
    }

    fn running_transactions_query(&self) -> Option<&'static str> {
        self.running_transactions()
    }

    fn time_outside_years_query(&self, scope: &Scope<'_>, column: &ColumnPlan) -> String {
        let name = self.quote_name(&column.source_name);
        // A text without a type of its own takes the column's.
        let (text, zone) = match (&column.fetch, &column.data_type) {
            (Fetch::EpochDays, _) => (texts::date(&name, self.is_redshift), ""),
            (_, DataType::Timestamp(_, Some(_))) => {
                (texts::timestamptz(&name, self.is_redshift), " 00:00:00+00")
            }
            _ => (texts::timestamp(&name, self.is_redshift), ""),
        };
        let outside = format!("({name} < '0001-01-01{zone}' OR {name} >= '10000-01-01{zone}')");
        self.first_row(scope, Some(&text), outside)
    }

    fn extraction_query(&self, scope: &Scope<'_>, columns: &[ColumnPlan]) -> String {
        let list: Vec<String> = columns
            .iter()
            .map(|c| format!("{} AS {}", c.expression, c.file_name))
            .collect();
        format!(
            "{} {} FROM {}{}",
            self.select(scope),
            list.join(", "),
            self.from(scope),
            self.condition(scope, Vec::new())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::QueryModifiers;

    const DIALECT: PostgresFamily = PostgresFamily { is_redshift: true };

    fn column(name: &str, kind: KeyKind, nullable: bool) -> KeyColumn {
        KeyColumn {
            name: name.to_owned(),
            kind,
            nullable,
            bytewise: false,
        }
    }

    #[test]
    fn names_are_folded_or_kept_and_always_quoted() {
        let exact = |text: &str| DIALECT.exact_name(&WrittenName(text.to_owned()));
        assert_eq!(exact("Orders"), "orders");
        assert_eq!(exact("\"My; \"\"Table\"\"\""), "My; \"Table\"");
        assert_eq!(DIALECT.quote_name("a\"b; DROP"), "\"a\"\"b; DROP\"");
        assert_eq!(DIALECT.quote_text(r"it's \ one"), r"E'it''s \\ one'");
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
            DIALECT.time_outside_years_query(
                &Scope {
                    table: &table,
                    key: &key,
                    range: &range,
                    window: None,
                    where_clause: Some("x > 1 -- y"),
                    modifiers: &QueryModifiers::default(),
                },
                &DIALECT.plan_column(&at, 0, None).plan
            ),
            "SELECT firsts.shown, firsts.text_0 FROM (SELECT COALESCE(to_char(\"at\", 'YYYY-MM-DD') || CASE WHEN \"at\" < '0001-01-01' THEN ' BC' ELSE '' END, \
             CAST(\"at\" AS varchar)) AS shown, CAST(\"k\" AS varchar) AS text_0, \"k\" AS key_0 FROM \"s\".\"t\" WHERE \"k\" >= 5 \
             AND (\"at\" < '0001-01-01' OR \"at\" >= '10000-01-01') AND (x > 1 -- y\n)) firsts ORDER BY firsts.key_0 LIMIT 1"
        );
    }

    #[test]
    fn a_predicate_that_ends_in_a_comment_does_not_swallow_the_rest() {
        let text = DIALECT.where_text(vec!["a = 1".to_owned()], Some("b > 2 -- new ones"));
        assert_eq!(text, " WHERE a = 1 AND (b > 2 -- new ones\n)");
    }
}
