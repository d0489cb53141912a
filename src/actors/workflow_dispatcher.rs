//! WorkflowDispatcher: finds workflows, owns them by lease, starts their actors, and lets go of those it has lost.

use super::checkpoint_writer::CheckpointWriterMsg;
use super::driven_workflows::DrivenWorkflows;
use super::effects::{self, Expiry};
use super::handover::Handover;
use super::lease_effects::{LeaseEffects, renew_interval};
use super::lease_reaper::LeaseReaperMsg;
use super::remote_extractor_pool::RemoteExtractorPoolMsg;
use super::services::WorkflowServices;
use super::workflow::WorkflowEnd;
use crate::checkpoint::{CheckpointError, OwnedWorkflow};
use crate::domain::affinity::AffinityFilter;
use crate::domain::idle::IdlePolicy;
use crate::domain::lease::renewal_retry_after;
use crate::domain::lease_book::{LeaseBook, Taken};
use crate::domain::{OwnerEpoch, WorkflowId};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Workflows driven at once; more wait for another orchestrator or for room here.
pub const MAX_WORKFLOWS: usize = 64;

/// Workflows whose tables are fenced at once: each may hold a session while it waits for a lock.
const MAX_FENCES: usize = 4;

/// Looks for workflows within a lease, at least, unless they are to be rarer by configuration.
const POLLS_PER_LEASE: u32 = 4;
/// Longest pause between looks while workflows are driven: a look also tells what operators ask of them.
const LONGEST_DRIVING_POLL: Duration = Duration::from_secs(5);

/// Messages.
pub enum WorkflowDispatcherMsg {
    /// Look for work.
    Poll,
    /// What the look brought, and when it began.
    Polled(Result<Vec<OwnedWorkflow>, CheckpointError>, Instant),
    /// Renew what is held.
    Renew,
    /// The renewal of these, when it began, and those of them that are lost; `None`: it was not answered.
    Renewed(
        Vec<(WorkflowId, OwnerEpoch)>,
        Instant,
        Option<Vec<WorkflowId>>,
    ),
    /// The tables of a workflow that was taken with this epoch are fenced.
    Fenced(WorkflowId, OwnerEpoch, Result<(), CheckpointError>),
    /// The lease that ends next may have run out.
    Expire,
    /// Driving a workflow with this epoch has ended.
    Ended(WorkflowId, OwnerEpoch, WorkflowEnd),
    /// Start a workflow's actor again, if it is still driven with this epoch.
    Restart(WorkflowId, OwnerEpoch),
    /// Pause like this between looks from now on.
    PollEvery(IdlePolicy),
}

/// The actor.
pub struct WorkflowDispatcher;

/// What it starts with.
pub struct WorkflowDispatcherArguments {
    /// This orchestrator's name as an owner.
    pub owner: String,
    /// Only workflows of this affinity (or of none) are taken.
    pub affinity: Option<AffinityFilter>,
    /// How long a lease holds without renewal.
    pub lease: Duration,
    /// Pauses between two looks for new workflows.
    pub poll: IdlePolicy,
    /// Shared services.
    pub services: WorkflowServices,
    /// Writes state.
    pub writer: ActorRef<CheckpointWriterMsg>,
    /// Runs tasks.
    pub pool: ActorRef<RemoteExtractorPoolMsg>,
    /// Returns tasks of silent workers.
    pub reaper: ActorRef<LeaseReaperMsg>,
}

/// Its state.
pub struct WorkflowDispatcherState {
    arguments: WorkflowDispatcherArguments,
    driven: DrivenWorkflows,
    /// The leases of all that is driven.
    held: LeaseBook<WorkflowId, Instant>,
    /// Brings [`WorkflowDispatcherMsg::Expire`].
    expiry: Expiry,
    /// When a look brought something the last time.
    found: Instant,
    /// Of the look that is under way, or whose answer has not been handled: ends when it is answered.
    poll_ends: Option<oneshot::Receiver<()>>,
    /// Fences under way.
    fences: Arc<Semaphore>,
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
        myself.cast(WorkflowDispatcherMsg::Poll)?;
        myself.send_after(renew_interval(arguments.lease), || {
            WorkflowDispatcherMsg::Renew
        });
        Ok(WorkflowDispatcherState {
            held: LeaseBook::new(arguments.lease),
            driven: DrivenWorkflows::new(
                arguments.services.clone(),
                arguments.writer.clone(),
                arguments.pool.clone(),
                arguments.reaper.clone(),
            ),
            arguments,
            expiry: Expiry::default(),
            found: Instant::now(),
            poll_ends: None,
            fences: Arc::new(Semaphore::new(MAX_FENCES)),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            WorkflowDispatcherMsg::Poll => state.poll(&myself),
            WorkflowDispatcherMsg::Polled(taken, asked_at) => {
                state.poll_ends = None;
                match taken {
                    Ok(taken) => {
                        if !taken.is_empty() {
                            state.found = Instant::now();
                        }
                        for owned in taken {
                            state.drive(&myself, owned, asked_at).await;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "could not look for workflows; looking again")
                    }
                }
                state.driven.notify_reaper();
                myself.send_after(state.poll_delay(), || WorkflowDispatcherMsg::Poll);
            }
            WorkflowDispatcherMsg::Renew => state.renew(&myself),
            WorkflowDispatcherMsg::Renewed(asked, asked_at, lost) => {
                state.settle_renewal(&myself, &asked, asked_at, lost);
            }
            WorkflowDispatcherMsg::Fenced(id, epoch, fenced) => {
                state.fenced(&myself, (id, epoch), fenced).await;
            }
            WorkflowDispatcherMsg::Expire => {
                state.expiry.came();
                state.let_go_expired();
                state.watch(&myself);
            }
            WorkflowDispatcherMsg::Ended(id, epoch, end) => {
                if let Some(owned) = state.driven.current(id, epoch) {
                    match end {
                        WorkflowEnd::Completed => {
                            tracing::info!(workflow = %owned.name, "workflow ended");
                        }
                        // Found by a late write before the next renewal tells.
                        WorkflowEnd::Fenced => warn_lease_lost(owned),
                    }
                    state.let_go(id);
                }
            }
            WorkflowDispatcherMsg::Restart(id, epoch) => {
                state.driven.spawn(&myself, id, epoch).await
            }
            WorkflowDispatcherMsg::PollEvery(poll) => state.arguments.poll = poll,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some((id, epoch, delay)) = state.driven.failed(&event) {
            myself.send_after(delay, move || WorkflowDispatcherMsg::Restart(id, epoch));
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let poll_ends = state.poll_ends.take();
        if poll_ends.is_some() || !state.driven.is_empty() {
            let arguments = &state.arguments;
            let stop = Handover {
                dispatcher: myself.get_cell(),
                owner: &arguments.owner,
                services: &arguments.services,
                writer: &arguments.writer,
            };
            stop.run(poll_ends).await;
        }
        Ok(())
    }
}

impl WorkflowDispatcherState {
    /// Not much of a lease: another's that has run out is to be found soon. And soon what is asked of workflows that
    /// are driven here.
    fn poll_delay(&self) -> Duration {
        let (poll, lease) = (self.arguments.poll, self.arguments.lease);
        let longest = if self.driven.is_empty() {
            lease / POLLS_PER_LEASE
        } else {
            LONGEST_DRIVING_POLL.min(lease / POLLS_PER_LEASE)
        };
        poll.pause(self.found.elapsed()).min(longest.max(poll.base))
    }

    fn leases(&self) -> LeaseEffects {
        LeaseEffects {
            checkpoint: self.arguments.services.checkpoint.clone(),
            owner: self.arguments.owner.clone(),
            lease: self.arguments.lease,
        }
    }

    fn poll(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>) {
        let room = MAX_WORKFLOWS.saturating_sub(self.driven.len());
        let driven = self.driven.all();
        let driven = driven.map(|owned| (owned.id, owned.epoch, owned.request_seq));
        let affinity = self.arguments.affinity.clone();
        let poll = self.leases().poll(affinity, room, driven.collect());
        let (answered, poll_ends) = oneshot::channel();
        self.poll_ends = Some(poll_ends);
        effects::run(myself, async move {
            let _answered: oneshot::Sender<()> = answered;
            poll.await
        });
    }

    fn renew(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>) {
        effects::run(myself, self.leases().renew(self.held.held()));
    }

    fn settle_renewal(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        asked: &[(WorkflowId, OwnerEpoch)],
        asked_at: Instant,
        answer: Option<Vec<WorkflowId>>,
    ) {
        let interval = renew_interval(self.arguments.lease);
        let (lost, pause) = match answer {
            Some(lost) => (self.held.renewed(asked, asked_at, &lost), interval),
            None => (Vec::new(), renewal_retry_after(interval)),
        };
        self.let_go_lost(lost);
        myself.send_after(pause, || WorkflowDispatcherMsg::Renew);
    }

    fn let_go_lost(&mut self, lost: Vec<WorkflowId>) {
        for id in lost {
            if let Some(owned) = self.driven.get(id) {
                warn_lease_lost(owned);
            }
            self.let_go(id);
        }
    }

    /// Whatever a renewal that is under way may bring: others may have them from now on.
    fn let_go_expired(&mut self) {
        let over = self.held.over(Instant::now());
        self.let_go_lost(over);
    }

    /// Sees to it that [`WorkflowDispatcherMsg::Expire`] comes when the lease that ends first does.
    fn watch(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>) {
        self.expiry
            .watch(myself, self.held.ends(), || WorkflowDispatcherMsg::Expire);
    }

    async fn drive(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        owned: OwnedWorkflow,
        asked_at: Instant,
    ) {
        let (id, epoch) = (owned.id, owned.epoch);
        match self.held.taken(id, epoch, asked_at, Instant::now()) {
            Taken::Again => return self.driven.apply_requests(myself, owned).await,
            // A workflow that is taken again while its old epoch is still driven here: the old one is fenced now.
            Taken::New => self.driven.stop(id),
            Taken::TooLate => {
                // The look took that long. Others may have it by now; if not, it is found again.
                self.driven.stop(id);
                return warn_lease_lost(&owned);
            }
        }
        tracing::info!(workflow = %owned.name, epoch = epoch.0, "workflow taken");
        let owned = Arc::new(owned);
        self.fence(myself, owned.clone());
        self.driven.taken(owned);
        self.watch(myself);
    }

    /// Fences a workflow's tables, beside everything else: a load of the former owner may hold one of them for long.
    fn fence(&self, myself: &ActorRef<WorkflowDispatcherMsg>, owned: Arc<OwnedWorkflow>) {
        let (asker, fences) = (myself.get_cell(), self.fences.clone());
        effects::run(myself, self.leases().fence(owned, asker, fences));
    }

    async fn fenced(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        (id, epoch): (WorkflowId, OwnerEpoch),
        fenced: Result<(), CheckpointError>,
    ) {
        let Some(owned) = self.driven.current(id, epoch) else {
            return;
        };
        match fenced {
            Ok(()) => self.driven.fenced(myself, id, epoch).await,
            Err(error) => {
                tracing::error!(workflow = %owned.name, %error, "the tables of a workflow could not be fenced; it is taken again when its lease has run out");
                self.let_go(id);
            }
        }
    }

    fn let_go(&mut self, id: WorkflowId) {
        self.held.let_go(id);
        self.driven.stop(id);
    }
}

/// However it was found.
fn warn_lease_lost(owned: &OwnedWorkflow) {
    tracing::warn!(workflow = %owned.name, "the lease is lost; another orchestrator may drive it now");
}
