//! WorkflowDispatcher: finds workflows, owns them by lease, starts their actors, and lets go of those it has lost.

use super::checkpoint_writer::{CheckpointWriterMsg, settled_writes};
use super::effects::{self, Expiry, answer_within, ask_patiently};
use super::lease_reaper::LeaseReaperMsg;
use super::remote_extractor_pool::RemoteExtractorPoolMsg;
use super::reply_to;
use super::services::WorkflowServices;
use super::supervision::Children;
use super::workflow::{WorkflowActor, WorkflowArguments, WorkflowEnd};
use super::workflow_reader::Outliving;
use crate::checkpoint::{CheckpointError, OwnedWorkflow, WorkflowSearch};
use crate::domain::affinity::AffinityFilter;
use crate::domain::idle::IdlePolicy;
use crate::domain::lease::renewed_again;
use crate::domain::lease_book::{LeaseBook, Taken};
use crate::domain::restart::RestartPolicy;
use crate::domain::{OwnerEpoch, WorkflowId};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Workflows driven at once; more wait for another orchestrator or for room here.
pub const MAX_WORKFLOWS: usize = 64;

/// Workflows whose tables are fenced at once: each may hold a session while it waits for a lock.
const MAX_FENCES: usize = 4;

/// Looks for workflows within a lease, at least, unless they are to be rarer by configuration.
const LOOKS_PER_LEASE: u32 = 4;
/// Longest pause between looks while workflows are driven: a look also tells what operators ask of them.
const LONGEST_DRIVING_LOOK: Duration = Duration::from_secs(5);

/// How long a stop waits for the workflows' actors.
const STOP_CHILDREN: Duration = Duration::from_secs(2);
/// How long a stop waits for loads that run, before they are rolled back: for that it waits as long again.
const LOAD_PATIENCE: Duration = Duration::from_secs(4);
/// How long a stop waits for state changes that are on their way.
const SETTLE_WRITES: Duration = Duration::from_secs(5);

/// Three renewals may be tried before a lease runs out.
fn renew_interval(lease: Duration) -> Duration {
    lease / 3
}

/// Messages.
pub enum WorkflowDispatcherMsg {
    /// Look for work.
    Look,
    /// What the look brought, and when it began.
    Looked(Result<Vec<OwnedWorkflow>, CheckpointError>, Instant),
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
    LookEvery(IdlePolicy),
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

struct Driven {
    owned: Arc<OwnedWorkflow>,
    /// Whether nothing that a former owner writes matches a row any more. Until then it has no actor.
    is_fenced: bool,
    /// See [`WorkflowArguments::outliving`].
    outliving: Arc<Outliving>,
}

/// Its state.
pub struct WorkflowDispatcherState {
    arguments: WorkflowDispatcherArguments,
    driven: HashMap<WorkflowId, Driven>,
    /// Their actors.
    actors: Children<WorkflowId>,
    /// The leases of all that is driven.
    leases: LeaseBook<WorkflowId, Instant>,
    /// Brings [`WorkflowDispatcherMsg::Expire`].
    expiry: Expiry,
    /// When a look brought something the last time.
    found: Instant,
    /// Of the look that is under way, or whose answer has not been handled: ends when it is answered.
    look_ends: Option<oneshot::Receiver<()>>,
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
        myself.cast(WorkflowDispatcherMsg::Look)?;
        myself.send_after(renew_interval(arguments.lease), || {
            WorkflowDispatcherMsg::Renew
        });
        Ok(WorkflowDispatcherState {
            leases: LeaseBook::new(arguments.lease),
            arguments,
            driven: HashMap::new(),
            actors: Children::new(RestartPolicy::WORK),
            expiry: Expiry::default(),
            found: Instant::now(),
            look_ends: None,
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
            WorkflowDispatcherMsg::Look => state.look(&myself),
            WorkflowDispatcherMsg::Looked(taken, asked_at) => {
                state.look_ends = None;
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
                state.tell_reaper();
                myself.send_after(state.look_pause(), || WorkflowDispatcherMsg::Look);
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
                if let Some(driven) = state.current(id, epoch) {
                    match end {
                        WorkflowEnd::Completed => {
                            tracing::info!(workflow = %driven.owned.name, "workflow ended");
                        }
                        // Found by a late write before the next renewal tells.
                        WorkflowEnd::Fenced => tell_lost(&driven.owned),
                    }
                    state.let_go(id);
                }
            }
            WorkflowDispatcherMsg::Restart(id, epoch) => state.spawn(&myself, id, epoch).await,
            WorkflowDispatcherMsg::LookEvery(poll) => state.arguments.poll = poll,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Some(failure) = state.actors.failed(&event) else {
            return Ok(());
        };
        let Some(driven) = state.driven.get(&failure.key) else {
            return Ok(());
        };
        let (id, epoch) = (failure.key, driven.owned.epoch);
        // Its watchers died with it; whoever is started next watches anew.
        state.forget_watchers(id, epoch);
        // A workflow is never given up here: with the lease still held, nobody else would take it. The longest pause repeats.
        let delay = failure
            .restart_after
            .unwrap_or(RestartPolicy::WORK.max_delay);
        tracing::warn!(workflow = %driven.owned.name, reason = failure.reason, ?delay, "workflow is rebuilt from the checkpoint");
        myself.send_after(delay, move || WorkflowDispatcherMsg::Restart(id, epoch));
        Ok(())
    }

    async fn post_stop(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let look_ends = state.look_ends.take();
        if look_ends.is_some() || !state.driven.is_empty() {
            // Nothing may be on its way when the leases are given back: the next owner reads at once, and would wait for the
            // locks of a load that nobody ends. A look would take again what has just been given back.
            let cell = myself.get_cell();
            let looked = async {
                if let Some(ends) = look_ends {
                    let _ = tokio::time::timeout(SETTLE_WRITES, ends).await;
                }
            };
            let settled = async {
                cell.stop_children_and_wait(None, Some(STOP_CHILDREN)).await;
                let settled = settled_writes(&state.arguments.writer, None);
                tokio::time::timeout(SETTLE_WRITES, settled).await
            };
            let loader = &state.arguments.services.loader;
            let (settled, (), ()) = tokio::join!(settled, loader.stop(LOAD_PATIENCE), looked);
            if settled.is_err() {
                tracing::warn!(
                    "state changes are still on their way; the leases run out by themselves"
                );
                return Ok(());
            }
            // A standby need not wait for the leases to run out.
            if let Err(error) = state
                .arguments
                .services
                .checkpoint
                .release_workflows(&state.arguments.owner)
                .await
            {
                tracing::warn!(%error, "leases could not be given back; they run out by themselves");
            }
        }
        Ok(())
    }
}

impl WorkflowDispatcherState {
    /// The workflow, if it is driven with this epoch: what an older one's actor has to say does not count.
    fn current(&self, id: WorkflowId, epoch: OwnerEpoch) -> Option<&Driven> {
        self.driven
            .get(&id)
            .filter(|driven| driven.owned.epoch == epoch)
    }

    /// Not much of a lease: another's that has run out is to be found soon. And soon what is asked of workflows that
    /// are driven here.
    fn look_pause(&self) -> Duration {
        let (poll, lease) = (self.arguments.poll, self.arguments.lease);
        let longest = if self.driven.is_empty() {
            lease / LOOKS_PER_LEASE
        } else {
            LONGEST_DRIVING_LOOK.min(lease / LOOKS_PER_LEASE)
        };
        poll.pause(self.found.elapsed()).min(longest.max(poll.base))
    }

    fn look(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>) {
        let room = MAX_WORKFLOWS.saturating_sub(self.driven.len());
        let driven: Vec<_> = self
            .driven
            .values()
            .map(|d| (d.owned.id, d.owned.epoch, d.owned.request_seq))
            .collect();
        let (owner, affinity, lease) = (
            self.arguments.owner.clone(),
            self.arguments.affinity.clone(),
            self.arguments.lease,
        );
        let checkpoint = self.arguments.services.checkpoint.clone();
        let (answered, look_ends) = oneshot::channel();
        self.look_ends = Some(look_ends);
        effects::run(myself, async move {
            let _answered: oneshot::Sender<()> = answered;
            let asked_at = Instant::now();
            let search = WorkflowSearch {
                owner: &owner,
                affinity: affinity.as_ref(),
                lease,
                limit: room,
                driven: &driven,
            };
            let taken = checkpoint.take_workflows(&search).await;
            WorkflowDispatcherMsg::Looked(taken, asked_at)
        });
    }

    fn renew(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>) {
        let held = self.leases.held();
        let (owner, lease) = (self.arguments.owner.clone(), self.arguments.lease);
        let checkpoint = self.arguments.services.checkpoint.clone();
        effects::run(myself, async move {
            let asked_at = Instant::now();
            let lost = if held.is_empty() {
                Some(Vec::new())
            } else {
                // One that hangs leaves time for another, which takes another session.
                let renewal = checkpoint.renew_workflows(&owner, &held, lease);
                answer_within(renew_interval(lease), renewal).await
            };
            WorkflowDispatcherMsg::Renewed(held, asked_at, lost)
        });
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
            Some(lost) => (self.leases.renewed(asked, asked_at, &lost), interval),
            None => (Vec::new(), renewed_again(interval)),
        };
        self.let_go_lost(lost);
        myself.send_after(pause, || WorkflowDispatcherMsg::Renew);
    }

    fn let_go_lost(&mut self, lost: Vec<WorkflowId>) {
        for id in lost {
            if let Some(driven) = self.driven.get(&id) {
                tell_lost(&driven.owned);
            }
            self.let_go(id);
        }
    }

    /// Whatever a renewal that is under way may bring: others may have them from now on.
    fn let_go_expired(&mut self) {
        let over = self.leases.over(Instant::now());
        self.let_go_lost(over);
    }

    /// Sees to it that [`WorkflowDispatcherMsg::Expire`] comes when the lease that ends first does.
    fn watch(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>) {
        self.expiry
            .watch(myself, self.leases.ends(), || WorkflowDispatcherMsg::Expire);
    }

    async fn drive(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        owned: OwnedWorkflow,
        asked_at: Instant,
    ) {
        let (id, epoch) = (owned.id, owned.epoch);
        match self.leases.taken(id, epoch, asked_at, Instant::now()) {
            Taken::Again => return self.steer(myself, owned).await,
            // A workflow that is taken again while its old epoch is still driven here: the old one is fenced now.
            Taken::New => self.stop_driving(id),
            Taken::TooLate => {
                // The look took that long. Others may have it by now; if not, it is found again.
                self.stop_driving(id);
                return tell_lost(&owned);
            }
        }
        tracing::info!(workflow = %owned.name, epoch = epoch.0, "workflow taken");
        let owned = Arc::new(owned);
        self.fence(myself, owned.clone());
        let driven = Driven {
            owned,
            is_fenced: false,
            outliving: Arc::default(),
        };
        self.driven.insert(id, driven);
        self.watch(myself);
    }

    /// Fences a workflow's tables, beside everything else: a load of the former owner may hold one of them for long.
    fn fence(&self, myself: &ActorRef<WorkflowDispatcherMsg>, owned: Arc<OwnedWorkflow>) {
        let (checkpoint, fences) = (
            self.arguments.services.checkpoint.clone(),
            self.fences.clone(),
        );
        let asker = myself.get_cell();
        effects::run(myself, async move {
            let fenced = ask_patiently(&asker, "to fence a workflow's tables", || async {
                let _turn = fences.acquire().await;
                checkpoint.fence_tables(&owned).await
            });
            let fenced = fenced.await;
            WorkflowDispatcherMsg::Fenced(owned.id, owned.epoch, fenced)
        });
    }

    async fn fenced(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        (id, epoch): (WorkflowId, OwnerEpoch),
        fenced: Result<(), CheckpointError>,
    ) {
        let current = self.driven.get_mut(&id);
        let Some(driven) = current.filter(|driven| driven.owned.epoch == epoch) else {
            return;
        };
        match fenced {
            Ok(()) => {
                driven.is_fenced = true;
                self.spawn(myself, id, epoch).await;
            }
            Err(error) => {
                tracing::error!(workflow = %driven.owned.name, %error, "the tables of a workflow could not be fenced; it is taken again when its lease has run out");
                self.let_go(id);
            }
        }
    }

    /// Operators have asked something of a workflow that is driven here: its actor is started anew, and carries it out
    /// before it drives on from the checkpoint. Loads that have begun end by themselves, as tasks do; what they did is found there.
    async fn steer(&mut self, myself: &ActorRef<WorkflowDispatcherMsg>, owned: OwnedWorkflow) {
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

    async fn spawn(
        &mut self,
        myself: &ActorRef<WorkflowDispatcherMsg>,
        id: WorkflowId,
        epoch: OwnerEpoch,
    ) {
        let Some(driven) = self
            .current(id, epoch)
            .filter(|driven| driven.is_fenced && !self.actors.is_running(id))
        else {
            return;
        };
        let arguments = WorkflowArguments {
            owned: driven.owned.clone(),
            services: self.arguments.services.clone(),
            writer: self.arguments.writer.clone(),
            pool: self.arguments.pool.clone(),
            outliving: driven.outliving.clone(),
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

    fn let_go(&mut self, id: WorkflowId) {
        self.leases.let_go(id);
        self.stop_driving(id);
    }

    fn stop_driving(&mut self, id: WorkflowId) {
        let Some(driven) = self.driven.remove(&id) else {
            return;
        };
        self.forget_watchers(id, driven.owned.epoch);
        self.actors.remove(id);
        self.tell_reaper();
    }

    fn forget_watchers(&self, id: WorkflowId, epoch: OwnerEpoch) {
        let forget = RemoteExtractorPoolMsg::Forget(id, epoch);
        let _ = self.arguments.pool.cast(forget);
    }

    fn tell_reaper(&self) {
        let _ = self.arguments.reaper.cast(LeaseReaperMsg::Driving(
            self.driven.keys().copied().collect(),
        ));
    }
}

/// However it was found.
fn tell_lost(owned: &OwnedWorkflow) {
    tracing::warn!(workflow = %owned.name, "the lease is lost; another orchestrator may drive it now");
}
