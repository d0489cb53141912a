//! DELETE of the rows of key ranges in the target: its text. Pure.
//!
//! A range must mean the same rows here as in the source. Numbers, dates and times have one order everywhere; text is
//! compared by its bytes on both sides ([`KeyColumn::bytewise`]), which is Snowflake's order without a collation.

use super::merge::is_collated;
use crate::domain::problem::{Code, Problems};
use crate::domain::table::{Content, KeyColumn, KeyKind, KeyRange, KeyTuple};
use crate::domain::table_plan::{ExtractColumn, LoadColumn, TablePlan};
use crate::types::comparison::lexicographic;
use crate::types::snowflake_name::{quote, quote_text};
use crate::types::snowflake_type::TargetType;

/// A key column as the target has it.
#[derive(Clone, Debug)]
pub struct TargetKey {
    name: String,
    kind: KeyKind,
    target: TargetType,
    nullable: bool,
}

/// The target's columns of the partition key.
///
/// # Errors
/// All columns whose ranges cannot be expressed in the target: why, and what to do.
pub fn target_key(plan: &TablePlan) -> Result<Vec<TargetKey>, Problems> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let columns = plan.columns_of(Content::Rows);
    for key in &plan.extract.key {
        let of_key =
            |(extract, _): &&(&ExtractColumn, &LoadColumn)| extract.source.name == key.name;
        let Some((_, column)) = columns.iter().find(of_key) else {
            problems.push(Code::TARGET_KEY_ORDER.says(format!(
                "the rows of a partition are replaced by its key, and the key column {} is not in the target; take it out of excludeSourceColumns, or partition by another column",
                key.name
            )));
            continue;
        };
        let target = TargetType::parse(&column.target_type);
        if is_collated(&column.target_type) || !keeps_order(key, &target) {
            problems.push(Code::TARGET_KEY_ORDER.says(format!(
                "the rows of a partition are replaced by its key, and the order of the key column {} is not kept in the target column {} of type {}; change its type, partition by another column, or write [] for one partition",
                key.name, column.name, column.target_type
            )));
            continue;
        }
        found.push(TargetKey {
            name: quote(&column.name),
            kind: key.kind,
            target,
            nullable: key.nullable,
        });
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems.into())
    }
}

fn keeps_order(key: &KeyColumn, target: &TargetType) -> bool {
    use TargetType as T;
    match key.kind {
        KeyKind::Integer | KeyKind::Decimal => matches!(target, T::Number { .. }),
        KeyKind::Float => matches!(target, T::Float),
        KeyKind::Date => matches!(target, T::Date | T::TimestampNtz(_)),
        KeyKind::Timestamp | KeyKind::DateTime | KeyKind::TimestampTz => {
            matches!(
                target,
                T::TimestampNtz(_) | T::TimestampTz(_) | T::TimestampLtz(_)
            )
        }
        KeyKind::Time => matches!(target, T::Time(_)),
        KeyKind::Boolean => matches!(target, T::Boolean),
        KeyKind::Uuid => matches!(target, T::Text),
        KeyKind::Text | KeyKind::PaddedText | KeyKind::PageText | KeyKind::Guid => {
            key.bytewise && matches!(target, T::Text)
        }
        KeyKind::Binary => matches!(target, T::Binary),
    }
}

/// `DELETE FROM table` of the rows in any of `ranges`.
///
/// # Errors
/// A bound that is not a value of the target's type.
pub fn delete_ranges(
    table: &str,
    key: &[TargetKey],
    ranges: &[&KeyRange],
) -> Result<String, String> {
    let mut terms = Vec::new();
    for range in joined(ranges) {
        match predicate(key, &range)? {
            Some(term) => terms.push(term),
            None => return Ok(format!("DELETE FROM {table}")),
        }
    }
    Ok(format!("DELETE FROM {table} WHERE {}", terms.join(" OR ")))
}

/// The same ranges with neighbours made one: fewer comparisons for each row.
fn joined(ranges: &[&KeyRange]) -> Vec<KeyRange> {
    let mut joined: Vec<KeyRange> = Vec::new();
    for range in ranges {
        if let (
            Some(KeyRange::Between {
                upper: Some(end), ..
            }),
            KeyRange::Between {
                lower: Some(start),
                upper,
            },
        ) = (joined.last(), range)
            && end == start
            && let Some(KeyRange::Between { upper: last, .. }) = joined.last_mut()
        {
            last.clone_from(upper);
            continue;
        }
        joined.push((*range).clone());
    }
    joined
}

/// `None`: every row.
fn predicate(key: &[TargetKey], range: &KeyRange) -> Result<Option<String>, String> {
    let nullable = || key.iter().filter(|column| column.nullable);
    let terms = match range {
        KeyRange::Everything => Vec::new(),
        KeyRange::NullKey => {
            let nulls: Vec<String> = nullable().map(|c| format!("{} IS NULL", c.name)).collect();
            vec![if nulls.is_empty() {
                "FALSE".to_owned()
            } else {
                format!("({})", nulls.join(" OR "))
            }]
        }
        KeyRange::Between { lower, upper } => {
            let mut terms: Vec<String> = nullable()
                .map(|c| format!("{} IS NOT NULL", c.name))
                .collect();
            if let Some(bound) = lower {
                terms.push(compare(key, bound, ">", ">=")?);
            }
            if let Some(bound) = upper {
                terms.push(compare(key, bound, "<", "<")?);
            }
            terms
        }
    };
    Ok((!terms.is_empty()).then(|| format!("({})", terms.join(" AND "))))
}

/// `key >= bound` (or `<`) in lexicographic order.
fn compare(
    key: &[TargetKey],
    bound: &KeyTuple,
    strict: &str,
    last: &str,
) -> Result<String, String> {
    let pairs = key
        .iter()
        .zip(bound)
        .map(|(column, value)| Ok((operand(column), literal(column, value)?)))
        .collect::<Result<Vec<_>, String>>()?;
    Ok(lexicographic(&pairs, strict, last))
}

fn operand(column: &TargetKey) -> String {
    match column.kind {
        KeyKind::PaddedText => format!("RTRIM({}, ' ')", column.name),
        _ => column.name.clone(),
    }
}

fn literal(column: &TargetKey, value: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "the partition's bound {value} is not a value of the target column {}",
            column.name
        )
    };
    let typed = |text: &str, name: &str| format!("{}::{name}", quote_text(text));
    let utc = value.trim_end_matches("+00");
    let is_number = {
        let digits = value.strip_prefix('-').unwrap_or(value);
        digits.bytes().any(|b| b.is_ascii_digit())
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && digits.bytes().filter(|b| *b == b'.').count() <= 1
    };
    match (column.kind, &column.target) {
        (KeyKind::Integer | KeyKind::Decimal, _) if is_number => Ok(value.to_owned()),
        (KeyKind::Integer | KeyKind::Decimal, _) => Err(wrong()),
        (KeyKind::Float, _) => Ok(typed(&value.replace("Infinity", "inf"), "FLOAT")),
        (KeyKind::Date, TargetType::Date) => Ok(typed(value, "DATE")),
        (KeyKind::Date, _) => Ok(typed(value, "TIMESTAMP_NTZ(9)")),
        (
            KeyKind::Timestamp | KeyKind::DateTime | KeyKind::TimestampTz,
            TargetType::TimestampNtz(_),
        ) => Ok(typed(utc, "TIMESTAMP_NTZ(9)")),
        (KeyKind::Timestamp | KeyKind::DateTime | KeyKind::TimestampTz, _) => {
            Ok(typed(&format!("{utc} +00:00"), "TIMESTAMP_TZ(9)"))
        }
        (KeyKind::Time, _) => Ok(typed(value, "TIME(9)")),
        (KeyKind::Boolean, _) => match value {
            "true" => Ok("TRUE".to_owned()),
            "false" => Ok("FALSE".to_owned()),
            _ => Err(wrong()),
        },
        (KeyKind::Binary, _) if value.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(format!("X'{value}'"))
        }
        (KeyKind::Binary, _) => Err(wrong()),
        (
            KeyKind::Uuid | KeyKind::Guid | KeyKind::Text | KeyKind::PaddedText | KeyKind::PageText,
            _,
        ) => Ok(quote_text(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: KeyKind, target: &str, nullable: bool) -> TargetKey {
        TargetKey {
            name: quote(name),
            kind,
            target: TargetType::parse(target),
            nullable,
        }
    }

    fn between(lower: Option<&[&str]>, upper: Option<&[&str]>) -> KeyRange {
        let tuple = |bound: &[&str]| bound.iter().map(|v| (*v).to_owned()).collect();
        KeyRange::Between {
            lower: lower.map(tuple),
            upper: upper.map(tuple),
        }
    }

    #[test]
    fn neighbours_become_one_range() {
        let key = [column("ID", KeyKind::Integer, "NUMBER(10,0)", false)];
        let ranges = [
            between(None, Some(&["5"])),
            between(Some(&["5"]), Some(&["9"])),
            between(Some(&["12"]), Some(&["20"])),
        ];
        assert_eq!(
            delete_ranges("\"T\"", &key, &ranges.iter().collect::<Vec<_>>()).as_deref(),
            Ok("DELETE FROM \"T\" WHERE (\"ID\" < 9) OR (\"ID\" >= 12 AND \"ID\" < 20)")
        );
    }

    #[test]
    fn a_composite_range_with_nulls_is_told_in_the_targets_types() {
        let key = [
            column("AT", KeyKind::TimestampTz, "TIMESTAMP_TZ(6)", false),
            column("N", KeyKind::PaddedText, "VARCHAR(5)", true),
        ];
        let range = between(Some(&["2024-01-01 00:00:00+00", "a\\'b"]), None);
        assert_eq!(
            delete_ranges("\"T\"", &key, &[&range, &KeyRange::NullKey]).as_deref(),
            Ok(
                "DELETE FROM \"T\" WHERE (\"N\" IS NOT NULL AND (\"AT\" >= '2024-01-01 00:00:00 +00:00'::TIMESTAMP_TZ(9) AND (\"AT\" > '2024-01-01 00:00:00 +00:00'::TIMESTAMP_TZ(9) OR \"AT\" = '2024-01-01 00:00:00 +00:00'::TIMESTAMP_TZ(9) AND RTRIM(\"N\", ' ') >= 'a\\\\''b'))) OR ((\"N\" IS NULL))"
            )
        );
    }

    #[test]
    fn everything_is_deleted_without_a_condition() {
        assert_eq!(
            delete_ranges("\"T\"", &[], &[&KeyRange::Everything]).as_deref(),
            Ok("DELETE FROM \"T\"")
        );
    }

    #[test]
    fn what_is_no_number_never_stands_bare() {
        let key = [column("ID", KeyKind::Decimal, "NUMBER(10,2)", false)];
        for value in ["NaN", "", "-", "1;2", "1.2.3", "1e5", "--1"] {
            let range = between(Some(&[value]), None);
            assert!(delete_ranges("\"T\"", &key, &[&range]).is_err(), "{value}");
        }
    }
}
