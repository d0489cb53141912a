//! What roles without work ask of Snowflake, and how soon they notice work.

use crate::actors::orchestrator_supervisor::OrchestratorSupervisorMsg;
use crate::actors::testing::{World, WorldSettings};
use crate::actors::worker_supervisor::WorkerSupervisorMsg;
use crate::config;
use crate::domain::idle::IdlePolicy;
use crate::domain::phase::WorkflowPhase;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_secs(3_600);
/// Statements that a role without work may send in an hour.
const BUDGET: usize = 300;

fn defaults() -> WorldSettings {
    let orchestrator = config::orchestrator::load(None, &|_| None).unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/configuration.toml");
    let of_the_example = |name: &str| {
        let is_secret = name.ends_with("_PASSWORD") || name.starts_with("AWS_");
        is_secret.then(|| "x".to_owned())
    };
    let worker = config::worker::load(example.as_ref(), &of_the_example).unwrap();
    WorldSettings {
        tables: vec![("a", 5)],
        poll: orchestrator.poll,
        fetch: worker.task_fetch,
        ..WorldSettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_orchestrator_and_an_idle_worker_send_few_statements_an_hour() {
    for role in ["orchestrator", "worker"] {
        let world = World::new(WorldSettings {
            tables: Vec::new(),
            ..defaults()
        });
        match role {
            "worker" => drop(world.worker("w").await),
            _ => drop(world.orchestrator("o").await),
        }
        // An empty workflow is taken and completed at once.
        sleep(HOUR).await;
        let before = world.store.faults.all_calls();
        sleep(4 * HOUR).await;
        let an_hour = (world.store.faults.all_calls() - before) / 4;
        println!("idle {role}: {an_hour} statements an hour");
        assert!(
            an_hour <= BUDGET,
            "idle {role}: {an_hour} statements an hour"
        );
        assert!(an_hour >= 100, "idle {role}: {an_hour}: does it look?");
    }
}

#[tokio::test(start_paused = true)]
async fn roles_that_have_been_idle_for_long_start_a_new_workflow_within_the_longest_pauses() {
    let world = World::new(defaults());
    let (_worker, _orchestrator) = (world.worker("w").await, world.orchestrator("o").await);
    world.until_complete().await;
    sleep(5 * HOUR).await;
    let began = Instant::now();
    let next = world.store.create_workflow("next", &["b".to_owned()]);
    world
        .until("it is taken", |world| {
            world.store.workflow_phase(next) == WorkflowPhase::Executing
        })
        .await;
    let taken = began.elapsed();
    assert!(taken <= Duration::from_secs(16), "taken after {taken:?}");
    world
        .until("a task runs", |world| world.store.num_claimed() > 0)
        .await;
    let claimed = began.elapsed() - taken;
    assert!(
        claimed <= Duration::from_secs(16),
        "claimed after {claimed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn pauses_and_slots_change_at_once_and_what_runs_is_not_disturbed() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 60)],
        window: 20,
        task: Duration::from_secs(20),
        ..defaults()
    });
    let orchestrator = world.orchestrator("o").await;
    let worker = world.worker("w").await;
    world
        .until("four run", |world| world.store.num_claimed() == 4)
        .await;
    let tune = |capacity| {
        let fetch = IdlePolicy {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(1),
        };
        let tuning = crate::actors::task_puller::WorkerTuning { capacity, fetch };
        worker.cast(WorkerSupervisorMsg::Tune(tuning)).unwrap();
        orchestrator
            .cast(OrchestratorSupervisorMsg::Poll(fetch))
            .unwrap();
    };
    let began = Instant::now();
    tune(9);
    world
        .until("nine run", |world| world.store.num_claimed() == 9)
        .await;
    assert!(began.elapsed() < Duration::from_secs(2), "not at once");
    tune(2);
    world
        .until("two run", |world| world.store.num_claimed() == 2)
        .await;
    world.until_complete().await;
    assert_eq!(world.store.num_failures(), 0);
    assert_eq!(*world.runner.cancelled.lock().unwrap(), 0);
    world.assert_all_loaded_once();
}
