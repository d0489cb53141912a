//! SIGHUP: a role reads its configuration again, and goes on with what it does.

use crate::migration::{DEADLINE, Migration, snowflake};
use serde_json::Value;
use snowhaul_integration::{LocalRedshift, Running, Signal, Snowhaul, eventually};

const ALONE: &str =
    "lease_refresh_interval = 1\ntask_fetch_interval = 0.3\ntask_fetch_interval_max = 30";

fn wait_for(role: &Running, word: &str) {
    role.wait_to_say(word, DEADLINE);
}

fn workers(migration: &Migration<'_>) -> Vec<Value> {
    let listed = Snowhaul::new(["worker", "list", "--json"])
        .snowflake(snowflake())
        .metadata(&migration.metadata)
        .run(DEADLINE);
    assert_eq!(listed.code(), Some(0), "{}{}", listed.stdout, listed.stderr);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    listed["workers"].as_array().unwrap().clone()
}

#[test]
fn a_worker_runs_more_or_fewer_tasks_at_once_as_its_configuration_says_now() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 1_000, 50, 1);
    migration.configure_orchestrators("poll_interval = 0.5");
    migration.configure_workers(&format!("max_parallel_tasks = 1\n{ALONE}"));
    let gate = migration.close_gate();
    let _orchestrator = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let worker = migration.worker(snowflake);
    let sql = snowflake.sql();
    let extracting = "KIND = 'EXTRACT' AND STATUS = 'CLAIMED'";
    migration.wait_for(&sql, 1, "TASK_QUEUE", extracting);
    migration.configure_workers(&format!("max_parallel_tasks = 3\n{ALONE}"));
    worker.signal(Signal::HUP);
    migration.wait_for(&sql, 3, "TASK_QUEUE", extracting);
    // A broken file changes nothing, and is told.
    migration.configure_workers("max_parallel_tasks = 'many'");
    worker.signal(Signal::HUP);
    wait_for(&worker, "max_parallel_tasks: must be");
    // What cannot change is told; what can does.
    migration.configure_workers(&format!(
        "max_parallel_tasks = 2\naffinity = 'other'\n{ALONE}"
    ));
    worker.signal(Signal::HUP);
    wait_for(&worker, "take effect after a restart");
    drop(gate);
    migration.assert_ends_right(snowflake, created);
    assert_eq!(migration.count(&sql, "TASK_QUEUE", "ATTEMPT > 1"), 0);
    let listed = || workers(&migration);
    eventually("the new capacity is listed", DEADLINE, || {
        listed()[0]["capacity"] == 2
    });
}

#[test]
fn an_orchestrator_takes_new_pauses_and_another_number_of_loads_at_once() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 300, 100, 301);
    migration.configure_orchestrators("poll_interval = 1\nload_concurrency = 4");
    let orchestrator = migration.orchestrator(snowflake);
    wait_for(&orchestrator, "orchestrator starts");
    migration.configure_orchestrators("poll_interval = 0.2\nload_concurrency = 1\nlease = 33");
    orchestrator.signal(Signal::HUP);
    wait_for(&orchestrator, "load_concurrency 1");
    wait_for(&orchestrator, "\"keys\":\"lease\"");
    let _worker = migration.worker(snowflake);
    let created = migration.create(snowflake);
    migration.assert_ends_right(snowflake, created);
}

#[test]
fn workers_are_listed_with_their_work_until_they_sign_off_and_the_silent_ones_stand_out() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 300, 100, 1);
    migration
        .configure_workers("max_parallel_tasks = 2\ntask_fetch_interval = 0.3\naffinity = 'blue'");
    let gate = migration.close_gate();
    let _orchestrator = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let worker = migration.worker(snowflake);
    migration.wait_for_extractions();
    let sql = snowflake.sql();
    let (table, day) = (migration.object("WORKER"), 86_400);
    for (name, age) in [("gone/1/a", 1_000), ("forgotten/1/b", day + 60)] {
        sql.run(&format!("INSERT INTO {table} (WORKER_ID, VERSION, RUNNING, CAPACITY, ROWS_PER_SECOND, LAST_SEEN) SELECT '{name}', '0', 1, 2, 3, DATEADD('second', -{age}, SYSDATE())"));
    }
    let another = migration.worker(snowflake);
    // Whoever starts forgets those of another day.
    eventually("three workers are left", DEADLINE, || {
        let forgotten = "WORKER_ID LIKE 'forgotten%'";
        workers(&migration).len() == 3 && migration.count(&sql, "WORKER", forgotten) == 0
    });
    let listed = workers(&migration);
    let state = |row: &Value| row["state"].as_str().unwrap_or_default().to_owned();
    let own = |row: &&Value| {
        row["worker"]
            .as_str()
            .is_some_and(|id| id.contains(&format!("/{}/", worker.id())))
    };
    let own = listed.iter().find(own).unwrap();
    assert_eq!(
        (state(own).as_str(), &own["capacity"], &own["affinity"]),
        ("alive", &2.into(), &"blue".into())
    );
    let gone = listed.iter().find(|row| row["host"] == "gone").unwrap();
    assert_eq!(state(gone), "silent");
    let text = Snowhaul::new(["worker", "list"])
        .snowflake(snowflake)
        .metadata(&migration.metadata)
        .run(DEADLINE);
    assert!(
        text.stdout.contains("silent for 1") && text.stdout.contains("alive"),
        "{}",
        text.stdout
    );
    drop(gate);
    migration.assert_ends_right(snowflake, created);
    for worker in [worker, another] {
        assert_eq!(worker.terminate(DEADLINE).code(), Some(0));
    }
    assert_eq!(
        migration.count(&sql, "WORKER", "WORKER_ID NOT LIKE 'gone%'"),
        0
    );
}
