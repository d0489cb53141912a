//! Servers that are killed and start again on the same data and port.

use crate::migration::{Migration, STOP, snowflake};
use rustix::process::{Pid, kill_process};
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Signal};
use std::thread;
use std::time::Duration;

#[test]
fn both_roles_ride_out_a_restart_of_snowflake() {
    let mut snowflake = LocalSnowflake::start(&["--transaction-idle", "5"]);
    let migration = Migration::new(LocalRedshift::shared(), 4_000, 100, 2_000);
    let gate = migration.close_gate();
    let mut orchestrator = migration.orchestrator(&snowflake);
    let created = migration.create(&snowflake);
    let mut worker = migration.worker(&snowflake);
    migration.wait_for_the_middle(&snowflake.sql());
    snowflake.kill();
    // Extractions end while nobody can be told.
    drop(gate);
    thread::sleep(Duration::from_secs(1));
    snowflake.start_again();
    migration.wait_for(
        &snowflake.sql(),
        25,
        "PARTITION",
        "PHASE IN ('STAGED', 'LOADED')",
    );
    // In the middle of whatever is going on.
    snowflake.kill();
    snowflake.start_again();
    migration.assert_ends_right(&snowflake, created);
    assert!(orchestrator.ended().is_none() && worker.ended().is_none());
}

#[test]
fn partitions_that_failed_with_their_source_are_extracted_when_it_is_back() {
    let snowflake = snowflake();
    let redshift = LocalRedshift::start();
    let migration = Migration::new(&redshift, 2_000, 100, 1_000);
    let gate = migration.close_gate();
    let _orchestrator = migration.orchestrator(snowflake);
    let created = migration.create(snowflake);
    let mut worker = migration.worker(snowflake);
    let sql = snowflake.sql();
    migration.wait_for_the_middle(&sql);
    redshift.kill();
    drop(gate);
    // Away for several attempts, which do not count as failures of the partitions.
    migration.wait_for(&sql, 2, "TASK_QUEUE", "ATTEMPT >= 4 AND ERROR IS NOT NULL");
    redshift.start_again();
    migration.assert_ends_right(snowflake, created);
    assert_eq!(migration.count(&sql, "TASK_QUEUE", "FAILURES > 0"), 0);
    assert!(worker.ended().is_none());
}

#[test]
fn both_roles_stop_in_time_while_snowflake_is_down_and_others_finish() {
    let mut snowflake = LocalSnowflake::start(&["--transaction-idle", "5"]);
    let migration = Migration::new(LocalRedshift::shared(), 1_000, 100, 500);
    let gate = migration.close_gate();
    let orchestrator = migration.orchestrator(&snowflake);
    let created = migration.create(&snowflake);
    let worker = migration.worker(&snowflake);
    migration.wait_for_the_middle(&snowflake.sql());
    snowflake.kill();
    orchestrator.signal(Signal::TERM);
    worker.signal(Signal::TERM);
    for role in [orchestrator, worker] {
        let ended = role.wait(STOP);
        assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    }
    snowflake.start_again();
    let _orchestrator = migration.orchestrator(&snowflake);
    let _worker = migration.worker(&snowflake);
    drop(gate);
    migration.assert_ends_right(&snowflake, created);
}

#[test]
fn a_snowflake_that_hangs_for_longer_than_the_leases_changes_nothing() {
    let snowflake = LocalSnowflake::start(&["--transaction-idle", "5"]);
    let migration = Migration::new(LocalRedshift::shared(), 5_000, 100, 4_001);
    let gate = migration.close_gate();
    let mut orchestrator = migration.orchestrator(&snowflake);
    let created = migration.create(&snowflake);
    let mut worker = migration.worker(&snowflake);
    let sql = snowflake.sql();
    let server = i32::try_from(snowflake.process_id()).ok();
    let server = server.and_then(Pid::from_raw).unwrap();
    // Wherever they are then.
    for loaded in [1, 20] {
        migration.wait_for(&sql, loaded, "PARTITION", "PHASE = 'LOADED'");
        kill_process(server, Signal::STOP).unwrap();
        thread::sleep(Duration::from_secs(6));
        kill_process(server, Signal::CONT).unwrap();
    }
    drop(gate);
    migration.assert_ends_right(&snowflake, created);
    assert!(orchestrator.ended().is_none() && worker.ended().is_none());
}
