//! One at a time for each table, whoever asks: an effect goes on when its actor is gone, and its successor's waits for it.

use crate::domain::{TableNo, WorkflowId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use tokio::sync::{Mutex, OwnedMutexGuard};

type Gates = HashMap<(WorkflowId, TableNo), Weak<Mutex<()>>>;

/// The gates of all tables for one kind of effect. Clones share them.
#[derive(Clone, Default)]
pub struct TableGates(Arc<StdMutex<Gates>>);

impl TableGates {
    /// Waits, in turn, until nobody has entered for this table. The gate is open again when the guard goes.
    pub async fn enter(&self, id: WorkflowId, table_no: TableNo) -> OwnedMutexGuard<()> {
        self.gate(id, table_no).lock_owned().await
    }

    fn gate(&self, id: WorkflowId, table_no: TableNo) -> Arc<Mutex<()>> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(&(id, table_no)).and_then(Weak::upgrade) {
            return gate;
        }
        // Those that nobody waits for and nobody holds.
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
    async fn one_at_a_time_has_entered_for_a_table_and_others_beside_it() {
        let gates = TableGates::default();
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
