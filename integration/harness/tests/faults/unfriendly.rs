//! A Snowflake that is as unfriendly as its documentation allows: locks and throttling with unknown codes, COPYs that
//! count as loaded although they were rolled back, commits that others see late, updates that do not look again after they
//! waited, a collation on the account.

use crate::migration::Migration;
use snowhaul_integration::{LocalRedshift, LocalSnowflake};

#[test]
fn an_unfriendly_snowflake_loses_and_doubles_nothing() {
    let snowflake = LocalSnowflake::unfriendly(&["--transaction-idle", "5"]);
    let migration = Migration::new(LocalRedshift::shared(), 3_000, 100, 1_500);
    let gate = migration.close_gate();
    let first = migration.orchestrator(&snowflake);
    let created = migration.create(&snowflake);
    let (worker, _other) = (migration.worker(&snowflake), migration.worker(&snowflake));
    migration.wait_for_the_middle(&snowflake.sql());
    // Whatever it has open is rolled back; its successor begins again.
    let _second = migration.orchestrator(&snowflake);
    first.kill();
    worker.kill();
    let _third = migration.worker(&snowflake);
    drop(gate);
    migration.assert_ends_right(&snowflake, created);
}

#[test]
fn loads_that_were_cut_are_loaded_again_on_an_unfriendly_snowflake() {
    let snowflake = LocalSnowflake::unfriendly(&["--transaction-idle", "2"]);
    let migration = Migration::new(LocalRedshift::shared(), 3_000, 50, 3_001);
    let mut orchestrator = migration.orchestrator(&snowflake);
    let created = migration.create(&snowflake);
    let _worker = migration.worker(&snowflake);
    let sql = snowflake.sql();
    for loaded in [1, 20, 40] {
        migration.wait_for(&sql, loaded, "PARTITION", "PHASE = 'LOADED'");
        // Likely in the middle of a load.
        orchestrator.kill();
        orchestrator = migration.orchestrator(&snowflake);
    }
    migration.assert_ends_right(&snowflake, created);
}
