//! The double of the target planner: it takes the partitions of the analysis.

use crate::actors::ports::TargetPlanner;
use crate::checkpoint::{OwnedWorkflow, PlannedPartition, TablePlan};
use crate::domain::table::QueryModifiers;
use crate::domain::task::{ExtractionSpec, LoadMode, TableAnalysis, TableSpec, TaskFailure};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::Mutex;

/// Plans without looking at any target.
#[derive(Default)]
pub struct FakePlanner {
    /// Failures of the next plans, in order.
    pub failures: Mutex<VecDeque<TaskFailure>>,
}

#[async_trait]
impl TargetPlanner for FakePlanner {
    async fn plan(
        &self,
        owned: &OwnedWorkflow,
        spec: &TableSpec,
        analysis: &TableAnalysis,
    ) -> Result<TablePlan, TaskFailure> {
        if let Some(failure) = self.failures.lock().unwrap().pop_front() {
            return Err(failure);
        }
        Ok(TablePlan {
            extraction: ExtractionSpec {
                platform: owned.platform,
                source: spec.source.clone(),
                target: spec.target.clone(),
                key: analysis.key.clone(),
                columns: Vec::new(),
                where_clause: None,
                query_modifiers: QueryModifiers::default(),
                checksum: None,
                watermark: None,
                load: LoadMode::Append,
                primary_key: Vec::new(),
                sync_key: None,
                load_segment_mb: None,
            },
            partitions: analysis
                .partitions
                .iter()
                .map(|partition| PlannedPartition {
                    slice: partition.range.clone().into(),
                    unchanged: partition.unchanged,
                    checksum: None,
                })
                .collect(),
            synchronization: None,
            row_estimate: analysis.row_estimate,
            byte_estimate: analysis.byte_estimate,
            warnings: analysis.warnings.clone(),
        })
    }
}
