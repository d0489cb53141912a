//! TaskPuller: claims as many tasks as there is room for, and settles each one's end.

use super::effects;
use super::extractor::{ExtractorJob, ExtractorPool, JobEnd, JobGuard, dispatch, task_span};
use super::lease_keeper::{Claim, LeaseKeeperMsg};
use super::ports::TaskResult;
use super::reply_to;
use super::task_end_writer::TaskEndWriterMsg;
use crate::checkpoint::{Applied, CheckpointError, ClaimRequest, TableWork, WorkerCheckpoint};
use crate::domain::claim_ahead::{AHEAD, room};
use crate::domain::idle::IdlePolicy;
use crate::domain::progress::TaskProgress;
use crate::domain::retry::{RetryPolicy, TaskDecision, after_task};
use crate::domain::task::{ClaimedTask, TaskEnd, TaskFailure, TaskOutcome};
use crate::domain::{TableNo, WorkflowId};
use crate::retry::retry;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// Pause between two claims while there is work.
const BUSY_PAUSE: Duration = Duration::from_millis(200);
/// Tables whose specification is remembered.
const TABLE_CACHE: usize = 1_024;
/// How long a drain waits for tasks to notice that they are cancelled, before they are given back over their heads.
const CANCEL_PATIENCE: Duration = Duration::from_secs(3);

type TableKey = (WorkflowId, TableNo, bool);
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

/// What of a worker can change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerTuning {
    /// Tasks at once.
    pub capacity: usize,
    /// Pauses between two claims while there is no work.
    pub fetch: IdlePolicy,
}

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
    claimed: Instant,
    started: Arc<OnceLock<Instant>>,
}

/// Its state.
pub struct TaskPullerState {
    arguments: TaskPullerArguments,
    /// Claimed and not ended in the pool.
    running: HashMap<Claim, Running>,
    /// Ended in the pool, end not yet certain.
    settling: usize,
    /// Of tables that are planned: these do not change any more. What an analysis starts from does.
    tables: Tables,
    pulling: bool,
    /// The number of the next pull: one that comes under another number is out of date.
    next_pull: u64,
    /// When it is due.
    pull_due: Option<Instant>,
    /// When there was work the last time.
    worked: Instant,
    draining: bool,
    usual_duration: Duration,
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
        let mut state = TaskPullerState {
            arguments,
            running: HashMap::new(),
            settling: 0,
            tables: HashMap::new(),
            pulling: false,
            next_pull: 0,
            pull_due: None,
            worked: Instant::now(),
            draining: false,
            // Nothing is known yet: nothing is claimed ahead.
            usual_duration: AHEAD * 2,
        };
        state.arm(&myself, Duration::ZERO);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            TaskPullerMsg::Pull(number) if number == state.next_pull => {
                state.pull_due = None;
                state.pull(&myself);
            }
            TaskPullerMsg::Pull(_) => {}
            TaskPullerMsg::Tune(tuning) => {
                state.arguments.tuning = tuning;
                state.arm(&myself, Duration::ZERO);
            }
            TaskPullerMsg::Pulled(answer, asked_at) => state.pulled(&myself, answer, asked_at),
            TaskPullerMsg::Ended(task, end) => {
                // Unknown when it was given back over its head.
                if let Some(running) = state.running.remove(&claim_of(&task)) {
                    if let Some(started) = running.started.get() {
                        state.usual_duration = (state.usual_duration + started.elapsed()) / 2;
                    }
                    let outcome = state.outcome(&running, end);
                    state.settle(&myself, running, outcome);
                    state.worked = Instant::now();
                    state.arm(&myself, BUSY_PAUSE);
                }
            }
            TaskPullerMsg::Settled(claim, span, applied) => {
                let _ = state.arguments.leases.cast(LeaseKeeperMsg::Release(claim));
                state.settling = state.settling.saturating_sub(1);
                if applied == Applied::No {
                    tracing::warn!(
                        parent: &span,
                        "the claim was lost before its end: what was done for it does not count"
                    );
                }
                state.stop_if_drained(&myself);
            }
            TaskPullerMsg::Drain(patience) => {
                state.draining = true;
                let waiting = state.running.values();
                waiting
                    .filter(|running| running.started.get().is_none())
                    .for_each(|running| running.progress.cancel());
                myself.send_after(patience, || TaskPullerMsg::CancelAll);
                state.stop_if_drained(&myself);
            }
            TaskPullerMsg::CancelAll => {
                let running = state.running.values();
                running.for_each(|running| running.progress.cancel());
                myself.send_after(CANCEL_PATIENCE, || TaskPullerMsg::HandBackAll);
            }
            TaskPullerMsg::GiveBackWaiting => state.give_back_waiting(&myself),
            TaskPullerMsg::HandBackAll => {
                // Their claims end here, so whatever they still do counts for nothing.
                for (_, running) in std::mem::take(&mut state.running) {
                    tracing::warn!(
                        parent: &running.span,
                        "the task does not notice that it is cancelled; it is given back"
                    );
                    state.settle(&myself, running, TaskOutcome::HandedBack);
                }
                state.stop_if_drained(&myself);
            }
        }
        Ok(())
    }
}

impl TaskPullerState {
    fn arm(&mut self, myself: &ActorRef<TaskPullerMsg>, after: Duration) {
        let due = Instant::now() + after;
        // A pull that is due later gives way: it may wait for long.
        let is_sooner = self.pull_due.is_none_or(|other| due < other);
        if is_sooner && !self.pulling && !self.draining {
            self.pull_due = Some(due);
            self.next_pull += 1;
            let number = self.next_pull;
            myself.send_after(after, move || TaskPullerMsg::Pull(number));
        }
    }

    fn pull(&mut self, myself: &ActorRef<TaskPullerMsg>) {
        let capacity = self.arguments.tuning.capacity;
        let limit = room(capacity, self.running.len(), self.usual_duration);
        if self.pulling || self.draining || limit == 0 {
            return;
        }
        self.pulling = true;
        if self.tables.len() > TABLE_CACHE {
            // Before the claim, which reads the tables that are not known.
            self.tables.clear();
        }
        let request = ClaimRequest {
            limit,
            slots: capacity.saturating_sub(self.running.len()),
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
        self.pulling = false;
        let pause = match answer {
            Ok((tasks, tables)) => {
                let keyed = tables.into_iter().map(|work| {
                    let key = (work.workflow_id, work.table_no, work.extract.is_some());
                    (key, Arc::new(work))
                });
                let (planned, fresh): (Tables, Tables) = keyed.partition(|(key, _)| key.2);
                self.tables.extend(planned);
                let pause = if tasks.is_empty() {
                    self.arguments.tuning.fetch.pause(self.worked.elapsed())
                } else {
                    self.worked = Instant::now();
                    BUSY_PAUSE
                };
                for task in tasks {
                    let key = table_key(&task);
                    let work = self.tables.get(&key).or_else(|| fresh.get(&key)).cloned();
                    self.start(myself, task, work, asked_at);
                }
                if self.running.len() > self.arguments.tuning.capacity {
                    myself.send_after(AHEAD * 2, || TaskPullerMsg::GiveBackWaiting);
                }
                pause
            }
            Err(error) => {
                tracing::warn!(%error, "tasks could not be claimed; trying again");
                self.arguments.tuning.fetch.base.max(Duration::from_secs(1))
            }
        };
        self.arm(myself, pause);
        self.stop_if_drained(myself);
    }

    /// Tasks that were claimed ahead because others were short, and wait behind long ones now: another worker may have
    /// a slot for them.
    fn give_back_waiting(&mut self, myself: &ActorRef<TaskPullerMsg>) {
        let waiting: Vec<Claim> = self
            .running
            .iter()
            .filter(|(_, running)| {
                running.started.get().is_none() && running.claimed.elapsed() >= AHEAD * 2
            })
            .map(|(claim, _)| claim.clone())
            .collect();
        if waiting.is_empty() {
            return;
        }
        self.usual_duration = self.usual_duration.max(AHEAD * 2);
        for running in waiting
            .iter()
            .filter_map(|claim| self.running.remove(claim))
            .collect::<Vec<_>>()
        {
            // Should it come to its turn in this moment, it ends at once, and its claim is no longer known here.
            running.progress.cancel();
            self.settle(myself, running, TaskOutcome::HandedBack);
        }
        self.arm(myself, BUSY_PAUSE);
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
                claimed: Instant::now(),
                started: started.clone(),
            },
        );
        let _ = self.arguments.leases.cast(LeaseKeeperMsg::Hold(
            claim_of(&task),
            asked_at,
            progress.clone(),
            span,
        ));
        if self.draining {
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
        self.settling += 1;
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

    fn outcome(&self, Running { task, span, .. }: &Running, end: JobEnd) -> TaskOutcome {
        let failure = match end {
            JobEnd::Ran(Ok(TaskResult::Cancelled)) => return TaskOutcome::HandedBack,
            JobEnd::Ran(Ok(TaskResult::Analysis(analysis))) => {
                match serde_json::to_string(&analysis) {
                    Ok(result) => {
                        return TaskOutcome::Completed {
                            result,
                            rows: 0,
                            bytes: 0,
                        };
                    }
                    Err(error) => TaskFailure::last(error.to_string()),
                }
            }
            JobEnd::Ran(Ok(TaskResult::Staged(manifest))) => match serde_json::to_string(&manifest)
            {
                Ok(result) => {
                    return TaskOutcome::Completed {
                        result,
                        rows: manifest.rows(),
                        bytes: manifest.bytes(),
                    };
                }
                Err(error) => TaskFailure::last(error.to_string()),
            },
            JobEnd::Ran(Err(failure)) => failure,
            JobEnd::Lost => {
                TaskFailure::passing("the task ended unexpectedly inside the worker (see its log)")
            }
        };
        let counts = (task.failures, task.postponed);
        let decision = after_task(
            &self.arguments.retry,
            failure.kind(),
            counts,
            rand::random(),
        );
        tracing::warn!(
            parent: span,
            kind = ?task.kind,
            error = failure.message,
            ?decision,
            "task failed"
        );
        match decision {
            TaskDecision::PostponedFor(retry_after) => TaskOutcome::Postponed {
                failure,
                retry_after,
            },
            TaskDecision::FailedFor(retry_after) => TaskOutcome::Failed {
                failure,
                retry_after: Some(retry_after),
            },
            TaskDecision::GiveUp => TaskOutcome::Failed {
                failure,
                retry_after: None,
            },
        }
    }

    fn stop_if_drained(&self, myself: &ActorRef<TaskPullerMsg>) {
        if self.draining && !self.pulling && self.running.is_empty() && self.settling == 0 {
            myself.stop(None);
        }
    }
}

fn claim_of(task: &ClaimedTask) -> Claim {
    (task.task_id.clone(), task.token)
}

fn table_key(task: &ClaimedTask) -> TableKey {
    (
        task.workflow_id,
        task.table_no,
        task.kind == crate::domain::task::TaskKind::Extract,
    )
}

/// Claims, and reads the tables that are not known yet.
async fn claim(
    checkpoint: &dyn WorkerCheckpoint,
    request: &ClaimRequest,
    known: &[TableKey],
) -> Result<(Vec<ClaimedTask>, Vec<TableWork>), CheckpointError> {
    let tasks = checkpoint.claim(request).await?;
    let mut unknown: Vec<_> = tasks
        .iter()
        .map(table_key)
        .filter(|key| !known.contains(key))
        .map(|(id, no, _)| (id, no))
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    if unknown.is_empty() {
        return Ok((tasks, Vec::new()));
    }
    let tables = retry(
        RetryPolicy::CLAIMED_TABLES,
        || checkpoint.table_work(&unknown),
        CheckpointError::failure,
        |_, _| {},
    );
    match tables.await {
        Ok(tables) => Ok((tasks, tables)),
        Err(error) => {
            hand_back(checkpoint, &tasks).await;
            Err(error)
        }
    }
}

/// Gives claimed tasks back that nobody will run. When even that fails, their leases run out.
async fn hand_back(checkpoint: &dyn WorkerCheckpoint, tasks: &[ClaimedTask]) {
    let ends: Vec<TaskEnd> = tasks
        .iter()
        .map(|task| TaskEnd {
            task_id: task.task_id.clone(),
            token: task.token,
            attempt: task.attempt,
            outcome: TaskOutcome::HandedBack,
        })
        .collect();
    if let Err(error) = checkpoint.finish(&ends).await {
        tracing::warn!(%error, tasks = ends.len(), "claimed tasks could not be given back; their leases run out");
    }
}
