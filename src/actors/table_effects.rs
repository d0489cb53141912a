//! What a table's actor does beside itself: each effect answers with a message of [`TablePlannerMsg`].

use super::Reply;
use super::copy_into::CopyIntoArguments;
use super::effects::ask_patiently;
use super::remote_extractor_pool::Submission;
use super::services::WorkflowServices;
use super::supervision::is_running;
use super::table_planner::TablePlannerMsg;
use super::workflow_reader::InFlightEffects;
use crate::checkpoint::{
    Applied, CheckpointError, EndedTask, NewTask, OwnedWorkflow, PartitionState,
};
use crate::domain::analysis::TableAnalysis;
use crate::domain::phase::PartitionPhase;
use crate::domain::problem::Code;
use crate::domain::retry::{Failure, RetryPolicy};
use crate::domain::spec::TableSpec;
use crate::domain::table_life::{OpenPartition, Problem};
use crate::domain::table_plan::TablePlan;
use crate::domain::task::{TaskFailure, TaskKind};
use crate::domain::{PartitionNo, TableNo};
use crate::retry::retry;
use ractor::ActorCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
enum Unplanned {
    #[error("{}", .0.message)]
    Failed(TaskFailure),
    #[error(transparent)]
    Checkpoint(CheckpointError),
}

impl Unplanned {
    fn failure(&self) -> Failure {
        match self {
            Self::Failed(failure) => failure.kind(),
            // It has been asked for as long as that may help.
            Self::Checkpoint(_) => Failure::Permanent,
        }
    }
}

/// What the effects of one table need.
#[derive(Clone)]
pub(super) struct TableEffects {
    /// The table's actor.
    pub asker: ActorCell,
    pub owned: Arc<OwnedWorkflow>,
    pub table_no: TableNo,
    pub services: WorkflowServices,
}

impl TableEffects {
    /// Claims the state that earlier runs have left under this key.
    pub async fn claim_state(self, spec: TableSpec, key: String) -> TablePlannerMsg {
        let tables = (&spec.source, &spec.target);
        let claim = ask_patiently(&self.asker, "for the state of earlier runs", || {
            let checkpoint = &self.services.checkpoint;
            checkpoint.claim_synchronization(&self.owned, self.table_no, &key, tables)
        });
        match claim.await {
            Ok(holder) => TablePlannerMsg::Claimed(holder),
            Err(CheckpointError::Fenced(_)) => TablePlannerMsg::Fenced,
            Err(error) => TablePlannerMsg::Reload(error.to_string()),
        }
    }

    /// Makes a plan of the analysis, and writes it.
    pub async fn plan(
        self,
        spec: TableSpec,
        analysis: Box<TableAnalysis>,
        in_flight: Arc<InFlightEffects>,
    ) -> TablePlannerMsg {
        let has_failed = AtomicBool::new(false);
        let attempt = || async {
            if has_failed.load(Ordering::Relaxed) {
                // An outage gives nothing up: the next try counts only when the checkpoint answers.
                let answer = ask_patiently(&self.asker, "whether it answers", || {
                    let checkpoint = &self.services.checkpoint;
                    checkpoint.count_partitions(self.owned.id, self.table_no)
                });
                answer.await.map_err(Unplanned::Checkpoint)?;
            }
            let planned = self.services.planner.plan(&self.owned, &spec, &analysis);
            planned.await.map_err(Unplanned::Failed)
        };
        let planned = retry(
            RetryPolicy::PLAN,
            attempt,
            Unplanned::failure,
            |unplanned, pause| {
                has_failed.store(true, Ordering::Relaxed);
                tracing::warn!(workflow = %self.owned.name, table = %spec.source, reason = %unplanned, ?pause, "the plan failed; making it again");
            },
        );
        let planned = match planned.await {
            Ok(planned) => planned,
            Err(Unplanned::Failed(failure)) => return TablePlannerMsg::Impossible(failure.message),
            Err(Unplanned::Checkpoint(error)) => return TablePlannerMsg::Reload(error.to_string()),
        };
        let _writing = in_flight.plan_lock.read().await;
        if !is_running(&self.asker) {
            // Whoever has read the table since then waits for its analysis, which the plan would take away.
            return TablePlannerMsg::Reload("the table's actor is gone".to_owned());
        }
        let written = ask_patiently(&self.asker, "to write a plan", || {
            let checkpoint = &self.services.checkpoint;
            checkpoint.write_plan(&self.owned, self.table_no, &planned)
        });
        match written.await {
            Ok(Applied::Yes) => TablePlannerMsg::Planned(Arc::new(planned.plan)),
            Ok(Applied::No) => TablePlannerMsg::Reload("the table was planned already".to_owned()),
            Err(CheckpointError::Fenced(_)) => TablePlannerMsg::Fenced,
            Err(error) => TablePlannerMsg::Reload(error.to_string()),
        }
    }

    /// Reads so many partitions that have not ended, from this one on.
    pub async fn read_page(self, from: PartitionNo, limit: usize) -> TablePlannerMsg {
        let open = [PartitionPhase::Pending, PartitionPhase::Staged];
        let page = ask_patiently(&self.asker, "which partitions are open", || {
            let checkpoint = &self.services.checkpoint;
            checkpoint.load_partitions(self.owned.id, self.table_no, &open, from, limit)
        });
        match page.await {
            Ok(page) => {
                let is_last = page.len() < limit;
                TablePlannerMsg::Page(page, is_last)
            }
            Err(error) => TablePlannerMsg::Reload(error.to_string()),
        }
    }

    /// Reads one partition, in whatever phase.
    pub async fn reread(self, no: PartitionNo) -> TablePlannerMsg {
        let answer = ask_patiently(&self.asker, "how far a partition is", || {
            let checkpoint = &self.services.checkpoint;
            checkpoint.load_partitions(self.owned.id, self.table_no, PartitionPhase::ALL, no, 1)
        });
        let answer = answer.await.map_err(|error| error.to_string());
        let found = answer.map(|rows| rows.into_iter().find(|row| row.partition_no == no));
        TablePlannerMsg::Reloaded(no, found)
    }

    /// The analysis of the table as a task; `ended` hears of its end.
    pub fn analysis(&self, ended: Reply<EndedTask>) -> Submission {
        Submission {
            owned: self.owned.clone(),
            task: NewTask {
                kind: TaskKind::Analyze,
                table_no: self.table_no,
                partition: None,
                priority: -1,
            },
            ended,
        }
    }

    /// What the table's loader starts with.
    pub fn loader(self, plan: Arc<TablePlan>) -> CopyIntoArguments {
        CopyIntoArguments {
            owned: self.owned,
            table_no: self.table_no,
            plan,
            loader: self.services.loader,
            checkpoint: self.services.checkpoint,
            permits: self.services.load_permits,
            gates: self.services.load_gates,
        }
    }

    /// Counts the partitions by phase.
    pub async fn count(self) -> TablePlannerMsg {
        let counts = ask_patiently(&self.asker, "how the partitions ended", || {
            let checkpoint = &self.services.checkpoint;
            checkpoint.count_partitions(self.owned.id, self.table_no)
        });
        match counts.await {
            Ok(counts) => TablePlannerMsg::Counted(counts),
            Err(error) => TablePlannerMsg::Reload(error.to_string()),
        }
    }
}

/// What the operator is told of a table of this workflow.
pub(super) fn explained(problem: &Problem, workflow: &str) -> String {
    match problem {
        Problem::StateHeld(holder) => Code::STATE_HELD
            .problem(format!(
                "the workflow {holder} synchronizes the same source table into the same target and has not ended"
            ))
            .hint(format!(
                "let an orchestrator and its workers finish it (`snowhaul workflow status {holder}` shows how far it is) or cancel it, then let this table run again with `snowhaul workflow retry {workflow}`"
            ))
            .to_string(),
        Problem::Cancelled(count) => Code::PARTITIONS_CANCELLED
            .problem(format!(
                "{count} of its partitions were cancelled before they were loaded"
            ))
            .hint(format!("`snowhaul workflow retry {workflow}` loads them"))
            .to_string(),
        Problem::Impossible(error) => error.clone(),
    }
}

/// A partition as the table's life sees it.
pub(super) fn open(partition: PartitionState) -> OpenPartition<PartitionState> {
    OpenPartition {
        partition_no: partition.partition_no,
        content: partition.slice.content,
        what: partition,
    }
}
