//! Polite stops: what is held is given back at once, and whoever comes next goes on.

use crate::migration::{DEADLINE, Migration, STOP, snowflake};
use snowhaul_integration::{LocalRedshift, Signal};

#[test]
fn workers_that_are_terminated_or_interrupted_give_their_tasks_back_and_another_finishes() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 1_000, 100, 500);
    let gate = migration.close_gate();
    let _orchestrator = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let workers = [(); 2].map(|()| migration.worker(snowflake));
    let sql = snowflake.sql();
    migration.wait_for_the_middle(&sql);
    let both = "STATUS = 'CLAIMED' AND (SELECT COUNT(DISTINCT WORKER_ID) FROM {} WHERE STATUS = 'CLAIMED') = 2";
    let both = both.replace("{}", &migration.object("TASK_QUEUE"));
    migration.wait_for(&sql, 1, "TASK_QUEUE", &both);
    for (worker, signal) in workers.iter().zip([Signal::TERM, Signal::INT]) {
        worker.signal(signal);
    }
    for worker in workers {
        let ended = worker.wait(STOP);
        assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    }
    let count = |table: &str, condition: &str| migration.count(&sql, table, condition);
    assert_eq!(count("WORKER", "TRUE"), 0);
    assert_eq!(count("TASK_QUEUE", "STATUS = 'CLAIMED' OR FAILURES > 0"), 0);
    assert!(count("TASK_QUEUE", "STATUS = 'PENDING' AND ATTEMPT = 1") > 0);
    let _next = migration.worker(snowflake);
    drop(gate);
    migration.assert_ends_right(snowflake, created);
    assert_eq!(count("TASK_QUEUE", "FAILURES > 0"), 0);
}

#[test]
fn an_orchestrator_that_is_terminated_gives_its_leases_back_and_the_next_continues_at_once() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 1_000, 100, 500);
    // Nobody could wait for it to run out here.
    migration.configure_orchestrators("lease = 3600");
    let gate = migration.close_gate();
    let first = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let _worker = migration.worker(snowflake);
    let sql = snowflake.sql();
    migration.wait_for_the_middle(&sql);
    let ended = first.terminate(STOP);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    let free = "OWNER IS NULL AND LEASE_UNTIL <= SYSDATE() AND STATUS = 'EXECUTING'";
    let given_back = migration.count(&sql, "WORKFLOW", free);
    assert_eq!(given_back, 1, "{}{}", ended.stdout, ended.stderr);
    let _second = migration.orchestrator(snowflake);
    drop(gate);
    migration.assert_ends_right(snowflake, created);
}

#[test]
fn a_run_that_is_terminated_is_continued_by_the_same_command() {
    let snowflake = snowflake();
    let migration = Migration::new(LocalRedshift::shared(), 1_000, 100, 500);
    let gate = migration.close_gate();
    let first = migration.run(snowflake);
    let sql = snowflake.sql();
    migration.wait_for_the_middle(&sql);
    let ended = first.terminate(DEADLINE);
    assert_eq!(ended.code(), Some(130), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(migration.count(&sql, "WORKFLOW", "OWNER IS NULL"), 1);
    assert_eq!(
        migration.count(&sql, "TASK_QUEUE", "STATUS = 'CLAIMED' OR FAILURES > 0"),
        0
    );
    drop(gate);
    let ended = migration.run(snowflake).wait(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    migration.assert_loaded_once(snowflake);
}
