//! Reads the answer of [`Dialect::columns_query`](crate::dialect::Dialect::columns_query).

use crate::domain::table::{SourceColumn, TypeClass};

type Row = [Option<String>];

/// One column.
pub(crate) fn source_column(row: &Row) -> SourceColumn {
    let text = |index: usize| row.get(index).cloned().flatten();
    let flag = |index: usize| text(index).as_deref() == Some("true");
    SourceColumn {
        name: text(0).unwrap_or_default(),
        type_name: text(1).unwrap_or_default().to_lowercase(),
        length_or_precision: text(2).and_then(|n| n.parse().ok()),
        scale: text(3).and_then(|n| n.parse().ok()),
        nullable: text(4).as_deref() != Some("false"),
        class: match text(5).as_deref() {
            Some("array") => TypeClass::Array,
            Some("enum") => TypeClass::Enum,
            Some("composite") => TypeClass::Composite,
            _ => TypeClass::Base,
        },
        comment: text(6).filter(|text| !text.is_empty()),
        computed: flag(7),
        identity: flag(8),
        has_binary_form: flag(10),
    }
}

/// The table's comment, which each row repeats.
pub(super) fn table_comment(rows: &[Vec<Option<String>>]) -> Option<String> {
    let cell = rows.first()?.get(9)?.clone();
    cell.filter(|text| !text.is_empty())
}
