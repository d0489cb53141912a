//! WorkflowDispatcher: finds workflows, owns them by lease, starts their actors, and lets go of those it has lost.

use super::checkpoint_writer::CheckpointWriterMsg;
use super::lease_reaper::LeaseReaperMsg;
use super::remote_extractor_pool::RemoteExtractorPoolMsg;
use super::reply_to;
use super::supervision::{ChildEnd, Restarts, child_end};
use super::workflow::{WorkflowActor, WorkflowArguments, WorkflowEnd, WorkflowServices};
use crate::checkpoint::{CheckpointError, OwnedWorkflow};
use crate::domain::restart::RestartPolicy;
use crate::domain::{OwnerEpoch, WorkflowId};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Workflows driven at once; more wait for another orchestrator or for room here.
pub const MAX_WORKFLOWS: usize = 64;

/// Messages.
pub enum WorkflowDispatcherMsg {
    /// Look for work and renew what is held.
    Tick,
    /// What the look brought: taken, and lost.
    Looked(
        Result<Vec<OwnedWorkflow>, CheckpointError>,
        Option<Result<Vec<WorkflowId>, CheckpointError>>,
    ),
    /// Driving a workflow has ended.
    Ended(WorkflowId, WorkflowEnd),
    /// Start a workflow's actor again.
    Restart(WorkflowId),
}

/// The actor.
pub struct WorkflowDispatcher;

/// What it starts with.
pub struct WorkflowDispatcherArguments {
    /// This orchestrator's name as an owner.
    pub owner: String,
    /// Only workflows of this affinity (or of none) are taken.
    pub affinity: Option<String>,
    /// How long a lease holds without renewal.
    pub lease: Duration,
    /// Pause between two looks for new workflows.
    pub poll_interval: Duration,
    /// Shared services.
    pub services: WorkflowServices,
    /// Writes state.
    pub writer: ActorRef<CheckpointWriterMsg>,
    /// Runs tasks.
    pub pool: ActorRef<RemoteExtractorPoolMsg>,
    /// Returns tasks of silent workers.
    pub reaper: ActorRef<LeaseReaperMsg>,
}

struct Driven {
    owned: Arc<OwnedWorkflow>,
    actor: Option<ActorId>,
    restarts: Restarts,
    /// Without a renewal until then, nobody may rely on the lease.
    lease_until: Instant,
}

/// Its state.
pub struct WorkflowDispatcherState {
    arguments: WorkflowDispatcherArguments,
    driven: HashMap<WorkflowId, Driven>,
    renew_at: Instant,
}

impl Actor for WorkflowDispatcher {
    type Msg = WorkflowDispatcherMsg;
    type State = WorkflowDispatcherState;
    type Arguments = WorkflowDispatcherArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(WorkflowDispatcherMsg::Tick)?;
        Ok(WorkflowDispatcherState {
            arguments,
            driven: HashMap::new(),
            renew_at: Instant::now(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            WorkflowDispatcherMsg::Tick => state.look(&myself),
            WorkflowDispatcherMsg::Looked(taken, renewed) => {
                state.settle_renewal(&myself, renewed);
                match taken {
                    Ok(taken) => {
                        for owned in taken {
                            state.drive(&myself, owned).await;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "could not look for workflows; looking again")
                    }
                }
                state.tell_reaper();
                myself.send_after(state.arguments.poll_interval, || {
                    WorkflowDispatcherMsg::Tick
                });
            }
            WorkflowDispatcherMsg::Ended(id, end) => {
                if let Some(driven) = state.driven.get(&id) {
                    tracing::info!(workflow = %driven.owned.name, ?end, "workflow ended here");
                }
                state.let_go(&myself, id);
            }
            WorkflowDispatcherMsg::Restart(id) => state.spawn(&myself, id).await,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Some(ChildEnd::Failed(actor, reason)) = child_end(&event) else {
            return Ok(());
        };
        let Some((id, driven)) = state
            .driven
            .iter_mut()
            .find(|(_, driven)| driven.actor == Some(actor))
        else {
            return Ok(());
        };
        let id = *id;
        driven.actor = None;
        // Its watchers died with it; whoever is started next watches anew.
        let _ = state
            .arguments
            .pool
            .cast(RemoteExtractorPoolMsg::Forget(id));
        // A workflow is never given up here: with the lease still held, nobody else would take it. The longest pause repeats.
        let delay = driven
            .restarts
            .failed()
            .unwrap_or(RestartPolicy::WORK.max_delay);
        tracing::warn!(workflow = %driven.owned.name, reason, ?delay, "workflow is rebuilt from the checkpoint");
        myself.send_after(delay, move || WorkflowDispatcherMsg::Restart(id));
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let held = state.held();
        if !held.is_empty() {
            // A standby need not wait for the leases to run out.
            if let Err(error) = state
                .arguments
                .services
                .checkpoint
                .release_workflows(&state.arguments.owner, &held)
                .await
            {
                tracing::warn!(%error, "leases could not be given back; they run out by themselves");
            }
        }
        Ok(())
    }
}

impl WorkflowDispatcherState {
    fn held(&self) -> Vec<(WorkflowId, OwnerEpoch)> {
        self.driven
            .values()
            .map(|driven| (driven.owned.id, driven.owned.epoch))
            .collect()
    }

    fn look(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>) {
        let held = self.held();
        let renew = !held.is_empty() && Instant::now() >= self.renew_at;
        let room = MAX_WORKFLOWS.saturating_sub(held.len());
        let WorkflowDispatcherArguments {
            owner,
            affinity,
            lease,
            services,
            ..
        } = &self.arguments;
        let (owner, affinity, lease, checkpoint) = (
            owner.clone(),
            affinity.clone(),
            *lease,
            services.checkpoint.clone(),
        );
        if renew {
            self.renew_at = Instant::now() + lease / 3;
        }
        let myself = myself.clone();
        tokio::spawn(async move {
            let renewed = if renew {
                Some(checkpoint.renew_workflows(&owner, &held, lease).await)
            } else {
                None
            };
            let taken = if room > 0 {
                checkpoint
                    .take_workflows(&owner, affinity.as_deref(), lease, room)
                    .await
            } else {
                Ok(Vec::new())
            };
            let _ = myself.cast(WorkflowDispatcherMsg::Looked(taken, renewed));
        });
    }

    fn settle_renewal(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        renewed: Option<Result<Vec<WorkflowId>, CheckpointError>>,
    ) {
        let now = Instant::now();
        let mut lost = match renewed {
            Some(Ok(lost)) => {
                for driven in self.driven.values_mut() {
                    driven.lease_until = now + self.arguments.lease;
                }
                lost
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "leases could not be renewed; trying again");
                self.renew_at = now;
                Vec::new()
            }
            None => Vec::new(),
        };
        lost.extend(
            self.driven
                .iter()
                .filter(|(_, driven)| driven.lease_until < now)
                .map(|(id, _)| *id),
        );
        for id in lost {
            if let Some(driven) = self.driven.get(&id) {
                tracing::warn!(workflow = %driven.owned.name, "the lease is lost; another orchestrator may drive it now");
            }
            self.let_go(myself, id);
        }
    }

    async fn drive(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>, owned: OwnedWorkflow) {
        let id = owned.id;
        // A workflow that is taken again while its old epoch is still driven here: the old one is fenced now.
        self.let_go(myself, id);
        tracing::info!(workflow = %owned.name, epoch = owned.epoch.0, "workflow taken");
        let driven = Driven {
            owned: Arc::new(owned),
            actor: None,
            restarts: Restarts::new(RestartPolicy::WORK),
            lease_until: Instant::now() + self.arguments.lease,
        };
        self.driven.insert(id, driven);
        self.spawn(myself, id).await;
    }

    async fn spawn(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>, id: WorkflowId) {
        let Some(driven) = self.driven.get_mut(&id) else {
            return;
        };
        let arguments = WorkflowArguments {
            owned: driven.owned.clone(),
            services: self.arguments.services.clone(),
            writer: self.arguments.writer.clone(),
            pool: self.arguments.pool.clone(),
            ended: reply_to(myself, move |end| WorkflowDispatcherMsg::Ended(id, end)),
        };
        match WorkflowActor::spawn_linked(None, WorkflowActor, arguments, myself.get_cell()).await {
            Ok((actor, _)) => driven.actor = Some(actor.get_id()),
            Err(error) => {
                tracing::error!(workflow = %driven.owned.name, %error, "workflow could not be started; trying again");
                myself.send_after(RestartPolicy::WORK.max_delay, move || {
                    WorkflowDispatcherMsg::Restart(id)
                });
            }
        }
    }

    fn let_go(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>, id: WorkflowId) {
        let Some(driven) = self.driven.remove(&id) else {
            return;
        };
        let _ = self.arguments.pool.cast(RemoteExtractorPoolMsg::Forget(id));
        for child in myself
            .get_cell()
            .get_children()
            .into_iter()
            .filter(|child| Some(child.get_id()) == driven.actor)
        {
            child.stop(None);
        }
        self.tell_reaper();
    }

    fn tell_reaper(&self) {
        let _ = self.arguments.reaper.cast(LeaseReaperMsg::Driving(
            self.driven.keys().copied().collect(),
        ));
    }
}
