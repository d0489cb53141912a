//! LeaseReaper: returns tasks whose worker went silent to the queue.

use super::effects;
use crate::checkpoint::OrchestratorCheckpoint;
use crate::domain::WorkflowId;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;
use std::time::Duration;

/// Messages.
pub enum LeaseReaperMsg {
    /// These workflows are driven here.
    Driving(Vec<WorkflowId>),
    /// Look for leases that ran out.
    Reap,
    /// The look is over.
    Reaped,
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
        Ok(LeaseReaperState {
            arguments,
            driving: Vec::new(),
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
        }
        Ok(())
    }
}
