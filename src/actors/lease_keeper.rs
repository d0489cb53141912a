//! LeaseKeeper: renews the leases of all tasks this worker holds and reports their progress, in one statement, and
//! cancels the tasks whose lease is lost. It has a timer of its own at the end of each lease, whatever hangs.

use super::effects::{self, Expiry, answer_within};
use crate::checkpoint::{LeaseRenewal, WorkerCheckpoint, WorkerInfo};
use crate::domain::ClaimToken;
use crate::domain::lease::{renewal_retry_after, trusted_for};
use crate::domain::progress::TaskProgress;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Between two heartbeats of the worker's own row: as long as this many renewals, and no longer than a minute.
const RENEWALS_PER_HEARTBEAT: u32 = 3;
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(60);
/// Between two heartbeats of a worker that has nothing to do.
const IDLE_HEARTBEAT: Duration = Duration::from_secs(120);
/// A worker that has been silent for this long is gone, and its row goes when another one starts.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// One claim of a task. A task that is lost and claimed again by the same worker is two claims.
pub type Claim = (String, ClaimToken);

/// Messages.
pub enum LeaseKeeperMsg {
    /// The worker holds this task from now on; the claim was sent no earlier than at this moment.
    Hold(Claim, Instant, Arc<TaskProgress>, tracing::Span),
    /// The task has ended, and its end is being written.
    Ending(Claim),
    /// Its end is written, or its claim was lost before.
    Release(Claim),
    /// The worker runs so many tasks at once from now on.
    Capacity(u32),
    /// Renew.
    Renew,
    /// The lease that ends next may have run out.
    Expire,
    /// The renewal of these claims has ended: the tasks that are lost; `None`: it could not be asked.
    Renewed(Vec<Claim>, Option<Vec<String>>),
}

/// The actor.
pub struct LeaseKeeper;

/// What it starts with.
pub struct LeaseKeeperArguments {
    /// The checkpoint.
    pub checkpoint: Arc<dyn WorkerCheckpoint>,
    /// How long a claim holds without renewal.
    pub lease: Duration,
    /// Pause between two renewals: well below the lease.
    pub interval: Duration,
    /// The worker's row; running tasks and rows per second are filled in here.
    pub worker: WorkerInfo,
}

struct Held {
    progress: Arc<TaskProgress>,
    /// Names the task in log lines.
    span: tracing::Span,
    /// Without a renewal until then, nobody may rely on the claim.
    until: Instant,
    /// Since when its end is being written.
    ending: Option<Instant>,
}

/// Its state.
pub struct LeaseKeeperState {
    arguments: LeaseKeeperArguments,
    held: HashMap<Claim, Held>,
    /// Brings [`LeaseKeeperMsg::Expire`].
    expiry: Expiry,
    /// The last heartbeat, and whether it told of no work.
    beat: Option<(Instant, bool)>,
    /// The next renewal brings a heartbeat.
    is_news: bool,
    asked_at: Instant,
    rows_before: (u64, Instant),
    ended_rows: u64,
}

impl Actor for LeaseKeeper {
    type Msg = LeaseKeeperMsg;
    type State = LeaseKeeperState;
    type Arguments = LeaseKeeperArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(LeaseKeeperMsg::Renew)?;
        let now = Instant::now();
        Ok(LeaseKeeperState {
            arguments,
            held: HashMap::new(),
            expiry: Expiry::default(),
            beat: None,
            is_news: false,
            asked_at: now,
            rows_before: (0, now),
            ended_rows: 0,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LeaseKeeperMsg::Hold(claim, asked_at, progress, span) => {
                let held = Held {
                    progress,
                    span,
                    until: asked_at + trusted_for(state.arguments.lease),
                    ending: None,
                };
                state.held.insert(claim, held);
                state.watch(&myself);
            }
            LeaseKeeperMsg::Ending(claim) => {
                if let Some(held) = state.held.get_mut(&claim) {
                    held.ending = Some(Instant::now());
                }
            }
            LeaseKeeperMsg::Release(claim) => {
                if let Some(held) = state.held.remove(&claim) {
                    state.ended_rows += held.progress.rows();
                }
            }
            LeaseKeeperMsg::Capacity(capacity) => {
                state.arguments.worker.capacity = capacity;
                state.is_news = true;
            }
            LeaseKeeperMsg::Renew => state.renew(&myself),
            LeaseKeeperMsg::Expire => {
                state.expiry.came();
                state.cancel_expired();
                state.watch(&myself);
            }
            LeaseKeeperMsg::Renewed(asked, answer) => {
                let interval = state.arguments.interval;
                let pause = match &answer {
                    Some(_) => interval,
                    None => renewal_retry_after(interval),
                };
                state.settle(&asked, answer);
                myself.send_after(pause, || LeaseKeeperMsg::Renew);
            }
        }
        Ok(())
    }
}

impl LeaseKeeperState {
    fn renew(&mut self, myself: &ActorRef<LeaseKeeperMsg>) {
        self.asked_at = Instant::now();
        let interval = self.arguments.interval;
        // An end is written within moments, usually; should that hang, what was done for the task is not to be lost.
        let is_due = |held: &Held| held.ending.is_none_or(|at| at.elapsed() >= interval / 2);
        let leases: Vec<LeaseRenewal> = self
            .held
            .iter()
            .filter(|(_, held)| is_due(held))
            .map(|((task_id, token), held)| LeaseRenewal {
                task_id: task_id.clone(),
                token: *token,
                rows: held.progress.rows(),
                bytes: held.progress.bytes(),
            })
            .collect();
        let is_first = self.beat.is_none();
        let heartbeat = self.heartbeat_is_due().then(|| self.heartbeat());
        let (checkpoint, lease) = (self.arguments.checkpoint.clone(), self.arguments.lease);
        if let Some(worker) = heartbeat {
            // Beside the renewal, which must not wait for it.
            let checkpoint = checkpoint.clone();
            tokio::spawn(async move {
                let mut written = checkpoint.heartbeat(&worker).await;
                if is_first && written.is_ok() {
                    written = checkpoint.forget_workers(FORGET_AFTER).await;
                }
                if let Err(error) = written {
                    tracing::warn!(%error, "the worker's row could not be written");
                }
            });
        }
        effects::run(myself, async move {
            let answer = if leases.is_empty() {
                Some(Vec::new())
            } else {
                // One that hangs leaves time for another, which takes another session.
                answer_within(interval, checkpoint.renew(&leases, lease)).await
            };
            let asked = leases.into_iter().map(|l| (l.task_id, l.token)).collect();
            LeaseKeeperMsg::Renewed(asked, answer)
        });
    }

    fn heartbeat_is_due(&self) -> bool {
        let Some((at, was_idle)) = self.beat else {
            return true;
        };
        let usual = self.arguments.interval * RENEWALS_PER_HEARTBEAT;
        self.is_news
            || at.elapsed()
                >= if was_idle && self.held.is_empty() {
                    IDLE_HEARTBEAT
                } else {
                    usual.min(LONGEST_HEARTBEAT)
                }
    }

    fn heartbeat(&mut self) -> WorkerInfo {
        let now = Instant::now();
        let rows = self.ended_rows
            + self
                .held
                .values()
                .map(|held| held.progress.rows())
                .sum::<u64>();
        let (rows_before, at) = std::mem::replace(&mut self.rows_before, (rows, now));
        let seconds = (now - at).as_secs_f64();
        #[allow(clippy::cast_precision_loss)] // A rate for people to read.
        let rows_per_second = if seconds > 0.0 {
            rows.saturating_sub(rows_before) as f64 / seconds
        } else {
            0.0
        };
        self.is_news = false;
        self.beat = Some((now, self.held.is_empty() && rows == rows_before));
        let running = self.held.values().filter(|held| held.ending.is_none());
        WorkerInfo {
            running: u32::try_from(running.count()).unwrap_or(u32::MAX),
            rows_per_second,
            ..self.arguments.worker.clone()
        }
    }

    fn settle(&mut self, asked: &[Claim], answer: Option<Vec<String>>) {
        let Some(lost) = answer else {
            return;
        };
        // Counted from the question, not from the answer: the server's clock started no later.
        let until = self.asked_at + trusted_for(self.arguments.lease);
        for claim in asked {
            if !lost.contains(&claim.0) {
                if let Some(held) = self.held.get_mut(claim) {
                    held.until = held.until.max(until);
                }
            } else if let Some(held) = self.held.remove(claim) {
                held.cancel("the claim is lost; the task is cancelled here");
                self.ended_rows += held.progress.rows();
            }
        }
    }

    /// Sees to it that [`LeaseKeeperMsg::Expire`] comes when the lease that ends first does.
    fn watch(&mut self, myself: &ActorRef<LeaseKeeperMsg>) {
        let ends = self.held.values().map(|held| held.until);
        self.expiry.watch(myself, ends, || LeaseKeeperMsg::Expire);
    }

    fn cancel_expired(&mut self) {
        let now = Instant::now();
        let over: Vec<Claim> = self
            .held
            .iter()
            .filter(|(_, held)| held.until <= now)
            .map(|(claim, _)| claim.clone())
            .collect();
        for claim in over {
            if let Some(held) = self.held.remove(&claim) {
                held.cancel("the lease ran out without a renewal; the task is cancelled here");
                self.ended_rows += held.progress.rows();
            }
        }
    }
}

impl Held {
    fn cancel(&self, reason: &str) {
        // Of one whose end is being written, that end tells whether the claim was lost before.
        if self.ending.is_none() {
            tracing::warn!(parent: &self.span, "{reason}");
        }
        self.progress.cancel();
    }
}
