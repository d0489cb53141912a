//! Loads staged partitions: one transaction that holds the checkpoint's change and the rows'.
//!
//! Rows that are added, or that replace a range, are copied in the transaction itself. Rows that replace others by their
//! primary key are copied before into a staging table, which nobody else knows; the transaction holds the MERGE. All of that
//! happens in one session: another one may see late what this one has staged (documentation of Transactions, "Read
//! consistency across sessions"), and would take it for the whole.

use super::load_plan::{Load, LoadKind, segments};
use super::workflow_end::WorkflowEnd;
use crate::actors::ports::{LoadOutcome, Loader, StagedPartition};
use crate::checkpoint::{
    Admission, CheckpointError, HybridCheckpoint, OrchestratorCheckpoint, OwnedWorkflow, TableState,
};
use crate::dialect;
use crate::domain::staged_path::{attempt_directory, check_manifest};
use crate::domain::table::Content;
use crate::domain::table_plan::TablePlan;
use crate::domain::{TableNo, WorkflowId};
use crate::failpoint::Step;
use crate::plan::target::narrow_columns;
use crate::snowflake::copy::{CopyInto, MAX_FILES, verify};
use crate::snowflake::error::Kind;
use crate::snowflake::merge;
use crate::snowflake::{Reserved, SnowflakeClient, SnowflakeError, Transaction};
use crate::types::metadata_location::MetadataLocation;
use crate::types::snowflake_name::{quote, quote_table};
use async_trait::async_trait;
use serde_json::json;
use std::time::Duration;

/// The orchestrator's [`Loader`].
pub struct TableLoader {
    /// For what stands beside loads: staging tables that go, and the ends of workflows.
    pub client: SnowflakeClient,
    /// For loads, in whose sessions nothing is committed by itself: each tags its statements with its workflow and table.
    pub transactions: SnowflakeClient,
    /// Gives the statements that belong into the transaction.
    pub checkpoint: HybridCheckpoint,
    /// Where staging tables live.
    pub metadata: MetadataLocation,
    /// The stage, quoted, with `@`.
    pub stage: String,
}

#[async_trait]
impl Loader for TableLoader {
    fn max_files(&self) -> usize {
        MAX_FILES
    }

    async fn load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        batch: &[StagedPartition],
    ) -> LoadOutcome {
        let source = plan.extract.source.to_string();
        let admission = match self.checkpoint.admit_load(owned, table_no, &source).await {
            Ok(Admission::Forbidden) => return LoadOutcome::Limited,
            Ok(admission) => admission,
            Err(CheckpointError::Fenced(_)) => {
                return LoadOutcome::AskCheckpoint("the workflow has another owner".to_owned());
            }
            Err(error) if error.is_locked() => return LoadOutcome::Held(error.to_string()),
            Err(error) => {
                // The reply may be what was lost, and not the permit.
                self.checkpoint.end_load(owned, table_no).await;
                return if error.is_unreachable() {
                    LoadOutcome::Held(error.to_string())
                } else {
                    LoadOutcome::TryAgain(error.to_string())
                };
            }
        };
        let outcome = self
            .load_batch(owned, table_no, plan, batch, admission)
            .await;
        if !matches!(outcome, LoadOutcome::Committed) {
            self.checkpoint.end_load(owned, table_no).await;
        }
        outcome
    }

    async fn stop(&self, patience: Duration) {
        // The plans, the ends and what operators ask for are written in transactions too.
        let (loads, others) = tokio::join!(
            self.transactions.end_transactions(patience),
            self.checkpoint.end_transactions(patience)
        );
        if !(loads && others) {
            tracing::warn!(
                "transactions could not be rolled back in time; Snowflake ends them by itself, after five minutes or when they end"
            );
        }
    }

    async fn finish(
        &self,
        owned: &OwnedWorkflow,
        tables: &[TableState],
        is_wanted: &(dyn Fn() -> bool + Send + Sync),
    ) -> bool {
        let end = WorkflowEnd {
            loader: self,
            owned,
            tables,
            is_wanted,
        };
        end.take().await.is_ok()
    }
}

/// The partitions whose manifest names a file that is not theirs.
fn foreign_files(
    owned: &OwnedWorkflow,
    table_no: TableNo,
    plan: &TablePlan,
    batch: &[StagedPartition],
) -> Vec<(usize, String)> {
    let check = |(index, staged): (usize, &StagedPartition)| {
        let partition = staged.unit.key.partition_no;
        let directory = attempt_directory(owned.id, table_no, partition, staged.unit.attempt);
        let problem = check_manifest(&staged.manifest, &directory).err()?;
        tracing::error!(workflow = %owned.name, table = %plan.extract.source, %partition, problem, "a manifest is refused");
        Some((index, format!("partition {partition}: {problem}")))
    };
    batch.iter().enumerate().filter_map(check).collect()
}

/// A name that no other attempt has: a load that was left behind may still be filling its own.
fn staging_table(metadata: &MetadataLocation, id: WorkflowId, table_no: TableNo) -> String {
    let attempt = uuid::Uuid::new_v4().simple().to_string();
    let name = format!("{}{table_no}_{attempt}", staging_prefix(id));
    format!("{}.{}", metadata.quoted(), quote(&name))
}

/// How the names of a workflow's staging tables begin.
pub(super) fn staging_prefix(id: WorkflowId) -> String {
    format!("STAGING_{id}_")
}

impl TableLoader {
    async fn load_batch(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        batch: &[StagedPartition],
        admission: Admission,
    ) -> LoadOutcome {
        let began = std::time::Instant::now();
        let foreign = foreign_files(owned, table_no, plan, batch);
        if !foreign.is_empty() {
            return LoadOutcome::Rejected(foreign);
        }
        let load = match Load::of(plan, batch) {
            Ok(Some(load)) => load,
            // Rows and keys do not go together: one by one they do.
            Ok(None) => return LoadOutcome::Rejected(Vec::new()),
            Err(problem) => return LoadOutcome::Impossible(problem),
        };
        let tag = tag(owned, plan);
        let work = Work {
            owned,
            table_no,
            plan,
            batch,
            load: &load,
            admission,
        };
        let outcome = if load.is_by_key() {
            // What fills the staging table comes before the statement that carries the condition.
            if admission == Admission::Unasked {
                match self.checkpoint.limits_are_set().await {
                    Ok(false) => {}
                    Ok(true) => return LoadOutcome::Limited,
                    Err(error) => return LoadOutcome::TryAgain(error.to_string()),
                }
            }
            self.load_by_key(&tag, &work).await
        } else {
            match self.transactions.begin_tagged(Step::LoadBegin, &tag).await {
                Ok(transaction) => self.commit(transaction, &work, None).await,
                Err(error) => work.not_begun(&error),
            }
        };
        if matches!(outcome, LoadOutcome::Committed) {
            tracing::info!(
                workflow = %owned.name,
                table = %plan.extract.source,
                partitions = batch.len(),
                rows = batch.iter().map(|staged| staged.unit.rows).sum::<u64>(),
                seconds = began.elapsed().as_secs_f64(),
                "loaded"
            );
        }
        outcome
    }

    /// Stages the rows, and moves them from there by one statement, all in one session.
    async fn load_by_key(&self, tag: &str, work: &Work<'_>) -> LoadOutcome {
        let session = match self.transactions.reserve(tag).await {
            Ok(session) => session,
            Err(error) => return work.not_begun(&error),
        };
        let staging = staging_table(&self.metadata, work.owned.id, work.table_no);
        let outcome = match self.fill_staging(&session, &staging, work).await {
            Err(outcome) => outcome,
            Ok(()) => match session.begin(Step::LoadBegin).await {
                Ok(transaction) => self.commit(transaction, work, Some(&staging)).await,
                Err(error) => work.not_begun(&error),
            },
        };
        self.drop_staging(&staging).await;
        outcome
    }

    /// Loads the files into a staging table of their own. Nothing of it counts before the transaction.
    async fn fill_staging(
        &self,
        session: &Reserved,
        staging: &str,
        work: &Work<'_>,
    ) -> Result<(), LoadOutcome> {
        let load = work.load;
        let fail = |error: SnowflakeError| work.failed(&error);
        let create = merge::create_staging(staging, &load.staged);
        session
            .run_step(Step::StagingCreate, &create)
            .await
            .map_err(fail)?;
        for files in segments(work.batch, work.plan.load.segment_mb) {
            let copy = CopyInto {
                table: staging,
                columns: &load.columns,
                stage: &self.stage,
                files: &files,
            };
            let answer = session
                .run_step(Step::StagingCopy, &copy.sql())
                .await
                .map_err(fail)?;
            verify(&files, &answer).map_err(|difference| work.rejected(&difference))?;
        }
        let counted = session.query(&merge::count_staged(staging)).await;
        let counted = counted
            .map_err(fail)?
            .into_iter()
            .flatten()
            .flatten()
            .next();
        if counted.as_deref() != Some(load.rows.to_string().as_str()) {
            return Err(not_all_seen(
                load.rows,
                counted.as_deref().unwrap_or("none"),
            ));
        }
        if let LoadKind::Merge(key) = &load.kind {
            let rows = session
                .query(&merge::duplicate_key(staging, key))
                .await
                .map_err(fail)?;
            if let Some(row) = rows.first() {
                let cells: Vec<&str> = row.iter().map(|c| c.as_deref().unwrap_or("NULL")).collect();
                let (count, values) = cells.split_last().unwrap_or((&"", &[]));
                return Err(LoadOutcome::Impossible(format!(
                    "target {}: primaryKeyColumns {} do not identify a row: {count} source rows have {}; name columns that do",
                    work.plan.load.target,
                    work.plan.extract.primary_key.join(", "),
                    values.join(", ")
                )));
            }
        }
        Ok(())
    }

    async fn drop_staging(&self, staging: &str) {
        if let Err(error) = self
            .client
            .run_step(Step::StagingDrop, &merge::drop_staging(staging))
            .await
        {
            tracing::warn!(staging, %error, "a staging table could not be dropped; it is dropped at the workflow's end");
        }
    }

    /// The transaction.
    async fn commit(
        &self,
        transaction: Transaction,
        work: &Work<'_>,
        staging: Option<&str>,
    ) -> LoadOutcome {
        let (owned, table_no) = (work.owned, work.table_no);
        // Within what LOAD_SEQ holds.
        let number = rand::random::<u64>() >> 1;
        let filled = async {
            let units: Vec<_> = work.batch.iter().map(|s| s.unit.clone()).collect();
            let statements = self.checkpoint.load_statements(
                owned,
                table_no,
                work.plan,
                &units,
                number,
                work.admission,
            );
            self.move_checkpoint(&transaction, statements).await?;
            self.move_rows(&transaction, work, staging).await?;
            // Snowflake ends a transaction that was idle for five minutes: this process stood still, or a request was long
            // on its way. The rows then came into another transaction, which their statement has opened (there is no
            // autocommit) and in which the checkpoint is not changed. It must not be committed.
            let question = self.checkpoint.load_holds(owned.id, table_no, number);
            let answer = transaction
                .query(&question)
                .await
                .map_err(|error| of_checkpoint(&error))?;
            if answer.is_empty() {
                let ended = "Snowflake has ended the load's transaction before its end".to_owned();
                return Err(LoadOutcome::AskCheckpoint(ended));
            }
            Ok(())
        };
        if let Err(outcome) = filled.await {
            transaction.rollback().await;
            return outcome;
        }
        match transaction.commit(Step::LoadCommit).await {
            Ok(()) => LoadOutcome::Committed,
            Err(error) => {
                LoadOutcome::AskCheckpoint(format!("the commit was not answered: {error}"))
            }
        }
    }

    /// The checkpoint first: its locks keep any second loader out.
    async fn move_checkpoint(
        &self,
        transaction: &Transaction,
        statements: Vec<(String, u64)>,
    ) -> Result<(), LoadOutcome> {
        for (place, (sql, expected)) in statements.into_iter().enumerate() {
            let changed = transaction
                .execute(Step::LoadCheckpoint, &sql)
                .await
                .map_err(|error| of_checkpoint(&error))?;
            // The first one also says that no limit is set; one that has been set just now is asked for before the next try.
            if changed != expected
                && place == 0
                && matches!(self.checkpoint.limits_are_set().await, Ok(true))
            {
                return Err(LoadOutcome::Limited);
            }
            if changed != expected {
                return Err(LoadOutcome::AskCheckpoint(format!(
                    "the checkpoint has {changed} of {expected} rows in the expected state"
                )));
            }
        }
        Ok(())
    }

    async fn move_rows(
        &self,
        transaction: &Transaction,
        work: &Work<'_>,
        staging: Option<&str>,
    ) -> Result<(), LoadOutcome> {
        let (plan, load) = (work.plan, work.load);
        let target = quote_table(&plan.load.target);
        let fail = |error: SnowflakeError| work.failed(&error);
        match (&load.kind, staging) {
            (LoadKind::Merge(key), Some(staging)) => {
                let sql = merge::merge(&target, staging, key, &load.names(), load.rows);
                let moved = transaction
                    .execute(Step::LoadMerge, &sql)
                    .await
                    .map_err(fail)?;
                let is_key_alone = key.len() == load.columns.len();
                if moved != load.rows && !is_key_alone {
                    return Err(not_all_seen(load.rows, &moved.to_string()));
                }
            }
            (LoadKind::DeleteMissing(key), Some(staging)) => {
                let sql = merge::delete_missing(&target, staging, key, load.rows);
                let deleted = transaction
                    .execute(Step::LoadDeleteMissing, &sql)
                    .await
                    .map_err(fail)?;
                tracing::info!(table = %plan.extract.source, deleted, "rows that are gone from the source are deleted");
            }
            (LoadKind::Direct { delete }, _) => {
                if let Some(sql) = delete {
                    transaction
                        .run_step(Step::LoadDelete, sql)
                        .await
                        .map_err(fail)?;
                }
                for files in segments(work.batch, plan.load.segment_mb) {
                    let copy = CopyInto {
                        table: &target,
                        columns: &load.columns,
                        stage: &self.stage,
                        files: &files,
                    };
                    let answer = transaction
                        .run_step(Step::LoadCopy, &copy.sql())
                        .await
                        .map_err(fail)?;
                    verify(&files, &answer).map_err(|difference| work.rejected(&difference))?;
                }
            }
            (_, None) => {
                return Err(LoadOutcome::Impossible(
                    "a load by primary key has no staging table".to_owned(),
                ));
            }
        }
        Ok(())
    }
}

fn tag(owned: &OwnedWorkflow, plan: &TablePlan) -> String {
    json!({
        "application": "snowhaul",
        "version": env!("CARGO_PKG_VERSION"),
        "role": "orchestrator",
        "workflow": owned.name,
        "task": "load",
        "table": plan.extract.source.to_string(),
    })
    .to_string()
}

/// What one load is about.
struct Work<'a> {
    owned: &'a OwnedWorkflow,
    table_no: TableNo,
    plan: &'a TablePlan,
    batch: &'a [StagedPartition],
    load: &'a Load,
    admission: Admission,
}

impl Work<'_> {
    /// No transaction has begun: whatever the sessions meet is not of the load.
    fn not_begun(&self, error: &SnowflakeError) -> LoadOutcome {
        match error.kind {
            Kind::Unreachable | Kind::Login => LoadOutcome::Held(error.message.clone()),
            _ => self.failed(error),
        }
    }

    /// What a failed statement on the target or the files means. Nothing has been committed.
    fn failed(&self, error: &SnowflakeError) -> LoadOutcome {
        let message = error.message.clone();
        match error.kind {
            Kind::Held => LoadOutcome::Held(message),
            Kind::Unreachable
            | Kind::Login
            | Kind::SessionExpired
            | Kind::Cancelled
            | Kind::Locked
            | Kind::Unknown => LoadOutcome::TryAgain(message),
            Kind::NoSuchObject | Kind::NoPrivilege => {
                LoadOutcome::Impossible(format!("target {}: {message}", self.plan.load.target))
            }
            Kind::Rejected => self.rejected_for(
                &message,
                &format!(
                    "; change the target column so that it holds the value{}, or leave the row out with whereClauseCriteria",
                    narrow(self.plan)
                ),
            ),
            Kind::Refused => self.rejected(&message),
        }
    }

    /// A batch that Snowflake refused, in its words alone: nothing says that its values are to blame.
    fn rejected(&self, message: &str) -> LoadOutcome {
        self.rejected_for(message, "")
    }

    /// A batch that Snowflake refused: the partition whose file the message names, or the only one there is.
    fn rejected_for(&self, message: &str, advice: &str) -> LoadOutcome {
        let batch = self.batch;
        let named = batch.iter().position(|staged| {
            let mut files = staged.manifest.files.iter();
            files.any(|file| message.contains(&file.path))
        });
        let culprit = named.or((batch.len() == 1).then_some(0));
        let rejected = culprit.map(|index| {
            let partition = batch[index].unit.key.partition_no;
            let target = &self.plan.load.target;
            let what = format!("target {target}, partition {partition}: {message}{advice}");
            (index, what)
        });
        LoadOutcome::Rejected(rejected.into_iter().collect())
    }
}

/// What a failed statement on the checkpoint means: nothing of the target, and nothing of the data.
fn of_checkpoint(error: &SnowflakeError) -> LoadOutcome {
    let message = error.message.clone();
    match error.kind {
        Kind::Locked | Kind::Held => LoadOutcome::Held(message),
        // Whoever has taken the metadata away may bring them back, and what is refused here is no row's fault.
        Kind::Unreachable
        | Kind::Login
        | Kind::SessionExpired
        | Kind::Unknown
        | Kind::Cancelled
        | Kind::NoSuchObject
        | Kind::NoPrivilege
        | Kind::Rejected
        | Kind::Refused => LoadOutcome::TryAgain(message),
    }
}

/// A statement has looked at another number of rows than are staged: of its session's making, and not of the data.
fn not_all_seen(rows: u64, seen: &str) -> LoadOutcome {
    LoadOutcome::TryAgain(format!(
        "{rows} rows are staged, and Snowflake has looked at {seen}"
    ))
}

/// ` (column …)` for each column whose declared type holds more than the target's.
fn narrow(plan: &TablePlan) -> String {
    let columns = dialect::for_platform(plan.extract.platform)
        .map(|dialect| narrow_columns(dialect, plan.columns_of(Content::Rows)))
        .unwrap_or_default();
    if columns.is_empty() {
        String::new()
    } else {
        format!(" ({})", columns.join("; "))
    }
}
