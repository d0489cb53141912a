//! Amazon Redshift and PostgreSQL, which share their quoting, their catalog and most of their SQL.

mod catalog;

use super::{Dialect, Scope};
use crate::domain::table::{
    KeyColumn, KeyKind, KeyRange, KeyTuple, SourceColumn, TableRef, TypeClass, WrittenName,
};
use crate::types::{ColumnPlan, PlannedColumn, postgres_family};

/// The dialect of both.
pub(super) struct PostgresFamily {
    /// Whether `svv_table_info` exists (Redshift).
    pub(super) has_table_info: bool,
}

impl PostgresFamily {
    fn table(&self, table: &TableRef) -> String {
        format!(
            "{}.{}",
            self.quote_name(&self.exact_name(&table.schema)),
            self.quote_name(&self.exact_name(&table.table))
        )
    }

    fn key_text(&self, column: &KeyColumn) -> String {
        let name = self.quote_name(&column.name);
        match column.kind {
            KeyKind::TimestampTz => format!("CAST({name} AT TIME ZONE 'UTC' AS varchar) || '+00'"),
            _ => format!("CAST({name} AS varchar)"),
        }
    }

    fn literal(&self, column: &KeyColumn, value: &str) -> String {
        let quoted = self.quote_text(value);
        match column.kind {
            KeyKind::Integer | KeyKind::Decimal => format!("CAST({quoted} AS numeric)"),
            KeyKind::Date => format!("CAST({quoted} AS date)"),
            KeyKind::Timestamp => format!("CAST({quoted} AS timestamp)"),
            KeyKind::TimestampTz => format!("CAST({quoted} AS timestamptz)"),
            KeyKind::Float => format!("CAST({quoted} AS float8)"),
            KeyKind::Time => format!("CAST({quoted} AS time)"),
            KeyKind::Boolean => format!("CAST({quoted} AS boolean)"),
            KeyKind::Uuid => format!("CAST({quoted} AS uuid)"),
            KeyKind::Text | KeyKind::PaddedText => quoted,
        }
    }

    /// Whole numbers go in as numbers, so that an index on an integer column serves.
    fn operand(&self, column: &KeyColumn, value: &str) -> String {
        let is_number = !value.is_empty()
            && value
                .trim_start_matches('-')
                .bytes()
                .all(|b| b.is_ascii_digit());
        if column.kind == KeyKind::Integer && is_number {
            value.to_owned()
        } else {
            self.literal(column, value)
        }
    }

    /// `key >= bound` (or `<`) in lexicographic order, for columns that are not NULL.
    fn compare(&self, key: &[KeyColumn], bound: &KeyTuple, strict: &str, last: &str) -> String {
        let mut alternatives = Vec::with_capacity(key.len());
        for depth in 0..key.len() {
            let mut terms: Vec<String> = (0..depth)
                .map(|i| {
                    format!(
                        "{} = {}",
                        self.quote_name(&key[i].name),
                        self.operand(&key[i], &bound[i])
                    )
                })
                .collect();
            let operator = if depth + 1 == key.len() { last } else { strict };
            terms.push(format!(
                "{} {operator} {}",
                self.quote_name(&key[depth].name),
                self.operand(&key[depth], &bound[depth])
            ));
            alternatives.push(terms.join(" AND "));
        }
        if alternatives.len() == 1 {
            return alternatives.remove(0);
        }
        // The leading column's own bound is implied, and lets an index on it serve.
        let leading = format!(
            "{} {strict}= {}",
            self.quote_name(&key[0].name),
            self.operand(&key[0], &bound[0])
        );
        format!("({leading} AND ({}))", alternatives.join(" OR "))
    }

    fn range_predicate(&self, key: &[KeyColumn], range: &KeyRange) -> Vec<String> {
        match range {
            KeyRange::Everything => Vec::new(),
            KeyRange::NullKey => {
                let nulls: Vec<String> = key
                    .iter()
                    .filter(|c| c.nullable)
                    .map(|c| format!("{} IS NULL", self.quote_name(&c.name)))
                    .collect();
                vec![if nulls.is_empty() {
                    "1 = 0".to_owned()
                } else {
                    format!("({})", nulls.join(" OR "))
                }]
            }
            KeyRange::Between { lower, upper } => {
                // A row with (k1 above the bound, k2 NULL) would satisfy the comparison: it belongs to NullKey alone.
                let mut terms: Vec<String> = key
                    .iter()
                    .filter(|c| c.nullable)
                    .map(|c| format!("{} IS NOT NULL", self.quote_name(&c.name)))
                    .collect();
                terms.extend(
                    lower
                        .as_ref()
                        .map(|bound| self.compare(key, bound, ">", ">=")),
                );
                terms.extend(
                    upper
                        .as_ref()
                        .map(|bound| self.compare(key, bound, "<", "<")),
                );
                terms
            }
        }
    }

    /// The user's piece stands where the user put it, blanks or not.
    fn from(&self, scope: &Scope<'_>) -> String {
        match &scope.modifiers.object {
            Some(modifier) => format!("{} {}", self.table(scope.table), modifier.trim()),
            None => self.table(scope.table),
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
        if let Some(window) = &scope.window {
            let name = self.quote_name(&window.column.name);
            let upto = format!("{name} <= {}", self.operand(window.column, window.upto));
            match window.after {
                Some(after) => {
                    terms.push(format!("{name} > {}", self.operand(window.column, after)));
                    terms.push(upto);
                }
                None if window.column.nullable => terms.push(format!("({upto} OR {name} IS NULL)")),
                None => terms.push(upto),
            }
        }
        terms.extend(more);
        self.where_text(terms, scope.where_clause)
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

    fn session_statements(&self) -> &'static [&'static str] {
        &[
            "SET extra_float_digits TO 2",
            "SET datestyle TO ISO",
            "SET timezone TO 'UTC'",
        ]
    }

    fn optional_session_statements(&self) -> &'static [&'static str] {
        &[
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SET intervalstyle TO iso_8601",
            "SET default_transaction_read_only TO on",
        ]
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
            self.has_table_info,
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
            other => other,
        };
        catalog.to_owned()
    }

    fn columns_query(&self, table: &TableRef) -> String {
        self.columns_of(table)
    }

    fn estimate_queries(&self, table: &TableRef) -> Vec<String> {
        let (schema, name) = (
            self.quote_text(&self.exact_name(&table.schema)),
            self.quote_text(&self.exact_name(&table.table)),
        );
        let mut queries = Vec::new();
        if self.has_table_info {
            queries.push(format!("SELECT CAST(tbl_rows AS bigint)::varchar, (CAST(size AS bigint) * 1048576)::varchar FROM svv_table_info WHERE \"schema\" = {schema} AND \"table\" = {name}"));
        }
        queries.push(format!(
            "SELECT CAST(c.reltuples AS bigint)::varchar, (CAST(c.relpages AS bigint) * 8192)::varchar FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = {schema} AND c.relname = {name} AND c.reltuples > 0"
        ));
        // Never analyzed: 100 bytes a row is as good a guess as any.
        queries.push(format!(
            "SELECT count(*)::varchar, (count(*) * 100)::varchar FROM {}",
            self.table(table)
        ));
        queries
    }

    fn key_kind(&self, column: &SourceColumn) -> Option<KeyKind> {
        if column.class != TypeClass::Base {
            return None;
        }
        match column.type_name.as_str() {
            "int2" | "int4" | "int8" => Some(KeyKind::Integer),
            "numeric" => Some(KeyKind::Decimal),
            "date" => Some(KeyKind::Date),
            "timestamp" => Some(KeyKind::Timestamp),
            "timestamptz" => Some(KeyKind::TimestampTz),
            "varchar" | "text" => Some(KeyKind::Text),
            _ => None,
        }
    }

    fn boundary_query(&self, scope: &Scope<'_>, partitions: u64, _share: Option<f64>) -> String {
        let key = scope.key;
        let names: Vec<String> = key.iter().map(|c| self.quote_name(&c.name)).collect();
        let names = names.join(", ");
        let texts: Vec<String> = key
            .iter()
            .enumerate()
            .map(|(i, c)| format!("{} AS boundary_{i}", self.key_text(c)))
            .collect();
        // Named with their table: a bare name would mean the output column, and order numbers as text.
        let order: Vec<String> = key
            .iter()
            .map(|c| format!("firsts.{}", self.quote_name(&c.name)))
            .collect();
        let not_null = match scope.range {
            KeyRange::Everything => key
                .iter()
                .filter(|c| c.nullable)
                .map(|c| format!("{} IS NOT NULL", self.quote_name(&c.name)))
                .collect(),
            _ => Vec::new(),
        };
        format!(
            "SELECT {} FROM (SELECT {names}, tile, row_number() OVER (PARTITION BY tile ORDER BY {names}) AS place FROM \
             ({} {names}, ntile({partitions}) OVER (ORDER BY {names}) AS tile FROM {}{}) tiles) firsts WHERE place = 1 AND tile > 1 ORDER BY {}",
            texts.join(", "),
            self.select(scope),
            self.from(scope),
            self.condition(scope, not_null),
            order.join(", ")
        )
    }

    fn longest_query(&self, scope: &Scope<'_>, expressions: &[&str]) -> String {
        let longest: Vec<String> = expressions
            .iter()
            .map(|e| format!("CAST(COALESCE(max(octet_length({e})), 0) AS varchar)"))
            .collect();
        format!(
            "{} {} FROM {}{}",
            self.select(scope),
            longest.join(", "),
            self.from(scope),
            self.condition(scope, Vec::new())
        )
    }

    fn aggregate_query(&self, scope: &Scope<'_>, aggregate: &str) -> String {
        format!(
            "{} CAST(({aggregate}\n) AS varchar) FROM {}{}",
            self.select(scope),
            self.from(scope),
            self.condition(scope, Vec::new())
        )
    }

    fn time_outside_years_query(&self, scope: &Scope<'_>, column: &str) -> String {
        let column = self.quote_name(column);
        let mut list = vec![format!("CAST({column} AS varchar)")];
        list.extend(scope.key.iter().map(|c| self.key_text(c)));
        // A text without a type of its own takes the column's.
        let outside = format!("({column} < '0001-01-01' OR {column} >= '10000-01-01')");
        let order: Vec<String> = scope.key.iter().map(|c| self.quote_name(&c.name)).collect();
        let order = if order.is_empty() {
            String::new()
        } else {
            format!(" ORDER BY {}", order.join(", "))
        };
        format!(
            "{} {} FROM {}{}{order} LIMIT 1",
            self.select(scope),
            list.join(", "),
            self.from(scope),
            self.condition(scope, vec![outside])
        )
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

    const DIALECT: PostgresFamily = PostgresFamily {
        has_table_info: true,
    };

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
    fn a_composite_range_is_lexicographic_and_guards_against_null() {
        let key = [
            column("a", KeyKind::Integer, false),
            column("b", KeyKind::Text, true),
        ];
        let range = KeyRange::Between {
            lower: Some(vec!["5".into(), "x".into()]),
            upper: None,
        };
        assert_eq!(
            DIALECT.range_predicate(&key, &range),
            [
                "\"b\" IS NOT NULL",
                "(\"a\" >= 5 AND (\"a\" > 5 OR \"a\" = 5 AND \"b\" >= 'x'))"
            ]
        );
        assert_eq!(
            DIALECT.range_predicate(&key, &KeyRange::NullKey),
            ["(\"b\" IS NULL)"]
        );
    }

    #[test]
    fn a_single_key_is_two_plain_comparisons() {
        let key = [column("d", KeyKind::Date, false)];
        let range = KeyRange::Between {
            lower: Some(vec!["2020-01-01".into()]),
            upper: Some(vec!["2021-01-01".into()]),
        };
        assert_eq!(
            DIALECT.range_predicate(&key, &range),
            [
                "\"d\" >= CAST('2020-01-01' AS date)",
                "\"d\" < CAST('2021-01-01' AS date)"
            ]
        );
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
                "at"
            ),
            "SELECT CAST(\"at\" AS varchar), CAST(\"k\" AS varchar) FROM \"s\".\"t\" WHERE \"k\" >= 5 \
             AND (\"at\" < '0001-01-01' OR \"at\" >= '10000-01-01') AND (x > 1 -- y\n) ORDER BY \"k\" LIMIT 1"
        );
    }

    #[test]
    fn a_predicate_that_ends_in_a_comment_does_not_swallow_the_rest() {
        let text = DIALECT.where_text(vec!["a = 1".to_owned()], Some("b > 2 -- new ones"));
        assert_eq!(text, " WHERE a = 1 AND (b > 2 -- new ones\n)");
    }
}
