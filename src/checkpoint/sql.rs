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

/// The phases from which work goes on to this one, for IN.
macro_rules! before {
    ($phase:expr) => {
        $crate::checkpoint::sql::text_list($phase.predecessors().map(|phase| phase.as_str()))
    };
}
pub(super) use before;

/// A statement from a file: its lines joined by blanks, without its comments, and each `{name}` replaced by what stands
/// for it. What is filled in is not looked through again.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let lines = template.lines().map(str::trim);
    let lines: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("--"))
        .collect();
    fill_script(&lines.join(" "), values)
}

/// The same of a script, whose lines stay as they are.
pub(super) fn fill_script(template: &str, values: &[(&str, &str)]) -> String {
    let mut pieces = template.split('{');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').unwrap_or((piece, ""));
        let value = values.iter().find(|(other, _)| *other == name);
        debug_assert!(value.is_some(), "nothing stands for {name}");
        filled.push_str(value.map_or("", |(_, value)| value));
        filled.push_str(rest);
    }
    filled
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

/// A `?` for each of so many bound values: `(?, ?)`.
pub(super) fn marks(count: usize) -> String {
    format!("({})", vec!["?"; count].join(", "))
}

/// As [`values`], of so many rows with a `?` for each value.
pub(super) fn bound_values(names: &[&str], rows: usize) -> String {
    values(names, &vec![vec!["?".to_owned(); names.len()]; rows])
}

/// The condition, after an operand, that a pattern in which `*` alone stands for others means it: to LIKE, `%` and `_` do too.
pub(super) fn like(pattern: &str) -> String {
    // Whether an escape character can stand for itself is not documented: one that the pattern does not have.
    let is_free =
        |c: &char| !matches!(c, '%' | '_' | '*' | '\'' | '"' | '\\') && !pattern.contains(*c);
    let escape = ('!'..).find(is_free).unwrap_or('!');
    let mut escaped = String::new();
    for c in pattern.chars() {
        match c {
            '*' => escaped.push('%'),
            '%' | '_' => escaped.extend([escape, c]),
            c => escaped.push(c),
        }
    }
    format!("LIKE {} ESCAPE '{escape}'", text(&escaped))
}

/// One column of such rows as a list for IN. Beside a join it says the same once more; an index serves `IN` with constants,
/// and no join ("Best practices for hybrid tables", indexes).
pub(super) fn list_of(rows: &[Vec<String>], column: usize) -> String {
    let values = rows.iter().filter_map(|row| row.get(column));
    format!(
        "({})",
        values.map(String::as_str).collect::<Vec<_>>().join(", ")
    )
}

/// Rows of one statement at most, and bytes of their text: Snowflake advises against statements of more than a megabyte, and
/// cuts their text off in its history ("Limits on query text size").
const PORTION_ROWS: usize = 500;
const PORTION_BYTES: usize = 500_000;

/// Rows for as many statements as they need; a row that is larger than that alone.
pub(super) fn portions(rows: &[Vec<String>]) -> Vec<&[Vec<String>]> {
    let (mut portions, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (place, row) in rows.iter().enumerate() {
        let size: usize = row.iter().map(|value| value.len() + 2).sum();
        let is_full = place - start >= PORTION_ROWS || bytes + size > PORTION_BYTES;
        if place > start && is_full {
            portions.push(&rows[start..place]);
            (start, bytes) = (place, 0);
        }
        bytes += size;
    }
    if start < rows.len() {
        portions.push(&rows[start..]);
    }
    portions
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

    #[test]
    fn each_bound_value_has_its_mark() {
        assert_eq!(marks(2), "(?, ?)");
        assert_eq!(
            bound_values(&["A", "B"], 2),
            "SELECT column1 AS A, column2 AS B FROM VALUES (?, ?), (?, ?)"
        );
    }

    #[test]
    fn a_star_alone_is_a_wildcard() {
        assert_eq!(like("dev-*"), "LIKE 'dev-%' ESCAPE '!'");
        assert_eq!(like(r"a_b%!c'\*"), r"LIKE 'a#_b#%!c''\\%' ESCAPE '#'");
    }

    #[test]
    fn rows_are_cut_by_number_and_by_size_and_none_is_lost() {
        let sizes = |rows: &[Vec<String>]| {
            let cut = portions(rows);
            assert_eq!(cut.concat(), rows);
            cut.iter().map(|part| part.len()).collect::<Vec<_>>()
        };
        let row = |length: usize| vec!["1".to_owned(), "x".repeat(length)];
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&vec![row(10); 1_001]), [500, 500, 1]);
        assert_eq!(sizes(&vec![row(200_000); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[row(10), row(900_000), row(10)]), [1, 1, 1]);
    }
}
