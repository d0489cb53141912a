//! Each kind of actor is killed in the middle of a migration, in a process of both roles on the real servers.

#[path = "../../../../src/actors/testing/kill.rs"]
mod kill;

use self::kill::{Kind, kill};
use crate::migration::{DEADLINE, Migration, snowflake};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use snowhaul::config::{orchestrator, worker};
use snowhaul::roles::orchestrator::Orchestrator;
use snowhaul::roles::worker::Worker;
use snowhaul::snowflake::connection::{Environment, find};
use snowhaul_integration::{LocalRedshift, eventually};
use std::thread;
use std::time::Duration;

/// Which order, and when.
const SEED: u64 = 1;

#[test]
fn actors_of_each_kind_killed_one_after_the_other_change_nothing() {
    let snowflake = snowflake();
    // The last rows wait at the gate: there is work until everybody was killed.
    let migration = Migration::new(LocalRedshift::shared(), 4_000, 50, 3_980);
    let gate = migration.close_gate();
    let home = snowflake.home().to_string_lossy().into_owned();
    let var = |name: &str| match name {
        "SNOWFLAKE_HOME" => Some(home.clone()),
        "CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA" => Some(migration.metadata.clone()),
        _ => None,
    };
    let environment = Environment {
        var: &var,
        home: None,
    };
    let connection = find(Some("local"), &environment).unwrap();
    let orchestrator_file = migration.file("orchestrator.toml");
    let orchestrator_config = orchestrator::load(Some(&orchestrator_file), &var).unwrap();
    let worker_config = worker::load(&migration.file("configuration.toml"), &var).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let orchestrator = runtime
        .block_on(Orchestrator::start(&connection, &orchestrator_config))
        .unwrap();
    let worker = runtime
        .block_on(Worker::start(&connection, &worker_config))
        .unwrap();
    let created = migration.create(snowflake);
    let sql = snowflake.sql();
    migration.wait_for(&sql, 1, "PARTITION", "PHASE = 'LOADED'");
    let mut random = StdRng::seed_from_u64(SEED);
    let mut kinds = [Kind::ORCHESTRATOR.as_slice(), Kind::WORKER.as_slice()].concat();
    kinds.shuffle(&mut random);
    for kind in kinds {
        thread::sleep(Duration::from_millis(random.random_range(0..700)));
        let root = if Kind::ORCHESTRATOR.contains(&kind) {
            orchestrator.supervisor.get_cell()
        } else {
            worker.supervisor.get_cell()
        };
        let what = format!("a {kind:?} below {root:?}");
        eventually(&what, DEADLINE, || kill(&root, kind));
    }
    drop(gate);
    migration.assert_ends_right(snowflake, created);
    // Before the process leaves: drivers do not like threads that end meanwhile.
    runtime.block_on(worker.stop());
    runtime.block_on(orchestrator.stop());
}
