//! How many statements a migration of many small partitions costs.

use crate::migration::{DEADLINE, Migration};
use snowhaul_integration::{LocalRedshift, LocalSnowflake};
use std::collections::BTreeMap;

const PARTITIONS: u32 = 200;
/// What a workflow costs once, whatever its partitions: whose the metadata are, views, creation, fences, analysis, plan, end.
const ONCE: usize = 100;

/// Whether more partitions mean more of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grows {
    Yes,
    /// By the clock, or by itself: COPY INTO and PUT are the work.
    No,
}

/// Part of a statement in upper case, what it is for, whether it grows. The first that fits counts.
const KINDS: [(&str, &str, Grows); 24] = [
    ("COPY INTO", "load: COPY INTO", Grows::No),
    ("PUT ", "upload: PUT", Grows::No),
    ("SET STATUS = 'CLAIMED'", "poll: claims", Grows::No),
    (
        "STATUS IN ('COMPLETED', 'FAILED') AND COLLECTED_AT IS NULL",
        "poll: ended tasks",
        Grows::No,
    ),
    (
        "SET STATUS = IFF(FAILURES",
        "poll: silent workers",
        Grows::No,
    ),
    ("SET OWNER =", "poll: workflows to take", Grows::No),
    ("SET LEASE_UNTIL =", "poll: leases", Grows::No),
    ("MERGE INTO", "poll: the worker's row", Grows::No),
    ("TABLE_PROGRESS", "poll: progress", Grows::No),
    ("COUNT(T.TABLE_NO)", "poll: progress", Grows::No),
    ("USE SECONDARY ROLES", "login: its roles", Grows::No),
    ("CREATE HYBRID TABLE", "metadata: tables", Grows::No),
    ("PROCEDURE", "metadata: procedures", Grows::No),
    ("BEGIN", "load: BEGIN", Grows::Yes),
    ("COMMIT", "load: COMMIT", Grows::Yes),
    ("SET LOAD_PERMIT", "load: counts as running", Grows::Yes),
    ("SET LOAD_SEQ", "load: the table's lock", Grows::Yes),
    (
        "SET PHASE = 'LOADED'",
        "load: partitions loaded",
        Grows::Yes,
    ),
    ("SET PHASE = 'STAGED'", "partitions staged", Grows::Yes),
    ("WHERE CLAIM_TOKEN =", "claims that won", Grows::Yes),
    ("SET STATUS = V.S", "ends of tasks", Grows::Yes),
    ("SET COLLECTED_AT", "tasks collected", Grows::Yes),
    ("TASK_QUEUE (TASK_ID", "tasks queued", Grows::Yes),
    ("", "all others", Grows::Yes),
];

#[test]
fn statements_that_grow_with_partitions_are_at_most_two_for_each() {
    let snowflake = LocalSnowflake::start(&[]);
    let migration = Migration::new(
        LocalRedshift::shared(),
        PARTITIONS * 10,
        10,
        PARTITIONS * 10,
    );
    // As it comes: its pauses decide how many it writes at once.
    migration.configure_orchestrators("");
    let orchestrator = migration.orchestrator(&snowflake);
    let worker = migration.worker(&snowflake);
    let created = migration.create(&snowflake);
    let ended = created.wait(DEADLINE);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    drop((orchestrator, worker));
    let mut counted: BTreeMap<(Grows, &str), usize> = BTreeMap::new();
    for entry in snowflake.statements() {
        let sql = entry["sql"].as_str().unwrap_or_default().to_uppercase();
        let kind = KINDS.iter().find(|(part, ..)| sql.contains(part));
        let (_, name, grows) = *kind.unwrap();
        *counted.entry((grows, name)).or_default() += 1;
    }
    for ((grows, name), count) in &counted {
        let mark = if *grows == Grows::Yes {
            ""
        } else {
            "(not counted)"
        };
        println!("{count:6}  {name} {mark}");
    }
    let growing = counted
        .iter()
        .filter(|((grows, _), _)| *grows == Grows::Yes);
    let growing: usize = growing.map(|(_, count)| count).sum();
    println!("{growing} for {PARTITIONS} partitions");
    let most = 2 * usize::try_from(PARTITIONS).unwrap() + ONCE;
    assert!(
        growing <= most,
        "{growing} statements, {most} at most: {counted:?}"
    );
    migration.assert_loaded_once(&snowflake);
}
