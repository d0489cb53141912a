//! What the promises have in common: workflows, their owners, and how far they have come.

use super::super::bench::Bench;
use crate::checkpoint::{
    Applied, ClaimRequest, LoadUnit, NewTask, NewWorkflow, OwnedWorkflow, PartitionKey,
    PlannedTable, StateChange, WorkflowSearch,
};
use crate::domain::affinity::AffinityFilter;
use crate::domain::analysis::SyncSettings;
use crate::domain::planned::{PlannedPartition, SyncPlan};
use crate::domain::request::{OperatorCommand, orders};
use crate::domain::spec::{Synchronization, TableSpec};
use crate::domain::table::{Content, KeyRange, Platform, Slice, TableRef, WrittenName};
use crate::domain::table_plan::{ExtractSpec, LoadSpec, SyncSpec, TablePlan};
use crate::domain::task::{ClaimedTask, Manifest, StagedFile, TaskEnd, TaskKind, TaskOutcome};
use crate::domain::{Attempt, PartitionNo, TableNo, WorkflowId};
use std::time::Duration;

/// Longer than any test.
pub const LEASE: Duration = Duration::from_secs(600);
/// The platform of all workflows.
pub const PLATFORM: Platform = Platform::Redshift;
/// The first table.
pub const FIRST: TableNo = TableNo(0);
/// The second table.
pub const SECOND: TableNo = TableNo(1);

/// A table of this name whose runs leave something for the next.
pub fn table(name: &str) -> TableSpec {
    let part = |text: &str| WrittenName(text.to_owned());
    let reference = |schema: &str| TableRef {
        database: part("db"),
        schema: part(schema),
        table: part(name),
    };
    TableSpec {
        synchronization: Synchronization::Checksum { expression: None },
        ..TableSpec::new(reference("source"), reference("target"))
    }
}

/// A workflow with two tables.
pub fn workflow(name: &str, affinity: Option<&str>) -> NewWorkflow {
    NewWorkflow {
        name: name.to_owned(),
        platform: PLATFORM,
        affinity: affinity.map(str::to_owned),
        configuration: "{}".to_owned(),
        tables: vec![table("a"), table("b")],
    }
}

/// A search for any workflow.
pub fn search(owner: &str) -> WorkflowSearch<'_> {
    WorkflowSearch {
        owner,
        affinity: None,
        lease: LEASE,
        limit: 100,
        driven: &[],
    }
}

/// Takes everything that is free, and fences it.
pub async fn take(bench: &dyn Bench, search: &WorkflowSearch<'_>) -> Vec<OwnedWorkflow> {
    let mut taken = bench.orchestrator().take_workflows(search).await.unwrap();
    taken.sort_by_key(|owned| owned.id);
    for owned in &taken {
        bench.orchestrator().fence_tables(owned).await.unwrap();
    }
    taken
}

/// Takes the only workflow that is free.
pub async fn take_one(bench: &dyn Bench, owner: &str) -> OwnedWorkflow {
    let mut taken = take(bench, &search(owner)).await;
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.remove(0)
}

/// A workflow with two tables that `one` drives.
pub async fn driven(bench: &dyn Bench) -> OwnedWorkflow {
    bench.create(&workflow("w", None)).await;
    let owned = take_one(bench, "one").await;
    bench.orchestrator().start_workflow(&owned).await.unwrap();
    owned
}

/// The same workflow, as its owner knows it after it has looked for requests.
pub async fn looked(bench: &dyn Bench, owned: &OwnedWorkflow) -> OwnedWorkflow {
    let driven = [(owned.id, owned.epoch, owned.request_seq)];
    let search = WorkflowSearch {
        driven: &driven,
        ..search("one")
    };
    let taken = take(bench, &search).await;
    let found = taken.into_iter().find(|taken| taken.id == owned.id);
    found.unwrap_or_else(|| owned.clone())
}

/// The task that analyzes a table.
pub fn analysis(table_no: TableNo) -> NewTask {
    NewTask {
        kind: TaskKind::Analyze,
        table_no,
        partition: None,
        priority: 0,
    }
}

/// The task that extracts a partition.
pub fn extraction_task(table_no: TableNo, partition: u32) -> NewTask {
    NewTask {
        kind: TaskKind::Extract,
        table_no,
        partition: Some((PartitionNo(partition), slice(partition))),
        priority: 1,
    }
}

/// What a partition moves.
pub fn slice(partition: u32) -> Slice {
    let bound = |no: u32| Some(vec![no.to_string()]);
    KeyRange::Between {
        lower: bound(partition),
        upper: bound(partition + 1),
    }
    .into()
}

/// A worker that asks for so many tasks.
pub fn request(worker: &str, limit: usize) -> ClaimRequest {
    ClaimRequest {
        worker: worker.to_owned(),
        platforms: vec![PLATFORM],
        affinity: None,
        limit,
        slots: limit,
        lease: LEASE,
    }
}

/// Claims tasks, in the order of their keys.
pub async fn claim(bench: &dyn Bench, worker: &str, limit: usize) -> Vec<ClaimedTask> {
    claim_for(bench, &request(worker, limit)).await
}

/// The same for any request. An empty claim may only have looked for limits: it is repeated once.
pub async fn claim_for(bench: &dyn Bench, request: &ClaimRequest) -> Vec<ClaimedTask> {
    let mut claimed = bench.worker().claim(request).await.unwrap();
    if claimed.is_empty() {
        claimed = bench.worker().claim(request).await.unwrap();
    }
    claimed.sort_by(|one, other| one.task_id.cmp(&other.task_id));
    claimed
}

/// The end of a claim.
pub fn end(task: &ClaimedTask, outcome: TaskOutcome) -> TaskEnd {
    TaskEnd {
        task_id: task.task_id.clone(),
        token: task.token,
        attempt: task.attempt,
        outcome,
    }
}

/// A claim that is done.
pub fn done(result: &str) -> TaskOutcome {
    TaskOutcome::Completed {
        result: result.to_owned(),
        rows: 1,
        bytes: 2,
    }
}

/// Ends a claim; whether that applied.
pub async fn finish(bench: &dyn Bench, task: &ClaimedTask, outcome: TaskOutcome) -> Applied {
    let ends = [end(task, outcome)];
    let applied = bench.worker().finish(&ends).await.unwrap();
    assert_eq!(applied.len(), 1);
    applied[0]
}

/// The plan of a table whose state for the next run has this key.
pub fn table_plan(table_no: TableNo, sync_key: Option<&str>) -> TablePlan {
    let spec = table(if table_no == FIRST { "a" } else { "b" });
    TablePlan {
        extract: ExtractSpec::new(PLATFORM, spec.source),
        load: LoadSpec::new(spec.target),
        sync: SyncSpec {
            state_key: sync_key.map(str::to_owned),
        },
    }
}

/// A plan of so many partitions.
pub fn plan(table_no: TableNo, partitions: u32) -> PlannedTable {
    let partition = |no: u32| PlannedPartition {
        slice: slice(no),
        unchanged: false,
        checksum: None,
    };
    PlannedTable {
        plan: table_plan(table_no, None),
        partitions: (0..partitions).map(partition).collect(),
        synchronization: None,
        row_estimate: 10,
        byte_estimate: 20,
        warnings: vec!["beware".to_owned()],
    }
}

/// The same that leaves a state of this key for the next run, and starts from the state of a name.
pub fn plan_with_state(
    table_no: TableNo,
    partitions: u32,
    key: &str,
    started_from: Option<String>,
) -> PlannedTable {
    PlannedTable {
        plan: table_plan(table_no, Some(key)),
        synchronization: Some(SyncPlan {
            key: key.to_owned(),
            settings: SyncSettings::default(),
            reused: false,
            started_from,
        }),
        ..plan(table_no, partitions)
    }
}

/// Writes a plan that must apply.
pub async fn write_plan(
    bench: &dyn Bench,
    owned: &OwnedWorkflow,
    no: TableNo,
    plan: &PlannedTable,
) {
    let written = bench.orchestrator().write_plan(owned, no, plan).await;
    assert_eq!(written.unwrap(), Applied::Yes);
}

/// A table of a driven workflow with a plan of so many partitions, all of which are queued.
pub async fn planned(bench: &dyn Bench, owned: &OwnedWorkflow, no: TableNo, partitions: u32) {
    write_plan(bench, owned, no, &plan(no, partitions)).await;
    let tasks: Vec<_> = (0..partitions).map(|p| extraction_task(no, p)).collect();
    bench.orchestrator().enqueue(owned, &tasks).await.unwrap();
}

/// Names a partition.
pub fn key(table_no: TableNo, partition: u32) -> PartitionKey {
    PartitionKey {
        table_no,
        partition_no: PartitionNo(partition),
    }
}

/// What an attempt staged.
pub fn manifest(rows: u64) -> Manifest {
    Manifest {
        files: vec![StagedFile {
            path: format!("part-{rows}.parquet"),
            rows,
            bytes: 10 * rows,
        }],
        ..Manifest::default()
    }
}

/// A partition that an attempt has staged.
pub fn staged(table_no: TableNo, partition: u32, attempt: u32) -> StateChange {
    StateChange::PartitionStaged {
        key: key(table_no, partition),
        attempt: Attempt(attempt),
        manifest: manifest(u64::from(partition) + 1),
    }
}

/// A partition that is given up.
pub fn failed(table_no: TableNo, partition: u32) -> StateChange {
    StateChange::PartitionFailed {
        key: key(table_no, partition),
        error: format!("partition {partition} is broken"),
    }
}

/// Applies changes.
pub async fn apply(
    bench: &dyn Bench,
    owned: &OwnedWorkflow,
    changes: &[StateChange],
) -> Vec<Applied> {
    bench.orchestrator().apply(owned, changes).await.unwrap()
}

/// A partition to load.
pub fn unit(table_no: TableNo, partition: u32, attempt: u32) -> LoadUnit {
    LoadUnit {
        key: key(table_no, partition),
        attempt: Attempt(attempt),
        rows: u64::from(partition) + 1,
        content: Content::Rows,
        checksum: Some(format!("sum {partition}")),
    }
}

/// Submits a command that must be accepted.
pub async fn submit(
    bench: &dyn Bench,
    id: WorkflowId,
    command: OperatorCommand,
    tables: &[TableNo],
) {
    let commanded = bench.operators().commanded(&id.to_string(), command).await;
    let commanded = commanded.unwrap().unwrap();
    let submitted = bench.operators().submit(&commanded, command, tables).await;
    assert!(submitted.unwrap());
}

/// Carries out what operators have asked, as an owner does.
pub async fn apply_requests(bench: &dyn Bench, owned: &OwnedWorkflow) {
    let tables = bench.orchestrator().load_tables(owned.id).await.unwrap();
    let tables = tables.into_iter().map(|t| (t.table_no, t.phase, t.request));
    let orders = orders(owned.request, tables);
    let done = bench.orchestrator().apply_requests(owned, &orders).await;
    done.unwrap();
}

/// Affinities as orchestrators write them.
pub fn affinity(text: &str) -> AffinityFilter {
    AffinityFilter::parse(text)
}
