//! What must hold when a workflow is complete, and at the end.

use crate::journal::Journal;
use crate::site::{Client, METADATA};

/// Checks a complete workflow's checkpoint and what it may have left.
///
/// # Errors
/// That Snowflake did not answer.
pub fn check_workflow(account: &mut Client, name: &str, journal: &Journal) -> Result<(), String> {
    let s = format!("{METADATA}.DATA_MIGRATION");
    let id = account.number(&format!(
        "SELECT WORKFLOW_ID FROM {s}.WORKFLOW WHERE NAME = '{name}'"
    ))?;
    for (what, query) in [
        (
            "the workflow has an owner or an error",
            format!(
                "{s}.WORKFLOW WHERE WORKFLOW_ID = {id} AND (OWNER IS NOT NULL OR ERROR IS NOT NULL)"
            ),
        ),
        (
            "tables that are not complete",
            format!("{s}.TABLE_STATE WHERE WORKFLOW_ID = {id} AND PHASE <> 'COMPLETED'"),
        ),
        (
            "partitions in an open or failed phase",
            format!(
                "{s}.\"PARTITION\" WHERE WORKFLOW_ID = {id} AND PHASE NOT IN ('LOADED', 'UNCHANGED')"
            ),
        ),
        (
            "partitions with other rows loaded than staged",
            format!(
                "{s}.\"PARTITION\" WHERE WORKFLOW_ID = {id} AND PHASE = 'LOADED' AND ROWS_LOADED <> ROWS_STAGED AND NOT CONTAINS(KEY_RANGE, '\"content\":\"keys\"')"
            ),
        ),
        (
            "tasks that are not complete, or not collected",
            format!(
                "{s}.TASK_QUEUE WHERE WORKFLOW_ID = {id} AND (STATUS <> 'COMPLETED' OR COLLECTED_AT IS NULL)"
            ),
        ),
        (
            "errors",
            format!("{s}.DATA_MIGRATION_ERROR WHERE WORKFLOW_ID = {id}"),
        ),
    ] {
        let found = account.number(&format!("SELECT COUNT(*) FROM {query}"))?;
        if found > 0 {
            let (_, condition) = query.split_once(' ').unwrap_or_default();
            let rows = account.rows(&format!("SELECT * FROM {query} LIMIT 3"))?;
            journal.finding(&format!(
                "{name} ({id}): {what}: {found} ({condition}): {rows:?}"
            ));
        }
    }
    let moved = account.number(&format!(
        "SELECT COALESCE(SUM(ROWS_LOADED), 0) FROM {s}.\"PARTITION\" WHERE WORKFLOW_ID = {id}"
    ))?;
    let partitions = account.number(&format!(
        "SELECT COUNT(*) FROM {s}.\"PARTITION\" WHERE WORKFLOW_ID = {id}"
    ))?;
    let attempts = account.number(&format!(
        "SELECT SUM(ATTEMPT) - COUNT(*) FROM {s}.TASK_QUEUE WHERE WORKFLOW_ID = {id}"
    ))?;
    let tables = account.number(&format!(
        "SELECT COUNT(*) FROM {s}.TABLE_STATE WHERE WORKFLOW_ID = {id}"
    ))?;
    // Each taking adds one of these, and something of its own below.
    let epochs = account.number(&format!(
        "SELECT OWNER_EPOCH FROM {s}.WORKFLOW WHERE WORKFLOW_ID = {id}"
    ))?;
    for (what, number) in [
        ("workflows run to their end", 1),
        ("tables run to their end", tables),
        ("partitions", partitions),
        ("rows moved", moved),
        ("tasks claimed again", attempts),
        ("workflows taken over", (epochs >> 40).saturating_sub(1)),
    ] {
        journal.count(what, number);
    }
    journal.event(&format!(
        "{name} ({id}) is complete: {partitions} partitions, {moved} rows, {attempts} tasks claimed again, epoch {epochs}"
    ));
    Ok(())
}

/// Checks, when all processes have ended, that nothing is left anywhere.
///
/// # Errors
/// That Snowflake did not answer.
pub fn check_the_end(account: &mut Client, journal: &Journal) -> Result<(), String> {
    let s = format!("{METADATA}.DATA_MIGRATION");
    for (what, query) in [
        (
            "workflows that are not complete",
            format!(
                "SELECT NAME, STATUS, OWNER FROM {s}.WORKFLOW WHERE STATUS <> 'COMPLETED' OR OWNER IS NOT NULL"
            ),
        ),
        (
            "open tasks",
            format!(
                "SELECT TASK_ID, STATUS, ATTEMPT, WORKER_ID, ERROR FROM {s}.TASK_QUEUE WHERE STATUS NOT IN ('COMPLETED', 'FAILED') OR COLLECTED_AT IS NULL"
            ),
        ),
        (
            "staging tables",
            format!(
                "SELECT TABLE_NAME FROM {METADATA}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'DATA_MIGRATION' AND STARTSWITH(TABLE_NAME, 'STAGING')"
            ),
        ),
        ("staged files", format!("LIST @{s}.TASK_RESULTS")),
        (
            "partitions loaded of a table that is not there",
            format!(
                "SELECT p.WORKFLOW_ID FROM {s}.\"PARTITION\" p LEFT JOIN {s}.TABLE_STATE t ON t.WORKFLOW_ID = p.WORKFLOW_ID AND t.TABLE_NO = p.TABLE_NO WHERE t.PHASE IS NULL"
            ),
        ),
    ] {
        let rows = account.rows(&query)?;
        if !rows.is_empty() {
            journal.finding(&format!(
                "at the end: {what}: {}: {:?}",
                rows.len(),
                &rows[..rows.len().min(5)]
            ));
        }
    }
    let left = account.number(&format!("SELECT COUNT(*) FROM {s}.WORKER"))?;
    journal.count("rows of killed workers that are left in WORKER", left);
    Ok(())
}

/// What a workflow that does not end looks like.
pub fn describe_stuck(account: &mut Client, name: &str) -> String {
    let s = format!("{METADATA}.DATA_MIGRATION");
    let of =
        format!("WHERE WORKFLOW_ID = (SELECT WORKFLOW_ID FROM {s}.WORKFLOW WHERE NAME = '{name}')");
    let mut text = String::new();
    for query in [
        format!(
            "SELECT WORKFLOW_ID, STATUS, OWNER, OWNER_EPOCH, LEASE_UNTIL, SYSDATE() FROM {s}.WORKFLOW WHERE NAME = '{name}'"
        ),
        format!("SELECT TABLE_NO, PHASE, ERROR FROM {s}.TABLE_STATE {of}"),
        format!("SELECT TABLE_NO, PHASE, COUNT(*) FROM {s}.\"PARTITION\" {of} GROUP BY 1, 2"),
        format!(
            "SELECT TASK_ID, STATUS, ATTEMPT, FAILURES, WORKER_ID, LEASE_UNTIL, NOT_BEFORE, ERROR FROM {s}.TASK_QUEUE {of} AND STATUS <> 'COMPLETED'"
        ),
    ] {
        text += &format!("{:?}\n", account.rows(&query));
    }
    text
}
