//! Which column of the source goes into which column of the target: pure.

use crate::dialect::Dialect;
use crate::domain::table::{SourceColumn, WrittenName};
use crate::domain::task::{ExtractColumn, TableAnalysis, TableSpec};
use crate::types::load::{NewColumn, load_column};
use crate::types::snowflake_name;
use crate::types::snowflake_type::TargetType;

/// A column as it shall arrive.
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
}

/// The columns, with their names and types in a target that would be created for them.
///
/// # Errors
/// All mistakes of the table's mappings.
pub fn wanted_columns(
    dialect: &dyn Dialect,
    spec: &TableSpec,
    analysis: &TableAnalysis,
) -> Result<Vec<WantedColumn>, Vec<String>> {
    let mut problems = Vec::new();
    let mut renames = Vec::new();
    for (source, target) in &spec.column_name_mappings {
        let exact = dialect.exact_name(&WrittenName(source.clone()));
        if analysis.columns.iter().any(|column| column.name == exact) {
            renames.push((
                exact,
                snowflake_name::exact_name(&WrittenName(target.clone())),
            ));
        } else {
            let names: Vec<&str> = analysis.columns.iter().map(|c| c.name.as_str()).collect();
            problems.push(format!(
                "columnNameMappings names the source column {source}, and the table has no such column; it has {}",
                names.join(", ")
            ));
        }
    }
    let types: Vec<(String, &String)> = spec
        .column_type_mappings
        .iter()
        .map(|(source, target)| (dialect.type_name(source), target))
        .collect();
    let mut wanted: Vec<WantedColumn> = Vec::with_capacity(analysis.columns.len());
    for (index, column) in analysis.columns.iter().enumerate() {
        let planned = dialect.plan_column(column, index, None);
        let mapped = types
            .iter()
            .find(|(source, _)| *source == column.type_name)
            .map(|(_, target)| (*target).clone());
        let target_name = renames
            .iter()
            .find(|(source, _)| *source == column.name)
            .map_or_else(
                || snowflake_name::column_name(&column.name),
                |(_, target)| target.clone(),
            );
        if let Some(other) = wanted.iter().find(|other| other.target_name == target_name) {
            problems.push(format!(
                "the source columns {} and {} both become {target_name} in the target; give one another name with columnNameMappings",
                other.source.name, column.name
            ));
        }
        wanted.push(WantedColumn {
            source: column.clone(),
            target_name,
            warning: if mapped.is_some() {
                None
            } else {
                planned.warning
            },
            created_type: mapped.unwrap_or(planned.default_target),
        });
    }
    if problems.is_empty() {
        Ok(wanted)
    } else {
        Err(problems)
    }
}

/// The columns of a target to create.
pub fn new_columns(wanted: &[WantedColumn]) -> Vec<NewColumn> {
    wanted
        .iter()
        .map(|column| NewColumn {
            name: column.target_name.clone(),
            target_type: column.created_type.clone(),
            nullable: column.source.nullable,
        })
        .collect()
}

/// Matches what shall arrive with the target as it is: the target's types decide. Also answers warnings.
///
/// # Errors
/// All that does not fit: missing columns, types without an exact form, columns that would stay empty and may not.
pub fn match_columns(
    dialect: &dyn Dialect,
    wanted: &[WantedColumn],
    target: &[TargetColumn],
) -> Result<(Vec<ExtractColumn>, Vec<String>), Vec<String>> {
    let (mut columns, mut warnings, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (index, column) in wanted.iter().enumerate() {
        let name = &column.source.name;
        let Some(existing) = target.iter().find(|t| t.name == column.target_name) else {
            let names: Vec<&str> = target.iter().map(|t| t.name.as_str()).collect();
            problems.push(format!(
                "the target has no column {} for the source column {name}; it has {}; add it, or name another with columnNameMappings",
                column.target_name,
                names.join(", ")
            ));
            continue;
        };
        let plan = dialect
            .plan_column(&column.source, index, Some(&existing.target_type))
            .plan;
        match load_column(&plan, &existing.target_type) {
            Ok(loaded) => {
                warnings.extend(loaded.warning.map(|why| format!("column {name}: {why}")));
                // As types, not as text: Snowflake describes VARCHAR as VARCHAR(16777216).
                if TargetType::parse(&column.created_type)
                    == TargetType::parse(&existing.target_type)
                {
                    warnings.extend(column.warning.clone());
                }
            }
            Err(why) => problems.push(format!(
                "column {name} of type {}: {why}; change the target column {}",
                column.source.type_name, existing.name
            )),
        }
        columns.push(ExtractColumn {
            source: column.source.clone(),
            target_name: existing.name.clone(),
            target_type: existing.target_type.clone(),
        });
    }
    for existing in target {
        let filled = wanted.iter().any(|w| w.target_name == existing.name);
        if !filled && !existing.nullable && !existing.has_default {
            problems.push(format!(
                "the target column {} is NOT NULL, and no source column fills it; give it a default or drop it",
                existing.name
            ));
        }
    }
    if problems.is_empty() {
        Ok((columns, warnings))
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::for_platform;
    use crate::domain::table::{Platform, TableRef};

    fn dialect() -> &'static dyn Dialect {
        for_platform(Platform::Redshift).expect("a dialect")
    }

    fn source(name: &str, type_name: &str) -> SourceColumn {
        SourceColumn {
            name: name.into(),
            type_name: type_name.into(),
            length_or_precision: None,
            scale: None,
            nullable: true,
            ..SourceColumn::default()
        }
    }

    fn spec() -> TableSpec {
        let name = |text: &str| WrittenName(text.to_owned());
        let table = TableRef {
            database: name("d"),
            schema: name("s"),
            table: name("t"),
        };
        TableSpec::new(table.clone(), table)
    }

    fn analysis(columns: Vec<SourceColumn>) -> TableAnalysis {
        TableAnalysis {
            columns,
            key: Vec::new(),
            row_estimate: 0,
            byte_estimate: 0,
            comment: None,
            primary_key: Vec::new(),
            partitions: Vec::new(),
            reused: false,
            watermark: None,
            checksum: None,
            warnings: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn target(name: &str, target_type: &str, nullable: bool) -> TargetColumn {
        TargetColumn {
            name: name.into(),
            target_type: target_type.into(),
            nullable,
            has_default: false,
        }
    }

    #[test]
    fn a_type_mapping_takes_any_of_the_types_names() {
        let spec = TableSpec {
            column_type_mappings: vec![("INTEGER".into(), "NUMBER(38,0)".into())],
            ..spec()
        };
        let wanted =
            wanted_columns(dialect(), &spec, &analysis(vec![source("a", "int4")])).expect("fits");
        assert_eq!(wanted[0].created_type, "NUMBER(38,0)");
    }

    #[test]
    fn all_mistakes_of_the_mappings_are_told_together() {
        let spec = TableSpec {
            column_name_mappings: vec![("b".into(), "A".into()), ("nope".into(), "X".into())],
            ..spec()
        };
        let columns = vec![source("a", "int4"), source("b", "int4")];
        let problems = wanted_columns(dialect(), &spec, &analysis(columns)).expect_err("mistakes");
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn a_fallback_to_text_is_told_although_snowflake_describes_the_type_with_a_length() {
        let columns = vec![source("a", "inet")];
        let wanted = wanted_columns(dialect(), &spec(), &analysis(columns)).expect("fits");
        let created = [target("A", "VARCHAR(16777216)", true)];
        let (_, warnings) = match_columns(dialect(), &wanted, &created).expect("fits");
        assert!(warnings[0].contains("inet"), "{warnings:?}");
    }

    #[test]
    fn a_target_decides_the_types_and_everything_that_does_not_fit_is_told() {
        let columns = vec![
            source("a", "date"),
            source("b", "varchar"),
            source("c", "int4"),
        ];
        let wanted = wanted_columns(dialect(), &spec(), &analysis(columns)).expect("fits");
        let fits = [
            target("C", "NUMBER(38,0)", true),
            target("A", "VARCHAR(20)", true),
            target("B", "VARCHAR(10)", false),
            target("LOADED_AT", "DATE", true),
        ];
        let (found, _) = match_columns(dialect(), &wanted, &fits).expect("fits");
        assert_eq!(found[0].target_type, "VARCHAR(20)");
        let misfits = [
            target("A", "BOOLEAN", true),
            target("B", "VARCHAR(10)", true),
            target("EXTRA", "DATE", false),
        ];
        let problems = match_columns(dialect(), &wanted, &misfits).expect_err("misfits");
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
