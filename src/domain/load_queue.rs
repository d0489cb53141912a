//! What waits to be loaded into one table, what is being loaded, and what follows from how that ends. Pure: the actor sends
//! events, and turns commands into loads, questions, pauses and answers.
//!
//! One load at a time. It takes what waits, up to the limits of one COPY INTO. A load that is refused without a culprit is
//! repeated partition by partition. After one that failed, or whose fate is unknown, the checkpoint is asked before anything
//! else is loaded: what it calls staged goes back to the front of the queue.

use super::PartitionNo;
use super::phase::PartitionPhase;
use super::retry::{Decision, Failure, RetryPolicy};
use std::collections::{HashMap, VecDeque};

/// Bytes of a load's files at most, together: the smallest warehouse copies them in about a quarter of an hour, for which the
/// transaction holds the table's rows, and which is lost when it fails.
const MAX_BYTES: u64 = 50_000_000_000;

/// A partition to load.
#[derive(Debug)]
pub struct Item<T> {
    /// Which.
    pub partition_no: PartitionNo,
    /// Its files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What the load needs, and who wants to know.
    pub what: T,
}

/// What became of a partition's load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Its rows are in the target.
    Committed,
    /// It cannot be loaded: what is wrong and what to do.
    Rejected(String),
    /// The checkpoint says something else: reload.
    Stale,
}

/// How a load ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All of it is committed.
    Committed,
    /// Nothing is: these cannot be loaded (place in the load, why). None: nobody knows which.
    Rejected(Vec<(usize, String)>),
    /// Nothing is: none of them can be loaded.
    Impossible(String),
    /// Nothing was tried, and the load is not to blame.
    HeldBack,
    /// Nothing is committed, or nobody knows whether it is.
    Failed {
        /// Why.
        reason: String,
        /// What it says about another attempt; [`Failure::InDoubt`]: its transaction may still be open or have been committed.
        failure: Failure,
    },
}

/// What happens to the queue.
#[derive(Debug)]
pub enum Event<T> {
    /// A partition is staged.
    Staged(Item<T>),
    /// The pause is over.
    Due,
    /// The load ended.
    Ended(Ended),
    /// What the checkpoint says of the load that failed for this reason; a partition that it does not name is unknown to it.
    Settled {
        /// Why the load failed.
        reason: String,
        /// The phases.
        phases: HashMap<PartitionNo, PartitionPhase>,
    },
}

/// What is to be done.
#[derive(Debug)]
pub enum Command<T> {
    /// [`Event::Due`] is to come after this pause.
    Wait(Pause),
    /// Load what [`LoadQueue::loading`] answers.
    Load,
    /// Ask the checkpoint what became of [`LoadQueue::loading`].
    Settle {
        /// Why the load failed.
        reason: String,
        /// Loads that have failed in a row, with this one.
        failures: u32,
        /// What it says about another attempt; [`Failure::InDoubt`]: its transaction may still be open or have been committed.
        failure: Failure,
    },
    /// Answer.
    Tell(T, Loaded),
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// For company.
    Linger,
    /// Until it may be tried again what is held back.
    HeldBack,
}

/// The queue of a table.
#[derive(Debug)]
pub struct LoadQueue<T> {
    max_files: usize,
    waiting: VecDeque<Item<T>>,
    /// The load that runs, or that the checkpoint is asked about.
    loading: Vec<Item<T>>,
    is_due: bool,
    /// Loads that failed in a row.
    failures: u32,
    /// So many partitions are loaded one by one: a load of them was refused without a culprit.
    singly: usize,
}

impl<T> LoadQueue<T> {
    /// An empty queue whose loads name so many files at most.
    pub fn new(max_files: usize) -> Self {
        Self {
            max_files,
            waiting: VecDeque::new(),
            loading: Vec::new(),
            is_due: false,
            failures: 0,
            singly: 0,
        }
    }

    /// What is being loaded.
    pub fn loading(&self) -> impl Iterator<Item = &Item<T>> {
        self.loading.iter()
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event<T>) -> Vec<Command<T>> {
        let mut commands = Vec::new();
        match event {
            Event::Staged(item) => {
                // A partition that was rebuilt asks again while its predecessor's request still waits: twice in one load it
                // could never be loaded.
                self.waiting
                    .retain(|other| other.partition_no != item.partition_no);
                self.waiting.push_back(item);
                self.wait(Pause::Linger, &mut commands);
            }
            Event::Due => {
                self.is_due = false;
                if self.loading.is_empty() && !self.waiting.is_empty() {
                    self.loading = self.take_batch();
                    commands.push(Command::Load);
                }
            }
            Event::Ended(ended) => self.ended(ended, &mut commands),
            Event::Settled { reason, phases } => self.settled(&reason, &phases, &mut commands),
        }
        commands
    }

    fn wait(&mut self, pause: Pause, commands: &mut Vec<Command<T>>) {
        if !self.is_due && self.loading.is_empty() && !self.waiting.is_empty() {
            self.is_due = true;
            commands.push(Command::Wait(pause));
        }
    }

    /// Takes the next load off the queue.
    fn take_batch(&mut self) -> Vec<Item<T>> {
        let most = if self.singly > 0 { 1 } else { self.max_files };
        let sizes = self.waiting.iter().map(|item| (item.files, item.bytes));
        let count = batch_len(sizes, most, self.max_files);
        self.singly = self.singly.saturating_sub(count);
        self.waiting.drain(..count).collect()
    }

    /// Puts items back to the front, unless a newer one for the same partition has come meanwhile.
    fn put_back(&mut self, items: Vec<Item<T>>) {
        for item in items.into_iter().rev() {
            let no = item.partition_no;
            if self.waiting.iter().all(|other| other.partition_no != no) {
                self.waiting.push_front(item);
            }
        }
    }

    fn ended(&mut self, ended: Ended, commands: &mut Vec<Command<T>>) {
        if let Ended::Failed { reason, failure } = ended {
            commands.push(Command::Settle {
                reason,
                failures: self.failures + 1,
                failure,
            });
            return;
        }
        let batch = std::mem::take(&mut self.loading);
        let mut pause = Pause::Linger;
        match ended {
            Ended::Committed => {
                self.failures = 0;
                commands.extend(batch.into_iter().map(tell(&Loaded::Committed)));
            }
            Ended::Rejected(culprits) if culprits.is_empty() && batch.len() > 1 => {
                // Nobody knows which partition it was: one by one tells.
                self.singly = batch.len();
                self.put_back(batch);
            }
            Ended::Rejected(culprits) if culprits.is_empty() => {
                let error = "Snowflake rejects the load of this partition without saying why; see the query history";
                let rejected = Loaded::Rejected(error.to_owned());
                commands.extend(batch.into_iter().map(tell(&rejected)));
            }
            Ended::Rejected(culprits) => {
                let mut errors: HashMap<usize, String> = culprits.into_iter().collect();
                let mut others = Vec::new();
                for (place, item) in batch.into_iter().enumerate() {
                    match errors.remove(&place) {
                        Some(error) => {
                            commands.push(Command::Tell(item.what, Loaded::Rejected(error)));
                        }
                        None => others.push(item),
                    }
                }
                self.put_back(others);
            }
            Ended::Impossible(error) => {
                let rejected = Loaded::Rejected(error);
                commands.extend(batch.into_iter().map(tell(&rejected)));
            }
            Ended::HeldBack | Ended::Failed { .. } => {
                pause = Pause::HeldBack;
                self.put_back(batch);
            }
        }
        self.wait(pause, commands);
    }

    fn settled(
        &mut self,
        reason: &str,
        phases: &HashMap<PartitionNo, PartitionPhase>,
        commands: &mut Vec<Command<T>>,
    ) {
        let mut again = Vec::new();
        for item in std::mem::take(&mut self.loading) {
            match phases.get(&item.partition_no) {
                Some(PartitionPhase::Loaded) => {
                    commands.push(Command::Tell(item.what, Loaded::Committed));
                }
                Some(PartitionPhase::Staged) => again.push(item),
                Some(
                    PartitionPhase::Pending
                    | PartitionPhase::Failed
                    | PartitionPhase::Unchanged
                    | PartitionPhase::Cancelled,
                )
                | None => commands.push(Command::Tell(item.what, Loaded::Stale)),
            }
        }
        self.failures = if again.is_empty() {
            0
        } else {
            self.failures + 1
        };
        let decision = RetryPolicy::LOAD.decide(Failure::Transient, self.failures, 0.0);
        if !again.is_empty() && decision == Decision::GiveUp {
            let error = format!(
                "the load failed {} times, the last time with: {reason}",
                self.failures
            );
            self.failures = 0;
            let rejected = Loaded::Rejected(error);
            commands.extend(again.into_iter().map(tell(&rejected)));
        } else {
            self.put_back(again);
        }
        self.wait(Pause::Linger, commands);
    }
}

fn tell<T>(loaded: &Loaded) -> impl Fn(Item<T>) -> Command<T> {
    |item| Command::Tell(item.what, loaded.clone())
}

/// How many of the partitions that wait, each with its files and their bytes, go into one load: at most `most`. One that is
/// too large goes alone, as several COPY INTO in one transaction.
fn batch_len(sizes: impl Iterator<Item = (usize, u64)>, most: usize, max_files: usize) -> usize {
    let (mut files, mut bytes) = (0, 0_u64);
    let fits = |(index, (more, size)): &(usize, (usize, u64))| {
        files += more;
        bytes = bytes.saturating_add(*size);
        *index == 0 || (files <= max_files && bytes <= MAX_BYTES)
    };
    sizes.take(most).enumerate().take_while(fits).count()
}

#[cfg(test)]
#[path = "load_queue_tests.rs"]
mod tests;
