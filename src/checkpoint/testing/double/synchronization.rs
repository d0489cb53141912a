//! What runs of one table leave for the next.

use super::{Rows, SyncRow, TableKey};
use crate::checkpoint::{CheckpointError, LoadUnit, OwnedWorkflow, PlannedTable};
use crate::domain::analysis::{SyncPartition, SyncSnapshot};
use crate::domain::phase::TablePhase;
use crate::domain::planned::SyncPlan;
use crate::domain::request::Request;
use crate::domain::table::Content;
use crate::domain::table_plan::TablePlan;
use crate::domain::{PartitionNo, TableNo, WorkflowId};
use std::collections::BTreeMap;

impl Rows {
    /// What an earlier run left behind for a table that this workflow holds.
    pub(super) fn snapshot(&self, table: TableKey) -> Option<SyncSnapshot> {
        let mut states = self.synchronizations.values();
        let state = states.find(|state| state.table == table)?;
        let snapshot = SyncSnapshot {
            settings: state.settings.clone()?,
            partitions: state.partitions.values().cloned().collect(),
        };
        (!snapshot.partitions.is_empty()).then_some(snapshot)
    }

    pub(super) fn claim_synchronization(
        &mut self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        key: &str,
    ) -> Result<Option<String>, CheckpointError> {
        self.check_owner(owned)?;
        let table = (owned.id, table_no);
        let holder = self.synchronizations.get(key).map(|state| state.table);
        if let Some(holder) = holder.filter(|holder| self.holds_its_state(*holder, owned.id)) {
            return Ok(Some(self.workflows[&holder.0].name.clone()));
        }
        let state = self.synchronizations.entry(key.to_owned());
        let state = state.or_insert_with(|| SyncRow {
            table,
            settings: None,
            partitions: BTreeMap::new(),
        });
        state.table = table;
        Ok(None)
    }

    /// Whether a table of another workflow still needs the state that it took.
    fn holds_its_state(&self, (id, no): TableKey, asker: WorkflowId) -> bool {
        let workflow = &self.workflows[&id];
        id != asker
            && !workflow.phase.is_terminal()
            && workflow.request != Some(Request::Cancel)
            && self.tables[&(id, no)].phase != TablePhase::Cancelled
    }

    /// Those of a workflow's planned tables whose state another workflow has taken, with its name.
    pub(super) fn taken_states(&self, id: WorkflowId) -> BTreeMap<TableNo, String> {
        let planned = self.tables.iter().filter(|((w, _), _)| *w == id);
        planned
            .filter_map(|((_, no), table)| {
                let key = table.plan.as_ref()?.sync.state_key.as_ref()?;
                let holder = self.synchronizations.get(key)?.table.0;
                (holder != id).then(|| (*no, self.workflows[&holder].name.clone()))
            })
            .collect()
    }

    /// Stores what a plan leaves for the next run; nothing, and `false`, if somebody else has the state.
    pub(super) fn plan_synchronization(
        &mut self,
        table: TableKey,
        plan: &PlannedTable,
        sync: &SyncPlan,
    ) -> bool {
        let state = self.synchronizations.get_mut(&sync.key);
        let Some(state) = state.filter(|state| state.table == table) else {
            return false;
        };
        let partitions = plan.partitions.iter().zip(0..);
        if sync.reused {
            let Some(watermark) = &plan.plan.extract.watermark else {
                state.settings = Some(sync.settings.clone());
                return true;
            };
            let upto = Some(&watermark.upto);
            let unchanged: Vec<_> = partitions
                .filter(|(p, _)| p.unchanged && p.slice.after.as_ref() == upto)
                .map(|(_, no)| PartitionNo(no))
                .collect();
            if unchanged
                .iter()
                .any(|no| !state.partitions.contains_key(no))
            {
                return false;
            }
            for no in &unchanged {
                if let Some(partition) = state.partitions.get_mut(no) {
                    partition.watermark = upto.cloned();
                }
            }
        } else {
            let moved = partitions.filter(|(p, _)| p.slice.content == Content::Rows);
            state.partitions = moved
                .map(|(partition, no)| {
                    let stored = SyncPartition {
                        range: partition.slice.range.clone(),
                        checksum: partition.checksum.clone(),
                        watermark: partition.slice.after.clone(),
                    };
                    (PartitionNo(no), stored)
                })
                .collect();
        }
        state.settings = Some(sync.settings.clone());
        true
    }

    /// Stores what a load leaves for the next run; nothing, and `false`, if somebody else has the state.
    pub(super) fn load_synchronization(
        &mut self,
        id: WorkflowId,
        plan: &TablePlan,
        units: &[LoadUnit],
    ) -> bool {
        let Some(key) = &plan.sync.state_key else {
            return true;
        };
        let state = self.synchronizations.get_mut(key);
        let Some(state) = state.filter(|state| state.table.0 == id) else {
            return false;
        };
        let rows = || units.iter().filter(|unit| unit.content == Content::Rows);
        if rows().any(|unit| !state.partitions.contains_key(&unit.key.partition_no)) {
            return false;
        }
        for unit in rows() {
            if let Some(partition) = state.partitions.get_mut(&unit.key.partition_no) {
                partition.checksum.clone_from(&unit.checksum);
                partition.watermark = plan.extract.watermark.as_ref().map(|w| w.upto.clone());
            }
        }
        true
    }
}
