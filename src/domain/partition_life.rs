//! The life of a partition from its range to its rows in the target. Pure: the actor turns messages into events, and commands
//! into effects.
//!
//! Its phase in the checkpoint is the truth: when anything is not as it should be, the life ends with [`Command::Rebuild`],
//! and a new one starts from there.

use super::Attempt;
use super::load_queue::Loaded;
use super::phase::{PartitionPhase, Written};
use super::task::Manifest;

/// How a partition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionEnd {
    /// Its rows are in the target.
    Loaded,
    /// It was given up, and the checkpoint says why; or an operator has cancelled it.
    Failed,
    /// Somebody else drives the workflow.
    Fenced,
}

/// What happens to a partition.
#[derive(Clone, Debug)]
pub enum Event {
    /// The extraction ended, with what it staged or why it staged nothing.
    Extracted(Attempt, Result<Manifest, String>),
    /// Staged was written, or not.
    StagedWritten(Written),
    /// The load ended.
    Loaded(Loaded),
    /// Failed was written, or not.
    FailedWritten(Written),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Queue the extraction.
    Extract,
    /// Write that this attempt staged this.
    WriteStaged(Attempt, Manifest),
    /// Load what this attempt staged.
    Load(Attempt, Manifest),
    /// Write that it failed, and why.
    WriteFailed(String),
    /// It has ended: tell, and stop.
    End(PartitionEnd),
    /// The life and the checkpoint disagree, for this reason: start again from there.
    Rebuild(&'static str),
}

/// What the life waits for.
#[derive(Clone, Debug, PartialEq)]
enum Awaits {
    Extraction,
    /// That it is staged.
    Staged(Attempt, Manifest),
    Load,
    /// That it failed.
    Failed,
    /// Nothing more.
    Nothing,
}

/// The life of one partition.
#[derive(Clone, Debug)]
pub struct PartitionLife {
    phase: PartitionPhase,
    awaits: Awaits,
}

impl PartitionLife {
    /// The life of a partition that is in this phase, with the attempt that staged it and what that was, and what is to be
    /// done first.
    pub fn begin(phase: PartitionPhase, staged: Option<(Attempt, Manifest)>) -> (Self, Command) {
        let (awaits, command) = match (phase, staged) {
            (PartitionPhase::Pending, _) => (Awaits::Extraction, Command::Extract),
            (PartitionPhase::Staged, Some((attempt, manifest))) => {
                (Awaits::Load, Command::Load(attempt, manifest))
            }
            (PartitionPhase::Staged, None) => (
                Awaits::Nothing,
                Command::Rebuild(
                    "the checkpoint has a staged partition without attempt or manifest",
                ),
            ),
            (PartitionPhase::Loaded | PartitionPhase::Unchanged, _) => {
                (Awaits::Nothing, Command::End(PartitionEnd::Loaded))
            }
            (PartitionPhase::Failed | PartitionPhase::Cancelled, _) => {
                (Awaits::Nothing, Command::End(PartitionEnd::Failed))
            }
        };
        (Self { phase, awaits }, command)
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event) -> Option<Command> {
        let awaits = std::mem::replace(&mut self.awaits, Awaits::Nothing);
        let command = match (awaits, event) {
            // It has ended, or is being rebuilt.
            (Awaits::Nothing, _) => return None,
            (Awaits::Extraction, Event::Extracted(attempt, Ok(manifest))) => {
                self.awaits = Awaits::Staged(attempt, manifest.clone());
                Command::WriteStaged(attempt, manifest)
            }
            (Awaits::Extraction, Event::Extracted(_, Err(error)))
            | (Awaits::Load, Event::Loaded(Loaded::Rejected(error))) => {
                self.awaits = Awaits::Failed;
                Command::WriteFailed(error)
            }
            (Awaits::Staged(attempt, manifest), Event::StagedWritten(Written::Applied)) => {
                match self.goes_on(PartitionPhase::Staged) {
                    Some(problem) => problem,
                    None => {
                        self.awaits = Awaits::Load;
                        Command::Load(attempt, manifest)
                    }
                }
            }
            (Awaits::Load, Event::Loaded(Loaded::Committed)) => self
                .goes_on(PartitionPhase::Loaded)
                .unwrap_or(Command::End(PartitionEnd::Loaded)),
            (Awaits::Failed, Event::FailedWritten(Written::Applied)) => self
                .goes_on(PartitionPhase::Failed)
                .unwrap_or(Command::End(PartitionEnd::Failed)),
            (Awaits::Staged(..), Event::StagedWritten(Written::Fenced))
            | (Awaits::Failed, Event::FailedWritten(Written::Fenced)) => {
                Command::End(PartitionEnd::Fenced)
            }
            (Awaits::Staged(..), Event::StagedWritten(Written::Stale))
            | (Awaits::Failed, Event::FailedWritten(Written::Stale))
            | (Awaits::Load, Event::Loaded(Loaded::Stale)) => {
                Command::Rebuild("the partition's phase in the checkpoint is not the expected one")
            }
            (
                Awaits::Extraction | Awaits::Staged(..) | Awaits::Load | Awaits::Failed,
                Event::Extracted(..)
                | Event::StagedWritten(_)
                | Event::Loaded(_)
                | Event::FailedWritten(_),
            ) => Command::Rebuild("something happened to the partition that it did not wait for"),
        };
        Some(command)
    }

    /// The checkpoint has this phase now; what is to be done if it does not follow.
    fn goes_on(&mut self, phase: PartitionPhase) -> Option<Command> {
        let follows = self.phase.may_become(phase);
        self.phase = phase;
        (!follows).then_some(Command::Rebuild(
            "the partition is in a phase that does not follow",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The checkpoint's row of the partition, and what was asked and is not answered yet.
    #[derive(Debug)]
    struct Model {
        phase: PartitionPhase,
        staged: Option<(Attempt, Manifest)>,
        attempts: u32,
        loads: u32,
        owned: bool,
        asked: Option<Command>,
        ended: Option<PartitionEnd>,
        rebuilds: u32,
        life: PartitionLife,
    }

    #[derive(Clone, Copy, Debug)]
    enum Move {
        /// What was asked is done, and the answer comes.
        Goes,
        /// It fails for good.
        Fails,
        /// It is done, and the answer says that the state was another, as after a lost reply.
        GoesUnheard,
        /// The actor is killed.
        Kill,
        /// Another owner takes the workflow.
        Lose,
        /// An operator cancels the table.
        Cancel,
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let step = prop_oneof![
            6 => Just(Move::Goes),
            1 => Just(Move::Fails),
            1 => Just(Move::GoesUnheard),
            1 => Just(Move::Kill),
            1 => Just(Move::Lose),
            1 => Just(Move::Cancel),
        ];
        prop::collection::vec(step, 1..40)
    }

    impl Model {
        fn new() -> Self {
            let (life, command) = PartitionLife::begin(PartitionPhase::Pending, None);
            Self {
                phase: PartitionPhase::Pending,
                staged: None,
                attempts: 0,
                loads: 0,
                owned: true,
                asked: Some(command),
                ended: None,
                rebuilds: 0,
                life,
            }
        }

        fn change(&mut self, next: PartitionPhase) {
            assert!(self.phase.may_become(next), "{} to {next}", self.phase);
            self.phase = next;
        }

        fn rebuild(&mut self) {
            self.rebuilds += 1;
            let (life, command) = PartitionLife::begin(self.phase, self.staged.clone());
            self.life = life;
            self.take(command);
        }

        fn take(&mut self, command: Command) {
            match command {
                Command::End(end) => {
                    match end {
                        PartitionEnd::Loaded => assert_eq!(self.phase, PartitionPhase::Loaded),
                        PartitionEnd::Failed => assert!(matches!(
                            self.phase,
                            PartitionPhase::Failed | PartitionPhase::Cancelled
                        )),
                        PartitionEnd::Fenced => assert!(!self.owned),
                    }
                    self.ended = Some(end);
                    self.asked = None;
                }
                Command::Rebuild(_) => self.rebuild(),
                command => self.asked = Some(command),
            }
        }

        /// As the checkpoint does: by phase, fenced.
        fn write(&mut self, next: PartitionPhase) -> Written {
            if !self.owned {
                Written::Fenced
            } else if self.phase.may_become(next) {
                self.change(next);
                Written::Applied
            } else {
                Written::Stale
            }
        }

        fn answer(&mut self, asked: Command, way: Move) -> Event {
            let fails = matches!(way, Move::Fails);
            match asked {
                Command::Extract => {
                    self.attempts += 1;
                    let error = || Err("the source says no".to_owned());
                    let result = if fails {
                        error()
                    } else {
                        Ok(Manifest::default())
                    };
                    Event::Extracted(Attempt(self.attempts), result)
                }
                Command::WriteStaged(attempt, manifest) => {
                    let written = self.write(PartitionPhase::Staged);
                    if written == Written::Applied {
                        self.staged = Some((attempt, manifest));
                    }
                    Event::StagedWritten(match (written, way) {
                        (Written::Applied, Move::GoesUnheard) => Written::Stale,
                        (written, _) => written,
                    })
                }
                Command::Load(attempt, _) => {
                    let staged = self.staged.as_ref().map(|(attempt, _)| *attempt);
                    if fails {
                        return Event::Loaded(Loaded::Rejected("no".to_owned()));
                    }
                    // Only what is staged, by this attempt, and only by the owner.
                    let may = self.owned && self.phase == PartitionPhase::Staged;
                    if !may || staged != Some(attempt) {
                        return Event::Loaded(Loaded::Stale);
                    }
                    self.change(PartitionPhase::Loaded);
                    self.loads += 1;
                    Event::Loaded(if matches!(way, Move::GoesUnheard) {
                        Loaded::Stale
                    } else {
                        Loaded::Committed
                    })
                }
                Command::WriteFailed(_) => Event::FailedWritten(self.write(PartitionPhase::Failed)),
                Command::End(_) | Command::Rebuild(_) => unreachable!("it asks for nothing"),
            }
        }

        fn make(&mut self, step: Move) {
            match step {
                Move::Kill => self.rebuild(),
                Move::Lose => self.owned = false,
                Move::Cancel if self.owned && !self.phase.is_terminal() => {
                    self.change(PartitionPhase::Cancelled);
                }
                Move::Cancel => {}
                Move::Goes | Move::Fails | Move::GoesUnheard => {
                    let asked = self.asked.take().expect("a life that has not ended asks");
                    let event = self.answer(asked, step);
                    let command = self.life.step(event).expect("something follows");
                    self.take(command);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_partition_is_loaded_once_whatever_happens_and_its_end_is_what_the_checkpoint_says(moves in moves()) {
            let mut model = Model::new();
            for step in moves {
                if model.ended.is_some() {
                    break;
                }
                model.make(step);
            }
            prop_assert!(model.loads <= 1);
            // Undisturbed, it comes to its end, unless somebody else has taken the workflow and only a load would tell.
            let mut steps = 0;
            while model.owned && model.ended.is_none() {
                model.make(Move::Goes);
                steps += 1;
                prop_assert!(steps < 10, "{:?}", model);
            }
            if model.ended == Some(PartitionEnd::Loaded) {
                prop_assert_eq!(model.loads, 1);
            }
        }
    }

    #[test]
    fn what_comes_after_the_end_changes_nothing() {
        let (mut life, command) = PartitionLife::begin(PartitionPhase::Unchanged, None);
        assert_eq!(command, Command::End(PartitionEnd::Loaded));
        assert_eq!(life.step(Event::Loaded(Loaded::Committed)), None);
        let (mut life, _) = PartitionLife::begin(PartitionPhase::Pending, None);
        let rebuild = life.step(Event::Loaded(Loaded::Committed));
        assert!(matches!(rebuild, Some(Command::Rebuild(_))));
    }
}
