//! WorkflowActor: leads one workflow: a planner for each table, and the end.

use super::checkpoint_writer::{Change, CheckpointWriterMsg, Written};
use super::effects::{self, ask_patiently};
use super::remote_extractor_pool::RemoteExtractorPoolMsg;
use super::services::WorkflowServices;
use super::supervision::{Children, given_up, is_running};
use super::table_planner::{TableEnd, TablePlannerActor, TablePlannerArguments};
use super::workflow_reader::{InFlightEffects, Reader, Started};
use super::{Reply, reply_to};
use crate::checkpoint::{Applied, CheckpointError, OwnedWorkflow, StateChange, TableState};
use crate::domain::TableNo;
use crate::domain::phase::TablePhase;
use crate::domain::request::{Request, ended_as};
use crate::domain::restart::RestartPolicy;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Tables of one workflow that are worked on at once; the others wait their turn.
pub const MAX_ACTIVE_TABLES: usize = 16;

/// How driving a workflow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkflowEnd {
    /// Every table has ended.
    Completed,
    /// Somebody else drives it.
    Fenced,
}

/// Messages.
pub enum WorkflowMsg {
    /// The tables as the checkpoint has them.
    Loaded(Started),
    /// A table of which something was to be carried out, as it is now. `None`: it is not driven by this actor.
    CarriedOut(TableNo, Result<Option<Box<TableState>>, CheckpointError>),
    /// The checkpoint could not be used: start again from there.
    Reload(String),
    /// A table ended.
    TableEnded(TableNo, TableEnd),
    /// Read this table from the checkpoint, to start its planner again.
    RestartTable(TableNo),
    /// What was read.
    TableReloaded(TableNo, Result<Option<Box<TableState>>, String>),
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
    /// What its predecessor still does is waited for by this.
    pub in_flight: Arc<InFlightEffects>,
    /// Told when driving has ended.
    pub ended: Reply<WorkflowEnd>,
}

/// Its state.
pub struct WorkflowState {
    arguments: WorkflowArguments,
    ended: Option<Reply<WorkflowEnd>>,
    waiting: BTreeMap<TableNo, TableState>,
    /// Open tables that are paused, themselves or with the workflow: not driven until the dispatcher starts the workflow
    /// anew because something else is asked.
    paused: HashSet<TableNo>,
    /// Tables of which something is being carried out.
    ordered: HashSet<TableNo>,
    /// Those too that are to be started again after a pause, or that were given up and are not yet written as failed.
    planners: Children<TableNo>,
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
        let (reader, owned) = (reader(&arguments, &myself), arguments.owned.clone());
        effects::run(&myself, async move {
            match reader.start(&owned).await {
                Ok(Ok(started)) => WorkflowMsg::Loaded(started),
                Ok(Err(CheckpointError::Fenced(id))) => {
                    WorkflowMsg::Completed(Err(CheckpointError::Fenced(id)))
                }
                Ok(Err(error)) => WorkflowMsg::Reload(error.to_string()),
                Err(gone) => WorkflowMsg::Reload(gone.to_owned()),
            }
        });
        Ok(WorkflowState {
            arguments,
            ended: Some(ended),
            waiting: BTreeMap::new(),
            paused: HashSet::new(),
            ordered: HashSet::new(),
            planners: Children::new(RestartPolicy::WORK),
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
            WorkflowMsg::Loaded(started) => {
                state.ordered.extend(&started.ordered);
                for table in started.tables {
                    if !state.ordered.contains(&table.table_no) {
                        state.place(table);
                    }
                }
                if !state.paused.is_empty() {
                    tracing::info!(workflow = %state.arguments.owned.name, tables = state.paused.len(), "tables are paused");
                }
                for no in started.ordered {
                    state.apply_requests(&myself, no);
                }
                state.advance(&myself).await;
            }
            WorkflowMsg::CarriedOut(no, Ok(table)) => {
                state.ordered.remove(&no);
                if let Some(table) = table {
                    state.place(*table);
                }
                state.advance(&myself).await;
            }
            WorkflowMsg::CarriedOut(_, Err(CheckpointError::Fenced(_))) => {
                state.end(&myself, WorkflowEnd::Fenced)
            }
            WorkflowMsg::CarriedOut(_, Err(error)) => return Err(error.into()),
            WorkflowMsg::Reload(reason) => return Err(reason.into()),
            WorkflowMsg::TableEnded(_, TableEnd::Fenced)
            | WorkflowMsg::GivenUp(_, Written::Fenced) => state.end(&myself, WorkflowEnd::Fenced),
            WorkflowMsg::TableEnded(no, _) | WorkflowMsg::GivenUp(no, _) => {
                state.planners.ended(no);
                state.advance(&myself).await;
            }
            WorkflowMsg::RestartTable(no) => state.reload_table(&myself, no),
            WorkflowMsg::TableReloaded(no, answer) => {
                state.table_reloaded(&myself, no, answer).await
            }
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
        let Some(failure) = state.planners.failed(&event) else {
            return Ok(());
        };
        let (no, reason) = (failure.key, failure.reason);
        match failure.restart_after {
            Some(delay) => {
                tracing::warn!(workflow = %state.arguments.owned.name, table = no.0, reason, ?delay, "table is rebuilt from the checkpoint");
                myself.send_after(delay, move || WorkflowMsg::RestartTable(no));
            }
            None => state.give_up(&myself, no, &reason),
        }
        Ok(())
    }
}

fn reader(arguments: &WorkflowArguments, myself: &ActorRef<WorkflowMsg>) -> Reader {
    Reader {
        asker: myself.get_cell(),
        checkpoint: arguments.services.checkpoint.clone(),
        writer: arguments.writer.clone(),
        in_flight: arguments.in_flight.clone(),
    }
}

impl WorkflowState {
    /// Where a table goes that nobody works on: it waits for its turn, or for its pause to end.
    fn place(&mut self, table: TableState) {
        let pause = Some(Request::Pause);
        if table.phase.is_terminal() {
            return;
        }
        if self.arguments.owned.request == pause || table.request == pause {
            self.paused.insert(table.table_no);
        } else {
            self.waiting.insert(table.table_no, table);
        }
    }

    /// Beside the other tables: it may wait for a load.
    fn apply_requests(&self, myself: &ActorRef<WorkflowMsg>, no: TableNo) {
        let (reader, owned) = (
            reader(&self.arguments, myself),
            self.arguments.owned.clone(),
        );
        effects::run(myself, async move {
            let table = reader.apply_requests(&owned, no).await;
            WorkflowMsg::CarriedOut(no, table.map(|table| table.map(Box::new)))
        });
    }

    async fn advance(&mut self, myself: &ActorRef<WorkflowMsg>) {
        let room = MAX_ACTIVE_TABLES.saturating_sub(self.planners.len());
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
            // One statement for all that start now. Nobody waits for it: a plan may be written over Pending as well,
            // and a failure is no more than a phase that users see later.
            let (checkpoint, owned) = (
                self.arguments.services.checkpoint.clone(),
                self.arguments.owned.clone(),
            );
            tokio::spawn(async move {
                if let Err(error) = checkpoint.start_analysis(&owned, &fresh).await {
                    tracing::warn!(workflow = %owned.name, %error, "could not set the phase ANALYZING; the analysis continues");
                }
            });
        }
        for table in tables {
            self.spawn_planner(myself, table).await;
        }
        if self.waiting.is_empty()
            && self.paused.is_empty()
            && self.ordered.is_empty()
            && self.planners.is_empty()
            && !self.completing
        {
            self.completing = true;
            let (services, owned) = (
                self.arguments.services.clone(),
                self.arguments.owned.clone(),
            );
            let (asker, in_flight) = (myself.get_cell(), self.arguments.in_flight.clone());
            effects::run(myself, async move {
                // Whoever drives the workflow after this actor waits until this is over: what it lets run again must neither
                // lose its files nor end with the workflow.
                let _ending = in_flight.plan_lock.read().await;
                let is_wanted = || is_running(&asker);
                let not_wanted = || WorkflowMsg::Reload("the workflow's actor is gone".to_owned());
                if !is_wanted() {
                    return not_wanted();
                }
                // Before the workflow says that it is complete: whoever dies in between does it again.
                let tables = ask_patiently(&asker, "how the tables ended", || {
                    services.checkpoint.load_tables(owned.id)
                });
                let end = match tables.await {
                    Ok(tables) if tables.iter().all(TableState::has_ended) => {
                        if !services.loader.finish(&owned, &tables, &is_wanted).await {
                            return not_wanted();
                        }
                        ended_as(owned.request, tables.iter().map(|table| table.phase))
                    }
                    // Files of theirs may still be needed.
                    Ok(_) => return WorkflowMsg::Reload("some tables have not ended".to_owned()),
                    Err(error) => return WorkflowMsg::Completed(Err(error)),
                };
                let result = ask_patiently(&asker, "to complete a workflow", || {
                    services.checkpoint.complete_workflow(&owned, end)
                });
                match result.await {
                    Ok(Applied::Yes) => WorkflowMsg::Completed(Ok(())),
                    Ok(Applied::No) => WorkflowMsg::Reload(
                        "a table has not ended, or operators have asked something".to_owned(),
                    ),
                    Err(error) => WorkflowMsg::Completed(Err(error)),
                }
            });
        }
    }

    async fn spawn_planner(&mut self, myself: &ActorRef<WorkflowMsg>, table: TableState) {
        let no = table.table_no;
        let arguments = TablePlannerArguments {
            owned: self.arguments.owned.clone(),
            table,
            services: self.arguments.services.clone(),
            writer: self.arguments.writer.clone(),
            pool: self.arguments.pool.clone(),
            in_flight: self.arguments.in_flight.clone(),
            ended: reply_to(myself, move |end| WorkflowMsg::TableEnded(no, end)),
        };
        match TablePlannerActor::spawn_linked(None, TablePlannerActor, arguments, myself.get_cell())
            .await
        {
            Ok((actor, _)) => self.planners.started(no, actor.get_cell()),
            Err(error) => self.give_up(myself, no, &error.to_string()),
        }
    }

    fn reload_table(&self, myself: &ActorRef<WorkflowMsg>, no: TableNo) {
        let (reader, id) = (reader(&self.arguments, myself), self.arguments.owned.id);
        effects::run(myself, async move {
            match reader.tables(id).await {
                Ok(Ok(tables)) => {
                    let table = tables.into_iter().find(|table| table.table_no == no);
                    WorkflowMsg::TableReloaded(no, Ok(table.map(Box::new)))
                }
                Ok(Err(error)) => WorkflowMsg::TableReloaded(no, Err(error.to_string())),
                Err(gone) => WorkflowMsg::Reload(gone.to_owned()),
            }
        });
    }

    async fn table_reloaded(
        &mut self,
        myself: &ActorRef<WorkflowMsg>,
        no: TableNo,
        answer: Result<Option<Box<TableState>>, String>,
    ) {
        match answer {
            Ok(Some(table)) => self.spawn_planner(myself, *table).await,
            Ok(None) => self.give_up(myself, no, "the checkpoint has no such table"),
            Err(reason) => self.give_up(myself, no, &reason),
        }
    }

    /// The failure of a table's actor becomes the table's; the workflow goes on.
    fn give_up(&mut self, myself: &ActorRef<WorkflowMsg>, no: TableNo, reason: &str) {
        self.planners.give_up(no);
        let error = Some(given_up(reason));
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
