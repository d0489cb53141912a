//! The workflows that the dispatcher drives, and their actors.

use super::checkpoint_writer::CheckpointWriterMsg;
use super::lease_reaper::LeaseReaperMsg;
use super::remote_extractor_pool::RemoteExtractorPoolMsg;
use super::reply_to;
use super::services::WorkflowServices;
use super::supervision::Children;
use super::workflow::{WorkflowActor, WorkflowArguments};
use super::workflow_dispatcher::WorkflowDispatcherMsg;
use super::workflow_reader::InFlightEffects;
use crate::checkpoint::OwnedWorkflow;
use crate::domain::restart::RestartPolicy;
use crate::domain::{OwnerEpoch, WorkflowId};
use ractor::{Actor, ActorRef, SupervisionEvent};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

struct Driven {
    owned: Arc<OwnedWorkflow>,
    /// Whether nothing that a former owner writes matches a row any more. Until then it has no actor.
    is_fenced: bool,
    /// See [`WorkflowArguments::in_flight`].
    in_flight: Arc<InFlightEffects>,
}

/// The workflows that are driven here.
pub(super) struct DrivenWorkflows {
    driven: HashMap<WorkflowId, Driven>,
    actors: Children<WorkflowId>,
    services: WorkflowServices,
    writer: ActorRef<CheckpointWriterMsg>,
    pool: ActorRef<RemoteExtractorPoolMsg>,
    reaper: ActorRef<LeaseReaperMsg>,
}

impl DrivenWorkflows {
    pub fn new(
        services: WorkflowServices,
        writer: ActorRef<CheckpointWriterMsg>,
        pool: ActorRef<RemoteExtractorPoolMsg>,
        reaper: ActorRef<LeaseReaperMsg>,
    ) -> Self {
        Self {
            driven: HashMap::new(),
            actors: Children::new(RestartPolicy::WORK),
            services,
            writer,
            pool,
            reaper,
        }
    }

    pub fn len(&self) -> usize {
        self.driven.len()
    }

    pub fn is_empty(&self) -> bool {
        self.driven.is_empty()
    }

    pub fn all(&self) -> impl Iterator<Item = &OwnedWorkflow> {
        self.driven.values().map(|driven| driven.owned.as_ref())
    }

    pub fn get(&self, id: WorkflowId) -> Option<&OwnedWorkflow> {
        self.driven.get(&id).map(|driven| driven.owned.as_ref())
    }

    /// The workflow, if it is driven with this epoch: what an older one's actor has to say does not count.
    pub fn current(&self, id: WorkflowId, epoch: OwnerEpoch) -> Option<&OwnedWorkflow> {
        self.get(id).filter(|owned| owned.epoch == epoch)
    }

    /// A workflow was taken. It has no actor before it is fenced.
    pub fn taken(&mut self, owned: Arc<OwnedWorkflow>) {
        let driven = Driven {
            owned,
            is_fenced: false,
            in_flight: Arc::default(),
        };
        self.driven.insert(driven.owned.id, driven);
    }

    /// Its tables are fenced.
    pub async fn fenced(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        id: WorkflowId,
        epoch: OwnerEpoch,
    ) {
        if let Some(driven) = self.driven.get_mut(&id) {
            driven.is_fenced |= driven.owned.epoch == epoch;
        }
        self.spawn(myself, id, epoch).await;
    }

    /// Operators have asked something of a workflow that is driven here: its actor is started again, and carries it out
    /// before it drives on from the checkpoint. Loads that have begun end by themselves, as tasks do; what they did is found there.
    pub async fn apply_requests(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        owned: OwnedWorkflow,
    ) {
        let (id, epoch) = (owned.id, owned.epoch);
        let Some(driven) = self.driven.get_mut(&id) else {
            return;
        };
        tracing::info!(workflow = %owned.name, request = ?owned.request, "operators have asked something of the workflow");
        driven.owned = Arc::new(owned);
        self.forget_watchers(id, epoch);
        self.actors.kill(id);
        self.spawn(myself, id, epoch).await;
    }

    /// Starts the actor of a workflow, if it is still driven with this epoch, is fenced, and has none.
    pub async fn spawn(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        id: WorkflowId,
        epoch: OwnerEpoch,
    ) {
        let Some(driven) = self
            .driven
            .get(&id)
            .filter(|driven| driven.owned.epoch == epoch)
            .filter(|driven| driven.is_fenced && !self.actors.is_running(id))
        else {
            return;
        };
        let arguments = WorkflowArguments {
            owned: driven.owned.clone(),
            services: self.services.clone(),
            writer: self.writer.clone(),
            pool: self.pool.clone(),
            in_flight: driven.in_flight.clone(),
            ended: reply_to(myself, move |end| {
                WorkflowDispatcherMsg::Ended(id, epoch, end)
            }),
        };
        match WorkflowActor::spawn_linked(None, WorkflowActor, arguments, myself.get_cell()).await {
            Ok((actor, _)) => self.actors.started(id, actor.get_cell()),
            Err(error) => {
                tracing::error!(workflow = %driven.owned.name, %error, "workflow could not be started; trying again");
                myself.send_after(RestartPolicy::WORK.max_delay, move || {
                    WorkflowDispatcherMsg::Restart(id, epoch)
                });
            }
        }
    }

    /// Which workflow's actor has failed, if the event says so of one, and after which delay it is started again.
    pub fn failed(
        &mut self,
        event: &SupervisionEvent,
    ) -> Option<(WorkflowId, OwnerEpoch, Duration)> {
        let failure = self.actors.failed(event)?;
        let owned = &self.driven.get(&failure.key)?.owned;
        let (id, epoch) = (owned.id, owned.epoch);
        // Its watchers died with it; whoever is started next watches again.
        self.forget_watchers(id, epoch);
        // A workflow is never given up here: with the lease still held, nobody else would take it. The longest pause repeats.
        let delay = failure
            .restart_after
            .unwrap_or(RestartPolicy::WORK.max_delay);
        tracing::warn!(workflow = %owned.name, reason = failure.reason, ?delay, "workflow is rebuilt from the checkpoint");
        Some((id, epoch, delay))
    }

    /// Drives a workflow no longer: its actor is killed.
    pub fn stop(&mut self, id: WorkflowId) {
        let Some(driven) = self.driven.remove(&id) else {
            return;
        };
        self.forget_watchers(id, driven.owned.epoch);
        self.actors.remove(id);
        self.notify_reaper();
    }

    fn forget_watchers(&self, id: WorkflowId, epoch: OwnerEpoch) {
        let forget = RemoteExtractorPoolMsg::Forget(id, epoch);
        let _ = self.pool.cast(forget);
    }

    pub fn notify_reaper(&self) {
        let driving = self.driven.keys().copied().collect();
        let _ = self.reaper.cast(LeaseReaperMsg::Driving(driving));
    }
}
