//! TablePlannerActor: leads one table from its specification to its end: analysis, plan, and a window of partitions.

use super::checkpoint_writer::{Change, CheckpointWriterMsg, Written, settled_writes};
use super::copy_into::{CopyIntoActor, CopyIntoArguments, CopyIntoMsg};
use super::effects::{self, ask_patiently};
use super::partition::{PartitionActor, PartitionArguments, PartitionEnd};
use super::remote_extractor_pool::{RemoteExtractorPoolMsg, Submission};
use super::services::WorkflowServices;
use super::supervision::{ChildEnd, Restarts, child_end, is_running};
use super::workflow_reader::Outliving;
use super::{Reply, reply_to};
use crate::checkpoint::{
    Applied, CheckpointError, EndedTask, NewTask, OrchestratorCheckpoint, OwnedWorkflow,
    PartitionKey, PartitionState, StateChange, TableState,
};
use crate::domain::analysis::TableAnalysis;
use crate::domain::phase::{PartitionPhase, TablePhase};
use crate::domain::restart::RestartPolicy;
use crate::domain::retry::{Failure, RetryPolicy};
use crate::domain::table::Content;
use crate::domain::table_plan::TablePlan;
use crate::domain::task::{TaskFailure, TaskKind};
use crate::domain::{PartitionNo, TableNo, WorkflowId};
use crate::retry::retry;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A page of partitions is this many windows, and at least [`MIN_PAGE`] partitions.
const PAGE_WINDOWS: usize = 4;
/// A small window must not cost a statement for each partition.
const MIN_PAGE: usize = 200;

/// How a table ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableEnd {
    /// All partitions are loaded.
    Completed,
    /// It failed, and the checkpoint says why; or an operator has cancelled it.
    Failed,
    /// Somebody else drives the workflow.
    Fenced,
}

/// Messages.
pub enum TablePlannerMsg {
    /// The state that earlier runs left belongs to this workflow, or to the one of this name.
    Claimed(Option<String>),
    /// The analysis ended.
    Analyzed(EndedTask),
    /// The plan was written: go on with it.
    Planned(Arc<TablePlan>),
    /// The table as a whole cannot be migrated.
    Impossible(String),
    /// The checkpoint could not be used as it should: start again from there.
    Reload(String),
    /// A page of partitions that are not terminal, and whether it is the last.
    Page(Vec<PartitionState>, bool),
    /// A partition ended.
    PartitionEnded(PartitionNo, PartitionEnd),
    /// Read this partition from the checkpoint, to start its actor again.
    Restart(PartitionNo),
    /// What was read.
    Reloaded(PartitionNo, Result<Option<PartitionState>, String>),
    /// How the table shall end, by its partitions.
    Counted(Vec<(PartitionPhase, u64)>),
    /// The end was written (or not).
    EndWritten(Written, TableEnd),
    /// A partition that was given up here was written as failed.
    GivenUp(PartitionNo, Written),
}

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
            Self::Checkpoint(_) => Failure::Final,
        }
    }
}

/// The actor.
pub struct TablePlannerActor;

/// What it starts with.
pub struct TablePlannerArguments {
    /// The workflow.
    pub owned: Arc<OwnedWorkflow>,
    /// The table as the checkpoint has it now; Pending is started as Analyzing by the workflow.
    pub table: TableState,
    /// Shared services.
    pub services: WorkflowServices,
    /// Writes state.
    pub writer: ActorRef<CheckpointWriterMsg>,
    /// Runs tasks.
    pub pool: ActorRef<RemoteExtractorPoolMsg>,
    /// Shared while a plan is written, alone while the workflow or one of its tables is read to be rebuilt.
    pub outliving: Arc<Outliving>,
    /// Told when the table has ended.
    pub ended: Reply<TableEnd>,
}

/// Its state.
pub struct TablePlannerState {
    arguments: TablePlannerArguments,
    ended: Option<Reply<TableEnd>>,
    /// Once it is planned.
    copy_into: Option<ActorRef<CopyIntoMsg>>,
    /// Loaded from the checkpoint, not started.
    backlog: VecDeque<PartitionState>,
    /// The next page starts here; `None`: all pages are read.
    next_page: Option<PartitionNo>,
    paging: bool,
    in_flight: HashMap<ActorId, PartitionNo>,
    restarting: usize,
    /// Given up here, not yet written as failed.
    giving_up: HashSet<PartitionNo>,
    restarts: HashMap<PartitionNo, Restarts>,
    counting: bool,
}

impl Actor for TablePlannerActor {
    type Msg = TablePlannerMsg;
    type State = TablePlannerState;
    type Arguments = TablePlannerArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        mut arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let ended = std::mem::replace(&mut arguments.ended, Box::new(|_| {}));
        let mut state = TablePlannerState {
            arguments,
            ended: Some(ended),
            copy_into: None,
            backlog: VecDeque::new(),
            next_page: Some(PartitionNo(0)),
            paging: false,
            in_flight: HashMap::new(),
            restarting: 0,
            giving_up: HashSet::new(),
            restarts: HashMap::new(),
            counting: false,
        };
        match (
            state.arguments.table.phase,
            state.arguments.table.plan.clone(),
        ) {
            (TablePhase::Pending | TablePhase::Analyzing, _) => state.claim_or_submit(&myself)?,
            (TablePhase::Executing, Some(plan)) => {
                myself.cast(TablePlannerMsg::Planned(Arc::new(plan)))?;
            }
            (TablePhase::Executing, None) => {
                return Err("the checkpoint has an executing table without its extraction".into());
            }
            (TablePhase::Completed, _) => state.end(&myself, TableEnd::Completed),
            (TablePhase::Failed | TablePhase::Cancelled, _) => state.end(&myself, TableEnd::Failed),
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            TablePlannerMsg::Claimed(None) => state.submit_analysis(&myself),
            TablePlannerMsg::Claimed(Some(holder)) => {
                let error = format!(
                    "the workflow {holder} synchronizes the same source table into the same target and has not ended: let an orchestrator and its workers finish it (`snowhaul workflow status {holder}` tells how far it is) or cancel it, then let this table run again with `snowhaul workflow retry {}`",
                    state.arguments.owned.name
                );
                state.write_end(&myself, TableEnd::Failed, Some(error));
            }
            TablePlannerMsg::Analyzed(task) => match task.result {
                Ok(json) => state.plan(&myself, &json)?,
                Err(error) => state.write_end(&myself, TableEnd::Failed, Some(error)),
            },
            TablePlannerMsg::Planned(plan) => {
                state.spawn_loader(&myself, plan).await?;
                state.advance(&myself).await;
            }
            TablePlannerMsg::Impossible(error) => {
                state.write_end(&myself, TableEnd::Failed, Some(error))
            }
            TablePlannerMsg::Reload(reason) => return Err(reason.into()),
            TablePlannerMsg::Page(partitions, last) => {
                state.paging = false;
                state.next_page = match partitions.last() {
                    Some(partition) if !last => Some(PartitionNo(partition.partition_no.0 + 1)),
                    _ => None,
                };
                state.backlog.extend(partitions);
                state.advance(&myself).await;
            }
            TablePlannerMsg::PartitionEnded(_, PartitionEnd::Fenced)
            | TablePlannerMsg::EndWritten(Written::Fenced, _)
            | TablePlannerMsg::GivenUp(_, Written::Fenced) => {
                state.end(&myself, TableEnd::Fenced);
            }
            TablePlannerMsg::PartitionEnded(no, PartitionEnd::Loaded | PartitionEnd::Failed)
            | TablePlannerMsg::GivenUp(no, _) => {
                state.in_flight.retain(|_, other| *other != no);
                state.giving_up.remove(&no);
                state.restarts.remove(&no);
                state.advance(&myself).await;
            }
            TablePlannerMsg::Restart(no) => state.reload(&myself, no),
            TablePlannerMsg::Reloaded(no, answer) => state.reloaded(&myself, no, answer).await,
            TablePlannerMsg::Counted(counts) => {
                let count = |phase| {
                    counts
                        .iter()
                        .filter(|(p, _)| *p == phase)
                        .map(|(_, n)| n)
                        .sum::<u64>()
                };
                if count(PartitionPhase::Pending) + count(PartitionPhase::Staged) > 0 {
                    return Err("partitions were left over".into());
                }
                // A table that goes on has none; whatever it comes from, their rows are not in the target.
                let cancelled = count(PartitionPhase::Cancelled);
                let (end, error) = if cancelled > 0 {
                    let error = format!(
                        "{cancelled} of its partitions were cancelled before they were loaded; `snowhaul workflow retry {}` loads them",
                        state.arguments.owned.name
                    );
                    (TableEnd::Failed, Some(error))
                } else if count(PartitionPhase::Failed) > 0 {
                    (TableEnd::Failed, None)
                } else {
                    (TableEnd::Completed, None)
                };
                state.write_end(&myself, end, error);
            }
            TablePlannerMsg::EndWritten(Written::Applied, end) => state.end(&myself, end),
            TablePlannerMsg::EndWritten(Written::Stale, _) => {
                return Err("the table's phase in the checkpoint is not the expected one".into());
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Some(ChildEnd::Failed(id, reason)) = child_end(&event) else {
            return Ok(());
        };
        if state.copy_into.as_ref().map(|loader| loader.get_id()) == Some(id) {
            // The partitions that wait for it would wait for ever: the table starts again with a new one.
            return Err(format!("the loader of the table failed: {reason}").into());
        }
        if let Some(no) = state.in_flight.remove(&id) {
            let restarts = state
                .restarts
                .entry(no)
                .or_insert_with(|| Restarts::new(RestartPolicy::WORK));
            match restarts.failed() {
                Some(delay) => {
                    tracing::warn!(workflow = %state.arguments.owned.name, table = %state.arguments.table.spec.source, partition = no.0, reason, ?delay, "partition is rebuilt from the checkpoint");
                    state.restarting += 1;
                    myself.send_after(delay, move || TablePlannerMsg::Restart(no));
                }
                None => state.give_up(&myself, no, reason),
            }
        }
        Ok(())
    }
}

impl TablePlannerState {
    fn table_no(&self) -> TableNo {
        self.arguments.table.table_no
    }

    /// What earlier runs left behind is read by the analysis, and moved on by the loads: nobody else may in between.
    fn claim_or_submit(
        &self,
        myself: &ActorRef<TablePlannerMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let owned = self.arguments.owned.clone();
        let spec = self.arguments.table.spec.clone();
        let Some(key) = self.arguments.services.planner.state_key(&owned, &spec)? else {
            self.submit_analysis(myself);
            return Ok(());
        };
        let (checkpoint, table_no) = (self.arguments.services.checkpoint.clone(), self.table_no());
        let asker = myself.get_cell();
        effects::run(myself, async move {
            let tables = (&spec.source, &spec.target);
            let claim = ask_patiently(&asker, "for the state of earlier runs", || {
                checkpoint.claim_synchronization(&owned, table_no, &key, tables)
            });
            match claim.await {
                Ok(holder) => TablePlannerMsg::Claimed(holder),
                Err(CheckpointError::Fenced(_)) => {
                    TablePlannerMsg::EndWritten(Written::Fenced, TableEnd::Fenced)
                }
                Err(error) => TablePlannerMsg::Reload(error.to_string()),
            }
        });
        Ok(())
    }

    fn submit_analysis(&self, myself: &ActorRef<TablePlannerMsg>) {
        let task = NewTask {
            kind: TaskKind::Analyze,
            table_no: self.table_no(),
            partition: None,
            priority: -1,
        };
        let submission = Submission {
            owned: self.arguments.owned.clone(),
            task,
            ended: reply_to(myself, TablePlannerMsg::Analyzed),
        };
        let _ = self
            .arguments
            .pool
            .cast(RemoteExtractorPoolMsg::Submit(submission));
    }

    fn plan(
        &self,
        myself: &ActorRef<TablePlannerMsg>,
        json: &str,
    ) -> Result<(), ActorProcessingErr> {
        let analysis: TableAnalysis = serde_json::from_str(json)
            .map_err(|e| format!("the analysis in the checkpoint does not read: {e}"))?;
        let (owned, table_no, spec) = (
            self.arguments.owned.clone(),
            self.table_no(),
            self.arguments.table.spec.clone(),
        );
        let (planner, checkpoint) = (
            self.arguments.services.planner.clone(),
            self.arguments.services.checkpoint.clone(),
        );
        let (asker, outliving) = (myself.get_cell(), self.arguments.outliving.clone());
        effects::run(myself, async move {
            let has_failed = AtomicBool::new(false);
            let attempt = async || {
                if has_failed.load(Ordering::Relaxed) {
                    // An outage gives nothing up: the next try counts only when the checkpoint answers.
                    let answer = ask_patiently(&asker, "whether it answers", || {
                        checkpoint.count_partitions(owned.id, table_no)
                    });
                    answer.await.map_err(Unplanned::Checkpoint)?;
                }
                let planned = planner.plan(&owned, &spec, &analysis).await;
                planned.map_err(Unplanned::Failed)
            };
            let planned = retry(
                RetryPolicy::PLAN,
                attempt,
                Unplanned::failure,
                |unplanned, pause| {
                    has_failed.store(true, Ordering::Relaxed);
                    tracing::warn!(workflow = %owned.name, table = %spec.source, reason = %unplanned, ?pause, "the plan failed; making it again");
                },
            );
            let planned = match planned.await {
                Ok(planned) => planned,
                Err(Unplanned::Failed(failure)) => {
                    return TablePlannerMsg::Impossible(failure.message);
                }
                Err(Unplanned::Checkpoint(error)) => {
                    return TablePlannerMsg::Reload(error.to_string());
                }
            };
            let _writing = outliving.whole.read().await;
            if !is_running(&asker) {
                // Whoever has read the table since then waits for its analysis, which the plan would take away.
                return TablePlannerMsg::Reload("the table's actor is gone".to_owned());
            }
            let written = ask_patiently(&asker, "to write a plan", || {
                checkpoint.write_plan(&owned, table_no, &planned)
            });
            match written.await {
                Ok(Applied::Yes) => TablePlannerMsg::Planned(Arc::new(planned.plan)),
                Ok(Applied::No) => {
                    TablePlannerMsg::Reload("the table was planned already".to_owned())
                }
                Err(CheckpointError::Fenced(_)) => {
                    TablePlannerMsg::EndWritten(Written::Fenced, TableEnd::Fenced)
                }
                Err(error) => TablePlannerMsg::Reload(error.to_string()),
            }
        });
        Ok(())
    }

    async fn spawn_loader(
        &mut self,
        myself: &ActorRef<TablePlannerMsg>,
        plan: Arc<TablePlan>,
    ) -> Result<(), ActorProcessingErr> {
        let services = &self.arguments.services;
        let arguments = CopyIntoArguments {
            owned: self.arguments.owned.clone(),
            table_no: self.table_no(),
            plan,
            loader: services.loader.clone(),
            checkpoint: services.checkpoint.clone(),
            permits: services.load_permits.clone(),
            gates: services.load_gates.clone(),
        };
        let loader = CopyIntoActor::spawn_linked(None, CopyIntoActor, arguments, myself.get_cell());
        self.copy_into = Some(loader.await?.0);
        Ok(())
    }

    /// Partitions that are not ended: in flight, in a restart pause, or being given up.
    fn at_work(&self) -> usize {
        self.in_flight.len() + self.restarting + self.giving_up.len()
    }

    /// Fills the window, reads the next page when the backlog is short, and counts when nothing is left.
    async fn advance(&mut self, myself: &ActorRef<TablePlannerMsg>) {
        let window = self.arguments.services.partition_window.max(1);
        while self.at_work() < window
            && let Some(partition) = self.backlog.front()
        {
            // The keys tell what is gone from the source: they are read when no row is on its way any more, or a row that
            // came in between would be taken for one that is gone.
            if partition.slice.content == Content::Keys && self.at_work() > 0 {
                break;
            }
            if let Some(partition) = self.backlog.pop_front() {
                self.spawn(myself, partition).await;
            }
        }
        if let Some(from) = self.next_page
            && !self.paging
            && self.backlog.len() < window
        {
            self.paging = true;
            let (checkpoint, id, table_no) = self.source();
            let limit = (window * PAGE_WINDOWS).max(MIN_PAGE);
            let asker = myself.get_cell();
            effects::run(myself, async move {
                let open = [PartitionPhase::Pending, PartitionPhase::Staged];
                let page = ask_patiently(&asker, "which partitions are open", || {
                    checkpoint.load_partitions(id, table_no, &open, from, limit)
                });
                match page.await {
                    Ok(page) => {
                        let last = page.len() < limit;
                        TablePlannerMsg::Page(page, last)
                    }
                    Err(error) => TablePlannerMsg::Reload(error.to_string()),
                }
            });
        }
        let idle = self.at_work() == 0 && self.backlog.is_empty();
        if idle && self.next_page.is_none() && !self.paging && !self.counting {
            self.counting = true;
            let (checkpoint, id, table_no) = self.source();
            let asker = myself.get_cell();
            effects::run(myself, async move {
                let counts = ask_patiently(&asker, "how the partitions ended", || {
                    checkpoint.count_partitions(id, table_no)
                });
                match counts.await {
                    Ok(counts) => TablePlannerMsg::Counted(counts),
                    Err(error) => TablePlannerMsg::Reload(error.to_string()),
                }
            });
        }
    }

    fn source(&self) -> (Arc<dyn OrchestratorCheckpoint>, WorkflowId, TableNo) {
        (
            self.arguments.services.checkpoint.clone(),
            self.arguments.owned.id,
            self.table_no(),
        )
    }

    async fn spawn(&mut self, myself: &ActorRef<TablePlannerMsg>, partition: PartitionState) {
        let Some(copy_into) = self.copy_into.clone() else {
            return;
        };
        let no = partition.partition_no;
        let arguments = PartitionArguments {
            owned: self.arguments.owned.clone(),
            table_no: self.table_no(),
            source: self.arguments.table.spec.source.clone(),
            partition,
            writer: self.arguments.writer.clone(),
            pool: self.arguments.pool.clone(),
            copy_into,
            ended: reply_to(myself, move |end| TablePlannerMsg::PartitionEnded(no, end)),
        };
        match PartitionActor::spawn_linked(None, PartitionActor, arguments, myself.get_cell()).await
        {
            Ok((actor, _)) => {
                self.in_flight.insert(actor.get_id(), no);
            }
            Err(error) => self.give_up(myself, no, error.to_string()),
        }
    }

    /// Reads a partition whose actor failed, after the changes that the actor may have sent.
    fn reload(&self, myself: &ActorRef<TablePlannerMsg>, no: PartitionNo) {
        let (checkpoint, id, table_no) = self.source();
        let (asker, writer) = (myself.get_cell(), self.arguments.writer.clone());
        effects::run(myself, async move {
            if let Err(gone) = settled_writes(&writer, Some(id)).await {
                return TablePlannerMsg::Reload(gone.to_owned());
            }
            let answer = ask_patiently(&asker, "how far a partition is", || {
                checkpoint.load_partitions(id, table_no, PartitionPhase::ALL, no, 1)
            });
            let answer = answer.await.map_err(|error| error.to_string());
            TablePlannerMsg::Reloaded(
                no,
                answer.map(|rows| rows.into_iter().find(|row| row.partition_no == no)),
            )
        });
    }

    async fn reloaded(
        &mut self,
        myself: &ActorRef<TablePlannerMsg>,
        no: PartitionNo,
        answer: Result<Option<PartitionState>, String>,
    ) {
        self.restarting = self.restarting.saturating_sub(1);
        match answer {
            Ok(Some(partition)) => self.spawn(myself, partition).await,
            Ok(None) => {
                let reason = "the checkpoint has no such partition".to_owned();
                self.give_up(myself, no, reason);
            }
            Err(reason) => self.give_up(myself, no, reason),
        }
    }

    /// The failure of a partition's actor becomes the partition's.
    fn give_up(&mut self, myself: &ActorRef<TablePlannerMsg>, no: PartitionNo, reason: String) {
        self.giving_up.insert(no);
        let key = PartitionKey {
            table_no: self.table_no(),
            partition_no: no,
        };
        let change = StateChange::PartitionFailed {
            key,
            error: format!("given up after repeated failures inside the orchestrator: {reason}"),
        };
        self.write(
            change,
            reply_to(myself, move |written| TablePlannerMsg::GivenUp(no, written)),
        );
    }

    fn write_end(&self, myself: &ActorRef<TablePlannerMsg>, end: TableEnd, error: Option<String>) {
        let phase = if end == TableEnd::Completed {
            TablePhase::Completed
        } else {
            TablePhase::Failed
        };
        if let Some(error) = &error {
            tracing::error!(workflow = %self.arguments.owned.name, table = %self.arguments.table.spec.source, error, "table failed");
        }
        let change = StateChange::TableEnded {
            table_no: self.table_no(),
            phase,
            error,
        };
        self.write(
            change,
            reply_to(myself, move |written| {
                TablePlannerMsg::EndWritten(written, end)
            }),
        );
    }

    fn write(&self, change: StateChange, reply: Reply<Written>) {
        let change = Change {
            owned: self.arguments.owned.clone(),
            change,
            reply,
        };
        let _ = self
            .arguments
            .writer
            .cast(CheckpointWriterMsg::Write(change));
    }

    fn end(&mut self, myself: &ActorRef<TablePlannerMsg>, end: TableEnd) {
        if let Some(ended) = self.ended.take() {
            ended(end);
        }
        myself.stop(None);
    }
}
