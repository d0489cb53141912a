//! The transaction of a load: its order, and what each early end of it means.

use super::columns::ways_of;
use super::copy::{CopyInto, verify};
use super::load::{Load, LoadKind, segments};
use super::merge;
use crate::actors::ports::{LoadOutcome, StagedPartition};
use crate::checkpoint::{Admission, OwnedWorkflow};
use crate::domain::TableNo;
use crate::domain::problem::{Code, Problem};
use crate::domain::table::Content;
use crate::domain::table_plan::TablePlan;
use crate::failpoint::Step;
use crate::snowflake::error::Kind;
use crate::snowflake::{Row, SnowflakeError, Transaction, rows_affected};
use crate::types::snowflake_name::quote_table;
use async_trait::async_trait;

/// An open transaction, as a load uses it.
#[async_trait]
pub(super) trait OpenTransaction: Send + Sync + Sized {
    /// Runs a statement that changes something, and answers its rows.
    async fn run_step(&self, at: Step, sql: &str) -> Result<Vec<Row>, SnowflakeError>;

    /// Asks a question.
    async fn ask(&self, sql: &str) -> Result<Vec<Row>, SnowflakeError>;

    /// Commits. An error leaves it open whether that happened.
    async fn commit(self) -> Result<(), SnowflakeError>;

    /// Rolls back.
    async fn rollback(self);
}

#[async_trait]
impl OpenTransaction for Transaction {
    async fn run_step(&self, at: Step, sql: &str) -> Result<Vec<Row>, SnowflakeError> {
        Transaction::run_step(self, at, sql).await
    }

    async fn ask(&self, sql: &str) -> Result<Vec<Row>, SnowflakeError> {
        self.query(sql).await
    }

    async fn commit(self) -> Result<(), SnowflakeError> {
        Transaction::commit(self, Step::LoadCommit).await
    }

    async fn rollback(self) {
        Transaction::rollback(self).await;
    }
}

/// What the checkpoint has to do with a load.
pub(super) struct CheckpointPart {
    /// Statements and the number of rows that each must change.
    pub(super) statements: Vec<(String, u64)>,
    /// Has a row as long as the transaction is the one that those statements ran in.
    pub(super) holds: String,
}

/// Why a load was rolled back.
#[derive(Debug, PartialEq)]
pub(super) enum Early {
    /// For this reason.
    Outcome(LoadOutcome),
    /// A statement on the checkpoint has changed another number of rows than it must.
    Unexpected {
        /// Whether it was the first one, which also says that no limit is set.
        is_first: bool,
        /// How many it has changed.
        changed: u64,
        /// How many it must.
        expected: u64,
    },
}

impl From<LoadOutcome> for Early {
    fn from(outcome: LoadOutcome) -> Self {
        Self::Outcome(outcome)
    }
}

/// What one load is about.
pub(super) struct LoadJob<'a> {
    pub(super) owned: &'a OwnedWorkflow,
    pub(super) table_no: TableNo,
    pub(super) plan: &'a TablePlan,
    pub(super) batch: &'a [StagedPartition],
    pub(super) load: &'a Load,
    /// The stage of the batch's files, quoted, with `@`.
    pub(super) stage: &'a str,
    pub(super) admission: Admission,
}

impl LoadJob<'_> {
    /// Runs the transaction to its end. The checkpoint comes first: its locks keep any second loader out.
    ///
    /// # Errors
    /// Why it was rolled back, or that nobody knows whether it was committed.
    pub(super) async fn commit(
        &self,
        transaction: impl OpenTransaction,
        checkpoint: CheckpointPart,
        staging: Option<&str>,
    ) -> Result<(), Early> {
        if let Err(early) = self.fill(&transaction, checkpoint, staging).await {
            transaction.rollback().await;
            return Err(early);
        }
        transaction.commit().await.map_err(|error| {
            let doubt = format!("the commit was not answered: {error}");
            let problem = Code::LOAD_IN_DOUBT.problem(doubt);
            LoadOutcome::InDoubt(problem.to_string()).into()
        })
    }

    async fn fill(
        &self,
        transaction: &impl OpenTransaction,
        checkpoint: CheckpointPart,
        staging: Option<&str>,
    ) -> Result<(), Early> {
        for (place, (sql, expected)) in checkpoint.statements.into_iter().enumerate() {
            let answer = transaction.run_step(Step::LoadCheckpoint, &sql).await;
            let changed = rows_affected(&answer.map_err(|error| of_checkpoint(&error))?);
            if changed != expected {
                return Err(Early::Unexpected {
                    is_first: place == 0,
                    changed,
                    expected,
                });
            }
        }
        self.move_rows(transaction, staging).await?;
        // Snowflake ends a transaction that was idle for five minutes: this process stood still, or a request was long
        // on its way. The rows then came into another transaction, which their statement has opened (there is no
        // autocommit) and in which the checkpoint is not changed. It must not be committed.
        let answer = transaction.ask(&checkpoint.holds).await;
        if answer.map_err(|error| of_checkpoint(&error))?.is_empty() {
            let ended = "Snowflake has ended the load's transaction before its end";
            let problem = Code::LOAD_IN_DOUBT.problem(ended);
            return Err(LoadOutcome::InDoubt(problem.to_string()).into());
        }
        Ok(())
    }

    async fn move_rows(
        &self,
        transaction: &impl OpenTransaction,
        staging: Option<&str>,
    ) -> Result<(), LoadOutcome> {
        let (plan, load) = (self.plan, self.load);
        let target = quote_table(&plan.load.target);
        let fail = |error: SnowflakeError| self.failed(&error);
        match (&load.kind, staging) {
            (LoadKind::Merge(key), Some(staging)) => {
                let sql = merge::merge(&target, staging, key, &load.names(), load.rows);
                let answer = transaction.run_step(Step::LoadMerge, &sql).await;
                let moved = rows_affected(&answer.map_err(fail)?);
                let is_key_alone = key.len() == load.columns.len();
                if moved != load.rows && !is_key_alone {
                    return Err(not_all_seen(load.rows, &moved.to_string()));
                }
            }
            (LoadKind::DeleteMissing(key), Some(staging)) => {
                let sql = merge::delete_missing(&target, staging, key, load.rows);
                let answer = transaction.run_step(Step::LoadDeleteMissing, &sql).await;
                let deleted = rows_affected(&answer.map_err(fail)?);
                tracing::info!(table = %plan.extract.source, deleted, "rows that are gone from the source are deleted");
            }
            (LoadKind::Direct { delete }, _) => {
                if let Some(sql) = delete {
                    transaction
                        .run_step(Step::LoadDelete, sql)
                        .await
                        .map_err(fail)?;
                }
                for files in segments(self.batch, plan.load.segment_mb) {
                    let copy = CopyInto {
                        table: &target,
                        columns: &load.columns,
                        stage: self.stage,
                        files: &files,
                    };
                    let answer = transaction
                        .run_step(Step::LoadCopy, &copy.sql())
                        .await
                        .map_err(fail)?;
                    verify(&files, &answer).map_err(|difference| self.rejected(&difference))?;
                }
            }
            (_, None) => {
                let problem = Code::INTERNAL.problem("a load by primary key has no staging table");
                return Err(LoadOutcome::Fatal(problem.to_string()));
            }
        }
        Ok(())
    }

    /// No transaction has begun: whatever the sessions meet is not of the load.
    pub(super) fn not_begun(&self, error: &SnowflakeError) -> LoadOutcome {
        match error.kind {
            Kind::Unreachable | Kind::Login => LoadOutcome::Blocked(error.problem().to_string()),
            _ => self.failed(error),
        }
    }

    /// What a failed statement on the target or the files means. Nothing has been committed.
    pub(super) fn failed(&self, error: &SnowflakeError) -> LoadOutcome {
        let message = error.problem().to_string();
        match error.kind {
            Kind::Held => LoadOutcome::Blocked(message),
            Kind::Unreachable
            | Kind::Login
            | Kind::SessionExpired
            | Kind::Cancelled
            | Kind::Locked
            | Kind::Unknown => LoadOutcome::Retryable(message),
            Kind::NoSuchObject | Kind::NoPrivilege => {
                let place = format!("target {}", self.plan.load.target);
                LoadOutcome::Fatal(error.problem().at(place).to_string())
            }
            Kind::Rejected => self.rejected_for(error.problem().hint(format!(
                "change the target column so that it holds the value{}, or exclude the row with whereClauseCriteria",
                narrow(self.plan)
            ))),
            Kind::Refused => self.rejected_for(error.problem()),
        }
    }

    /// A batch of which Snowflake loaded something else than was extracted.
    pub(super) fn rejected(&self, difference: &str) -> LoadOutcome {
        self.rejected_for(Code::LOAD_DIFFERS.problem(difference))
    }

    /// A batch that Snowflake refused: the partition whose file the message names, or the only one there is.
    fn rejected_for(&self, problem: Problem) -> LoadOutcome {
        let batch = self.batch;
        let named = batch.iter().position(|staged| {
            let mut files = staged.manifest.files.iter();
            files.any(|file| problem.what.contains(&file.path))
        });
        let culprit = named.or((batch.len() == 1).then_some(0));
        let rejected = culprit.map(|index| {
            let partition = batch[index].unit.key.partition_no;
            let target = &self.plan.load.target;
            let place = format!("target {target}, partition {partition}");
            (index, problem.at(place).to_string())
        });
        LoadOutcome::Rejected(rejected.into_iter().collect())
    }
}

/// What a failed statement on the checkpoint means: nothing of the target, and nothing of the data.
fn of_checkpoint(error: &SnowflakeError) -> LoadOutcome {
    let message = error.problem().to_string();
    match error.kind {
        Kind::Locked | Kind::Held => LoadOutcome::Blocked(message),
        // Metadata that somebody removed may come back, and what is refused here is not a row's fault.
        Kind::Unreachable
        | Kind::Login
        | Kind::SessionExpired
        | Kind::Unknown
        | Kind::Cancelled
        | Kind::NoSuchObject
        | Kind::NoPrivilege
        | Kind::Rejected
        | Kind::Refused => LoadOutcome::Retryable(message),
    }
}

/// A statement has looked at another number of rows than are staged: of its session's making, and not of the data.
pub(super) fn not_all_seen(rows: u64, seen: &str) -> LoadOutcome {
    let what = format!("{rows} rows are staged, and Snowflake has looked at {seen}");
    LoadOutcome::Retryable(Code::LOAD_DIFFERS.problem(what).to_string())
}

/// ` (column …)` for each column whose declared type holds more than the target's.
fn narrow(plan: &TablePlan) -> String {
    let columns = ways_of(plan)
        .map(|ways| ways.narrow_columns(plan.columns_of(Content::Rows)))
        .unwrap_or_default();
    if columns.is_empty() {
        String::new()
    } else {
        format!(" ({})", columns.join("; "))
    }
}

#[cfg(test)]
#[path = "load_job_tests.rs"]
mod tests;
