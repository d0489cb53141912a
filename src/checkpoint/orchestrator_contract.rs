//! What an orchestrator asks of the checkpoint.

use super::contract::*;
use crate::domain::phase::{PartitionPhase, WorkflowPhase};
use crate::domain::planned::{PlannedPartition, SyncPlan};
use crate::domain::request::DueRequests;
use crate::domain::table::TableRef;
use crate::domain::table_plan::TablePlan;
use crate::domain::{OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use async_trait::async_trait;
use std::time::Duration;

/// What an orchestrator asks. `owned` is always the workflow as it was taken.
#[async_trait]
pub trait OrchestratorCheckpoint: Send + Sync {
    /// Takes up to `limit` workflows that have not ended (or whose tables are to run again), match the affinity, and have no
    /// owner or one whose lease ran out. Answers also those of `driven` of which operators have asked something since: under
    /// the same epoch, their lease renewed. One statement when there is neither; else one more to read what was won. Who takes
    /// a workflow fences its tables before anything else.
    async fn take_workflows(
        &self,
        search: &WorkflowSearch<'_>,
    ) -> Result<Vec<OwnedWorkflow>, CheckpointError>;
    /// Fences the tables of a workflow that was taken: from then on nothing that its former owner writes matches a row. A load
    /// of that owner, which has locked a table's row, ends or is rolled back first; an answer does not wait for it, it is an
    /// error that passes. A transaction of four statements, three when they are fenced already.
    async fn fence_tables(&self, owned: &OwnedWorkflow) -> Result<(), CheckpointError>;
    /// Renews the leases of these workflows and answers those that have another owner. One statement (two if some are lost).
    async fn renew_workflows(
        &self,
        owner: &str,
        owned: &[(WorkflowId, OwnerEpoch)],
        lease: Duration,
    ) -> Result<Vec<WorkflowId>, CheckpointError>;
    /// Gives back every lease of an owner that stops, so that a standby takes over at once. One statement.
    async fn release_workflows(&self, owner: &str) -> Result<(), CheckpointError>;
    /// All tables of a workflow. One statement.
    async fn load_tables(&self, id: WorkflowId) -> Result<Vec<TableState>, CheckpointError>;
    /// Partitions of a table in one of `phases`, with `partition_no >= from`, in order, at most `limit`. One statement.
    async fn load_partitions(
        &self,
        id: WorkflowId,
        table_no: TableNo,
        phases: &[PartitionPhase],
        from: PartitionNo,
        limit: usize,
    ) -> Result<Vec<PartitionState>, CheckpointError>;
    /// How many partitions of a table are in each phase. One statement.
    async fn count_partitions(
        &self,
        id: WorkflowId,
        table_no: TableNo,
    ) -> Result<Vec<(PartitionPhase, u64)>, CheckpointError>;
    /// Pending → Executing. Fenced. One statement.
    async fn start_workflow(&self, owned: &OwnedWorkflow) -> Result<(), CheckpointError>;
    /// Executing → `end` (Completed or Cancelled), unless a table has not ended or operators have asked something that
    /// `owned` does not know of ([`Applied::No`]); with it what is left of its tasks
    /// is collected or cancelled. Atomic: no request
    /// is written meanwhile. Fenced. A few statements.
    async fn complete_workflow(
        &self,
        owned: &OwnedWorkflow,
        end: WorkflowPhase,
    ) -> Result<Applied, CheckpointError>;
    /// Carries out what operators asked of tables, and takes the requests away. Cancelled: the table, its partitions that
    /// are not loaded, and its tasks (whoever runs one learns that its lease is lost). Again: the table goes back to
    /// Executing, or to Pending if it was never planned; its partitions that failed or were cancelled to Pending, of a
    /// table that had ended all that are not loaded; their tasks to the queue, attempts counted again but never numbered
    /// anew, so that no file of an old attempt is ever loaded. A table whose state of earlier runs another workflow has
    /// taken since does not run again, and says so; nor does one of a workflow that is being cancelled. Waits for a load under
    /// way. Atomic, fenced. A few statements.
    async fn apply_requests(
        &self,
        owned: &OwnedWorkflow,
        orders: &DueRequests<TableNo>,
    ) -> Result<(), CheckpointError>;
    /// Tables Pending → Analyzing. Fenced. One statement.
    async fn start_analysis(
        &self,
        owned: &OwnedWorkflow,
        tables: &[TableNo],
    ) -> Result<(), CheckpointError>;
    /// Takes over the state that runs of this table leave for the next, unless a workflow that has not ended has it, which
    /// is not being cancelled: then answers that workflow's name. Fenced. Two statements, three in that case.
    async fn claim_synchronization(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        sync_key: &str,
        tables: (&TableRef, &TableRef),
    ) -> Result<Option<String>, CheckpointError>;
    /// Writes a table's plan: its partitions, its extraction, its estimates and warnings, Analyzing → Executing, and the
    /// analysis collected. Atomic, fenced; a table that is planned already is left as it is. So is one whose analysis
    /// started from another state of earlier runs than the one that is stored: its analysis goes back to the queue. A few
    /// statements a table and one per 500 partitions, or 500 KB of their text.
    async fn write_plan(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        planned: &PlannedTable,
    ) -> Result<Applied, CheckpointError>;
    /// Queues tasks that are not queued yet, of tables that have not ended. Fenced. One statement per 500, or per 500 KB of
    /// their text.
    async fn enqueue(
        &self,
        owned: &OwnedWorkflow,
        tasks: &[NewTask],
    ) -> Result<(), CheckpointError>;
    /// Ended tasks of these workflows that are not collected. One statement.
    async fn ended_tasks(
        &self,
        workflows: &[WorkflowId],
        limit: usize,
    ) -> Result<Vec<EndedTask>, CheckpointError>;
    /// Applies changes of one workflow; the answers stand in the order of the changes. The tasks that ended are collected;
    /// what is left of a failed table's is cancelled. At most two statements per kind of change in the batch when all apply,
    /// one more when some do not, and one more for each further 500 partitions that are staged, or 500 KB of their text.
    async fn apply(
        &self,
        owned: &OwnedWorkflow,
        changes: &[StateChange],
    ) -> Result<Vec<Applied>, CheckpointError>;
    /// Returns tasks whose lease ran out to the queue; those that failed `max_failures` times end as failed. Answers
    /// how many. One statement.
    async fn reap(
        &self,
        workflows: &[WorkflowId],
        max_failures: u32,
    ) -> Result<u64, CheckpointError>;
    /// Returns the permits of this process's loads that have ended without being able to return their own, and answers how
    /// many are left. One statement for each; none while there is nothing to return.
    async fn return_permits(&self) -> usize;
    /// Tells operators that a table's load failed so many times in a row, why, and when it is tried again; the load that
    /// commits takes it back. Fenced. One statement that is not repeated: nothing depends on it.
    async fn record_load_retry(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        failures: u32,
        pause: Duration,
        reason: &str,
    ) -> Result<(), CheckpointError>;
}

/// What [`OrchestratorCheckpoint::write_plan`] writes.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTable {
    /// The table's plan.
    pub plan: TablePlan,
    /// The partitions, in order: partition 0, 1, ….
    pub partitions: Vec<PlannedPartition>,
    /// What later runs will find; `None`: this table leaves nothing behind.
    pub synchronization: Option<SyncPlan>,
    /// Estimated rows.
    pub row_estimate: u64,
    /// Estimated bytes.
    pub byte_estimate: u64,
    /// Warnings for `DATA_MIGRATION_WARNING`.
    pub warnings: Vec<String>,
}
