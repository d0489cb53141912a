//! Effects that run beside an actor: long I/O in a task of its own, whose result comes back as a message.

use super::supervision::is_running;
use crate::checkpoint::CheckpointError;
use crate::domain::retry::{Failure, RetryPolicy};
use crate::retry::retry;
use ractor::{ActorCell, ActorRef, Message};
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// Kills the actor when it is dropped before the effect has ended: the effect has panicked.
struct KillUnlessDone(Option<ActorCell>);

impl Drop for KillUnlessDone {
    fn drop(&mut self) {
        if let Some(actor) = self.0.take().filter(is_running) {
            tracing::error!("an effect ended without a result; its actor is killed and rebuilt");
            actor.kill();
        }
    }
}

/// Runs `effect` and casts what it gives. An effect that panics would leave its actor waiting for ever: it kills it
/// instead, and the supervisor does what it does for any failure.
pub(super) fn run<M: Message>(
    actor: &ActorRef<M>,
    effect: impl Future<Output = M> + Send + 'static,
) {
    let actor = actor.clone();
    tokio::spawn(async move {
        let mut guard = KillUnlessDone(Some(actor.get_cell()));
        let message = effect.await;
        guard.0 = None;
        let _ = actor.cast(message);
    });
}

/// Sends the flush that a group commit wants to come, if it wants one.
pub(super) fn flush_after<M: Message>(
    myself: &ActorRef<M>,
    due: Option<Duration>,
    flush: impl FnOnce() -> M + Send + 'static,
) {
    if let Some(pause) = due {
        myself.send_after(pause, flush);
    }
}

/// Writes what was refused together one by one; `write` answers what is to be tried again.
pub(super) async fn singly<T, F>(batch: Vec<T>, mut write: impl FnMut(T) -> F) -> Vec<T>
where
    F: Future<Output = Option<T>>,
{
    let mut again = Vec::new();
    for item in batch {
        again.extend(write(item).await);
    }
    again
}

/// The timer of whoever holds leases: it comes when the one that ends first does, whatever hangs.
#[derive(Default)]
pub(super) struct Expiry(Option<Instant>);

impl Expiry {
    /// Sees to it that `expire` comes when the first of these leases ends. A timer that comes earlier stays.
    pub fn watch<M: Message>(
        &mut self,
        myself: &ActorRef<M>,
        ends: impl Iterator<Item = Instant>,
        expire: fn() -> M,
    ) {
        let Some(first) = ends.min() else {
            return;
        };
        if self.0.is_none_or(|due| first < due) {
            self.0 = Some(first);
            myself.send_after(first.saturating_duration_since(Instant::now()), expire);
        }
    }

    /// The timer has come.
    pub fn came(&mut self) {
        self.0 = None;
    }
}

/// What a renewal of leases answers within `patience`; `None`: nothing, and it is to be tried again. One that has no
/// answer by then is dropped with its session.
pub(super) async fn answer_within<T>(
    patience: Duration,
    renewal: impl Future<Output = Result<T, CheckpointError>>,
) -> Option<T> {
    match tokio::time::timeout(patience, renewal).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(%error, "leases could not be renewed; trying again");
            None
        }
        Err(_) => {
            tracing::warn!(
                ?patience,
                "the renewal of leases is not answered; trying again"
            );
            None
        }
    }
}

/// Asks until the checkpoint answers: passing errors are waited out for as long as `asker` lives, because nothing
/// that depends on the answer could go on elsewhere.
pub(super) async fn ask_patiently<T, F, A>(
    asker: &ActorCell,
    what: &str,
    ask: F,
) -> Result<T, CheckpointError>
where
    F: FnMut() -> A,
    A: Future<Output = Result<T, CheckpointError>>,
{
    let failure = |error: &CheckpointError| {
        if is_running(asker) {
            error.failure()
        } else {
            Failure::Permanent
        }
    };
    retry(RetryPolicy::UNTIL_ANSWERED, ask, failure, |error, _| {
        tracing::warn!(%error, what, "the checkpoint could not be asked; asking again");
    })
    .await
}
