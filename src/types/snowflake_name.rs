//! Snowflake's names: how written ones are folded, and how exact ones are quoted
//! (documentation: "Identifier requirements").

use crate::domain::table::{TableRef, WrittenName};

/// The exact name that a written one means: quotes taken off, or folded to upper case.
pub fn exact_name(written: &WrittenName) -> String {
    let text = written.0.trim();
    match text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(inner) if text.len() >= 2 => inner.replace("\"\"", "\""),
        _ => text.to_uppercase(),
    }
}

/// Quotes an exact name.
pub fn quote(exact: &str) -> String {
    format!("\"{}\"", exact.replace('"', "\"\""))
}

/// Quotes text as a literal: a backslash begins an escape in Snowflake.
pub fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A three-part name, quoted.
pub fn quote_table(table: &TableRef) -> String {
    [&table.database, &table.schema, &table.table]
        .map(|part| quote(&exact_name(part)))
        .join(".")
}

/// The target's name of a source column on a platform that compares names ignoring case: all-lower and all-upper names
/// become the upper-case identifier, mixed-case ones keep their spelling.
pub fn column_name(source: &str) -> String {
    if source == source.to_lowercase() || source == source.to_uppercase() {
        source.to_uppercase()
    } else {
        source.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unquoted_names_fold_and_quoted_ones_keep_their_spelling() {
        let exact = |text: &str| exact_name(&WrittenName(text.to_owned()));
        assert_eq!(exact("orders"), "ORDERS");
        assert_eq!(exact("\"My \"\"Table\"\"\""), "My \"Table\"");
        assert_eq!(
            (column_name("o_id"), column_name("O_ID"), column_name("oId")),
            ("O_ID".into(), "O_ID".into(), "oId".into())
        );
    }

    proptest! {
        #[test]
        fn quoting_reads_back(name in "\\PC{1,40}") {
            prop_assert_eq!(exact_name(&WrittenName(quote(&name))), name);
        }
    }
}
