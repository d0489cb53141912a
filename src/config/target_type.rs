//! Types of the target, as users write them.

use super::findings::shown;

/// Checks the shape of a Snowflake type, which is unquoted in statements: words, numbers, and parentheses.
///
/// # Errors
/// What is wrong.
pub(super) fn check(text: &str) -> Result<(), String> {
    let text = text.trim();
    let wrong = || {
        Err(format!(
            "`{}` is not a Snowflake type; write one like NUMBER(19,4) or VARCHAR",
            shown(text)
        ))
    };
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return wrong();
    }
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ',' if depth > 0 => {}
            ' ' | '_' => {}
            c if c.is_ascii_alphanumeric() => {}
            _ => return wrong(),
        }
    }
    if depth > 0 { wrong() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_words_numbers_and_parentheses() {
        for good in [
            "DECIMAL(19,4)",
            "double precision",
            "ARRAY(NUMBER(10, 0))",
            "TIMESTAMP_TZ(6)",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "(1)",
            "NUMBER, x INT",
            "NUMBER)",
            "VARCHAR(",
            "INT; DROP",
            "INT--",
            "\"x\"",
            "a'b",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
