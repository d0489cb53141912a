//! The double of the target planner: it takes the partitions of the analysis.

use crate::actors::ports::TargetPlanner;
use crate::checkpoint::testing::double::PLATFORM;
use crate::checkpoint::{OwnedWorkflow, PlannedTable};
use crate::domain::analysis::TableAnalysis;
use crate::domain::planned::PlannedPartition;
use crate::domain::spec::TableSpec;
use crate::domain::table::{Content, KeyRange, Slice};
use crate::domain::table_plan::{ExtractSpec, LoadSpec, SyncSpec, TablePlan};
use crate::domain::task::TaskFailure;
use crate::plan::synchronization::{sync_key, sync_plan};
use crate::platform;
use async_trait::async_trait;
use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

/// Plans without looking at any target.
#[derive(Default)]
pub struct FakePlanner {
    /// Failures of the next plans, in order.
    pub failures: Mutex<VecDeque<TaskFailure>>,
    /// Partitions that have nothing to move, by table and number.
    pub unchanged: Mutex<HashSet<(String, usize)>>,
    /// Tables whose deletions are tracked: the keys are one more partition, the last.
    pub with_keys: Mutex<HashSet<String>>,
}

impl FakePlanner {
    /// Names what runs of a table leave for the next.
    pub fn state_key_of(spec: &TableSpec) -> Option<String> {
        sync_key(PLATFORM, platform::source(PLATFORM)?, spec)
    }
}

#[async_trait]
impl TargetPlanner for FakePlanner {
    fn state_key(&self, _: &OwnedWorkflow, spec: &TableSpec) -> Result<Option<String>, String> {
        Ok(Self::state_key_of(spec))
    }

    async fn plan(
        &self,
        owned: &OwnedWorkflow,
        spec: &TableSpec,
        analysis: &TableAnalysis,
    ) -> Result<PlannedTable, TaskFailure> {
        if let Some(failure) = self.failures.lock().unwrap().pop_front() {
            return Err(failure);
        }
        let table = &spec.source.table.0;
        let unchanged = self.unchanged.lock().unwrap();
        let mut partitions: Vec<PlannedPartition> = analysis
            .partitions
            .iter()
            .enumerate()
            .map(|(no, partition)| PlannedPartition {
                slice: Slice {
                    after: partition.after.clone(),
                    ..partition.range.clone().into()
                },
                unchanged: unchanged.contains(&(table.clone(), no)),
                checksum: None,
            })
            .collect();
        if self.with_keys.lock().unwrap().contains(table) {
            partitions.push(PlannedPartition {
                slice: Slice {
                    range: KeyRange::Everything,
                    after: None,
                    content: Content::Keys,
                },
                unchanged: false,
                checksum: None,
            });
        }
        Ok(PlannedTable {
            plan: TablePlan {
                extract: ExtractSpec {
                    key: analysis.key.clone(),
                    ..ExtractSpec::new(owned.platform, spec.source.clone())
                },
                load: LoadSpec::new(spec.target.clone()),
                sync: SyncSpec::default(),
            },
            partitions,
            synchronization: sync_plan(Self::state_key_of(spec), spec, analysis, Vec::new()),
            row_estimate: analysis.row_estimate,
            byte_estimate: analysis.byte_estimate,
            warnings: analysis.warnings.clone(),
        })
    }
}
