//! What a supervisor needs besides ractor: which kind of end a child had, and the restart policy on the runtime's clock.

use crate::domain::restart::{RestartDecision, RestartHistory, RestartPolicy};
use ractor::{ActorCell, ActorId, ActorStatus, SupervisionEvent};
use std::time::Duration;
use tokio::time::Instant;

/// How a child ended. ractor reports a kill as a termination with the reason "killed", not as a failure.
pub(super) enum ChildEnd {
    /// It stopped by itself or was asked to.
    Stopped,
    /// It panicked, failed or was killed.
    Failed(ActorId, String),
}

/// The end of a child, if the event is one.
pub(super) fn child_end(event: &SupervisionEvent) -> Option<ChildEnd> {
    match event {
        SupervisionEvent::ActorTerminated(cell, _, reason)
            if reason.as_deref() == Some("killed") =>
        {
            Some(ChildEnd::Failed(cell.get_id(), "killed".to_owned()))
        }
        SupervisionEvent::ActorTerminated(..) => Some(ChildEnd::Stopped),
        SupervisionEvent::ActorFailed(cell, error) => {
            Some(ChildEnd::Failed(cell.get_id(), error.to_string()))
        }
        _ => None,
    }
}

/// Whether an actor still works, and is not about to stop.
pub(super) fn is_running(actor: &ActorCell) -> bool {
    actor.get_status() < ActorStatus::Stopping
}

/// A restart history on tokio's clock (which tests can pause).
#[derive(Debug)]
pub(super) struct Restarts {
    policy: RestartPolicy,
    history: RestartHistory,
    since: Instant,
}

impl Restarts {
    pub(super) fn new(policy: RestartPolicy) -> Self {
        Self {
            policy,
            history: RestartHistory::default(),
            since: Instant::now(),
        }
    }

    /// Records a failure: the delay before the restart, or `None` when the child has failed too often.
    pub(super) fn failed(&mut self) -> Option<Duration> {
        match self.history.record(&self.policy, self.since.elapsed()) {
            RestartDecision::RestartAfter(delay) => Some(delay),
            RestartDecision::GiveUp => None,
        }
    }
}
