//! `run`: a refused one begins nothing, and what is stopped inside a transaction rolls it back.

use crate::connection;
use serde_json::{Value, json};
use snowhaul::failpoint::Step;
use snowhaul::snowflake::SnowflakeClient;
use snowhaul_integration::{Database, LocalRedshift, LocalSnowflake, Migration, Sql};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a client may take to end its transactions: generous, nothing is asserted about speed.
const PATIENCE: Duration = Duration::from_secs(20);

fn create(sql: &Sql, table: &str) {
    sql.run(&format!(
        "CREATE TABLE {table} AS SELECT n AS id, 'name ' || n AS name FROM generate_series(1, 200) n"
    ));
    sql.run(&format!("ANALYZE {table}"));
}

/// The table in partitions of so many rows.
fn in_parts(table: &str, rows: i64) -> Value {
    json!({
        "source": {"tableName": table}, "target": {"tableName": table},
        "columnNamesToPartitionBy": ["id"],
        "partitionSize": {"maxRowsPerPartition": rows},
    })
}

fn two_tables<'a>(database: &'a Database<'a>, server: &'a LocalSnowflake) -> Migration<'a> {
    create(&database.sql(), "t");
    create(&database.sql(), "u");
    Migration::from(database)
        .on(server)
        .table(in_parts("t", 50))
        .table(in_parts("u", 50))
}

/// The transactions that nobody has ended: the statements of each.
fn left_open(server: &LocalSnowflake) -> Vec<Vec<String>> {
    let mut open: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in server.statements() {
        let session = entry["session"].to_string();
        let sql = entry["sql"].as_str().unwrap_or_default().to_owned();
        match sql.split_whitespace().next() {
            Some("BEGIN") => drop(open.insert(session, vec![sql])),
            Some("COMMIT" | "ROLLBACK") => drop(open.remove(&session)),
            _ => {
                if let Some(statements) = open.get_mut(&session) {
                    statements.push(sql);
                }
            }
        }
    }
    open.into_values().collect()
}

#[track_caller]
fn assert_none_left_open(server: &LocalSnowflake) {
    let open = left_open(server);
    assert!(open.is_empty(), "{open:#?}");
}

/// All rows of both tables, once.
#[track_caller]
fn assert_moved(sql: &Sql) {
    for table in ["t", "u"] {
        let rows = sql.rows(&format!(
            "SELECT COUNT(*), COUNT(DISTINCT id), MIN(name), MAX(id) FROM {table}"
        ));
        let row: Vec<_> = rows[0].iter().map(|cell| cell.as_deref()).collect();
        let expected = ["200", "200", "name 1", "200"].map(Some);
        assert_eq!(row, expected, "{table}");
    }
}

/// The sessions that the server has had.
fn sessions(server: &LocalSnowflake) -> BTreeSet<String> {
    let statements = server.statements().into_iter();
    statements
        .map(|entry| entry["session"].to_string())
        .collect()
}

/// What snowhaul has sent in other sessions than these that is no question and no setting of the session. (What a process
/// has sent last may be answered when it has ended.)
fn changes(server: &LocalSnowflake, before: &BTreeSet<String>) -> Vec<String> {
    let statements = server.statements().into_iter();
    statements
        .filter(|entry| !before.contains(&entry["session"].to_string()))
        .filter(|entry| {
            entry["tag"]
                .as_str()
                .is_some_and(|tag| tag.contains("snowhaul"))
        })
        .filter_map(|entry| entry["sql"].as_str().map(str::to_owned))
        .filter(|sql| !sql.trim_start().starts_with("SELECT"))
        .filter(|sql| sql != "USE SECONDARY ROLES NONE")
        .collect()
}

#[test]
fn a_refused_run_begins_nothing_and_the_interrupted_workflow_goes_on_at_once() {
    // Its own, which ends idle transactions after five minutes: whoever waits for one waits longer than any of these runs may.
    let server = LocalSnowflake::start(&[]);
    let database = LocalRedshift::shared().database();
    let migration = two_tables(&database, &server);
    // Before the plans are written.
    let (ended, caused) = migration.run_with("plan.begin.before=1*return(term)");
    assert_eq!(
        (ended.code(), caused.len()),
        (Some(130), 1),
        "{}",
        ended.stderr
    );
    assert_none_left_open(&server);

    let before = sessions(&server);
    let other = migration.clone().without_tables().table(in_parts("t", 20));
    let refused = other.run(2).ended;
    for words in ["exists with another configuration", "nothing was written"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    let changes_of_refused = changes(&server, &before);
    assert!(changes_of_refused.is_empty(), "{changes_of_refused:#?}");

    let done = migration.run(0);
    assert_moved(&done.sql);
    assert_none_left_open(&server);

    let before = sessions(&server);
    let refused = migration.run(2).ended;
    assert!(
        refused.stderr.contains("is completed already"),
        "{}",
        refused.stderr
    );
    let changes_of_refused = changes(&server, &before);
    assert!(changes_of_refused.is_empty(), "{changes_of_refused:#?}");
}

#[test]
fn what_is_stopped_inside_a_transaction_rolls_it_back_or_commits_it() {
    // Where it is stopped, and what makes it stay there for longer than a stop waits for it.
    let cases = [
        ("plan.begin.after", "plan.table.before"),
        ("plan.table.after", "plan.partitions.before"),
        ("plan.collect.after", "plan.commit.before"),
        ("load.checkpoint.after", "load.copy.before"),
        ("complete.lock.after", "workflow.collect.before"),
        ("create.workflow.after", "create.tables.before"),
    ];
    for (stopped, slow) in cases {
        let server = LocalSnowflake::start(&[]);
        let database = LocalRedshift::shared().database();
        let migration = two_tables(&database, &server);
        let points = format!("{stopped}=1*return(term)->1*return(slow);{slow}=2*return(slow)");
        let (ended, caused) = migration.run_with(&points);
        assert_eq!(ended.code(), Some(130), "{points}: {}", ended.stderr);
        assert!(
            caused.iter().any(|line| line.ends_with("term")),
            "{caused:?}"
        );
        assert_none_left_open(&server);
        // At once: it has no five minutes.
        let done = if migration.is_complete() {
            migration.left(ended)
        } else {
            migration.run(0)
        };
        assert_moved(&done.sql);
        assert_none_left_open(&server);
    }
}

#[test]
fn a_command_that_is_interrupted_inside_its_transaction_leaves_no_lock() {
    let server = LocalSnowflake::start(&[]);
    let database = LocalRedshift::shared().database();
    let migration = two_tables(&database, &server);
    let (ended, _) = migration.run_with("plan.begin.before=1*return(term)");
    assert_eq!(ended.code(), Some(130), "{}", ended.stderr);
    // It comes to its end while the stop waits for it.
    let (ended, _) = migration.ask_with("pause", "request.write.after=1*return(term)");
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert_none_left_open(&server);
    // It does not.
    let points = "request.write.after=1*return(term)->1*return(slow);request.write.before=2*return(slow);request.commit.before=1*return(slow)";
    let (ended, _) = migration.ask_with("resume", points);
    assert!(
        matches!(ended.code(), Some(0 | 130)),
        "{:?} {}",
        ended.code(),
        ended.stderr
    );
    assert_none_left_open(&server);
    let (ended, _) = migration.ask_with("resume", "");
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert_moved(&migration.run(0).sql);
}

#[test]
fn a_transaction_that_is_dropped_is_rolled_back_and_its_rows_are_free() {
    let server = LocalSnowflake::start(&[]);
    let sql = server.sql();
    sql.run("CREATE DATABASE D");
    sql.run("CREATE HYBRID TABLE D.PUBLIC.H (ID NUMBER(10,0) NOT NULL, V NUMBER(10,0), PRIMARY KEY (ID))");
    sql.run("INSERT INTO D.PUBLIC.H VALUES (1, 0)");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (update, count) = (
        "UPDATE D.PUBLIC.H SET V = V + 1 WHERE ID = 1",
        "SELECT V FROM D.PUBLIC.H",
    );
    runtime.block_on(async {
        let client = SnowflakeClient::new(connection::local(&server), "test");
        let transaction = client.begin(Step::PlanBegin).await.expect("begins");
        let changed = transaction.execute(Step::PlanTable, update).await;
        assert_eq!(changed.expect("changes"), 1);
        drop(transaction);
        // It waits for the rollback, and then nothing begins any more.
        assert!(client.end_transactions(PATIENCE).await);
        assert!(client.begin(Step::PlanBegin).await.is_err());
        // What is no transaction still goes.
        let changed = client.execute(Step::WorkflowRelease, update).await;
        assert_eq!(changed.expect("the row is free"), 1);
    });
    assert_eq!(sql.number(count), 1);
    assert_none_left_open(&server);
}

#[test]
fn a_run_says_which_open_workflows_it_goes_on_with() {
    let server = LocalSnowflake::start(&[]);
    let database = LocalRedshift::shared().database();
    let interrupted = two_tables(&database, &server);
    let (ended, _) = interrupted.run_with("plan.begin.before=1*return(term)");
    assert_eq!(ended.code(), Some(130), "{}", ended.stderr);
    let says = "besides its own workflow, this run continues these open workflows: ";
    assert!(!ended.stderr.contains(says), "{}", ended.stderr);
    let name = interrupted.metadata().workflows().remove(0);

    create(&database.sql(), "v");
    let other = interrupted
        .clone()
        .again()
        .without_tables()
        .table(in_parts("v", 200));
    let ended = other.run(0).ended;
    assert!(
        ended.stderr.contains(&format!("{says}{name}.")),
        "{}",
        ended.stderr
    );
    // Whatever of it was done by the other run: the same command ends it.
    let done = if interrupted.is_complete() {
        interrupted.left(ended)
    } else {
        interrupted.run(0)
    };
    assert_moved(&done.sql);
    // Now none is open.
    let last = other.again().run(0);
    assert!(!last.ended.stderr.contains(says), "{}", last.ended.stderr);
}

#[test]
fn an_affinity_keeps_a_run_from_other_workflows() {
    let server = LocalSnowflake::start(&[]);
    let database = LocalRedshift::shared().database();
    let interrupted = two_tables(&database, &server).top(json!({"affinity": "one"}));
    let (ended, _) = interrupted.run_with("plan.begin.before=1*return(term)");
    assert_eq!(ended.code(), Some(130), "{}", ended.stderr);
    create(&database.sql(), "v");
    let other = interrupted
        .clone()
        .again()
        .without_tables()
        .table(in_parts("v", 200))
        .top(json!({"affinity": "two"}));
    let ended = other.run(0).ended;
    assert!(
        !ended.stderr.contains("besides its own"),
        "{}",
        ended.stderr
    );
    assert!(!interrupted.is_complete());
}

#[test]
fn the_status_shows_warnings_by_table() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    create(&sql, "t");
    sql.run("CREATE TABLE odd (id bigint, a inet, b inet, c inet, d inet, e inet, f inet, g inet)");
    let mut narrow = in_parts("t", 200);
    narrow["excludeSourceColumns"] = json!(["name"]);
    let migration = Migration::from(&database)
        .table(narrow)
        .table(in_parts("odd", 200));
    let _ = migration.run(0);
    let (status, _) = migration.ask_with("status", "");
    assert_eq!(status.code(), Some(0), "{}", status.stderr);
    let said = &status.stdout;
    for words in [
        "public.t:\n  column name is left out, as excludeSourceColumns says\n",
        "public.odd:\n  column a",
        "more warnings: `snowhaul workflow status workflow_",
    ] {
        assert!(said.contains(words), "`{words}` is missing in:\n{said}");
    }
    assert!(
        said.contains("column b") && !said.contains("column g"),
        "{said}"
    );
}
