//! Sessions that expire while they are used.

use crate::connection;
use crate::migration::{DEADLINE, Migration};
use serde_json::json;
use snowhaul::failpoint::Step;
use snowhaul::snowflake::SnowflakeClient;
use snowhaul::snowflake::error::Kind;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Scratch, unique_name};
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

/// Sessions live for three seconds. A load whose session expires leaves its transaction behind, with its locks: that ends
/// soon, too.
fn with_short_sessions() -> LocalSnowflake {
    LocalSnowflake::start(&["--session-lifetime", "3", "--transaction-idle", "5"])
}

/// The same, and nothing renews them.
const NOT_RENEWED: [&str; 6] = [
    "--session-lifetime",
    "3",
    "--master-lifetime",
    "3",
    "--transaction-idle",
    "5",
];

#[test]
fn sessions_that_expire_in_the_middle_change_nothing() {
    let snowflake = with_short_sessions();
    let migration = Migration::new(LocalRedshift::shared(), 4_000, 100, 2_000);
    let gate = migration.close_gate();
    let _orchestrator = migration.orchestrator(&snowflake);
    let created = migration.create(&snowflake);
    let _worker = migration.worker(&snowflake);
    migration.wait_for_extractions();
    // Those that served so far expire, and the stage's too.
    thread::sleep(Duration::from_secs(4));
    drop(gate);
    migration.assert_ends_right(&snowflake, created);
}

#[test]
fn sessions_that_nothing_renews_are_replaced_by_both_roles() {
    let snowflake = LocalSnowflake::start(&NOT_RENEWED);
    let migration = Migration::new(LocalRedshift::shared(), 800, 20, 801);
    migration.configure_workers("max_parallel_tasks = 2\ntask_fetch_interval = 0.5");
    migration.configure_orchestrators("poll_interval = 0.5");
    let mut roles = [
        migration.orchestrator(&snowflake),
        migration.worker(&snowflake),
    ];
    let created = migration.create(&snowflake);
    migration.assert_ends_right(&snowflake, created);
    for role in &mut roles {
        assert!(role.ended().is_none(), "it serves on");
    }
    let sessions: BTreeSet<String> = snowflake
        .statements()
        .iter()
        .map(|entry| entry["session"].to_string())
        .collect();
    // One that lived on would have served for all of a role's work.
    assert!(sessions.len() > 6, "{sessions:?}");
}

/// A table of one row, `N` = 1.
fn one_row(snowflake: &LocalSnowflake, name: &str) -> String {
    let sql = snowflake.sql();
    let database = unique_name(name);
    sql.run(&format!("CREATE DATABASE {database}"));
    let table = format!("{database}.PUBLIC.T");
    sql.run(&format!("CREATE TABLE {table} (N NUMBER)"));
    sql.run(&format!("INSERT INTO {table} VALUES (1)"));
    table
}

#[test]
fn a_transaction_outlives_the_token_that_it_began_with() {
    let snowflake = LocalSnowflake::start(&["--session-lifetime", "2"]);
    let table = one_row(&snowflake, "OUTLIVES");
    let client = SnowflakeClient::for_transactions(connection::local(&snowflake), "test");
    let update = format!("UPDATE {table} SET N = N + 1");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let session = "SELECT CURRENT_SESSION()";
        let transaction = client.begin(Step::LoadBegin).await.unwrap();
        let first = transaction.query(session).await.unwrap();
        transaction.query(&update).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        transaction.query(&update).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(transaction.query(session).await.unwrap(), first);
        transaction.commit(Step::LoadCommit).await.unwrap();
    });
    let n = snowflake.sql().number(&format!("SELECT N FROM {table}"));
    assert_eq!(n, 3);
}

#[test]
fn logins_that_are_refused_for_a_while_fail_nothing() {
    let scratch = Scratch::new("users");
    let users = |password: &str| {
        let entry =
            json!({"LOCAL": {"password": password}, "TESTER": {"password": "tester-password"}});
        scratch.write("users.json", &entry.to_string())
    };
    let file = users("right");
    let options = [&NOT_RENEWED[..], &["--users", file.to_str().unwrap()]].concat();
    let snowflake = LocalSnowflake::start(&options);
    let migration = Migration::new(LocalRedshift::shared(), 4_000, 100, 2_000);
    let gate = migration.close_gate();
    let orchestrator = migration.orchestrator(&snowflake);
    let created = migration.create(&snowflake);
    let worker = migration.worker(&snowflake);
    migration.wait_for_extractions();
    users("another");
    drop(gate);
    let told = "Snowflake refuses a login that it accepted before";
    for role in [&orchestrator, &worker] {
        role.wait_to_say(told, DEADLINE);
    }
    // For longer than a statement is tried again.
    thread::sleep(Duration::from_secs(8));
    users("right");
    migration.assert_ends_right(&snowflake, created);
}

#[test]
fn a_burst_that_meets_nothing_but_expired_sessions_answers_all() {
    const AT_ONCE: usize = 20;
    let snowflake = LocalSnowflake::start(&["--session-lifetime", "3", "--master-lifetime", "3"]);
    let client = SnowflakeClient::new(connection::local(&snowflake), "test");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for _ in 0..2 {
            let statements: Vec<_> = (0..AT_ONCE)
                .map(|number| {
                    let client = client.clone();
                    tokio::spawn(async move { client.query(&format!("SELECT {number}")).await })
                })
                .collect();
            for statement in statements {
                statement.await.unwrap().unwrap();
            }
            // All of the first round's expire.
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
    });
}

#[test]
fn statements_that_are_cancelled_end_at_once_and_their_transaction_is_rolled_back() {
    let snowflake = LocalSnowflake::shared();
    let sql = snowflake.sql();
    let table = one_row(snowflake, "CANCELLED");
    let client = SnowflakeClient::for_transactions(connection::local(snowflake), "test");
    let update = format!("UPDATE {table} SET N = N + 1");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let transaction = client.begin(Step::LoadBegin).await.unwrap();
        transaction.query(&update).await.unwrap();
        let work = async {
            let answer = transaction.query("SELECT SYSTEM$WAIT(600)").await;
            assert_eq!(answer.unwrap_err().kind, Kind::Cancelled);
            let late = transaction.query("SELECT 1").await;
            assert_eq!(late.unwrap_err().kind, Kind::Cancelled);
            transaction.rollback().await;
        };
        let ((), have_ended) = tokio::join!(work, client.end_transactions(Duration::from_secs(5)));
        assert!(have_ended);
        let another = client.begin(Step::LoadBegin).await;
        assert!(another.is_err_and(|error| error.kind == Kind::Cancelled));
    });
    // The row is free, and as it was.
    sql.run(&update);
    assert_eq!(sql.number(&format!("SELECT N FROM {table}")), 2);
}
