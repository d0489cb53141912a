//! Which column of the source goes into which column of the target: pure.

use super::columns::{Ways, narrow_column};
use super::type_mappings::mapped_type;
use super::{NewColumn, transforms};
use crate::domain::analysis::TableAnalysis;
use crate::domain::problem::{Code, Problem, Problems};
use crate::domain::spec::{ColumnTransform, TableSpec, TransformRule};
use crate::domain::table::{SourceColumn, TypeClass, WrittenName};
use crate::domain::table_plan::{ExtractColumn, MatchedColumn};
use crate::plan::names::{find_column, no_such_column};
use crate::platform::SourcePlatform;
use crate::types::snowflake_name::{self, quote};
use crate::types::snowflake_type::TargetType;

/// A column as it will arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedColumn {
    /// The column in the source.
    pub source: SourceColumn,
    /// Exact name in the target.
    pub target_name: String,
    /// Its type, if the target is to be created.
    pub created_type: String,
    /// What users should know of it then.
    pub warning: Option<String>,
    /// The user's own SQL for it.
    pub transform: Option<ColumnTransform>,
}

/// A column of a target that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetColumn {
    /// Exact name.
    pub name: String,
    /// Full type.
    pub target_type: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Whether it fills itself.
    pub has_default: bool,
    /// The sequence that fills it, if one does.
    pub sequence: Option<String>,
    /// The masking policy that is set on it, if it can be seen.
    pub masking_policy: Option<String>,
}

/// The columns, with their names and types in a target that would be created for them.
///
/// # Errors
/// All mistakes of the table's mappings.
pub fn wanted_columns(
    ways: &Ways<'_>,
    spec: &TableSpec,
    analysis: &TableAnalysis,
) -> Result<Vec<WantedColumn>, Problems> {
    let dialect = ways.dialect;
    let mut problems = Vec::new();
    let mut renames = Vec::new();
    for (source, target) in &spec.column_name_mappings {
        match find_column(dialect, &analysis.columns, source) {
            Some(column) if renames.iter().any(|(name, _)| *name == column.name) => {
                let what = format!(
                    "columnNameMappings renames the column {} twice",
                    column.name
                );
                problems.push(Code::GIVEN_TWICE.problem(what));
            }
            Some(column) => renames.push((
                column.name.clone(),
                snowflake_name::exact_name(&WrittenName(target.clone())),
            )),
            None => problems.push(Code::COLUMN_NOT_FOUND.problem(format!(
                "columnNameMappings names the source column {source}, and {}",
                no_such_column(dialect, &analysis.columns, source)
            ))),
        }
    }
    let left_out = left_out(dialect, spec, analysis, &mut problems);
    for written in transforms::unknown_columns(dialect, spec, &analysis.columns) {
        problems.push(Code::COLUMN_NOT_FOUND.problem(format!(
            "customColumnTransforms names the column {written}, and {}",
            no_such_column(dialect, &analysis.columns, written)
        )));
    }
    let mut wanted: Vec<WantedColumn> = Vec::with_capacity(analysis.columns.len());
    for column in &analysis.columns {
        if left_out.contains(&column.name) {
            continue;
        }
        let rule = transforms::rule(dialect, spec, column);
        let transform = rule.and_then(TransformRule::transform);
        if let Some(why) = transforms::refused(spec, analysis, column, transform.as_ref()) {
            problems.push(Code::TRANSFORM_OF_KEY.says(why));
        }
        let by_itself = ExtractColumn {
            source: column.clone(),
            fits: None,
            encode: transform.as_ref().and_then(|t| t.encode.clone()),
        };
        let planned = ways.route.plan_column(dialect, &by_itself, wanted.len());
        // What the source computes is of another type than the column.
        let is_encoded = transform.as_ref().is_some_and(|t| t.encode.is_some());
        let mapped = match rule.and_then(|rule| rule.target_type.as_deref()) {
            Some(target_type) => Some((target_type, "customColumnTransforms")),
            None if is_encoded => None,
            None => mapped_type(dialect, spec, column).map(|t| (t, "columnTypeMappings")),
        };
        if let Some((target_type, asking)) = mapped {
            let asked = MatchedColumn {
                source: column.clone(),
                target_name: String::new(),
                target_type: target_type.to_owned(),
                transform: transform.clone(),
            };
            let (extract, load) = asked.split();
            if let Err(why) = ways.load((&extract, &load), wanted.len()) {
                problems.push(Code::TARGET_TYPE.problem(format!(
                    "column {} of type {}: {why}, which {asking} asks for",
                    column.name,
                    column.type_text()
                )));
            }
        }
        let mapped = mapped.map(|(target_type, _)| target_type);
        let target_name = renames
            .iter()
            .find(|(source, _)| *source == column.name)
            .map_or_else(
                || snowflake_name::column_name(&column.name),
                |(_, target)| target.clone(),
            );
        if let Some(other) = wanted.iter().find(|other| other.target_name == target_name) {
            let what = format!(
                "the source columns {} and {} both become {target_name} in the target",
                other.source.name, column.name
            );
            problems.push(
                Code::TARGET_COLUMN_SHARED
                    .problem(what)
                    .hint("give one another name with columnNameMappings"),
            );
        }
        wanted.push(WantedColumn {
            source: column.clone(),
            target_name,
            warning: if mapped.is_some() {
                None
            } else {
                planned.warning
            },
            created_type: mapped
                .unwrap_or_else(|| ways.kind.created_type(&planned.default_target))
                .to_owned(),
            transform,
        });
    }
    if wanted.is_empty() {
        let what = "excludeSourceColumns leaves no column to migrate";
        problems.push(Code::EXCLUDED_NEEDED.problem(what));
    }
    if problems.is_empty() {
        Ok(wanted)
    } else {
        Err(problems.into())
    }
}

/// Exact names of the columns that stay behind.
fn left_out(
    dialect: &dyn SourcePlatform,
    spec: &TableSpec,
    analysis: &TableAnalysis,
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    let find = |written: &String| find_column(dialect, &analysis.columns, written);
    let key: Vec<&SourceColumn> = spec.primary_key.iter().filter_map(find).collect();
    let mut names = Vec::with_capacity(spec.excluded_columns.len());
    for written in &spec.excluded_columns {
        let Some(column) = find(written) else {
            problems.push(Code::COLUMN_NOT_FOUND.problem(format!(
                "excludeSourceColumns names {written}, and {}",
                no_such_column(dialect, &analysis.columns, written)
            )));
            continue;
        };
        if key.contains(&column) {
            let what =
                format!("excludeSourceColumns names {written}, which primaryKeyColumns needs");
            problems.push(Code::EXCLUDED_NEEDED.problem(what));
        }
        names.push(column.name.clone());
    }
    names
}

/// What users should know of columns that do not arrive, or not as what they are.
pub fn column_warnings(
    dialect: &dyn SourcePlatform,
    spec: &TableSpec,
    analysis: &TableAnalysis,
) -> Vec<String> {
    let left_out = left_out(dialect, spec, analysis, &mut Vec::new());
    let is_to_be_interval = |column: &SourceColumn| {
        spec.wants_intervals == Some(true)
            && column.class == TypeClass::Base
            && dialect.is_interval(&column.type_name)
            && mapped_type(dialect, spec, column).is_none()
    };
    let warning = |column: &SourceColumn| {
        let name = &column.name;
        if left_out.contains(name) {
            return Some(format!(
                "column {name} is left out, as excludeSourceColumns says"
            ));
        }
        // Its documentation does not say how COPY INTO reads one from a file ("Interval data types").
        if is_to_be_interval(column) {
            return Some(format!(
                "column {name} arrives as ISO 8601 text, though intervalHandling says interval: Snowflake's INTERVAL DAY TO SECOND is a preview and holds no months"
            ));
        }
        column.computed.then(|| {
            format!(
                "column {name} is computed by the source: the target has its values as plain ones"
            )
        })
    };
    analysis.columns.iter().filter_map(warning).collect()
}

/// The columns of a target to create.
pub fn new_columns(wanted: &[WantedColumn]) -> Vec<NewColumn> {
    wanted
        .iter()
        .map(|column| NewColumn {
            name: column.target_name.clone(),
            target_type: column.created_type.clone(),
            nullable: column.source.nullable,
            comment: column.source.comment.clone(),
            default: None,
        })
        .collect()
}

/// The same for an account whose text and bytes have no larger columns than those without a length. `None`: they are the same.
pub fn with_smaller_types(ways: &Ways<'_>, wanted: &[WantedColumn]) -> Option<Vec<WantedColumn>> {
    let mut smaller = wanted.to_vec();
    for column in &mut smaller {
        if let Some(smaller) = ways.kind.smaller_type(&column.created_type) {
            column.created_type = smaller.to_owned();
        }
    }
    (smaller != wanted).then_some(smaller)
}

/// Matches what will arrive with the target as it is: the target's types decide. Also answers warnings.
///
/// # Errors
/// All that does not fit: missing columns, types without an exact form, columns that would stay empty and may not.
pub fn match_columns(
    ways: &Ways<'_>,
    wanted: &[WantedColumn],
    target: &[TargetColumn],
) -> Result<(Vec<MatchedColumn>, Vec<String>), Problems> {
    let (mut columns, mut warnings, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let mut narrow = Vec::new();
    for (index, column) in wanted.iter().enumerate() {
        let name = &column.source.name;
        let Some(existing) = target.iter().find(|t| t.name == column.target_name) else {
            let names: Vec<&str> = target.iter().map(|t| t.name.as_str()).collect();
            let what = format!(
                "the target has no column {} for the source column {name}: it has {}",
                column.target_name,
                names.join(", ")
            );
            problems.push(
                Code::TARGET_COLUMN_MISSING
                    .problem(what)
                    .hint("add it, or name another with columnNameMappings"),
            );
            continue;
        };
        let matched = MatchedColumn {
            source: column.source.clone(),
            target_name: existing.name.clone(),
            target_type: existing.target_type.clone(),
            transform: column.transform.clone(),
        };
        let (extract, load) = matched.clone().split();
        match ways.load((&extract, &load), index) {
            Ok((loaded, planned)) => {
                narrow.extend(narrow_column(&extract, &load, &planned));
                let found = loaded.warning.into_iter().chain(planned.conversion);
                warnings.extend(found.map(|why| {
                    format!(
                        "column {name} of type {} into {}: {why}",
                        column.source.type_text(),
                        existing.target_type
                    )
                }));
                // As types, not as text: Snowflake describes VARCHAR as VARCHAR(16777216).
                if TargetType::parse(&column.created_type)
                    == TargetType::parse(&existing.target_type)
                {
                    warnings.extend(column.warning.clone());
                }
            }
            Err(why) => problems.push(
                Code::TARGET_TYPE
                    .problem(format!(
                        "column {name} of type {}: {why}",
                        column.source.type_text()
                    ))
                    .hint(format!("change the target column {}", existing.name)),
            ),
        }
        columns.push(matched);
    }
    warnings.extend(narrow);
    for existing in target {
        let filled = wanted.iter().any(|w| w.target_name == existing.name);
        if !filled && !existing.nullable && !existing.has_default {
            let what = format!(
                "the target column {} is NOT NULL, and no source column fills it",
                existing.name
            );
            problems.push(
                Code::TARGET_COLUMN_UNFILLED
                    .problem(what)
                    .hint("give it a default or drop it"),
            );
        }
        // Documentation of COPY INTO: "excluded columns cannot have a sequence as their default value".
        if let Some(sequence) = existing.sequence.as_ref().filter(|_| !filled) {
            problems.push(Code::TARGET_COLUMN_UNFILLED.says(format!(
                "the target column {0} is filled by the sequence {sequence}, which COPY INTO refuses of a column that no source column fills; ALTER TABLE … ALTER COLUMN {0} DROP DEFAULT, make it an IDENTITY column, or name the source column that fills it with columnNameMappings",
                quote(&existing.name)
            )));
        }
    }
    if problems.is_empty() {
        Ok((columns, warnings))
    } else {
        Err(problems.into())
    }
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
