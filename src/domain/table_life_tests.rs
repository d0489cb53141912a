use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of what the life has asked for.
#[derive(Clone, Copy, Debug)]
enum Way {
    Goes,
    /// It cannot be done, for good.
    Fails,
    /// It is done, and the answer is lost: the actor starts again.
    GoesUnheard,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    /// One of what was asked for, or one of the partitions at work, comes to its end in this way.
    Next(usize, Way),
    /// The actor of one of the partitions at work fails; whether too often.
    PartitionDies(usize, bool),
    /// The table's actor is killed.
    Kill,
    /// Another owner takes the workflow.
    Lose,
    /// Operators cancel the table.
    Cancel,
    /// Operators ask for it again.
    Retry,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let way = prop_oneof![
        8 => Just(Way::Goes),
        1 => Just(Way::Fails),
        1 => Just(Way::GoesUnheard),
    ];
    let step = prop_oneof![
        20 => (any::<usize>(), way).prop_map(|(which, way)| Move::Next(which, way)),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, often)| Move::PartitionDies(which, often)),
        1 => Just(Move::Kill),
        1 => Just(Move::Lose),
        1 => Just(Move::Cancel),
        1 => Just(Move::Retry),
    ];
    prop::collection::vec(step, 1..200)
}

type Partition = OpenPartition<()>;

/// The checkpoint, and the actor's side: what runs and what is asked for.
struct Model {
    window: usize,
    phase: TablePhase,
    is_planned: bool,
    leaves_state: bool,
    /// Rows first; the last one may be of keys.
    partitions: BTreeMap<PartitionNo, (Content, PartitionPhase)>,
    has_keys: bool,
    num_partitions: u32,
    owned: bool,
    life: TableLife<()>,
    asked: Vec<Command<()>>,
    running: BTreeSet<PartitionNo>,
    /// Partitions whose actors are to be started again.
    pausing: BTreeSet<PartitionNo>,
    ended: Option<TableEnd>,
}

impl Model {
    fn new(window: usize, num_partitions: u32, has_keys: bool, leaves_state: bool) -> Self {
        let (life, first) = TableLife::begin(TablePhase::Pending, false, leaves_state, window);
        Self {
            window,
            phase: TablePhase::Pending,
            is_planned: false,
            leaves_state,
            partitions: BTreeMap::new(),
            has_keys,
            num_partitions,
            owned: true,
            life,
            asked: vec![first],
            running: BTreeSet::new(),
            pausing: BTreeSet::new(),
            ended: None,
        }
    }

    /// The actor starts again from the checkpoint; whatever its children do is over.
    fn rebuild(&mut self) {
        let (life, first) =
            TableLife::begin(self.phase, self.is_planned, self.leaves_state, self.window);
        self.life = life;
        self.asked.clear();
        self.running.clear();
        self.pausing.clear();
        self.ended = None;
        self.take(vec![first]);
    }

    fn tell(&mut self, event: Event<()>) {
        let commands = self.life.step(event);
        self.take(commands);
    }

    fn take(&mut self, commands: Vec<Command<()>>) {
        for command in commands {
            match command {
                Command::Rebuild(_) => return self.rebuild(),
                Command::End(end) => self.end(end),
                Command::Start(partition) => self.start(&partition),
                command => self.asked.push(command),
            }
        }
        assert!(self.running.len() + self.pausing.len() <= self.window.max(1));
    }

    fn start(&mut self, partition: &Partition) {
        let no = partition.partition_no;
        assert!(self.running.insert(no), "{no} runs twice");
        if partition.content == Content::Keys {
            assert_eq!(
                self.running.len() + self.pausing.len(),
                1,
                "rows are on their way"
            );
            let rows = self
                .partitions
                .values()
                .filter(|(c, _)| *c == Content::Rows);
            assert!(rows.into_iter().all(|(_, phase)| phase.is_terminal()));
        }
    }

    fn end(&mut self, end: TableEnd) {
        match end {
            TableEnd::Completed => {
                assert_eq!(self.phase, TablePhase::Completed);
                let mut phases = self.partitions.values();
                assert!(phases.all(|(_, phase)| *phase == PartitionPhase::Loaded));
            }
            TableEnd::Failed => {
                assert!(matches!(
                    self.phase,
                    TablePhase::Failed | TablePhase::Cancelled
                ));
            }
            TableEnd::Fenced => assert!(!self.owned),
        }
        self.ended = Some(end);
    }

    fn change(&mut self, next: TablePhase) {
        assert!(self.phase.may_become(next), "{} to {next}", self.phase);
        self.phase = next;
    }

    fn change_partition(&mut self, no: PartitionNo, next: PartitionPhase) {
        let (_, phase) = self.partitions.get_mut(&no).unwrap();
        assert!(phase.may_become(next), "{phase} to {next}");
        *phase = next;
    }

    fn open(&self, no: PartitionNo) -> Option<Partition> {
        let (content, phase) = self.partitions.get(&no)?;
        let partition = OpenPartition {
            partition_no: no,
            content: *content,
            what: (),
        };
        (!phase.is_terminal()).then_some(partition)
    }

    fn plan(&mut self) {
        if !self.phase.may_become(TablePhase::Executing) {
            return;
        }
        self.change(TablePhase::Executing);
        self.is_planned = true;
        for no in 0..self.num_partitions {
            let is_last = no + 1 == self.num_partitions;
            let content = if self.has_keys && is_last {
                Content::Keys
            } else {
                Content::Rows
            };
            self.partitions
                .insert(PartitionNo(no), (content, PartitionPhase::Pending));
        }
    }

    /// Does what was asked for, and answers.
    fn answer(&mut self, asked: Command<()>, way: Way) {
        let fails = matches!(way, Way::Fails);
        let error = || "it cannot be".to_owned();
        let event = match asked {
            Command::ClaimState if fails => Event::StateClaimed(Some("other".to_owned())),
            Command::ClaimState => Event::StateClaimed(None),
            Command::Analyze if fails => Event::Analyzed(Err(error())),
            Command::Analyze => Event::Analyzed(Ok(Box::default())),
            Command::Plan(_) if fails => Event::Unplannable(error()),
            Command::Plan(_) if !self.owned => Event::Fenced,
            Command::Plan(_) => {
                let was_planned = self.is_planned;
                self.plan();
                if was_planned || !self.is_planned {
                    return self.rebuild();
                }
                Event::Planned
            }
            Command::StartLoader if fails => return self.rebuild(),
            Command::StartLoader => Event::LoaderStarted,
            Command::ReadPage(from, limit) => {
                let open: Vec<Partition> = self
                    .partitions
                    .range(from..)
                    .filter_map(|(no, _)| self.open(*no))
                    .take(limit)
                    .collect();
                let is_last = open.len() < limit;
                Event::Page(open, is_last)
            }
            Command::Reread(no) => {
                self.pausing.remove(&no);
                let row = self.partitions.get(&no);
                let row = row.map(|(content, _)| OpenPartition {
                    partition_no: no,
                    content: *content,
                    what: (),
                });
                Event::Reread(no, Ok(row))
            }
            Command::GiveUp(..) if !self.owned => Event::Fenced,
            Command::GiveUp(no, _) => {
                if self.open(no).is_some() {
                    self.change_partition(no, PartitionPhase::Failed);
                }
                self.pausing.remove(&no);
                Event::GivenUp(no)
            }
            Command::Count => {
                let phases = self.partitions.values().map(|(_, phase)| (*phase, 1));
                Event::Counted(phases.collect())
            }
            Command::WriteEnd(..) if !self.owned => Event::Fenced,
            Command::WriteEnd(end, _) => {
                let next = end.phase().unwrap();
                if self.phase.may_become(next) {
                    self.change(next);
                    Event::EndWritten(end)
                } else {
                    Event::EndStale
                }
            }
            Command::Start(_) | Command::End(_) | Command::Rebuild(_) => {
                unreachable!("done at once")
            }
        };
        if matches!(way, Way::GoesUnheard) {
            self.rebuild();
        } else {
            self.tell(event);
        }
    }

    /// A partition's actor comes to its end.
    fn partition_ends(&mut self, no: PartitionNo, way: Way) {
        self.running.remove(&no);
        if !self.owned {
            return self.tell(Event::Fenced);
        }
        if self.open(no).is_some() {
            if matches!(way, Way::Fails) {
                self.change_partition(no, PartitionPhase::Failed);
            } else {
                self.change_partition(no, PartitionPhase::Staged);
                self.change_partition(no, PartitionPhase::Loaded);
            }
        }
        if matches!(way, Way::GoesUnheard) {
            self.pausing.insert(no);
            self.tell(Event::PartitionFailed(no, "lost".to_owned(), true));
        } else {
            self.tell(Event::PartitionEnded(no));
        }
    }

    fn next(&mut self, which: usize, way: Way) {
        let choices = self.asked.len() + self.running.len() + self.pausing.len();
        assert!(choices > 0, "the table waits for nothing");
        let which = which % choices;
        if which < self.asked.len() {
            let asked = self.asked.swap_remove(which);
            return self.answer(asked, way);
        }
        let which = which - self.asked.len();
        let mut running = self.running.iter().chain(&self.pausing).copied();
        let no = running.nth(which).unwrap();
        if self.running.contains(&no) {
            self.partition_ends(no, way);
        } else if !self
            .asked
            .iter()
            .any(|c| matches!(c, Command::Reread(n) | Command::GiveUp(n, _) if *n == no))
        {
            self.tell(Event::RestartDue(no));
        }
    }

    fn make(&mut self, step: Move) {
        match step {
            Move::Retry
                if self.owned
                    && self.phase.may_be_followed_by(TablePhase::Executing)
                    && self.ended.is_some() =>
            {
                self.phase = if self.is_planned {
                    TablePhase::Executing
                } else {
                    TablePhase::Pending
                };
                for (_, phase) in self.partitions.values_mut() {
                    if phase.may_be_followed_by(PartitionPhase::Pending) {
                        *phase = PartitionPhase::Pending;
                    }
                }
                self.rebuild();
            }
            _ if self.ended.is_some() => {}
            Move::Next(which, way) => self.next(which, way),
            Move::PartitionDies(which, often) if !self.running.is_empty() => {
                let running: Vec<_> = self.running.iter().copied().collect();
                let no = running[which % running.len()];
                self.running.remove(&no);
                self.pausing.insert(no);
                self.tell(Event::PartitionFailed(no, "died".to_owned(), !often));
            }
            Move::Kill => self.rebuild(),
            Move::Lose => self.owned = false,
            Move::Cancel if self.owned && !self.phase.is_terminal() => {
                // As their owner does: its actor is started again.
                self.change(TablePhase::Cancelled);
                for (_, phase) in self.partitions.values_mut() {
                    if !phase.is_terminal() {
                        *phase = PartitionPhase::Cancelled;
                    }
                }
                self.rebuild();
            }
            Move::PartitionDies(..) | Move::Cancel | Move::Retry => {}
        }
    }
}

proptest! {
    #[test]
    fn a_table_comes_to_the_end_that_its_partitions_say_whatever_happens(
        moves in moves(), window in 0_usize..4, num_partitions in 0_u32..12, has_keys: bool, leaves_state: bool,
    ) {
        let mut model = Model::new(window, num_partitions, has_keys, leaves_state);
        for step in moves {
            model.make(step);
        }
        // Undisturbed, it ends.
        let mut steps = 0;
        while model.ended.is_none() {
            model.make(Move::Next(steps, Way::Goes));
            steps += 1;
            prop_assert!(steps < 1_000, "it goes on for ever");
        }
        if model.ended == Some(TableEnd::Completed) {
            let loaded = model.partitions.values().filter(|(_, phase)| *phase == PartitionPhase::Loaded);
            prop_assert_eq!(loaded.count() as u32, num_partitions);
        }
    }
}
