//! When a failed task is tried again, and when it is given up. Pure.

use std::time::Duration;

/// Attempts with growing pauses, and an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Failures after which nothing is tried any more.
    pub max_failures: u32,
    /// Pause after the first failure; each further one doubles it.
    pub base: Duration,
    /// Longest pause.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_failures: 5,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// For tasks whose source, or Snowflake, is away: about half an hour, which a warehouse that
    /// restarts or is resized needs. Past it the task has failed.
    pub const OUTAGE: Self = Self {
        max_failures: 36,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
    };

    /// The pause before the next attempt after `failures` failures (1 = the first); `None`: give up.
    pub fn next(&self, failures: u32, retryable: bool) -> Option<Duration> {
        if !retryable || failures >= self.max_failures {
            return None;
        }
        let doublings = failures.saturating_sub(1).min(20);
        Some(self.base.saturating_mul(1 << doublings).min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_final_failure_is_never_tried_again() {
        assert_eq!(RetryPolicy::default().next(1, false), None);
    }

    proptest! {
        #[test]
        fn pauses_grow_up_to_the_cap_and_end(max_failures in 1u32..40, base in 1u64..5_000, cap in 1u64..100_000) {
            let policy = RetryPolicy { max_failures, base: Duration::from_millis(base), cap: Duration::from_millis(cap) };
            let pauses: Vec<_> = (1..=max_failures + 3).map(|n| policy.next(n, true)).collect();
            prop_assert_eq!(pauses.iter().flatten().count() as u32, max_failures - 1);
            prop_assert!(pauses.iter().flatten().is_sorted());
            prop_assert!(pauses.iter().flatten().all(|pause| *pause <= policy.cap));
        }
    }
}
