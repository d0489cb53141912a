//! How the values of a column travel.

use super::names::Names;
use crate::domain::table::{KeyKind, SourceColumn};
use crate::types::PlannedColumn;

/// The types of a platform.
pub trait Types: Names {
    /// How the column at `index` travels into a target of type `target`; without one, into the default target.
    fn plan_column(
        &self,
        column: &SourceColumn,
        index: usize,
        target: Option<&str>,
    ) -> PlannedColumn;

    /// The platform's own name of a type, from a name that users write: `INTEGER` is `int4`. Lower case, without
    /// arguments; an array's is its element's and `[]`.
    fn type_name(&self, written: &str) -> String;

    /// Whether values of the type with this name, one of the platform's own, are spans of time.
    fn is_interval(&self, type_name: &str) -> bool;

    /// The platform's own name of the type of text that has no limit of length.
    fn text_type(&self) -> &'static str;

    /// An expression's values as text of any length.
    fn as_text(&self, expression: &str) -> String {
        format!("CAST({expression} AS varchar)")
    }

    /// What a column's values are as a key or a watermark; `None`: they have no order that source and target agree on.
    fn key_kind(&self, column: &SourceColumn) -> Option<KeyKind>;
}
