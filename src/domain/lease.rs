//! A lease as its holder sees it. Pure.

use std::time::Duration;

/// This part of a lease is left for what it holds to come to its end, before the server gives it to others.
const MARGIN: u32 = 10;

/// How long its holder relies on a lease, measured from before the moment in which it was asked for: the server counts
/// from no earlier.
pub fn trusted_for(lease: Duration) -> Duration {
    lease - lease / MARGIN
}

/// The pause before a renewal that was not answered is tried again, on another session.
pub fn renewal_retry_after(interval: Duration) -> Duration {
    (interval / 8).min(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_holder_lets_go_before_the_server_does_and_an_unanswered_renewal_is_tried_again_before(millis in 100u64..10_000_000) {
            let lease = Duration::from_millis(millis);
            // As configurations allow at most; the first renewal is never answered.
            let interval = lease / 3;
            prop_assert!(trusted_for(lease) < lease);
            prop_assert!(interval * 2 + renewal_retry_after(interval) < trusted_for(lease));
        }
    }
}
