//! The steps that only operators cause, each failing in every way: what failed runs again, to every row once.

use crate::cell::FAILURES;
use crate::strategy::{self, Strategy};
use snowhaul::failpoint::Step;
use snowhaul_integration::{Ended, LocalRedshift, LocalSnowflake, Migration};

/// What is not reached without a lever.
pub const STEPS: [Step; 6] = [
    Step::RequestBegin,
    Step::RequestWrite,
    Step::RequestCommit,
    Step::OrdersBegin,
    Step::OrdersWrite,
    Step::OrdersCommit,
];

/// Calls of the command, or runs: each meets what is still to be caused.
const MAX_CALLS: usize = 6;

/// Calls until one succeeds; what was caused meanwhile is taken off the list.
fn call_until_done(
    open: &mut Vec<String>,
    mut call: impl FnMut(&str) -> (Ended, Vec<String>),
) -> Ended {
    for _ in 0..MAX_CALLS {
        let (ended, caused) = call(&open.join(";"));
        open.retain(|point| {
            let (place, action) = point.split_once('=').unwrap_or((point, ""));
            let action = action.trim_start_matches("1*return(").trim_end_matches(')');
            !caused.contains(&format!("{place} {action}"))
        });
        if ended.code() == Some(0) {
            return ended;
        }
    }
    panic!("not done after {MAX_CALLS} calls; still open: {open:?}");
}

#[test]
fn every_step_of_a_lever_is_survived() {
    let server = LocalSnowflake::start(&["--transaction-idle", "2"]);
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    strategy::create(&sql);
    let mut migration = Migration::from(&database)
        .on(&server)
        .application(
            "max_parallel_tasks = 2\ntask_fetch_interval = 1\nlease_refresh_interval = 1\nlease = 3",
        )
        .table(Strategy::None.entry());
    for (side, action) in FAILURES {
        strategy::poison(&sql);
        strategy::assert_equal_but_poison(&database, &migration.run(1));
        strategy::heal(&sql);
        let (mut asking, mut carrying): (Vec<_>, Vec<_>) = STEPS
            .iter()
            .map(|step| format!("{}.{side}=1*return({action})", step.as_str()))
            .partition(|point| point.starts_with("request."));
        let _ = call_until_done(&mut asking, |points| migration.steer_with("retry", points));
        let ended = call_until_done(&mut carrying, |points| {
            let run = migration.run_with(points);
            if run.0.code().is_none() {
                migration.let_leases_run_out();
            }
            run
        });
        assert!(
            asking.is_empty() && carrying.is_empty(),
            "not reached: {asking:?} {carrying:?}"
        );
        strategy::assert_equal(&database, &migration.left(ended));
        migration = migration.with_new_target().again();
    }
}
