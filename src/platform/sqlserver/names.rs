//! Names and literals.

use super::SqlServer;
use crate::domain::table::WrittenName;
use crate::platform::names::Names;

impl Names for SqlServer {
    /// Names are compared under the database's collation and never folded: brackets or quotes are taken off, and nothing else.
    fn exact_name(&self, written: &WrittenName) -> String {
        let text = written.0.trim();
        let inside = |open: char, close: char| {
            let inner = text.strip_prefix(open)?.strip_suffix(close)?;
            Some(inner.replace(&format!("{close}{close}"), &close.to_string()))
        };
        inside('[', ']')
            .or_else(|| inside('"', '"'))
            .unwrap_or_else(|| text.to_owned())
    }

    fn quote_name(&self, exact: &str) -> String {
        format!("[{}]", exact.replace(']', "]]"))
    }

    /// A backslash before the end of a line would vanish together with it, so that the literal is put together there.
    /// <https://learn.microsoft.com/sql/t-sql/language-elements/sql-server-utilities-statements-backslash>
    fn quote_text(&self, text: &str) -> String {
        let doubled = text.replace('\'', "''");
        let split = doubled
            .replace("\\\r\n", "\\' + N'\r\n")
            .replace("\\\n", "\\' + N'\n");
        if split == doubled {
            format!("N'{doubled}'")
        } else {
            format!("(N'{split}')")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_and_always_quoted() {
        let exact = |text: &str| SqlServer.exact_name(&WrittenName(text.to_owned()));
        assert_eq!(exact(" Orders "), "Orders");
        assert_eq!(exact("[My ]] Table]"), "My ] Table");
        assert_eq!(exact("\"My \"\" Table\""), "My \" Table");
        assert_eq!(SqlServer.quote_name("a]b; DROP"), "[a]]b; DROP]");
        assert_eq!(SqlServer.quote_text("it's"), "N'it''s'");
        assert_eq!(SqlServer.quote_text("a\\\nb"), "(N'a\\' + N'\nb')");
        assert_eq!(SqlServer.quote_text("a\\b"), "N'a\\b'");
    }
}
