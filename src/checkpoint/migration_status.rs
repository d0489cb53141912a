//! `TABLE_MIGRATION_STATUS`: one row for each source table, whichever workflows have moved it. Pure text.

use super::procedures::WorksheetObject;

/// The view. Columns and labels are those of the reference tool as far as they mean something without validation, which is
/// not supported yet: its columns are NULL, and what is loaded is `Migrated, not validated` (its registry page, 1.45.2).
/// `s` is the quoted schema.
pub(super) fn view(s: &str) -> WorksheetObject {
    // A dry run moves nothing into the target, and so is nobody's latest migration.
    let query = format!(
        "WITH latest AS (SELECT g.* FROM {s}.TABLE_PROGRESS_WITH_EXAMPLE_ERROR g JOIN {s}.TABLE_STATE t ON t.WORKFLOW_ID = g.WORKFLOW_ID AND t.TABLE_NO = g.TABLE_ID \
         WHERE t.SPEC NOT LIKE '%\"preflight\":{{%' \
         QUALIFY ROW_NUMBER() OVER (PARTITION BY UPPER(g.SOURCE_TABLE) ORDER BY g.WORKFLOW_ID DESC, g.TABLE_ID DESC) = 1), \
         active AS (SELECT WORKFLOW_ID, TABLE_NO, COUNT_IF(STATUS IN ('PENDING', 'CLAIMED')) AS RUNNING, COUNT_IF(STATUS = 'FAILED') AS FAILED, COUNT(*) AS TASKS FROM {s}.TASK_QUEUE GROUP BY WORKFLOW_ID, TABLE_NO), \
         told AS (SELECT l.*, COALESCE(a.RUNNING, 0) AS RUNNING, COALESCE(a.FAILED, 0) AS FAILED_TASKS, COALESCE(a.TASKS, 0) AS TASKS, \
         CASE WHEN l.STATUS IN ('PENDING', 'ANALYZING', 'EXECUTING', 'CANCELLING') THEN IFF(l.STATUS = 'PENDING' AND COALESCE(a.TASKS, 0) = 0, 'No tasks created', 'Tasks running') \
         WHEN l.STATUS = 'COMPLETED' AND l.PARTITIONS_FAILED = 0 AND l.ROWS_LOADED = 0 AND l.PARTITIONS_UNCHANGED = 0 THEN 'No data' ELSE 'Other' END AS LABEL, \
         CASE l.STATUS WHEN 'COMPLETED' THEN 'Migrated, not validated' WHEN 'FAILED' THEN 'Migration failed' WHEN 'CANCELLED' THEN 'Cancelled' WHEN 'PAUSED' THEN 'Paused' ELSE 'Incomplete' END AS DETAIL \
         FROM latest l LEFT JOIN active a ON a.WORKFLOW_ID = l.WORKFLOW_ID AND a.TABLE_NO = l.TABLE_ID) \
         SELECT SOURCE_TABLE AS SOURCE_IDENTIFIER, TARGET_TABLE AS TARGET_IDENTIFIER, LABEL AS STATUS, IFF(LABEL = 'Other', DETAIL, LABEL) AS STATUS_DETAIL, \
         WORKFLOW_ID AS MIGRATION_WORKFLOW_ID, WORKFLOW_NAME AS MIGRATION_WORKFLOW_NAME, TABLE_ID AS MIGRATION_TABLE_ID, STATUS AS MIGRATION_STATUS, \
         PARTITIONS_TOTAL, PARTITIONS_COMPLETED, PARTITIONS_FAILED, ROWS_EXTRACTED, ROWS_LOADED, RUNNING AS MIGRATION_ACTIVE_TASKS, FAILED_TASKS AS MIGRATION_FAILED_TASKS, \
         EXAMPLE_ERROR AS MIGRATION_ERROR_MESSAGE, STARTED_AT, ENDED_AT, \
         CAST(NULL AS NUMBER) AS VALIDATION_WORKFLOW_ID, CAST(NULL AS NUMBER) AS VALIDATION_TABLE_ID, CAST(NULL AS VARCHAR) AS VALIDATION_STATUS, CAST(NULL AS VARCHAR) AS VALIDATION_ERROR_MESSAGE \
         FROM told"
    );
    WorksheetObject {
        kind: "VIEW",
        name: "TABLE_MIGRATION_STATUS".to_owned(),
        head: format!("{s}.TABLE_MIGRATION_STATUS COPY GRANTS"),
        tail: format!("AS {query}"),
    }
}
