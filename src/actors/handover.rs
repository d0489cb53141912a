//! What an orchestrator that stops does before it releases its workflows: the next owner reads at once.

use super::checkpoint_writer::{CheckpointWriterMsg, settled_writes};
use super::services::WorkflowServices;
use ractor::{ActorCell, ActorRef};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a stop waits for the workflows' actors.
const STOP_CHILDREN: Duration = Duration::from_secs(2);
/// How long a stop waits for loads that run, before they are rolled back: for that it waits as long again.
const LOAD_PATIENCE: Duration = Duration::from_secs(4);
/// How long a stop waits for state changes that are on their way.
const SETTLE_WRITES: Duration = Duration::from_secs(5);

/// The workflows of an orchestrator that stops go to others.
pub(super) struct Handover<'a> {
    /// Its children drive the workflows.
    pub dispatcher: ActorCell,
    /// The orchestrator's name as an owner.
    pub owner: &'a str,
    pub services: &'a WorkflowServices,
    pub writer: &'a ActorRef<CheckpointWriterMsg>,
}

impl Handover<'_> {
    /// Waits until nothing is on its way any more, and releases the leases. `poll_ends` ends when a look that is under way is
    /// answered.
    pub async fn run(&self, poll_ends: Option<oneshot::Receiver<()>>) {
        // The next owner would wait for the locks of a load that nobody ends. A look would take again what has just been
        // released.
        let looked = async {
            if let Some(ends) = poll_ends {
                let _ = timeout(SETTLE_WRITES, ends).await;
            }
        };
        let settled = async {
            let children = self
                .dispatcher
                .stop_children_and_wait(None, Some(STOP_CHILDREN));
            children.await;
            timeout(SETTLE_WRITES, settled_writes(self.writer, None)).await
        };
        let loads = self.services.loader.stop(LOAD_PATIENCE);
        let (settled, (), ()) = tokio::join!(settled, loads, looked);
        if settled.is_err() {
            tracing::warn!(
                "state changes are still on their way; the leases run out by themselves"
            );
            return;
        }
        // A standby need not wait for the leases to run out.
        let released = self.services.checkpoint.release_workflows(self.owner);
        if let Err(error) = released.await {
            tracing::warn!(%error, "leases could not be released; they run out by themselves");
        }
    }
}
