//! The loop around everything that is tried again. When it is tried again is decided by [`crate::domain::retry`].

use crate::domain::retry::{Failure, RetryPolicy};
use std::time::Duration;

/// Tries `attempt` until it succeeds, or until `policy` gives up on what `failure` says of its error. Before each pause,
/// `waiting` hears of the error and of the pause.
///
/// # Errors
/// The error of the last attempt.
pub async fn retry<T, E, F>(
    policy: RetryPolicy,
    mut attempt: impl FnMut() -> F,
    failure: impl Fn(&E) -> Failure,
    waiting: impl Fn(&E, Duration),
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut failures: u32 = 0;
    loop {
        let error = match attempt().await {
            Err(error) => error,
            done => return done,
        };
        failures = failures.saturating_add(1);
        let decision = policy.decide(failure(&error), failures, rand::random());
        let Some(pause) = decision.pause() else {
            return Err(error);
        };
        waiting(&error, pause);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    const POLICY: RetryPolicy = RetryPolicy {
        max_failures: 4,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
    };

    /// Fails `failures` times in this way; answers what came of it, and the pauses.
    async fn fail(failures: u32, failure: Failure) -> (Result<u32, u32>, Vec<Duration>) {
        let (tries, pauses) = (Cell::new(0), RefCell::new(Vec::new()));
        let attempt = async || {
            tries.set(tries.get() + 1);
            if tries.get() > failures {
                Ok(tries.get())
            } else {
                Err(tries.get())
            }
        };
        let waiting = |_: &u32, pause| pauses.borrow_mut().push(pause);
        let began = tokio::time::Instant::now();
        let done = retry(POLICY, attempt, |_| failure, waiting).await;
        let pauses = pauses.into_inner();
        // The clock has a resolution of a millisecond.
        assert!(began.elapsed() >= pauses.iter().sum::<Duration>());
        (done, pauses)
    }

    #[tokio::test(start_paused = true)]
    async fn it_pauses_between_attempts_until_one_succeeds() {
        let (done, pauses) = fail(3, Failure::Transient).await;
        assert_eq!(done, Ok(4));
        assert_eq!(pauses.len(), 3);
        assert!(pauses.is_sorted());
    }

    #[tokio::test(start_paused = true)]
    async fn it_answers_the_last_error_when_the_policy_gives_up() {
        let (done, pauses) = fail(9, Failure::Transient).await;
        assert_eq!((done, pauses.len()), (Err(4), 3));
        let (done, pauses) = fail(9, Failure::Permanent).await;
        assert_eq!((done, pauses.len()), (Err(1), 0));
    }
}
