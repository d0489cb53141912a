//! What the roles ask of the checkpoint, and what they may rely on.
//!
//! All methods are safe to repeat after a lost reply: a change that was applied already is reported as applied.
//! "Fenced" means: applied only while the workflow's `OWNER_EPOCH` is the caller's.

use super::load_permit::Admission;
use crate::domain::affinity::AffinityFilter;
use crate::domain::phase::{PartitionPhase, TablePhase, WorkflowPhase};
use crate::domain::planned::{PlannedPartition, SyncPlan};
use crate::domain::request::{Orders, Request};
use crate::domain::retry::Failure;
use crate::domain::spec::TableSpec;
use crate::domain::table::{Content, Platform, Slice, TableRef};
use crate::domain::table_plan::TablePlan;
use crate::domain::task::{Manifest, TaskKind};
use crate::domain::{Attempt, OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use crate::types::metadata_location::MetadataLocation;
use async_trait::async_trait;
use std::time::Duration;

/// Why the checkpoint could not answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The caller no longer owns the workflow: stop driving it.
    #[error("workflow {0} has another owner now")]
    Fenced(WorkflowId),
    /// The workflow's name is taken.
    #[error(
        "a workflow named {0} exists already; choose another name, or look at it with `snowhaul workflow status {0}`"
    )]
    NameTaken(String),
    /// The metadata objects do not exist yet, or are of an older version.
    #[error(
        "there is no metadata in {schema} of this version: start an orchestrator, which creates or upgrades it ({cause})"
    )]
    NoMetadata {
        /// The quoted schema that was looked into.
        schema: String,
        /// What Snowflake said.
        cause: String,
    },
    /// The schema has objects of our names that are not ours.
    #[error(
        "the schema {schema} is another tool's: it has objects under names that snowhaul needs, and that snowhaul did not create ({objects}). Nothing was written into it. Give snowhaul a schema of its own, the same for all its processes and commands: {}=SNOWHAUL (and {}, for another database than that)",
        MetadataLocation::SCHEMA_VARIABLE,
        MetadataLocation::DATABASE_VARIABLE
    )]
    Foreign {
        /// The quoted schema.
        schema: String,
        /// The objects, each with its kind.
        objects: String,
    },
    /// The metadata objects are of another version.
    #[error("{0}")]
    Schema(String),
    /// A stored value does not read as it should.
    #[error("the checkpoint holds {what} that cannot be read: {reason}")]
    Corrupt {
        /// Which value.
        what: String,
        /// Why not.
        reason: String,
    },
    /// Snowflake could not be asked, after the retries that are safe.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CheckpointError {
    /// Whether waiting may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.retryable)
    }

    /// What it says about another attempt. A change whose reply was lost may be repeated (see above): it counts as not done.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Store(error) if error.retryable && error.unreachable => Failure::Outage,
            Self::Store(error) if error.retryable && error.what == StoreFailure::Unknown => {
                Failure::Unexplained
            }
            Self::Store(error) if error.retryable => Failure::Passing,
            _ => Failure::Final,
        }
    }

    /// Whether another transaction held a row for too long.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Store(error) if error.what == StoreFailure::Locked)
    }

    /// Whether Snowflake refused this very statement, and would refuse it again.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Store(error) if error.what == StoreFailure::Refused)
    }

    /// Whether Snowflake could not be reached or refused the login.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Store(error) if error.unreachable)
    }
}

/// What kind of failure of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFailure {
    /// Another transaction held a row for too long.
    Locked,
    /// The statement was refused for what it says.
    Refused,
    /// Nobody knows what it means: it may pass.
    Unknown,
    /// Anything else: the network, the login, privileges, objects.
    Other,
}

/// A failure of the store below the checkpoint.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What failed, with its remedy; free of secrets.
    pub message: String,
    /// Whether waiting may help.
    pub retryable: bool,
    /// Whether Snowflake could not be reached, refused the login, or has no warehouse that runs (exit code 3).
    pub unreachable: bool,
    /// What kind of failure, where somebody asks.
    pub what: StoreFailure,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A workflow that an orchestrator has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedWorkflow {
    /// Id.
    pub id: WorkflowId,
    /// The owner's epoch: the fence of all its writes.
    pub epoch: OwnerEpoch,
    /// Name.
    pub name: String,
    /// Platform.
    pub platform: Platform,
    /// Affinity, which its tasks inherit.
    pub affinity: Option<String>,
    /// Phase.
    pub phase: WorkflowPhase,
    /// What an operator asks of it as a whole.
    pub request: Option<Request>,
    /// Grows with everything that operators ask of it or of its tables.
    pub request_seq: i64,
}

/// A search for workflows to own.
#[derive(Clone, Copy, Debug)]
pub struct WorkflowSearch<'a> {
    /// Who searches.
    pub owner: &'a str,
    /// Only workflows of this affinity or none.
    pub affinity: Option<&'a AffinityFilter>,
    /// How long what is taken belongs to the owner without renewal.
    pub lease: Duration,
    /// New ones at most.
    pub limit: usize,
    /// What the owner drives already, each with its epoch and the [`request_seq`](OwnedWorkflow::request_seq) that it knows.
    pub driven: &'a [(WorkflowId, OwnerEpoch, i64)],
}

/// A table as the checkpoint knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableState {
    /// Place in the workflow.
    pub table_no: TableNo,
    /// Phase.
    pub phase: TablePhase,
    /// What the user asked.
    pub spec: TableSpec,
    /// How to extract it, once planned.
    pub plan: Option<TablePlan>,
    /// Partitions in all, once planned.
    pub num_partitions: u32,
    /// What an operator asks of it.
    pub request: Option<Request>,
}

impl TableState {
    /// Whether nothing more happens with it: it has ended, and nobody has asked that it run again.
    pub fn has_ended(&self) -> bool {
        self.phase.is_terminal() && self.request != Some(Request::Retry)
    }
}

/// A partition as the checkpoint knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionState {
    /// Place in the table.
    pub partition_no: PartitionNo,
    /// Phase.
    pub phase: PartitionPhase,
    /// What it moves.
    pub slice: Slice,
    /// The attempt that won, once staged.
    pub attempt: Option<Attempt>,
    /// Its manifest, once staged.
    pub manifest: Option<Manifest>,
}

/// Names one partition of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionKey {
    /// Table.
    pub table_no: TableNo,
    /// Partition.
    pub partition_no: PartitionNo,
}

/// A task to queue. Its id is made of workflow, kind, table and partition: queueing it twice is queueing it once.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// Kind.
    pub kind: TaskKind,
    /// Table.
    pub table_no: TableNo,
    /// Partition, with what it moves, of an extraction.
    pub partition: Option<(PartitionNo, Slice)>,
    /// Smaller goes first.
    pub priority: i32,
}

/// A task that ended and has not been collected yet.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedTask {
    /// Key.
    pub task_id: String,
    /// Kind.
    pub kind: TaskKind,
    /// Workflow.
    pub workflow_id: WorkflowId,
    /// Table.
    pub table_no: TableNo,
    /// Partition.
    pub partition_no: Option<PartitionNo>,
    /// The attempt that ended it.
    pub attempt: Attempt,
    /// The result as JSON, or the error.
    pub result: Result<String, String>,
}

/// A change of state that the group commit carries. All are fenced and compare-and-set.
#[derive(Clone, Debug, PartialEq)]
pub enum StateChange {
    /// Pending → Staged; the ended task is collected with it.
    PartitionStaged {
        /// Which.
        key: PartitionKey,
        /// The attempt that won.
        attempt: Attempt,
        /// Its files.
        manifest: Manifest,
    },
    /// Pending or Staged → Failed; an ended task is collected with it.
    PartitionFailed {
        /// Which.
        key: PartitionKey,
        /// What is wrong and what to do.
        error: String,
    },
    /// Executing → Completed or Failed, or any phase → Failed with an error of the table itself.
    TableEnded {
        /// Which.
        table_no: TableNo,
        /// `Completed` or `Failed`.
        phase: TablePhase,
        /// An error of the table as a whole (analysis, target).
        error: Option<String>,
    },
}

/// What became of a [`StateChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The state is now as asked (also when it was so already).
    Yes,
    /// The state is another: reload it.
    No,
}

/// A load to commit: partitions Staged → Loaded together with their rows.
#[derive(Clone, Debug)]
pub struct LoadUnit {
    /// Which.
    pub key: PartitionKey,
    /// The attempt whose manifest is loaded.
    pub attempt: Attempt,
    /// Rows of the manifest that go into the target.
    pub rows: u64,
    /// What its files hold.
    pub content: Content,
    /// The checksum of these rows, for the next run.
    pub checksum: Option<String>,
}

/// What an orchestrator asks. `owned` is always the workflow as it was taken.
#[async_trait]
pub trait OrchestratorCheckpoint: Send + Sync {
    /// Creates the metadata objects, or upgrades older ones (numbered migrations). Safe when several start at once. One
    /// statement when they are there in this version's form; else it first looks whose objects of their names there are,
    /// and refuses those of another tool ([`CheckpointError::Foreign`]) before anything is written.
    async fn bootstrap(&self) -> Result<(), CheckpointError>;
    /// Takes up to `limit` workflows that have not ended (or whose tables shall run again), match the affinity, and have no
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
    /// table that had ended all that are not loaded; their tasks to the queue, attempts counted anew but never numbered
    /// anew, so that no file of an old attempt is ever loaded. A table whose state of earlier runs another workflow has
    /// taken since does not run again, and says so; nor does one of a workflow that is being cancelled. Waits for a load under
    /// way. Atomic, fenced. A few statements.
    async fn carry_out(
        &self,
        owned: &OwnedWorkflow,
        orders: &Orders<TableNo>,
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
    /// Tells operators that a table's load failed so many times in a row, why, and when it is tried again; the load that
    /// commits takes it back. Fenced. One statement that is not repeated: nothing depends on it.
    async fn load_waits(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        failures: u32,
        pause: Duration,
        reason: &str,
    ) -> Result<(), CheckpointError>;
    /// The statements of a load's transaction that touch the checkpoint, in order, each with the number of rows that
    /// it must change (anything else: roll back and reload). They fence by epoch, lock the table's row first, and
    /// lead Staged → Loaded by attempt, and store what the next run shall find. `load` is a number that no other load has; the
    /// table's row carries it from then on. The load counts under rate limits until it is committed, and if nobody was asked
    /// whether it may start, the first statement finds nothing as soon as a limit is set. Pure text: the load itself is one
    /// transaction of [`crate::snowflake`].
    fn load_statements(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        units: &[LoadUnit],
        load: u64,
        admission: Admission,
    ) -> Vec<(String, u64)>;
}

/// What [`OrchestratorCheckpoint::write_plan`] writes.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTable {
    /// The table's plan.
    pub plan: TablePlan,
    /// The partitions, in order: partition 0, 1, ….
    pub partitions: Vec<PlannedPartition>,
    /// What later runs shall find; `None`: this table leaves nothing behind.
    pub synchronization: Option<SyncPlan>,
    /// Estimated rows.
    pub row_estimate: u64,
    /// Estimated bytes.
    pub byte_estimate: u64,
    /// Warnings for `DATA_MIGRATION_WARNING`.
    pub warnings: Vec<String>,
}
