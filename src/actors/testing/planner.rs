//! The double of the target planner: one partition for each boundary and one before the first.

use crate::actors::ports::TargetPlanner;
use crate::checkpoint::{OwnedWorkflow, TablePlan};
use crate::domain::table::KeyRange;
use crate::domain::task::{ExtractionSpec, TableAnalysis, TableSpec, TaskFailure};
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
        let mut lower = None;
        let mut ranges = Vec::new();
        for boundary in &analysis.boundaries {
            let upper = Some(boundary.clone());
            ranges.push(KeyRange::Between {
                lower: std::mem::replace(&mut lower, upper.clone()),
                upper,
            });
        }
        ranges.push(KeyRange::Between { lower, upper: None });
        Ok(TablePlan {
            extraction: ExtractionSpec {
                platform: owned.platform,
                source: spec.source.clone(),
                target: spec.target.clone(),
                key: analysis.key.clone(),
                columns: Vec::new(),
                where_clause: None,
            },
            ranges,
            row_estimate: analysis.row_estimate,
            byte_estimate: analysis.byte_estimate,
            warnings: analysis.warnings.clone(),
        })
    }
}
