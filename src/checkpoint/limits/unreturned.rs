//! Permits of loads that have ended, and that could not be returned yet.

use super::usage::LoadPermit;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Permits that could not be returned yet.
#[derive(Debug, Default)]
pub(super) struct UnreturnedPermits(Mutex<Vec<LoadPermit>>);

impl UnreturnedPermits {
    fn lock(&self) -> MutexGuard<'_, Vec<LoadPermit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This one could not be returned.
    pub(super) fn add(&self, permit: LoadPermit) {
        let mut all = self.lock();
        if !all.contains(&permit) {
            all.push(permit);
        }
    }

    /// It is returned, or its table is loaded again under the same permit.
    pub(super) fn remove(&self, permit: LoadPermit) {
        self.lock().retain(|other| *other != permit);
    }

    /// Whether it is still to be returned.
    pub(super) fn contains(&self, permit: LoadPermit) -> bool {
        self.lock().contains(&permit)
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<LoadPermit> {
        self.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{TableNo, WorkflowId};

    #[test]
    fn a_permit_is_kept_once_until_it_is_returned_or_used_again() {
        let permit = |no| LoadPermit {
            workflow_id: WorkflowId(1),
            table_no: TableNo(no),
            epoch: 1,
        };
        let unreturned = UnreturnedPermits::default();
        for no in [1, 2, 1] {
            unreturned.add(permit(no));
        }
        assert_eq!(unreturned.all(), [permit(1), permit(2)]);
        unreturned.remove(permit(1));
        assert!(!unreturned.contains(permit(1)) && unreturned.contains(permit(2)));
    }
}
