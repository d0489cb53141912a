//! One step under one strategy: it fails before its effect, the process is killed before it, its reply is lost, and the
//! process is killed after it. Whatever that makes of the runs, the rows are right in the end.

use crate::strategy::{self, Strategy};
use serde_json::json;
use snowhaul::failpoint::Step;
use snowhaul_integration::{Database, Ended, LocalRedshift, LocalSnowflake, Migration};

/// What is caused, in this order: on which side of the step, and what.
const FAILURES: [(&str, &str); 4] = [
    ("before", "error"),
    ("before", "kill"),
    ("after", "lost"),
    ("after", "kill"),
];
/// Runs of the same table until all of that has been caused; a step that is not repeated after a lost reply needs another.
const MAX_WORKFLOWS: usize = 4;
/// Starts of one workflow.
const MAX_STARTS: usize = 9;

/// Whether a run of this strategy, as [`Table`] has it, takes the step.
pub fn is_reached(step: Step, strategy: Strategy) -> bool {
    match step {
        Step::SyncCreate | Step::SyncClaim | Step::PlanSync => strategy.is_stateful(),
        Step::LoadDelete => matches!(strategy, Strategy::FullReplace | Strategy::Checksum),
        Step::LoadCopy => strategy != Strategy::Merge,
        Step::StagingCreate
        | Step::StagingCopy
        | Step::StagingDrop
        | Step::LoadMerge
        | Step::LoadDeleteMissing
        | Step::EndStaging => strategy == Strategy::Merge,
        _ => true,
    }
}

/// What must happen besides, so that the step is taken: at each start, and at the first one of a workflow.
fn circumstances(step: Step) -> (&'static str, &'static str) {
    match step {
        // Longer than the time between renewals.
        Step::WorkflowRenew | Step::TaskRenew => ("file.end.before=2*return(slow)", ""),
        Step::WorkflowRelease => ("file.end.before=1*return(term)", ""),
        Step::TaskReap => ("", "file.end.before=1*return(kill)"),
        Step::EndStaging => ("", "load.begin.before=1*return(kill)"),
        _ => ("", ""),
    }
}

/// A table that is moved again and again.
pub struct Table<'a> {
    strategy: Strategy,
    database: Database<'a>,
    server: &'a LocalSnowflake,
}

impl<'a> Table<'a> {
    pub fn new(strategy: Strategy, server: &'a LocalSnowflake) -> Self {
        let database = LocalRedshift::shared().database();
        strategy::create(&database.sql());
        Self {
            strategy,
            database,
            server,
        }
    }

    /// Causes all failures at the step.
    pub fn survives(&self, step: Step) {
        let mut migration = Migration::from(&self.database)
            .on(self.server)
            .application(
                "max_parallel_tasks = 2\ntask_fetch_interval = 1\nlease_refresh_interval = 1\nlease = 3",
            )
            .table(self.strategy.entry())
            .top(json!({"preflight": step == Step::EndDryRun}));
        let is_first_time = matches!(
            step,
            Step::BootstrapPrepare
                | Step::BootstrapMigrate
                | Step::BootstrapVersion
                | Step::TargetCreate
        );
        if self.strategy != Strategy::None && step != Step::EndDryRun && !is_first_time {
            strategy::assert_equal(&self.database, &migration.run(0));
            migration = migration.again();
        }
        if step == Step::PartitionFailed {
            strategy::poison(&self.database.sql());
        }
        let mut open = FAILURES.to_vec();
        for _ in 0..MAX_WORKFLOWS {
            self.strategy.change(&self.database.sql());
            let before = open.len();
            let ended = run_to_its_end(&migration, step, &mut open);
            self.check(step, &migration, ended);
            if open.is_empty() {
                return;
            }
            assert!(open.len() < before, "not reached: {open:?}");
            migration = if self.strategy == Strategy::None
                || is_first_time
                || step == Step::PartitionFailed
            {
                migration.with_new_metadata().with_new_target()
            } else {
                migration
            }
            .again();
        }
        panic!("still open after {MAX_WORKFLOWS} workflows: {open:?}");
    }

    fn check(&self, step: Step, migration: &Migration<'_>, ended: Ended) {
        let migrated = migration.left(ended);
        match step {
            Step::EndDryRun => {
                let schemas = "SELECT SCHEMA_NAME FROM {t}.INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME LIKE 'PREFLIGHT%'";
                let left = migrated.sql.rows(&schemas.replace("{t}", &migrated.target));
                assert!(left.is_empty(), "{left:?}");
            }
            Step::PartitionFailed => strategy::assert_equal_but_poison(&self.database, &migrated),
            _ => strategy::assert_equal(&self.database, &migrated),
        }
        let (table, partition, task) = match step {
            Step::PartitionFailed => (
                "FAILED",
                "'LOADED', 'UNCHANGED', 'FAILED'",
                "'COMPLETED', 'FAILED'",
            ),
            _ => ("COMPLETED", "'LOADED', 'UNCHANGED'", "'COMPLETED'"),
        };
        for (rows, what) in [
            (
                "WORKFLOW WHERE STATUS <> 'COMPLETED' OR OWNER IS NOT NULL",
                "workflow",
            ),
            (
                &format!("TABLE_STATE WHERE PHASE NOT IN ('COMPLETED', '{table}')"),
                "table",
            ),
            (
                &format!("\"PARTITION\" WHERE PHASE NOT IN ({partition})"),
                "partition",
            ),
            (
                &format!("TASK_QUEUE WHERE STATUS NOT IN ({task}) OR COLLECTED_AT IS NULL"),
                "task",
            ),
        ] {
            let left = migrated.metadata(&format!("SELECT * FROM {{s}}.{rows}"));
            assert!(left.is_empty(), "a {what} is left: {left:?}");
        }
        let staging =
            "SELECT TABLE_NAME FROM {d}.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME LIKE 'STAGING%'";
        let left = migrated.metadata(staging);
        assert!(left.is_empty(), "staging tables are left: {left:?}");
        if step != Step::PartitionFailed {
            let left = migrated.metadata("LIST @{s}.TASK_RESULTS");
            assert!(left.is_empty(), "staged files are left: {left:?}");
        }
    }
}

/// Starts the workflow until it is complete, each time with the failures that are still to be caused.
fn run_to_its_end(migration: &Migration<'_>, step: Step, open: &mut Vec<(&str, &str)>) -> Ended {
    let (always, first) = circumstances(step);
    for start in 0..MAX_STARTS {
        let mut wanted = points(step, open);
        if start == 0 && !first.is_empty() {
            wanted = first.to_owned();
        } else if !open.is_empty() && !always.is_empty() {
            wanted = format!("{wanted};{always}");
        }
        let (ended, caused) = migration.run_with(&wanted);
        for line in &caused {
            let is_it = |(side, action): &(&str, &str)| {
                *line == format!("{}.{side} {action}", step.as_str())
            };
            if let Some(index) = open.iter().position(is_it) {
                open.remove(index);
            }
        }
        if ended.code().is_none() {
            migration.let_leases_run_out();
        } else if caused.is_empty() || migration.is_complete() {
            let expected = if step == Step::PartitionFailed { 1 } else { 0 };
            let is_stopped = caused.iter().any(|line| line.ends_with("term"));
            assert!(
                ended.code() == Some(expected) || is_stopped,
                "{:?} after {caused:?}\n{}{}",
                ended.status,
                ended.stdout,
                ended.stderr
            );
        }
        if migration.is_complete() {
            return ended;
        }
    }
    panic!("not complete after {MAX_STARTS} starts; still open: {open:?}");
}

/// `FAILPOINTS` for what is to be caused: on each side one after the other.
fn points(step: Step, open: &[(&str, &str)]) -> String {
    let side = |side: &str| {
        let actions: Vec<String> = open
            .iter()
            .filter(|(at, _)| *at == side)
            .map(|(_, action)| format!("1*return({action})"))
            .collect();
        (!actions.is_empty()).then(|| format!("{}.{side}={}", step.as_str(), actions.join("->")))
    };
    let sides: Vec<String> = ["before", "after"].into_iter().filter_map(side).collect();
    sides.join(";")
}
