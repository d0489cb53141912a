//! Reads a workflow's tables for its actor, once what operators asked of them is carried out.

use super::checkpoint_writer::{CheckpointWriterMsg, settled_writes};
use super::effects::ask_patiently;
use super::supervision::is_running;
use super::table_gates::TableGates;
use crate::checkpoint::{CheckpointError, OrchestratorCheckpoint, OwnedWorkflow, TableState};
use crate::domain::phase::{TablePhase, WorkflowPhase};
use crate::domain::request::{DueRequests, Request, orders};
use crate::domain::{TableNo, WorkflowId};
use ractor::{ActorCell, ActorRef};
use std::sync::Arc;
use tokio::sync::{RwLock, RwLockWriteGuard};

/// What the effects of a workflow's actors hold while they run, and whoever drives it after them waits for: effects outlive
/// their actors, and this outlives both.
#[derive(Default)]
pub struct InFlightEffects {
    /// Shared while a plan is written and while the workflow's end is taken, alone while the workflow or one of its tables is
    /// read to be rebuilt.
    pub plan_lock: RwLock<()>,
    /// Entered while what operators asked of a table is carried out, which may wait for a load.
    table_gates: TableGates,
}

/// A workflow's tables at its actor's start.
pub struct Started {
    /// As the checkpoint has them.
    pub tables: Vec<TableState>,
    /// Those of which something is to be carried out yet ([`Reader::apply_requests`]) before they are driven.
    pub ordered: Vec<TableNo>,
}

/// Reads a workflow's tables once nothing is on its way any more that predecessors have written.
pub(super) struct Reader {
    pub asker: ActorCell,
    pub checkpoint: Arc<dyn OrchestratorCheckpoint>,
    pub writer: ActorRef<CheckpointWriterMsg>,
    pub in_flight: Arc<InFlightEffects>,
}

impl Reader {
    /// Reads the tables, once what operators asked of them is carried out, except where that may wait for a load; the first
    /// time, starts the workflow. The outer error: the writer is gone.
    pub async fn start(
        &self,
        owned: &OwnedWorkflow,
    ) -> Result<Result<Started, CheckpointError>, &'static str> {
        if owned.phase == WorkflowPhase::Pending {
            let started = ask_patiently(&self.asker, "to start a workflow", || {
                self.checkpoint.start_workflow(owned)
            });
            if let Err(error) = started.await {
                return Ok(Err(error));
            }
        }
        let _alone = self.alone(owned.id).await?;
        Ok(self.start_alone(owned).await)
    }

    async fn start_alone(&self, owned: &OwnedWorkflow) -> Result<Started, CheckpointError> {
        let tables = self.load(owned.id).await?;
        let mut orders = asked(owned, &tables);
        let mut ordered = Vec::new();
        // When all are cancelled, nothing else is to be driven meanwhile, and few statements do.
        if owned.request != Some(Request::Cancel) {
            let may_load = |no: &TableNo| {
                let mut executing = tables.iter().filter(|t| t.phase == TablePhase::Executing);
                executing.any(|table| table.table_no == *no)
            };
            ordered.extend(orders.cancel.extract_if(.., |no| may_load(no)));
            ordered.extend(orders.retry.extract_if(.., |no| may_load(no)));
        }
        let tables = if orders.is_empty() {
            tables
        } else {
            self.give(owned, &orders).await?;
            self.load(owned.id).await?
        };
        Ok(Started { tables, ordered })
    }

    /// Carries out what operators ask of a table that may have a load under way, and answers the table. What a predecessor
    /// of the actor carries out is waited for; it may have been something else.
    pub async fn apply_requests(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
    ) -> Result<Option<TableState>, CheckpointError> {
        let _alone = self.in_flight.table_gates.enter(owned.id, table_no).await;
        let table = self.load_table(owned, table_no).await?;
        // Whoever has asked for a new actor waits for nothing that this one begins.
        if !is_running(&self.asker) {
            return Ok(None);
        }
        let orders = asked(owned, table.as_slice());
        if orders.is_empty() {
            return Ok(table);
        }
        self.give(owned, &orders).await?;
        self.load_table(owned, table_no).await
    }

    pub async fn tables(
        &self,
        id: WorkflowId,
    ) -> Result<Result<Vec<TableState>, CheckpointError>, &'static str> {
        let _alone = self.alone(id).await?;
        Ok(self.load(id).await)
    }

    /// Until the guard goes, no plan is written and no end is taken; no other change is on its way that was sent before.
    async fn alone(&self, id: WorkflowId) -> Result<RwLockWriteGuard<'_, ()>, &'static str> {
        let alone = self.in_flight.plan_lock.write().await;
        settled_writes(&self.writer, Some(id)).await?;
        Ok(alone)
    }

    async fn give(
        &self,
        owned: &OwnedWorkflow,
        orders: &DueRequests<TableNo>,
    ) -> Result<(), CheckpointError> {
        tracing::info!(workflow = %owned.name, cancelled = orders.cancel.len(), again = orders.retry.len(), "carrying out what operators asked of tables");
        ask_patiently(&self.asker, "to carry out what operators asked", || {
            self.checkpoint.apply_requests(owned, orders)
        })
        .await
    }

    async fn load(&self, id: WorkflowId) -> Result<Vec<TableState>, CheckpointError> {
        ask_patiently(&self.asker, "how far the tables are", || {
            self.checkpoint.load_tables(id)
        })
        .await
    }

    async fn load_table(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
    ) -> Result<Option<TableState>, CheckpointError> {
        let tables = self.load(owned.id).await?;
        Ok(tables.into_iter().find(|table| table.table_no == table_no))
    }
}

fn asked(owned: &OwnedWorkflow, tables: &[TableState]) -> DueRequests<TableNo> {
    let asked = tables.iter().map(|t| (t.table_no, t.phase, t.request));
    orders(owned.request, asked)
}
