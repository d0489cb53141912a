//! Both trees over one store.

use super::loader::{FakeLoader, ProcessLoader};
use super::planner::FakePlanner;
use super::runner::FakeRunner;
use crate::actors::orchestrator_supervisor::{
    OrchestratorSettings, OrchestratorSupervisor, OrchestratorSupervisorMsg,
};
use crate::actors::services::WorkflowServices;
use crate::actors::table_gates::TableGates;
use crate::actors::task_puller::WorkerTuning;
use crate::actors::worker_supervisor::{WorkerSettings, WorkerSupervisor, WorkerSupervisorMsg};
use crate::checkpoint::ClaimRequest;
use crate::checkpoint::testing::double::{PLATFORM, Store};
use crate::config::defaults;
use crate::domain::WorkflowId;
use crate::domain::idle::IdlePolicy;
use crate::domain::phase::{PartitionPhase, TablePhase, WorkflowPhase};
use crate::domain::retry::RetryPolicy;
use ractor::{Actor, ActorCell, ActorRef};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What a world is made of.
pub struct WorldSettings {
    /// Tables: name and partitions.
    pub tables: Vec<(&'static str, usize)>,
    /// How long a task runs.
    pub task: Duration,
    /// How long a load takes.
    pub load: Duration,
    /// How long a call of the checkpoint takes.
    pub latency: Duration,
    /// Partitions of a table in flight.
    pub window: usize,
    /// An orchestrator's pauses between looks.
    pub poll: IdlePolicy,
    /// A worker's pauses between claims.
    pub fetch: IdlePolicy,
}

impl Default for WorldSettings {
    fn default() -> Self {
        Self {
            tables: vec![("a", 40), ("b", 25), ("c", 1)],
            task: Duration::from_secs(2),
            load: Duration::from_secs(1),
            latency: Duration::from_millis(100),
            window: 8,
            poll: IdlePolicy {
                base: Duration::from_secs(2),
                cap: Duration::from_secs(2),
            },
            fetch: IdlePolicy {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(1),
            },
        }
    }
}

/// Slots of the world's workers.
pub const CAPACITY: usize = 4;
/// How long a claim of the world's workers holds.
const WORKER_LEASE: Duration = Duration::from_secs(30);

/// One workflow, the doubles, and whoever was started.
pub struct World {
    /// The checkpoint and the target.
    pub store: Arc<Store>,
    /// The loads.
    pub loader: Arc<FakeLoader>,
    /// The plans.
    pub planner: Arc<FakePlanner>,
    /// The tasks.
    pub runner: Arc<FakeRunner>,
    /// The workflow.
    pub workflow: WorkflowId,
    settings: WorldSettings,
    trees: Mutex<Vec<ActorCell>>,
}

impl Drop for World {
    fn drop(&mut self) {
        for tree in self.trees.lock().unwrap().drain(..) {
            tree.kill();
        }
    }
}

impl World {
    /// A world with one workflow that nobody drives yet.
    pub fn new(settings: WorldSettings) -> Self {
        let store = Arc::new(Store::default());
        store.faults.set_latency(settings.latency);
        let names: Vec<String> = settings
            .tables
            .iter()
            .map(|(n, _)| (*n).to_owned())
            .collect();
        let workflow = store.create_workflow("test", &names);
        let partitions = settings.tables.iter();
        let runner = FakeRunner {
            duration: settings.task,
            partitions: partitions.map(|(n, p)| ((*n).to_owned(), *p)).collect(),
            behaviours: Mutex::default(),
            started: Mutex::default(),
            cancelled: Mutex::default(),
        };
        Self {
            loader: Arc::new(FakeLoader::new(store.clone(), settings.load)),
            planner: Arc::new(FakePlanner::default()),
            runner: Arc::new(runner),
            store,
            workflow,
            settings,
            trees: Mutex::default(),
        }
    }

    /// Names what runs of a table leave for the next.
    fn state_key(&self, table: u32) -> String {
        let spec = self.store.spec(self.workflow, table);
        FakePlanner::state_key_of(&spec).expect("a table whose runs leave something")
    }

    /// Other runs of a table have moved its rows up to this watermark.
    pub fn leave_behind(&self, table: u32, watermark: &str) {
        let key = self.state_key(table);
        let store = &self.store;
        store.leave_behind(self.workflow, table, &key, watermark);
    }

    /// What earlier runs of a table left belongs to a workflow of this name, which somebody else drives.
    pub fn hold_state(&self, table: u32, name: &str) {
        self.store.hold_state(&self.state_key(table), name);
    }

    /// Starts an orchestrator.
    pub async fn orchestrator(&self, owner: &str) -> ActorRef<OrchestratorSupervisorMsg> {
        let settings = OrchestratorSettings {
            owner: owner.to_owned(),
            affinity: None,
            lease: defaults::LEASE,
            poll: self.settings.poll,
            reap_interval: Duration::from_secs(5),
            max_failures: defaults::MAX_FAILURES,
            services: WorkflowServices {
                checkpoint: self.store.clone(),
                loader: Arc::new(ProcessLoader::new(self.loader.clone())),
                planner: self.planner.clone(),
                load_permits: Arc::new(Semaphore::new(4)),
                load_gates: TableGates::default(),
                partition_window: self.settings.window,
            },
        };
        let tree = Actor::spawn(None, OrchestratorSupervisor, settings);
        let (root, _) = tree.await.unwrap();
        self.trees.lock().unwrap().push(root.get_cell());
        root
    }

    /// Starts a worker of four slots.
    pub async fn worker(&self, name: &str) -> ActorRef<WorkerSupervisorMsg> {
        let settings = WorkerSettings {
            checkpoint: self.store.clone(),
            runner: self.runner.clone(),
            request: ClaimRequest {
                worker: name.to_owned(),
                platforms: vec![PLATFORM],
                affinity: None,
                limit: 0,
                slots: 0,
                lease: WORKER_LEASE,
            },
            tuning: WorkerTuning {
                capacity: CAPACITY,
                fetch: self.settings.fetch,
            },
            renew_interval: Duration::from_secs(10),
            retry: RetryPolicy::TASK,
        };
        let tree = Actor::spawn(None, WorkerSupervisor, settings);
        let (root, _) = tree.await.unwrap();
        self.trees.lock().unwrap().push(root.get_cell());
        root
    }

    /// Waits until `condition` holds; panics after an hour of the test's clock.
    pub async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(3600);
        while !condition(self) {
            assert!(
                Instant::now() < deadline,
                "an hour has passed without: {what}; tables {:?}; partitions pending {}, staged {}, loaded {}, failed {}; tasks claimed {}",
                self.store.table_phases(self.workflow),
                self.loaded(PartitionPhase::Pending),
                self.loaded(PartitionPhase::Staged),
                self.loaded(PartitionPhase::Loaded),
                self.loaded(PartitionPhase::Failed),
                self.store.num_claimed(),
            );
            tokio::time::sleep(Duration::from_millis(37)).await;
        }
    }

    /// Waits until the workflow is complete.
    pub async fn until_complete(&self) {
        self.until("the workflow is complete", |world| {
            world.store.workflow_phase(world.workflow) == WorkflowPhase::Completed
        })
        .await;
    }

    /// How many partitions are in `phase`.
    pub fn loaded(&self, phase: PartitionPhase) -> usize {
        self.store.num_partitions(self.workflow, phase)
    }

    /// Asserts that every table is complete, and its target holds each of its partitions exactly once.
    pub fn assert_all_loaded_once(&self) {
        for (no, (name, count)) in self.settings.tables.iter().enumerate() {
            let (phase, error) = self.store.table_phases(self.workflow)[no].clone();
            assert_eq!((phase, error), (TablePhase::Completed, None), "{name}");
            self.assert_loaded_once(no, 0..*count as u32);
        }
    }

    /// Asserts that a table's target holds these partitions exactly once, and nothing else.
    pub fn assert_loaded_once(&self, table: usize, partitions: impl Iterator<Item = u32>) {
        let target = self.store.target(self.workflow, table as u32);
        let mut held: Vec<(u32, u64)> = target.iter().map(|(p, _, rows)| (p.0, *rows)).collect();
        held.sort_unstable();
        let expected: Vec<_> = partitions.map(|p| (p, FakeRunner::rows_of(p))).collect();
        assert_eq!(held, expected, "table {table}");
    }
}
