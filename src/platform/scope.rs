//! Which rows of a table a statement reads.

use crate::domain::table::{Content, KeyColumn, KeyRange, QueryModifiers, Slice, TableRef};
use crate::domain::table_plan::ExtractSpec;

/// Which rows of a table a statement reads.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The table.
    pub table: &'a TableRef,
    /// The partition key.
    pub key: &'a [KeyColumn],
    /// The part of the table.
    pub range: &'a KeyRange,
    /// The part of that which the watermark leaves.
    pub window: Option<Window<'a>>,
    /// The user's predicate.
    pub where_clause: Option<&'a str>,
    /// The user's pieces of SQL.
    pub modifiers: &'a QueryModifiers,
}

impl<'a> Scope<'a> {
    /// The rows that a slice moves.
    pub fn of(extract: &'a ExtractSpec, slice: &'a Slice) -> Self {
        let watermark = match slice.content {
            Content::Rows => extract.watermark.as_ref(),
            // Whatever stands there now is not gone.
            Content::Keys => None,
        };
        Self {
            table: &extract.source,
            key: &extract.key,
            range: &slice.range,
            window: watermark.map(|watermark| Window {
                column: &watermark.column,
                after: slice.after.as_deref(),
                upto: (!watermark.moves_above).then_some(watermark.upto.as_str()),
                with_nulls: watermark.moves_nulls,
            }),
            where_clause: extract.where_clause.as_deref(),
            modifiers: &extract.query_modifiers,
        }
    }
}

/// Rows by their watermark: above `after`, and not above `upto`. Without `after` those without a watermark too, whatever
/// the catalog says of the column.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The column.
    pub column: &'a KeyColumn,
    /// Exclusive; `None`: from the beginning.
    pub after: Option<&'a str>,
    /// Inclusive; `None`: to the end.
    pub upto: Option<&'a str>,
    /// Rows without a watermark too, also with `after`.
    pub with_nulls: bool,
}
