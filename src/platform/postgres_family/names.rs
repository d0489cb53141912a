//! Names: without quotes they are folded to lower case.

use super::PostgresLike;
use crate::domain::table::{TableRef, WrittenName};
use crate::platform::names::Names;

impl<P: PostgresLike> Names for P {
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
}

/// Exact names of schema and table as literals.
pub(in crate::platform) fn literals(p: &impl Names, table: &TableRef) -> (String, String) {
    (
        p.quote_text(&p.exact_name(&table.schema)),
        p.quote_text(&p.exact_name(&table.table)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::redshift::Redshift;

    #[test]
    fn names_are_folded_or_kept_and_always_quoted() {
        let exact = |text: &str| Redshift.exact_name(&WrittenName(text.to_owned()));
        assert_eq!(exact("Orders"), "orders");
        assert_eq!(exact("\"My; \"\"Table\"\"\""), "My; \"Table\"");
        assert_eq!(Redshift.quote_name("a\"b; DROP"), "\"a\"\"b; DROP\"");
        assert_eq!(Redshift.quote_text(r"it's \ one"), r"E'it''s \\ one'");
    }
}
