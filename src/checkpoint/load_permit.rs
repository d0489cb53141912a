//! Loads under rate limits: each has a permit in its table's row, by which it counts. Also while no limit is set: the first one
//! that is finds those that run.

use super::cells::Cells;
use super::contract::*;
use super::hybrid::HybridCheckpoint;
use super::limit_picture::{IS_SET, LoadPermit, Picture, read};
use crate::domain::TableNo;
use crate::domain::limits::{Activity, Scope, admit};
use crate::domain::retry::RetryPolicy;
use crate::failpoint::Step;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether a load may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// No limit is known to be set, and nobody has been asked: the first statement of the load's transaction tells. It
    /// counts until it is committed or [`HybridCheckpoint::end_load`] is called.
    Unasked,
    /// It may, and counts as long.
    Permitted,
    /// A limit forbids it now.
    Forbidden,
}

/// Permits that could not be given back yet.
#[derive(Debug, Default)]
pub(super) struct UnreturnedPermits(Mutex<Unreturned>);

#[derive(Debug, Default)]
struct Unreturned {
    permits: Vec<LoadPermit>,
    /// Somebody is giving them back.
    is_tended: bool,
}

impl UnreturnedPermits {
    fn lock(&self) -> MutexGuard<'_, Unreturned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody tends them yet: the caller has to.
    fn add(&self, permit: LoadPermit) -> bool {
        let mut all = self.lock();
        if !all.permits.contains(&permit) {
            all.permits.push(permit);
        }
        !std::mem::replace(&mut all.is_tended, true)
    }

    fn remove(&self, permit: LoadPermit) {
        self.lock().permits.retain(|other| *other != permit);
    }

    /// One that is left; with the last one, whoever tends them is done.
    fn next(&self) -> Option<LoadPermit> {
        let mut all = self.lock();
        let next = all.permits.first().copied();
        all.is_tended = next.is_some();
        next
    }
}

impl HybridCheckpoint {
    /// Whether a load of this table may start. While no limit is set, nobody is asked: the load counts from now on, and its
    /// first statement, which comes after that, is without effect if there is a limit then ([`Self::limits_are_set`] tells).
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
        if !self.limits.are_there() && self.count_load(owned, table_no).await? {
            return Ok(Admission::Unasked);
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
        let has_it = |picture: &Picture| picture.loads.contains(&permit);
        let may = |picture: &Picture| {
            has_it(picture)
                || !admit(
                    &picture.limits,
                    &picture.running,
                    std::slice::from_ref(&scope),
                    1,
                )
                .is_empty()
        };
        let sql = self.picture_sql(None, &[]);
        let picture = read(&self.query(&sql).await?)?;
        self.limits.found(!picture.limits.is_empty());
        if picture.limits.is_empty() {
            return if self.count_load(owned, table_no).await? {
                Ok(Admission::Unasked)
            } else if self.limits_are_set().await? {
                Ok(Admission::Forbidden)
            } else {
                Err(CheckpointError::Fenced(owned.id))
            };
        }
        if has_it(&picture) {
            self.limits.unreturned.remove(permit);
            return Ok(Admission::Permitted);
        }
        if !may(&picture) {
            return Ok(Admission::Forbidden);
        }
        let transaction = self.client.begin(Step::LimitBegin).await?;
        let admitted: Result<bool, CheckpointError> = async {
            transaction
                .execute(Step::LimitLock, &self.lock_limits())
                .await?;
            if !may(&read(&transaction.query(&sql).await?)?) {
                return Ok(false);
            }
            let permit = self.permit_sql(owned, table_no);
            if transaction.execute(Step::LimitPermit, &permit).await? == 0 {
                return Err(CheckpointError::Fenced(owned.id));
            }
            Ok(true)
        }
        .await;
        self.limits.unreturned.remove(permit);
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
        self.limits.unreturned.remove(permit_of(owned, table_no));
        let permit = self.permit_sql(owned, table_no);
        let sql = format!("{permit} AND {}", self.no_limits());
        // Other tables wait for their turn.
        let counted = self.execute_unless_locked(Step::LoadPermit, &sql);
        Ok(counted.await? > 0)
    }

    fn permit_sql(&self, owned: &OwnedWorkflow, table_no: TableNo) -> String {
        format!(
            "UPDATE {}.TABLE_STATE SET LOAD_PERMIT = OWNER_EPOCH WHERE WORKFLOW_ID = {} AND TABLE_NO = {table_no} AND OWNER_EPOCH = {}",
            self.s, owned.id, owned.epoch
        )
    }

    /// Ends a load that was not committed; one that was has ended its permit itself. One statement, and more beside the
    /// caller while Snowflake is away.
    pub async fn end_load(&self, owned: &OwnedWorkflow, table_no: TableNo) {
        let permit = permit_of(owned, table_no);
        let Err(error) = self.return_permit(permit).await else {
            return;
        };
        tracing::warn!(workflow = %owned.name, %error, "a load's permit could not be given back; it counts as running until it is, or until the table is loaded again");
        if error.is_retryable() && self.limits.unreturned.add(permit) {
            let this = self.clone();
            tokio::spawn(async move { this.return_permits().await });
        }
    }

    async fn return_permit(&self, permit: LoadPermit) -> Result<(), CheckpointError> {
        let sql = format!(
            "UPDATE {}.TABLE_STATE SET LOAD_PERMIT = NULL WHERE WORKFLOW_ID = {} AND TABLE_NO = {} AND LOAD_PERMIT = {}",
            self.s, permit.workflow_id, permit.table_no, permit.epoch
        );
        self.execute_unless_locked(Step::LimitReturn, &sql).await?;
        Ok(())
    }

    /// Gives back what could not be given back, until all is.
    async fn return_permits(&self) {
        let mut failures = 0;
        while let Some(permit) = self.limits.unreturned.next() {
            failures += 1;
            tokio::time::sleep(RetryPolicy::UNTIL_ANSWERED.pause(failures, rand::random())).await;
            // Its table may have been loaded meanwhile, under the same permit.
            if !self.limits.unreturned.lock().permits.contains(&permit) {
                continue;
            }
            let returned = self.return_permit(permit).await;
            if !matches!(&returned, Err(error) if error.is_retryable()) {
                self.limits.unreturned.remove(permit);
                failures = 0;
            }
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
}

fn permit_of(owned: &OwnedWorkflow, table_no: TableNo) -> LoadPermit {
    LoadPermit {
        workflow_id: owned.id,
        table_no,
        epoch: owned.epoch.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::WorkflowId;

    #[test]
    fn what_cannot_be_given_back_is_tended_by_one_until_nothing_is_left() {
        let permit = |no| LoadPermit {
            workflow_id: WorkflowId(1),
            table_no: TableNo(no),
            epoch: 1,
        };
        let unreturned = UnreturnedPermits::default();
        assert!(unreturned.add(permit(1)));
        assert!(!unreturned.add(permit(2)) && !unreturned.add(permit(1)));
        assert_eq!(unreturned.next(), Some(permit(1)));
        // Loaded meanwhile.
        unreturned.remove(permit(1));
        assert_eq!(unreturned.next(), Some(permit(2)));
        unreturned.remove(permit(2));
        assert_eq!(unreturned.next(), None);
        assert!(unreturned.add(permit(1)));
    }
}
