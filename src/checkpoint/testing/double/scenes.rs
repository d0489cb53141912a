//! What tests of the actors set up in the checkpoint's double, and ask of it.

use super::{Store, SyncRow};
use crate::checkpoint::NewWorkflow;
use crate::domain::analysis::{SyncPartition, SyncSettings};
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::spec::TableSpec;
use crate::domain::table::{KeyRange, Platform, TableRef, WrittenName};
use crate::domain::{Attempt, PartitionNo, TableNo, WorkflowId};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The platform of its workflows.
pub const PLATFORM: Platform = Platform::Redshift;

impl Store {
    /// Creates a workflow with tables of these names.
    pub fn create_workflow(&self, name: &str, tables: &[String]) -> WorkflowId {
        self.create(&NewWorkflow {
            name: name.to_owned(),
            platform: PLATFORM,
            affinity: None,
            configuration: String::new(),
            tables: tables.iter().map(|table| spec(table)).collect(),
        })
    }

    /// What the user asked of a table.
    pub fn spec(&self, id: WorkflowId, table: u32) -> TableSpec {
        self.rows().tables[&(id, TableNo(table))].spec.clone()
    }

    /// Changes a table's specification before the workflow starts.
    pub fn respecify(&self, id: WorkflowId, table: u32, change: impl FnOnce(&mut TableSpec)) {
        let mut rows = self.rows();
        change(&mut rows.tables.get_mut(&(id, TableNo(table))).unwrap().spec);
    }

    /// So many loads could not return their permits.
    pub fn leave_permits(&self, count: usize) {
        self.rows().unreturned_permits = count;
    }

    /// Permits that are left.
    pub fn num_unreturned_permits(&self) -> usize {
        self.rows().unreturned_permits
    }

    /// Other runs of a table, whose state has this key, have moved its rows up to this watermark.
    pub fn leave_behind(&self, id: WorkflowId, table: u32, key: &str, watermark: &str) {
        let mut rows = self.rows();
        let table = (id, TableNo(table));
        let synchronization = rows.tables[&table].spec.synchronization.clone();
        let part = SyncPartition {
            range: KeyRange::Everything,
            checksum: None,
            watermark: Some(watermark.to_owned()),
        };
        let row = SyncRow {
            table,
            settings: Some(SyncSettings {
                synchronization,
                ..SyncSettings::default()
            }),
            partitions: BTreeMap::from([(PartitionNo(0), part)]),
        };
        rows.synchronizations.insert(key.to_owned(), row);
    }

    /// From which watermarks a table's partitions go on.
    pub fn watermarks(&self, id: WorkflowId, table: u32) -> Vec<Option<String>> {
        let rows = self.rows();
        let all = rows.partitions.iter();
        all.filter(|((w, t, _), _)| (*w, t.0) == (id, table))
            .map(|(_, row)| row.slice.after.clone())
            .collect()
    }

    /// The state of this key belongs to a workflow of this name, which somebody else drives.
    pub fn hold_state(&self, key: &str, name: &str) {
        let id = self.create_workflow(name, &["held".to_owned()]);
        let mut rows = self.rows();
        let row = rows.workflows.get_mut(&id).unwrap();
        row.phase = WorkflowPhase::Executing;
        row.owner = Some("somebody else".to_owned());
        row.lease_until = Some(Instant::now() + Duration::from_secs(1_000_000));
        let row = SyncRow {
            table: (id, TableNo(0)),
            settings: None,
            partitions: BTreeMap::new(),
        };
        rows.synchronizations.insert(key.to_owned(), row);
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
