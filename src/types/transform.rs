//! The text of the user's own SQL for columns ([`ColumnTransform`](crate::domain::spec::ColumnTransform)). Pure.

use regex::{Regex, RegexBuilder};

/// What stands for the column in the user's SQL; blanks inside do not matter.
pub const PLACEHOLDER: &str = "{{ col_name }}";

/// Puts `value` in the place of each placeholder; answers how many there were.
pub fn filled(expression: &str, value: &str) -> (String, usize) {
    let mut text = String::new();
    let mut num_filled = 0;
    let mut rest = expression;
    while let Some(start) = rest.find("{{") {
        let Some(end) = rest[start..].find("}}").map(|length| start + length) else {
            break;
        };
        if rest[start + 2..end].trim() == "col_name" {
            text.push_str(&rest[..start]);
            text.push_str(value);
            num_filled += 1;
            rest = &rest[end + 2..];
        } else {
            text.push_str(&rest[..start + 2]);
            rest = &rest[start + 2..];
        }
    }
    text.push_str(rest);
    (text, num_filled)
}

/// Whether something in it looks like a placeholder: a name in double braces.
pub fn has_placeholder(expression: &str) -> bool {
    let is_name = |text: &str| {
        let text = text.trim();
        text.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || "_.| ".contains(c))
    };
    let starts = expression.match_indices("{{").map(|(start, _)| start + 2);
    starts
        .filter_map(|start| expression[start..].split_once("}}"))
        .any(|(inside, _)| is_name(inside))
}

/// A pattern of column names: anywhere in the name, whatever its case.
///
/// # Errors
/// When it is no regular expression, or one that takes too much memory.
pub fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text)
        .case_insensitive(true)
        .size_limit(1 << 20)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_inside_a_placeholder_do_not_matter() {
        let filled = |text: &str| filled(text, "\"a\"");
        assert_eq!(
            filled("f({{ col_name }}, {{col_name}})"),
            ("f(\"a\", \"a\")".to_owned(), 2)
        );
        for other in ["{{ col }}", "{{", "{{ col_name", "}} {{", "{ col_name }"] {
            assert_eq!(filled(other), (other.to_owned(), 0));
        }
        assert_eq!(filled("{{{{ col_name }}"), ("{{\"a\"".to_owned(), 1));
    }
}
