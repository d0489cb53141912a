//! Keys: their text, their ranges, and which range a row belongs to.

use super::PostgresLike;
use super::expressions::in_utc;
use crate::domain::table::{KeyColumn, KeyKind, KeyRange, KeyTuple};
use crate::platform::names::Names;
use crate::platform::scope::Window;
use crate::types::comparison::lexicographic;

/// How keys are compared.
pub(super) trait Keys: PostgresLike + Sized {
    /// A value of the column as text that [`key_text::read`](crate::types::key_text::read) takes; [`operand`](Self::operand) reads back what it answers.
    fn key_text(&self, column: &KeyColumn, value: &str) -> String {
        match column.kind {
            KeyKind::Date => self.date(value),
            KeyKind::Timestamp => self.timestamp(value),
            KeyKind::TimestampTz => {
                let text = self.timestamp(&in_utc(value));
                format!("{text} || '+00'")
            }
            KeyKind::Float => self.float_key(value),
            // Redshift has no cast.
            KeyKind::Boolean => {
                format!("CASE WHEN {value} THEN 'true' WHEN NOT {value} THEN 'false' END")
            }
            // Where the target compares it as well. (A char has lost them by the cast.)
            KeyKind::PaddedText if column.bytewise => {
                let rtrim = self.function("rtrim");
                format!("{rtrim}(CAST({value} AS varchar), ' ')")
            }
            _ => format!("CAST({value} AS varchar)"),
        }
    }

    /// The column's name, with its table or without, where it is compared or ordered.
    fn ordered(&self, column: &KeyColumn, name: &str) -> String {
        if column.bytewise {
            self.bytewise(name)
        } else {
            name.to_owned()
        }
    }

    fn compared(&self, column: &KeyColumn) -> String {
        self.ordered(column, &self.quote_name(&column.name))
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
            // The last are of other platforms.
            KeyKind::Text
            | KeyKind::PaddedText
            | KeyKind::PageText
            | KeyKind::DateTime
            | KeyKind::Guid
            | KeyKind::Binary => quoted,
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

    /// `key >= bound` in lexicographic order, for columns that are not NULL: what [`below`](Self::below) leaves.
    fn not_below(&self, key: &[KeyColumn], bound: &KeyTuple) -> String {
        if key.iter().any(|column| column.kind == KeyKind::Float) {
            // NaN is not above a number for every source: so it is in the last range for all.
            format!("NOT ({})", self.below(key, bound))
        } else {
            self.compare(key, bound, ">", ">=")
        }
    }

    /// `key < bound` in lexicographic order, for columns that are not NULL.
    fn below(&self, key: &[KeyColumn], bound: &KeyTuple) -> String {
        self.compare(key, bound, "<", "<")
    }

    fn compare(&self, key: &[KeyColumn], bound: &KeyTuple, strict: &str, last: &str) -> String {
        let pairs: Vec<(String, String)> = key
            .iter()
            .zip(bound)
            .map(|(column, value)| (self.compared(column), self.operand(column, value)))
            .collect();
        lexicographic(&pairs, strict, last)
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
                terms.extend(lower.as_ref().map(|bound| self.not_below(key, bound)));
                terms.extend(upper.as_ref().map(|bound| self.below(key, bound)));
                terms
            }
        }
    }

    /// The rows of a window. A comparison with NULL is not true: rows without a watermark are named wherever they belong.
    fn window_predicate(&self, window: &Window<'_>) -> Vec<String> {
        let name = self.quote_name(&window.column.name);
        let compare =
            |operator, bound| format!("{name} {operator} {}", self.operand(window.column, bound));
        let bounds: Vec<String> = [(">", window.after), ("<=", window.upto)]
            .into_iter()
            .filter_map(|(operator, bound)| Some(compare(operator, bound?)))
            .collect();
        if bounds.is_empty() || (window.after.is_some() && !window.with_nulls) {
            return bounds;
        }
        let bounds = match bounds.as_slice() {
            [bound] => bound.clone(),
            _ => format!("({})", bounds.join(" AND ")),
        };
        vec![format!("({bounds} OR {name} IS NULL)")]
    }

    /// The index of the range that a row belongs to: a balanced tree of comparisons with the ranges' lower bounds.
    fn bucket(&self, key: &[KeyColumn], ranges: &[KeyRange]) -> String {
        let mut others = None;
        let mut between: Vec<(usize, Option<&KeyTuple>)> = Vec::with_capacity(ranges.len());
        for (index, range) in ranges.iter().enumerate() {
            match range {
                KeyRange::Everything => between.push((index, None)),
                KeyRange::Between { lower, .. } => between.push((index, lower.as_ref())),
                KeyRange::NullKey => others = Some(index),
            }
        }
        let tree = self.bucket_tree(key, &between);
        match others {
            Some(index) => format!(
                "CASE WHEN {} THEN {index} ELSE {tree} END",
                self.range_predicate(key, &KeyRange::NullKey).join(" AND ")
            ),
            None => tree,
        }
    }

    fn bucket_tree(&self, key: &[KeyColumn], ranges: &[(usize, Option<&KeyTuple>)]) -> String {
        let middle = ranges.len() / 2;
        match ranges {
            [] => "NULL".to_owned(),
            [(index, _)] => index.to_string(),
            _ => match ranges[middle].1 {
                Some(bound) => format!(
                    "CASE WHEN {} THEN {} ELSE {} END",
                    self.below(key, bound),
                    self.bucket_tree(key, &ranges[..middle]),
                    self.bucket_tree(key, &ranges[middle..])
                ),
                // Only the first is open below.
                None => self.bucket_tree(key, &ranges[middle..]),
            },
        }
    }
}

impl<P: PostgresLike> Keys for P {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::postgres::Postgres;
    use crate::platform::redshift::Redshift;

    fn column(name: &str, kind: KeyKind, nullable: bool) -> KeyColumn {
        KeyColumn {
            name: name.to_owned(),
            kind,
            nullable,
            bytewise: false,
        }
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
            Redshift.range_predicate(&key, &range),
            [
                "\"b\" IS NOT NULL",
                "(\"a\" >= 5 AND (\"a\" > 5 OR \"a\" = 5 AND \"b\" >= 'x'))"
            ]
        );
        assert_eq!(
            Redshift.range_predicate(&key, &KeyRange::NullKey),
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
            Redshift.range_predicate(&key, &range),
            [
                "\"d\" >= CAST('2020-01-01' AS date)",
                "\"d\" < CAST('2021-01-01' AS date)"
            ]
        );
    }

    #[test]
    fn rows_without_a_watermark_are_named_where_they_belong() {
        // As the catalog has it, which is no promise.
        let column = column("w", KeyKind::Integer, false);
        let window = |after, upto, with_nulls| {
            let window = Window {
                column: &column,
                after,
                upto,
                with_nulls,
            };
            Postgres.window_predicate(&window).join(" AND ")
        };
        assert_eq!(
            window(None, Some("5"), false),
            r#"("w" <= 5 OR "w" IS NULL)"#
        );
        assert_eq!(
            window(Some("1"), Some("5"), false),
            r#""w" > 1 AND "w" <= 5"#
        );
        assert_eq!(
            window(Some("1"), Some("5"), true),
            r#"(("w" > 1 AND "w" <= 5) OR "w" IS NULL)"#
        );
        assert_eq!(window(Some("1"), None, false), r#""w" > 1"#);
        assert_eq!(window(Some("1"), None, true), r#"("w" > 1 OR "w" IS NULL)"#);
        assert_eq!(window(None, None, false), "");
    }

    #[test]
    fn text_in_the_order_of_its_bytes_is_compared_so_everywhere() {
        let key = [KeyColumn {
            bytewise: true,
            ..column("t", KeyKind::Text, false)
        }];
        let range = KeyRange::Between {
            lower: Some(vec!["a".into()]),
            upper: Some(vec!["b".into()]),
        };
        assert_eq!(
            Postgres.range_predicate(&key, &range),
            ["\"t\" COLLATE \"C\" >= 'a'", "\"t\" COLLATE \"C\" < 'b'"]
        );
        assert_eq!(
            Redshift.range_predicate(&key, &range),
            ["\"t\" >= 'a'", "\"t\" < 'b'"]
        );
    }

    #[test]
    fn a_floats_lower_bound_is_what_its_upper_bound_leaves() {
        let key = [column("f", KeyKind::Float, false)];
        let range = KeyRange::Between {
            lower: Some(vec!["1.5".into()]),
            upper: None,
        };
        assert_eq!(
            Redshift.range_predicate(&key, &range),
            ["NOT (\"f\" < CAST('1.5' AS float8))"]
        );
    }

    #[test]
    fn a_row_finds_its_range_by_halves() {
        let key = [column("a", KeyKind::Integer, true)];
        let bounds: Vec<KeyTuple> = (1..=3).map(|n| vec![(n * 10).to_string()]).collect();
        assert_eq!(
            Redshift.bucket(&key, &crate::plan::ranges(&key, &bounds)),
            "CASE WHEN (\"a\" IS NULL) THEN 4 ELSE \
             CASE WHEN \"a\" < 20 THEN CASE WHEN \"a\" < 10 THEN 0 ELSE 1 END \
             ELSE CASE WHEN \"a\" < 30 THEN 2 ELSE 3 END END END"
        );
        assert_eq!(Redshift.bucket(&[], &[KeyRange::Everything]), "0");
    }
}
