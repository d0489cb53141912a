//! LeaseReaper: returns tasks whose worker went silent to the queue, and permits of loads that could not return their own.

use super::effects;
use crate::checkpoint::OrchestratorCheckpoint;
use crate::domain::WorkflowId;
use crate::domain::retry::RetryPolicy;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;
use std::time::Duration;

/// Pause between two looks for permits to return; a look without any asks nobody.
const PERMITS_POLL: Duration = Duration::from_secs(1);

/// Messages.
pub enum LeaseReaperMsg {
    /// These workflows are driven here.
    Driving(Vec<WorkflowId>),
    /// Look for leases that ran out.
    Reap,
    /// The look is over.
    Reaped,
    /// Return permits that are left over.
    ReturnPermits,
    /// So many are left.
    PermitsReturned(usize),
}

/// The actor.
pub struct LeaseReaper;

/// What it starts with.
pub struct LeaseReaperArguments {
    /// The checkpoint.
    pub checkpoint: Arc<dyn OrchestratorCheckpoint>,
    /// Pause between two looks.
    pub interval: Duration,
    /// Failures after which a task is given up.
    pub max_failures: u32,
}

/// Its state.
pub struct LeaseReaperState {
    arguments: LeaseReaperArguments,
    driving: Vec<WorkflowId>,
    /// Times in a row that permits were left.
    failures: u32,
}

impl Actor for LeaseReaper {
    type Msg = LeaseReaperMsg;
    type State = LeaseReaperState;
    type Arguments = LeaseReaperArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.send_after(arguments.interval, || LeaseReaperMsg::Reap);
        myself.send_after(PERMITS_POLL, || LeaseReaperMsg::ReturnPermits);
        Ok(LeaseReaperState {
            arguments,
            driving: Vec::new(),
            failures: 0,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LeaseReaperMsg::Driving(workflows) => state.driving = workflows,
            LeaseReaperMsg::Reap if state.driving.is_empty() => {
                myself.send_after(state.arguments.interval, || LeaseReaperMsg::Reap);
            }
            LeaseReaperMsg::Reap => {
                let checkpoint = state.arguments.checkpoint.clone();
                let (workflows, max_failures) =
                    (state.driving.clone(), state.arguments.max_failures);
                effects::run(&myself, async move {
                    match checkpoint.reap(&workflows, max_failures).await {
                        Ok(0) => {}
                        Ok(tasks) => tracing::warn!(
                            tasks,
                            "leases ran out: the tasks of silent workers were returned to the queue"
                        ),
                        Err(error) => {
                            tracing::warn!(%error, "could not look for leases that ran out; looking again later")
                        }
                    }
                    LeaseReaperMsg::Reaped
                });
            }
            LeaseReaperMsg::Reaped => {
                myself.send_after(state.arguments.interval, || LeaseReaperMsg::Reap);
            }
            LeaseReaperMsg::ReturnPermits => {
                let checkpoint = state.arguments.checkpoint.clone();
                effects::run(&myself, async move {
                    LeaseReaperMsg::PermitsReturned(checkpoint.return_permits().await)
                });
            }
            LeaseReaperMsg::PermitsReturned(left) => {
                let pause = if left == 0 {
                    state.failures = 0;
                    PERMITS_POLL
                } else {
                    state.failures = state.failures.saturating_add(1);
                    RetryPolicy::UNTIL_ANSWERED.pause(state.failures, rand::random())
                };
                myself.send_after(pause, || LeaseReaperMsg::ReturnPermits);
            }
        }
        Ok(())
    }
}
