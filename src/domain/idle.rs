//! How long to wait before asking again while there is nothing to do. Pure.

use std::time::Duration;

/// A pause is this part of the time that has passed without work.
const PART: u32 = 8;

/// Pauses between questions: short while there is work or was some just now, longer the longer there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdlePolicy {
    /// The shortest pause.
    pub base: Duration,
    /// The longest pause, unless the shortest is longer.
    pub cap: Duration,
}

impl IdlePolicy {
    /// The pause after `idle` without work: an eighth of it, so that a user who comes back after a while waits for no more
    /// than an eighth of that while.
    pub fn pause(&self, idle: Duration) -> Duration {
        (idle / PART).clamp(self.base, self.cap.max(self.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Questions within the first `span`.
    fn questions(policy: IdlePolicy, span: Duration) -> u32 {
        let (mut at, mut count) = (Duration::ZERO, 0);
        while at < span {
            count += 1;
            at += policy.pause(at);
        }
        count
    }

    #[test]
    fn an_hour_of_idleness_costs_few_questions_though_the_first_come_fast() {
        let policy = IdlePolicy {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(15),
        };
        let hour = questions(policy, Duration::from_secs(3_600));
        assert!((240..280).contains(&hour), "{hour}");
        assert_eq!(policy.pause(Duration::from_secs(8)), policy.base);
    }

    proptest! {
        #[test]
        fn pauses_grow_from_the_base_to_the_cap(base in 1u64..10_000, cap in 1u64..100_000, idle in 0u64..1_000_000, more in 0u64..1_000_000) {
            let policy = IdlePolicy { base: Duration::from_millis(base), cap: Duration::from_millis(cap) };
            let pause = policy.pause(Duration::from_millis(idle));
            prop_assert!(pause >= policy.base && pause <= policy.cap.max(policy.base));
            prop_assert!(pause <= policy.pause(Duration::from_millis(idle + more)));
            prop_assert!(pause <= policy.base.max(Duration::from_millis(idle)));
        }
    }
}
