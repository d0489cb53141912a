//! What a worker asks of the hybrid tables.

use super::cells::{Cells, parse_kind, parse_platform};
use super::claim::{TASK_ORDER, claim_sql, claimable};
use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::phase_sql::{TASK_CLAIMED, TASK_COMPLETED, TASK_FAILED, TASK_PENDING};
use super::sql::{bound_values, from_now, list_of, marks, text, text_list, text_opt, values};
use super::worker_contract::*;
use crate::domain::table_plan::TablePlan;
use crate::domain::task::{ClaimedTask, TaskEnd, TaskOutcome};
use crate::domain::{Attempt, ClaimToken, PartitionNo, TableNo, WorkflowId};
use crate::failpoint::Step;
use crate::snowflake::{Bind, Row, Statement};
use async_trait::async_trait;
use std::collections::HashMap;
use std::time::Duration;

impl HybridCheckpoint {
    /// In one statement: what is chosen by one and taken by the next, all other workers choose as well in the meantime. An index
    /// does not serve `IN (SELECT …)`, but it does serve the condition on `STATUS` beside it, so that only tasks that wait are
    /// read, and of those there are never more than the windows of the tables at work.
    async fn claim_without_limits(
        &self,
        request: &ClaimRequest,
        token: ClaimToken,
    ) -> Result<u64, CheckpointError> {
        let (claim, binds) = claim_sql(&self.s, request, token);
        let claim = format!(
            "{claim} WHERE TASK_ID IN (SELECT q.TASK_ID FROM {s}.TASK_QUEUE q JOIN {s}.WORKFLOW w ON w.WORKFLOW_ID = q.WORKFLOW_ID WHERE {claimable} ORDER BY {TASK_ORDER} LIMIT {limit}) \
             AND STATUS = {TASK_PENDING} AND {no_limits}",
            s = self.s,
            claimable = claimable(&self.s, request),
            limit = request.limit,
            no_limits = self.limits().none_set(),
        );
        // A lost reply loses at most a lease's time: the claim is never repeated under another token.
        let claim = Statement::bound(claim, binds);
        let claimed = self.client.execute(Step::TaskClaim, claim).await?;
        if claimed == 0 {
            self.limits().claimed_nothing();
        }
        Ok(claimed)
    }
}

#[async_trait]
impl WorkerCheckpoint for HybridCheckpoint {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedTask>, CheckpointError> {
        let s = &self.s;
        let token = ClaimToken::generate();
        let claimed = match self.limits().claim(request, token).await? {
            Some(claimed) => claimed,
            None => self.claim_without_limits(request, token).await?,
        };
        if claimed == 0 {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT TASK_ID, KIND, WORKFLOW_ID, TABLE_NO, PARTITION_NO, KEY_RANGE, ATTEMPT, FAILURES, COALESCE(POSTPONED, 0), SOURCE_PLATFORM FROM {s}.TASK_QUEUE WHERE CLAIM_TOKEN = ?"
        );
        let sql = Statement::bound(sql, vec![Bind::from(token.to_string().as_str())]);
        let read = |row: &Row| {
            let mut c = Cells(row, 0);
            Ok(ClaimedTask {
                task_id: c.text()?,
                kind: parse_kind(&c.text()?)?,
                workflow_id: WorkflowId(c.number()?),
                table_no: TableNo(c.number()?),
                partition_no: c.number_opt().map(PartitionNo),
                slice: c.json_opt()?,
                attempt: Attempt(c.number()?),
                failures: c.number()?,
                postponed: c.number()?,
                token,
                platform: parse_platform(&c.text()?)?,
            })
        };
        self.query(sql).await?.iter().map(read).collect()
    }

    async fn table_work(
        &self,
        tables: &[(WorkflowId, TableNo)],
    ) -> Result<Vec<TableWork>, CheckpointError> {
        let keys: Vec<String> = tables
            .iter()
            .map(|(id, no)| format!("(t.WORKFLOW_ID = {id} AND t.TABLE_NO = {no})"))
            .collect();
        let sql = format!(
            "SELECT t.WORKFLOW_ID, w.NAME, t.TABLE_NO, t.SPEC, t.EXTRACTION FROM {s}.TABLE_STATE t JOIN {s}.WORKFLOW w ON w.WORKFLOW_ID = t.WORKFLOW_ID WHERE {}",
            keys.join(" OR "),
            s = self.s
        );
        let read = |row: &Row| {
            let mut c = Cells(row, 0);
            Ok(TableWork {
                workflow_id: WorkflowId(c.number()?),
                workflow_name: c.text()?,
                table_no: TableNo(c.number()?),
                spec: c.json()?,
                extract: c.json_opt::<TablePlan>()?.map(|plan| plan.extract),
                previous: None,
            })
        };
        let mut work: Vec<TableWork> = self
            .query(&sql)
            .await?
            .iter()
            .map(read)
            .collect::<Result<_, CheckpointError>>()?;
        for table in &mut work {
            if table.extract.is_none() && table.spec.synchronization.is_stateful() {
                table.previous = self
                    .sync_snapshot(table.workflow_id, table.table_no)
                    .await?;
            }
        }
        Ok(work)
    }

    async fn renew(
        &self,
        leases: &[LeaseRenewal],
        lease: Duration,
    ) -> Result<Vec<String>, CheckpointError> {
        let rows = leases.iter().flat_map(|l| {
            [
                Bind::from(l.task_id.as_str()),
                Bind::from(l.token.to_string().as_str()),
                Bind::from(l.rows),
                Bind::from(l.bytes),
            ]
        });
        let ids = leases.iter().map(|l| Bind::from(l.task_id.as_str()));
        let binds: Vec<Bind> = rows.chain(ids).collect();
        let sql = format!(
            "UPDATE {s}.TASK_QUEUE q SET LEASE_UNTIL = {}, ROWS_DONE = v.R, BYTES_DONE = v.B FROM ({}) v WHERE q.TASK_ID = v.I AND q.CLAIM_TOKEN = v.C AND q.STATUS = {TASK_CLAIMED} AND q.TASK_ID IN {}",
            from_now(lease),
            bound_values(&["I", "C", "R", "B"], leases.len()),
            marks(leases.len()),
            s = self.s
        );
        let sql = Statement::bound(sql, binds);
        if self.execute(Step::TaskRenew, sql).await? == leases.len() as u64 {
            return Ok(Vec::new());
        }
        let ids = text_list(leases.iter().map(|l| l.task_id.as_str()));
        let held: HashMap<String, String> = self
            .query(&format!("SELECT TASK_ID, CLAIM_TOKEN FROM {}.TASK_QUEUE WHERE TASK_ID IN {ids} AND STATUS = {TASK_CLAIMED} AND CLAIM_TOKEN IS NOT NULL", self.s))
            .await?
            .iter()
            .map(|row| {
                let mut c = Cells(row, 0);
                Ok::<_, CheckpointError>((c.text()?, c.text()?))
            })
            .collect::<Result<_, _>>()?;
        Ok(leases
            .iter()
            .filter(|l| held.get(&l.task_id) != Some(&l.token.to_string()))
            .map(|l| l.task_id.clone())
            .collect())
    }

    async fn finish(&self, ends: &[TaskEnd]) -> Result<Vec<Applied>, CheckpointError> {
        let ids = ends.iter().map(|end| Bind::from(end.task_id.as_str()));
        let binds: Vec<Bind> = ends.iter().flat_map(end_values).chain(ids).collect();
        // The token stays with a task that has ended, so that a repetition after a lost reply recognizes itself. The lease goes:
        // with a cancelled task it stays, because its worker may go on until then.
        let sql = format!(
            "UPDATE {s}.TASK_QUEUE q SET STATUS = v.S, RESULT = v.R, ERROR = v.E, FAILURES = q.FAILURES + v.F, POSTPONED = COALESCE(q.POSTPONED, 0) + v.P, NOT_BEFORE = DATEADD('millisecond', v.D, SYSDATE()), \
             ROWS_DONE = v.N, BYTES_DONE = v.B, LEASE_UNTIL = NULL, ENDED_AT = IFF(v.S IN ({TASK_COMPLETED}, {TASK_FAILED}), SYSDATE(), NULL) \
             FROM ({}) v WHERE q.TASK_ID = v.I AND q.CLAIM_TOKEN = v.C AND q.STATUS = {TASK_CLAIMED} AND q.TASK_ID IN {}",
            bound_values(
                &["I", "C", "S", "R", "E", "F", "P", "D", "N", "B"],
                ends.len()
            ),
            marks(ends.len()),
            s = self.s
        );
        let sql = Statement::bound(sql, binds);
        if self.execute(Step::TaskFinish, sql).await? == ends.len() as u64 {
            return Ok(vec![Applied::Yes; ends.len()]);
        }
        let ids = text_list(ends.iter().map(|end| end.task_id.as_str()));
        let stored: HashMap<String, (String, Option<String>)> = self
            .query(&format!(
                "SELECT TASK_ID, STATUS, CLAIM_TOKEN FROM {}.TASK_QUEUE WHERE TASK_ID IN {ids}",
                self.s
            ))
            .await?
            .iter()
            .map(|row| {
                let mut c = Cells(row, 0);
                Ok::<_, CheckpointError>((c.text()?, (c.text()?, c.text_opt())))
            })
            .collect::<Result<_, _>>()?;
        let applied = ends.iter().map(|end| match stored.get(&end.task_id) {
            Some((status, Some(token)))
                if *token == end.token.to_string() && status != "CLAIMED" =>
            {
                Applied::Yes
            }
            _ => Applied::No,
        });
        let applied: Vec<Applied> = applied.collect();
        // A claim that was cancelled counts as running until its lease ends: here it does. No other claim has its number.
        let cancelled: Vec<_> = ends
            .iter()
            .zip(&applied)
            .filter(|(end, applied)| {
                let is_free = matches!(stored.get(&end.task_id), Some((_, None)));
                **applied == Applied::No && is_free
            })
            .map(|(end, _)| vec![text(&end.task_id), end.attempt.to_string()])
            .collect();
        if !cancelled.is_empty() {
            let sql = format!(
                "UPDATE {s}.TASK_QUEUE q SET LEASE_UNTIL = NULL FROM ({}) v WHERE q.TASK_ID = v.I AND q.ATTEMPT = v.A AND q.CLAIM_TOKEN IS NULL AND q.TASK_ID IN {}",
                values(&["I", "A"], &cancelled),
                list_of(&cancelled, 0),
                s = self.s
            );
            self.execute(Step::TaskFinish, &sql).await?;
        }
        Ok(applied)
    }

    async fn heartbeat(&self, worker: &WorkerInfo) -> Result<(), CheckpointError> {
        let row = vec![
            text(&worker.worker),
            text_opt(worker.affinity.as_deref()),
            text(&worker.version),
            worker.running.to_string(),
            worker.capacity.to_string(),
            format!("{:.1}", worker.rows_per_second),
        ];
        self.execute(Step::WorkerHeartbeat, &format!(
            "MERGE INTO {s}.WORKER w USING ({}) v ON w.WORKER_ID = v.W \
             WHEN MATCHED THEN UPDATE SET RUNNING = v.R, CAPACITY = v.C, ROWS_PER_SECOND = v.P, LAST_SEEN = SYSDATE() \
             WHEN NOT MATCHED THEN INSERT (WORKER_ID, AFFINITY, VERSION, RUNNING, CAPACITY, ROWS_PER_SECOND) VALUES (v.W, v.A, v.V, v.R, v.C, v.P)",
            values(&["W", "A", "V", "R", "C", "P"], &[row]),
            s = self.s
        ))
        .await?;
        Ok(())
    }

    async fn forget_workers(&self, silent_for: Duration) -> Result<(), CheckpointError> {
        let sql = format!(
            "DELETE FROM {}.WORKER WHERE LAST_SEEN < DATEADD('second', -{}, SYSDATE())",
            self.s,
            silent_for.as_secs()
        );
        self.execute(Step::WorkerSignOff, &sql).await?;
        Ok(())
    }

    async fn sign_off(&self, worker: &str) -> Result<(), CheckpointError> {
        self.execute(
            Step::WorkerSignOff,
            &format!(
                "DELETE FROM {}.WORKER WHERE WORKER_ID = {}",
                self.s,
                text(worker)
            ),
        )
        .await?;
        Ok(())
    }
}

/// Task, token, status, result, error, failures and postponements to add, delay in milliseconds, rows, bytes.
fn end_values(end: &TaskEnd) -> [Bind; 10] {
    let (status, result, error, failures, delay, rows, bytes) = match &end.outcome {
        TaskOutcome::Completed {
            result,
            rows,
            bytes,
        } => (
            "COMPLETED",
            Some(result.as_str()),
            None,
            0_u64,
            0,
            *rows,
            *bytes,
        ),
        TaskOutcome::Failed {
            failure,
            retry_after: Some(delay),
        } => (
            "PENDING",
            None,
            Some(failure.message.as_str()),
            1,
            delay.as_millis(),
            0,
            0,
        ),
        TaskOutcome::Failed {
            failure,
            retry_after: None,
        } => ("FAILED", None, Some(failure.message.as_str()), 1, 0, 0, 0),
        TaskOutcome::Postponed {
            failure,
            retry_after,
        } => (
            "PENDING",
            None,
            Some(failure.message.as_str()),
            0,
            retry_after.as_millis(),
            0,
            0,
        ),
        TaskOutcome::HandedBack => ("PENDING", None, None, 0, 0, 0, 0),
    };
    let is_postponed = matches!(end.outcome, TaskOutcome::Postponed { .. });
    [
        Bind::from(end.task_id.as_str()),
        Bind::from(end.token.to_string().as_str()),
        Bind::from(status),
        Bind::from(result),
        Bind::from(error),
        Bind::from(failures),
        Bind::from(u64::from(is_postponed)),
        Bind::from(u64::try_from(delay).unwrap_or(u64::MAX)),
        Bind::from(rows),
        Bind::from(bytes),
    ]
}
