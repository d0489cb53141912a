//! Pieces of statement text: literals, lists of values, references. Pure.

pub(super) use crate::types::snowflake_name::quote_text as text;

/// Text or NULL.
pub(super) fn text_opt(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL".to_owned(), text)
}

/// A list for IN: `('a', 'b')`.
pub(super) fn text_list<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    format!(
        "({})",
        values.into_iter().map(text).collect::<Vec<_>>().join(", ")
    )
}

/// A list of numbers for IN.
pub(super) fn number_list<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    format!(
        "({})",
        values
            .into_iter()
            .map(|v| v.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    )
}

/// `SELECT column1 AS A, column2 AS B FROM VALUES (…), (…)`: a small table inside a statement.
pub(super) fn values(names: &[&str], rows: &[Vec<String>]) -> String {
    let columns: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, name)| format!("column{} AS {name}", i + 1))
        .collect();
    let rows: Vec<String> = rows
        .iter()
        .map(|row| format!("({})", row.join(", ")))
        .collect();
    format!(
        "SELECT {} FROM VALUES {}",
        columns.join(", "),
        rows.join(", ")
    )
}

/// A point of time so far from now, on the server's clock.
pub(super) fn from_now(duration: std::time::Duration) -> String {
    format!(
        "DATEADD('millisecond', {}, SYSDATE())",
        duration.as_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_stay_data() {
        assert_eq!(
            text(r"it's a \ and '); DROP TABLE x; --"),
            r"'it''s a \\ and ''); DROP TABLE x; --'"
        );
        assert_eq!(text_opt(None), "NULL");
    }
}
