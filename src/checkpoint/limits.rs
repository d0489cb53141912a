//! Rate limits in the hybrid tables.
//!
//! While there are none, nothing is asked for them: the claim of a task and the first statement of a load carry the
//! condition that there is none, and match no row when that is not so. Then what runs is counted and what may start is
//! chosen in one transaction that locks the limits' rows first, so that no two choose at once.

use super::contract::*;
use super::hybrid::{Cells, HybridCheckpoint, corrupt, parse_kind};
use super::sql::{from_now, text, text_list};
use super::worker_contract::ClaimRequest;
use crate::domain::limits::{Activity, RateLimit, Scope, admit};
use crate::domain::task::TaskKind;
use crate::domain::{ClaimToken, PartitionNo, TableNo, WorkflowId};
use crate::failpoint::Step;
use crate::snowflake::Row;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// After this long without a look, a claim that found nothing is followed by a look for limits.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Tasks that one choice looks at.
const MAX_CANDIDATES: usize = 1_000;
/// Tries to be the one who chooses, and the longest pause between two.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(250);

/// What this process knows of limits. Only a hint: the statements themselves are sure.
#[derive(Debug, Default)]
pub(super) struct KnownLimits(Mutex<Known>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// When it was found that there are none.
    none_at: Option<Instant>,
    /// The last claim found nothing to claim; or something that limits speak of.
    is_empty: bool,
    are_there: bool,
}

impl KnownLimits {
    fn get(&self) -> Known {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn found(&self, any: bool) {
        self.change(|known| {
            known.are_there = any;
            known.is_empty = false;
            known.none_at = (!any).then(Instant::now);
        });
    }

    /// A claim has found nothing, and cannot tell whether that is because of limits.
    pub(super) fn claimed_nothing(&self) {
        self.change(|known| known.is_empty = true);
    }

    /// Whether the next claim has to look first.
    pub(super) fn wants_a_look(&self) -> bool {
        let known = self.get();
        let is_old = || known.none_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        known.are_there || (known.is_empty && is_old())
    }
}

/// What one choice is made of.
struct Picture {
    limits: Vec<RateLimit>,
    running: Vec<Scope>,
    /// Tables whose load is among those that run.
    loads: Vec<(WorkflowId, TableNo)>,
    candidates: Vec<(String, Scope)>,
}

impl Picture {
    fn admitted(&self, most: usize) -> Vec<&str> {
        let wanted: Vec<Scope> = self.candidates.iter().map(|(_, s)| s.clone()).collect();
        admit(&self.limits, &self.running, &wanted, most)
            .into_iter()
            .map(|place| self.candidates[place].0.as_str())
            .collect()
    }
}

impl HybridCheckpoint {
    /// The condition that no limit is set.
    pub(super) fn no_limits(&self) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {}.RATE_LIMIT WHERE {IS_SET})",
            self.s
        )
    }

    /// Claims under limits, if there are any; `None`: there are none, and tasks wait.
    pub(super) async fn claim_within_limits(
        &self,
        request: &ClaimRequest,
        token: ClaimToken,
    ) -> Result<Option<u64>, CheckpointError> {
        let sql = self.picture_sql(Some(request));
        let picture = read(&self.query(&sql).await?)?;
        self.limits.found(!picture.limits.is_empty());
        if picture.limits.is_empty() {
            return Ok((picture.candidates.is_empty()).then_some(0));
        }
        // Without a lock first: most looks find nothing that may start, and those who choose are not to be kept waiting.
        if picture.admitted(request.slots).is_empty() {
            return Ok(Some(0));
        }
        let mut tries = 0;
        loop {
            match self.choose_and_claim(request, token, &sql).await {
                Err(error) if error.is_retryable() && !error.is_unreachable() && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE.mul_f64(rand::random_range(0.1..1.0))).await;
                }
                result => return result.map(Some),
            }
        }
    }

    async fn choose_and_claim(
        &self,
        request: &ClaimRequest,
        token: ClaimToken,
        picture_sql: &str,
    ) -> Result<u64, CheckpointError> {
        let transaction = self.client.begin(Step::LimitBegin).await?;
        let claimed: Result<u64, CheckpointError> = async {
            if transaction
                .execute(Step::LimitLock, &self.lock_limits())
                .await?
                == 0
            {
                return Ok(0);
            }
            let picture = read(&transaction.query(picture_sql).await?)?;
            let chosen = picture.admitted(request.slots);
            if chosen.is_empty() {
                return Ok(0);
            }
            let sql = format!(
                "{} WHERE TASK_ID IN {} AND STATUS = 'PENDING'",
                self.claim_sql(request, token),
                text_list(chosen)
            );
            Ok(transaction.execute(Step::LimitClaim, &sql).await?)
        }
        .await;
        // In doubt, the claims run out with their leases, as after any lost reply.
        transaction
            .end(Step::LimitCommit, claimed, |claimed| *claimed > 0)
            .await
    }

    /// Whether a load of this table may start. Nothing is asked while no limit is known; a load that begins although one
    /// is set finds its first statement without effect ([`Self::limits_are_set`] tells). One statement while limits
    /// forbid it, a transaction of four when they do not.
    ///
    /// # Errors
    /// [`CheckpointError::Fenced`], or why Snowflake cannot be asked.
    pub async fn admit_load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        source: &str,
    ) -> Result<bool, CheckpointError> {
        if !self.limits.get().are_there {
            return Ok(true);
        }
        let scope = Scope {
            workflow_id: owned.id,
            workflow: owned.name.clone(),
            affinity: owned.affinity.clone(),
            table: source.to_owned(),
            partition: None,
            activity: Activity::Loading,
        };
        let may = |picture: &Picture| {
            picture.loads.contains(&(owned.id, table_no))
                || !admit(
                    &picture.limits,
                    &picture.running,
                    std::slice::from_ref(&scope),
                    1,
                )
                .is_empty()
        };
        let sql = self.picture_sql(None);
        let picture = read(&self.query(&sql).await?)?;
        self.limits.found(!picture.limits.is_empty());
        if picture.limits.is_empty() || picture.loads.contains(&(owned.id, table_no)) {
            return Ok(true);
        }
        if !may(&picture) {
            return Ok(false);
        }
        let transaction = self.client.begin(Step::LimitBegin).await?;
        let admitted: Result<bool, CheckpointError> = async {
            transaction.execute(Step::LimitLock, &self.lock_limits()).await?;
            if !may(&read(&transaction.query(&sql).await?)?) {
                return Ok(false);
            }
            let permit = format!(
                "UPDATE {}.TABLE_STATE SET LOAD_PERMIT = OWNER_EPOCH WHERE WORKFLOW_ID = {} AND TABLE_NO = {table_no} AND OWNER_EPOCH = {}",
                self.s, owned.id, owned.epoch
            );
            if transaction.execute(Step::LimitPermit, &permit).await? == 0 {
                return Err(CheckpointError::Fenced(owned.id));
            }
            Ok(true)
        }
        .await;
        transaction.end(Step::LimitCommit, admitted, |it| *it).await
    }

    /// Ends a load that was not committed; one that was has ended its permit itself. No statement while no limit is
    /// known.
    pub async fn end_load(&self, owned: &OwnedWorkflow, table_no: TableNo) {
        if !self.limits.get().are_there {
            return;
        }
        let sql = format!(
            "UPDATE {}.TABLE_STATE SET LOAD_PERMIT = NULL WHERE WORKFLOW_ID = {} AND TABLE_NO = {table_no} AND LOAD_PERMIT = {}",
            self.s, owned.id, owned.epoch
        );
        if let Err(error) = self.execute(Step::LimitReturn, &sql).await {
            tracing::warn!(workflow = %owned.name, %error, "a load's permit could not be given back; it counts as running until the table is loaded again");
        }
    }

    /// Whether limits are set. One statement.
    ///
    /// # Errors
    /// When Snowflake cannot be asked.
    pub async fn limits_are_set(&self) -> Result<bool, CheckpointError> {
        let sql = format!("SELECT COUNT(*) FROM {}.RATE_LIMIT WHERE {IS_SET}", self.s);
        let rows = self.query(&sql).await?;
        let count: u64 = rows.first().map_or(Ok(0), |row| Cells(row, 0).number())?;
        self.limits.found(count > 0);
        Ok(count > 0)
    }

    fn lock_limits(&self) -> String {
        format!(
            "UPDATE {}.RATE_LIMIT SET NUM_CHECKS = COALESCE(NUM_CHECKS, 0) + 1 WHERE {IS_SET}",
            self.s
        )
    }

    /// The limits; what runs, unless there are none; and the tasks that `request` could claim.
    fn picture_sql(&self, request: Option<&ClaimRequest>) -> String {
        let s = &self.s;
        let mut parts = vec![
            format!(
                "SELECT 'L' AS WHAT, RATE_LIMIT_ID AS N, WORKFLOW_ID, 0 AS TABLE_NO, 0 AS PARTITION_NO, SCOPE_PATTERN AS A, ''::VARCHAR AS B, AFFINITY, ''::VARCHAR AS KIND, TARGET_CONCURRENT_TASKS AS TARGET FROM {s}.RATE_LIMIT WHERE {IS_SET}"
            ),
            // A claim that has run out counts no more: its worker has cancelled it.
            format!(
                "SELECT 'R', 0, q.WORKFLOW_ID, q.TABLE_NO, q.PARTITION_NO, w.NAME, t.SOURCE_TABLE, w.AFFINITY, q.KIND, 0 {FROM_TASKS} WHERE q.STATUS = 'CLAIMED' AND q.LEASE_UNTIL > SYSDATE() AND NOT {none}",
                none = self.no_limits(),
            )
            .replace("{s}", s),
            format!(
                "SELECT 'R', 0, t.WORKFLOW_ID, t.TABLE_NO, NULL, w.NAME, t.SOURCE_TABLE, w.AFFINITY, 'LOAD', 0 FROM {s}.TABLE_STATE t JOIN {s}.WORKFLOW w ON w.WORKFLOW_ID = t.WORKFLOW_ID WHERE t.LOAD_PERMIT = w.OWNER_EPOCH AND w.LEASE_UNTIL > SYSDATE()"
            ),
        ];
        if let Some(request) = request {
            // A few of each table, so that the tasks of one that waits do not hide the others'.
            parts.push(
                format!(
                    "SELECT 'C', c.N, c.WORKFLOW_ID, c.TABLE_NO, c.PARTITION_NO, c.NAME, c.TASK_ID || ' ' || c.SOURCE_TABLE, c.AFFINITY, c.KIND, 0 FROM \
                     (SELECT q.TASK_ID, q.WORKFLOW_ID, q.TABLE_NO, q.PARTITION_NO, w.NAME, t.SOURCE_TABLE, w.AFFINITY, q.KIND, ROW_NUMBER() OVER (ORDER BY q.PRIORITY, q.WORKFLOW_ID, q.TABLE_NO, q.TASK_ID) AS N \
                     {FROM_TASKS} WHERE q.TASK_ID IN (SELECT TASK_ID FROM {{s}}.TASK_QUEUE q WHERE {claimable}) \
                     QUALIFY ROW_NUMBER() OVER (PARTITION BY q.WORKFLOW_ID, q.TABLE_NO ORDER BY q.PRIORITY, q.TASK_ID) <= {limit} ORDER BY N LIMIT {MAX_CANDIDATES}) c",
                    claimable = self.claimable(request),
                    limit = request.limit,
                )
                .replace("{s}", s),
            );
        }
        parts.join(" UNION ALL ")
    }

    /// The claim up to its condition.
    pub(super) fn claim_sql(&self, request: &ClaimRequest, token: ClaimToken) -> String {
        format!(
            "UPDATE {s}.TASK_QUEUE SET STATUS = 'CLAIMED', WORKER_ID = {worker}, CLAIM_TOKEN = '{token}', LEASE_UNTIL = {lease}, ATTEMPT = ATTEMPT + 1, \
             CLAIMED_AT = SYSDATE(), ROWS_DONE = 0, BYTES_DONE = 0",
            s = self.s,
            worker = text(&request.worker),
            lease = from_now(request.lease),
        )
    }
}

const IS_SET: &str = "COALESCE(ENABLED, TRUE)";
const FROM_TASKS: &str = "FROM {s}.TASK_QUEUE q JOIN {s}.TABLE_STATE t ON t.WORKFLOW_ID = q.WORKFLOW_ID AND t.TABLE_NO = q.TABLE_NO JOIN {s}.WORKFLOW w ON w.WORKFLOW_ID = q.WORKFLOW_ID";

fn read(rows: &[Row]) -> Result<Picture, CheckpointError> {
    let mut picture = Picture {
        limits: Vec::new(),
        running: Vec::new(),
        loads: Vec::new(),
        candidates: Vec::new(),
    };
    let mut candidates: Vec<(u64, String, Scope)> = Vec::new();
    for row in rows {
        let mut c = Cells(row, 0);
        let (what, n) = (c.text()?, c.number::<u64>()?);
        let workflow_id = c.number_opt().map(WorkflowId);
        let table_no = TableNo(c.number()?);
        let partition: Option<u32> = c.number_opt();
        let (a, b) = (c.text()?, c.text_opt().unwrap_or_default());
        let (affinity, kind) = (c.text_opt(), c.text_opt().unwrap_or_default());
        if what == "L" {
            let target: i64 = c.number()?;
            picture.limits.push(RateLimit {
                pattern: a,
                workflow_id,
                affinity,
                target: u32::try_from(target.max(0)).unwrap_or(u32::MAX),
            });
            continue;
        }
        let workflow_id = workflow_id.ok_or_else(|| corrupt("a task", "it has no workflow"))?;
        let activity = match kind.as_str() {
            "LOAD" => Activity::Loading,
            kind => match parse_kind(kind)? {
                TaskKind::Analyze => Activity::Analysis,
                TaskKind::Extract => Activity::Extraction,
            },
        };
        let (task_id, table) = match what.as_str() {
            "C" => b.split_once(' ').unwrap_or_default(),
            _ => ("", b.as_str()),
        };
        let scope = Scope {
            workflow_id,
            workflow: a,
            affinity,
            table: table.to_owned(),
            partition: partition.map(PartitionNo),
            activity,
        };
        match what.as_str() {
            "C" => candidates.push((n, task_id.to_owned(), scope)),
            _ => {
                if activity == Activity::Loading {
                    picture.loads.push((workflow_id, table_no));
                }
                picture.running.push(scope);
            }
        }
    }
    candidates.sort_by_key(|(n, ..)| *n);
    picture.candidates = candidates
        .into_iter()
        .map(|(_, task_id, scope)| (task_id, scope))
        .collect();
    Ok(picture)
}
