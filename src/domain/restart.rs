//! When a supervisor starts a failed child again: with growing delays, and not for ever. Pure: time comes in as
//! an argument, measured from any fixed point.

use std::collections::VecDeque;
use std::time::Duration;

/// How often a child may fail within a window, and how long the supervisor waits before it starts it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Failures within [`window`](Self::window) after which the supervisor gives up.
    pub max_failures: usize,
    /// How long a failure counts.
    pub window: Duration,
    /// Delay after the first failure; each further one within the window doubles it.
    pub base_delay: Duration,
    /// Longest delay.
    pub max_delay: Duration,
}

impl RestartPolicy {
    /// For the long-lived actors of a role: five failures a minute.
    pub const SERVICE: Self = Self {
        max_failures: 5,
        window: Duration::from_secs(60),
        base_delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(5),
    };

    /// For actors that drive one piece of work and are rebuilt from the checkpoint: eight failures in ten minutes.
    pub const WORK: Self = Self {
        max_failures: 8,
        window: Duration::from_secs(600),
        base_delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(30),
    };
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartDecision {
    /// Start the child again after this delay.
    RestartAfter(Duration),
    /// The child fails too often: its failure becomes the parent's fact.
    GiveUp,
}

/// The failures of one child that still count.
#[derive(Clone, Debug, Default)]
pub struct RestartHistory {
    failures: VecDeque<Duration>,
}

impl RestartHistory {
    /// Records a failure at `now` and decides.
    pub fn record(&mut self, policy: &RestartPolicy, now: Duration) -> RestartDecision {
        while self
            .failures
            .front()
            .is_some_and(|at| now.saturating_sub(*at) > policy.window)
        {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        let count = self.failures.len();
        if count > policy.max_failures {
            return RestartDecision::GiveUp;
        }
        let doublings = u32::try_from(count - 1).unwrap_or(u32::MAX).min(20);
        let delay = policy
            .base_delay
            .saturating_mul(1 << doublings)
            .min(policy.max_delay);
        RestartDecision::RestartAfter(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_double_up_to_the_cap_and_then_the_supervisor_gives_up() {
        let policy = RestartPolicy {
            max_failures: 4,
            window: Duration::from_secs(10),
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(3),
        };
        let mut history = RestartHistory::default();
        let at = Duration::from_secs(100);
        let delays: Vec<_> = (0..5).map(|_| history.record(&policy, at)).collect();
        let after = |s| RestartDecision::RestartAfter(Duration::from_secs(s));
        assert_eq!(
            delays,
            [
                after(1),
                after(2),
                after(3),
                after(3),
                RestartDecision::GiveUp
            ]
        );
    }

    proptest! {
        #[test]
        fn rare_failures_never_make_it_give_up(gaps in prop::collection::vec(61u64..10_000, 1..50)) {
            let policy = RestartPolicy { max_failures: 1, window: Duration::from_secs(60), ..RestartPolicy::SERVICE };
            let mut history = RestartHistory::default();
            let mut now = Duration::ZERO;
            for gap in gaps {
                now += Duration::from_secs(gap);
                prop_assert_eq!(history.record(&policy, now), RestartDecision::RestartAfter(policy.base_delay));
            }
        }
    }
}
