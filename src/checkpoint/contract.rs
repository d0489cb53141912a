//! What the roles ask of the checkpoint, and what they may rely on.
//!
//! All methods are safe to repeat after a lost reply: a change that was applied already is reported as applied.
//! "Fenced" means: applied only while the workflow's `OWNER_EPOCH` is the caller's.

use crate::domain::affinity::AffinityFilter;
use crate::domain::phase::{PartitionPhase, TablePhase, WorkflowPhase};
use crate::domain::request::Request;
use crate::domain::retry::Failure;
use crate::domain::spec::TableSpec;
use crate::domain::table::{Content, Platform, Slice};
use crate::domain::table_plan::TablePlan;
use crate::domain::task::{Manifest, TaskKind};
use crate::domain::{Attempt, OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use crate::types::metadata_location::MetadataLocation;
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
        self.failure() != Failure::Permanent
    }

    /// What it says about another attempt. A change whose reply was lost may be repeated (see above): it counts as not done.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Store(error) => error.failure,
            _ => Failure::Permanent,
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
    /// What it says about another attempt.
    pub failure: Failure,
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
