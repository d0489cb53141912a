//! Rate limits in the hybrid tables: what may start is asked of the [`Limiter`].
//!
//! While there are none, nothing is asked for them: the claim of a task and the first statement of a load carry the
//! condition that there is none, and match no row when that is not so. Then what runs is counted and what may start is
//! chosen in one transaction that locks the limits' rows first, so that no two choose at once. What counts is in
//! `usage`; loads are admitted in `load_permit`.

mod known;
mod load_permit;
mod unreturned;
mod usage;

pub use load_permit::Admission;

use super::cells::Cells;
use super::claim::claim_sql;
use super::contract::CheckpointError;
use super::sql::marks;
use super::statements::Statements;
use super::worker_contract::ClaimRequest;
use crate::checkpoint::phase_sql::TASK_PENDING;
use crate::domain::ClaimToken;
use crate::domain::retry::{Failure, RetryPolicy};
use crate::failpoint::Step;
use crate::retry::retry;
use crate::snowflake::{Bind, Statement};
use known::KnownLimits;
use std::sync::Arc;
use unreturned::UnreturnedPermits;
use usage::{IS_SET, LimitUsage};

/// Asks whether rate limits allow tasks and loads to start. Cheap to clone; the clones share what they know.
#[derive(Clone)]
pub struct Limiter {
    statements: Statements,
    known: Arc<KnownLimits>,
    /// Permits of loads that have ended, until they can be returned.
    unreturned: Arc<UnreturnedPermits>,
}

impl Limiter {
    pub(super) fn new(statements: Statements) -> Self {
        Self {
            statements,
            known: Arc::default(),
            unreturned: Arc::default(),
        }
    }

    fn s(&self) -> &str {
        &self.statements.s
    }

    /// The condition that a limit is set.
    fn any_set(&self) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {}.RATE_LIMIT WHERE {IS_SET})",
            self.s()
        )
    }

    /// The condition that no limit is set.
    pub(super) fn none_set(&self) -> String {
        format!("NOT {}", self.any_set())
    }

    /// A claim without limits has found nothing, and cannot tell whether that is because of limits.
    pub(super) fn claimed_nothing(&self) {
        self.known.claimed_nothing();
    }

    /// Whether limits are set. One statement.
    ///
    /// # Errors
    /// When Snowflake cannot be asked.
    pub async fn are_set(&self) -> Result<bool, CheckpointError> {
        let sql = format!(
            "SELECT COUNT(*) FROM {}.RATE_LIMIT WHERE {IS_SET}",
            self.s()
        );
        let rows = self.statements.query(&sql).await?;
        let count: u64 = rows.first().map_or(Ok(0), |row| Cells(row, 0).number())?;
        self.known.found(count > 0);
        Ok(count > 0)
    }

    async fn usage(&self, sql: &str) -> Result<LimitUsage, CheckpointError> {
        LimitUsage::read(&self.statements.query(sql).await?)
    }

    /// Claims under limits, and answers how many tasks; `None`: as far as is known, there are no limits. No statement while
    /// that is fresh; else one or two, and a transaction where something may start.
    pub(super) async fn claim(
        &self,
        request: &ClaimRequest,
        token: ClaimToken,
    ) -> Result<Option<u64>, CheckpointError> {
        if !self.known.is_stale() {
            return Ok(None);
        }
        let mut sql = self.usage_sql(Some(request), &[]);
        let usage = self.usage(&sql).await?;
        self.known.found(!usage.limits.is_empty());
        if usage.limits.is_empty() {
            return Ok((usage.candidates.is_empty()).then_some(0));
        }
        // Without a lock first: most looks find nothing that may start, and those who choose are not to be kept waiting.
        if usage.admitted(request.slots).is_empty() {
            if request.slots == 0 || !usage.may_hide_others(request.limit) {
                return Ok(Some(0));
            }
            // The first tasks are all forbidden. Of those behind them, the first that no full limit matches may start.
            sql = self.usage_sql(Some(request), &usage.full());
            if self.usage(&sql).await?.admitted(request.slots).is_empty() {
                return Ok(Some(0));
            }
        }
        // Others choose too, and lock the limits' rows. An outage is the caller's to wait for.
        let failure = |error: &CheckpointError| match error.failure() {
            Failure::Outage => Failure::Permanent,
            failure => failure,
        };
        let choice = || self.choose_and_claim(request, token, &sql);
        retry(RetryPolicy::LIMITS, choice, failure, |_, _| {})
            .await
            .map(Some)
    }

    async fn choose_and_claim(
        &self,
        request: &ClaimRequest,
        token: ClaimToken,
        usage_sql: &str,
    ) -> Result<u64, CheckpointError> {
        let transaction = self.statements.client.begin(Step::LimitBegin).await?;
        let claimed: Result<u64, CheckpointError> = async {
            let lock = self.lock_sql();
            if transaction.execute(Step::LimitLock, &lock).await? == 0 {
                return Ok(0);
            }
            let usage = LimitUsage::read(&transaction.query(usage_sql).await?)?;
            let chosen = usage.admitted(request.slots);
            if chosen.is_empty() {
                return Ok(0);
            }
            let (claim, mut binds) = claim_sql(self.s(), request, token);
            binds.extend(chosen.iter().copied().map(Bind::from));
            let sql = format!(
                "{claim} WHERE TASK_ID IN {} AND STATUS = {TASK_PENDING}",
                marks(chosen.len())
            );
            let sql = Statement::bound(sql, binds);
            Ok(transaction.execute(Step::LimitClaim, sql).await?)
        }
        .await;
        // In doubt, the claims run out with their leases, as after any lost reply.
        transaction
            .end(Step::LimitCommit, claimed, |claimed| *claimed > 0)
            .await
    }

    fn lock_sql(&self) -> String {
        format!(
            "UPDATE {}.RATE_LIMIT SET NUM_CHECKS = COALESCE(NUM_CHECKS, 0) + 1 WHERE {IS_SET}",
            self.s()
        )
    }
}
