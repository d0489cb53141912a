//! How many tasks a worker claims at once. Pure.
//!
//! A claim costs two statements, whatever it brings. Short tasks are therefore claimed ahead, several at once; long ones
//! only when there is a slot for them, so that they are left to other workers.

use std::time::Duration;

/// Tasks are claimed ahead for about this much work of each slot.
pub const PREFETCH: Duration = Duration::from_secs(3);
/// Tasks claimed ahead for each slot at most.
pub const MAX_AHEAD_PER_SLOT: usize = 8;

/// How many tasks to claim now, of a worker with so many slots that holds `held` tasks which take `typical_duration`.
pub fn claim_limit(slots: usize, held: usize, typical_duration: Duration) -> usize {
    let per_slot = PREFETCH.as_millis() / typical_duration.as_millis().max(1);
    let ahead =
        slots * usize::try_from(per_slot).map_or(MAX_AHEAD_PER_SLOT, |n| n.min(MAX_AHEAD_PER_SLOT));
    let free = (slots + ahead).saturating_sub(held);
    // Half of those ahead are used up first: one claim for many, and never an idle slot.
    if free > ahead / 2 { free } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_tasks_are_claimed_one_slot_at_a_time_and_short_ones_in_bulk() {
        let long = Duration::from_secs(60);
        assert_eq!(claim_limit(4, 3, long), 1);
        assert_eq!(claim_limit(4, 4, long), 0);
        let short = Duration::from_millis(20);
        assert_eq!(claim_limit(2, 0, short), 18);
        assert_eq!(claim_limit(2, 10, short), 0);
        assert_eq!(claim_limit(2, 9, short), 9);
    }

    proptest! {
        #[test]
        fn no_slot_stays_idle_and_the_claims_are_bounded(capacity in 1usize..200, held in 0usize..2_000, millis in 0u64..100_000) {
            let room = claim_limit(capacity, held, Duration::from_millis(millis));
            prop_assert!(held >= capacity || held + room >= capacity);
            prop_assert!(room == 0 || held + room <= capacity * (1 + MAX_AHEAD_PER_SLOT));
        }
    }
}
