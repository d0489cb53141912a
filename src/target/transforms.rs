//! Which of the user's `customColumnTransforms` is for a column, and where none may be: pure.

use super::type_mappings::of_type;
use crate::domain::analysis::TableAnalysis;
use crate::domain::spec::{ColumnTransform, Synchronization, TableSpec, TransformRule};
use crate::domain::table::{SourceColumn, WrittenName};
use crate::plan::names::find_column;
use crate::platform::SourcePlatform;
use crate::types::transform::pattern;

/// The rule for a column: of those for it the one that names it before one with a pattern, and that before one that names its
/// type alone; among equals the first, which is the table's own.
pub fn rule<'a>(
    dialect: &dyn SourcePlatform,
    spec: &'a TableSpec,
    column: &SourceColumn,
) -> Option<&'a TransformRule> {
    spec.column_transforms
        .iter()
        .filter_map(|rule| Some((exactness(dialect, rule, column)?, rule)))
        .min_by_key(|(exactness, _)| *exactness)
        .map(|(_, rule)| rule)
}

/// Smaller is more exact. `None`: the rule is not for the column.
fn exactness(
    dialect: &dyn SourcePlatform,
    rule: &TransformRule,
    column: &SourceColumn,
) -> Option<u8> {
    let mut exactness = u8::MAX;
    if let Some(data_type) = &rule.data_type {
        exactness = 2 + of_type(dialect, column, data_type)?;
    }
    if let Some(text) = &rule.column_pattern {
        // It was read before: what is not a pattern matches nothing.
        pattern(text).ok()?.is_match(&column.name).then_some(())?;
        exactness = 1;
    }
    if let Some(written) = &rule.column {
        let named = dialect.exact_name(&WrittenName(written.clone())) == column.name
            || written.trim() == column.name;
        named.then_some(())?;
        exactness = 0;
    }
    (exactness < u8::MAX).then_some(exactness)
}

/// Names in rules that mean no column of the table.
pub fn unknown_columns<'a>(
    dialect: &dyn SourcePlatform,
    spec: &'a TableSpec,
    columns: &[SourceColumn],
) -> Vec<&'a str> {
    let named = spec
        .column_transforms
        .iter()
        .filter_map(|rule| rule.column.as_deref());
    named
        .filter(|written| find_column(dialect, columns, written).is_none())
        .collect()
}

/// Why a column may not be transformed: its values in the target are compared with the source's.
pub fn refused(
    spec: &TableSpec,
    analysis: &TableAnalysis,
    column: &SourceColumn,
    transform: Option<&ColumnTransform>,
) -> Option<String> {
    transform?;
    let name = &column.name;
    let replaces = matches!(
        spec.synchronization,
        Synchronization::FullReplace | Synchronization::Checksum { .. }
    ) && spec.preflight.is_none();
    let why = if replaces && analysis.key.iter().any(|key| key.name == *name) {
        "the table is partitioned by it, and the rows of a partition are found in the target by its values, to be replaced; partition by another column, or write [] for one partition"
    } else if analysis.primary_key.contains(name) {
        "rows are recognized in the target by its values (primaryKeyColumns); leave it as it is, or name other columns"
    } else if spec.continue_identity && column.identity {
        "continueIdentityColumns continues counting from its largest value; remove one of the two"
    } else {
        return None;
    };
    Some(format!(
        "customColumnTransforms changes the values of the column {name}: {why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::table::{KeyColumn, KeyKind, Platform, TableRef};
    use crate::platform;

    fn column(name: &str, type_name: &str, precision: Option<u32>) -> SourceColumn {
        SourceColumn {
            name: name.into(),
            type_name: type_name.into(),
            length_or_precision: precision,
            scale: precision.map(|_| 2),
            ..SourceColumn::default()
        }
    }

    fn spec(rules: &[(&str, &str, &str)]) -> TableSpec {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let name = || WrittenName("t".into());
        let table = || TableRef {
            database: name(),
            schema: name(),
            table: name(),
        };
        let rule =
            |(index, (column, pattern, data_type)): (usize, &(&str, &str, &str))| TransformRule {
                column: text(column),
                column_pattern: text(pattern),
                data_type: text(data_type),
                encode: Some(index.to_string()),
                ..TransformRule::default()
            };
        TableSpec {
            column_transforms: rules.iter().enumerate().map(rule).collect(),
            ..TableSpec::new(table(), table())
        }
    }

    fn chosen(rules: &[(&str, &str, &str)], column: &SourceColumn) -> Option<usize> {
        let dialect = platform::source(Platform::Postgresql).expect("a platform");
        let spec = spec(rules);
        rule(dialect, &spec, column).map(|rule| {
            let index = rule.encode.as_ref().expect("an index");
            index.parse().expect("a number")
        })
    }

    #[test]
    fn the_most_exact_rule_wins_and_the_first_among_equals() {
        let price = column("price_eur", "numeric", Some(10));
        for (rules, expected) in [
            (
                &[
                    ("", "", "numeric"),
                    ("", "^price", ""),
                    ("Price_EUR", "", ""),
                ][..],
                Some(2),
            ),
            (&[("", "", "decimal"), ("", "_EUR$", "")], Some(1)),
            (&[("", "", "numeric"), ("", "", "numeric(10,2)")], Some(1)),
            (&[("", "", "numeric"), ("", "", "decimal")], Some(0)),
            (&[("price_eur", "", ""), ("price_eur", "", "")], Some(0)),
            // All that a rule names must fit.
            (&[("price_eur", "", "text"), ("", "eur", "int4")], None),
            (&[("\"Price_EUR\"", "", ""), ("", "^eur", "")], None),
            (&[("", "", "numeric(12,2)")], None),
        ] {
            assert_eq!(chosen(rules, &price), expected, "{rules:?}");
        }
    }

    #[test]
    fn a_column_whose_values_are_compared_stays_as_it_is() {
        let transform = ColumnTransform {
            encode: Some("1".into()),
            decode: None,
        };
        let told = |synchronization, analysis: &TableAnalysis| {
            let spec = TableSpec {
                synchronization,
                ..spec(&[])
            };
            refused(
                &spec,
                analysis,
                &column("id", "int4", None),
                Some(&transform),
            )
        };
        let keyed = TableAnalysis {
            key: vec![KeyColumn {
                name: "id".into(),
                kind: KeyKind::Integer,
                nullable: true,
                bytewise: false,
            }],
            ..TableAnalysis::default()
        };
        let checksum = || Synchronization::Checksum { expression: None };
        for replacing in [Synchronization::FullReplace, checksum()] {
            let why = told(replacing, &keyed).expect("refused");
            assert!(
                why.contains("column id") && why.contains("partitioned by it"),
                "{why}"
            );
        }
        // Rows are only added: nobody looks for them.
        assert_eq!(told(Synchronization::None, &keyed), None);
        assert_eq!(told(checksum(), &TableAnalysis::default()), None);
        let merged = TableAnalysis {
            primary_key: vec!["id".into()],
            ..TableAnalysis::default()
        };
        let why = told(Synchronization::None, &merged).expect("refused");
        assert!(why.contains("primaryKeyColumns"), "{why}");
    }
}
