//! What actors delegate to: the effects behind traits.

use crate::checkpoint::{LoadUnit, OwnedWorkflow, PlannedTable, TableState, TableWork};
use crate::domain::TableNo;
use crate::domain::analysis::TableAnalysis;
use crate::domain::progress::TaskProgress;
use crate::domain::spec::TableSpec;
use crate::domain::table::KeyRange;
use crate::domain::table_plan::TablePlan;
use crate::domain::task::{ClaimedTask, Manifest, TaskFailure};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// A staged partition on its way into the target.
#[derive(Clone, Debug)]
pub struct StagedPartition {
    /// What the load commits.
    pub unit: LoadUnit,
    /// Its part of the table.
    pub range: KeyRange,
    /// What it loads.
    pub manifest: Manifest,
}

/// How a load ended.
#[derive(Debug, PartialEq)]
pub enum LoadOutcome {
    /// All partitions are committed.
    Committed,
    /// Nothing was committed: these partitions cannot be loaded (index into the batch, what is wrong and what to do);
    /// the others can be tried again.
    Rejected(Vec<(usize, String)>),
    /// Nothing was committed, for a passing reason.
    Retryable(String),
    /// Nothing was tried: a rate limit forbids it now.
    RateLimited,
    /// Nothing was committed, and the load is not to blame: another transaction, which may take a load's time, holds rows of the
    /// checkpoint that the load has to lock; or Snowflake is away, or refuses the login for now; or no warehouse runs.
    Blocked(String),
    /// Nothing was committed: none of them can be loaded, and trying again will not help.
    Fatal(String),
    /// Somebody else has loaded some of them, or owns the workflow, or the reply to the commit was lost: ask the
    /// checkpoint.
    InDoubt(String),
}

/// Loads staged partitions of one table in one transaction together with their checkpoint.
#[async_trait]
pub trait Loader: Send + Sync {
    /// How many files a load can name in one statement.
    fn max_files(&self) -> usize;

    /// Loads `batch` into the target of `plan`. Never both answers an error and commits, except as
    /// [`LoadOutcome::InDoubt`].
    async fn load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        batch: &[StagedPartition],
    ) -> LoadOutcome;

    /// Begins no load any more, and no other transaction of the orchestrator's, and waits so long for those that run. Those
    /// that run on are ended: their locks are free when this returns, unless Snowflake cannot be asked, which takes `patience` once more at most.
    async fn stop(&self, patience: Duration);

    /// What is left to do when all tables of a workflow have ended: transient tables and staged files go. Best effort, and
    /// safe to repeat. Answers whether it came to its end: it does not once `is_wanted` says no, or another orchestrator has
    /// the workflow, because a table may run again then.
    async fn finish(
        &self,
        owned: &OwnedWorkflow,
        tables: &[TableState],
        is_wanted: &(dyn Fn() -> bool + Send + Sync),
    ) -> bool;
}

/// Makes a plan of an analysis: looks the target up or creates it, and maps the columns.
#[async_trait]
pub trait TargetPlanner: Send + Sync {
    /// Names the state that runs of this table leave behind. `None`: they leave none.
    ///
    /// # Errors
    /// When the workflow's platform is not supported.
    fn state_key(&self, owned: &OwnedWorkflow, spec: &TableSpec) -> Result<Option<String>, String>;

    /// The plan of a table, or why there can be none.
    async fn plan(
        &self,
        owned: &OwnedWorkflow,
        spec: &TableSpec,
        analysis: &TableAnalysis,
    ) -> Result<PlannedTable, TaskFailure>;
}

/// What a task gave.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskResult {
    /// Of an analysis.
    Analysis(Box<TableAnalysis>),
    /// Of an extraction.
    Staged(Manifest),
    /// It was cancelled, and has left nothing that counts.
    Cancelled,
}

/// Runs tasks on a worker.
#[async_trait]
pub trait TaskRunner: Send + Sync {
    /// Runs one claim of a task to its end. Ends soon after `progress` is cancelled.
    async fn run(
        &self,
        task: &ClaimedTask,
        work: &TableWork,
        progress: Arc<TaskProgress>,
    ) -> Result<TaskResult, TaskFailure>;
}
