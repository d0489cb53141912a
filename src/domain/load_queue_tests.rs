use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const MAX_FILES: usize = 4;

#[test]
fn a_load_takes_what_fits_and_what_fits_nowhere_alone() {
    let len = |sizes: &[(usize, u64)], most| batch_len(sizes.iter().copied(), most, 1_000);
    assert_eq!(len(&[], 1_000), 0);
    assert_eq!(len(&[(1, 1); 5], 1_000), 5);
    assert_eq!(len(&[(1, 1); 5], 1), 1);
    assert_eq!(len(&[(600, 1), (400, 1), (1, 1)], 1_000), 2);
    assert_eq!(len(&[(1, MAX_BYTES / 2); 5], 1_000), 2);
    assert_eq!(len(&[(1, MAX_BYTES * 3), (1, 1)], 1_000), 1);
    assert_eq!(len(&[(3_000, 1), (1, 1)], 1_000), 1);
}

/// What the world does next: it stages a partition, or lets happen what the queue waits for, in this way.
#[derive(Clone, Debug)]
enum Move {
    Stage(u32, usize),
    Goes(Way),
}

#[derive(Clone, Debug)]
enum Way {
    Commits,
    IsHeldBack,
    /// Fails: nothing is committed.
    Fails,
    /// Commits, and nobody hears of it.
    LosesReply,
    /// Fails for these partitions of a load, and says so or not.
    Refuses(BTreeSet<u32>, bool),
    IsImpossible,
    /// The checkpoint knows nothing of the partitions.
    IsGone,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let culprits = prop::collection::btree_set(0..5_u32, 1..3);
    let way = prop_oneof![
        4 => Just(Way::Commits),
        1 => Just(Way::IsHeldBack),
        2 => Just(Way::Fails),
        1 => Just(Way::LosesReply),
        2 => (culprits, any::<bool>()).prop_map(|(culprits, told)| Way::Refuses(culprits, told)),
        1 => Just(Way::IsImpossible),
        1 => Just(Way::IsGone),
    ];
    let step = prop_oneof![
        (0..5_u32, 0..6_usize).prop_map(|(no, files)| Move::Stage(no, files)),
        way.prop_map(Move::Goes),
    ];
    prop::collection::vec(step, 1..80)
}

/// What the queue has asked for and not heard of yet.
#[derive(Debug)]
enum Open {
    Pause,
    Load,
    Question { reason: String, is_loaded: bool },
}

/// The model: what every request must come to.
#[derive(Default)]
struct Model {
    /// The newest request of each partition that was not answered: its number.
    open: HashMap<u32, usize>,
    /// Requests that a newer one has replaced: they may be answered, and need not.
    replaced: BTreeSet<usize>,
    answered: BTreeSet<usize>,
    /// What each request was answered.
    committed: BTreeSet<usize>,
    waits_for: Option<Open>,
}

struct World {
    queue: LoadQueue<(u32, usize)>,
    model: Model,
    next: usize,
}

impl World {
    fn new() -> Self {
        Self {
            queue: LoadQueue::new(MAX_FILES),
            model: Model::default(),
            next: 0,
        }
    }

    fn send(&mut self, event: Event<(u32, usize)>) {
        for command in self.queue.step(event) {
            match command {
                Command::Wait(_) => self.expect(Open::Pause),
                Command::Load => {
                    let batch: Vec<_> = self.queue.loading().collect();
                    let numbers: BTreeSet<_> = batch.iter().map(|i| i.partition_no).collect();
                    assert_eq!(numbers.len(), batch.len(), "a partition twice in one load");
                    let files: usize = batch.iter().map(|item| item.files).sum();
                    assert!(batch.len() == 1 || files <= MAX_FILES, "{files} files");
                    self.expect(Open::Load);
                }
                Command::Settle { reason, .. } => self.expect(Open::Question {
                    reason,
                    is_loaded: false,
                }),
                Command::Tell((no, number), loaded) => {
                    assert!(self.model.answered.insert(number), "answered twice");
                    if loaded == Loaded::Committed {
                        self.model.committed.insert(number);
                    }
                    if self.model.open.get(&no) == Some(&number) {
                        self.model.open.remove(&no);
                    } else {
                        assert!(self.model.replaced.contains(&number));
                    }
                }
            }
        }
    }

    /// Never two things at once.
    fn expect(&mut self, open: Open) {
        assert!(self.model.waits_for.is_none(), "{open:?} besides another");
        self.model.waits_for = Some(open);
    }

    fn stage(&mut self, no: u32, files: usize) {
        self.next += 1;
        if let Some(replaced) = self.model.open.insert(no, self.next) {
            self.model.replaced.insert(replaced);
        }
        self.send(Event::Staged(Item {
            partition_no: PartitionNo(no),
            files,
            bytes: 1,
            what: (no, self.next),
        }));
    }

    /// Lets happen what the queue waits for. Answers the requests that were committed by it.
    fn goes(&mut self, way: &Way) -> Vec<usize> {
        let batch: Vec<_> = self.queue.loading().map(|item| item.what).collect();
        let failed = |failure| Ended::Failed {
            reason: "as planned".to_owned(),
            failure,
        };
        match self.model.waits_for.take() {
            None => Vec::new(),
            Some(Open::Pause) => {
                self.send(Event::Due);
                Vec::new()
            }
            Some(Open::Load) => {
                let places = batch.iter().enumerate();
                let (ended, commits) = match way {
                    Way::Commits => (Ended::Committed, true),
                    Way::IsHeldBack => (Ended::HeldBack, false),
                    Way::Fails | Way::IsGone => (failed(Failure::Transient), false),
                    Way::LosesReply => (failed(Failure::InDoubt), true),
                    Way::IsImpossible => (Ended::Impossible("no".to_owned()), false),
                    Way::Refuses(culprits, told) => {
                        let refused: Vec<_> = places
                            .filter(|(_, (no, _))| culprits.contains(no))
                            .map(|(place, _)| (place, "bad".to_owned()))
                            .collect();
                        match (refused.is_empty(), told) {
                            (true, _) => (Ended::Committed, true),
                            (false, true) => (Ended::Rejected(refused), false),
                            (false, false) => (Ended::Rejected(Vec::new()), false),
                        }
                    }
                };
                self.send(Event::Ended(ended));
                if let Some(Open::Question { is_loaded, .. }) = &mut self.model.waits_for {
                    *is_loaded = commits;
                }
                let committed = batch.into_iter().filter(|_| commits);
                committed.map(|(_, number)| number).collect()
            }
            Some(Open::Question { reason, is_loaded }) => {
                let phase = if is_loaded {
                    PartitionPhase::Loaded
                } else {
                    PartitionPhase::Staged
                };
                let is_known = is_loaded || !matches!(way, Way::IsGone);
                let phases = batch.into_iter().filter(|_| is_known);
                let phases = phases.map(|(no, _)| (PartitionNo(no), phase)).collect();
                self.send(Event::Settled { reason, phases });
                Vec::new()
            }
        }
    }
}

proptest! {
    #[test]
    fn every_request_is_answered_once_and_as_committed_only_if_it_is(moves in moves()) {
        let mut world = World::new();
        let mut committed = BTreeSet::new();
        for step in &moves {
            match step {
                Move::Stage(no, files) => world.stage(*no, *files),
                Move::Goes(way) => committed.extend(world.goes(way)),
            }
            prop_assert!(world.model.committed.is_subset(&committed));
            // Nothing is forgotten: what is open waits for something.
            prop_assert!(world.model.open.is_empty() || world.model.waits_for.is_some());
        }
        // When nothing goes wrong any more, all is loaded.
        for _ in 0..200 {
            committed.extend(world.goes(&Way::Commits));
        }
        prop_assert!(world.model.open.is_empty());
        prop_assert!(world.model.waits_for.is_none());
        prop_assert!(world.model.committed.is_subset(&committed));
    }
}

#[test]
fn a_load_that_fails_again_and_again_is_given_up() {
    let mut world = World::new();
    world.stage(0, 1);
    let mut loads = 0;
    while !world.model.open.is_empty() {
        loads += usize::from(matches!(world.model.waits_for, Some(Open::Load)));
        world.goes(&Way::Fails);
        assert!(loads < 100, "it never ends");
    }
    assert!(loads > 1 && world.model.committed.is_empty());
}

#[test]
fn after_a_refusal_without_a_culprit_partitions_go_one_by_one() {
    let mut world = World::new();
    for no in 0..3 {
        world.stage(no, 1);
    }
    let refuses = Way::Refuses(BTreeSet::from([1]), false);
    let mut sizes = Vec::new();
    while !world.model.open.is_empty() {
        if matches!(world.model.waits_for, Some(Open::Load)) {
            sizes.push(world.queue.loading().count());
        }
        world.goes(&refuses);
    }
    assert_eq!(sizes, [3, 1, 1, 1]);
    assert_eq!(world.model.committed, BTreeSet::from([1, 3]));
}
