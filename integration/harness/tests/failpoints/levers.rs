//! The steps that only operators cause, each failing in every way: what failed runs again, to every row once.

use crate::cell::FAILURES;
use crate::strategy::{self, Strategy};
use snowhaul::failpoint::Step;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Migration};

/// What is not reached without a lever.
pub const STEPS: [Step; 6] = [
    Step::RequestBegin,
    Step::RequestWrite,
    Step::RequestCommit,
    Step::OrdersBegin,
    Step::OrdersWrite,
    Step::OrdersCommit,
];

/// Calls of a command, or runs, until what was caused has been survived.
const MAX_CALLS: usize = 6;

fn survives(server: &LocalSnowflake, step: Step) {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    strategy::create(&sql);
    for (side, action) in FAILURES {
        strategy::poison(&sql);
        let migration = Migration::from(&database)
            .on(server)
            .application(
                "max_parallel_tasks = 2\ntask_fetch_interval = 1\nlease_refresh_interval = 1\nlease = 3",
            )
            .table(Strategy::None.entry());
        strategy::assert_equal_but_poison(&database, &migration.run(1));
        strategy::heal(&sql);
        let wanted = format!("{}.{side}=1*return({action})", step.as_str());
        let is_command = step.as_str().starts_with("request.");
        let mut points = if is_command { wanted.as_str() } else { "" };
        let mut hit = false;
        let asked = (0..MAX_CALLS).any(|_| {
            let (ended, caused) = migration.workflow_command("retry", points);
            hit |= !caused.is_empty();
            points = "";
            ended.code() == Some(0)
        });
        assert!(asked, "{step:?} {side} {action}: not asked");
        let mut points = if is_command { "" } else { wanted.as_str() };
        let done = (0..MAX_CALLS).any(|_| {
            let (ended, caused) = migration.run_with(points);
            hit |= !caused.is_empty();
            points = "";
            if ended.code().is_none() {
                migration.let_leases_run_out();
            }
            let is_done = ended.code() == Some(0);
            if is_done {
                strategy::assert_equal(&database, &migration.left(ended));
            }
            is_done
        });
        assert!(done, "{step:?} {side} {action}: not done");
        assert!(hit, "{step:?} {side} {action}: not reached");
    }
}

#[test]
fn every_step_of_a_lever_is_survived() {
    let server = LocalSnowflake::start(&["--transaction-idle", "2"]);
    for step in STEPS {
        survives(&server, step);
        println!("retry\t{}\tsurvived", step.as_str());
    }
}
