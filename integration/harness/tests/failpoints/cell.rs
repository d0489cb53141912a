//! Steps under one strategy: each fails before its effect, the process is killed before it, its reply is lost, and the
//! process is killed after it. Whatever that makes of the runs, the rows are right in the end.
//!
//! Steps that need no circumstances of their own share a workflow, which is killed again and again; in
//! `SNOWHAUL_STEPS_ALONE=1` each has workflows of its own.

use crate::strategy::{self, Strategy};
use serde_json::json;
use snowhaul::failpoint::Step;
use snowhaul_integration::{Ended, LocalRedshift, LocalSnowflake, Migration, Source, SqlServer};

/// What is caused, in this order: on which side of the step, and what.
const FAILURES: [(&str, &str); 4] = [
    ("before", "error"),
    ("before", "kill"),
    ("after", "lost"),
    ("after", "kill"),
];
/// Runs of the same table until all of that has been caused: a step that is not repeated after a lost reply needs another, and
/// so does one that a slow machine has led past (a lease ran out meanwhile, say).
const MAX_WORKFLOWS: usize = 6;
/// Starts of one workflow beyond the kills that it is to meet.
const MORE_STARTS: usize = 6;
/// Steps that share a workflow.
const TOGETHER: usize = 9;

/// Whether a run of this strategy, as [`Table`] has it, takes the step.
pub fn is_reached(step: Step, strategy: Strategy) -> bool {
    match step {
        Step::SyncCreate | Step::SyncClaim | Step::PlanSync => strategy.is_stateful(),
        // They need metadata before the run.
        Step::LimitBegin
        | Step::LimitLock
        | Step::LimitClaim
        | Step::LimitPermit
        | Step::LimitCommit
        | Step::LimitReturn => strategy != Strategy::None,
        // See `requests`.
        Step::RequestBegin
        | Step::RequestWrite
        | Step::RequestCommit
        | Step::OrdersBegin
        | Step::OrdersWrite
        | Step::OrdersCommit => false,
        // It needs workflows that ended long ago: see the test `purge` of the faults.
        Step::TaskPurge => false,
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
        // The load is not committed, for a passing reason.
        Step::LoadWaits | Step::LimitReturn => ("load.checkpoint.before=1*return(error)", ""),
        Step::EndStaging => ("", "load.begin.before=1*return(kill)"),
        _ => ("", ""),
    }
}

/// The steps of a strategy whose names begin so, those together that may be.
pub fn batches(strategy: Strategy, beginning: &str) -> Vec<Vec<Step>> {
    let together = match std::env::var_os("SNOWHAUL_STEPS_ALONE") {
        Some(_) => 1,
        None => TOGETHER,
    };
    let chosen = Step::ALL.iter().copied().filter(|step| {
        is_reached(*step, strategy)
            && is_this_turn(*step, strategy)
            && step.as_str().starts_with(beginning)
    });
    let (plain, special): (Vec<Step>, Vec<Step>) =
        chosen.partition(|step| circumstances(*step) == ("", "") && !is_special(*step));
    let (limited, special): (Vec<Step>, Vec<Step>) = special
        .into_iter()
        .partition(|step| is_limited(*step) && circumstances(*step) == ("", ""));
    let alone = special.into_iter().map(|step| vec![step]);
    plain
        .chunks(together)
        .chain(limited.chunks(together))
        .map(<[Step]>::to_vec)
        .chain(alone)
        .collect()
}

/// Whether a step is tried under this strategy: always where strategies differ, and otherwise under one of them, in turn,
/// unless `SNOWHAUL_EVERY_STRATEGY=1` asks for all.
fn is_this_turn(step: Step, strategy: Strategy) -> bool {
    let name = step.as_str();
    let differs = ["sync.", "staging.", "load.", "plan.sync", "plan.commit"];
    if std::env::var_os("SNOWHAUL_EVERY_STRATEGY").is_some()
        || differs.iter().any(|beginning| name.starts_with(beginning))
    {
        return true;
    }
    let reached: Vec<Strategy> = Strategy::ALL
        .into_iter()
        .filter(|other| is_reached(step, *other))
        .collect();
    reached[step as usize % reached.len()] == strategy
}

/// The platforms that steps are tried on: most do not depend on the source. `SNOWHAUL_EVERY_STRATEGY=1` takes all.
pub fn platforms() -> &'static [&'static str] {
    match std::env::var_os("SNOWHAUL_EVERY_STRATEGY") {
        Some(_) => &["redshift", "sqlserver"],
        None => &["redshift"],
    }
}

/// Whether it needs a workflow of its own kind.
fn is_special(step: Step) -> bool {
    is_first_time(step)
        || is_limited(step)
        || matches!(step, Step::EndDryRun | Step::PartitionFailed)
}

/// Whether only runs under a rate limit take it.
fn is_limited(step: Step) -> bool {
    step.as_str().starts_with("limit.")
}

/// Whether only the first run of a table takes it.
fn is_first_time(step: Step) -> bool {
    matches!(
        step,
        Step::BootstrapPrepare
            | Step::BootstrapMigrate
            | Step::BootstrapVersion
            | Step::TargetCreate
    )
}

/// A failure that is to be caused: at which step, on which side, and what.
pub type Failure = (Step, &'static str, &'static str);

/// A table that is moved again and again.
pub struct Table<'a> {
    strategy: Strategy,
    source: Box<dyn Source + 'a>,
    server: &'a LocalSnowflake,
}

impl<'a> Table<'a> {
    pub fn new(strategy: Strategy, platform: &str, server: &'a LocalSnowflake) -> Self {
        let source: Box<dyn Source> = match platform {
            "sqlserver" => Box::new(SqlServer::shared().database()),
            _ => Box::new(LocalRedshift::shared().database()),
        };
        strategy::create(&*source);
        Self {
            strategy,
            source,
            server,
        }
    }

    /// Causes all failures at the steps.
    pub fn survives(&self, steps: &[Step]) {
        let step = steps[0];
        let mut migration = Migration::from(&*self.source)
            .on(self.server)
            .application(
                "max_parallel_tasks = 2\ntask_fetch_interval = 1\nlease_refresh_interval = 1\nlease = 3",
            )
            .table(self.strategy.entry())
            .top(json!({"preflight": step == Step::EndDryRun}));
        if self.strategy != Strategy::None && step != Step::EndDryRun && !is_first_time(step) {
            let first = migration.run(0);
            strategy::assert_equal(&*self.source, &first);
            if is_limited(step) {
                first.metadata.set_limit("%", 1);
            }
            migration = migration.again();
        }
        let mut open = failures(steps);
        for _ in 0..MAX_WORKFLOWS {
            if step == Step::PartitionFailed {
                strategy::poison(&*self.source);
            } else {
                self.strategy.change(&*self.source);
            }
            let ended = run_to_its_end(&migration, step, &mut open);
            self.check(step, &migration, ended);
            if open.is_empty() {
                return;
            }
            let is_anew = self.strategy == Strategy::None
                || is_first_time(step)
                || step == Step::PartitionFailed;
            migration = if is_anew {
                migration.with_new_metadata().with_new_target().again()
            } else {
                migration.again()
            };
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
            Step::PartitionFailed => strategy::assert_equal_but_poison(&*self.source, &migrated),
            _ => strategy::assert_equal(&*self.source, &migrated),
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
            let left = migrated
                .metadata
                .rows(&format!("SELECT * FROM {{s}}.{rows}"));
            assert!(left.is_empty(), "a {what} is left: {left:?}");
        }
        let left = migrated.metadata.staging_tables();
        assert!(left.is_empty(), "staging tables are left: {left:?}");
        if step != Step::PartitionFailed {
            let left = migrated.metadata.staged_files();
            assert!(left.is_empty(), "staged files are left: {left:?}");
        }
    }
}

/// Starts the workflow until it is complete, each time with the failures that are still to be caused.
pub fn run_to_its_end(migration: &Migration<'_>, step: Step, open: &mut Vec<Failure>) -> Ended {
    let (always, first) = circumstances(step);
    for start in 0..open.len() + MORE_STARTS {
        let mut wanted = points(open);
        if start == 0 && !first.is_empty() {
            wanted = first.to_owned();
        } else if !open.is_empty() && !always.is_empty() {
            wanted = format!("{wanted};{always}");
        }
        let (ended, caused) = migration.run_with(&wanted);
        note(&caused, open);
        if ended.code().is_none() {
            // The reaper shall find something.
            if step != Step::TaskReap {
                migration.let_leases_run_out();
            }
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
    panic!("not complete; still open: {open:?}");
}

/// All failures of these steps.
pub fn failures(steps: &[Step]) -> Vec<Failure> {
    let of_step = |step: &Step| {
        let step = *step;
        FAILURES.map(|(side, action)| (step, side, action))
    };
    steps.iter().flat_map(of_step).collect()
}

/// Takes what was caused from what is still to be.
pub fn note(caused: &[String], open: &mut Vec<Failure>) {
    for line in caused {
        let is_it =
            |(step, side, action): &Failure| *line == format!("{}.{side} {action}", step.as_str());
        if let Some(index) = open.iter().position(is_it) {
            open.remove(index);
        }
    }
}

/// `FAILPOINTS` for what is to be caused: on each side of a step one after the other.
pub fn points(open: &[Failure]) -> String {
    let mut points: Vec<(String, Vec<String>)> = Vec::new();
    for (step, side, action) in open {
        let (name, action) = (
            format!("{}.{side}", step.as_str()),
            format!("1*return({action})"),
        );
        match points.iter_mut().find(|(known, _)| *known == name) {
            Some((_, actions)) => actions.push(action),
            None => points.push((name, vec![action])),
        }
    }
    let points: Vec<String> = points
        .into_iter()
        .map(|(name, actions)| format!("{name}={}", actions.join("->")))
        .collect();
    points.join(";")
}
