//! Moments whose age counts the time in which the machine slept.

use std::time::{Duration, Instant, SystemTime};

/// A point of time. Servers continue counting while this machine sleeps, and its monotonic clock may not.
#[derive(Clone, Copy, Debug)]
pub(super) struct SuspendAwareInstant {
    monotonic: Instant,
    system: SystemTime,
}

impl SuspendAwareInstant {
    pub(super) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            system: SystemTime::now(),
        }
    }

    /// How long ago it was, by the clock that says more: a clock that is set forward makes things look old, which is safe.
    pub(super) fn age(&self) -> Duration {
        let by_system = self.system.elapsed().unwrap_or_default();
        self.monotonic.elapsed().max(by_system)
    }

    pub(super) fn is_after(&self, other: &Self) -> bool {
        self.monotonic > other.monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_only_one_of_the_clocks_has_seen_counts() {
        let hour = Duration::from_secs(3_600);
        let slept = SuspendAwareInstant {
            system: SystemTime::now() - hour,
            ..SuspendAwareInstant::now()
        };
        assert!(slept.age() >= hour);
        let set_back = SuspendAwareInstant {
            system: SystemTime::now() + hour,
            ..SuspendAwareInstant::now()
        };
        assert!(set_back.age() < hour);
    }
}
