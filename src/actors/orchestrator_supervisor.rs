//! OrchestratorSupervisor: keeps the orchestrator's services running.
//!
//! The services know each other's addresses, so they start in one order (CheckpointWriter, RemoteExtractorPool,
//! LeaseReaper, WorkflowDispatcher), and when one fails, it and those after it start again ("rest for one"). What they
//! held in memory is rebuilt from the checkpoint.

use super::checkpoint_writer::{CheckpointWriter, CheckpointWriterMsg};
use super::lease_reaper::{LeaseReaper, LeaseReaperArguments, LeaseReaperMsg};
use super::remote_extractor_pool::{
    RemoteExtractorPool, RemoteExtractorPoolArguments, RemoteExtractorPoolMsg,
};
use super::services::WorkflowServices;
use super::supervision::{ChildEnd, Restarts, child_end};
use super::workflow_dispatcher::{
    WorkflowDispatcher, WorkflowDispatcherArguments, WorkflowDispatcherMsg,
};
use crate::domain::affinity::AffinityFilter;
use crate::domain::idle::IdlePolicy;
use crate::domain::restart::RestartPolicy;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::time::Duration;

/// How long a stop waits for the dispatcher to give its leases back.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// Settings of an orchestrator.
#[derive(Clone)]
pub struct OrchestratorSettings {
    /// Its name as an owner.
    pub owner: String,
    /// Its affinity.
    pub affinity: Option<AffinityFilter>,
    /// How long its leases hold without renewal.
    pub lease: Duration,
    /// Pauses between two questions to the checkpoint while nothing happens.
    pub poll: IdlePolicy,
    /// Pause between two looks for silent workers.
    pub reap_interval: Duration,
    /// Failures after which a task is given up.
    pub max_failures: u32,
    /// Shared services.
    pub services: WorkflowServices,
}

/// Messages.
pub enum OrchestratorSupervisorMsg {
    /// Start what is not running.
    StartMissing,
    /// Stop all, leases given back, and then this actor.
    Drain,
    /// Pause like this from now on.
    Poll(IdlePolicy),
}

/// The actor. It ends with an error when its services keep failing.
pub struct OrchestratorSupervisor;

/// Its state.
pub struct OrchestratorSupervisorState {
    settings: OrchestratorSettings,
    writer: Option<ActorRef<CheckpointWriterMsg>>,
    pool: Option<ActorRef<RemoteExtractorPoolMsg>>,
    reaper: Option<ActorRef<LeaseReaperMsg>>,
    dispatcher: Option<ActorRef<WorkflowDispatcherMsg>>,
    restarts: Restarts,
}

impl Actor for OrchestratorSupervisor {
    type Msg = OrchestratorSupervisorMsg;
    type State = OrchestratorSupervisorState;
    type Arguments = OrchestratorSettings;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        settings: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(OrchestratorSupervisorMsg::StartMissing)?;
        let restarts = Restarts::new(RestartPolicy::SERVICE);
        Ok(OrchestratorSupervisorState {
            settings,
            writer: None,
            pool: None,
            reaper: None,
            dispatcher: None,
            restarts,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            OrchestratorSupervisorMsg::StartMissing => state.start_missing(&myself).await?,
            OrchestratorSupervisorMsg::Poll(poll) => {
                state.settings.poll = poll;
                if let Some(pool) = &state.pool {
                    let _ = pool.cast(RemoteExtractorPoolMsg::PollEvery(poll));
                }
                if let Some(dispatcher) = &state.dispatcher {
                    let _ = dispatcher.cast(WorkflowDispatcherMsg::PollEvery(poll));
                }
            }
            OrchestratorSupervisorMsg::Drain => {
                if let Some(dispatcher) = state.dispatcher.take() {
                    let _ = dispatcher.stop_and_wait(None, Some(STOP_TIMEOUT)).await;
                }
                myself.stop(None);
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
        let cells = state.cells();
        let Some(position) = cells
            .iter()
            .position(|cell| cell.as_ref().is_some_and(|c| c.get_id() == id))
        else {
            return Ok(());
        };
        for later in cells.into_iter().skip(position).flatten() {
            // Killed, not stopped: a dispatcher that stops gives its leases back, and its successor is already here.
            later.kill();
        }
        state.forget_from(position);
        let Some(delay) = state.restarts.failed() else {
            return Err(format!("a service of the orchestrator keeps failing: {reason}").into());
        };
        tracing::error!(
            reason,
            ?delay,
            "a service of the orchestrator failed; it and those that depend on it start again"
        );
        myself.send_after(delay, || OrchestratorSupervisorMsg::StartMissing);
        Ok(())
    }
}

impl OrchestratorSupervisorState {
    fn cells(&self) -> [Option<ActorCell>; 4] {
        [
            self.writer.as_ref().map(ActorRef::get_cell),
            self.pool.as_ref().map(ActorRef::get_cell),
            self.reaper.as_ref().map(ActorRef::get_cell),
            self.dispatcher.as_ref().map(ActorRef::get_cell),
        ]
    }

    fn forget_from(&mut self, position: usize) {
        self.dispatcher = None;
        if position <= 2 {
            self.reaper = None;
        }
        if position <= 1 {
            self.pool = None;
        }
        if position == 0 {
            self.writer = None;
        }
    }

    async fn start_missing(
        &mut self,
        myself: &ActorRef<OrchestratorSupervisorMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let settings = self.settings.clone();
        let checkpoint = settings.services.checkpoint.clone();
        let parent = myself.get_cell();
        if self.writer.is_none() {
            self.writer = Some(
                CheckpointWriter::spawn_linked(
                    None,
                    CheckpointWriter,
                    checkpoint.clone(),
                    parent.clone(),
                )
                .await?
                .0,
            );
        }
        if self.pool.is_none() {
            let arguments = RemoteExtractorPoolArguments {
                checkpoint: checkpoint.clone(),
                poll: settings.poll,
            };
            self.pool = Some(
                RemoteExtractorPool::spawn_linked(
                    None,
                    RemoteExtractorPool,
                    arguments,
                    parent.clone(),
                )
                .await?
                .0,
            );
        }
        if self.reaper.is_none() {
            let arguments = LeaseReaperArguments {
                checkpoint,
                interval: settings.reap_interval,
                max_failures: settings.max_failures,
            };
            self.reaper = Some(
                LeaseReaper::spawn_linked(None, LeaseReaper, arguments, parent.clone())
                    .await?
                    .0,
            );
        }
        if let (None, Some(writer), Some(pool), Some(reaper)) =
            (&self.dispatcher, &self.writer, &self.pool, &self.reaper)
        {
            let arguments = WorkflowDispatcherArguments {
                owner: settings.owner,
                affinity: settings.affinity,
                lease: settings.lease,
                poll: settings.poll,
                services: settings.services,
                writer: writer.clone(),
                pool: pool.clone(),
                reaper: reaper.clone(),
            };
            self.dispatcher = Some(
                WorkflowDispatcher::spawn_linked(None, WorkflowDispatcher, arguments, parent)
                    .await?
                    .0,
            );
        }
        Ok(())
    }
}
