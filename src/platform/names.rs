//! Names and literals.

use crate::domain::table::WrittenName;

/// How a platform writes names and text. Every name that enters a statement is quoted here.
pub trait Names: Send + Sync {
    /// The exact name that a written one means: quotes or brackets taken off, or folded as the platform folds.
    fn exact_name(&self, written: &WrittenName) -> String;

    /// Whether two exact names mean the same thing to the source.
    fn is_same_name(&self, one: &str, other: &str) -> bool {
        one == other
    }

    /// Quotes an exact name.
    fn quote_name(&self, exact: &str) -> String;

    /// Quotes text as a literal.
    fn quote_text(&self, text: &str) -> String;
}
