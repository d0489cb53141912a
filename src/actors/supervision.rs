//! What a supervisor needs besides ractor: which kind of end a child had, the restart policy on the runtime's clock, and
//! children by their keys.

use crate::domain::problem::Code;
use crate::domain::restart::{RestartDecision, RestartHistory, RestartPolicy};
use ractor::{ActorCell, ActorId, ActorStatus, SupervisionEvent};
use std::collections::HashMap;
use std::hash::Hash;
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

/// Children of one supervisor, each known by the piece of work that it drives, with the history of its failures.
#[derive(Debug)]
pub(super) struct Children<K> {
    policy: RestartPolicy,
    children: HashMap<K, Child>,
}

#[derive(Debug)]
struct Child {
    status: Status,
    restarts: Restarts,
}

#[derive(Debug)]
enum Status {
    Running(ActorCell),
    /// It is to be started again.
    Restarting,
    /// It failed too often, and its supervisor has not done yet what follows.
    GivingUp,
}

/// A child that has failed.
#[derive(Debug)]
pub(super) struct ChildFailure<K> {
    pub key: K,
    pub reason: String,
    /// The delay before it is started again; `None`: it has failed too often.
    pub restart_after: Option<Duration>,
}

impl<K: Copy + Eq + Hash> Children<K> {
    pub(super) fn new(policy: RestartPolicy) -> Self {
        Self {
            policy,
            children: HashMap::new(),
        }
    }

    /// All that are not ended: those too that are to be started again or are being given up.
    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    pub(super) fn is_running(&self, key: K) -> bool {
        let child = self.children.get(&key);
        child.is_some_and(|child| matches!(child.status, Status::Running(_)))
    }

    fn set(&mut self, key: K, status: Status) {
        let policy = self.policy;
        let child = self.children.entry(key).or_insert_with(|| Child {
            status: Status::Restarting,
            restarts: Restarts::new(policy),
        });
        child.status = status;
    }

    /// A child was started, for the first time or again.
    pub(super) fn started(&mut self, key: K, actor: ActorCell) {
        self.set(key, Status::Running(actor));
    }

    /// Which child has failed, if the event says so of one.
    pub(super) fn failed(&mut self, event: &SupervisionEvent) -> Option<ChildFailure<K>> {
        let Some(ChildEnd::Failed(id, reason)) = child_end(event) else {
            return None;
        };
        let is_it =
            |child: &Child| matches!(&child.status, Status::Running(actor) if actor.get_id() == id);
        let (key, child) = self.children.iter_mut().find(|(_, child)| is_it(child))?;
        let restart_after = child.restarts.failed();
        child.status = match restart_after {
            Some(_) => Status::Restarting,
            None => Status::GivingUp,
        };
        Some(ChildFailure {
            key: *key,
            reason,
            restart_after,
        })
    }

    /// A child that cannot be started is given up.
    pub(super) fn give_up(&mut self, key: K) {
        self.set(key, Status::GivingUp);
    }

    /// A child's work has ended. One that has failed since it said so, and is to be started again, will say so once more.
    pub(super) fn ended(&mut self, key: K) {
        self.children
            .retain(|other, child| *other != key || matches!(child.status, Status::Restarting));
    }

    /// Kills a child, with all below it, and keeps its history: it is to be started again.
    pub(super) fn kill(&mut self, key: K) {
        if let Some(child) = self.children.get_mut(&key)
            && let Status::Running(actor) = std::mem::replace(&mut child.status, Status::Restarting)
        {
            // Killed: a stop would let what is below it go on until its handler returns.
            actor.kill();
        }
    }

    /// Kills a child, and forgets it.
    pub(super) fn remove(&mut self, key: K) {
        self.kill(key);
        self.children.remove(&key);
    }
}

/// The stored error of what fails whenever its actor is started.
pub(super) fn given_up(reason: &str) -> String {
    let what = format!("given up after repeated failures inside the orchestrator: {reason}");
    Code::INTERNAL.problem(what).to_string()
}
