//! What is written together: things that come while a batch is under way, or shortly after each other, go out as one. Pure:
//! the actor sends itself the flush that is due, and writes the batches.
//!
//! Each key has a lane of its own: one batch of a lane is under way at a time, and lanes do not wait for each other.

use super::retry::RetryPolicy;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Things that wait to be written, by lane. Answers of `Option<Duration>` say after which pause a flush of that lane must
/// come; `None`: it comes already, or nothing is to be written.
#[derive(Debug)]
pub struct GroupCommit<K, T> {
    linger: Duration,
    max_batch: usize,
    lanes: HashMap<K, Lane<T>>,
}

#[derive(Debug)]
struct Lane<T> {
    waiting: Vec<T>,
    flush_due: bool,
    in_flight: bool,
    /// Batches in a row that could not be written.
    failures: u32,
}

impl<T> Lane<T> {
    fn arm(&mut self, after: Duration) -> Option<Duration> {
        let is_due = !self.flush_due && !self.in_flight && !self.waiting.is_empty();
        self.flush_due |= is_due;
        is_due.then_some(after)
    }
}

impl<K: Copy + Eq + Hash, T> GroupCommit<K, T> {
    /// Nothing waits. What comes waits for company for so long; a batch has at most `max_batch`.
    pub fn new(linger: Duration, max_batch: usize) -> Self {
        Self {
            linger,
            max_batch,
            lanes: HashMap::new(),
        }
    }

    /// Something is to be written.
    pub fn push(&mut self, key: K, item: T) -> Option<Duration> {
        let lane = self.lanes.entry(key).or_insert_with(|| Lane {
            waiting: Vec::new(),
            flush_due: false,
            in_flight: false,
            failures: 0,
        });
        lane.waiting.push(item);
        lane.arm(self.linger)
    }

    /// The flush has come: the batch to write, which is under way until [`Self::flushed`].
    pub fn flush(&mut self, key: K) -> Option<Vec<T>> {
        let lane = self.lanes.get_mut(&key)?;
        lane.flush_due = false;
        if lane.in_flight {
            return None;
        }
        if lane.waiting.is_empty() {
            self.lanes.remove(&key);
            return None;
        }
        let rest = lane
            .waiting
            .split_off(lane.waiting.len().min(self.max_batch));
        lane.in_flight = true;
        Some(std::mem::replace(&mut lane.waiting, rest))
    }

    /// The batch has ended; `again` is what of it could not be written, and goes first the next time, after a pause that grows
    /// with each failure.
    pub fn flushed(&mut self, key: K, mut again: Vec<T>, chance: f64) -> Option<Duration> {
        let lane = self.lanes.get_mut(&key)?;
        lane.in_flight = false;
        let pause = if again.is_empty() {
            lane.failures = 0;
            self.linger
        } else {
            lane.failures = lane.failures.saturating_add(1);
            RetryPolicy::UNTIL_ANSWERED.pause(lane.failures, chance)
        };
        again.append(&mut lane.waiting);
        lane.waiting = again;
        if lane.waiting.is_empty() {
            self.lanes.remove(&key);
            return None;
        }
        lane.arm(pause)
    }

    /// Forgets what waits in lanes that are not wanted. A batch under way goes on.
    pub fn retain_lanes(&mut self, is_wanted: impl Fn(K) -> bool) {
        for (key, lane) in &mut self.lanes {
            if !is_wanted(*key) {
                lane.waiting.clear();
            }
        }
    }

    /// Whether something of this lane, or of any, may not be written yet: what is under way, or what waits and is `meant`.
    pub fn is_open(&self, key: Option<K>, meant: impl Fn(&T) -> bool) -> bool {
        let is_open = |lane: &Lane<T>| lane.in_flight || lane.waiting.iter().any(&meant);
        match key {
            Some(key) => self.lanes.get(&key).is_some_and(is_open),
            None => self.lanes.values().any(is_open),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const LINGER: Duration = Duration::from_millis(30);
    const MAX_BATCH: usize = 3;

    #[derive(Clone, Debug)]
    enum Move {
        Push(u8),
        Flush(u8),
        /// So many of the batch under way are written, from its front.
        Flushed(u8, usize),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let lane = 0..3_u8;
        let step = prop_oneof![
            3 => lane.clone().prop_map(Move::Push),
            2 => lane.clone().prop_map(Move::Flush),
            2 => (lane, 0..=MAX_BATCH).prop_map(|(lane, written)| Move::Flushed(lane, written)),
        ];
        prop::collection::vec(step, 1..200)
    }

    /// The actor's side: flushes that are on their way, and batches that are written.
    #[derive(Default)]
    struct Model {
        due: BTreeSet<u8>,
        under_way: BTreeMap<u8, Vec<u32>>,
        open: BTreeMap<u8, Vec<u32>>,
        pushed: u32,
    }

    impl Model {
        fn arm(&mut self, key: u8, pause: Option<Duration>) {
            if let Some(pause) = pause {
                assert!(pause >= LINGER);
                assert!(self.due.insert(key), "two flushes of a lane");
                assert!(!self.under_way.contains_key(&key));
            }
        }

        fn make(&mut self, step: Move, commit: &mut GroupCommit<u8, u32>) {
            match step {
                Move::Push(key) => {
                    self.pushed += 1;
                    self.open.entry(key).or_default().push(self.pushed);
                    let pause = commit.push(key, self.pushed);
                    self.arm(key, pause);
                }
                Move::Flush(key) => {
                    if self.due.remove(&key) {
                        let batch = commit.flush(key).expect("what the flush was due for");
                        assert!(!batch.is_empty() && batch.len() <= MAX_BATCH);
                        // In the order of their arrival, whatever failed before.
                        assert!(self.open[&key].starts_with(&batch));
                        assert!(self.under_way.insert(key, batch).is_none());
                    }
                }
                Move::Flushed(key, written) => {
                    if let Some(mut batch) = self.under_way.remove(&key) {
                        let written: Vec<u32> = batch.drain(..written.min(batch.len())).collect();
                        let open = self.open.get_mut(&key).unwrap();
                        open.retain(|item| !written.contains(item));
                        let pause = commit.flushed(key, batch, 1.0);
                        self.arm(key, pause);
                    }
                }
            }
            for key in 0..3 {
                let open = self.open.get(&key).is_some_and(|open| !open.is_empty());
                assert_eq!(commit.is_open(Some(key), |_| true), open);
                // Whatever is open is on its way.
                assert_eq!(
                    self.due.contains(&key) || self.under_way.contains_key(&key),
                    open
                );
            }
        }
    }

    proptest! {
        #[test]
        fn everything_is_written_in_order_and_one_batch_of_a_lane_at_a_time(moves in moves()) {
            let (mut model, mut commit) = (Model::default(), GroupCommit::new(LINGER, MAX_BATCH));
            for step in moves {
                model.make(step, &mut commit);
            }
            while !model.due.is_empty() || !model.under_way.is_empty() {
                for key in 0..3 {
                    model.make(Move::Flush(key), &mut commit);
                    model.make(Move::Flushed(key, MAX_BATCH), &mut commit);
                }
            }
            prop_assert!(!commit.is_open(None, |_| true));
            prop_assert!(commit.lanes.is_empty());
        }
    }

    #[test]
    fn what_is_not_wanted_is_forgotten_and_failures_make_the_pauses_longer() {
        let mut commit = GroupCommit::new(LINGER, MAX_BATCH);
        assert_eq!(commit.push(1, 'a'), Some(LINGER));
        assert_eq!(commit.push(2, 'b'), Some(LINGER));
        commit.retain_lanes(|key| key == 2);
        assert_eq!(commit.flush(1), None);
        let mut last = Duration::ZERO;
        for _ in 0..3 {
            assert_eq!(commit.flush(2), Some(vec!['b']));
            let pause = commit.flushed(2, vec!['b'], 1.0).expect("again");
            assert!(pause > last);
            last = pause;
        }
    }
}
