//! What a load writes into the checkpoint, in its own transaction. Whether it may start is in `limits`.

use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::limits::Admission;
use super::phase_sql::{PARTITION_LOADED, PARTITION_STAGED};
use super::requests::NO_LOAD_FAILURES;
use super::sql::{number_list, values};
use crate::domain::table_plan::TablePlan;
use crate::domain::{TableNo, WorkflowId};

impl HybridCheckpoint {
    /// The statements of a load's transaction that touch the checkpoint, in order, each with the number of rows that
    /// it must change (anything else: roll back and reload). They fence by epoch, lock the table's row first, and
    /// lead Staged → Loaded by attempt, and store what the next run will find. `load` is a number that no other load has; the
    /// table's row carries it from then on. The load counts under rate limits until it is committed, and if nobody was asked
    /// whether it may start, the first statement finds nothing as soon as a limit is set. Pure text: the load itself is one
    /// transaction of [`crate::snowflake`].
    pub fn load_statements(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        units: &[LoadUnit],
        load: u64,
        admission: Admission,
    ) -> Vec<(String, u64)> {
        let (s, id) = (&self.s, owned.id);
        let unless_limited = match admission {
            Admission::NoLimitsKnown => format!(" AND {}", self.limits().none_set()),
            Admission::Permitted | Admission::Forbidden => String::new(),
        };
        let rows: Vec<_> = units
            .iter()
            .map(|unit| {
                vec![
                    unit.key.partition_no.to_string(),
                    unit.attempt.to_string(),
                    unit.rows.to_string(),
                ]
            })
            .collect();
        let mut statements = vec![
            (
                format!(
                    "UPDATE {s}.TABLE_STATE SET LOAD_SEQ = {load}, LOAD_PERMIT = NULL, {NO_LOAD_FAILURES} WHERE WORKFLOW_ID = {id} AND TABLE_NO = {table_no} AND OWNER_EPOCH = {epoch} \
                     AND LOAD_PERMIT = {epoch}{unless_limited}",
                    epoch = owned.epoch,
                ),
                1,
            ),
            (
                format!(
                    "UPDATE {s}.\"PARTITION\" p SET PHASE = {PARTITION_LOADED}, ROWS_LOADED = v.R, LOADED_AT = SYSDATE() FROM ({}) v \
                     WHERE p.WORKFLOW_ID = {id} AND p.TABLE_NO = {table_no} AND p.PARTITION_NO = v.P AND p.ATTEMPT = v.A AND p.PHASE = {PARTITION_STAGED} AND p.PARTITION_NO IN {}",
                    values(&["P", "A", "R"], &rows),
                    number_list(units.iter().map(|unit| unit.key.partition_no))
                ),
                units.len() as u64,
            ),
        ];
        statements.extend(self.sync_load_statements(owned, plan, units));
        statements
    }

    /// The question whether a load's transaction still is the one that has changed the checkpoint: its own change of the
    /// table's row is seen there, and nowhere else before it is committed.
    pub fn load_holds(&self, id: WorkflowId, table_no: TableNo, load: u64) -> String {
        format!(
            "SELECT 1 FROM {}.TABLE_STATE WHERE WORKFLOW_ID = {id} AND TABLE_NO = {table_no} AND LOAD_SEQ = {load}",
            self.s
        )
    }
}
