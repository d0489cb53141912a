use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const FETCH: IdlePolicy = IdlePolicy {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(15),
};

fn tuning(capacity: usize) -> WorkerTuning {
    WorkerTuning {
        capacity,
        fetch: FETCH,
    }
}

#[derive(Clone, Copy, Debug)]
enum Move {
    /// What comes first of all that is on its way, after as much time.
    Wait,
    /// The claim under way brings so many tasks, of those that it asked for.
    Claimed(usize),
    ClaimFails,
    /// A task that runs, or one that waits for its turn, ends.
    Ends(usize),
    /// An end is certain.
    Settled,
    Tuned(usize),
    Drain,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = prop_oneof![
        6 => Just(Move::Wait),
        4 => (0_usize..60).prop_map(Move::Claimed),
        1 => Just(Move::ClaimFails),
        6 => any::<usize>().prop_map(Move::Ends),
        4 => Just(Move::Settled),
        1 => (1_usize..6).prop_map(Move::Tuned),
    ];
    let drain = prop_oneof![9 => Just(None), 1 => Just(Some(Move::Drain))];
    (prop::collection::vec((step, drain), 1..120)).prop_map(|steps| {
        let steps = steps.into_iter();
        steps
            .flat_map(|(step, drain)| [Some(step), drain])
            .flatten()
            .collect()
    })
}

#[derive(Clone, Debug, PartialEq)]
enum Timer {
    Claim(u64),
    Ahead,
    Cancel,
    Release,
}

/// The worker around the claims: its pool, its timers, its clock.
struct Model {
    now: Duration,
    capacity: usize,
    claims: Claims<u32, Duration>,
    timers: Vec<(Duration, Timer)>,
    /// The claim under way: how many it asked for.
    asked: Option<usize>,
    next: u32,
    /// In the pool, in the order in which they come to their turns; the first ones run.
    pool: Vec<u32>,
    /// When each of them came to its turn.
    started: BTreeMap<u32, Duration>,
    cancelled: BTreeSet<u32>,
    /// Ends that are not certain yet.
    settling: usize,
    settled: BTreeSet<u32>,
    draining: bool,
    stopped: bool,
}

impl Model {
    fn new(capacity: usize) -> Self {
        let (claims, commands) = Claims::begin(tuning(capacity), Duration::ZERO);
        let mut model = Self {
            now: Duration::ZERO,
            capacity,
            claims,
            timers: Vec::new(),
            asked: None,
            next: 0,
            pool: Vec::new(),
            started: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            settling: 0,
            settled: BTreeSet::new(),
            draining: false,
            stopped: false,
        };
        model.take(commands);
        model
    }

    fn tell(&mut self, event: Event<u32>) {
        let commands = self.claims.step(event, self.now);
        self.take(commands);
    }

    fn take(&mut self, commands: Vec<Command<u32>>) {
        for command in commands {
            assert!(
                !self.stopped || command == Command::Stop,
                "{command:?} after the stop"
            );
            match command {
                Command::ClaimAfter(number, pause) => {
                    assert!(!self.draining);
                    self.timers.push((self.now + pause, Timer::Claim(number)));
                }
                Command::Claim { limit, slots } => {
                    assert!(self.asked.is_none(), "two claims at once");
                    assert!(!self.draining && limit > 0 && slots <= self.capacity);
                    self.asked = Some(limit);
                }
                Command::Start(task) => self.pool.push(task),
                Command::Settle(task) | Command::Release(task) => {
                    assert!(self.settled.insert(task), "{task} ends twice");
                    assert!(!self.claims.running.contains_key(&task));
                    self.cancelled.insert(task);
                    self.settling += 1;
                }
                Command::Cancel(task) => {
                    assert!(self.draining && self.claims.running.contains_key(&task));
                    self.cancelled.insert(task);
                }
                Command::AheadAfter(pause) => self.timers.push((self.now + pause, Timer::Ahead)),
                Command::CancelAfter(pause) => self.timers.push((self.now + pause, Timer::Cancel)),
                Command::ReleaseAfter(pause) => {
                    self.timers.push((self.now + pause, Timer::Release))
                }
                Command::Stop => {
                    assert!(self.draining && self.asked.is_none() && self.settling == 0);
                    assert_eq!(
                        self.settled.len() as u32,
                        self.next,
                        "a claim is left behind"
                    );
                    self.stopped = true;
                }
            }
        }
        for task in self.pool.iter().take(self.capacity) {
            self.started.entry(*task).or_insert(self.now);
        }
        // Of those that wait to come to their turn there is no more than the bound says.
        let most = self.capacity.max(5) * (1 + super::super::claim_ahead::MAX_AHEAD_PER_SLOT);
        assert!(self.claims.running.len() <= most);
    }

    fn waiting(&self) -> Vec<u32> {
        let running = self.claims.running.keys().copied();
        running
            .filter(|task| !self.started.contains_key(task))
            .collect()
    }

    /// The timer that comes next comes.
    fn wait(&mut self) {
        let first = (0..self.timers.len()).min_by_key(|place| self.timers[*place].0);
        let Some(first) = first else {
            return;
        };
        let (at, timer) = self.timers.remove(first);
        self.now = self.now.max(at);
        let event = match timer {
            Timer::Claim(number) => Event::ClaimDue(number),
            Timer::Ahead => Event::AheadDue(self.waiting()),
            Timer::Cancel => Event::CancelDue,
            Timer::Release => Event::ReleaseDue,
        };
        self.tell(event);
    }

    fn make(&mut self, step: Move) {
        match step {
            _ if self.stopped => {}
            Move::Wait => self.wait(),
            Move::Claimed(count) => {
                if let Some(limit) = self.asked.take() {
                    let tasks: Vec<u32> = (self.next..).take(count.min(limit)).collect();
                    self.next += tasks.len() as u32;
                    self.tell(Event::Claimed(tasks));
                }
            }
            Move::ClaimFails => {
                if self.asked.take().is_some() {
                    self.tell(Event::ClaimFailed);
                }
            }
            Move::Ends(which) if !self.pool.is_empty() => {
                let task = self.pool.remove(which % self.capacity.min(self.pool.len()));
                let ran_for = self.started.get(&task).map(|at| self.now - *at);
                self.tell(Event::Ended(task, ran_for));
            }
            Move::Settled if self.settling > 0 => {
                self.settling -= 1;
                self.tell(Event::Settled);
            }
            Move::Tuned(capacity) => {
                self.capacity = capacity;
                self.tell(Event::Tuned(tuning(capacity)));
            }
            Move::Drain if !self.draining => {
                self.draining = true;
                let waiting = self.waiting();
                self.tell(Event::Drain(waiting, Duration::from_secs(10)));
            }
            Move::Ends(_) | Move::Settled | Move::Drain => {}
        }
    }

    /// A worker that is not drained has a claim under way or on its way, or no room for one.
    fn is_alive(&self) -> bool {
        let on_its_way =
            |(_, timer): &(Duration, Timer)| *timer == Timer::Claim(self.claims.next_claim);
        self.draining
            || self.asked.is_some()
            || self.timers.iter().any(on_its_way)
            || !self.claims.running.is_empty()
    }
}

proptest! {
    #[test]
    fn every_claim_ends_once_and_a_drained_worker_leaves_none(moves in moves(), capacity in 1_usize..5) {
        let mut model = Model::new(capacity);
        for step in moves {
            model.make(step);
            prop_assert!(model.is_alive(), "nothing is claimed any more");
        }
        // Whatever is in the pool hangs, and the drain ends all the same.
        model.make(Move::Drain);
        let mut steps = 0;
        while !model.stopped {
            model.make(Move::ClaimFails);
            model.make(Move::Settled);
            model.make(Move::Wait);
            steps += 1;
            prop_assert!(steps < 1_000, "the drain does not end");
        }
    }
}

#[test]
fn what_waits_behind_long_tasks_is_released_after_a_while() {
    let (mut claims, first) = Claims::begin(tuning(1), Duration::ZERO);
    assert_eq!(first, [Command::ClaimAfter(1, Duration::ZERO)]);
    claims.step(Event::ClaimDue(1), Duration::ZERO);
    let commands = claims.step(Event::Claimed(vec!['a', 'b']), Duration::ZERO);
    assert!(commands.contains(&Command::AheadAfter(LONGEST_WAIT)));
    let early = claims.step(Event::AheadDue(vec!['b']), LONGEST_WAIT / 2);
    assert_eq!(early, []);
    let commands = claims.step(Event::AheadDue(vec!['b']), LONGEST_WAIT);
    assert_eq!(commands[0], Command::Release('b'));
    assert!(claims.running.contains_key(&'a') && !claims.running.contains_key(&'b'));
    // Its end comes from the pool all the same, and is known already.
    assert_eq!(claims.step(Event::Ended('b', None), LONGEST_WAIT), []);
}

#[test]
fn a_claim_that_is_out_of_date_claims_nothing() {
    let (mut claims, _) = Claims::<u32, Duration>::begin(tuning(2), Duration::ZERO);
    claims.step(Event::ClaimDue(1), Duration::ZERO);
    let commands = claims.step(Event::Claimed(Vec::new()), Duration::ZERO);
    assert_eq!(commands, [Command::ClaimAfter(2, FETCH.base)]);
    let sooner = claims.step(Event::Tuned(tuning(3)), Duration::ZERO);
    assert_eq!(sooner, [Command::ClaimAfter(3, Duration::ZERO)]);
    assert_eq!(claims.step(Event::ClaimDue(2), FETCH.base), []);
    let claim = claims.step(Event::ClaimDue(3), FETCH.base);
    assert_eq!(claim, [Command::Claim { limit: 3, slots: 3 }]);
}
