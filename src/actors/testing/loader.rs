//! The double of the loads: rows and checkpoint change in one step.

use crate::actors::ports::{LoadOutcome, Loader, StagedPartition};
use crate::checkpoint::testing::double::{LOCK_PATIENCE, Store};
use crate::checkpoint::{LoadUnit, OwnedWorkflow, TableState};
use crate::domain::table_plan::TablePlan;
use crate::domain::{PartitionNo, TableNo};
use async_trait::async_trait;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// What befalls one load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadFault {
    /// Nothing is committed, for a passing reason.
    TryAgain,
    /// All is committed, and nobody hears of it.
    LoseReply,
    /// Nothing is committed, and nobody hears of it.
    Doubt,
    /// Nothing is committed, and nobody knows whose fault it is.
    RejectWithoutCulprit,
    /// The code panics.
    Panic,
}

/// Loads into the store's target.
pub struct FakeLoader {
    store: Arc<Store>,
    /// How long a load takes.
    pub duration: Duration,
    /// How long the loads of a table take, where it is another time.
    pub slow: Mutex<HashMap<TableNo, Duration>>,
    /// Faults of the next loads, in order.
    pub faults: Mutex<VecDeque<LoadFault>>,
    /// Partitions that can never be loaded, each with whether the load can tell that it was this one.
    pub poison: Mutex<HashMap<(TableNo, PartitionNo), bool>>,
    /// Sizes of the loads that were tried.
    pub batches: Mutex<Vec<usize>>,
    /// How long the end of a workflow takes before its effect.
    pub end: Mutex<Duration>,
    /// Loads that met a lock.
    pub locked: Mutex<usize>,
    /// Workflows whose files were removed.
    pub removed: Mutex<Vec<i64>>,
    /// How often that hit a workflow some of whose tables were at work.
    pub ends_of_open_workflows: Mutex<usize>,
}

impl FakeLoader {
    /// A loader whose loads take `duration`.
    pub fn new(store: Arc<Store>, duration: Duration) -> Self {
        Self {
            store,
            duration,
            slow: Mutex::default(),
            faults: Mutex::default(),
            poison: Mutex::default(),
            batches: Mutex::default(),
            end: Mutex::default(),
            locked: Mutex::default(),
            removed: Mutex::default(),
            ends_of_open_workflows: Mutex::default(),
        }
    }

    fn commit(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        batch: &[StagedPartition],
    ) -> LoadOutcome {
        let unit = |staged: &StagedPartition| LoadUnit {
            rows: staged.manifest.rows(),
            ..staged.unit.clone()
        };
        let units: Vec<LoadUnit> = batch.iter().map(unit).collect();
        if self.store.load(owned, table_no, plan, &units) {
            return LoadOutcome::Committed;
        }
        LoadOutcome::InDoubt(
            "the table has another owner, or something is not staged any more".to_owned(),
        )
    }
}

#[async_trait]
impl Loader for FakeLoader {
    fn max_files(&self) -> usize {
        1_000
    }

    async fn load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        batch: &[StagedPartition],
    ) -> LoadOutcome {
        self.batches.lock().unwrap().push(batch.len());
        let fault = self.faults.lock().unwrap().pop_front();
        let lock = self.store.table_lock((owned.id, table_no));
        let Ok(_row) = tokio::time::timeout(LOCK_PATIENCE, lock.lock()).await else {
            *self.locked.lock().unwrap() += 1;
            return LoadOutcome::Blocked("the table's row is locked".to_owned());
        };
        let slow = self.slow.lock().unwrap().get(&table_no).copied();
        tokio::time::sleep(slow.unwrap_or(self.duration)).await;
        let poisoned: Vec<(usize, bool)> = {
            let poison = self.poison.lock().unwrap();
            let culprits = batch.iter().enumerate();
            culprits
                .filter_map(|(index, p)| {
                    let known = poison.get(&(table_no, p.unit.key.partition_no))?;
                    Some((index, *known))
                })
                .collect()
        };
        match fault {
            Some(LoadFault::TryAgain) => return LoadOutcome::Retryable("as planned".to_owned()),
            Some(LoadFault::Doubt) => return LoadOutcome::InDoubt("as planned".to_owned()),
            Some(LoadFault::RejectWithoutCulprit) => return LoadOutcome::Rejected(Vec::new()),
            Some(LoadFault::Panic) => panic!("the load panics, as the test planned"),
            Some(LoadFault::LoseReply) | None => {}
        }
        if !poisoned.is_empty() {
            let told = poisoned.into_iter().filter(|(_, known)| *known);
            return LoadOutcome::Rejected(
                told.map(|(index, _)| (index, "poison".to_owned()))
                    .collect(),
            );
        }
        let outcome = self.commit(owned, table_no, plan, batch);
        if fault.is_some() {
            return LoadOutcome::InDoubt("the reply to the commit was lost".to_owned());
        }
        outcome
    }

    async fn stop(&self, _: Duration) {}

    async fn finish(
        &self,
        owned: &OwnedWorkflow,
        _: &[TableState],
        is_wanted: &(dyn Fn() -> bool + Send + Sync),
    ) -> bool {
        // Its statement is on its way already when it is not wanted any more.
        let takes = *self.end.lock().unwrap();
        tokio::time::sleep(takes).await;
        let is_open = !self.store.have_all_ended(owned.id);
        *self.ends_of_open_workflows.lock().unwrap() += usize::from(is_open);
        self.removed.lock().unwrap().push(owned.id.0);
        is_wanted()
    }
}

/// The loads of one process, which end with it.
pub struct ProcessLoader {
    loader: Arc<FakeLoader>,
    stopped: watch::Sender<bool>,
}

impl ProcessLoader {
    /// Those of a process that starts now.
    pub fn new(loader: Arc<FakeLoader>) -> Self {
        Self {
            loader,
            stopped: watch::Sender::new(false),
        }
    }
}

#[async_trait]
impl Loader for ProcessLoader {
    fn max_files(&self) -> usize {
        1_000
    }

    async fn load(
        &self,
        owned: &OwnedWorkflow,
        table_no: TableNo,
        plan: &TablePlan,
        batch: &[StagedPartition],
    ) -> LoadOutcome {
        let mut stopped = self.stopped.subscribe();
        let stop = async { drop(stopped.wait_for(|is| *is).await) };
        tokio::select! {
            outcome = self.loader.load(owned, table_no, plan, batch) => outcome,
            () = stop => LoadOutcome::Retryable("the orchestrator stops".to_owned()),
        }
    }

    async fn stop(&self, patience: Duration) {
        tokio::time::sleep(patience).await;
        self.stopped.send_replace(true);
        tokio::task::yield_now().await;
    }

    async fn finish(
        &self,
        owned: &OwnedWorkflow,
        tables: &[TableState],
        is_wanted: &(dyn Fn() -> bool + Send + Sync),
    ) -> bool {
        self.loader.finish(owned, tables, is_wanted).await
    }
}
