//! Rate limits: rows of `RATE_LIMIT` that users write, honoured exactly by all workers and orchestrators together.

use crate::migration::{DEADLINE, Migration, snowflake};
use serde_json::json;
use snowhaul_integration::{Database, LocalRedshift, Metadata, Migrated, Running, eventually};
use std::collections::HashSet;
use std::thread;
use std::time::Duration;

/// Between two looks at what runs.
const SAMPLE: Duration = Duration::from_millis(100);

/// Rows of the table `items`.
const ITEMS: i64 = 200;

/// Leases that outlast a busy machine: nothing here fails.
pub fn migration(rows: u32, partition_rows: u32, guarded: u32) -> Migration<'static> {
    let migration = Migration::new(LocalRedshift::shared(), rows, partition_rows, guarded);
    migration.configure_workers("max_parallel_tasks = 2\ntask_fetch_interval = 0.5");
    migration.configure_orchestrators("poll_interval = 0.5\nmax_failures = 20");
    migration
}

pub fn set_limit(migration: &Migration<'_>, pattern: &str, target: u32) {
    let metadata = migration.metadata(snowflake());
    eventually("a table for limits", DEADLINE, || metadata.take_limits());
    metadata.set_limit(pattern, target);
}

/// The most tasks that are claimed at once until the workflow has ended; and by how many workers in all.
fn most_at_once(migration: &Migration<'_>, created: &mut Running) -> (usize, usize) {
    let metadata = migration.metadata(snowflake());
    let (mut most, mut workers) = (0, HashSet::new());
    eventually("its end", DEADLINE, || {
        let now = metadata.extracting();
        most = most.max(now.len());
        workers.extend(now);
        thread::sleep(SAMPLE);
        created.ended().is_some()
    });
    (most, workers.len())
}

#[test]
fn several_workers_together_never_run_more_than_a_limit_allows() {
    let snowflake = snowflake();
    let migration = migration(600, 20, 601);
    let _orchestrator = migration.orchestrator(snowflake);
    set_limit(&migration, "Table[%]::Partition[%]::Extraction", 3);
    let _workers = [(); 3].map(|()| migration.worker(snowflake));
    let mut created = migration.create(snowflake);
    let (most, workers) = most_at_once(&migration, &mut created);
    assert!(most <= 3, "{most} at once");
    assert!(workers > 1, "one worker did all");
    migration.assert_ends_right(snowflake, created);
}

#[test]
fn zero_pauses_what_it_matches_and_raising_it_or_turning_it_off_goes_on() {
    let snowflake = snowflake();
    let migration = migration(300, 100, 301);
    let _orchestrator = migration.orchestrator(snowflake);
    let sql = snowflake.sql();
    let workflow = format!("Workflow[{}]", migration.metadata);
    set_limit(&migration, &format!("{workflow}::%::Extraction"), 0);
    set_limit(&migration, &format!("{workflow}::%::Loading"), 0);
    let _worker = migration.worker(snowflake);
    let created = migration.create(snowflake);
    // The analysis is not paused.
    migration.wait_for(
        &sql,
        3,
        "TASK_QUEUE",
        "KIND = 'EXTRACT' AND STATUS = 'PENDING'",
    );
    let count = |table: &str, condition: &str| migration.count(&sql, table, condition);
    let nothing_starts = |table: &str, condition: &str| {
        // Long enough for several looks.
        thread::sleep(Duration::from_secs(2));
        assert_eq!(count(table, condition), 0, "{table} WHERE {condition}");
    };
    nothing_starts("TASK_QUEUE", "KIND = 'EXTRACT' AND STATUS <> 'PENDING'");
    let limits = migration.object("RATE_LIMIT");
    sql.run(&format!(
        "UPDATE {limits} SET TARGET_CONCURRENT_TASKS = 5 WHERE SCOPE_PATTERN LIKE '%Extraction'"
    ));
    migration.wait_for(&sql, 3, "PARTITION", "PHASE = 'STAGED'");
    nothing_starts("PARTITION", "PHASE = 'LOADED'");
    sql.run(&format!(
        "UPDATE {limits} SET ENABLED = FALSE WHERE SCOPE_PATTERN LIKE '%Loading'"
    ));
    migration.assert_ends_right(snowflake, created);
}

#[test]
fn a_limit_that_is_set_or_lowered_in_the_middle_lets_what_runs_end_and_starts_no_more() {
    let snowflake = snowflake();
    let migration = migration(1_000, 100, 1);
    let _orchestrator = migration.orchestrator(snowflake);
    let sql = snowflake.sql();
    let gate = migration.close_gate();
    let _workers = [(); 2].map(|()| migration.worker(snowflake));
    let mut created = migration.create(snowflake);
    let four = "STATUS = 'CLAIMED' AND KIND = 'EXTRACT'";
    migration.wait_for(&sql, 4, "TASK_QUEUE", four);
    set_limit(&migration, "Table[%]::Extraction", 1);
    drop(gate);
    // From the first moment at which no more than one runs.
    eventually("no more than one runs", DEADLINE, || {
        migration.count(&sql, "TASK_QUEUE", four) <= 1
    });
    let (most, _) = most_at_once(&migration, &mut created);
    assert!(most <= 1, "{most} at once");
    migration.assert_ends_right(snowflake, created);
}

/// The same source table into each of these target tables, in ten partitions.
fn with<'a>(
    migration: snowhaul_integration::Migration<'a>,
    targets: &[&str],
) -> snowhaul_integration::Migration<'a> {
    targets.iter().fold(migration, |migration, target| {
        migration.table(json!({
            "source": {"tableName": "items"}, "target": {"tableName": target},
            "columnNamesToPartitionBy": ["id"], "partitionSize": {"maxRowsPerPartition": 20},
        }))
    })
}

/// A migration of [`ITEMS`] rows into the table `A`, and what its run has left: the metadata too.
fn first_run<'a>(database: &'a Database<'a>) -> (snowhaul_integration::Migration<'a>, Migrated) {
    database.sql().run(&format!(
        "CREATE TABLE items AS SELECT id::bigint AS id FROM generate_series(1, {ITEMS}) id"
    ));
    let migration = snowhaul_integration::Migration::from(database).on(snowflake());
    let migration = with(migration, &["A"]);
    let run = migration.run(0);
    (migration, run)
}

fn allow_one_load(metadata: &Metadata) {
    metadata.set_limit("Table[%]::Loading", 1);
}

/// Each of the target's tables has as many rows as the source.
fn assert_loaded(run: &Migrated, tables: &[&str]) {
    for table in tables {
        let rows = format!("SELECT COUNT(*) FROM {table}");
        assert_eq!(run.sql.number(&rows), ITEMS, "{table}");
    }
}

#[test]
fn orchestrators_together_never_load_more_at_once_than_a_limit_allows() {
    let server = LocalRedshift::shared();
    let database = server.database();
    let (first, first_run) = first_run(&database);
    let metadata = first.metadata();
    allow_one_load(&metadata);
    let one = first.clone().without_tables().again();
    let (one, other) = (
        with(one.clone(), &["B", "C", "D"]),
        with(one.again(), &["E", "F", "G"]),
    );
    let loads = || metadata.permitted_loads();
    let (mut most, mut some) = (0, false);
    thread::scope(|scope| {
        let runs = [&one, &other].map(|migration| scope.spawn(|| drop(migration.run(0))));
        eventually("the end of both", DEADLINE, || {
            let now = loads();
            most = most.max(now);
            some |= now > 0;
            thread::sleep(SAMPLE);
            runs.iter().all(|run| run.is_finished())
        });
    });
    assert!(some && most <= 1, "{most} at once");
    assert_loaded(&first_run, &["A", "B", "C", "D", "E", "F", "G"]);
    // Each load of the two had its permit.
    let of = |part: &str| {
        let statements = snowflake().statements();
        let ours = statements.iter().filter_map(|entry| entry["sql"].as_str());
        ours.filter(|sql| sql.contains(first.metadata_database()) && sql.contains(part))
            .count()
    };
    assert!(of("SET LOAD_PERMIT = OWNER_EPOCH") >= 6);
}

#[test]
fn loads_that_began_before_the_first_limit_was_set_count() {
    let server = LocalRedshift::shared();
    let database = server.database();
    let (first, first_run) = first_run(&database);
    let metadata = first.metadata();
    let slow = with(first.clone().without_tables().again(), &["B"]);
    let other = with(slow.clone().without_tables().again(), &["C", "D"]);
    let loads = || metadata.permitted_loads();
    let mut most = 0;
    thread::scope(|scope| {
        let slow = scope.spawn(|| slow.run_with("load.copy.before=return(slow)").0);
        eventually("a load", DEADLINE, || loads() > 0);
        allow_one_load(&metadata);
        let other = scope.spawn(|| drop(other.run(0)));
        eventually("the end of both", DEADLINE, || {
            most = most.max(loads());
            thread::sleep(SAMPLE);
            slow.is_finished() && other.is_finished()
        });
        let slow = slow.join().unwrap();
        assert_eq!(slow.code(), Some(0), "{}{}", slow.stdout, slow.stderr);
    });
    assert_eq!(most, 1);
    assert_loaded(&first_run, &["A", "B", "C", "D"]);
}
