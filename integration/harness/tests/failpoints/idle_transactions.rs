//! Transactions that Snowflake ends as idle, while this process believes them open.

use crate::strategy::{Strategy, assert_equal, create};
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migration};

#[test]
fn a_load_whose_transaction_has_ended_meanwhile_commits_nothing_of_it_and_is_done_again() {
    let server = LocalSnowflake::start(&["--transaction-idle", "1", "--forget-idle"]);
    // It stands still before it moves the rows, and after that.
    for (strategy, place) in [
        (Strategy::None, "load.copy.before"),
        (Strategy::Append, "load.copy.after"),
    ] {
        let database = LocalRedshift::shared().database();
        create(&database);
        let migration = Migration::from(&database)
            .on(&server)
            .table(strategy.entry());
        let (ended, caused) = migration.run_with(&format!("{place}=1*return(slow)"));
        assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(caused, [format!("{place} slow")]);
        let migrated = migration.left(ended);
        let told = "Snowflake has ended the load's transaction before its end";
        assert!(
            migrated.ended.stderr.contains(told),
            "{}",
            migrated.ended.stdout
        );
        assert_equal(&database, &migrated);
    }
}
