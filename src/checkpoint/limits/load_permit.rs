//! Loads under rate limits: each has a permit in its table's row, by which it counts. Also while no limit is set: the first one
//! that is finds those that run.

use super::Limiter;
use super::usage::{LimitUsage, LoadPermit};
use crate::checkpoint::contract::{CheckpointError, OwnedWorkflow};
use crate::domain::TableNo;
use crate::domain::limits::{Activity, Scope, admit};
use crate::failpoint::Step;

/// Whether a load may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// No limit is known to be set, and nobody has been asked: the first statement of the load's transaction tells. It
    /// counts until it is committed or [`Limiter::end_load`] is called.
    NoLimitsKnown,
    /// It may, and counts as long.
    Permitted,
    /// A limit forbids it now.
    Forbidden,
}

impl Limiter {
    /// Whether a load of this table may start. While no limit is set, nobody is asked: the load counts from now on, and its
    /// first statement, which comes after that, is without effect if there is a limit then ([`Self::are_set`] tells).
    /// A limit that it does not see is set later, and whoever chooses under it sees the load. One statement while there are
    /// no limits or they forbid it, a transaction of four when they do not.
    ///
    /// # Errors
    /// [`CheckpointError::Fenced`], or why Snowflake cannot be asked; then it may have a permit nevertheless.
    pub async fn admit_load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        source: &str,
    ) -> Result<Admission, CheckpointError> {
        if !self.known.are_set() && self.count_load(owned, table_no).await? {
            return Ok(Admission::NoLimitsKnown);
        }
        let scope = Scope {
            workflow_id: owned.id,
            workflow: owned.name.clone(),
            affinity: owned.affinity.clone(),
            table: source.to_owned(),
            partition: None,
            activity: Activity::Loading,
        };
        let permit = permit_of(owned, table_no);
        // A load before it may have left its own.
        let has_it = |usage: &LimitUsage| usage.loads.contains(&permit);
        let may = |usage: &LimitUsage| {
            has_it(usage)
                || !admit(
                    &usage.limits,
                    &usage.running,
                    std::slice::from_ref(&scope),
                    1,
                )
                .is_empty()
        };
        let sql = self.usage_sql(None, &[]);
        let usage = self.usage(&sql).await?;
        self.known.found(!usage.limits.is_empty());
        if usage.limits.is_empty() {
            return if self.count_load(owned, table_no).await? {
                Ok(Admission::NoLimitsKnown)
            } else if self.are_set().await? {
                Ok(Admission::Forbidden)
            } else {
                Err(CheckpointError::Fenced(owned.id))
            };
        }
        if has_it(&usage) {
            self.unreturned.remove(permit);
            return Ok(Admission::Permitted);
        }
        if !may(&usage) {
            return Ok(Admission::Forbidden);
        }
        let transaction = self.statements.client.begin(Step::LimitBegin).await?;
        let admitted: Result<bool, CheckpointError> = async {
            transaction
                .execute(Step::LimitLock, &self.lock_sql())
                .await?;
            if !may(&LimitUsage::read(&transaction.query(&sql).await?)?) {
                return Ok(false);
            }
            let permit = self.permit_sql(owned, table_no);
            if transaction.execute(Step::LimitPermit, &permit).await? == 0 {
                return Err(CheckpointError::Fenced(owned.id));
            }
            Ok(true)
        }
        .await;
        self.unreturned.remove(permit);
        let admitted = transaction
            .end(Step::LimitCommit, admitted, |it| *it)
            .await?;
        Ok(if admitted {
            Admission::Permitted
        } else {
            Admission::Forbidden
        })
    }

    /// Lets a load count that nobody has been asked for, unless a limit is set or the workflow has another owner.
    async fn count_load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
    ) -> Result<bool, CheckpointError> {
        self.unreturned.remove(permit_of(owned, table_no));
        let permit = self.permit_sql(owned, table_no);
        let sql = format!("{permit} AND {}", self.none_set());
        // Other tables wait for their turn.
        let counted = self
            .statements
            .execute_unless_locked(Step::LoadPermit, &sql);
        Ok(counted.await? > 0)
    }

    fn permit_sql(&self, owned: &OwnedWorkflow, table_no: TableNo) -> String {
        format!(
            "UPDATE {}.TABLE_STATE SET LOAD_PERMIT = OWNER_EPOCH WHERE WORKFLOW_ID = {} AND TABLE_NO = {table_no} AND OWNER_EPOCH = {}",
            self.s(),
            owned.id,
            owned.epoch
        )
    }

    /// Ends a load that was not committed; one that was has ended its permit itself. One statement. While Snowflake is
    /// unavailable the permit is kept for [`Self::return_permits`].
    pub async fn end_load(&self, owned: &OwnedWorkflow, table_no: TableNo) {
        let permit = permit_of(owned, table_no);
        let Err(error) = self.return_permit(permit).await else {
            return;
        };
        tracing::warn!(workflow = %owned.name, %error, "a load's permit could not be returned; it counts as running until it is, or until the table is loaded again");
        if error.is_retryable() {
            self.unreturned.add(permit);
        }
    }

    async fn return_permit(&self, permit: LoadPermit) -> Result<(), CheckpointError> {
        let sql = format!(
            "UPDATE {}.TABLE_STATE SET LOAD_PERMIT = NULL WHERE WORKFLOW_ID = {} AND TABLE_NO = {} AND LOAD_PERMIT = {}",
            self.s(),
            permit.workflow_id,
            permit.table_no,
            permit.epoch
        );
        let returned = self
            .statements
            .execute_unless_locked(Step::LimitReturn, &sql);
        returned.await?;
        Ok(())
    }

    /// Returns the permits of loads that have ended while Snowflake was unavailable, and answers how many are left. One
    /// statement for each, up to the first that fails.
    pub(in crate::checkpoint) async fn return_permits(&self) -> usize {
        for permit in self.unreturned.all() {
            // Its table may have been loaded meanwhile, under the same permit.
            if !self.unreturned.contains(permit) {
                continue;
            }
            if let Err(error) = self.return_permit(permit).await
                && error.is_retryable()
            {
                // A row that is locked keeps no other permit.
                if error.is_locked() {
                    continue;
                }
                break;
            }
            self.unreturned.remove(permit);
        }
        self.unreturned.all().len()
    }
}

fn permit_of(owned: &OwnedWorkflow, table_no: TableNo) -> LoadPermit {
    LoadPermit {
        workflow_id: owned.id,
        table_no,
        epoch: owned.epoch.0,
    }
}
