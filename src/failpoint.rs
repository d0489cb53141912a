//! The steps that change the outside world or the checkpoint, and the failures that tests cause at them.
//!
//! Every such step is named here and taken through [`step()`]. A build with the feature `failpoints` asks the crate `fail` before and
//! after each one what shall happen there (`FAILPOINTS="load.copy.before=return(kill)"`); any other build only runs it.

macro_rules! steps {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A step that changes the outside world or the checkpoint.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Step { $($(#[$doc])* $variant),+ }

        impl Step {
            /// All steps, in the order of a workflow's life.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name: the failpoints are `<name>.before` and `<name>.after`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

steps! {
    /// The metadata's database, schema and table of versions are created.
    BootstrapPrepare = "bootstrap.prepare",
    /// A statement of a migration of the metadata.
    BootstrapMigrate = "bootstrap.migrate",
    /// The version that a migration leads to is written.
    BootstrapVersion = "bootstrap.version",
    /// A workflow's creation begins its transaction.
    CreateBegin = "create.begin",
    /// The workflow's row.
    CreateWorkflow = "create.workflow",
    /// The rows of its tables.
    CreateTables = "create.tables",
    /// The creation is committed.
    CreateCommit = "create.commit",
    /// Workflows are taken under a new epoch.
    WorkflowTake = "workflow.take",
    /// The fencing of a taken workflow's tables begins its transaction.
    FenceBegin = "fence.begin",
    /// The tables of a taken workflow are fenced against its former owner.
    WorkflowFence = "workflow.fence",
    /// The fencing is committed.
    FenceCommit = "fence.commit",
    /// The leases of workflows are renewed.
    WorkflowRenew = "workflow.renew",
    /// The leases of workflows are handed back.
    WorkflowRelease = "workflow.release",
    /// Pending → Executing.
    WorkflowStart = "workflow.start",
    /// What an operator asks begins its transaction.
    RequestBegin = "request.begin",
    /// What an operator asks.
    RequestWrite = "request.write",
    /// What an operator asks is committed.
    RequestCommit = "request.commit",
    /// The owner begins to carry out what was asked.
    OrdersBegin = "orders.begin",
    /// The owner carries out what was asked.
    OrdersWrite = "orders.write",
    /// What was asked is done.
    OrdersCommit = "orders.commit",
    /// The row of what a table's runs leave for the next.
    SyncCreate = "sync.create",
    /// That row is taken by a workflow.
    SyncClaim = "sync.claim",
    /// Tables Pending → Analyzing.
    TableAnalyze = "table.analyze",
    /// Tasks are queued.
    TaskEnqueue = "task.enqueue",
    /// A choice under rate limits begins its transaction.
    LimitBegin = "limit.begin",
    /// The rate limits are locked.
    LimitLock = "limit.lock",
    /// Tasks are claimed under rate limits.
    LimitClaim = "limit.claim",
    /// A load is permitted under rate limits.
    LimitPermit = "limit.permit",
    /// The choice is committed.
    LimitCommit = "limit.commit",
    /// A load that was not committed gives its permit back.
    LimitReturn = "limit.return",
    /// A worker claims tasks.
    TaskClaim = "task.claim",
    /// A worker renews its claims.
    TaskRenew = "task.renew",
    /// A worker ends its claims.
    TaskFinish = "task.finish",
    /// Claims of silent workers are returned.
    TaskReap = "task.reap",
    /// Tasks of workflows that ended long ago are deleted.
    TaskPurge = "task.purge",
    /// Ended tasks are marked as collected; those of a failed table that have not ended are cancelled.
    TaskCollect = "task.collect",
    /// The target's table, schema or database is created.
    TargetCreate = "target.create",
    /// A plan's transaction begins.
    PlanBegin = "plan.begin",
    /// Analyzing → Executing.
    PlanTable = "plan.table",
    /// The rows of its partitions.
    PlanPartitions = "plan.partitions",
    /// Its warnings.
    PlanWarnings = "plan.warnings",
    /// What the plan leaves for the table's next run.
    PlanSync = "plan.sync",
    /// The analysis is collected.
    PlanCollect = "plan.collect",
    /// The plan is committed.
    PlanCommit = "plan.commit",
    /// The statement that asks the stage for a place.
    FilePut = "file.put",
    /// A part of a file on its way to the stage.
    FilePart = "file.part",
    /// A file as a whole.
    FileEnd = "file.end",
    /// Partitions Pending → Staged.
    PartitionStaged = "partition.staged",
    /// Partitions → Failed.
    PartitionFailed = "partition.failed",
    /// A load's staging table is created.
    StagingCreate = "staging.create",
    /// Files are loaded into the staging table.
    StagingCopy = "staging.copy",
    /// The staging table is dropped.
    StagingDrop = "staging.drop",
    /// A load counts as running, from before its first statement.
    LoadPermit = "load.permit",
    /// A load's transaction begins.
    LoadBegin = "load.begin",
    /// The checkpoint's rows in the load's transaction.
    LoadCheckpoint = "load.checkpoint",
    /// The partitions' ranges are cleared in the target.
    LoadDelete = "load.delete",
    /// COPY INTO the target.
    LoadCopy = "load.copy",
    /// MERGE into the target.
    LoadMerge = "load.merge",
    /// Rows that are gone from the source are deleted in the target.
    LoadDeleteMissing = "load.delete_missing",
    /// The load is committed.
    LoadCommit = "load.commit",
    /// It is written that a load waits for another attempt, and why.
    LoadWaits = "load.waits",
    /// A table Executing → Completed, or any phase → Failed.
    TableEnd = "table.end",
    /// Identity columns of the target go on behind the rows that were moved.
    EndIdentity = "end.identity",
    /// Staging tables that a crash left are dropped.
    EndStaging = "end.staging",
    /// The schema of a dry run is dropped.
    EndDryRun = "end.dry_run",
    /// The workflow's staged files are removed.
    EndFiles = "end.files",
    /// A workflow's end begins its transaction.
    CompleteBegin = "complete.begin",
    /// Nobody asks anything of the workflow until its end is written.
    CompleteLock = "complete.lock",
    /// What is left of its tasks is collected or cancelled.
    WorkflowCollect = "workflow.collect",
    /// Executing → Completed or Cancelled.
    WorkflowComplete = "workflow.complete",
    /// The end is committed.
    CompleteCommit = "complete.commit",
    /// The worker's row is written.
    WorkerHeartbeat = "worker.heartbeat",
    /// The worker's row is removed.
    WorkerSignOff = "worker.sign_off",
}

/// The error of something that was asked of an outside system.
pub trait Outside {
    /// The connection was cut. `in_doubt`: whatever was asked may have been done.
    fn cut(message: String, in_doubt: bool) -> Self;
}

/// Takes a step.
///
/// # Errors
/// The effect's own, or one that a test causes here: before the effect, or after it, as if the reply had been lost.
#[cfg(not(feature = "failpoints"))]
pub async fn step<T, E: Outside>(
    _step: Step,
    effect: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    effect.await
}

/// Reads what tests want to happen. Nothing, in a build for users.
#[cfg(not(feature = "failpoints"))]
pub fn set_up() {}

#[cfg(feature = "failpoints")]
pub use armed::{set_up, step};

#[cfg(feature = "failpoints")]
mod armed {
    use super::{Outside, Step};
    use std::io::Write;
    use std::time::Duration;

    /// Names the file that each failure which is caused is written to, a line each, before it happens.
    const LOG: &str = "SNOWHAUL_FAILPOINT_LOG";
    /// What `return(slow)` waits: longer than the tests' renewal intervals.
    const SLOW: Duration = Duration::from_millis(2_500);

    /// Reads `FAILPOINTS`: what shall happen at which step.
    pub fn set_up() {
        // Its end would disarm them.
        std::mem::forget(fail::FailScenario::setup());
    }

    /// Takes a step, with the failures that `FAILPOINTS` wants.
    ///
    /// # Errors
    /// The effect's own, or one that is caused here.
    pub async fn step<T, E: Outside>(
        step: Step,
        effect: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        at(step, "before").await?;
        let result = effect.await?;
        at(step, "after").await?;
        Ok(result)
    }

    async fn at<E: Outside>(step: Step, side: &str) -> Result<(), E> {
        let name = format!("{}.{side}", step.as_str());
        let Some(action) = wanted(&name) else {
            return Ok(());
        };
        write_down(&name, &action);
        match action.as_str() {
            "kill" => signal(libc::SIGKILL),
            "term" => signal(libc::SIGTERM),
            "slow" => tokio::time::sleep(SLOW).await,
            _ => {
                let message = format!("failpoint {name}: the connection is cut");
                return Err(E::cut(message, side == "after"));
            }
        }
        Ok(())
    }

    fn wanted(name: &str) -> Option<String> {
        fail::fail_point!(name, |action| action);
        None
    }

    fn write_down(name: &str, action: &str) {
        let line = format!("{name} {action}\n");
        let written = std::env::var_os(LOG).map(|path| {
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)?;
            file.write_all(line.as_bytes())
        });
        if let Some(Err(error)) = written {
            eprintln!("failpoint {name}: its log cannot be written: {error}");
        }
    }

    fn signal(signal: i32) {
        // SAFETY: plain system calls about this very process.
        #[allow(unsafe_code)]
        unsafe {
            libc::kill(libc::getpid(), signal);
        }
    }
}
