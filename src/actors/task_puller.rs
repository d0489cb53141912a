//! TaskPuller: claims as many tasks as there is room for, and settles each one's end. What follows from what is decided by its
//! [`Claims`].

use super::effects;
use super::extractor::{ExtractorJob, ExtractorPool, JobEnd, JobGuard, dispatch, task_span};
use super::lease_keeper::{Claim, LeaseKeeperMsg};
use super::reply_to;
use super::task_claim::{TableKey, claim, claim_of, outcome, table_key};
use super::task_end_writer::TaskEndWriterMsg;
use crate::checkpoint::{Applied, CheckpointError, ClaimRequest, TableWork, WorkerCheckpoint};
use crate::domain::claims::{Claims, Command, Event};
use crate::domain::progress::TaskProgress;
use crate::domain::retry::RetryPolicy;
use crate::domain::task::{ClaimedTask, TaskEnd, TaskOutcome};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// Tables whose specification is remembered.
const TABLE_CACHE: usize = 1_024;

type Tables = HashMap<TableKey, Arc<TableWork>>;

/// Messages.
pub enum TaskPullerMsg {
    /// Claim if there is room, if this is still the pull that is due.
    Pull(u64),
    /// What the claim brought, with the tables that were not known; and when it was sent.
    Pulled(
        Result<(Vec<ClaimedTask>, Vec<TableWork>), CheckpointError>,
        Instant,
    ),
    /// A task ended in the pool.
    Ended(ClaimedTask, JobEnd),
    /// The end of this claim is certain; what its log lines carry comes along.
    Settled(Claim, tracing::Span, Applied),
    /// Claim nothing more; give back what has not started; cancel what still runs after this long.
    Drain(Duration),
    /// The time to drain is over.
    CancelAll,
    /// The time to notice that is over too.
    HandBackAll,
    /// Give back what was claimed ahead and has not come to its turn.
    GiveBackWaiting,
    /// From now on.
    Tune(WorkerTuning),
}

pub use crate::domain::claims::WorkerTuning;

/// The actor. It stops by itself when it is drained.
pub struct TaskPuller;

/// What it starts with.
pub struct TaskPullerArguments {
    /// The checkpoint.
    pub checkpoint: Arc<dyn WorkerCheckpoint>,
    /// What the worker offers; the limit is filled in here.
    pub request: ClaimRequest,
    /// What can change while it runs.
    pub tuning: WorkerTuning,
    /// When a failed task may be tried again.
    pub retry: RetryPolicy,
    /// Runs the tasks.
    pub pool: ExtractorPool,
    /// Renews the leases.
    pub leases: ActorRef<LeaseKeeperMsg>,
    /// Writes the ends.
    pub ends: ActorRef<TaskEndWriterMsg>,
}

struct Running {
    task: ClaimedTask,
    /// What its lines in the log carry.
    span: tracing::Span,
    progress: Arc<TaskProgress>,
    started: Arc<OnceLock<Instant>>,
}

/// Its state.
pub struct TaskPullerState {
    arguments: TaskPullerArguments,
    claims: Claims<Claim, Instant>,
    /// Claimed and not ended in the pool: what `claims` calls running.
    running: HashMap<Claim, Running>,
    /// Of tables that are planned: these do not change any more. What an analysis starts from does.
    tables: Tables,
}

impl Actor for TaskPuller {
    type Msg = TaskPullerMsg;
    type State = TaskPullerState;
    type Arguments = TaskPullerArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let (claims, first) = Claims::begin(arguments.tuning, Instant::now());
        let mut state = TaskPullerState {
            arguments,
            claims,
            running: HashMap::new(),
            tables: HashMap::new(),
        };
        first
            .into_iter()
            .for_each(|command| state.carry_out(&myself, command));
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            TaskPullerMsg::Pull(number) => state.happened(&myself, Event::ClaimDue(number)),
            TaskPullerMsg::Tune(tuning) => state.happened(&myself, Event::Tuned(tuning)),
            TaskPullerMsg::Pulled(answer, asked_at) => state.pulled(&myself, answer, asked_at),
            TaskPullerMsg::Ended(task, end) => state.ended(&myself, &claim_of(&task), end),
            TaskPullerMsg::Settled(claim, span, applied) => {
                let _ = state.arguments.leases.cast(LeaseKeeperMsg::Release(claim));
                if applied == Applied::No {
                    tracing::warn!(
                        parent: &span,
                        "the claim was lost before its end: what was done for it does not count"
                    );
                }
                state.happened(&myself, Event::Settled);
            }
            TaskPullerMsg::Drain(patience) => {
                let waiting = state.waiting();
                state.happened(&myself, Event::Drain(waiting, patience));
            }
            TaskPullerMsg::CancelAll => state.happened(&myself, Event::CancelDue),
            TaskPullerMsg::GiveBackWaiting => {
                let waiting = state.waiting();
                state.happened(&myself, Event::AheadDue(waiting));
            }
            TaskPullerMsg::HandBackAll => {
                for running in state.running.values() {
                    tracing::warn!(
                        parent: &running.span,
                        "the task does not notice that it is cancelled; it is given back"
                    );
                }
                state.happened(&myself, Event::ReleaseDue);
            }
        }
        Ok(())
    }
}

impl TaskPullerState {
    fn happened(&mut self, myself: &ActorRef<TaskPullerMsg>, event: Event<Claim>) {
        for command in self.claims.step(event, Instant::now()) {
            self.carry_out(myself, command);
        }
    }

    fn carry_out(&mut self, myself: &ActorRef<TaskPullerMsg>, command: Command<Claim>) {
        match command {
            Command::ClaimAfter(number, pause) => {
                myself.send_after(pause, move || TaskPullerMsg::Pull(number));
            }
            Command::Claim { limit, slots } => self.claim(myself, limit, slots),
            Command::Release(claim) => {
                if let Some(running) = self.running.remove(&claim) {
                    // Should it come to its turn in this moment, it ends at once, and its claim is no longer known here.
                    running.progress.cancel();
                    self.settle(myself, running, TaskOutcome::HandedBack);
                }
            }
            Command::Cancel(claim) => {
                if let Some(running) = self.running.get(&claim) {
                    running.progress.cancel();
                }
            }
            Command::AheadAfter(pause) => {
                myself.send_after(pause, || TaskPullerMsg::GiveBackWaiting);
            }
            Command::CancelAfter(pause) => {
                myself.send_after(pause, || TaskPullerMsg::CancelAll);
            }
            Command::ReleaseAfter(pause) => {
                myself.send_after(pause, || TaskPullerMsg::HandBackAll);
            }
            Command::Stop => myself.stop(None),
            // They follow from what a claim brings and from the end of a task alone, and are carried out there.
            Command::Start(_) | Command::Settle(_) => {}
        }
    }

    /// Claims that have not come to their turn in the pool.
    fn waiting(&self) -> Vec<Claim> {
        let waiting = self.running.iter();
        waiting
            .filter(|(_, running)| running.started.get().is_none())
            .map(|(claim, _)| claim.clone())
            .collect()
    }

    fn claim(&mut self, myself: &ActorRef<TaskPullerMsg>, limit: usize, slots: usize) {
        if self.tables.len() > TABLE_CACHE {
            // Before the claim, which reads the tables that are not known.
            self.tables.clear();
        }
        let request = ClaimRequest {
            limit,
            slots,
            ..self.arguments.request.clone()
        };
        let known: Vec<TableKey> = self.tables.keys().copied().collect();
        let checkpoint = self.arguments.checkpoint.clone();
        effects::run(myself, async move {
            let asked_at = Instant::now();
            let answer = claim(checkpoint.as_ref(), &request, &known).await;
            TaskPullerMsg::Pulled(answer, asked_at)
        });
    }

    fn pulled(
        &mut self,
        myself: &ActorRef<TaskPullerMsg>,
        answer: Result<(Vec<ClaimedTask>, Vec<TableWork>), CheckpointError>,
        asked_at: Instant,
    ) {
        let (tasks, tables) = match answer {
            Ok(brought) => brought,
            Err(error) => {
                tracing::warn!(%error, "tasks could not be claimed; trying again");
                return self.happened(myself, Event::ClaimFailed);
            }
        };
        let keyed = tables.into_iter().map(|work| {
            let key = (work.workflow_id, work.table_no, work.extract.is_some());
            (key, Arc::new(work))
        });
        let (planned, fresh): (Tables, Tables) = keyed.partition(|(key, _)| key.2);
        self.tables.extend(planned);
        let claims = tasks.iter().map(claim_of).collect();
        let mut tasks: HashMap<_, _> = tasks.into_iter().map(|t| (claim_of(&t), t)).collect();
        for command in self.claims.step(Event::Claimed(claims), Instant::now()) {
            match command {
                Command::Start(claim) => {
                    if let Some(task) = tasks.remove(&claim) {
                        let key = table_key(&task);
                        let work = self.tables.get(&key).or_else(|| fresh.get(&key));
                        let work = work.cloned();
                        self.start(myself, task, work, asked_at);
                    }
                }
                command => self.carry_out(myself, command),
            }
        }
    }

    fn ended(&mut self, myself: &ActorRef<TaskPullerMsg>, claim: &Claim, end: JobEnd) {
        let started = self.running.get(claim).map(|r| r.started.get().copied());
        let ran_for = started.flatten().map(|at| at.elapsed());
        let mut end = Some(end);
        let ended = Event::Ended(claim.clone(), ran_for);
        for command in self.claims.step(ended, Instant::now()) {
            match command {
                Command::Settle(claim) => {
                    if let (Some(running), Some(end)) = (self.running.remove(&claim), end.take()) {
                        let outcome =
                            outcome(&running.task, &running.span, end, &self.arguments.retry);
                        self.settle(myself, running, outcome);
                    }
                }
                command => self.carry_out(myself, command),
            }
        }
    }

    fn start(
        &mut self,
        myself: &ActorRef<TaskPullerMsg>,
        task: ClaimedTask,
        work: Option<Arc<TableWork>>,
        asked_at: Instant,
    ) {
        let progress = Arc::new(TaskProgress::default());
        let span = task_span(&task, work.as_deref());
        let started = Arc::new(OnceLock::new());
        self.running.insert(
            claim_of(&task),
            Running {
                task: task.clone(),
                span: span.clone(),
                progress: progress.clone(),
                started: started.clone(),
            },
        );
        let _ = self.arguments.leases.cast(LeaseKeeperMsg::Hold(
            claim_of(&task),
            asked_at,
            progress.clone(),
            span,
        ));
        if self.claims.is_draining() {
            progress.cancel();
        }
        let guard = JobGuard::new({
            let (myself, task) = (myself.clone(), task.clone());
            move |end| {
                let _ = myself.cast(TaskPullerMsg::Ended(task, end));
            }
        });
        let Some(work) = work else {
            // The table's row vanished between two statements; the dropped guard gives the task back.
            return;
        };
        dispatch(
            &self.arguments.pool,
            ExtractorJob {
                task,
                work,
                progress,
                started,
                guard,
            },
        );
    }

    fn settle(
        &mut self,
        myself: &ActorRef<TaskPullerMsg>,
        Running { task, span, .. }: Running,
        outcome: TaskOutcome,
    ) {
        let claim = claim_of(&task);
        let _ = self
            .arguments
            .leases
            .cast(LeaseKeeperMsg::Ending(claim.clone()));
        let reply = reply_to(myself, move |applied| {
            TaskPullerMsg::Settled(claim, span, applied)
        });
        let end = TaskEnd {
            task_id: task.task_id,
            token: task.token,
            attempt: task.attempt,
            outcome,
        };
        let _ = self
            .arguments
            .ends
            .cast(TaskEndWriterMsg::Write(end, reply));
    }
}
