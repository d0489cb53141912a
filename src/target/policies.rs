//! What policies of a target make unsafe: pure.
//!
//! A statement compares what its role sees. Where a masking policy is between, a key matches nothing, or the wrong row;
//! rows that a row access policy hides are neither replaced nor deleted, and are added once more (documentation of
//! "Understanding Column-level Security" and "Understanding row access policies": the policies hold wherever a column or
//! table is named, for its owner too). Rows that are only added meet neither.

use crate::domain::problem::{Code, Problem, Problems};
use crate::domain::spec::{ResetPartitions, Synchronization, TableSpec};
use crate::domain::table::Content;
use crate::domain::table_plan::{LoadMode, TablePlan};
use crate::types::snowflake_name::{quote, quote_table};

/// What is known of a target's policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// Exact names of columns, each with its masking policy.
    pub masked: Vec<(String, String)>,
    /// Whether it has a row access policy.
    pub hides_rows: bool,
}

/// Whether runs of the table do more than to add rows: whether they replace or delete some, or look for what is there.
pub fn looks_at_rows(spec: &TableSpec) -> bool {
    spec.synchronization != Synchronization::None
}

/// Refuses a table whose runs would compare or look for rows that a policy of its target masks or hides.
///
/// # Errors
/// All such policies: what would happen, and what to do.
pub fn check(spec: &TableSpec, plan: &TablePlan, policies: &Policies) -> Result<(), Problems> {
    let target = quote_table(&spec.target);
    let compared = compared_columns(spec, plan);
    let mut problems: Vec<Problem> = policies
        .masked
        .iter()
        .filter(|(column, _)| compared.contains(&column.as_str()))
        .map(|(column, policy)| {
            Code::TARGET_POLICY.says(format!(
                "the target column {column} has the masking policy {policy}, and rows are replaced, merged or deleted by its values, of which statements see what the policy shows: rows would come twice, or be deleted; ALTER TABLE {target} MODIFY COLUMN {} UNSET MASKING POLICY while tables are moved, take the policy off the tag if it comes from one, or choose the synchronization strategy none, which only adds rows",
                quote(column)
            ))
        })
        .collect();
    if policies.hides_rows && looks_at_rows(spec) {
        problems.push(Code::TARGET_POLICY.says(format!(
            "the target has a row access policy, and rows that it hides are not found where they are to be replaced, merged, deleted or counted on: they would come twice; ALTER TABLE {target} DROP ALL ROW ACCESS POLICIES while tables are moved, or choose the synchronization strategy none, which only adds rows"
        )));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.into())
    }
}

/// The target's columns that this run or a later one compares, by their exact names.
fn compared_columns<'a>(spec: &TableSpec, plan: &'a TablePlan) -> Vec<&'a str> {
    let (by_range, by_primary_key) = match &spec.synchronization {
        Synchronization::None => (false, false),
        Synchronization::FullReplace | Synchronization::Checksum { .. } => (true, false),
        Synchronization::Watermark {
            track_modifications,
            track_deletions,
            ..
        } => {
            let merges = *track_modifications
                || spec.reset_partitions == ResetPartitions::EnabledWithDedup
                || plan.load.mode == LoadMode::Merge;
            (false, merges || *track_deletions)
        }
    };
    let is_compared = |name: &String| {
        (by_range && plan.extract.key.iter().any(|key| key.name == *name))
            || (by_primary_key && plan.extract.primary_key.contains(name))
    };
    plan.columns_of(Content::Rows)
        .into_iter()
        .filter(|(extract, _)| is_compared(&extract.source.name))
        .map(|(_, load)| load.name.as_str())
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::table::{KeyColumn, KeyKind, Platform, SourceColumn, TableRef, WrittenName};
    use crate::domain::table_plan::{ExtractSpec, LoadSpec, MatchedColumn, SyncSpec};

    fn table() -> TableRef {
        let name = |text: &str| WrittenName(text.to_owned());
        TableRef {
            database: name("d"),
            schema: name("s"),
            table: name("t"),
        }
    }

    /// Partitioned by `part`, identified by `id`.
    pub(crate) fn plan(mode: LoadMode) -> TablePlan {
        let column = |name: &str| MatchedColumn {
            source: SourceColumn {
                name: name.to_owned(),
                ..SourceColumn::default()
            },
            target_name: name.to_uppercase(),
            target_type: "VARCHAR".to_owned(),
            transform: None,
        };
        let columns = ["id", "part", "v"].map(|name| column(name).split());
        let (extracted, loaded) = columns.into_iter().unzip();
        TablePlan {
            extract: ExtractSpec {
                key: vec![KeyColumn {
                    name: "part".to_owned(),
                    kind: KeyKind::Text,
                    nullable: true,
                    bytewise: true,
                }],
                columns: extracted,
                primary_key: vec!["id".to_owned()],
                ..ExtractSpec::new(Platform::Redshift, table())
            },
            load: LoadSpec {
                columns: loaded,
                mode,
                ..LoadSpec::new(table())
            },
            sync: SyncSpec::default(),
        }
    }

    /// The masked columns and the rows that are refused, where every column is masked and rows are hidden.
    fn refused(synchronization: Synchronization, load: LoadMode) -> Vec<&'static str> {
        let spec = TableSpec {
            synchronization,
            ..TableSpec::new(table(), table())
        };
        let masked = ["ID", "PART", "V", "ELSEWHERE"];
        let policies = Policies {
            masked: masked
                .map(|name| (name.to_owned(), "D.S.P".to_owned()))
                .to_vec(),
            hides_rows: true,
        };
        let problems = check(&spec, &plan(load), &policies)
            .err()
            .map_or_else(Vec::new, |problems| problems.0);
        problems
            .iter()
            .map(|problem| {
                assert_eq!(problem.code, Code::TARGET_POLICY);
                let column = masked
                    .iter()
                    .find(|c| problem.what.contains(&format!("column {c} ")));
                column.copied().unwrap_or("rows")
            })
            .collect()
    }

    fn watermark(track_modifications: bool, track_deletions: bool) -> Synchronization {
        Synchronization::Watermark {
            column: "v".to_owned(),
            track_modifications,
            track_deletions,
        }
    }

    #[test]
    fn what_is_compared_must_not_be_masked_and_what_is_looked_for_not_be_hidden() {
        let append = LoadMode::Append;
        assert!(refused(Synchronization::None, append).is_empty());
        let replace = LoadMode::ReplaceRange;
        assert_eq!(
            refused(Synchronization::FullReplace, replace),
            ["PART", "rows"]
        );
        let checksum = Synchronization::Checksum { expression: None };
        assert_eq!(refused(checksum, replace), ["PART", "rows"]);
        // Whether the target is empty decides whether earlier runs count.
        assert_eq!(refused(watermark(false, false), append), ["rows"]);
        // The first run only adds rows; later ones do not.
        assert_eq!(refused(watermark(true, false), append), ["ID", "rows"]);
        assert_eq!(refused(watermark(false, true), append), ["ID", "rows"]);
        assert_eq!(
            refused(watermark(false, false), LoadMode::Merge),
            ["ID", "rows"]
        );
    }
}
