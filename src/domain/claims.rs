//! What a worker has claimed, and when it claims more: room, pauses, what is claimed ahead, the drain. Pure: the actor turns
//! messages into events, and commands into effects.
//!
//! `K` names a claim: a task that is lost and claimed again is two. `T` is the moment of a clock.

use super::claim_ahead::{PREFETCH, claim_limit};
use super::idle::IdlePolicy;
use std::collections::BTreeMap;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Pause between two claims while there is work.
pub const BUSY_PAUSE: Duration = Duration::from_millis(200);
/// Least pause after a claim that failed.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// How long a drain waits for tasks to notice that they are cancelled, before they are released over their heads.
pub const CANCEL_PATIENCE: Duration = Duration::from_secs(3);
/// What was claimed ahead and has not started after this long is released.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * PREFETCH.as_secs());

/// What of a worker can change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerTuning {
    /// Tasks at once.
    pub capacity: usize,
    /// Pauses between two claims while there is no work.
    pub fetch: IdlePolicy,
}

/// What happens to a worker's claims.
#[derive(Clone, Debug)]
pub enum Event<K> {
    /// The pause before the claim of this number is over.
    ClaimDue(u64),
    /// The claim brought these. Those that run already are not among them.
    Claimed(Vec<K>),
    /// Nobody knows what the claim brought, or it brought nothing.
    ClaimFailed,
    /// A task ended in the pool; how long it ran, if it came to its turn.
    Ended(K, Option<Duration>),
    /// The end of a claim is certain.
    Settled,
    /// From now on.
    Tuned(WorkerTuning),
    /// What was claimed ahead has had its time: of all claims, these have not come to their turn.
    AheadDue(Vec<K>),
    /// Claim nothing more; these have not come to their turn. What still runs after this long is cancelled.
    Drain(Vec<K>, Duration),
    /// The time to drain is over.
    CancelDue,
    /// The time to notice that is over too.
    ReleaseDue,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command<K> {
    /// [`Event::ClaimDue`] of this number must come after this pause.
    ClaimAfter(u64, Duration),
    /// Claim so many tasks, for so many free slots.
    Claim {
        /// Tasks at most.
        limit: usize,
        /// Slots that are free.
        slots: usize,
    },
    /// Run this; as cancelled, while the worker drains.
    Start(K),
    /// Write the end of a task, which the pool has told.
    Settle(K),
    /// Release a task that has not come to its end: cancel it here, and write that it is released.
    Release(K),
    /// Cancel a task; its end comes from the pool.
    Cancel(K),
    /// [`Event::AheadDue`] must come after this pause.
    AheadAfter(Duration),
    /// [`Event::CancelDue`] must come after this pause.
    CancelAfter(Duration),
    /// [`Event::ReleaseDue`] must come after this pause.
    ReleaseAfter(Duration),
    /// All is drained.
    Stop,
}

/// The claims of one worker.
#[derive(Debug)]
pub struct Claims<K, T> {
    tuning: WorkerTuning,
    /// Claimed and not ended in the pool, with when that was.
    running: BTreeMap<K, T>,
    /// Ended in the pool, end not yet certain.
    settling: usize,
    claiming: bool,
    /// The number of the next claim: one that comes under another number is out of date.
    next_claim: u64,
    /// When it is due.
    claim_due: Option<T>,
    /// When there was work the last time.
    worked: T,
    draining: bool,
    typical_duration: Duration,
}

impl<K, T> Claims<K, T>
where
    K: Clone + Ord,
    T: Copy + Ord + Add<Duration, Output = T> + Sub<T, Output = Duration>,
{
    /// No claims, and what is to be done first.
    pub fn begin(tuning: WorkerTuning, now: T) -> (Self, Vec<Command<K>>) {
        let mut claims = Self {
            tuning,
            running: BTreeMap::new(),
            settling: 0,
            claiming: false,
            next_claim: 0,
            claim_due: None,
            worked: now,
            draining: false,
            // Nothing is known yet: nothing is claimed ahead.
            typical_duration: LONGEST_WAIT,
        };
        let mut commands = Vec::new();
        claims.arm(Duration::ZERO, now, &mut commands);
        (claims, commands)
    }

    /// Whether nothing is claimed any more: what a claim under way still brings is started as cancelled.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event<K>, now: T) -> Vec<Command<K>> {
        let mut commands = Vec::new();
        match event {
            Event::ClaimDue(number) if number == self.next_claim => {
                self.claim_due = None;
                self.claim(&mut commands);
            }
            Event::ClaimDue(_) => {}
            Event::Tuned(tuning) => {
                self.tuning = tuning;
                self.arm(Duration::ZERO, now, &mut commands);
            }
            Event::Claimed(claims) => {
                self.claiming = false;
                let pause = if claims.is_empty() {
                    self.tuning.fetch.pause(now - self.worked)
                } else {
                    self.worked = now;
                    BUSY_PAUSE
                };
                for claim in claims {
                    self.running.insert(claim.clone(), now);
                    commands.push(Command::Start(claim));
                }
                if self.running.len() > self.tuning.capacity {
                    commands.push(Command::AheadAfter(LONGEST_WAIT));
                }
                if self.draining && !self.running.is_empty() {
                    // The time of the drain may be over already.
                    commands.push(Command::ReleaseAfter(CANCEL_PATIENCE));
                }
                self.arm(pause, now, &mut commands);
                self.stop_if_drained(&mut commands);
            }
            Event::ClaimFailed => {
                self.claiming = false;
                let pause = self.tuning.fetch.base.max(FAILED_PAUSE);
                self.arm(pause, now, &mut commands);
                self.stop_if_drained(&mut commands);
            }
            Event::Ended(claim, ran_for) => {
                // Unknown when it was released over its head.
                if self.running.remove(&claim).is_some() {
                    if let Some(ran_for) = ran_for {
                        self.typical_duration = (self.typical_duration + ran_for) / 2;
                    }
                    self.settling += 1;
                    commands.push(Command::Settle(claim));
                    self.worked = now;
                    self.arm(BUSY_PAUSE, now, &mut commands);
                }
            }
            Event::Settled => {
                self.settling = self.settling.saturating_sub(1);
                self.stop_if_drained(&mut commands);
            }
            Event::AheadDue(waiting) => self.ahead_due(waiting, now, &mut commands),
            Event::Drain(waiting, patience) => {
                self.draining = true;
                commands.extend(waiting.into_iter().map(Command::Cancel));
                commands.push(Command::CancelAfter(patience));
                self.stop_if_drained(&mut commands);
            }
            Event::CancelDue => {
                commands.extend(self.running.keys().cloned().map(Command::Cancel));
                commands.push(Command::ReleaseAfter(CANCEL_PATIENCE));
            }
            Event::ReleaseDue => {
                // Their claims end here, so whatever they still do counts for nothing.
                for claim in std::mem::take(&mut self.running).into_keys() {
                    self.settling += 1;
                    commands.push(Command::Release(claim));
                }
                self.stop_if_drained(&mut commands);
            }
        }
        commands
    }

    fn arm(&mut self, after: Duration, now: T, commands: &mut Vec<Command<K>>) {
        let due = now + after;
        // A claim that is due later gives way: it may wait for long.
        let is_sooner = self.claim_due.is_none_or(|other| due < other);
        if is_sooner && !self.claiming && !self.draining {
            self.claim_due = Some(due);
            self.next_claim += 1;
            commands.push(Command::ClaimAfter(self.next_claim, after));
        }
    }

    fn claim(&mut self, commands: &mut Vec<Command<K>>) {
        let (capacity, held) = (self.tuning.capacity, self.running.len());
        let limit = claim_limit(capacity, held, self.typical_duration);
        if self.claiming || self.draining || limit == 0 {
            return;
        }
        self.claiming = true;
        let slots = capacity.saturating_sub(held);
        commands.push(Command::Claim { limit, slots });
    }

    /// Tasks that were claimed ahead because others were short, and wait behind long ones now: another worker may have
    /// a slot for them.
    fn ahead_due(&mut self, waiting: Vec<K>, now: T, commands: &mut Vec<Command<K>>) {
        let mut released = false;
        for claim in waiting {
            let has_waited = |claimed: &T| now - *claimed >= LONGEST_WAIT;
            if self.running.get(&claim).is_some_and(has_waited) {
                self.running.remove(&claim);
                self.settling += 1;
                commands.push(Command::Release(claim));
                released = true;
            }
        }
        if released {
            self.typical_duration = self.typical_duration.max(LONGEST_WAIT);
            self.arm(BUSY_PAUSE, now, commands);
        }
    }

    fn stop_if_drained(&self, commands: &mut Vec<Command<K>>) {
        if self.draining && !self.claiming && self.running.is_empty() && self.settling == 0 {
            commands.push(Command::Stop);
        }
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
