//! The hybrid tables as a store under test.

use crate::connection;
use crate::testing::bench::{Bench, Stored, StoredPartition, StoredTable, StoredTask, comparable};
use async_trait::async_trait;
use snowhaul::checkpoint::{
    Admission, HybridCheckpoint, LoadUnit, NewWorkflow, OperatorRequests, OrchestratorCheckpoint,
    OwnedWorkflow, WorkerCheckpoint,
};
use snowhaul::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use snowhaul::domain::request::Request;
use snowhaul::domain::table_plan::TablePlan;
use snowhaul::domain::task::Manifest;
use snowhaul::domain::{Attempt, TableNo, WorkflowId};
use snowhaul::failpoint::Step;
use snowhaul::snowflake::{Row, SnowflakeClient};
use snowhaul::types::metadata_location::MetadataLocation;
use snowhaul_integration::{LocalSnowflake, unique_name};
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use tokio::runtime::Runtime;

/// Every table that a run of the suite writes into.
const TABLES: [&str; 10] = [
    "WORKFLOW",
    "TABLE_STATE",
    "\"PARTITION\"",
    "TASK_QUEUE",
    "WORKER",
    "WARNING",
    "SYNCHRONIZATION",
    "SYNC_PARTITION",
    "WORKFLOW_REQUEST",
    "TABLE_REQUEST",
];

/// Metadata without a process that works on them.
pub struct HybridBench {
    checkpoint: HybridCheckpoint,
    client: SnowflakeClient,
    schema: String,
}

/// What runs the statements of all tests.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

/// Runs a test over metadata that are empty. To create them takes longer than most tests: those that no test uses now are
/// emptied and used again.
pub fn with_bench(test: impl FnOnce(&HybridBench)) {
    static FREE: Mutex<Vec<HybridBench>> = Mutex::new(Vec::new());
    let free = || FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let used = free().pop();
    let bench = match used {
        Some(bench) => {
            runtime().block_on(bench.empty());
            bench
        }
        None => HybridBench::new(),
    };
    // One whose test fails is not used again.
    test(&bench);
    free().push(bench);
}

impl HybridBench {
    fn new() -> Self {
        let connection = connection::local(LocalSnowflake::shared());
        let client = SnowflakeClient::new(connection, "test");
        let location = MetadataLocation {
            database: unique_name("META"),
            ..MetadataLocation::default()
        };
        let schema = location.quoted();
        let checkpoint = HybridCheckpoint::new(client.clone(), location);
        runtime().block_on(checkpoint.bootstrap()).unwrap();
        Self {
            checkpoint,
            client,
            schema,
        }
    }

    async fn empty(&self) {
        for table in TABLES {
            self.change(&format!("DELETE FROM {{s}}.{table}")).await;
        }
    }

    async fn change(&self, sql: &str) {
        let sql = sql.replace("{s}", &self.schema);
        let changed = self.client.execute(Step::RequestWrite, &sql).await;
        changed.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn rows(&self, sql: &str) -> Vec<Row> {
        let sql = sql.replace("{s}", &self.schema);
        let rows = self.client.query(&sql).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

#[async_trait]
impl Bench for HybridBench {
    fn orchestrator(&self) -> &dyn OrchestratorCheckpoint {
        &self.checkpoint
    }

    fn worker(&self) -> &dyn WorkerCheckpoint {
        &self.checkpoint
    }

    fn operators(&self) -> &dyn OperatorRequests {
        &self.checkpoint
    }

    async fn create(&self, workflow: &NewWorkflow) -> WorkflowId {
        self.checkpoint.create_workflow(workflow).await.unwrap()
    }

    async fn load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        units: &[LoadUnit],
    ) -> bool {
        let source = plan.extract.source.to_string();
        let admission = self
            .checkpoint
            .limits()
            .admit_load(owned, table_no, &source)
            .await;
        let Ok(admission @ (Admission::NoLimitsKnown | Admission::Permitted)) = admission else {
            return false;
        };
        let transaction = self.client.begin(Step::LoadBegin).await.unwrap();
        let statements = self
            .checkpoint
            .load_statements(owned, table_no, plan, units, 4711, admission);
        for (sql, expected) in statements {
            let changed = transaction.execute(Step::LoadCheckpoint, &sql).await;
            if changed.unwrap() != expected {
                transaction.rollback().await;
                self.checkpoint.limits().end_load(owned, table_no).await;
                return false;
            }
        }
        transaction.commit(Step::LoadCommit).await.unwrap();
        true
    }

    async fn let_time_pass(&self) {
        let past = "DATEADD('second', -1, SYSDATE())";
        self.change(&format!(
            "UPDATE {{s}}.WORKFLOW SET LEASE_UNTIL = {past} WHERE LEASE_UNTIL IS NOT NULL"
        ))
        .await;
        for column in ["LEASE_UNTIL", "NOT_BEFORE"] {
            self.change(&format!(
                "UPDATE {{s}}.TASK_QUEUE SET {column} = {past} WHERE {column} IS NOT NULL"
            ))
            .await;
        }
    }

    async fn stored(&self, id: WorkflowId) -> Stored {
        let workflow = self
            .rows(&format!(
                "SELECT w.STATUS, w.OWNER, x.REQUEST FROM {{s}}.WORKFLOW w JOIN {{s}}.WORKFLOW_REQUEST x ON x.WORKFLOW_ID = w.WORKFLOW_ID WHERE w.WORKFLOW_ID = {id}"
            ))
            .await;
        let workflow = Cells(&workflow[0]);
        Stored {
            phase: WorkflowPhase::parse(workflow.text(0)).unwrap(),
            owner: workflow.opt(1).map(str::to_owned),
            request: workflow.opt(2).map(|text| Request::parse(text).unwrap()),
            tables: self.stored_tables(id).await,
            partitions: self.stored_partitions(id).await,
            tasks: self.stored_tasks(id).await,
        }
    }
}

/// A row's cells.
struct Cells<'a>(&'a Row);

impl Cells<'_> {
    fn opt(&self, index: usize) -> Option<&str> {
        self.0[index].as_deref()
    }

    fn text(&self, index: usize) -> &str {
        self.opt(index).expect("a value")
    }

    fn owned(&self, index: usize) -> Option<String> {
        self.opt(index).map(str::to_owned)
    }

    fn number(&self, index: usize) -> u32 {
        self.text(index).parse().expect("a number")
    }

    fn is(&self, index: usize) -> bool {
        self.text(index) == "1"
    }
}

impl HybridBench {
    async fn stored_tables(&self, id: WorkflowId) -> BTreeMap<TableNo, StoredTable> {
        let states = self
            .rows(&format!(
                "SELECT y.TABLE_NO, p.CHECKSUM, p.WATERMARK FROM {{s}}.SYNCHRONIZATION y JOIN {{s}}.SYNC_PARTITION p ON p.SYNC_KEY = y.SYNC_KEY \
                 WHERE y.WORKFLOW_ID = {id} AND y.SETTINGS IS NOT NULL ORDER BY y.TABLE_NO, p.PARTITION_NO"
            ))
            .await;
        let tables = self
            .rows(&format!(
                "SELECT t.TABLE_NO, t.PHASE, t.ERROR, r.REQUEST, IFF(t.EXTRACTION IS NULL, 0, 1), \
                 (SELECT COUNT(*) FROM {{s}}.WARNING w WHERE w.WORKFLOW_ID = t.WORKFLOW_ID AND w.TABLE_NO = t.TABLE_NO) \
                 FROM {{s}}.TABLE_STATE t LEFT JOIN {{s}}.TABLE_REQUEST r ON r.WORKFLOW_ID = t.WORKFLOW_ID AND r.TABLE_NO = t.TABLE_NO WHERE t.WORKFLOW_ID = {id}"
            ))
            .await;
        let table = |row: &Row| {
            let cells = Cells(row);
            let no = cells.number(0);
            let state = states
                .iter()
                .map(Cells)
                .filter(|state| state.number(0) == no);
            let table = StoredTable {
                phase: TablePhase::parse(cells.text(1)).unwrap(),
                error: comparable(cells.owned(2)),
                request: cells.opt(3).map(|text| Request::parse(text).unwrap()),
                is_planned: cells.is(4),
                num_warnings: cells.number(5) as usize,
                state: state.map(|s| (s.owned(1), s.owned(2))).collect(),
            };
            (TableNo(no), table)
        };
        tables.iter().map(table).collect()
    }

    async fn stored_partitions(&self, id: WorkflowId) -> BTreeMap<(u32, u32), StoredPartition> {
        let rows = self
            .rows(&format!(
                "SELECT TABLE_NO, PARTITION_NO, PHASE, ATTEMPT, MANIFEST, ERROR FROM {{s}}.\"PARTITION\" WHERE WORKFLOW_ID = {id}"
            ))
            .await;
        let partition = |row: &Row| {
            let cells = Cells(row);
            let manifest = cells
                .opt(4)
                .map(|text| serde_json::from_str::<Manifest>(text).unwrap());
            let partition = StoredPartition {
                phase: PartitionPhase::parse(cells.text(2)).unwrap(),
                attempt: cells.opt(3).map(|no| Attempt(no.parse().unwrap())),
                rows: manifest.as_ref().map(Manifest::rows),
                error: cells.owned(5),
            };
            ((cells.number(0), cells.number(1)), partition)
        };
        rows.iter().map(partition).collect()
    }

    async fn stored_tasks(&self, id: WorkflowId) -> BTreeMap<String, StoredTask> {
        let rows = self
            .rows(&format!(
                "SELECT TASK_ID, STATUS, ATTEMPT, FAILURES, COALESCE(POSTPONED, 0), IFF(CLAIM_TOKEN IS NULL, 0, 1), IFF(LEASE_UNTIL > SYSDATE(), 1, 0), \
                 IFF(NOT_BEFORE > SYSDATE(), 1, 0), IFF(COLLECTED_AT IS NULL, 0, 1), RESULT, ERROR FROM {{s}}.TASK_QUEUE WHERE WORKFLOW_ID = {id}"
            ))
            .await;
        let task = |row: &Row| {
            let cells = Cells(row);
            let (_, key) = cells.text(0).split_once('/').expect("a key");
            let task = StoredTask {
                phase: TaskPhase::parse(cells.text(1)).unwrap(),
                attempt: Attempt(cells.number(2)),
                failures: cells.number(3),
                postponed: cells.number(4),
                has_token: cells.is(5),
                is_leased: cells.is(6),
                is_postponed: cells.is(7),
                is_collected: cells.is(8),
                result: cells.owned(9),
                error: cells.owned(10),
            };
            (key.to_owned(), task)
        };
        rows.iter().map(task).collect()
    }
}
