//! What the command line asks of the hybrid tables.

use super::catalog_contract::*;
use super::cells::{Cells, corrupt, to_json};
use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::orchestrator::{of_affinity, open};
use super::phase_sql::{TABLE_PENDING, WORKFLOW_PENDING};
use super::sql::{like, portions, text, text_opt, values};
use super::statements::{NO_SUCH_COLUMN, has_code, is_absence, is_refusal};
use crate::domain::WorkflowId;
use crate::domain::affinity::AffinityFilter;
use crate::domain::phase::WorkflowPhase;
use crate::domain::retry::RetryPolicy;
use crate::failpoint::Step;
use crate::retry::retry;
use crate::snowflake::SnowflakeError;

const SUMMARY: &str = "SELECT w.WORKFLOW_ID, w.NAME, w.SOURCE_PLATFORM, w.AFFINITY, \
    CASE WHEN w.STATUS IN ('COMPLETED', 'CANCELLED') THEN w.STATUS WHEN x.REQUEST = 'CANCEL' THEN 'CANCELLING' WHEN x.REQUEST = 'PAUSE' THEN 'PAUSED' ELSE w.STATUS END, \
    COUNT(t.TABLE_NO), COUNT_IF(t.PHASE = 'COMPLETED'), COUNT_IF(t.PHASE = 'FAILED' AND r.REQUEST IS NULL), COUNT_IF(t.PHASE = 'CANCELLED' AND r.REQUEST IS NULL), w.CREATED_AT, w.STARTED_AT, CASE WHEN w.STATUS IN ('COMPLETED', 'CANCELLED') THEN w.ENDED_AT END, w.ERROR";
const GROUP: &str = "GROUP BY w.WORKFLOW_ID, w.NAME, w.SOURCE_PLATFORM, w.AFFINITY, w.STATUS, x.REQUEST, w.CREATED_AT, w.STARTED_AT, w.ENDED_AT, w.ERROR";

/// Partitions, failed attempts, time of the next, reason.
fn waiting(c: &mut Cells<'_>) -> Result<Option<Waiting>, CheckpointError> {
    let (partitions, failed_attempts) = (c.number()?, c.number_opt().unwrap_or_default());
    let (next_at, because) = (c.time_opt(), c.text_opt());
    Ok(because.map(|because| Waiting {
        partitions,
        failed_attempts,
        next_at,
        because,
    }))
}

/// What the summary is made of.
fn workflows(s: &str) -> String {
    format!(
        "{s}.WORKFLOW w LEFT JOIN {s}.WORKFLOW_REQUEST x ON x.WORKFLOW_ID = w.WORKFLOW_ID LEFT JOIN {s}.TABLE_STATE t ON t.WORKFLOW_ID = w.WORKFLOW_ID \
         LEFT JOIN {s}.TABLE_REQUEST r ON r.WORKFLOW_ID = t.WORKFLOW_ID AND r.TABLE_NO = t.TABLE_NO"
    )
}

fn summary(row: &crate::snowflake::Row) -> Result<WorkflowSummary, CheckpointError> {
    let mut c = Cells(row, 0);
    Ok(WorkflowSummary {
        workflow_id: c.number()?,
        name: c.text()?,
        source_platform: c.text()?,
        affinity: c.text_opt(),
        status: c.text()?,
        num_tables: c.number()?,
        num_completed: c.number()?,
        num_failed: c.number()?,
        num_cancelled: c.number()?,
        created_at: c.time_opt(),
        started_at: c.time_opt(),
        ended_at: c.time_opt(),
        error: c.text_opt(),
    })
}

impl HybridCheckpoint {
    /// What stands under a name. Asks only for what metadata of every version have; without metadata there is nothing. One
    /// statement; a few more where the table is another tool's.
    ///
    /// # Errors
    /// When the checkpoint cannot be asked.
    pub async fn named(&self, name: &str) -> Result<Option<NamedWorkflow>, CheckpointError> {
        let found = self.all_named(&format!("= {}", text(name))).await?;
        Ok(found.into_iter().next())
    }

    /// What stands under the names that begin with `stem` and an underscore, as [`Self::named`]. One statement.
    ///
    /// # Errors
    /// When the checkpoint cannot be asked.
    pub async fn numbered(&self, stem: &str) -> Result<Vec<NamedWorkflow>, CheckpointError> {
        self.all_named(&like(&format!("{stem}_*"))).await
    }

    async fn all_named(&self, condition: &str) -> Result<Vec<NamedWorkflow>, CheckpointError> {
        let sql = format!(
            "SELECT WORKFLOW_ID, NAME, SOURCE_PLATFORM, CONFIGURATION, STATUS FROM {}.WORKFLOW WHERE NAME {condition}",
            self.s
        );
        let rows = match self.query(&sql).await {
            Err(error) if is_absence(&error) => return Ok(Vec::new()),
            Err(error) if has_code(&error, NO_SUCH_COLUMN) => {
                self.check_schema().await?;
                return Err(error);
            }
            rows => rows?,
        };
        let read = |row: &crate::snowflake::Row| {
            let mut c = Cells(row, 0);
            let (id, name) = (WorkflowId(c.number()?), c.text()?);
            let (source_platform, configuration, status) = (c.text()?, c.text()?, c.text()?);
            Ok(NamedWorkflow {
                id,
                name,
                source_platform,
                configuration,
                phase: WorkflowPhase::parse(&status)
                    .ok_or_else(|| corrupt("a workflow's status", &status))?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// The open workflows besides `own` that an orchestrator of this affinity takes, or would take if nobody drove them. One
    /// statement.
    ///
    /// # Errors
    /// When the checkpoint cannot be asked.
    pub async fn open_besides(
        &self,
        own: WorkflowId,
        affinity: Option<&AffinityFilter>,
    ) -> Result<Vec<OpenWorkflow>, CheckpointError> {
        let sql = format!(
            "SELECT NAME, IFF(OWNER IS NULL OR LEASE_UNTIL < SYSDATE(), 1, 0) FROM {s}.WORKFLOW WHERE {}{} AND WORKFLOW_ID <> {own} ORDER BY CREATED_AT, WORKFLOW_ID",
            open(&self.s),
            of_affinity(affinity),
            s = self.s
        );
        let read = |row: &crate::snowflake::Row| {
            let mut c = Cells(row, 0);
            Ok(OpenWorkflow {
                name: c.text()?,
                is_free: c.number::<u8>()? == 1,
            })
        };
        self.query(&sql).await?.iter().map(read).collect()
    }

    /// One try to create a workflow, known by its token.
    async fn create_once(
        &self,
        workflow: &NewWorkflow,
        token: &str,
    ) -> Result<WorkflowId, CheckpointError> {
        let s = &self.s;
        let by_name = format!(
            "SELECT WORKFLOW_ID, CREATION_TOKEN FROM {s}.WORKFLOW WHERE NAME = {}",
            text(&workflow.name)
        );
        let owner = |row: &crate::snowflake::Row| {
            let mut c = Cells(row, 0);
            let id = WorkflowId(c.number()?);
            if c.text()? == token {
                Ok(id)
            } else {
                Err(CheckpointError::NameTaken(workflow.name.clone()))
            }
        };
        if let Some(row) = self.query(&by_name).await?.first() {
            return owner(row);
        }
        let transaction = self.client.begin(Step::CreateBegin).await?;
        let created: Result<(), CheckpointError> = async {
            let insert = format!(
                "INSERT INTO {s}.WORKFLOW (NAME, SOURCE_PLATFORM, AFFINITY, CONFIGURATION, STATUS, CREATION_TOKEN) VALUES ({}, {}, {}, {}, {WORKFLOW_PENDING}, {})",
                text(&workflow.name),
                text(workflow.platform.as_str()),
                text_opt(workflow.affinity.as_deref()),
                text(&workflow.configuration),
                text(token)
            );
            transaction.execute(Step::CreateWorkflow, &insert).await?;
            let rows = transaction.query(&by_name).await?;
            let id: i64 = Cells(rows.first().unwrap_or(&Vec::new()), 0).number()?;
            let mut tables = Vec::new();
            for (no, spec) in workflow.tables.iter().enumerate() {
                tables.push(vec![no.to_string(), text(&spec.source.to_string()), text(&spec.target.to_string()), text(&to_json(spec)?)]);
            }
            transaction.execute(Step::CreateTables, &format!("INSERT INTO {s}.WORKFLOW_REQUEST (WORKFLOW_ID, REQUEST_SEQ) VALUES ({id}, 0)")).await?;
            for chunk in portions(&tables) {
                let rows = values(&["N", "S", "T", "J"], chunk);
                let insert = format!("INSERT INTO {s}.TABLE_STATE (WORKFLOW_ID, TABLE_NO, PHASE, SOURCE_TABLE, TARGET_TABLE, SPEC) SELECT {id}, v.N, {TABLE_PENDING}, v.S, v.T, v.J FROM ({rows}) v");
                transaction.execute(Step::CreateTables, &insert).await?;
            }
            Ok(())
        }
        .await;
        if let Err(error) = created {
            transaction.rollback().await;
            // Names are unique: somebody else may have taken it in this moment, or an earlier try of ours was committed after all.
            if is_refusal(&error)
                && let Some(row) = self.query(&by_name).await?.first()
            {
                return owner(row);
            }
            return Err(error);
        }
        let committed = transaction.commit(Step::CreateCommit).await;
        if let Err(error) = &committed {
            tracing::warn!(%error, "the reply to the commit was lost; asking whether the workflow exists");
        }
        // Also settles a lost reply, and a race for the name: whose token stands there has created it.
        let rows = self.query(&by_name).await?;
        let Some(row) = rows.first() else {
            let not_created = format!("the workflow {} was not created; try again", workflow.name);
            return Err(match committed {
                // What kept the commit away is not the caller's mistake.
                Err(error) => CheckpointError::from(SnowflakeError {
                    message: format!("{not_created}: {}", error.message),
                    ..error
                }),
                Ok(()) => CheckpointError::Schema(not_created),
            });
        };
        owner(row)
    }
}

/// What the command line asks.
impl HybridCheckpoint {
    /// Creates a workflow with its tables in one transaction and answers its id. A repetition after a lost reply
    /// answers the same id.
    ///
    /// # Errors
    /// [`CheckpointError::NameTaken`], or why the checkpoint cannot be asked.
    pub async fn create_workflow(
        &self,
        workflow: &NewWorkflow,
    ) -> Result<WorkflowId, CheckpointError> {
        let token = uuid::Uuid::new_v4().to_string();
        // An earlier try that was committed after all is known by its token.
        retry(
            RetryPolicy::STATEMENT,
            || self.create_once(workflow, &token),
            CheckpointError::failure,
            |_, _| {},
        )
        .await
    }

    /// All workflows, newest first. One statement.
    ///
    /// # Errors
    /// When the checkpoint cannot be asked.
    pub async fn list_workflows(&self) -> Result<Vec<WorkflowSummary>, CheckpointError> {
        let sql = format!(
            "{SUMMARY} FROM {} {GROUP} ORDER BY w.CREATED_AT DESC, w.WORKFLOW_ID DESC",
            workflows(&self.s)
        );
        self.query(&sql).await?.iter().map(summary).collect()
    }

    /// The workflow of this name, or else of this id. One statement.
    ///
    /// # Errors
    /// When the checkpoint cannot be asked.
    pub async fn find_workflow(
        &self,
        name_or_id: &str,
    ) -> Result<Option<WorkflowSummary>, CheckpointError> {
        let by_id = name_or_id
            .parse::<i64>()
            .map_or_else(|_| String::new(), |id| format!(" OR w.WORKFLOW_ID = {id}"));
        let sql = format!(
            "{SUMMARY} FROM {} WHERE w.NAME = {}{by_id} {GROUP}",
            workflows(&self.s),
            text(name_or_id)
        );
        self.query(&sql).await?.first().map(summary).transpose()
    }

    /// Progress of each table. One statement.
    ///
    /// # Errors
    /// When the checkpoint cannot be asked.
    pub async fn table_progress(
        &self,
        id: WorkflowId,
    ) -> Result<Vec<TableProgress>, CheckpointError> {
        let sql = format!(
            "SELECT TABLE_ID, SOURCE_TABLE, TARGET_TABLE, STATUS, ROW_ESTIMATE, PARTITIONS_TOTAL, PARTITIONS_PENDING, PARTITIONS_IN_EXTRACTION, PARTITIONS_IN_LOADING, PARTITIONS_COMPLETED, PARTITIONS_UNCHANGED, PARTITIONS_FAILED, PARTITIONS_CANCELLED, ROWS_EXTRACTED, ROWS_LOADED, BYTES, TIMESTAMPDIFF('millisecond', STARTED_AT, COALESCE(ENDED_AT, SYSDATE())), EXAMPLE_ERROR, PARTITIONS_WAITING, FAILED_ATTEMPTS, NEXT_ATTEMPT_AT, WAITS_BECAUSE, PARTITIONS_IN_LOADING, LOAD_FAILURES, NEXT_LOAD_AT, LOAD_ERROR FROM {}.TABLE_PROGRESS_WITH_EXAMPLE_ERROR WHERE WORKFLOW_ID = {id} ORDER BY TABLE_ID",
            self.s
        );
        let read = |row: &crate::snowflake::Row| {
            let mut c = Cells(row, 0);
            Ok(TableProgress {
                table_no: c.number()?,
                source_table: c.text()?,
                target_table: c.text()?,
                status: c.text()?,
                row_estimate: c.number_opt(),
                partitions_total: c.number()?,
                partitions_pending: c.number()?,
                partitions_in_extraction: c.number()?,
                partitions_in_loading: c.number()?,
                partitions_completed: c.number()?,
                partitions_unchanged: c.number()?,
                partitions_failed: c.number()?,
                partitions_cancelled: c.number()?,
                rows_extracted: c.number()?,
                rows_loaded: c.number()?,
                bytes: c.number()?,
                #[allow(clippy::cast_precision_loss)] // Seconds for people to read.
                seconds: c.number_opt::<i64>().map(|ms| ms as f64 / 1000.0),
                example_error: c.text_opt(),
                waiting: waiting(&mut c)?,
                load_waiting: waiting(&mut c)?,
            })
        };
        self.query(&sql).await?.iter().map(read).collect()
    }

    /// All workers that have not signed off, by host. One statement.
    ///
    /// # Errors
    /// When the checkpoint cannot be asked.
    pub async fn workers(&self) -> Result<Vec<WorkerSummary>, CheckpointError> {
        let sql = format!(
            "SELECT WORKER_ID, AFFINITY, VERSION, RUNNING, CAPACITY, ROUND(ROWS_PER_SECOND), STARTED_AT, LAST_SEEN, GREATEST(TIMESTAMPDIFF('second', LAST_SEEN, SYSDATE()), 0) FROM {}.WORKER ORDER BY WORKER_ID",
            self.s
        );
        let read = |row: &crate::snowflake::Row| {
            let mut c = Cells(row, 0);
            Ok(WorkerSummary {
                worker: c.text()?,
                affinity: c.text_opt(),
                version: c.text_opt().unwrap_or_default(),
                running: c.number_opt().unwrap_or_default(),
                capacity: c.number_opt().unwrap_or_default(),
                rows_per_second: c
                    .text_opt()
                    .and_then(|rate| rate.parse().ok())
                    .unwrap_or_default(),
                started_at: c.time_opt(),
                last_seen: c.time_opt(),
                silent_seconds: c.number()?,
            })
        };
        self.query(&sql).await?.iter().map(read).collect()
    }

    /// All known errors. One statement.
    ///
    /// # Errors
    /// When the checkpoint cannot be asked.
    pub async fn errors(&self, id: WorkflowId) -> Result<Vec<ErrorRow>, CheckpointError> {
        let sql = format!(
            "SELECT SOURCE_TABLE, PARTITION_ID, ERROR, OCCURRED_AT FROM {}.DATA_MIGRATION_ERROR WHERE WORKFLOW_ID = {id} ORDER BY TABLE_ID, PARTITION_ID",
            self.s
        );
        let read = |row: &crate::snowflake::Row| {
            let mut c = Cells(row, 0);
            Ok(ErrorRow {
                source_table: c.text()?,
                partition_no: c.number_opt(),
                error: c.text_opt().unwrap_or_default(),
                at: c.time_opt(),
            })
        };
        self.query(&sql).await?.iter().map(read).collect()
    }

    /// All warnings: (source table, text). One statement.
    ///
    /// # Errors
    /// When the checkpoint cannot be asked.
    pub async fn warnings(&self, id: WorkflowId) -> Result<Vec<(String, String)>, CheckpointError> {
        let sql = format!(
            "SELECT SOURCE_TABLE, WARNING FROM {}.DATA_MIGRATION_WARNING WHERE WORKFLOW_ID = {id} ORDER BY TABLE_ID",
            self.s
        );
        let read = |row: &crate::snowflake::Row| {
            let mut c = Cells(row, 0);
            Ok((c.text()?, c.text()?))
        };
        self.query(&sql).await?.iter().map(read).collect()
    }
}
