//! WorkflowActor: leads one workflow: a planner for each table, a CopyIntoActor for each target, and the end.

use super::checkpoint_writer::{Change, CheckpointWriterMsg, Written};
use super::copy_into::{CopyIntoActor, CopyIntoArguments, CopyIntoMsg};
use super::ports::{Loader, TargetPlanner};
use super::remote_extractor_pool::RemoteExtractorPoolMsg;
use super::supervision::{ChildEnd, Restarts, child_end};
use super::table_planner::{TableEnd, TablePlannerActor, TablePlannerArguments};
use super::{Reply, reply_to};
use crate::checkpoint::{
    CheckpointError, OrchestratorCheckpoint, OwnedWorkflow, StateChange, TableState,
};
use crate::domain::TableNo;
use crate::domain::phase::{TablePhase, WorkflowPhase};
use crate::domain::restart::RestartPolicy;
use crate::domain::task::ExtractionSpec;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Tables of one workflow that are worked on at once; the others wait their turn.
pub const MAX_ACTIVE_TABLES: usize = 16;

/// What every workflow of a process shares.
#[derive(Clone)]
pub struct WorkflowServices {
    /// The checkpoint.
    pub checkpoint: Arc<dyn OrchestratorCheckpoint>,
    /// Loads.
    pub loader: Arc<dyn Loader>,
    /// Plans targets.
    pub planner: Arc<dyn TargetPlanner>,
    /// Loads at once in the whole process.
    pub load_permits: Arc<Semaphore>,
    /// Partitions of one table in flight at most.
    pub partition_window: usize,
}

/// How driving a workflow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkflowEnd {
    /// Every table is completed or failed.
    Completed,
    /// Somebody else drives it.
    Fenced,
}

/// Messages.
pub enum WorkflowMsg {
    /// The tables as the checkpoint has them.
    Loaded(Vec<TableState>),
    /// The checkpoint could not be used: start again from there.
    Reload(String),
    /// A table's planner needs its CopyIntoActor.
    NeedLoader(TableNo, ExtractionSpec, Reply<ActorRef<CopyIntoMsg>>),
    /// A table ended.
    TableEnded(TableNo, TableEnd),
    /// Start a table's planner again, from the checkpoint.
    RestartTable(TableNo),
    /// A table that was given up here was written as failed.
    GivenUp(TableNo, Written),
    /// The workflow's end was written.
    Completed(Result<(), CheckpointError>),
}

/// The actor.
pub struct WorkflowActor;

/// What it starts with.
pub struct WorkflowArguments {
    /// The workflow.
    pub owned: Arc<OwnedWorkflow>,
    /// Shared services.
    pub services: WorkflowServices,
    /// Writes state.
    pub writer: ActorRef<CheckpointWriterMsg>,
    /// Runs tasks.
    pub pool: ActorRef<RemoteExtractorPoolMsg>,
    /// Told when driving has ended.
    pub ended: Reply<WorkflowEnd>,
}

/// Its state.
pub struct WorkflowState {
    arguments: WorkflowArguments,
    ended: Option<Reply<WorkflowEnd>>,
    waiting: BTreeMap<TableNo, TableState>,
    planners: HashMap<ActorId, TableNo>,
    loaders: HashMap<ActorId, TableNo>,
    /// Planners that are to be started again after a pause.
    restarting: usize,
    restarts: HashMap<TableNo, Restarts>,
    completing: bool,
}

impl Actor for WorkflowActor {
    type Msg = WorkflowMsg;
    type State = WorkflowState;
    type Arguments = WorkflowArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        mut arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let ended = std::mem::replace(&mut arguments.ended, Box::new(|_| {}));
        let (checkpoint, owned) = (
            arguments.services.checkpoint.clone(),
            arguments.owned.clone(),
        );
        tokio::spawn(async move {
            let _ = myself.cast(match load(checkpoint.as_ref(), &owned).await {
                Ok(tables) => WorkflowMsg::Loaded(tables),
                Err(CheckpointError::Fenced(_)) => {
                    WorkflowMsg::Completed(Err(CheckpointError::Fenced(owned.id)))
                }
                Err(error) => WorkflowMsg::Reload(error.to_string()),
            });
        });
        Ok(WorkflowState {
            arguments,
            ended: Some(ended),
            waiting: BTreeMap::new(),
            planners: HashMap::new(),
            loaders: HashMap::new(),
            restarting: 0,
            restarts: HashMap::new(),
            completing: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            WorkflowMsg::Loaded(tables) => {
                let open = tables
                    .into_iter()
                    .filter(|table| !table.phase.is_terminal());
                state.waiting = open.map(|table| (table.table_no, table)).collect();
                state.advance(&myself).await;
            }
            WorkflowMsg::Reload(reason) => return Err(reason.into()),
            WorkflowMsg::NeedLoader(table_no, extraction, reply) => {
                state
                    .spawn_loader(&myself, table_no, extraction, reply)
                    .await
            }
            WorkflowMsg::TableEnded(_, TableEnd::Fenced)
            | WorkflowMsg::GivenUp(_, Written::Fenced) => state.end(&myself, WorkflowEnd::Fenced),
            WorkflowMsg::TableEnded(no, _) | WorkflowMsg::GivenUp(no, _) => {
                state.planners.retain(|_, other| *other != no);
                state.stop_loader(&myself, no);
                state.advance(&myself).await;
            }
            WorkflowMsg::RestartTable(no) => state.restart_table(&myself, no).await,
            WorkflowMsg::Completed(Ok(())) => state.end(&myself, WorkflowEnd::Completed),
            WorkflowMsg::Completed(Err(CheckpointError::Fenced(_))) => {
                state.end(&myself, WorkflowEnd::Fenced)
            }
            WorkflowMsg::Completed(Err(error)) => return Err(error.into()),
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
        if let Some(no) = state.loaders.remove(&id) {
            // The partitions that wait for this loader would wait for ever: the table starts again with a new one.
            let planner = state
                .planners
                .iter()
                .find(|(_, other)| **other == no)
                .map(|(planner, _)| *planner);
            for child in myself
                .get_cell()
                .get_children()
                .into_iter()
                .filter(|child| Some(child.get_id()) == planner)
            {
                child.kill();
            }
        } else if let Some(no) = state.planners.remove(&id) {
            state.stop_loader(&myself, no);
            let restarts = state
                .restarts
                .entry(no)
                .or_insert_with(|| Restarts::new(RestartPolicy::WORK));
            match restarts.failed() {
                Some(delay) => {
                    tracing::warn!(workflow = %state.arguments.owned.name, table = no.0, reason, ?delay, "table is rebuilt from the checkpoint");
                    state.restarting += 1;
                    myself.send_after(delay, move || WorkflowMsg::RestartTable(no));
                }
                None => state.give_up(&myself, no, &reason),
            }
        }
        Ok(())
    }
}

/// Reads the tables; the first time, starts the workflow.
async fn load(
    checkpoint: &dyn OrchestratorCheckpoint,
    owned: &OwnedWorkflow,
) -> Result<Vec<TableState>, CheckpointError> {
    if owned.phase == WorkflowPhase::Pending {
        checkpoint.start_workflow(owned).await?;
    }
    checkpoint.load_tables(owned.id).await
}

impl WorkflowState {
    async fn advance(&mut self, myself: &ActorRef<WorkflowMsg>) {
        let room = MAX_ACTIVE_TABLES.saturating_sub(self.planners.len() + self.restarting);
        let numbers: Vec<TableNo> = self.waiting.keys().take(room).copied().collect();
        let tables: Vec<TableState> = numbers
            .iter()
            .filter_map(|no| self.waiting.remove(no))
            .collect();
        let fresh: Vec<TableNo> = tables
            .iter()
            .filter(|t| t.phase == TablePhase::Pending)
            .map(|t| t.table_no)
            .collect();
        if !fresh.is_empty() {
            // One statement for all that start now; a failure is no more than a phase that users see later.
            let (checkpoint, owned) = (
                self.arguments.services.checkpoint.clone(),
                self.arguments.owned.clone(),
            );
            if let Err(error) = checkpoint.start_analysis(&owned, &fresh).await {
                let _ = myself.cast(WorkflowMsg::Reload(error.to_string()));
                return;
            }
        }
        for table in tables {
            self.spawn_planner(myself, table).await;
        }
        if self.waiting.is_empty()
            && self.planners.is_empty()
            && self.restarting == 0
            && !self.completing
        {
            self.completing = true;
            let (services, owned, myself) = (
                self.arguments.services.clone(),
                self.arguments.owned.clone(),
                myself.clone(),
            );
            tokio::spawn(async move {
                let result = services.checkpoint.complete_workflow(&owned).await;
                if result.is_ok() {
                    services.loader.remove_files(&owned, None).await;
                }
                let _ = myself.cast(WorkflowMsg::Completed(result));
            });
        }
    }

    async fn spawn_planner(&mut self, myself: &ActorRef<WorkflowMsg>, table: TableState) {
        let no = table.table_no;
        let workflow = myself.clone();
        let arguments = TablePlannerArguments {
            owned: self.arguments.owned.clone(),
            table,
            checkpoint: self.arguments.services.checkpoint.clone(),
            writer: self.arguments.writer.clone(),
            pool: self.arguments.pool.clone(),
            planner: self.arguments.services.planner.clone(),
            need_loader: Arc::new(move |extraction, reply| {
                let _ = workflow.cast(WorkflowMsg::NeedLoader(no, extraction, reply));
            }),
            window: self.arguments.services.partition_window,
            ended: reply_to(myself, move |end| WorkflowMsg::TableEnded(no, end)),
        };
        match TablePlannerActor::spawn_linked(None, TablePlannerActor, arguments, myself.get_cell())
            .await
        {
            Ok((actor, _)) => {
                self.planners.insert(actor.get_id(), no);
            }
            Err(error) => self.give_up(myself, no, &error.to_string()),
        }
    }

    async fn spawn_loader(
        &mut self,
        myself: &ActorRef<WorkflowMsg>,
        table_no: TableNo,
        extraction: ExtractionSpec,
        reply: Reply<ActorRef<CopyIntoMsg>>,
    ) {
        self.stop_loader(myself, table_no);
        let services = &self.arguments.services;
        let arguments = CopyIntoArguments {
            owned: self.arguments.owned.clone(),
            table_no,
            extraction: Arc::new(extraction),
            loader: services.loader.clone(),
            checkpoint: services.checkpoint.clone(),
            permits: services.load_permits.clone(),
        };
        match CopyIntoActor::spawn_linked(None, CopyIntoActor, arguments, myself.get_cell()).await {
            Ok((actor, _)) => {
                self.loaders.insert(actor.get_id(), table_no);
                reply(actor);
            }
            Err(error) => {
                let _ = myself.cast(WorkflowMsg::Reload(error.to_string()));
            }
        }
    }

    fn stop_loader(&mut self, myself: &ActorRef<WorkflowMsg>, table_no: TableNo) {
        let old: Vec<ActorId> = self
            .loaders
            .iter()
            .filter(|(_, no)| **no == table_no)
            .map(|(id, _)| *id)
            .collect();
        self.loaders.retain(|_, no| *no != table_no);
        for child in myself
            .get_cell()
            .get_children()
            .into_iter()
            .filter(|child| old.contains(&child.get_id()))
        {
            child.stop(None);
        }
    }

    async fn restart_table(&mut self, myself: &ActorRef<WorkflowMsg>, no: TableNo) {
        self.restarting = self.restarting.saturating_sub(1);
        match self
            .arguments
            .services
            .checkpoint
            .load_tables(self.arguments.owned.id)
            .await
        {
            Ok(tables) => match tables.into_iter().find(|table| table.table_no == no) {
                Some(table) => self.spawn_planner(myself, table).await,
                None => self.give_up(myself, no, "the checkpoint has no such table"),
            },
            Err(error) => {
                tracing::warn!(workflow = %self.arguments.owned.name, table = no.0, %error, "the checkpoint could not be read; trying again");
                self.restarting += 1;
                myself.send_after(Duration::from_secs(2), move || {
                    WorkflowMsg::RestartTable(no)
                });
            }
        }
    }

    /// The failure of a table's actor becomes the table's; the workflow goes on.
    fn give_up(&self, myself: &ActorRef<WorkflowMsg>, no: TableNo, reason: &str) {
        let error = Some(format!(
            "given up after repeated failures inside the orchestrator: {reason}"
        ));
        let change = StateChange::TableEnded {
            table_no: no,
            phase: TablePhase::Failed,
            error,
        };
        let change = Change {
            owned: self.arguments.owned.clone(),
            change,
            reply: reply_to(myself, move |written| WorkflowMsg::GivenUp(no, written)),
        };
        let _ = self
            .arguments
            .writer
            .cast(CheckpointWriterMsg::Write(change));
    }

    fn end(&mut self, myself: &ActorRef<WorkflowMsg>, end: WorkflowEnd) {
        if let Some(ended) = self.ended.take() {
            ended(end);
        }
        myself.stop(None);
    }
}
