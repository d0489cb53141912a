//! Keys: their text, their literals, their ranges, and which range a row belongs to.
//!
//! A literal has the column's own type, so that an index serves: no conversion of the column.

use super::SqlServer;
use crate::domain::table::{KeyColumn, KeyKind, KeyRange, KeyTuple};
use crate::platform::names::Names;
use crate::platform::scope::Window;
use crate::types::comparison::lexicographic;

/// Branches of a CASE: it may be nested to ten levels only, which is room for any number of ranges.
/// <https://learn.microsoft.com/sql/t-sql/language-elements/case-transact-sql>
const BRANCHES: usize = 16;

/// The largest constant that is an int.
const MOST_OF_INT: u64 = i32::MAX as u64;

fn name(column: &KeyColumn) -> String {
    SqlServer.quote_name(&column.name)
}

/// A value of the column as text that [`key_text::read`](crate::types::key_text::read) takes.
pub(super) fn key_text(column: &KeyColumn, value: &str) -> String {
    match column.kind {
        KeyKind::Integer => format!("CAST({value} AS nvarchar(20))"),
        // Of money style 2 gives all four digits after the point; of a decimal it changes nothing.
        // https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql
        KeyKind::Decimal => format!("CONVERT(nvarchar(41), {value}, 2)"),
        KeyKind::Float => {
            format!(
                "N'x' + LOWER(CONVERT(nvarchar(16), CAST(CAST({value} AS float) AS binary(8)), 2))"
            )
        }
        KeyKind::Boolean => format!("CASE {value} WHEN 1 THEN N'true' WHEN 0 THEN N'false' END"),
        KeyKind::Date => format!("CONVERT(nvarchar(10), {value}, 23)"),
        // As many digits as the type has; of datetime three, which read back.
        KeyKind::Timestamp | KeyKind::DateTime => format!("CONVERT(nvarchar(27), {value}, 121)"),
        KeyKind::TimestampTz => format!(
            "CONVERT(nvarchar(27), CAST(SWITCHOFFSET({value}, '+00:00') AS datetime2(7)), 121) + N'+00'"
        ),
        KeyKind::Time => format!("CONVERT(nvarchar(16), {value}, 121)"),
        KeyKind::Uuid => format!("LOWER(CAST({value} AS nchar(36)))"),
        KeyKind::Guid => format!("CAST({value} AS nchar(36))"),
        KeyKind::Binary => format!("CONVERT(nvarchar(max), {value}, 2)"),
        KeyKind::Text | KeyKind::PaddedText | KeyKind::PageText => {
            format!("CAST({value} AS nvarchar(max))")
        }
    }
}

/// Where the column is compared or ordered.
pub(super) fn ordered(column: &KeyColumn, name: &str) -> String {
    match column.kind {
        KeyKind::Guid if column.bytewise => {
            format!("CAST({name} AS char(36)) COLLATE Latin1_General_BIN2")
        }
        // The bytes of UTF-8, as Snowflake compares them: as text, trailing blanks would not count.
        _ if column.kind.is_text() && column.bytewise => utf8(name),
        _ => name.to_owned(),
    }
}

/// SQL Server 2019 and later.
/// <https://learn.microsoft.com/sql/relational-databases/collations/collation-and-unicode-support#utf8>
fn utf8(value: &str) -> String {
    format!(
        "CAST(CAST({value} COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(max)) AS varbinary(max))"
    )
}

/// A value as an operand of the column's own type.
pub(super) fn operand(column: &KeyColumn, value: &str) -> String {
    let text = SqlServer.quote_text(value);
    let is_number = {
        let digits = value.strip_prefix('-').unwrap_or(value);
        digits.bytes().any(|b| b.is_ascii_digit())
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && digits.bytes().filter(|b| *b == b'.').count() <= 1
    };
    match column.kind {
        // A larger constant is numeric, which outranks bigint: the column would be converted.
        // https://learn.microsoft.com/sql/t-sql/data-types/constants-transact-sql
        KeyKind::Integer
            if is_number
                && value
                    .parse::<i64>()
                    .is_ok_and(|n| n.unsigned_abs() > MOST_OF_INT) =>
        {
            format!("CAST({value} AS bigint)")
        }
        KeyKind::Integer | KeyKind::Decimal if is_number => value.to_owned(),
        KeyKind::Integer | KeyKind::Decimal => format!("CAST({text} AS decimal(38,10))"),
        KeyKind::Float => match value.parse::<f64>() {
            // Seventeen digits read back.
            Ok(number) if number.is_finite() => format!("{number:e}"),
            _ => format!("CAST({text} AS float)"),
        },
        KeyKind::Boolean => if value == "true" { "1" } else { "0" }.to_owned(),
        KeyKind::Date => format!("CAST({text} AS date)"),
        KeyKind::DateTime => {
            let text = SqlServer.quote_text(&not_above(value));
            format!("CAST({text} AS datetime)")
        }
        KeyKind::Timestamp => format!("CAST({text} AS datetime2({}))", digits(value)),
        KeyKind::TimestampTz => {
            let utc = value.trim_end_matches("+00");
            let text = SqlServer.quote_text(&format!("{utc} +00:00"));
            format!("CAST({text} AS datetimeoffset(7))")
        }
        KeyKind::Time => format!("CAST({text} AS time({}))", digits(value)),
        KeyKind::Guid if column.bytewise => format!("'{}'", value.replace('\'', "''")),
        KeyKind::Guid | KeyKind::Uuid => format!("CAST({text} AS uniqueidentifier)"),
        KeyKind::Binary => {
            let is_hex = value.bytes().all(|b| b.is_ascii_hexdigit());
            format!("0x{}", if is_hex { value } else { "" })
        }
        _ if column.kind.is_text() && column.bytewise => utf8(&text),
        // Without N, so that the column is not converted: it would be compared by other rules than it is ordered by.
        // Bounds are ASCII, which every page has: see `is_in_every_page`.
        KeyKind::PageText if value.bytes().all(|b| (b' '..=b'~').contains(&b)) => {
            format!("'{}'", value.replace('\'', "''"))
        }
        KeyKind::Text | KeyKind::PaddedText | KeyKind::PageText => text,
    }
}

/// The largest value of a datetime at or below a time: it reads three digits at most, and would round them to 1/300 s, up
/// as well as down.
/// <https://learn.microsoft.com/sql/t-sql/data-types/datetime-transact-sql>
fn not_above(time: &str) -> String {
    let Some((seconds, fraction)) = time.split_once('.') else {
        return time.to_owned();
    };
    let mut digits: Vec<char> = fraction.chars().take(3).collect();
    if let [_, _, last] = digits.as_mut_slice() {
        *last = match *last {
            '0'..='2' => '0',
            '3'..='6' => '3',
            '7'..='9' => '7',
            other => other,
        };
    }
    format!("{seconds}.{}", digits.iter().collect::<String>())
}

/// Digits of the fraction of a second: as many as the column's type has.
fn digits(value: &str) -> usize {
    value
        .split_once('.')
        .map_or(0, |(_, rest)| rest.len().min(7))
}

/// The condition that a key may be a bound: a literal of text in a code page is in the database's page, which may lack
/// characters of the column's.
pub(super) fn is_in_every_page(column: &KeyColumn, name: &str) -> Option<String> {
    (column.kind == KeyKind::PageText && !column.bytewise)
        // As nvarchar: to another page, characters that it lacks would be converted to a question mark, which is ASCII.
        .then(|| {
            format!(
                "CAST({name} AS nvarchar(max)) COLLATE Latin1_General_BIN2 NOT LIKE N'%[^ -~]%'"
            )
        })
}

fn compare(key: &[KeyColumn], bound: &KeyTuple, strict: &str, last: &str) -> String {
    let pairs: Vec<(String, String)> = key
        .iter()
        .zip(bound)
        .map(|(column, value)| (ordered(column, &name(column)), operand(column, value)))
        .collect();
    lexicographic(&pairs, strict, last)
}

/// The conditions of a range.
pub(super) fn range_predicate(key: &[KeyColumn], range: &KeyRange) -> Vec<String> {
    let nullable = || key.iter().filter(|column| column.nullable).map(name);
    match range {
        KeyRange::Everything => Vec::new(),
        KeyRange::NullKey => {
            let nulls: Vec<String> = nullable().map(|name| format!("{name} IS NULL")).collect();
            vec![match nulls.is_empty() {
                true => "1 = 0".to_owned(),
                false => format!("({})", nulls.join(" OR ")),
            }]
        }
        KeyRange::Between { lower, upper } => {
            let mut terms: Vec<String> = nullable()
                .map(|name| format!("{name} IS NOT NULL"))
                .collect();
            terms.extend(lower.as_ref().map(|bound| compare(key, bound, ">", ">=")));
            terms.extend(upper.as_ref().map(|bound| compare(key, bound, "<", "<")));
            terms
        }
    }
}

/// The rows of a window; those without a watermark wherever they belong.
pub(super) fn window_predicate(window: &Window<'_>) -> Vec<String> {
    let name = name(window.column);
    let bounds: Vec<String> = [(">", window.after), ("<=", window.upto)]
        .into_iter()
        .filter_map(|(operator, bound)| {
            Some(format!(
                "{name} {operator} {}",
                operand(window.column, bound?)
            ))
        })
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

/// The place of the range that a row belongs to.
pub(super) fn bucket(key: &[KeyColumn], ranges: &[KeyRange]) -> String {
    let mut others = None;
    let mut between: Vec<(usize, Option<&KeyTuple>)> = Vec::with_capacity(ranges.len());
    for (index, range) in ranges.iter().enumerate() {
        match range {
            KeyRange::Everything => between.push((index, None)),
            KeyRange::Between { lower, .. } => between.push((index, lower.as_ref())),
            KeyRange::NullKey => others = Some(index),
        }
    }
    let tree = tree(key, &between);
    match others {
        Some(index) => format!(
            "CASE WHEN {} THEN {index} ELSE {tree} END",
            range_predicate(key, &KeyRange::NullKey).join(" AND ")
        ),
        None => tree,
    }
}

/// By the lower bounds: a few branches a level.
fn tree(key: &[KeyColumn], ranges: &[(usize, Option<&KeyTuple>)]) -> String {
    match ranges {
        [] => "NULL".to_owned(),
        [(index, _)] => index.to_string(),
        _ => {
            let size = ranges.len().div_ceil(BRANCHES);
            let parts: Vec<&[(usize, Option<&KeyTuple>)]> = ranges.chunks(size).collect();
            let mut text = "CASE".to_owned();
            for pair in parts.windows(2) {
                if let Some(bound) = pair[1][0].1 {
                    let below = compare(key, bound, "<", "<");
                    text += &format!(" WHEN {below} THEN {}", tree(key, pair[0]));
                }
            }
            let last = parts.last().copied().unwrap_or_default();
            format!("{text} ELSE {} END", tree(key, last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(kind: KeyKind) -> KeyColumn {
        KeyColumn {
            name: "k".to_owned(),
            kind,
            nullable: true,
            bytewise: false,
        }
    }

    #[test]
    fn literals_have_the_columns_own_type() {
        for (kind, value, literal) in [
            (KeyKind::Integer, "-5", "-5"),
            (KeyKind::Integer, "2147483647", "2147483647"),
            (
                KeyKind::Integer,
                "-2147483648",
                "CAST(-2147483648 AS bigint)",
            ),
            (KeyKind::PageText, "it's", "'it''s'"),
            (KeyKind::PageText, "aN'b", "'aN''b'"),
            (KeyKind::PageText, "né", "N'né'"),
            (KeyKind::Text, "né", "N'né'"),
            (KeyKind::Binary, "00000000000007D3", "0x00000000000007D3"),
            (
                KeyKind::DateTime,
                "2024-01-01 00:00:00.003",
                "CAST(N'2024-01-01 00:00:00.003' AS datetime)",
            ),
            // The clock's: neither an error nor later than it.
            (
                KeyKind::DateTime,
                "2024-01-01 00:00:00.0059999",
                "CAST(N'2024-01-01 00:00:00.003' AS datetime)",
            ),
            (
                KeyKind::Timestamp,
                "2024-01-01 00:00:00.003",
                "CAST(N'2024-01-01 00:00:00.003' AS datetime2(3))",
            ),
            (
                KeyKind::Timestamp,
                "2024-01-01 00:00:00.1234567",
                "CAST(N'2024-01-01 00:00:00.1234567' AS datetime2(7))",
            ),
            (
                KeyKind::TimestampTz,
                "2024-01-01 00:00:00.1+00",
                "CAST(N'2024-01-01 00:00:00.1 +00:00' AS datetimeoffset(7))",
            ),
            (KeyKind::Boolean, "true", "1"),
        ] {
            assert_eq!(operand(&column(kind), value), literal);
        }
    }

    proptest! {
        #[test]
        fn no_case_is_nested_deeper_than_allowed(num in 1_usize..5_000) {
            let key = [column(KeyKind::Integer)];
            let bounds: Vec<KeyTuple> = (1..num).map(|n| vec![n.to_string()]).collect();
            let text = bucket(&key, &crate::plan::ranges(&key, &bounds));
            let (mut depth, mut most) = (0_i32, 0);
            for word in text.split([' ', '(', ')']) {
                match word {
                    "CASE" => depth += 1,
                    "END" => depth -= 1,
                    _ => {}
                }
                most = most.max(depth);
            }
            prop_assert!(most <= 10, "{most}");
            prop_assert_eq!(depth, 0);
        }

        #[test]
        fn a_datetime_is_never_read_later_than_its_text(ticks in 0_u32..10_000_000) {
            let read = not_above(&format!("2024-01-01 00:00:00.{ticks:07}"));
            let (_, digits) = read.split_once('.').expect("a fraction");
            let milliseconds: u32 = digits.parse().expect("a number");
            // What SQL Server shows of a number of 1/300 s is the number itself.
            let shown = (f64::from(milliseconds) * 0.3).round() / 0.3;
            prop_assert_eq!(shown.round(), f64::from(milliseconds));
            prop_assert!(milliseconds <= ticks / 10_000 && ticks / 10_000 - milliseconds <= 3);
        }

        #[test]
        fn a_pages_literal_reads_back(value in "[ -~]{0,12}") {
            let literal = operand(&column(KeyKind::PageText), &value);
            let inner = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).expect("a literal");
            prop_assert_eq!(inner.replace("''", "'"), value);
        }

        #[test]
        fn a_doubles_literal_reads_back(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let text = operand(&column(KeyKind::Float), &crate::types::float_text::double(number));
            prop_assert_eq!(text.parse::<f64>().ok(), Some(number));
        }
    }
}
