//! The state that both roles share in memory.

use super::faults::Faults;
use crate::checkpoint::{CheckpointError, OwnedWorkflow};
use crate::domain::analysis::{SyncPartition, SyncSettings, SyncSnapshot};
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::Request;
use crate::domain::spec::TableSpec;
use crate::domain::table::{KeyRange, Platform, Slice, TableRef, WrittenName};
use crate::domain::table_plan::TablePlan;
use crate::domain::task::{Manifest, TaskKind};
use crate::domain::{Attempt, ClaimToken, OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::time::Instant;

pub type TableKey = (WorkflowId, TableNo);

pub(super) struct WorkflowRow {
    pub name: String,
    pub phase: WorkflowPhase,
    pub owner: Option<String>,
    pub epoch: OwnerEpoch,
    pub lease_until: Option<Instant>,
    pub request: Option<Request>,
    pub request_seq: i64,
}

pub(super) struct TableRow {
    pub phase: TablePhase,
    pub spec: TableSpec,
    pub plan: Option<TablePlan>,
    pub epoch: OwnerEpoch,
    pub error: Option<String>,
    pub warnings: Vec<String>,
    pub request: Option<Request>,
    /// What earlier runs left behind.
    pub previous: Option<SyncSnapshot>,
}

pub(super) struct PartitionRow {
    pub phase: PartitionPhase,
    pub slice: Slice,
    pub attempt: Option<Attempt>,
    pub manifest: Option<Manifest>,
    pub error: Option<String>,
}

pub(super) struct TaskRow {
    pub kind: TaskKind,
    pub workflow_id: WorkflowId,
    pub table_no: TableNo,
    pub partition: Option<(PartitionNo, Slice)>,
    pub priority: i32,
    pub phase: TaskPhase,
    pub attempt: Attempt,
    pub failures: u32,
    pub postponed: u32,
    pub token: Option<ClaimToken>,
    pub lease_until: Option<Instant>,
    pub not_before: Option<Instant>,
    pub result: Option<String>,
    pub error: Option<String>,
    pub collected: bool,
}

#[derive(Default)]
pub(super) struct Rows {
    pub workflows: BTreeMap<WorkflowId, WorkflowRow>,
    pub tables: BTreeMap<TableKey, TableRow>,
    pub partitions: BTreeMap<(WorkflowId, TableNo, PartitionNo), PartitionRow>,
    pub tasks: BTreeMap<String, TaskRow>,
    pub workers: HashMap<String, u32>,
    /// The workflow, not driven here, that has the state of all pairs of tables.
    pub synchronizer: Option<String>,
    /// What the loads committed, in order: partition, attempt, rows.
    pub target: BTreeMap<TableKey, Vec<(PartitionNo, Attempt, u64)>>,
}

/// The double of the checkpoint and of the target tables.
#[derive(Default)]
pub struct Store {
    rows: Mutex<Rows>,
    locks: Mutex<HashMap<TableKey, Arc<tokio::sync::Mutex<()>>>>,
    /// Faults of its calls.
    pub faults: Faults,
}

impl Store {
    pub(super) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// The lock of a table's row: held by a load's transaction.
    pub fn table_lock(&self, key: TableKey) -> Arc<tokio::sync::Mutex<()>> {
        self.locks.lock().unwrap().entry(key).or_default().clone()
    }

    /// Creates a workflow with tables of these names.
    pub fn create_workflow(&self, name: &str, tables: &[String]) -> WorkflowId {
        let mut rows = self.rows();
        let id = WorkflowId(rows.workflows.len() as i64 + 1);
        rows.workflows.insert(
            id,
            WorkflowRow {
                name: name.to_owned(),
                phase: WorkflowPhase::Pending,
                owner: None,
                epoch: OwnerEpoch(0),
                lease_until: None,
                request: None,
                request_seq: 0,
            },
        );
        for (no, table) in tables.iter().enumerate() {
            let row = TableRow {
                phase: TablePhase::Pending,
                spec: spec(table),
                plan: None,
                epoch: OwnerEpoch(0),
                error: None,
                warnings: Vec::new(),
                request: None,
                previous: None,
            };
            rows.tables.insert((id, TableNo(no as u32)), row);
        }
        id
    }

    /// Changes a table's specification before the workflow starts.
    pub fn respecify(&self, id: WorkflowId, table: u32, change: impl FnOnce(&mut TableSpec)) {
        let mut rows = self.rows();
        change(&mut rows.tables.get_mut(&(id, TableNo(table))).unwrap().spec);
    }

    /// Other runs of a table, whose key it has to itself, have moved its rows up to this watermark.
    pub fn leave_behind(&self, id: WorkflowId, table: u32, watermark: &str) {
        let mut rows = self.rows();
        let row = rows.tables.get_mut(&(id, TableNo(table))).unwrap();
        row.previous = Some(SyncSnapshot {
            settings: SyncSettings {
                key: Vec::new(),
                where_clause: None,
                synchronization: row.spec.synchronization.clone(),
                ..SyncSettings::default()
            },
            partitions: vec![SyncPartition {
                range: KeyRange::Everything,
                checksum: None,
                watermark: Some(watermark.to_owned()),
            }],
        });
    }

    /// From which watermarks a table's partitions go on.
    pub fn watermarks(&self, id: WorkflowId, table: u32) -> Vec<Option<String>> {
        let rows = self.rows();
        let all = rows.partitions.iter();
        all.filter(|((w, t, _), _)| (*w, t.0) == (id, table))
            .map(|(_, row)| row.slice.after.clone())
            .collect()
    }

    /// The state that earlier runs left belongs to a workflow of this name.
    pub fn hold_synchronizations(&self, name: &str) {
        self.rows().synchronizer = Some(name.to_owned());
    }

    /// A workflow's phase.
    pub fn workflow_phase(&self, id: WorkflowId) -> WorkflowPhase {
        self.rows().workflows[&id].phase
    }

    /// A workflow's owner and epoch.
    pub fn owner(&self, id: WorkflowId) -> (Option<String>, i64) {
        let rows = self.rows();
        let row = &rows.workflows[&id];
        (row.owner.clone(), row.epoch.0)
    }

    /// The phases of a workflow's tables, in order, each with its error.
    pub fn table_phases(&self, id: WorkflowId) -> Vec<(TablePhase, Option<String>)> {
        let rows = self.rows();
        let of_workflow = rows.tables.iter().filter(|((w, _), _)| *w == id);
        of_workflow
            .map(|(_, row)| (row.phase, row.error.clone()))
            .collect()
    }

    /// How many of a workflow's partitions are in `phase`.
    pub fn num_partitions(&self, id: WorkflowId, phase: PartitionPhase) -> usize {
        let rows = self.rows();
        let matching = rows.partitions.iter();
        matching
            .filter(|((w, ..), row)| *w == id && row.phase == phase)
            .count()
    }

    /// The errors of a table's failed partitions.
    pub fn partition_errors(&self, id: WorkflowId, no: u32) -> Vec<(u32, String)> {
        let rows = self.rows();
        let of_table = rows.partitions.iter();
        of_table
            .filter(|((w, t, _), _)| *w == id && t.0 == no)
            .filter_map(|((.., p), row)| Some((p.0, row.error.clone()?)))
            .collect()
    }

    /// How many tasks a worker holds now.
    pub fn num_claimed(&self) -> usize {
        let rows = self.rows();
        let tasks = rows.tasks.values();
        tasks
            .filter(|task| task.phase == TaskPhase::Claimed)
            .count()
    }

    /// The sum of all tasks' failures.
    pub fn num_failures(&self) -> u32 {
        self.rows().tasks.values().map(|task| task.failures).sum()
    }

    /// Workers that have a row.
    pub fn workers(&self) -> Vec<String> {
        self.rows().workers.keys().cloned().collect()
    }

    /// What the target of a table holds: partition, attempt, rows; in the order of the commits.
    pub fn target(&self, id: WorkflowId, no: u32) -> Vec<(PartitionNo, Attempt, u64)> {
        let rows = self.rows();
        rows.target
            .get(&(id, TableNo(no)))
            .cloned()
            .unwrap_or_default()
    }

    /// Makes a table's row one that no version has ever written: executing without saying how.
    pub fn corrupt_table(&self, id: WorkflowId, no: u32) {
        if let Some(table) = self.rows().tables.get_mut(&(id, TableNo(no))) {
            (table.phase, table.plan) = (TablePhase::Executing, None);
        }
    }

    /// How many tasks wait to be claimed.
    pub fn num_queued(&self) -> usize {
        let rows = self.rows();
        let tasks = rows.tasks.values();
        tasks
            .filter(|task| task.phase == TaskPhase::Pending)
            .count()
    }

    /// Takes a workflow away from its owner, as if its lease had run out for somebody else.
    pub fn steal(&self, id: WorkflowId, thief: &str, until: Instant) {
        let mut rows = self.rows();
        let row = rows.workflows.get_mut(&id).unwrap();
        row.owner = Some(thief.to_owned());
        row.epoch.0 += 1;
        row.lease_until = Some(until);
        let epoch = row.epoch;
        for (_, table) in rows.tables.iter_mut().filter(|((w, _), _)| *w == id) {
            table.epoch = epoch;
        }
    }
}

impl Rows {
    pub(super) fn check_owner(&self, owned: &OwnedWorkflow) -> Result<(), CheckpointError> {
        match self.workflows.get(&owned.id) {
            Some(row) if row.epoch == owned.epoch => Ok(()),
            _ => Err(CheckpointError::Fenced(owned.id)),
        }
    }
}

pub(super) fn task_id(
    workflow: WorkflowId,
    kind: TaskKind,
    table: TableNo,
    partition: Option<PartitionNo>,
) -> String {
    match partition {
        Some(partition) => format!("{workflow}/{table}/{:06}/{kind:?}", partition.0),
        None => format!("{workflow}/{table}/{kind:?}"),
    }
}

fn spec(table: &str) -> TableSpec {
    let name = |schema: &str| TableRef {
        database: WrittenName("db".to_owned()),
        schema: WrittenName(schema.to_owned()),
        table: WrittenName(table.to_owned()),
    };
    TableSpec {
        key: Some(vec!["id".to_owned()]),
        ..TableSpec::new(name("source"), name("target"))
    }
}

pub(super) const PLATFORM: Platform = Platform::Redshift;
