//! Fences: why nothing counts that a former owner of a workflow, or the holder of a claim that was lost, still writes.
//!
//! Snowflake's transactions are READ COMMITTED: a statement sees what was committed before it began, and one that meets a
//! locked row waits. Nowhere is it said whether such a statement looks at its WHERE again when the row is free. So nothing
//! here rests on that. Taken at its worst, a statement that has waited writes what it computed from the rows as they were
//! when it began. Then:
//!
//! - **Owners.** Two orchestrators may take the same workflow in the same moment, from the same old row. Each adds a number
//!   of its own to the epoch ([`unique_step`]), so that their epochs differ, and only the later one stands in the row. What
//!   the other one writes from then on carries an epoch that matches nothing. Two steps are always more than one, so that
//!   whoever takes the workflow after both has the largest epoch of all.
//! - **Tables.** An owner writes its epoch into the rows of its tables, which a load of a former owner may hold. It waits for
//!   them by one statement, and writes by another, which begins when it has them ([`HybridCheckpoint::fence_all_tables`]): a
//!   former owner that waited as well sees there that the workflow is its own no more. So the last one that writes is the
//!   owner.
//! - **Loads** lock their table's row first; the statements that decide (partitions, what the next run finds) begin after
//!   that, and each must change as many rows as it names.
//! - **Claims** of one task by two workers may have the same number of attempts. Whose token stands in the row renews and
//!   ends it. Both may stage files: their names begin with the token of the claim, so that neither overwrites the other's,
//!   and only the files are loaded that the one that ended the task names.
//! - **Limits** are chosen under after their rows are locked, by statements that begin then.
//! - **Requests** of operators are numbered by unique steps too, so that two at once do not look like one; a workflow ends
//!   by a statement that begins when the row of its requests is locked, and looks at the number again.
//! - **State of earlier runs** is held by a workflow's id. Whoever took it and lost it in the same moment is told by the
//!   plan's and by each load's own statements, which name that id and must change a row.

use super::cells::Cells;
use super::contract::*;
use super::hybrid::HybridCheckpoint;
use crate::failpoint::Step;

/// What every step adds: so many times it was taken, for whoever reads it; and below that something of its own.
const LEAST_STEP: i64 = 1 << 40;
const OF_ITS_OWN: i64 = 1 << 32;

/// What to add to a number that is to be larger than before and that nobody else arrives at, who adds to the same one. Two
/// steps are more than any single one.
pub(super) fn unique_step() -> i64 {
    LEAST_STEP + rand::random_range(0..OF_ITS_OWN)
}

/// The same as an expression, for what a procedure adds.
pub(super) fn step_expression() -> String {
    format!("{LEAST_STEP} + MOD(ABS(RANDOM()), {OF_ITS_OWN})")
}

impl HybridCheckpoint {
    /// The condition that fences a write by the workflow's owner epoch.
    pub(super) fn fence(&self, owned: &OwnedWorkflow) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {}.WORKFLOW w WHERE w.WORKFLOW_ID = {} AND w.OWNER_EPOCH = {})",
            self.s, owned.id, owned.epoch
        )
    }

    pub(super) async fn check_owner(&self, owned: &OwnedWorkflow) -> Result<(), CheckpointError> {
        let sql = format!(
            "SELECT OWNER_EPOCH FROM {}.WORKFLOW WHERE WORKFLOW_ID = {}",
            self.s, owned.id
        );
        let rows = self.query(&sql).await?;
        let stored = rows.first().map(|row| Cells(row, 0).number::<i64>());
        match stored.transpose()? {
            Some(epoch) if epoch == owned.epoch.0 => Ok(()),
            _ => Err(CheckpointError::Fenced(owned.id)),
        }
    }

    /// As [`super::OrchestratorCheckpoint::fence_tables`] says.
    pub(super) async fn fence_all_tables(
        &self,
        owned: &OwnedWorkflow,
    ) -> Result<(), CheckpointError> {
        let (s, id, epoch) = (&self.s, owned.id, owned.epoch);
        // Waits for a load of the former owner that has locked a table's row: it ends or is rolled back first, and its permit
        // with it. It writes a column by which nothing is decided, for it may write what that was before it waited.
        let lock = format!(
            "UPDATE {s}.TABLE_STATE SET STARTED_AT = STARTED_AT WHERE WORKFLOW_ID = {id} AND OWNER_EPOCH <> {epoch}"
        );
        let write = format!(
            "UPDATE {s}.TABLE_STATE SET OWNER_EPOCH = {epoch}, LOAD_PERMIT = NULL WHERE WORKFLOW_ID = {id} AND OWNER_EPOCH <> {epoch} AND {}",
            self.fence(owned)
        );
        let transaction = self.client.begin(Step::FenceBegin).await?;
        let fenced: Result<bool, CheckpointError> = async {
            let waits_for = transaction.execute(Step::WorkflowFence, &lock).await?;
            if waits_for > 0 {
                transaction.execute(Step::WorkflowFence, &write).await?;
            }
            Ok(waits_for > 0)
        }
        .await;
        // In doubt, the asker asks again, and finds nothing to do.
        transaction
            .end(Step::FenceCommit, fenced, |written| *written)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_are_more_than_one_and_no_two_are_the_same() {
        let steps: Vec<i64> = (0..1000).map(|_| unique_step()).collect();
        let (least, most) = (steps.iter().min(), steps.iter().max());
        assert!(
            least
                .zip(most)
                .is_some_and(|(least, most)| 2 * least > *most)
        );
        let different: std::collections::BTreeSet<i64> = steps.iter().copied().collect();
        assert!(different.len() > 990);
    }
}
