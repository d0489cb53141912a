//! Loads staged partitions: one transaction that holds the checkpoint's change and the rows'.
//!
//! Rows that are added, or that replace a range, are copied in the transaction itself. Rows that replace others by their
//! primary key are copied before into a staging table, which nobody else knows; the transaction holds the MERGE. All of that
//! happens in one session: another one may see late what this one has staged (documentation of Transactions, "Read
//! consistency across sessions"), and would take it for the whole.

use super::copy::{CopyInto, MAX_FILES, verify};
use super::finish::WorkflowEnd;
use super::load::{Load, LoadKind, segments};
use super::load_job::{CheckpointPart, Early, LoadJob, not_all_seen};
use super::merge;
use crate::actors::ports::{LoadOutcome, Loader, StagedPartition};
use crate::checkpoint::{Admission, CheckpointError, HybridCheckpoint, OwnedWorkflow, TableState};
use crate::domain::problem::Code;
use crate::domain::staged_path::{attempt_directory, check_manifest};
use crate::domain::table_plan::TablePlan;
use crate::domain::{TableNo, WorkflowId};
use crate::failpoint::Step;
use crate::snowflake::{Reserved, SnowflakeClient, SnowflakeError, Transaction};
use crate::stage;
use crate::types::metadata_location::MetadataLocation;
use crate::types::snowflake_name::quote;
use async_trait::async_trait;
use serde_json::json;
use std::time::Duration;

/// The orchestrator's [`Loader`].
pub struct TableLoader {
    /// For what goes along with loads: staging tables that go, and the ends of workflows.
    pub client: SnowflakeClient,
    /// For loads, in whose sessions nothing is committed automatically: each tags its statements with its workflow and table.
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
        let admission = match self
            .checkpoint
            .limits()
            .admit_load(owned, table_no, &source)
            .await
        {
            Ok(Admission::Forbidden) => return LoadOutcome::RateLimited,
            Ok(admission) => admission,
            Err(CheckpointError::Fenced(_)) => {
                return LoadOutcome::InDoubt("the workflow has another owner".to_owned());
            }
            Err(error) if error.is_locked() => {
                return LoadOutcome::Blocked(error.problem().to_string());
            }
            Err(error) => {
                // The reply may be what was lost, and not the permit.
                self.checkpoint.limits().end_load(owned, table_no).await;
                return if error.is_unreachable() {
                    LoadOutcome::Blocked(error.problem().to_string())
                } else {
                    LoadOutcome::Retryable(error.problem().to_string())
                };
            }
        };
        let outcome = self
            .load_batch(owned, table_no, plan, batch, admission)
            .await;
        if !matches!(outcome, LoadOutcome::Committed) {
            self.checkpoint.limits().end_load(owned, table_no).await;
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
                "transactions could not be rolled back in time; Snowflake ends them after five minutes, or when their statements end"
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
        let problem = Code::FOREIGN_FILES.says(problem);
        let problem = problem.at(format!("partition {partition}"));
        Some((index, problem.to_string()))
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
            Err(problems) => {
                let place = format!("target {}", plan.load.target);
                return LoadOutcome::Fatal(problems.at(place).one_line());
            }
        };
        let tag = tag(owned, plan);
        let job = LoadJob {
            owned,
            table_no,
            plan,
            batch,
            load: &load,
            stage: stage::sql_name(load.stage, &self.stage),
            admission,
        };
        let outcome = if load.is_by_key() {
            // What fills the staging table comes before the statement that carries the condition.
            if admission == Admission::NoLimitsKnown {
                match self.checkpoint.limits().are_set().await {
                    Ok(false) => {}
                    Ok(true) => return LoadOutcome::RateLimited,
                    Err(error) => return LoadOutcome::Retryable(error.problem().to_string()),
                }
            }
            self.load_by_key(&tag, &job).await
        } else {
            match self.transactions.begin_tagged(Step::LoadBegin, &tag).await {
                Ok(transaction) => self.commit(transaction, &job, None).await,
                Err(error) => job.not_begun(&error),
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
    async fn load_by_key(&self, tag: &str, job: &LoadJob<'_>) -> LoadOutcome {
        let session = match self.transactions.reserve(tag).await {
            Ok(session) => session,
            Err(error) => return job.not_begun(&error),
        };
        let staging = staging_table(&self.metadata, job.owned.id, job.table_no);
        let outcome = match self.fill_staging(&session, &staging, job).await {
            Err(outcome) => outcome,
            Ok(()) => match session.begin(Step::LoadBegin).await {
                Ok(transaction) => self.commit(transaction, job, Some(&staging)).await,
                Err(error) => job.not_begun(&error),
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
        job: &LoadJob<'_>,
    ) -> Result<(), LoadOutcome> {
        let load = job.load;
        let fail = |error: SnowflakeError| job.failed(&error);
        let create = merge::create_staging(staging, &load.staged);
        session
            .run_step(Step::StagingCreate, &create)
            .await
            .map_err(fail)?;
        for files in segments(job.batch, job.plan.load.segment_mb) {
            let copy = CopyInto {
                table: staging,
                columns: &load.columns,
                stage: job.stage,
                files: &files,
            };
            let answer = session
                .run_step(Step::StagingCopy, &copy.sql())
                .await
                .map_err(fail)?;
            verify(&files, &answer).map_err(|difference| job.rejected(&difference))?;
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
                let what = format!(
                    "primaryKeyColumns {} do not identify a row: {count} source rows have {}",
                    job.plan.extract.primary_key.join(", "),
                    values.join(", ")
                );
                let problem = Code::DUPLICATE_PRIMARY_KEY
                    .problem(what)
                    .hint("name columns that do")
                    .at(format!("target {}", job.plan.load.target));
                return Err(LoadOutcome::Fatal(problem.to_string()));
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
        job: &LoadJob<'_>,
        staging: Option<&str>,
    ) -> LoadOutcome {
        // Within what LOAD_SEQ holds.
        let number = rand::random::<u64>() >> 1;
        let units: Vec<_> = job.batch.iter().map(|staged| staged.unit.clone()).collect();
        let checkpoint = CheckpointPart {
            statements: self.checkpoint.load_statements(
                job.owned,
                job.table_no,
                job.plan,
                &units,
                number,
                job.admission,
            ),
            holds: self
                .checkpoint
                .load_holds(job.owned.id, job.table_no, number),
        };
        match job.commit(transaction, checkpoint, staging).await {
            Ok(()) => LoadOutcome::Committed,
            Err(Early::Outcome(outcome)) => outcome,
            // One that has been set just now is asked for before the next try.
            Err(Early::Unexpected { is_first: true, .. })
                if matches!(self.checkpoint.limits().are_set().await, Ok(true)) =>
            {
                LoadOutcome::RateLimited
            }
            Err(Early::Unexpected {
                changed, expected, ..
            }) => {
                let what = format!(
                    "the checkpoint has {changed} of {expected} rows in the expected state"
                );
                LoadOutcome::InDoubt(Code::LOAD_IN_DOUBT.problem(what).to_string())
            }
        }
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
