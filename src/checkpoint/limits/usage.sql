-- The limits.
SELECT 'L' AS WHAT, RATE_LIMIT_ID AS N, WORKFLOW_ID, 0 AS TABLE_NO, 0 AS PARTITION_NO, SCOPE_PATTERN AS A, ''::VARCHAR AS B, AFFINITY, ''::VARCHAR AS KIND,
TARGET_CONCURRENT_TASKS AS TARGET
FROM {s}.RATE_LIMIT WHERE {is_set}
UNION ALL
-- Whoever has lost a claim by its cancellation reads on until the lease ends, unless it releases it before; the end of a
-- task takes the lease away. A lease that has run out counts no more: its worker has let it go before.
SELECT 'R', 0, q.WORKFLOW_ID, q.TABLE_NO, q.PARTITION_NO, w.NAME, t.SOURCE_TABLE, w.AFFINITY, q.KIND, 0
FROM {s}.TASK_QUEUE q
JOIN {s}.TABLE_STATE t ON t.WORKFLOW_ID = q.WORKFLOW_ID AND t.TABLE_NO = q.TABLE_NO
JOIN {s}.WORKFLOW w ON w.WORKFLOW_ID = q.WORKFLOW_ID
WHERE q.STATUS IN ({claimed}, {cancelled}, {pending})
AND q.LEASE_UNTIL > SYSDATE()
AND {any_set}
UNION ALL
-- A former owner's load counts until whoever takes the workflow has waited for it.
SELECT 'R', t.LOAD_PERMIT, t.WORKFLOW_ID, t.TABLE_NO, NULL, w.NAME, t.SOURCE_TABLE, w.AFFINITY, 'LOAD', 0
FROM {s}.TABLE_STATE t
JOIN {s}.WORKFLOW w ON w.WORKFLOW_ID = t.WORKFLOW_ID
WHERE t.LOAD_PERMIT IS NOT NULL
AND t.PHASE = {executing}
AND w.LEASE_UNTIL > DATEADD('second', -{abandoned}, SYSDATE())
