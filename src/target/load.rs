//! What the load of a batch of staged partitions is made of: pure.

use super::columns::load_columns;
use super::copy::MAX_FILES;
use super::merge::{MergeKey, is_collated};
use super::replace::{delete_ranges, target_key};
use crate::actors::ports::StagedPartition;
use crate::domain::problem::{Code, Problem, Problems};
use crate::domain::table::{Content, KeyRange};
use crate::domain::table_plan::{LoadMode, TablePlan};
use crate::domain::task::{StageLocation, StagedFile};
use crate::types::snowflake_name::{quote, quote_table};

/// What a batch's load is made of.
pub(crate) struct Load {
    /// Where its files are.
    pub(crate) stage: StageLocation,
    /// Rows in its files.
    pub(crate) rows: u64,
    /// The columns of its staging table, if it goes through one: quoted name and type.
    pub(crate) staged: Vec<(String, String)>,
    /// For each target column its quoted name and the expression over the file.
    pub(crate) columns: Vec<(String, String)>,
    /// What is done with them.
    pub(crate) kind: LoadKind,
}

pub(crate) enum LoadKind {
    /// Straight into the target, after these deletions.
    Direct { delete: Option<String> },
    /// Through a staging table, by these columns.
    Merge(Vec<MergeKey>),
    /// Target rows without one of these keys are deleted.
    DeleteMissing(Vec<MergeKey>),
}

impl Load {
    /// `None`: the batch mixes what cannot be loaded together.
    pub(crate) fn of(
        plan: &TablePlan,
        batch: &[StagedPartition],
    ) -> Result<Option<Self>, Problems> {
        let content = batch
            .first()
            .map_or(Content::Rows, |staged| staged.unit.content);
        let stage = batch
            .first()
            .map_or(StageLocation::default(), |staged| staged.manifest.stage);
        let is_alike = |staged: &StagedPartition| {
            staged.unit.content == content && staged.manifest.stage == stage
        };
        if !batch.iter().all(is_alike) {
            return Ok(None);
        }
        // Of keys, none counts as moved.
        let files = batch.iter().flat_map(|staged| &staged.manifest.files);
        let rows = files.map(|file| file.rows).sum();
        let kind = match (content, plan.load.mode) {
            (Content::Keys, _) if rows == 0 && plan.extract.watermark.is_some() => {
                let problem = Code::NO_KEYS_FOUND.says(format!(
                    "the analysis has found rows in the source {}, and no key was read from it: all rows of the target {} would be deleted, and none is; if the source is empty by now, a new workflow finds that and deletes them",
                    plan.extract.source, plan.load.target
                ));
                return Err(problem.into());
            }
            (Content::Keys, _) => LoadKind::DeleteMissing(merge_key(plan)?),
            (Content::Rows, LoadMode::Merge) => LoadKind::Merge(merge_key(plan)?),
            (Content::Rows, LoadMode::Append) => LoadKind::Direct { delete: None },
            (Content::Rows, LoadMode::ReplaceRange) => {
                let key = target_key(plan)?;
                let ranges: Vec<&KeyRange> = batch.iter().map(|staged| &staged.range).collect();
                let table = quote_table(&plan.load.target);
                LoadKind::Direct {
                    delete: Some(
                        delete_ranges(&table, &key, &ranges)
                            .map_err(|why| Code::TARGET_KEY_ORDER.problem(why))?,
                    ),
                }
            }
        };
        Ok(Some(Self {
            stage,
            rows,
            staged: staging_columns(plan, content),
            columns: load_columns(plan, content).map_err(|why| Code::TARGET_TYPE.problem(why))?,
            kind,
        }))
    }

    /// Whether it goes through a staging table.
    pub(crate) fn is_by_key(&self) -> bool {
        !matches!(self.kind, LoadKind::Direct { .. })
    }

    /// The quoted names of the columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// The columns of the staging table of a load by primary key: quoted name and type, as the target has them.
pub(crate) fn staging_columns(plan: &TablePlan, content: Content) -> Vec<(String, String)> {
    let columns = plan.columns_of(content).into_iter();
    columns
        .map(|(_, column)| (quote(&column.name), column.target_type.clone()))
        .collect()
}

/// The target's columns of the primary key.
pub(crate) fn merge_key(plan: &TablePlan) -> Result<Vec<MergeKey>, Problem> {
    let key: Vec<MergeKey> = plan
        .columns_of(Content::Keys)
        .into_iter()
        .map(|(extract, load)| MergeKey {
            name: quote(&load.name),
            nullable: extract.source.nullable,
            collated: is_collated(&load.target_type),
        })
        .collect();
    if key.is_empty() || key.len() != plan.extract.primary_key.len() {
        let what = format!(
            "the primary key {} is not whole in the target",
            plan.extract.primary_key.join(", ")
        );
        return Err(Code::EXCLUDED_NEEDED
            .problem(what)
            .hint("take its columns out of excludeSourceColumns"));
    }
    Ok(key)
}

/// The batch's files in the order of its partitions, cut so that one COPY INTO names few enough of them, and loads about
/// as many megabytes as asked.
pub(crate) fn segments(
    batch: &[StagedPartition],
    segment_mb: Option<u64>,
) -> Vec<Vec<&StagedFile>> {
    let limit = segment_mb.map_or(u64::MAX, |mb| mb.saturating_mul(1_000_000));
    let mut segments: Vec<Vec<&StagedFile>> = Vec::new();
    let mut bytes = 0_u64;
    for file in batch.iter().flat_map(|staged| &staged.manifest.files) {
        match segments.last_mut() {
            Some(last) if last.len() < MAX_FILES && bytes.saturating_add(file.bytes) <= limit => {
                last.push(file);
                bytes += file.bytes;
            }
            _ => {
                segments.push(vec![file]);
                bytes = file.bytes;
            }
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{LoadUnit, PartitionKey};
    use crate::domain::analysis::Watermark;
    use crate::domain::task::Manifest;
    use crate::domain::{Attempt, PartitionNo, TableNo};
    use crate::target::policies::tests::plan;
    use proptest::prelude::*;

    fn staged(no: u32, megabytes: &[u64]) -> StagedPartition {
        let file = |(index, megabytes): (usize, &u64)| StagedFile {
            path: format!("{no}/{index}"),
            rows: 1,
            bytes: megabytes * 1_000_000,
        };
        StagedPartition {
            unit: LoadUnit {
                key: PartitionKey {
                    table_no: TableNo(0),
                    partition_no: PartitionNo(no),
                },
                attempt: Attempt(1),
                rows: megabytes.len() as u64,
                content: Content::Rows,
                checksum: None,
            },
            range: KeyRange::Everything,
            manifest: Manifest {
                files: megabytes.iter().enumerate().map(file).collect(),
                ..Manifest::default()
            },
        }
    }

    #[test]
    fn a_load_is_cut_into_segments_of_about_the_size_that_was_asked() {
        let batch = [staged(0, &[100, 100]), staged(1, &[300]), staged(2, &[50])];
        let sizes = |mb| -> Vec<usize> { segments(&batch, mb).iter().map(Vec::len).collect() };
        assert_eq!(sizes(None), [4]);
        assert_eq!(sizes(Some(250)), [2, 1, 1]);
        assert_eq!(sizes(Some(1)), [1, 1, 1, 1]);
    }

    #[test]
    fn no_key_of_a_source_that_had_rows_deletes_nothing() {
        let keys = |files: &[u64]| {
            let mut keys = staged(0, files);
            keys.unit.content = Content::Keys;
            keys.unit.rows = 0;
            keys
        };
        let mut plan = plan(LoadMode::Append);
        // Read twice, and empty twice.
        let load = Load::of(&plan, &[keys(&[])])
            .expect("a load")
            .expect("one kind");
        assert!(matches!(load.kind, LoadKind::DeleteMissing(_)) && load.rows == 0);
        plan.extract.watermark = Some(Watermark {
            column: plan.extract.key[0].clone(),
            upto: "7".to_owned(),
            moves_above: false,
            moves_nulls: false,
        });
        let refused = Load::of(&plan, &[keys(&[])]).err().expect("refused");
        assert_eq!(refused.0[0].code, Code::NO_KEYS_FOUND);
        assert!(refused.to_string().contains("none is"), "{refused}");
        let load = Load::of(&plan, &[keys(&[1, 1, 1])])
            .expect("a load")
            .expect("one kind");
        assert_eq!(load.rows, 3);
        assert_eq!(load.staged, [("\"ID\"".to_owned(), "VARCHAR".to_owned())]);
    }

    proptest! {
        #[test]
        fn each_file_is_in_one_segment_and_none_has_too_many(
            counts in prop::collection::vec(0usize..700, 0..6),
            mb in prop::option::of(1u64..500),
        ) {
            let batch: Vec<_> = (0..).zip(&counts).map(|(no, count)| staged(no, &vec![7; *count])).collect();
            let segments = segments(&batch, mb);
            let paths: Vec<&str> = segments.iter().flatten().map(|file| file.path.as_str()).collect();
            let all: Vec<&str> = batch.iter().flat_map(|s| &s.manifest.files).map(|file| file.path.as_str()).collect();
            prop_assert_eq!(paths, all);
            prop_assert!(segments.iter().all(|files| (1..=MAX_FILES).contains(&files.len())));
        }
    }
}
