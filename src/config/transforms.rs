//! `customColumnTransforms`: the user's own SQL for columns.

use super::findings::shown;
use super::predicate::{self, MARK, Piece};
use crate::domain::spec::TransformRule;
use crate::domain::table::Platform;
use crate::types::transform::{self, PLACEHOLDER};
use serde_json::{Map, Value};

/// The keys that say which columns a rule is for.
const SELECTORS: [&str; 3] = ["column", "columnPattern", "dataType"];
/// The keys that say what it does with them.
const EFFECTS: [&str; 3] = ["encodeExpression", "decodeExpression", "targetType"];

/// Checks that a rule is for some column, and does something.
///
/// # Errors
/// What is missing.
pub(super) fn check_rule(rule: &Map<String, Value>) -> Result<(), String> {
    let has_any = |keys: &[&str]| keys.iter().any(|key| rule.contains_key(*key));
    for (keys, what) in [
        (SELECTORS, "it is for no column"),
        (EFFECTS, "it does nothing"),
    ] {
        if !has_any(&keys) {
            return Err(format!("{what}; give it one of {}", keys.join(", ")));
        }
    }
    Ok(())
}

/// Checks an expression: one closed piece of the platform's SQL, whose placeholders are where a value may be.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn check_expression(
    text: &str,
    piece: Piece,
    platform: impl Into<Option<Platform>>,
) -> Result<(), String> {
    let (marked, num_placeholders) = transform::filled(text, &MARK.to_string());
    if transform::has_placeholder(&marked) {
        return Err(format!(
            "`{{{{ … }}}}` refers to nothing but the column; write {PLACEHOLDER}"
        ));
    }
    if predicate::check_marked(&marked, piece, platform)? < num_placeholders {
        return Err(format!(
            "{PLACEHOLDER} is in quotes or in a comment; it is an expression, and needs no quotes"
        ));
    }
    Ok(())
}

/// Checks a regular expression.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_pattern(text: &str) -> Result<(), String> {
    transform::pattern(text).map(drop).map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default();
        format!("`{}` is not a regular expression: {why}", shown(text))
    })
}

/// The rules of a merged table, in normal form.
pub(super) fn rules(list: Option<&Value>) -> Vec<TransformRule> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items
        .map(|item| {
            let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
            TransformRule {
                column: text("column"),
                column_pattern: text("columnPattern"),
                data_type: text("dataType"),
                encode: text("encodeExpression"),
                decode: text("decodeExpression"),
                target_type: text("targetType"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str) -> Result<(), String> {
        check_expression(text, Piece::Expression, Platform::Postgresql)
    }

    fn decode(text: &str) -> Result<(), String> {
        check_expression(text, Piece::Snowflake, Platform::Postgresql)
    }

    #[test]
    fn a_placeholder_is_an_expression_wherever_it_stands() {
        for good in [
            "upper({{ col_name }})",
            "{{col_name}} || '-' || {{  col_name  }}",
            "CAST(now() AS text)",
            "'{' || {{ col_name }} || '}'",
        ] {
            assert_eq!(encode(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("'{{ col_name }}'", "is in quotes or in a comment"),
            ("a /* {{ col_name }} */", "is in quotes or in a comment"),
            ("{{ column }}", "refers to nothing but the column"),
            ("upper({{ col_name }}", "without a `)`"),
            ("{{ col_name }}; DROP TABLE t", "a `;`"),
            ("{{ col_name }} ? 'a'", "takes a `?`"),
            (" ", "it is empty"),
        ] {
            let told = encode(bad).expect_err(bad);
            assert!(told.contains(why), "{bad}: {told}");
        }
    }

    #[test]
    fn what_snowflake_takes_is_not_what_the_driver_takes() {
        for good in [
            "OBJECT_CONSTRUCT('a', {{ col_name }})",
            "{'a': {{ col_name }}}",
            "DECRYPT({{ col_name }}, 'it''s?')",
        ] {
            assert_eq!(decode(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("{{ col_name }} // end", "begins a comment"),
            ("'\\' || {{ col_name }} || '", "a backslash before a quote"),
            ("'{{ col_name }}'", "is in quotes"),
            ("TO_DATE({{ col_name }}))", "closes nothing"),
        ] {
            let told = decode(bad).expect_err(bad);
            assert!(told.contains(why), "{bad}: {told}");
        }
    }
}
