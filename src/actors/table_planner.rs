//! TablePlannerActor: leads one table from its specification to its end: analysis, plan, and a window of partitions. What
//! follows from what is decided by its [`TableLife`].

use super::checkpoint_writer::{Change, CheckpointWriterMsg, Written, settled_writes};
use super::copy_into::{CopyIntoActor, CopyIntoMsg};
use super::effects;
use super::partition::{PartitionActor, PartitionArguments, PartitionEnd};
use super::remote_extractor_pool::RemoteExtractorPoolMsg;
use super::services::WorkflowServices;
use super::supervision::{ChildEnd, Children, child_end, given_up};
use super::table_effects::{TableEffects, explained, open};
use super::workflow_reader::InFlightEffects;
use super::{Reply, reply_to};
use crate::checkpoint::{
    EndedTask, OwnedWorkflow, PartitionKey, PartitionState, StateChange, TableState,
};
use crate::domain::phase::{PartitionPhase, TablePhase};
use crate::domain::restart::RestartPolicy;
use crate::domain::table_life::{Command, Event, Problem, TableLife};
use crate::domain::table_plan::TablePlan;
use crate::domain::{PartitionNo, TableNo};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;

pub use crate::domain::table_life::TableEnd;

/// Messages.
pub enum TablePlannerMsg {
    /// The table is planned already: go on with that.
    Executing,
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
    /// How the table is to end, by its partitions.
    Counted(Vec<(PartitionPhase, u64)>),
    /// The end was written (or not).
    EndWritten(Written, TableEnd),
    /// A partition that was given up here was written as failed.
    GivenUp(PartitionNo, Written),
    /// Somebody else drives the workflow.
    Fenced,
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
    pub in_flight: Arc<InFlightEffects>,
    /// Told when the table has ended.
    pub ended: Reply<TableEnd>,
}

/// Its state.
pub struct TablePlannerState {
    arguments: TablePlannerArguments,
    ended: Option<Reply<TableEnd>>,
    life: TableLife<PartitionState>,
    /// Names the state that the table's runs leave behind, if they leave any.
    state_key: Option<String>,
    /// Once it is written.
    plan: Option<Arc<TablePlan>>,
    /// Once it is planned.
    copy_into: Option<ActorRef<CopyIntoMsg>>,
    partitions: Children<PartitionNo>,
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
        let (services, table) = (&arguments.services, &arguments.table);
        let state_key = match table.phase {
            TablePhase::Pending | TablePhase::Analyzing => {
                services.planner.state_key(&arguments.owned, &table.spec)?
            }
            _ => None,
        };
        let plan = table.plan.clone().map(Arc::new);
        let (life, first) = TableLife::begin(
            table.phase,
            plan.is_some(),
            state_key.is_some(),
            services.partition_window,
        );
        let mut state = TablePlannerState {
            arguments,
            ended: Some(ended),
            life,
            state_key,
            plan,
            copy_into: None,
            partitions: Children::new(RestartPolicy::WORK),
        };
        match first {
            // Children are started by an actor that runs.
            Command::StartLoader => myself.cast(TablePlannerMsg::Executing)?,
            first => state.carry_out(&myself, vec![first]).await?,
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let event = match message {
            TablePlannerMsg::Executing => {
                return state.carry_out(&myself, vec![Command::StartLoader]).await;
            }
            TablePlannerMsg::Claimed(holder) => Event::StateClaimed(holder),
            TablePlannerMsg::Analyzed(task) => Event::Analyzed(match task.result {
                Ok(json) => Ok(serde_json::from_str(&json).map_err(|error| {
                    format!("the analysis in the checkpoint does not read: {error}")
                })?),
                Err(error) => Err(error),
            }),
            TablePlannerMsg::Planned(plan) => {
                state.plan = Some(plan);
                Event::Planned
            }
            TablePlannerMsg::Impossible(error) => Event::Unplannable(error),
            TablePlannerMsg::Reload(reason) => return Err(reason.into()),
            TablePlannerMsg::Page(partitions, is_last) => {
                Event::Page(partitions.into_iter().map(open).collect(), is_last)
            }
            TablePlannerMsg::PartitionEnded(_, PartitionEnd::Fenced)
            | TablePlannerMsg::EndWritten(Written::Fenced, _)
            | TablePlannerMsg::GivenUp(_, Written::Fenced)
            | TablePlannerMsg::Fenced => Event::Fenced,
            TablePlannerMsg::PartitionEnded(no, PartitionEnd::Loaded | PartitionEnd::Failed) => {
                state.partitions.ended(no);
                Event::PartitionEnded(no)
            }
            TablePlannerMsg::GivenUp(no, Written::Applied | Written::Stale) => {
                state.partitions.ended(no);
                Event::GivenUp(no)
            }
            TablePlannerMsg::Restart(no) => Event::RestartDue(no),
            TablePlannerMsg::Reloaded(no, answer) => {
                Event::Reread(no, answer.map(|partition| partition.map(open)))
            }
            TablePlannerMsg::Counted(counts) => Event::Counted(counts),
            TablePlannerMsg::EndWritten(Written::Applied, end) => Event::EndWritten(end),
            TablePlannerMsg::EndWritten(Written::Stale, _) => Event::EndStale,
        };
        state.happened(&myself, event).await
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(ChildEnd::Failed(id, reason)) = child_end(&event)
            && state.copy_into.as_ref().map(|loader| loader.get_id()) == Some(id)
        {
            // The partitions that wait for it would wait for ever: the table starts again with a new one.
            return Err(format!("the loader of the table failed: {reason}").into());
        }
        let Some(failure) = state.partitions.failed(&event) else {
            return Ok(());
        };
        let (no, reason, delay) = (failure.key, failure.reason, failure.restart_after);
        if let Some(delay) = delay {
            tracing::warn!(workflow = %state.arguments.owned.name, table = %state.arguments.table.spec.source, partition = no.0, reason, ?delay, "partition is rebuilt from the checkpoint");
            myself.send_after(delay, move || TablePlannerMsg::Restart(no));
        }
        let failed = Event::PartitionFailed(no, reason, delay.is_some());
        state.happened(&myself, failed).await
    }
}

impl TablePlannerState {
    fn table_no(&self) -> TableNo {
        self.arguments.table.table_no
    }

    fn effects(&self, myself: &ActorRef<TablePlannerMsg>) -> TableEffects {
        TableEffects {
            asker: myself.get_cell(),
            owned: self.arguments.owned.clone(),
            table_no: self.table_no(),
            services: self.arguments.services.clone(),
        }
    }

    /// Carries out all that follows from an event.
    async fn happened(
        &mut self,
        myself: &ActorRef<TablePlannerMsg>,
        event: Event<PartitionState>,
    ) -> Result<(), ActorProcessingErr> {
        let commands = self.life.step(event);
        self.carry_out(myself, commands).await
    }

    async fn carry_out(
        &mut self,
        myself: &ActorRef<TablePlannerMsg>,
        mut commands: Vec<Command<PartitionState>>,
    ) -> Result<(), ActorProcessingErr> {
        while !commands.is_empty() {
            let mut more = Vec::new();
            for command in commands {
                if let Some(event) = self.carry_out_one(myself, command).await? {
                    more.extend(self.life.step(event));
                }
            }
            commands = more;
        }
        Ok(())
    }

    /// Carries out one command, and answers what has happened by that at once.
    async fn carry_out_one(
        &mut self,
        myself: &ActorRef<TablePlannerMsg>,
        command: Command<PartitionState>,
    ) -> Result<Option<Event<PartitionState>>, ActorProcessingErr> {
        let effects = self.effects(myself);
        let spec = &self.arguments.table.spec;
        match command {
            Command::ClaimState => {
                let key = self.state_key.clone().unwrap_or_default();
                effects::run(myself, effects.claim_state(spec.clone(), key));
            }
            Command::Analyze => {
                let submission = effects.analysis(reply_to(myself, TablePlannerMsg::Analyzed));
                let submit = RemoteExtractorPoolMsg::Submit(submission);
                let _ = self.arguments.pool.cast(submit);
            }
            Command::Plan(analysis) => {
                let in_flight = self.arguments.in_flight.clone();
                effects::run(myself, effects.plan(spec.clone(), analysis, in_flight));
            }
            Command::StartLoader => {
                self.spawn_loader(myself).await?;
                return Ok(Some(Event::LoaderStarted));
            }
            Command::Start(partition) => return self.spawn(myself, partition.what).await,
            Command::ReadPage(from, limit) => {
                effects::run(myself, effects.read_page(from, limit));
            }
            Command::Reread(no) => {
                let (writer, id) = (self.arguments.writer.clone(), self.arguments.owned.id);
                effects::run(myself, async move {
                    // After the changes that its actor may have sent.
                    match settled_writes(&writer, Some(id)).await {
                        Ok(()) => effects.reread(no).await,
                        Err(gone) => TablePlannerMsg::Reload(gone.to_owned()),
                    }
                });
            }
            Command::GiveUp(no, reason) => self.give_up(myself, no, &reason),
            Command::Count => effects::run(myself, effects.count()),
            Command::WriteEnd(end, problem) => self.write_end(myself, end, problem),
            Command::End(end) => {
                if let Some(ended) = self.ended.take() {
                    ended(end);
                }
                myself.stop(None);
            }
            Command::Rebuild(reason) => return Err(reason.into()),
        }
        Ok(None)
    }

    async fn spawn_loader(
        &mut self,
        myself: &ActorRef<TablePlannerMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let plan = self.plan.clone().ok_or("the table has no plan")?;
        let arguments = self.effects(myself).loader(plan);
        let loader = CopyIntoActor::spawn_linked(None, CopyIntoActor, arguments, myself.get_cell());
        self.copy_into = Some(loader.await?.0);
        Ok(())
    }

    async fn spawn(
        &mut self,
        myself: &ActorRef<TablePlannerMsg>,
        partition: PartitionState,
    ) -> Result<Option<Event<PartitionState>>, ActorProcessingErr> {
        let no = partition.partition_no;
        let arguments = PartitionArguments {
            owned: self.arguments.owned.clone(),
            table_no: self.table_no(),
            source: self.arguments.table.spec.source.clone(),
            partition,
            writer: self.arguments.writer.clone(),
            pool: self.arguments.pool.clone(),
            copy_into: self.copy_into.clone().ok_or("the table has no loader")?,
            ended: reply_to(myself, move |end| TablePlannerMsg::PartitionEnded(no, end)),
        };
        let spawned =
            PartitionActor::spawn_linked(None, PartitionActor, arguments, myself.get_cell());
        Ok(match spawned.await {
            Ok((actor, _)) => {
                self.partitions.started(no, actor.get_cell());
                None
            }
            Err(error) => Some(Event::PartitionNotStarted(no, error.to_string())),
        })
    }

    /// The failure of a partition's actor becomes the partition's.
    fn give_up(&mut self, myself: &ActorRef<TablePlannerMsg>, no: PartitionNo, reason: &str) {
        self.partitions.give_up(no);
        let key = PartitionKey {
            table_no: self.table_no(),
            partition_no: no,
        };
        let change = StateChange::PartitionFailed {
            key,
            error: given_up(reason),
        };
        self.write(
            change,
            reply_to(myself, move |written| TablePlannerMsg::GivenUp(no, written)),
        );
    }

    fn write_end(
        &self,
        myself: &ActorRef<TablePlannerMsg>,
        end: TableEnd,
        problem: Option<Problem>,
    ) {
        let Some(phase) = end.phase() else {
            return;
        };
        let error = problem.map(|problem| explained(&problem, &self.arguments.owned.name));
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
}
