//! How many statements a migration of many small partitions costs.

use crate::migration::Migration;
use snowhaul_integration::{LocalRedshift, LocalSnowflake};
use std::collections::BTreeMap;

const PARTITIONS: u32 = 200;
/// What a workflow costs once, whatever its partitions: bootstrap, creation, analysis, plan, end.
const ONCE: usize = 120;

/// What a statement is for, and whether more partitions mean more of it.
fn kind(sql: &str) -> (&'static str, bool) {
    // The first that fits.
    let kinds: [(&str, &str, bool); 29] = [
        ("COPY INTO", "load: COPY INTO", false),
        ("PUT ", "upload: PUT", false),
        ("ALTER SESSION", "load: session's tag", true),
        ("BEGIN", "load: BEGIN", true),
        ("COMMIT", "load: COMMIT", true),
        ("ROLLBACK", "load: ROLLBACK", true),
        ("SET LOAD_SEQ", "load: lock of the table", true),
        ("SET PHASE = 'LOADED'", "load: partitions loaded", true),
        ("SET PHASE = 'STAGED'", "partitions staged", true),
        ("SET STATUS = 'CLAIMED'", "poll: claims", false),
        ("WHERE CLAIM_TOKEN =", "claims that won", true),
        ("SET STATUS = V.S", "ends of tasks", true),
        ("SET COLLECTED_AT", "tasks collected", true),
        ("TASK_QUEUE (TASK_ID", "tasks queued", true),
        ("AND COLLECTED_AT IS NULL", "poll: ended tasks", false),
        ("SET STATUS = IFF(FAILURES", "poll: silent workers", false),
        ("SET OWNER =", "poll: workflows to take", false),
        ("SET LEASE_UNTIL =", "poll: leases", false),
        ("MERGE INTO", "poll: worker's row", false),
        ("TABLE_PROGRESS", "poll: progress", false),
        ("NUM_FAILED", "poll: workflow's status", false),
        ("SELECT PARTITION_NO", "pages of partitions", true),
        ("SELECT TASK_ID, STATUS", "ends of tasks in doubt", true),
        ("SELECT PHASE, COUNT", "partitions counted", true),
        ("SELECT OWNER_EPOCH", "owner checked", true),
        ("INSERT INTO", "once: inserts", true),
        ("CREATE ", "once: objects", true),
        ("SELECT T.WORKFLOW_ID, W.NAME", "tables read", true),
        ("", "other", true),
    ];
    let sql = sql.to_uppercase();
    let found = kinds.iter().find(|(part, ..)| sql.contains(part));
    found.map_or(("other", true), |(_, name, grows)| (name, *grows))
}

#[test]
fn statements_that_grow_with_partitions_are_at_most_two_for_each() {
    let snowflake = LocalSnowflake::start(&[]);
    let migration = Migration::new(
        LocalRedshift::shared(),
        PARTITIONS * 10,
        10,
        PARTITIONS * 10,
    );
    let orchestrator = migration.orchestrator(&snowflake);
    let worker = migration.worker(&snowflake);
    let created = migration.create(&snowflake);
    let ended = created.wait(crate::migration::DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    drop((orchestrator, worker));
    let mut counted: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    for entry in snowflake.statements() {
        let sql = entry["sql"].as_str().unwrap_or_default();
        let (name, grows) = kind(sql);
        if name == "other" {
            println!("other: {}", sql.chars().take(150).collect::<String>());
        }
        *counted.entry((grows, name)).or_default() += 1;
    }
    for ((grows, name), count) in &counted {
        let mark = if *grows { "counted" } else { "" };
        println!("{count:6}  {name:28} {mark}");
    }
    let growing: usize = counted
        .iter()
        .filter_map(|((grows, _), count)| grows.then_some(*count))
        .sum();
    println!("{growing} for {PARTITIONS} partitions");
    let most = 2 * usize::try_from(PARTITIONS).unwrap() + ONCE;
    assert!(growing <= most, "{growing} statements, {most} at most");
    migration.assert_loaded_once(&snowflake);
}
