//! What an owner holds by lease, and until when it may rely on that. Pure.
//!
//! The server's clock is another: a lease is counted from the moment before it was asked for, and let go before the server
//! gives it to others ([`trusted_for`]). An answer about an epoch that is not held any more changes nothing.

use super::OwnerEpoch;
use super::lease::trusted_for;
use std::collections::BTreeMap;
use std::ops::Add;
use std::time::Duration;

/// What is held, by its key. `T` is the moment of a clock.
#[derive(Debug)]
pub struct LeaseBook<K, T> {
    lease: Duration,
    held: BTreeMap<K, Held<T>>,
}

#[derive(Clone, Copy, Debug)]
struct Held<T> {
    epoch: OwnerEpoch,
    /// Without a renewal until then, nobody may rely on the lease.
    until: T,
}

/// What a lease that was taken is to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Held from now on; under another epoch, if it was held before: what that one does is over.
    New,
    /// Held under this epoch already, and renewed.
    Again,
    /// The answer came too late: others may have it by now.
    TooLate,
}

impl<K: Copy + Ord, T: Copy + Ord + Add<Duration, Output = T>> LeaseBook<K, T> {
    /// An empty book of leases that hold so long without renewal.
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            held: BTreeMap::new(),
        }
    }

    /// Until when a lease may be relied on that was asked for at this moment.
    fn until(&self, asked_at: T) -> T {
        asked_at + trusted_for(self.lease)
    }

    /// A lease was taken, or renewed because its owner asked for what is new.
    pub fn taken(&mut self, key: K, epoch: OwnerEpoch, asked_at: T, now: T) -> Taken {
        let until = self.until(asked_at);
        if let Some(held) = self.held.get_mut(&key).filter(|held| held.epoch == epoch) {
            held.until = held.until.max(until);
            return Taken::Again;
        }
        // Whatever was held under an older epoch is not any more.
        self.held.remove(&key);
        if until <= now {
            return Taken::TooLate;
        }
        self.held.insert(key, Held { epoch, until });
        Taken::New
    }

    /// The leases that were asked for at this moment are renewed, but for those of `lost`. Answers which of what is held is
    /// lost; they are held until [`let_go`](Self::let_go).
    pub fn renewed(&mut self, asked: &[(K, OwnerEpoch)], asked_at: T, lost: &[K]) -> Vec<K> {
        let until = self.until(asked_at);
        let mut gone = Vec::new();
        for (key, epoch) in asked {
            let held = self.held.get_mut(key);
            let Some(held) = held.filter(|held| held.epoch == *epoch) else {
                continue;
            };
            if lost.contains(key) {
                gone.push(*key);
            } else {
                held.until = held.until.max(until);
            }
        }
        gone
    }

    /// What nobody may rely on any more, whatever a renewal that is under way may bring.
    pub fn over(&self, now: T) -> Vec<K> {
        let over = self.held.iter().filter(|(_, held)| held.until <= now);
        over.map(|(key, _)| *key).collect()
    }

    /// It is not held any more.
    pub fn let_go(&mut self, key: K) {
        self.held.remove(&key);
    }

    /// When the leases end, in any order.
    pub fn ends(&self) -> impl Iterator<Item = T> {
        self.held.values().map(|held| held.until)
    }

    /// What is held, with its epochs.
    pub fn held(&self) -> Vec<(K, OwnerEpoch)> {
        let held = self.held.iter();
        held.map(|(key, held)| (*key, held.epoch)).collect()
    }

    /// Whether it is held under this epoch.
    pub fn holds(&self, key: K, epoch: OwnerEpoch) -> bool {
        self.held.get(&key).is_some_and(|held| held.epoch == epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEASE: Duration = Duration::from_secs(60);

    /// A server that gives leases: the model. Its clock is the true one, which the owner's differs from by a constant.
    #[derive(Default)]
    struct Server {
        leases: BTreeMap<u8, (OwnerEpoch, Duration)>,
        next_epoch: i64,
    }

    impl Server {
        fn is_free(&self, key: u8, now: Duration) -> bool {
            self.leases.get(&key).is_none_or(|(_, until)| *until < now)
        }

        fn take(&mut self, key: u8, now: Duration) -> Option<OwnerEpoch> {
            self.is_free(key, now).then(|| {
                self.next_epoch += 1;
                let epoch = OwnerEpoch(self.next_epoch);
                self.leases.insert(key, (epoch, now + LEASE));
                epoch
            })
        }

        fn renew(&mut self, asked: &[(u8, OwnerEpoch)], now: Duration) -> Vec<u8> {
            let mut lost = Vec::new();
            for (key, epoch) in asked {
                match self.leases.get_mut(key) {
                    Some((stored, until)) if stored == epoch => *until = now + LEASE,
                    _ => lost.push(*key),
                }
            }
            lost
        }
    }

    #[derive(Clone, Debug)]
    enum Move {
        /// Takes a lease: so many seconds to the server, and back.
        Take(u8, u64, u64),
        /// Renews: so many seconds to the server, and back; or the answer is lost.
        Renew(u64, u64, bool),
        /// An answer from before is delivered now: the renewal was slow.
        LateAnswer,
        /// Another owner takes what is free.
        Steal(u8),
        Pass(u64),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let step = prop_oneof![
            (0..3_u8, 0..70_u64, 0..70_u64).prop_map(|(key, to, back)| Move::Take(key, to, back)),
            (0..30_u64, 0..70_u64, any::<bool>())
                .prop_map(|(to, back, lost)| Move::Renew(to, back, lost)),
            Just(Move::LateAnswer),
            (0..3_u8).prop_map(Move::Steal),
            (0..40_u64).prop_map(Move::Pass),
        ];
        prop::collection::vec(step, 1..60)
    }

    type Answer = (Vec<(u8, OwnerEpoch)>, Duration, Vec<u8>);

    proptest! {
        #[test]
        fn nobody_else_has_what_the_book_holds(moves in moves(), skew in 0..1_000_000_u64) {
            let skew = Duration::from_secs(skew);
            let (mut server, mut book) = (Server::default(), LeaseBook::new(LEASE));
            let mut now = Duration::from_secs(1);
            let mut late: Option<Answer> = None;
            let own = |now: Duration| now + skew;
            for step in moves {
                match step {
                    Move::Take(key, to, back) => {
                        let asked_at = own(now);
                        now += Duration::from_secs(to);
                        let epoch = server.take(key, now);
                        now += Duration::from_secs(back);
                        if let Some(epoch) = epoch {
                            let taken = book.taken(key, epoch, asked_at, own(now));
                            prop_assert_eq!(taken == Taken::New, book.holds(key, epoch));
                        }
                    }
                    Move::Renew(to, back, is_late) => {
                        let (asked, asked_at) = (book.held(), own(now));
                        now += Duration::from_secs(to);
                        let lost = server.renew(&asked, now);
                        if is_late {
                            late = Some((asked, asked_at, lost));
                        } else {
                            now += Duration::from_secs(back);
                            for key in book.renewed(&asked, asked_at, &lost) {
                                book.let_go(key);
                            }
                        }
                    }
                    Move::LateAnswer => {
                        if let Some((asked, asked_at, lost)) = late.take() {
                            for key in book.renewed(&asked, asked_at, &lost) {
                                book.let_go(key);
                            }
                        }
                    }
                    Move::Steal(key) => {
                        server.take(key, now);
                    }
                    Move::Pass(seconds) => now += Duration::from_secs(seconds),
                }
                for key in book.over(own(now)) {
                    book.let_go(key);
                }
                for (key, epoch) in book.held() {
                    prop_assert_eq!(server.leases[&key].0, epoch, "another has it");
                    prop_assert!(!server.is_free(key, now), "another may take it");
                }
                prop_assert!(book.ends().all(|end| end > own(now)));
            }
        }

        #[test]
        fn a_lease_that_is_renewed_in_time_is_never_let_go(pauses in prop::collection::vec(0..20_u64, 1..50)) {
            let mut book = LeaseBook::new(LEASE);
            let mut now = Duration::ZERO;
            book.taken(1, OwnerEpoch(1), now, now);
            for pause in pauses {
                now += Duration::from_secs(pause);
                prop_assert!(book.over(now).is_empty());
                prop_assert!(book.renewed(&book.held(), now, &[]).is_empty());
            }
        }
    }

    #[test]
    fn what_is_taken_under_a_new_epoch_is_not_held_under_the_old_one() {
        let mut book = LeaseBook::new(LEASE);
        let now = Duration::ZERO;
        assert_eq!(book.taken(1, OwnerEpoch(1), now, now), Taken::New);
        assert_eq!(book.taken(1, OwnerEpoch(1), now, now), Taken::Again);
        assert_eq!(book.taken(1, OwnerEpoch(2), now, now), Taken::New);
        assert!(book.holds(1, OwnerEpoch(2)) && !book.holds(1, OwnerEpoch(1)));
        // An old renewal says nothing of it.
        assert!(book.renewed(&[(1, OwnerEpoch(1))], now, &[1]).is_empty());
        let late = now + LEASE;
        assert_eq!(book.taken(1, OwnerEpoch(3), now, late), Taken::TooLate);
        assert_eq!(book.held(), []);
    }
}
