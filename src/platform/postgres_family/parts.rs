//! The parts that statements over rows are made of.

use super::PostgresLike;
use super::keys::Keys;
use crate::domain::table::{KeyColumn, KeyRange, TableRef};
use crate::platform::names::Names;
use crate::platform::scope::Scope;

/// The parts that statements over rows are made of.
pub(in crate::platform) trait Parts: PostgresLike + Sized {
    fn table(&self, table: &TableRef) -> String {
        format!(
            "{}.{}",
            self.quote_name(&self.exact_name(&table.schema)),
            self.quote_name(&self.exact_name(&table.table))
        )
    }

    /// The user's piece stands where the user put it, blanks or not.
    fn from(&self, scope: &Scope<'_>) -> String {
        let only = match scope.modifiers.without_child_tables {
            true => "ONLY ",
            false => "",
        };
        let table = self.table(scope.table);
        match &scope.modifiers.object {
            Some(modifier) => format!("{only}{table} {}", modifier.trim()),
            None => format!("{only}{table}"),
        }
    }

    fn select(&self, scope: &Scope<'_>) -> String {
        match &scope.modifiers.select {
            Some(modifier) => format!("SELECT {}", modifier.trim()),
            None => "SELECT".to_owned(),
        }
    }

    /// The rows of the scope, of which a statement selects `list`.
    fn select_rows(&self, scope: &Scope<'_>, list: &str) -> String {
        self.select_some(scope, list, Vec::new())
    }

    /// The same of those rows that meet more conditions.
    fn select_some(&self, scope: &Scope<'_>, list: &str, more: Vec<String>) -> String {
        format!(
            "{} {list} FROM {}{}",
            self.select(scope),
            self.from(scope),
            self.condition(scope, more)
        )
    }

    /// All that bounds the scope, and `more`.
    fn condition(&self, scope: &Scope<'_>, more: Vec<String>) -> String {
        let mut terms = self.range_predicate(scope.key, scope.range);
        terms.extend(
            scope
                .window
                .iter()
                .flat_map(|window| self.window_predicate(window)),
        );
        terms.extend(more);
        self.where_text(terms, scope.where_clause)
    }

    /// The first row, in the key's order, that meets a condition: `shown` and each key column as text.
    fn first_row(&self, scope: &Scope<'_>, shown: Option<&str>, condition: String) -> String {
        // Ordered by what only the inner query calls as the user does: see `boundaries`.
        let list = |text: &dyn Fn(usize, &KeyColumn) -> String| each(scope.key, text);
        let mut outer = vec!["firsts.shown".to_owned()];
        outer.extend(list(&|i, _| format!("firsts.text_{i}")));
        let mut inner = vec![format!("{} AS shown", shown.unwrap_or("NULL"))];
        inner.extend(list(&|i, c| {
            let name = self.quote_name(&c.name);
            format!("{} AS text_{i}, {name} AS key_{i}", self.key_text(c, &name))
        }));
        let order = list(&|i, c| self.ordered(c, &format!("firsts.key_{i}")));
        let order = if order.is_empty() {
            String::new()
        } else {
            format!(" ORDER BY {}", order.join(", "))
        };
        format!(
            "SELECT {} FROM ({}) firsts{order} LIMIT 1",
            outer.join(", "),
            self.select_some(scope, &inner.join(", "), vec![condition])
        )
    }

    /// What keeps rows with a NULL in the key away.
    fn without_null(&self, scope: &Scope<'_>) -> Vec<String> {
        match scope.range {
            // Whatever the catalog says of them.
            KeyRange::Everything => scope
                .key
                .iter()
                .map(|c| format!("{} IS NOT NULL", self.quote_name(&c.name)))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// See [`Sql::aggregate`].
    fn aggregate_text(&self, scope: &Scope<'_>, aggregate: &str) -> String {
        self.select_rows(scope, &format!("CAST(({aggregate}\n) AS varchar)"))
    }

    /// Counts the scope's rows. Never analyzed: 100 bytes a row is as good a guess as any.
    fn counted_text(&self, scope: &Scope<'_>) -> String {
        self.select_rows(scope, "count(*)::varchar, (count(*) * 100)::varchar")
    }

    /// See [`Sql::any_row`].
    fn any_row_text(&self, scope: &Scope<'_>) -> String {
        format!("{} LIMIT 1", self.select_rows(scope, "1"))
    }

    fn where_text(&self, mut terms: Vec<String>, where_clause: Option<&str>) -> String {
        // On a line of its own: the user's predicate may end in a comment.
        terms.extend(where_clause.map(|predicate| format!("({predicate}\n)")));
        if terms.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", terms.join(" AND "))
        }
    }
}

impl<P: PostgresLike> Parts for P {}

/// A text for each column of a key, made from its place and the column.
pub(super) fn each(key: &[KeyColumn], text: &dyn Fn(usize, &KeyColumn) -> String) -> Vec<String> {
    let columns = key.iter().enumerate();
    columns.map(|(place, column)| text(place, column)).collect()
}
