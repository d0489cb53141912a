//! Loads staged partitions: one transaction that holds the checkpoint's change and the COPY INTO.

use super::task_runner::column_plans;
use crate::actors::ports::{LoadOutcome, Loader, StagedPartition};
use crate::checkpoint::{HybridCheckpoint, OrchestratorCheckpoint, OwnedWorkflow};
use crate::dialect;
use crate::domain::TableNo;
use crate::domain::table::Content;
use crate::domain::task::{ExtractionSpec, StagedFile};
use crate::snowflake::copy::{CopyInto, MAX_FILES, verify};
use crate::snowflake::error::Kind;
use crate::snowflake::{SnowflakeClient, SnowflakeError, Transaction};
use crate::types::load::load_column;
use crate::types::snowflake_name::{quote, quote_table};
use async_trait::async_trait;
use serde_json::json;

/// Snowflake's code for a session without a warehouse.
const NO_WAREHOUSE: &str = "000606";

/// The orchestrator's [`Loader`].
pub struct TableLoader {
    /// Sessions of its own: each load tags its statements with its workflow and table.
    pub client: SnowflakeClient,
    /// Gives the statements that belong into the transaction.
    pub checkpoint: HybridCheckpoint,
    /// The stage, quoted, with `@`.
    pub stage: String,
}

#[async_trait]
impl Loader for TableLoader {
    async fn load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        extraction: &ExtractionSpec,
        batch: &[StagedPartition],
    ) -> LoadOutcome {
        let columns = match load_columns(extraction) {
            Ok(columns) => columns,
            Err(problem) => return LoadOutcome::Impossible(problem),
        };
        let began = std::time::Instant::now();
        let transaction = match self.client.begin_tagged(&tag(owned, extraction)).await {
            Ok(transaction) => transaction,
            Err(error) => return failed(&error, extraction, batch),
        };
        match self
            .fill(&transaction, owned, table_no, extraction, batch, &columns)
            .await
        {
            Ok(()) => {}
            Err(outcome) => {
                transaction.rollback().await;
                return outcome;
            }
        }
        match transaction.commit().await {
            Ok(()) => {
                tracing::info!(
                    workflow = %owned.name,
                    table = %extraction.source,
                    partitions = batch.len(),
                    rows = batch.iter().map(|staged| staged.unit.rows).sum::<u64>(),
                    seconds = began.elapsed().as_secs_f64(),
                    "loaded"
                );
                LoadOutcome::Committed
            }
            Err(error) => {
                LoadOutcome::AskCheckpoint(format!("the commit was not answered: {error}"))
            }
        }
    }

    async fn remove_files(&self, owned: &OwnedWorkflow, table_no: Option<TableNo>) {
        let table = table_no.map_or_else(String::new, |no| format!("{no}/"));
        let sql = format!("REMOVE {}/workflows/{}/{table}", self.stage, owned.id);
        if let Err(error) = self.client.query(&sql).await {
            tracing::warn!(workflow = %owned.name, %error, "staged files could not be removed; they can be removed by hand");
        }
    }
}

impl TableLoader {
    /// All statements between BEGIN and COMMIT; an error says what the rollback then means.
    async fn fill(
        &self,
        transaction: &Transaction,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        extraction: &ExtractionSpec,
        batch: &[StagedPartition],
        columns: &[(String, String)],
    ) -> Result<(), LoadOutcome> {
        let units: Vec<_> = batch.iter().map(|staged| staged.unit.clone()).collect();
        for (sql, expected) in self.checkpoint.load_statements(owned, table_no, &units) {
            let changed = transaction
                .execute(&sql)
                .await
                .map_err(|error| failed(&error, extraction, batch))?;
            if changed != expected {
                return Err(LoadOutcome::AskCheckpoint(format!(
                    "the checkpoint has {changed} of {expected} rows in the expected state"
                )));
            }
        }
        let table = quote_table(&extraction.target);
        let files: Vec<&StagedFile> = batch
            .iter()
            .flat_map(|staged| &staged.manifest.files)
            .collect();
        for files in files.chunks(MAX_FILES) {
            let copy = CopyInto {
                table: &table,
                columns,
                stage: &self.stage,
                files,
            };
            let answer = transaction
                .query(&copy.sql())
                .await
                .map_err(|error| failed(&error, extraction, batch))?;
            verify(files, &answer)
                .map_err(|difference| rejected(extraction, batch, &difference))?;
        }
        Ok(())
    }
}

/// For each target column its quoted name and the expression over the file.
fn load_columns(extraction: &ExtractionSpec) -> Result<Vec<(String, String)>, String> {
    let dialect = dialect::for_platform(extraction.platform)
        .ok_or_else(|| format!("{} is not supported yet", extraction.platform))?;
    column_plans(extraction, Content::Rows, dialect)
        .iter()
        .zip(extraction.columns_of(Content::Rows))
        .map(|(plan, column)| {
            let loaded = load_column(plan, &column.target_type)
                .map_err(|why| format!("column {}: {why}", column.source.name))?;
            Ok((quote(&column.target_name), loaded.expression))
        })
        .collect()
}

fn tag(owned: &OwnedWorkflow, extraction: &ExtractionSpec) -> String {
    json!({
        "application": "snowhaul",
        "version": env!("CARGO_PKG_VERSION"),
        "role": "orchestrator",
        "workflow": owned.name,
        "task": "load",
        "table": extraction.source.to_string(),
    })
    .to_string()
}

/// What a failed statement means. Nothing has been committed.
fn failed(
    error: &SnowflakeError,
    extraction: &ExtractionSpec,
    batch: &[StagedPartition],
) -> LoadOutcome {
    if error.is_retryable() {
        return LoadOutcome::TryAgain(error.message.clone());
    }
    match error.kind {
        Kind::Login => LoadOutcome::TryAgain(error.message.clone()),
        Kind::NoSuchObject | Kind::NoPrivilege => {
            LoadOutcome::Impossible(format!("target {}: {}", extraction.target, error.message))
        }
        _ if error.code.as_deref() == Some(NO_WAREHOUSE) => LoadOutcome::Impossible(format!(
            "{}; name a warehouse in the orchestrator's connection",
            error.message
        )),
        _ => rejected(extraction, batch, &error.message),
    }
}

/// A batch that Snowflake refused: the partition whose file the message names, or the only one there is.
fn rejected(extraction: &ExtractionSpec, batch: &[StagedPartition], message: &str) -> LoadOutcome {
    let named = batch.iter().position(|staged| {
        staged
            .manifest
            .files
            .iter()
            .any(|file| message.contains(&file.path))
    });
    let culprit = named.or((batch.len() == 1).then_some(0));
    LoadOutcome::Rejected(
        culprit
            .map(|index| {
                let partition = batch[index].unit.key.partition_no;
                let what = format!(
                    "target {}, partition {partition}: {message}; change the target column so that it holds the value, or leave the row out with whereClauseCriteria",
                    extraction.target
                );
                (index, what)
            })
            .into_iter()
            .collect(),
    )
}
