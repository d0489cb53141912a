//! Which of the user's `columnTypeMappings` is for a column: pure.

use crate::domain::spec::TableSpec;
use crate::domain::table::{SourceColumn, TypeClass};
use crate::platform::SourcePlatform;

/// The type that the user wants for a column; one that is written with the column's arguments comes before one without.
pub(super) fn mapped_type<'a>(
    dialect: &dyn SourcePlatform,
    spec: &'a TableSpec,
    column: &SourceColumn,
) -> Option<&'a str> {
    spec.column_type_mappings
        .iter()
        .filter_map(|(written, target)| Some((of_type(dialect, column, written)?, target)))
        // The first of the most exact ones.
        .min_by_key(|(exactness, _)| *exactness)
        .map(|(_, target)| target.as_str())
}

/// How exactly a type as users write it means the column's: 0 with its arguments, 1 without any. `None`: it does not.
pub(super) fn of_type(
    dialect: &dyn SourcePlatform,
    column: &SourceColumn,
    written: &str,
) -> Option<u8> {
    let name = match column.class {
        TypeClass::Array => format!("{}[]", column.type_name),
        _ => column.type_name.clone(),
    };
    if dialect.type_name(written) != name {
        return None;
    }
    match arguments(written) {
        None => Some(1),
        Some(list) => has_arguments(column, list).then_some(0),
    }
}

/// What is in the parentheses of a type as users write it.
fn arguments(written: &str) -> Option<Vec<&str>> {
    let (_, rest) = written.split_once('(')?;
    let (list, _) = rest.split_once(')')?;
    Some(list.split(',').map(str::trim).collect())
}

fn has_arguments(column: &SourceColumn, mut written: Vec<&str>) -> bool {
    let length = column.length_or_precision.map(|n| n.to_string());
    let scale = column.scale.map(|n| n.to_string());
    if written.len() == 1 && length.is_some() && scale.is_some() {
        // `numeric(10)` is `numeric(10,0)`.
        written.push("0");
    }
    let own: Vec<String> = length.into_iter().chain(scale).collect();
    own == written
}
