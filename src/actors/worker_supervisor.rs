//! WorkerSupervisor: keeps the worker's services running: TaskEndWriter, LeaseKeeper, ExtractorPool, TaskPuller.
//!
//! They start in this order. LeaseKeeper, ExtractorPool and TaskPuller share the tasks that run: when one of them fails,
//! all three start again, or leases would be renewed for tasks that nobody runs. When TaskEndWriter fails, so do they.
//! Tasks that were running then lose their claims when the leases run out, and are claimed again.

use super::extractor::{ExtractorPool, spawn_pool};
use super::lease_keeper::{LeaseKeeper, LeaseKeeperArguments, LeaseKeeperMsg};
use super::ports::TaskRunner;
use super::supervision::{ChildEnd, Restarts, child_end};
use super::task_end_writer::{TaskEndWriter, TaskEndWriterMsg};
use super::task_puller::{TaskPuller, TaskPullerArguments, TaskPullerMsg, WorkerTuning};
use crate::checkpoint::{ClaimRequest, WorkerCheckpoint, WorkerInfo};
use crate::domain::restart::RestartPolicy;
use crate::domain::retry::RetryPolicy;
use ractor::factory::FactoryMessage;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;
use std::time::Duration;

/// How long a stop waits for the worker's row to be removed.
const SIGN_OFF: Duration = Duration::from_secs(2);

/// Settings of a worker.
#[derive(Clone)]
pub struct WorkerSettings {
    /// The checkpoint.
    pub checkpoint: Arc<dyn WorkerCheckpoint>,
    /// Runs tasks.
    pub runner: Arc<dyn TaskRunner>,
    /// What it offers; its id, affinity, platforms and lease.
    pub request: ClaimRequest,
    /// What can change while it runs.
    pub tuning: WorkerTuning,
    /// Pause between two renewals of the leases.
    pub renew_interval: Duration,
    /// When a failed task may be tried again.
    pub retry: RetryPolicy,
}

/// Messages.
pub enum WorkerSupervisorMsg {
    /// Start what is not running.
    StartMissing,
    /// Claim nothing more, finish or give back what is held within this time, and stop.
    Drain(Duration),
    /// From now on.
    Tune(WorkerTuning),
}

/// The actor. It ends with an error when its services keep failing.
pub struct WorkerSupervisor;

/// Its state.
pub struct WorkerSupervisorState {
    settings: WorkerSettings,
    ends: Option<ActorRef<TaskEndWriterMsg>>,
    leases: Option<ActorRef<LeaseKeeperMsg>>,
    pool: Option<ExtractorPool>,
    puller: Option<ActorRef<TaskPullerMsg>>,
    restarts: Restarts,
    draining: bool,
}

impl Actor for WorkerSupervisor {
    type Msg = WorkerSupervisorMsg;
    type State = WorkerSupervisorState;
    type Arguments = WorkerSettings;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        settings: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(WorkerSupervisorMsg::StartMissing)?;
        let restarts = Restarts::new(RestartPolicy::SERVICE);
        Ok(WorkerSupervisorState {
            settings,
            ends: None,
            leases: None,
            pool: None,
            puller: None,
            restarts,
            draining: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            WorkerSupervisorMsg::StartMissing if state.draining => state.leave(&myself).await,
            WorkerSupervisorMsg::StartMissing => state.start_missing(&myself).await?,
            WorkerSupervisorMsg::Tune(tuning) => state.tune(tuning),
            WorkerSupervisorMsg::Drain(patience) => {
                state.draining = true;
                match &state.puller {
                    // The puller stops when all it held is settled; its end is this actor's (below). Should it be
                    // gone, that is about to be heard.
                    Some(puller) => {
                        let _ = puller.cast(TaskPullerMsg::Drain(patience));
                    }
                    None => state.leave(&myself).await,
                }
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
        let (id, reason) = match child_end(&event) {
            Some(ChildEnd::Failed(id, reason)) => (id, reason),
            Some(ChildEnd::Stopped) if state.draining => {
                state.leave(&myself).await;
                return Ok(());
            }
            _ => return Ok(()),
        };
        let cells = state.cells();
        let Some(position) = cells
            .iter()
            .position(|cell| cell.as_ref().is_some_and(|c| c.get_id() == id))
        else {
            return Ok(());
        };
        let position = position.min(1);
        cells
            .into_iter()
            .skip(position)
            .flatten()
            .for_each(|later| later.kill());
        state.forget_from(position);
        let Some(delay) = state.restarts.failed() else {
            return Err(format!("a service of the worker keeps failing: {reason}").into());
        };
        tracing::error!(
            reason,
            ?delay,
            "a service of the worker failed; it and those that depend on it start again"
        );
        myself.send_after(delay, || WorkerSupervisorMsg::StartMissing);
        Ok(())
    }
}

fn whole(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl WorkerSupervisorState {
    fn cells(&self) -> [Option<ActorCell>; 4] {
        [
            self.ends.as_ref().map(ActorRef::get_cell),
            self.leases.as_ref().map(ActorRef::get_cell),
            self.pool.as_ref().map(ActorRef::get_cell),
            self.puller.as_ref().map(ActorRef::get_cell),
        ]
    }

    fn forget_from(&mut self, position: usize) {
        (self.leases, self.pool, self.puller) = (None, None, None);
        if position == 0 {
            self.ends = None;
        }
    }

    /// What is not running now starts with it.
    fn tune(&mut self, tuning: WorkerTuning) {
        self.settings.tuning = tuning;
        if let Some(pool) = &self.pool {
            // A pool that shrinks lets what runs end.
            let _ = pool.cast(FactoryMessage::AdjustWorkerPool(tuning.capacity));
        }
        if let Some(leases) = &self.leases {
            let _ = leases.cast(LeaseKeeperMsg::Capacity(whole(tuning.capacity)));
        }
        if let Some(puller) = &self.puller {
            let _ = puller.cast(TaskPullerMsg::Tune(tuning));
        }
    }

    /// Removes the worker's row and stops.
    async fn leave(&self, myself: &ActorRef<WorkerSupervisorMsg>) {
        let sign_off = self
            .settings
            .checkpoint
            .sign_off(&self.settings.request.worker);
        match tokio::time::timeout(SIGN_OFF, sign_off).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the worker's row could not be removed"),
            Err(_) => tracing::warn!("the worker's row could not be removed in time"),
        }
        myself.stop(None);
    }

    async fn start_missing(
        &mut self,
        myself: &ActorRef<WorkerSupervisorMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let settings = self.settings.clone();
        let (parent, checkpoint) = (myself.get_cell(), settings.checkpoint.clone());
        if self.ends.is_none() {
            self.ends = Some(
                TaskEndWriter::spawn_linked(
                    None,
                    TaskEndWriter,
                    checkpoint.clone(),
                    parent.clone(),
                )
                .await?
                .0,
            );
        }
        if self.leases.is_none() {
            let worker = WorkerInfo {
                worker: settings.request.worker.clone(),
                affinity: settings.request.affinity.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                running: 0,
                capacity: whole(settings.tuning.capacity),
                rows_per_second: 0.0,
            };
            let arguments = LeaseKeeperArguments {
                checkpoint: checkpoint.clone(),
                lease: settings.request.lease,
                interval: settings.renew_interval,
                worker,
            };
            self.leases = Some(
                LeaseKeeper::spawn_linked(None, LeaseKeeper, arguments, parent.clone())
                    .await?
                    .0,
            );
        }
        if self.pool.is_none() {
            self.pool = Some(
                spawn_pool(
                    parent.clone(),
                    settings.runner.clone(),
                    settings.tuning.capacity,
                )
                .await?,
            );
        }
        if let (None, Some(ends), Some(leases), Some(pool)) =
            (&self.puller, &self.ends, &self.leases, &self.pool)
        {
            let arguments = TaskPullerArguments {
                checkpoint,
                request: settings.request,
                tuning: settings.tuning,
                retry: settings.retry,
                pool: pool.clone(),
                leases: leases.clone(),
                ends: ends.clone(),
            };
            self.puller = Some(
                TaskPuller::spawn_linked(None, TaskPuller, arguments, parent)
                    .await?
                    .0,
            );
        }
        Ok(())
    }
}
