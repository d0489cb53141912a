//! What the dispatcher asks of the checkpoint about workflows: each effect answers with a message of
//! [`WorkflowDispatcherMsg`].

use super::effects::{answer_within, ask_patiently};
use super::workflow_dispatcher::WorkflowDispatcherMsg;
use crate::checkpoint::{OrchestratorCheckpoint, OwnedWorkflow, WorkflowSearch};
use crate::domain::affinity::AffinityFilter;
use crate::domain::{OwnerEpoch, WorkflowId};
use ractor::ActorCell;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Three renewals may be tried before a lease runs out.
pub(super) fn renew_interval(lease: Duration) -> Duration {
    lease / 3
}

/// What the effects need.
pub(super) struct LeaseEffects {
    pub checkpoint: Arc<dyn OrchestratorCheckpoint>,
    /// The orchestrator's name as an owner.
    pub owner: String,
    /// How long a lease holds without renewal.
    pub lease: Duration,
}

impl LeaseEffects {
    /// Looks for workflows to take, and for what is asked of those that are driven.
    pub async fn poll(
        self,
        affinity: Option<AffinityFilter>,
        room: usize,
        driven: Vec<(WorkflowId, OwnerEpoch, i64)>,
    ) -> WorkflowDispatcherMsg {
        let asked_at = Instant::now();
        let search = WorkflowSearch {
            owner: &self.owner,
            affinity: affinity.as_ref(),
            lease: self.lease,
            limit: room,
            driven: &driven,
        };
        let taken = self.checkpoint.take_workflows(&search).await;
        WorkflowDispatcherMsg::Polled(taken, asked_at)
    }

    /// Renews what is held.
    pub async fn renew(self, held: Vec<(WorkflowId, OwnerEpoch)>) -> WorkflowDispatcherMsg {
        let asked_at = Instant::now();
        let lost = if held.is_empty() {
            Some(Vec::new())
        } else {
            // One that hangs leaves time for another, which takes another session.
            let renewal = self
                .checkpoint
                .renew_workflows(&self.owner, &held, self.lease);
            answer_within(renew_interval(self.lease), renewal).await
        };
        WorkflowDispatcherMsg::Renewed(held, asked_at, lost)
    }

    /// Fences a workflow's tables, when it is its turn.
    pub async fn fence(
        self,
        owned: Arc<OwnedWorkflow>,
        asker: ActorCell,
        fences: Arc<Semaphore>,
    ) -> WorkflowDispatcherMsg {
        let fenced = ask_patiently(&asker, "to fence a workflow's tables", || async {
            let _turn = fences.acquire().await;
            self.checkpoint.fence_tables(&owned).await
        });
        let fenced = fenced.await;
        WorkflowDispatcherMsg::Fenced(owned.id, owned.epoch, fenced)
    }
}
