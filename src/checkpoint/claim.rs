//! Pieces of the statements that claim tasks. Pure.

use super::phase_sql::{TASK_CLAIMED, TASK_PENDING};
use super::sql::{from_now, text, text_list};
use super::worker_contract::ClaimRequest;
use crate::domain::ClaimToken;
use crate::snowflake::Bind;

/// The order in which tasks are taken: `q` a task, `w` its workflow. Ids of workflows are not in the order of their creation:
/// AUTOINCREMENT of a hybrid table is NOORDER.
pub(super) const TASK_ORDER: &str =
    "q.PRIORITY, w.CREATED_AT, q.WORKFLOW_ID, q.TABLE_NO, q.TASK_ID";

/// The condition that neither the workflow nor the table of a task `q` is paused or cancelled.
fn not_held(s: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM {s}.WORKFLOW_REQUEST x WHERE x.WORKFLOW_ID = q.WORKFLOW_ID AND x.REQUEST IN ('PAUSE', 'CANCEL')) \
         AND NOT EXISTS (SELECT 1 FROM {s}.TABLE_REQUEST r WHERE r.WORKFLOW_ID = q.WORKFLOW_ID AND r.TABLE_NO = q.TABLE_NO AND r.REQUEST IN ('PAUSE', 'CANCEL'))"
    )
}

/// The condition of a task `q` that the worker may claim. One that was cancelled and is to run again may still be
/// running under its old lease.
pub(super) fn claimable(s: &str, request: &ClaimRequest) -> String {
    let affinity = request.affinity.as_deref().map_or_else(String::new, |a| {
        format!(" AND (q.AFFINITY IS NULL OR q.AFFINITY = {})", text(a))
    });
    let platforms = text_list(request.platforms.iter().map(|platform| platform.as_str()));
    format!(
        "q.STATUS = {TASK_PENDING} AND (q.NOT_BEFORE IS NULL OR q.NOT_BEFORE <= SYSDATE()) AND (q.LEASE_UNTIL IS NULL OR q.LEASE_UNTIL <= SYSDATE()) AND q.SOURCE_PLATFORM IN {platforms}{affinity} AND {}",
        not_held(s)
    )
}

/// The claim up to its condition, and its values so far.
pub(super) fn claim_sql(s: &str, request: &ClaimRequest, token: ClaimToken) -> (String, Vec<Bind>) {
    let sql = format!(
        "UPDATE {s}.TASK_QUEUE SET STATUS = {TASK_CLAIMED}, WORKER_ID = ?, CLAIM_TOKEN = ?, LEASE_UNTIL = {lease}, ATTEMPT = ATTEMPT + 1, \
         CLAIMED_AT = SYSDATE(), ROWS_DONE = 0, BYTES_DONE = 0",
        lease = from_now(request.lease),
    );
    let token = token.to_string();
    (
        sql,
        vec![
            Bind::from(request.worker.as_str()),
            Bind::from(token.as_str()),
        ],
    )
}
