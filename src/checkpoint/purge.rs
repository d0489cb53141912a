//! The end of a task's row: the queue does not grow for ever.

use super::cells::Cells;
use super::hybrid::HybridCheckpoint;
use super::phase_sql::{TABLE_COMPLETED, WORKFLOW_CANCELLED, WORKFLOW_COMPLETED};
use super::sql::number_list;
use crate::failpoint::Step;

/// Tasks of workflows that ended before so many days go.
const KEPT_DAYS: u32 = 30;
/// Workflows that one purge looks at, tasks that one statement deletes, and statements of one purge, at most.
const WORKFLOWS: usize = 100;
const BATCH: u64 = 5_000;
const BATCHES: usize = 20;

impl HybridCheckpoint {
    /// Deletes tasks of workflows that ended long ago and of which nothing can run again: all of their tables are complete.
    /// The tasks of others stay, for their attempts go on being counted. In bounded batches, so that whoever ends a
    /// workflow is not kept; what is left is deleted at the next workflow's end. Nobody reads these rows any more: what
    /// fails is only told. One statement when there are none.
    pub(super) async fn purge_tasks(&self) {
        let s = &self.s;
        let old = format!(
            "SELECT w.WORKFLOW_ID FROM {s}.WORKFLOW w WHERE w.STATUS IN ({WORKFLOW_COMPLETED}, {WORKFLOW_CANCELLED}) AND w.ENDED_AT < DATEADD('day', -{KEPT_DAYS}, SYSDATE()) \
             AND NOT EXISTS (SELECT 1 FROM {s}.TABLE_STATE t WHERE t.WORKFLOW_ID = w.WORKFLOW_ID AND t.PHASE <> {TABLE_COMPLETED}) \
             AND EXISTS (SELECT 1 FROM {s}.TASK_QUEUE q WHERE q.WORKFLOW_ID = w.WORKFLOW_ID) ORDER BY w.WORKFLOW_ID LIMIT {WORKFLOWS}"
        );
        let purged = async {
            let rows = self.query(&old).await?;
            let ids = rows
                .iter()
                .map(|row| Cells(row, 0).number::<i64>())
                .collect::<Result<Vec<_>, _>>()?;
            if ids.is_empty() {
                return Ok(());
            }
            let of = number_list(ids);
            let delete = format!(
                "DELETE FROM {s}.TASK_QUEUE WHERE WORKFLOW_ID IN {of} AND TASK_ID IN (SELECT TASK_ID FROM {s}.TASK_QUEUE WHERE WORKFLOW_ID IN {of} ORDER BY TASK_ID LIMIT {BATCH})"
            );
            for _ in 0..BATCHES {
                if self.client.execute(Step::TaskPurge, &delete).await? < BATCH {
                    break;
                }
            }
            Ok::<_, super::contract::CheckpointError>(())
        };
        if let Err(error) = purged.await {
            tracing::warn!(%error, "tasks of workflows that ended long ago could not be deleted; it is tried again at the next workflow's end");
        }
    }
}
