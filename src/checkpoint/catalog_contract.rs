//! What the command line asks of the checkpoint.

use crate::domain::WorkflowId;
use crate::domain::phase::WorkflowPhase;
use crate::domain::spec::TableSpec;
use crate::domain::table::Platform;

/// A workflow to create.
#[derive(Clone, Debug)]
pub struct NewWorkflow {
    /// Unique name.
    pub name: String,
    /// Source platform.
    pub platform: Platform,
    /// Only orchestrators and workers with a matching affinity handle it.
    pub affinity: Option<String>,
    /// The normalized configuration as JSON, for users to read.
    pub configuration: String,
    /// Its tables, in order.
    pub tables: Vec<TableSpec>,
}

/// A workflow as users see it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct WorkflowSummary {
    /// Id.
    pub workflow_id: i64,
    /// Name.
    pub name: String,
    /// Source platform.
    pub source_platform: String,
    /// Affinity.
    pub affinity: Option<String>,
    /// `PENDING`, `EXECUTING`, `COMPLETED`, `CANCELLED`; `PAUSED` or `CANCELLING` where operators have asked for that.
    pub status: String,
    /// Tables in all.
    pub num_tables: u64,
    /// Tables completed.
    pub num_completed: u64,
    /// Tables failed.
    pub num_failed: u64,
    /// Tables cancelled.
    pub num_cancelled: u64,
    /// UTC, ISO 8601.
    pub created_at: Option<String>,
    /// UTC, ISO 8601.
    pub started_at: Option<String>,
    /// UTC, ISO 8601.
    pub ended_at: Option<String>,
    /// What went wrong, when the workflow as a whole did.
    pub error: Option<String>,
}

impl WorkflowSummary {
    /// Whether nothing more happens with it.
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "CANCELLED")
    }
}

/// What stands under a workflow's name, in metadata of whatever version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedWorkflow {
    /// Id.
    pub id: WorkflowId,
    /// The name.
    pub name: String,
    /// Source platform.
    pub source_platform: String,
    /// The normalized configuration.
    pub configuration: String,
    /// Its phase.
    pub phase: WorkflowPhase,
}

impl NamedWorkflow {
    /// Whether it is what `workflow` would create.
    pub fn is_same(&self, workflow: &NewWorkflow) -> bool {
        self.source_platform == workflow.platform.as_str()
            && self.configuration == workflow.configuration
    }
}

/// A workflow that is open, and that an orchestrator may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWorkflow {
    /// Name.
    pub name: String,
    /// Whether nobody drives it now.
    pub is_free: bool,
}

/// One table's progress: a row of `TABLE_PROGRESS_WITH_EXAMPLE_ERROR`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TableProgress {
    /// Place in the workflow file, from 0.
    pub table_no: u32,
    /// Source table as written.
    pub source_table: String,
    /// Target table as written.
    pub target_table: String,
    /// The table's phase; `PAUSED` or `CANCELLING` where operators have asked for that.
    pub status: String,
    /// Estimated rows, once analyzed.
    pub row_estimate: Option<u64>,
    /// Partitions in all; 0 before the table is planned.
    pub partitions_total: u64,
    /// Not claimed.
    pub partitions_pending: u64,
    /// Claimed by a worker.
    pub partitions_in_extraction: u64,
    /// Staged, not loaded.
    pub partitions_in_loading: u64,
    /// Loaded, or unchanged.
    pub partitions_completed: u64,
    /// Unchanged since the previous run of the table: nothing was moved.
    pub partitions_unchanged: u64,
    /// Given up.
    pub partitions_failed: u64,
    /// Cancelled before they were loaded.
    pub partitions_cancelled: u64,
    /// Rows extracted so far (running tasks included).
    pub rows_extracted: u64,
    /// Rows committed in the target.
    pub rows_loaded: u64,
    /// Bytes staged.
    pub bytes: u64,
    /// Seconds from the table's first task to its end or to now.
    pub seconds: Option<f64>,
    /// An error, if there is one.
    pub example_error: Option<String>,
    /// What of its extraction, or its analysis, waits for another attempt.
    pub waiting: Option<Waiting>,
    /// What of its loading waits for another attempt.
    pub load_waiting: Option<Waiting>,
}

impl TableProgress {
    /// Whether nothing more happens with it.
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "FAILED" | "CANCELLED")
    }
}

/// Work that failed and is tried again.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Waiting {
    /// Partitions that wait; 0: the table as a whole.
    pub partitions: u64,
    /// Attempts that failed so far; of several partitions, those of the one that failed most often.
    pub failed_attempts: u64,
    /// When the next attempt starts at the earliest: UTC, ISO 8601.
    pub next_at: Option<String>,
    /// What the last attempt failed with.
    pub because: String,
}

/// One failure: a row of `DATA_MIGRATION_ERROR`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ErrorRow {
    /// Source table as written.
    pub source_table: String,
    /// Partition; `None`: the table as a whole.
    pub partition_no: Option<u32>,
    /// What is wrong and what to do.
    pub error: String,
    /// UTC, ISO 8601.
    pub at: Option<String>,
}

/// A worker is taken for silent after this long without a sign of life: two of the rarest.
const SILENT_AFTER_SECONDS: u64 = 240;

/// A worker as users see it: a row of `WORKER`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct WorkerSummary {
    /// Its id: host, process and a random part.
    pub worker: String,
    /// Only tasks of this affinity, or of none.
    pub affinity: Option<String>,
    /// snowhaul's version.
    pub version: String,
    /// Tasks that it held at the last sign of life.
    pub running: u64,
    /// Tasks that it runs at once at most.
    pub capacity: u64,
    /// Rows extracted per second, over the time before the last sign of life.
    pub rows_per_second: f64,
    /// UTC, ISO 8601.
    pub started_at: Option<String>,
    /// The last sign of life: UTC, ISO 8601.
    pub last_seen: Option<String>,
    /// Seconds since then.
    pub silent_seconds: u64,
}

impl WorkerSummary {
    /// The machine, or the container, that it runs on.
    pub fn host(&self) -> &str {
        self.worker.split('/').next().unwrap_or_default()
    }

    /// Whether it has given a sign of life lately. One that was killed, or whose network is cut, has not.
    pub fn is_alive(&self) -> bool {
        self.silent_seconds < SILENT_AFTER_SECONDS
    }
}
