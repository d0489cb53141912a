//! What a run of a table finds of the runs before it, and what it leaves for the next: pure.

use crate::domain::analysis::{
    AnalyzedPartition, MovedColumn, SyncSettings, SyncSnapshot, TableAnalysis, digest,
};
use crate::domain::planned::{PlannedPartition, SyncPlan};
use crate::domain::spec::{ResetPartitions, Synchronization, TableSpec};
use crate::domain::table::{Content, KeyRange, Platform, Slice};
use crate::domain::table_plan::LoadMode;
use crate::platform::SourcePlatform;
use crate::types::snowflake_name::exact_name;

/// Names the state that runs of this table leave behind: the same source table into the same target. `None`: its
/// strategy leaves none, or this is a dry run.
pub fn sync_key(
    platform: Platform,
    dialect: &dyn SourcePlatform,
    spec: &TableSpec,
) -> Option<String> {
    if !spec.synchronization.is_stateful() || spec.preflight.is_some() {
        return None;
    }
    let source = [
        &spec.source.database,
        &spec.source.schema,
        &spec.source.table,
    ];
    let target = [
        &spec.target.database,
        &spec.target.schema,
        &spec.target.table,
    ];
    let parts = std::iter::once(platform.to_string())
        .chain(source.map(|part| dialect.exact_name(part)))
        .chain(target.map(exact_name));
    let mut named = Vec::new();
    for part in parts {
        // With its length: names may hold any character.
        named.extend((part.len() as u64).to_be_bytes());
        named.extend(part.as_bytes());
    }
    Some(digest(named))
}

/// What loads of the table do with rows that are there already. `target_is_empty`: at the time of the plan.
pub fn load_mode(spec: &TableSpec, analysis: &TableAnalysis, target_is_empty: bool) -> LoadMode {
    if spec.preflight.is_some() {
        return LoadMode::Append;
    }
    match &spec.synchronization {
        Synchronization::None => LoadMode::Append,
        Synchronization::FullReplace | Synchronization::Checksum { .. } => LoadMode::ReplaceRange,
        Synchronization::Watermark {
            track_modifications,
            ..
        } => {
            let merges = *track_modifications
                || spec.reset_partitions == ResetPartitions::EnabledWithDedup
                || analysis.untold.moved_again;
            // The first run of a table into a target that it has to itself: each key comes once. Without an upper end it
            // may come twice, if it goes from one partition into another meanwhile.
            if analysis.untold.above || (merges && !target_is_empty) {
                LoadMode::Merge
            } else {
                LoadMode::Append
            }
        }
    }
}

/// Whether rows that no watermark tells of may be in the target, so that the next run has to replace rows by their primary
/// key.
pub fn has_untold_rows(previous: &SyncSnapshot) -> bool {
    let untold = previous.settings.untold;
    let first = previous.partitions.first().map(|p| &p.watermark);
    let is_whole = previous
        .partitions
        .iter()
        .all(|p| p.watermark.is_some() && Some(&p.watermark) == first);
    untold.above || (untold.moved_again && !is_whole)
}

/// Whether target rows whose key is gone from the source are deleted.
pub fn tracks_deletions(spec: &TableSpec) -> bool {
    matches!(
        spec.synchronization,
        Synchronization::Watermark {
            track_deletions: true,
            ..
        }
    )
}

/// The partitions of a run: those of the analysis, and last the keys of the whole table where deletions are tracked.
pub fn partitions(spec: &TableSpec, analysis: &TableAnalysis) -> Vec<PlannedPartition> {
    let mut planned: Vec<PlannedPartition> = analysis
        .partitions
        .iter()
        .map(|partition| PlannedPartition {
            slice: Slice {
                range: partition.range.clone(),
                after: partition.after.clone(),
                content: Content::Rows,
            },
            unchanged: partition.unchanged,
            checksum: partition.checksum.clone(),
        })
        .collect();
    if spec.preflight.is_some() {
        // A dry run is bounded by a partition's size.
        planned.truncate(1);
    } else if tracks_deletions(spec) {
        planned.push(PlannedPartition {
            slice: Slice {
                range: KeyRange::Everything,
                after: None,
                content: Content::Keys,
            },
            unchanged: false,
            checksum: None,
        });
    }
    planned
}

/// The analysis of a table whose target has no row: whatever earlier runs moved is gone from there, and the whole table
/// is to be moved again. `None`: nothing was moved before.
pub fn start_over(analysis: &TableAnalysis) -> Option<TableAnalysis> {
    let was_moved = |partition: &AnalyzedPartition| {
        let has_rows = partition
            .checksum
            .as_ref()
            .is_some_and(|checksum| !checksum.starts_with("0:"));
        has_rows || (partition.after.is_some() && analysis.watermark.is_some())
    };
    if !analysis.partitions.iter().any(was_moved) {
        return None;
    }
    let mut anew = analysis.clone();
    for partition in &mut anew.partitions {
        *partition = partition.range.clone().into();
    }
    // Stored before anything is moved: a run that ends half-way must not leave the old state behind.
    anew.reused = false;
    anew.warnings.push(
        "the target has no rows, though earlier runs moved some into it: the whole table is moved again".to_owned(),
    );
    Some(anew)
}

/// What the next run is to find of this one.
pub fn sync_plan(
    key: Option<String>,
    spec: &TableSpec,
    analysis: &TableAnalysis,
    columns: Vec<MovedColumn>,
) -> Option<SyncPlan> {
    Some(SyncPlan {
        key: key?,
        settings: SyncSettings {
            key: analysis.key.clone(),
            where_clause: spec.where_clause.clone(),
            synchronization: spec.synchronization.clone(),
            untold: analysis.untold,
            without_child_tables: spec.query_modifiers.without_child_tables,
            columns: Some(columns),
        },
        reused: analysis.reused,
        started_from: analysis.started_from.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::analysis::{Untold, Watermark};
    use crate::domain::table::{KeyColumn, KeyKind, TableRef, WrittenName};
    use crate::platform;

    fn table(database: &str, schema: &str, table: &str) -> TableRef {
        let name = |text: &str| WrittenName(text.to_owned());
        TableRef {
            database: name(database),
            schema: name(schema),
            table: name(table),
        }
    }

    fn watermark(source: TableRef, target: TableRef) -> TableSpec {
        TableSpec {
            synchronization: Synchronization::Watermark {
                column: "at".into(),
                track_modifications: true,
                track_deletions: false,
            },
            ..TableSpec::new(source, target)
        }
    }

    #[test]
    fn a_state_is_named_by_what_the_names_mean() {
        let dialect = platform::source(Platform::Redshift).expect("a platform");
        let key = |source, target| {
            sync_key(Platform::Redshift, dialect, &watermark(source, target)).expect("a key")
        };
        let one = key(table("d", "s", "Orders"), table("d", "s", "orders"));
        assert_eq!(
            one,
            key(table("\"d\"", "S", "orders"), table("D", "s", "\"ORDERS\""))
        );
        assert_ne!(
            one,
            key(table("d", "s", "orders"), table("d", "s", "\"orders\""))
        );
        assert_ne!(
            one,
            key(table("d", "so", "rders"), table("d", "s", "orders"))
        );
        let none = TableSpec::new(table("d", "s", "t"), table("d", "s", "t"));
        assert_eq!(sync_key(Platform::Redshift, dialect, &none), None);
    }

    #[test]
    fn rows_are_merged_unless_the_target_has_none() {
        let spec = watermark(table("d", "s", "t"), table("d", "s", "t"));
        let analysis = TableAnalysis::default();
        assert_eq!(load_mode(&spec, &analysis, true), LoadMode::Append);
        assert_eq!(load_mode(&spec, &analysis, false), LoadMode::Merge);
    }

    #[test]
    fn rows_that_no_watermark_tells_of_are_merged() {
        let mut spec = watermark(table("d", "s", "t"), table("d", "s", "t"));
        spec.synchronization = Synchronization::Watermark {
            column: "at".into(),
            track_modifications: false,
            track_deletions: false,
        };
        let mode = |above, moved_again, target_is_empty| {
            let analysis = TableAnalysis {
                untold: Untold { above, moved_again },
                ..TableAnalysis::default()
            };
            load_mode(&spec, &analysis, target_is_empty)
        };
        assert_eq!(mode(false, false, false), LoadMode::Append);
        assert_eq!(mode(true, false, true), LoadMode::Merge);
        assert_eq!(mode(false, true, false), LoadMode::Merge);
        assert_eq!(mode(false, true, true), LoadMode::Append);
    }

    #[test]
    fn a_table_starts_over_only_if_something_was_moved_before() {
        let watermark = Watermark {
            column: KeyColumn {
                name: "at".into(),
                kind: KeyKind::Integer,
                nullable: false,
                bytewise: false,
            },
            upto: "9".into(),
            moves_above: false,
            moves_nulls: false,
        };
        let analysis =
            |after: Option<&str>, checksum: Option<&str>, has_rows: bool| TableAnalysis {
                partitions: vec![AnalyzedPartition {
                    range: KeyRange::Everything,
                    after: after.map(str::to_owned),
                    checksum: checksum.map(str::to_owned),
                    unchanged: true,
                }],
                reused: true,
                watermark: has_rows.then(|| watermark.clone()),
                ..TableAnalysis::default()
            };
        assert_eq!(start_over(&analysis(None, None, true)), None);
        assert_eq!(start_over(&analysis(None, Some("0:0"), false)), None);
        // The source has no row either: there is nothing to move.
        assert_eq!(start_over(&analysis(Some("5"), None, false)), None);
        for moved in [
            analysis(Some("5"), None, true),
            analysis(None, Some("7:123"), false),
        ] {
            let anew = start_over(&moved).expect("starts over");
            assert_eq!(anew.partitions, [KeyRange::Everything.into()]);
            assert!(!anew.reused && anew.warnings.len() == 1);
        }
    }
}
