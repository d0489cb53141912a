//! What this process knows of limits. Only a hint: the statements themselves are sure.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// After this long without a look, a claim that found nothing is followed by a look for limits.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What this process knows of limits.
#[derive(Debug, Default)]
pub(super) struct KnownLimits(Mutex<Known>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// When it was found that there are none.
    none_at: Option<Instant>,
    /// The last claim found nothing to claim, or only what limits forbid.
    is_empty: bool,
    are_set: bool,
}

impl KnownLimits {
    fn get(&self) -> Known {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A look has found limits, or none.
    pub(super) fn found(&self, any: bool) {
        self.change(|known| {
            known.are_set = any;
            known.is_empty = false;
            known.none_at = (!any).then(Instant::now);
        });
    }

    /// A claim has found nothing, and cannot tell whether that is because of limits.
    pub(super) fn claimed_nothing(&self) {
        self.change(|known| known.is_empty = true);
    }

    /// Whether limits are known to be set.
    pub(super) fn are_set(&self) -> bool {
        self.get().are_set
    }

    /// Whether the next claim has to look for limits first.
    pub(super) fn is_stale(&self) -> bool {
        let known = self.get();
        let is_old = || known.none_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        known.are_set || (known.is_empty && is_old())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn limits_are_looked_for_while_there_are_some_and_rarely_when_nothing_is_claimed() {
        let known = KnownLimits::default();
        assert!(!known.is_stale());
        known.claimed_nothing();
        assert!(known.is_stale());
        known.found(false);
        assert!(!known.is_stale() && !known.are_set());
        known.claimed_nothing();
        assert!(!known.is_stale());
        tokio::time::advance(LOOK_EVERY).await;
        assert!(known.is_stale());
        known.found(true);
        assert!(known.is_stale() && known.are_set());
    }
}
