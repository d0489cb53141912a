//! Columns that come and go between the runs of a table: pure.
//!
//! A run that adds or merges rows leaves those that were moved before as they are, and a run that replaces rows puts NULL
//! where no source column fills the target any more. Neither happens without a word.

use super::matching::TargetColumn;
use crate::domain::analysis::{MovedColumn, TableAnalysis};
use crate::domain::problem::{Code, Problem};
use crate::domain::spec::{Synchronization, TableSpec};
use crate::domain::table::SourceColumn;
use crate::domain::table_plan::MatchedColumn;

/// What the next run will know of the columns of this one.
pub fn moved_columns(columns: &[MatchedColumn]) -> Vec<MovedColumn> {
    columns
        .iter()
        .map(|column| MovedColumn {
            name: column.source.name.clone(),
            type_name: column.source.type_name.clone(),
            length_or_precision: column.source.length_or_precision,
            scale: column.source.scale,
            class: column.source.class,
            target: column.target_name.clone(),
            transform: column.transform.clone(),
        })
        .collect()
}

/// The analysis of a table whose columns have changed in a way that the built-in checksum does not see: it takes values in the
/// order of the columns, and a column of another name may have the same. All that it takes for unchanged is moved again.
/// `None`: there is nothing of that kind.
pub fn move_again(
    spec: &TableSpec,
    analysis: &TableAnalysis,
    columns: &[MatchedColumn],
) -> Option<TableAnalysis> {
    if spec.synchronization != (Synchronization::Checksum { expression: None }) {
        return None;
    }
    let before = &analysis.previous.as_ref()?.columns;
    let is_same = |(was, now): (&MovedColumn, &MatchedColumn)| {
        was.name == now.source.name
            && was.target == now.target_name
            && was.transform == now.transform
            && keeps_values(&was.source(), &now.source)
    };
    if before.len() == columns.len() && before.iter().zip(columns).all(is_same) {
        return None;
    }
    kept(spec, analysis, None)?;
    let mut again = analysis.clone();
    for partition in &mut again.partitions {
        *partition = partition.range.clone().into();
    }
    // Stored before anything is moved: a run that ends half-way must not leave the old state behind.
    again.reused = false;
    again.warnings.push(
        "the columns have changed since the previous run: the whole table is moved again, also partitions whose checksum is the same".to_owned(),
    );
    Some(again)
}

/// The rows that stay in the target as an earlier run has moved them.
struct Kept {
    rows: String,
    /// How they are moved again.
    remedy: &'static str,
    /// Whether they may lack a new column: a checksum of all columns sees it.
    may_lack: bool,
}

fn kept(spec: &TableSpec, analysis: &TableAnalysis, watermark: Option<&str>) -> Option<Kept> {
    match &spec.synchronization {
        Synchronization::None | Synchronization::FullReplace => None,
        Synchronization::Watermark { column, .. } => {
            let is_moved = analysis.partitions.iter().any(|p| p.after.is_some());
            let below = match watermark {
                Some(watermark) => format!("whose {column} is at or below {watermark}"),
                None => format!("whose {column} is at or below the previous run's watermark"),
            };
            is_moved.then(|| Kept {
                rows: format!("the rows that were moved before ({below})"),
                remedy: "set resetPartitions to enabledWithDedup, with primaryKeyColumns, for one run: it moves the whole table again and replaces rows by their key (where there is no key, empty the target and set it to enabled)",
                may_lack: true,
            })
        }
        Synchronization::Checksum { expression } => {
            let has_rows = |checksum: &String| !checksum.starts_with("0:");
            let unchanged = analysis
                .partitions
                .iter()
                .filter(|p| p.unchanged && p.checksum.as_ref().is_some_and(has_rows))
                .count();
            (unchanged > 0).then(|| Kept {
                rows: format!(
                    "the rows of the {unchanged} partitions whose checksum has not changed"
                ),
                remedy: "set resetPartitions to enabled for one run: it moves the whole table again",
                may_lack: expression.is_some(),
            })
        }
    }
}

/// What users should know of the columns of this run beside those of the previous one.
pub fn changes(
    spec: &TableSpec,
    analysis: &TableAnalysis,
    columns: &[MatchedColumn],
) -> Vec<String> {
    let Some(previous) = &analysis.previous else {
        return Vec::new();
    };
    let Some(kept) = kept(spec, analysis, previous.watermark.as_deref()) else {
        return Vec::new();
    };
    let Kept {
        rows,
        remedy,
        may_lack,
    } = &kept;
    let mut warnings = Vec::new();
    let was = |column: &MatchedColumn| {
        let mut moved = previous.columns.iter();
        moved.find(|moved| moved.target == column.target_name)
    };
    let new: Vec<&str> = columns
        .iter()
        .filter(|column| *may_lack && was(column).is_none())
        .map(|column| column.source.name.as_str())
        .collect();
    if !new.is_empty() {
        let (what, them) = match new.len() {
            1 => ("column", "its values"),
            _ => ("columns", "their values"),
        };
        warnings.push(format!(
            "{what} {} new since the previous run: {rows} do not have {them} in the target; to fill them, {remedy}",
            match new.as_slice() {
                [one] => format!("{one} is"),
                more => format!("{} are", more.join(", ")),
            }
        ));
    }
    for column in columns {
        let Some(was) = was(column) else {
            continue;
        };
        if was.name != column.source.name {
            warnings.push(format!(
                "the target column {} was filled from the source column {}, and is filled from {} now: {rows} keep the values of {}; to move them again, {remedy}",
                column.target_name, was.name, column.source.name, was.name
            ));
            continue;
        }
        if was.transform != column.transform {
            warnings.push(format!(
                "customColumnTransforms has other expressions for the column {} than in the previous run: {rows} were moved by the old ones; to move them again, {remedy}",
                was.name
            ));
        }
        let before = was.source();
        if !keeps_values(&before, &column.source) {
            warnings.push(format!(
                "column {} was of type {} in the previous run, and is of type {} now: {rows} were moved as the old type; to move them again, {remedy}",
                was.name,
                before.type_text(),
                column.source.type_text()
            ));
        }
    }
    warnings
}

/// Whether a column that was changed from one type into another has the values that it had, for all values.
fn keeps_values(before: &SourceColumn, now: &SourceColumn) -> bool {
    if before.class != now.class {
        return false;
    }
    let place = |family: &[&str], column: &SourceColumn| {
        family.iter().position(|name| *name == column.type_name)
    };
    if before.type_name != now.type_name {
        let families: [&[&str]; 3] = [
            &["int2", "int4", "int8"],
            &["float4", "float8"],
            &["varchar", "text"],
        ];
        return families.iter().any(|family| {
            let (was, is) = (place(family, before), place(family, now));
            was.is_some() && was < is
        });
    }
    let (length, new_length) = (before.length_or_precision, now.length_or_precision);
    let (scale, new_scale) = (before.scale, now.scale);
    let not_below = |was: Option<i64>, is: Option<i64>| match (was, is) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(was), Some(is)) => is >= was,
    };
    if before.type_name == "numeric" {
        let digits = |length: Option<u32>, scale: Option<i32>| {
            length.map(|length| i64::from(length) - i64::from(scale.unwrap_or(0)))
        };
        return not_below(digits(length, scale), digits(new_length, new_scale))
            && not_below(
                length.map(|_| i64::from(scale.unwrap_or(0))),
                new_length.map(|_| i64::from(new_scale.unwrap_or(0))),
            );
    }
    // A longer text padded with blanks is another one.
    if before.type_name == "bpchar" {
        return length == new_length;
    }
    not_below(length.map(i64::from), new_length.map(i64::from))
        && not_below(scale.map(i64::from), new_scale.map(i64::from))
}

/// Exact names of the target's columns that no source column fills, and that do not fill themselves. One that the previous
/// run filled counts, whatever its default is.
pub fn unfilled<'a>(
    target: &'a [TargetColumn],
    columns: &[MatchedColumn],
    previous: Option<&[MovedColumn]>,
) -> Vec<&'a str> {
    let is_filled = |name: &str| columns.iter().any(|column| column.target_name == name);
    let was_filled = |name: &str| {
        let mut before = previous.into_iter().flatten();
        before.any(|moved| moved.target == name)
    };
    target
        .iter()
        .filter(|column| !is_filled(&column.name))
        .filter(|column| !column.has_default || was_filled(&column.name))
        .map(|column| column.name.as_str())
        .collect()
}

/// Why rows are not replaced in a target whose columns `held` have values, and no source column fills them.
pub fn would_be_lost(held: &[&str], previous: Option<&[MovedColumn]>, target: &str) -> Problem {
    let it = it(held);
    let what = format!(
        "the target {} values, and no source column fills {it}{}: replacing rows would lose the values, so nothing is moved",
        columns_have(held),
        filled_before(held, previous),
    );
    Code::TARGET_VALUES_LOST.problem(what).hint(format!(
        "put {it} back in the source, take {it} out of excludeSourceColumns, or name the source column that fills {it} with columnNameMappings; or, if the values may go, ALTER TABLE {target} DROP COLUMN (CREATE TABLE … CLONE {target} keeps them elsewhere before)"
    ))
}

/// What users should know of such columns where rows are added or merged.
pub fn stay_behind(held: &[&str], previous: Option<&[MovedColumn]>) -> String {
    format!(
        "the target {} values, and no source column fills {}{}: rows that this run adds have NULL there, or the column's default, and the rows that are there keep theirs; a run that replaces rows is refused",
        columns_have(held),
        it(held),
        filled_before(held, previous),
    )
}

fn columns_have(held: &[&str]) -> String {
    match held {
        [one] => format!("column {one} has"),
        more => format!("columns {} have", more.join(", ")),
    }
}

fn it(held: &[&str]) -> &'static str {
    match held {
        [_] => "it",
        _ => "them",
    }
}

/// ` (the previous run did, from c)`, or nothing.
fn filled_before(held: &[&str], previous: Option<&[MovedColumn]>) -> String {
    let before: Vec<&str> = previous
        .into_iter()
        .flatten()
        .filter(|moved| held.contains(&moved.target.as_str()))
        .map(|moved| moved.name.as_str())
        .collect();
    if before.is_empty() {
        String::new()
    } else {
        format!(" (the previous run did, from {})", before.join(", "))
    }
}

#[cfg(test)]
#[path = "column_changes_tests.rs"]
mod tests;
