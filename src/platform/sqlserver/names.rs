//! Names and literals of T-SQL.

use super::SqlServer;
use crate::domain::table::{TableRef, WrittenName};
use crate::platform::names::Names;

impl Names for SqlServer {
    fn exact_name(&self, written: &WrittenName) -> String {
        let text = written.0.trim();
        let within = |open: char, close: char| {
            let inner = text.strip_prefix(open)?.strip_suffix(close)?;
            let doubled = format!("{close}{close}");
            Some(inner.replace(&doubled, &close.to_string()))
        };
        // Nothing is folded: the database's collation decides which names are the same.
        within('[', ']')
            .or_else(|| within('"', '"'))
            .unwrap_or_else(|| text.to_owned())
    }

    fn is_same_name(&self, one: &str, other: &str) -> bool {
        // As the usual collations have it: two columns whose names differ in case only are found by their exact names first.
        one.to_lowercase() == other.to_lowercase()
    }

    fn quote_name(&self, exact: &str) -> String {
        format!("[{}]", exact.replace(']', "]]"))
    }

    fn quote_text(&self, text: &str) -> String {
        // A backslash before a line feed would go on in the next line, and vanish with it.
        // https://learn.microsoft.com/sql/t-sql/language-elements/sql-server-utilities-statements-backslash
        let doubled = text.replace('\'', "''");
        let split = doubled
            .replace("\\\r\n", "\\' + N'\r\n")
            .replace("\\\n", "\\' + N'\n");
        if split == doubled {
            format!("N'{split}'")
        } else {
            format!("(N'{split}')")
        }
    }
}

/// A table's name in two parts. The session is in the table's own database: Azure SQL Database knows no other.
pub(super) fn two_parts(table: &TableRef) -> String {
    let quoted = |name| SqlServer.quote_name(&SqlServer.exact_name(name));
    format!("{}.{}", quoted(&table.schema), quoted(&table.table))
}

/// The number of a table, or NULL where there is none that the login may see.
pub(super) fn object_id(table: &TableRef) -> String {
    format!("OBJECT_ID({})", SqlServer.quote_text(&two_parts(table)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_and_quoted_by_brackets() {
        let exact = |text: &str| SqlServer.exact_name(&WrittenName(text.to_owned()));
        assert_eq!(exact("Orders"), "Orders");
        assert_eq!(exact("[brac]]ket]"), "brac]ket");
        assert_eq!(exact("\"quo\"\"te\""), "quo\"te");
        assert_eq!(SqlServer.quote_name("a]b"), "[a]]b]");
    }

    #[test]
    fn no_literal_loses_a_character() {
        assert_eq!(SqlServer.quote_text("it's"), "N'it''s'");
        assert_eq!(SqlServer.quote_text("a\\\nb"), "(N'a\\' + N'\nb')");
        assert_eq!(SqlServer.quote_text("a\\b"), "N'a\\b'");
    }
}
