//! Rate limits in the hybrid tables.
//!
//! While there are none, nothing is asked for them: the claim of a task and the first statement of a load carry the
//! condition that there is none, and match no row when that is not so. Then what runs is counted and what may start is
//! chosen in one transaction that locks the limits' rows first, so that no two choose at once. What counts is in
//! `limit_picture`; loads are permitted in `load_permit`.

use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::limit_picture::{IS_SET, read};
use super::load_permit::UnreturnedPermits;
use super::sql::{from_now, marks};
use super::worker_contract::ClaimRequest;
use crate::domain::ClaimToken;
use crate::failpoint::Step;
use crate::snowflake::{Bind, Statement};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// After this long without a look, a claim that found nothing is followed by a look for limits.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Tries to be the one who chooses, and the longest pause between two.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(250);

/// What this process knows of limits. Only a hint: the statements themselves are sure.
#[derive(Debug, Default)]
pub(super) struct KnownLimits {
    known: Mutex<Known>,
    /// Permits of loads that have ended, while they cannot be given back.
    pub(super) unreturned: UnreturnedPermits,
}

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
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A look has found limits, or none.
    pub(super) fn found(&self, any: bool) {
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

    /// Whether limits are known to be set.
    pub(super) fn are_there(&self) -> bool {
        self.get().are_there
    }

    /// Whether the next claim has to look first.
    pub(super) fn wants_a_look(&self) -> bool {
        let known = self.get();
        let is_old = || known.none_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        known.are_there || (known.is_empty && is_old())
    }
}

impl HybridCheckpoint {
    /// The condition that a limit is set.
    pub(super) fn any_limit(&self) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {}.RATE_LIMIT WHERE {IS_SET})",
            self.s
        )
    }

    /// The condition that no limit is set.
    pub(super) fn no_limits(&self) -> String {
        format!("NOT {}", self.any_limit())
    }

    /// Claims under limits, if there are any; `None`: there are none, and tasks wait.
    pub(super) async fn claim_within_limits(
        &self,
        request: &ClaimRequest,
        token: ClaimToken,
    ) -> Result<Option<u64>, CheckpointError> {
        let mut sql = self.picture_sql(Some(request), &[]);
        let picture = read(&self.query(&sql).await?)?;
        self.limits.found(!picture.limits.is_empty());
        if picture.limits.is_empty() {
            return Ok((picture.candidates.is_empty()).then_some(0));
        }
        // Without a lock first: most looks find nothing that may start, and those who choose are not to be kept waiting.
        if picture.admitted(request.slots).is_empty() {
            if request.slots == 0 || !picture.may_hide_others(request.limit) {
                return Ok(Some(0));
            }
            // The first tasks are all forbidden. Of those behind them, the first that no full limit speaks of may start.
            sql = self.picture_sql(Some(request), &picture.full());
            if read(&self.query(&sql).await?)?
                .admitted(request.slots)
                .is_empty()
            {
                return Ok(Some(0));
            }
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
            let (claim, mut binds) = self.claim_sql(request, token);
            binds.extend(chosen.iter().copied().map(Bind::from));
            let sql = format!(
                "{claim} WHERE TASK_ID IN {} AND STATUS = 'PENDING'",
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

    pub(super) fn lock_limits(&self) -> String {
        format!(
            "UPDATE {}.RATE_LIMIT SET NUM_CHECKS = COALESCE(NUM_CHECKS, 0) + 1 WHERE {IS_SET}",
            self.s
        )
    }

    /// The claim up to its condition, and its values so far.
    pub(super) fn claim_sql(
        &self,
        request: &ClaimRequest,
        token: ClaimToken,
    ) -> (String, Vec<Bind>) {
        let sql = format!(
            "UPDATE {s}.TASK_QUEUE SET STATUS = 'CLAIMED', WORKER_ID = ?, CLAIM_TOKEN = ?, LEASE_UNTIL = {lease}, ATTEMPT = ATTEMPT + 1, \
             CLAIMED_AT = SYSDATE(), ROWS_DONE = 0, BYTES_DONE = 0",
            s = self.s,
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
}
