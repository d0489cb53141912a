//! Sessions that expire while they are used.

use crate::migration::Migration;
use snowhaul_integration::{LocalRedshift, LocalSnowflake};
use std::thread;
use std::time::Duration;

#[test]
fn sessions_that_expire_in_the_middle_change_nothing() {
    let snowflake = LocalSnowflake::start(&["--session-lifetime", "3"]);
    let migration = Migration::new(LocalRedshift::shared(), 4_000, 100, 2_000);
    let gate = migration.close_gate();
    let _orchestrator = migration.orchestrator(&snowflake);
    let created = migration.create(&snowflake);
    let _worker = migration.worker(&snowflake);
    migration.wait_for_extractions();
    // Those that served so far expire, and the stage's too.
    thread::sleep(Duration::from_secs(4));
    drop(gate);
    migration.assert_ends_right(&snowflake, created);
}
