//! Which column of a table a written name means, and what messages say of names that mean none: pure.

use crate::domain::spelling::closest_match;
use crate::domain::table::{SourceColumn, WrittenName};
use crate::platform::Names;

/// Columns that a message names at most.
const NAMED_COLUMNS: usize = 40;

/// The column that a written name means: the one that the source would take for it, otherwise one that is spelled exactly
/// so, though it would need quotes.
pub fn find_column<'a>(
    source: &dyn Names,
    columns: &'a [SourceColumn],
    written: &str,
) -> Option<&'a SourceColumn> {
    let exact = source.exact_name(&WrittenName(written.to_owned()));
    let named = |name: &str| columns.iter().find(|column| column.name == name);
    let same = || {
        columns
            .iter()
            .find(|column| source.is_same_name(&column.name, &exact))
    };
    named(&exact)
        .or_else(|| named(written.trim()))
        .or_else(same)
}

/// What a message says of a name that means no column of the table: that, how the nearest one is written, and all of them.
pub fn no_such_column(source: &dyn Names, columns: &[SourceColumn], written: &str) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let hint = nearest(source, written, names.iter().copied()).map_or_else(String::new, |name| {
        format!("; did you mean {}?", in_json(source, name))
    });
    format!(
        "the table has no such column{hint}; it has {}",
        listed(&names, NAMED_COLUMNS)
    )
}

/// The exact name that a written one was probably meant to be.
fn nearest<'a>(
    source: &dyn Names,
    written: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let exact = source.exact_name(&WrittenName(written.to_owned()));
    let is_same_but_case = |name: &&str| name.to_lowercase() == exact.to_lowercase();
    names
        .clone()
        .find(is_same_but_case)
        .or_else(|| closest_match(&exact, names))
}

/// An exact name of the source as it stands in the JSON of a workflow's file: `"orders"`, `"\"orderId\""`.
pub fn in_json(source: &dyn Names, exact: &str) -> String {
    let bare = WrittenName(exact.to_owned());
    let needs_quotes = source.exact_name(&bare) != exact || exact.contains('"') || exact.is_empty();
    let written = match needs_quotes {
        true => source.quote_name(exact),
        false => exact.to_owned(),
    };
    serde_json::Value::String(written).to_string()
}

/// Names with commas between, at most so many, and how many more there are.
pub fn listed<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::Platform;
    use crate::platform;

    fn columns(names: &[&str]) -> Vec<SourceColumn> {
        let column = |name: &&str| SourceColumn {
            name: (*name).to_owned(),
            ..SourceColumn::default()
        };
        names.iter().map(column).collect()
    }

    #[test]
    fn a_name_without_quotes_means_the_folded_column_before_the_one_that_is_spelled_so() {
        let dialect = platform::source(Platform::Postgresql).expect("a platform");
        let found = |names: &[&str], written: &str| {
            find_column(dialect, &columns(names), written).map(|column| column.name.clone())
        };
        for (names, written, expected) in [
            (&["orderid", "orderId"][..], "orderId", Some("orderid")),
            (&["orderId"], " orderId ", Some("orderId")),
            (&["orderId"], "\"orderId\"", Some("orderId")),
            (&["orderId"], "ORDERID", None),
            (&["orderId"], "orderid", None),
            (&["orderid"], "\"orderId\"", None),
            (&["order id"], "order id", Some("order id")),
        ] {
            assert_eq!(found(names, written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn the_nearest_column_is_shown_as_it_stands_in_json() {
        let dialect = platform::source(Platform::Redshift).expect("a platform");
        let said =
            |names: &[&str], written: &str| no_such_column(dialect, &columns(names), written);
        assert_eq!(
            said(&["orderId", "x"], "ORDERID"),
            r#"the table has no such column; did you mean "\"orderId\""?; it has orderId, x"#
        );
        assert!(said(&["order_id"], "\"ORDER_ID\"").contains(r#"did you mean "order_id"?"#));
        assert!(said(&["customer_id"], "custmer_id").contains(r#"did you mean "customer_id"?"#));
        assert_eq!(
            said(&["x"], "order"),
            "the table has no such column; it has x"
        );
        let many: Vec<String> = (0..50).map(|n| format!("column_{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(said(&many, "zzz").ends_with("and 10 more"));
    }
}
