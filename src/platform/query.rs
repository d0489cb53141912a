//! Queries whose answers have a type: the statement and the way to read its rows belong together.

/// A row of a small answer, each cell as text; NULL is `None`.
pub type TextRow = Vec<Option<String>>;

/// A query, and how to read a row of its answer.
#[derive(Clone, Debug)]
pub struct Query<T> {
    /// The statement.
    pub sql: String,
    /// Reads one row; `None`: the row is not what the platform documents.
    pub read: fn(TextRow) -> Option<T>,
}

impl<T> Query<T> {
    /// A query whose rows `read` reads.
    pub fn new(sql: impl Into<String>, read: fn(TextRow) -> Option<T>) -> Self {
        Self {
            sql: sql.into(),
            read,
        }
    }
}

impl Query<TextRow> {
    /// A query whose cells the caller reads: how many there are depends on what was asked.
    pub fn cells(sql: impl Into<String>) -> Self {
        Self::new(sql, Some)
    }
}

impl Query<String> {
    /// A query of one text that is never NULL.
    pub fn text(sql: impl Into<String>) -> Self {
        Self::new(sql, |row| row.into_iter().next()?)
    }
}

impl Query<Option<String>> {
    /// A query of one text or NULL.
    pub fn value(sql: impl Into<String>) -> Self {
        Self::new(sql, |row| row.into_iter().next())
    }
}

impl Query<bool> {
    /// A query of one text, `true` or `false`.
    pub fn flag(sql: impl Into<String>) -> Self {
        Self::new(sql, |row| is_true(row.into_iter().next()?))
    }
}

impl Query<()> {
    /// A query of which only the number of its rows matters.
    pub fn existence(sql: impl Into<String>) -> Self {
        Self::new(sql, |_| Some(()))
    }
}

/// The cells of a row of a known length; `None`: it has another.
pub(super) fn cells<const N: usize>(row: TextRow) -> Option<[Option<String>; N]> {
    row.try_into().ok()
}

/// The same of a row without NULL.
pub(super) fn texts<const N: usize>(row: TextRow) -> Option<[String; N]> {
    row.into_iter().collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// Reads `true` or `false`.
pub(super) fn is_true(cell: Option<String>) -> Option<bool> {
    match cell?.as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_another_form_is_no_answer() {
        let row = |cells: &[Option<&str>]| -> TextRow {
            cells.iter().map(|cell| cell.map(str::to_owned)).collect()
        };
        let flag = Query::flag("").read;
        assert_eq!(flag(row(&[Some("true")])), Some(true));
        assert_eq!(flag(row(&[Some("t")])), None);
        assert_eq!(flag(row(&[None])), None);
        assert_eq!(texts::<2>(row(&[Some("a"), None])), None);
        assert_eq!(texts::<2>(row(&[Some("a")])), None);
        assert_eq!(cells::<1>(row(&[None])), Some([None]));
        assert_eq!((Query::text("").read)(row(&[])), None);
    }
}
