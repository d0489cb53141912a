//! One load at a time for each table, whoever asks: a load goes on when its actor is gone, and holds the rows that its
//! successor would lock.

use crate::domain::{TableNo, WorkflowId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use tokio::sync::{Mutex, OwnedMutexGuard};

type Gates = HashMap<(WorkflowId, TableNo), Weak<Mutex<()>>>;

/// The gates of all tables that are loaded in this process. Clones share them.
#[derive(Clone, Default)]
pub struct LoadGates(Arc<StdMutex<Gates>>);

impl LoadGates {
    /// Waits, in turn, until no load of this table runs. The gate is open again when the guard goes.
    pub async fn enter(&self, id: WorkflowId, table_no: TableNo) -> OwnedMutexGuard<()> {
        self.gate(id, table_no).lock_owned().await
    }

    fn gate(&self, id: WorkflowId, table_no: TableNo) -> Arc<Mutex<()>> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(&(id, table_no)).and_then(Weak::upgrade) {
            return gate;
        }
        // Those that nobody waits for and no load holds.
        gates.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::default();
        gates.insert((id, table_no), Arc::downgrade(&gate));
        gate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_table_is_loaded_by_one_at_a_time_and_others_beside_it() {
        let gates = LoadGates::default();
        let (id, other) = (WorkflowId(1), WorkflowId(2));
        let first = gates.enter(id, TableNo(0)).await;
        let clone = gates.clone();
        let second = clone.enter(id, TableNo(0));
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        let _beside = (
            gates.enter(id, TableNo(1)).await,
            gates.enter(other, TableNo(0)).await,
        );
        drop(first);
        second.await;
    }
}
