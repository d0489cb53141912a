//! Names as users write them: whether they are well formed. What they mean is the dialect's business.

/// Checks one part of a name. `brackets`: whether `[My Table]` is a quoted name, as on SQL Server.
///
/// # Errors
/// What is wrong and what to write instead.
pub(super) fn check(written: &str, brackets: bool) -> Result<(), &'static str> {
    let text = written.trim();
    if text.is_empty() {
        return Err("the name is empty");
    }
    if text.contains('\0') {
        return Err("the name has a NUL character, which no database allows");
    }
    if let Some(rest) = text.strip_prefix('"') {
        return quoted(rest, '"');
    }
    match text.strip_prefix('[') {
        Some(rest) if brackets => quoted(rest, ']'),
        _ if text.contains('"') => Err(
            "there is a \" inside an unquoted name; quote the whole name and double the inner quotes",
        ),
        _ => Ok(()),
    }
}

fn quoted(rest: &str, end: char) -> Result<(), &'static str> {
    let Some(inner) = rest.strip_suffix(end) else {
        return Err(if end == '"' {
            "the quoted name does not end; close it with \\\" (in JSON) or omit the quotes"
        } else {
            "the bracketed name does not end; close it with ]"
        });
    };
    if inner.is_empty() {
        return Err("the name between the quotes is empty");
    }
    let doubled: String = [end, end].iter().collect();
    if inner.replace(&doubled, "").contains(end) {
        return Err(if end == '"' {
            "a \" inside a quoted name is written twice"
        } else {
            "a ] inside a bracketed name is written twice"
        });
    }
    Ok(())
}

/// What two written names that mean the same have in common, on platforms that compare names ignoring case unless
/// they are quoted.
pub(super) fn folded(written: &str) -> String {
    let text = written.trim();
    if text.starts_with('"') || text.starts_with('[') {
        text.to_owned()
    } else {
        text.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::WrittenName;
    use crate::types::snowflake_name::{exact_name, quote};
    use proptest::prelude::*;

    #[test]
    fn malformed_names_are_refused_and_odd_ones_are_not() {
        for bad in [
            "", "  ", "\"", "\"\"", "\"open", "a\"b", "\"a\"b\"", "\"a\"\"", "a\0b",
        ] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
        for good in [
            "orders",
            "\"My \"\"Table\"\"\"",
            "a.b;c d",
            "Zażółć",
            "\"\"\"\"",
            "[a]",
        ] {
            assert_eq!(check(good, false), Ok(()), "{good}");
        }
        assert_eq!(check("[My ]] Table]", true), Ok(()));
        for bad in ["[", "[]", "[open", "[a]b]"] {
            assert!(check(bad, true).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_can_be_written_quoted(name in "[^\0]{1,30}") {
            prop_assert_eq!(check(&quote(&name), false), Ok(()));
        }

        #[test]
        fn what_is_accepted_means_a_name(written in "[\"a \\[\\]]{0,8}") {
            if check(&written, false).is_ok() {
                prop_assert!(!exact_name(&WrittenName(written)).is_empty());
            }
        }
    }
}
