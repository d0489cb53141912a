//! What operators ask of a workflow, and what its owner makes of it, under the same failures.

use crate::cell::{Failure, failures, note, run_to_its_end};
use crate::strategy::{self, Strategy};
use snowhaul::failpoint::Step;
use snowhaul_integration::{Database, LocalRedshift, LocalSnowflake, Migration};

/// The steps of this module.
pub const STEPS: [Step; 6] = [
    Step::RequestBegin,
    Step::RequestWrite,
    Step::RequestCommit,
    Step::OrdersBegin,
    Step::OrdersWrite,
    Step::OrdersCommit,
];

fn migration<'a>(
    database: &'a Database<'a>,
    server: &'a LocalSnowflake,
    strategy: Strategy,
) -> Migration<'a> {
    Migration::from(database)
        .on(server)
        .application(
            "max_parallel_tasks = 2\ntask_fetch_interval = 1\nlease_refresh_interval = 1\nlease = 3",
        )
        .table(strategy.entry())
}

#[test]
fn requests_are_survived() {
    let server = LocalSnowflake::start(&["--transaction-idle", "2"]);
    let database = LocalRedshift::shared().database();
    strategy::create(&database);
    let migration = migration(&database, &server, Strategy::None);
    let (killed, _) = migration.run_with("file.end.before=1*return(kill)");
    assert_eq!(killed.code(), None);
    let mut open: Vec<Failure> = failures(&STEPS[..3]);
    let mut commands = ["pause", "resume"].into_iter().cycle().peekable();
    while let Some(command) = commands.peek() {
        let before = open.len();
        let (ended, caused) = migration.ask_with(command, &crate::cell::points(&open));
        note(&caused, &mut open);
        if ended.code() == Some(0) {
            if open.is_empty() && *command == "resume" {
                break;
            }
            assert!(
                open.is_empty() || open.len() < before,
                "not reached: {open:?}"
            );
            commands.next();
        } else {
            assert!(!caused.is_empty(), "{}{}", ended.stdout, ended.stderr);
        }
    }
    migration.let_leases_run_out();
    strategy::assert_equal(&database, &migration.run(0));
}

#[test]
fn orders_are_survived() {
    for strategy in [Strategy::None, Strategy::Merge] {
        let server = LocalSnowflake::start(&["--transaction-idle", "2"]);
        let database = LocalRedshift::shared().database();
        strategy::create(&database);
        let mut open: Vec<Failure> = failures(&STEPS[3..]);
        let mut migration = migration(&database, &server, strategy);
        for _ in 0..4 {
            strategy::poison(&database);
            let failed = migration.run(1);
            strategy::assert_equal_but_poison(&database, &failed);
            strategy::mend(&database);
            let (ended, _) = migration.ask_with("retry", "");
            assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
            let before = open.len();
            let ended = run_to_its_end(&migration, Step::OrdersWrite, &mut open);
            strategy::assert_equal(&database, &migration.left(ended));
            if open.is_empty() {
                break;
            }
            assert!(open.len() < before, "not reached: {open:?}");
            migration = match strategy {
                Strategy::None => migration.with_new_target().with_new_metadata().again(),
                _ => migration.again(),
            };
        }
        assert!(open.is_empty(), "{open:?}");
    }
}
