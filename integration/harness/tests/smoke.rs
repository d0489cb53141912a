//! The harness itself: both servers answer, survive being killed, and the binary starts.

use snowhaul_integration::{
    LocalRedshift, LocalSnowflake, Pooler, Pooling, Scratch, Snowhaul, eventually, unique_name,
    until,
};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_local_redshift_answers_its_owner_with_a_database_of_the_tests_own() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE t (a integer, b numeric(10,2), c char(4), d date, e bytea, f double precision, g timestamp, h boolean)");
    sql.run("INSERT INTO t VALUES (1, -0.50, 'é', '2020-02-29', '\\x00ff', 'NaN', '2020-01-02 03:04:05.000006', true), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
    let answer = sql.run("SELECT * FROM t ORDER BY a");
    assert_eq!(
        answer.rows[0],
        [
            "1",
            "-0.50",
            "é   ",
            "2020-02-29",
            "00ff",
            "nan",
            "2020-01-02 03:04:05.000006",
            "true"
        ]
        .map(some)
    );
    assert_eq!(answer.rows[1][1..], [const { None }; 7]);
    assert_eq!(answer.columns[1], ("b".to_owned(), "numeric".to_owned()));
    sql.run("ANALYZE t");
    let info = sql.rows(
        "SELECT tbl_rows, size FROM svv_table_info WHERE \"schema\" = 'public' AND \"table\" = 't'",
    );
    assert_eq!(info, [[some("2"), some("1")]]);
    let refused = sql
        .try_run("SELECT * FROM missing")
        .map_err(|error| error.code);
    assert_eq!(refused, Err("42P01".to_owned()));
}

#[test]
fn the_local_redshift_answers_odbc_with_what_the_worker_is_told() {
    let database = LocalRedshift::shared().database();
    database.sql().run("CREATE TABLE t AS SELECT 42 AS a");
    let section: toml::Table = database.worker_section().parse().unwrap();
    let login = &section["connections"]["source"]["redshift"];
    let text = |key: &str| login[key].as_str().unwrap().to_owned();
    let connection = format!(
        "Driver={{PostgreSQL Unicode}};Server={};Port={};Database={};UID={};PWD={}",
        text("host"),
        login["port"],
        text("database"),
        text("username"),
        text("password")
    );
    // unixODBC's own client.
    let query = format!("printf '%s\\n' 'SELECT a FROM t' | isql -b -k '{connection}'");
    let output = Command::new("sh").args(["-c", &query]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("42"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_local_redshift_keeps_what_was_committed_when_it_is_killed() {
    let server = LocalRedshift::start();
    let database = server.database();
    let before = database.sql();
    before.run("CREATE TABLE t AS SELECT generate_series(1, 1000) AS a");
    server.kill();
    assert!(before.try_run("SELECT 1").is_err());
    server.start_again();
    assert_eq!(database.sql().number("SELECT COUNT(*) FROM t"), 1000);
    server.stop();
    server.start_again();
    assert_eq!(database.sql().number("SELECT COUNT(*) FROM t"), 1000);
}

#[test]
fn a_pooler_hands_settings_from_one_client_to_the_next_between_transactions_alone() {
    let server = LocalRedshift::shared();
    let database = server.database();
    let (user, password) = server.login();
    for (pooling, expected) in [(Pooling::Transaction, "7s"), (Pooling::Session, "0")] {
        let pooler = Pooler::start_for(&database, pooling, 1, &[(&user, &password)]);
        let one = pooler.sql();
        one.run("SET lock_timeout TO 7000");
        // In session mode the next client waits until this one has gone.
        drop(one);
        let other = pooler.sql();
        assert_eq!(other.value("SHOW lock_timeout"), some(expected));
        let third = pooler.session(&user, &password);
        assert_eq!(third.value("SELECT current_user"), some(&user));
    }
    let pooler = Pooler::start(&database, Pooling::Statement, 1);
    assert!(pooler.sql().try_run("BEGIN").is_err(), "{}", pooler.log());
}

#[test]
fn a_database_may_have_another_encoding() {
    for encoding in ["LATIN1", "WIN1252", "EUC_JP", "SQL_ASCII"] {
        let database = LocalRedshift::shared().database_with(encoding);
        let sql = database.sql();
        assert_eq!(sql.value("SHOW server_encoding"), some(encoding));
        sql.run("CREATE TABLE t AS SELECT CAST('\u{a7}' AS text) AS v");
        assert_eq!(sql.value("SELECT v FROM t"), some("\u{a7}"));
    }
}

#[test]
fn the_local_snowflake_answers_its_own_driver_and_logs_the_statement() {
    let server = LocalSnowflake::shared();
    let sql = server.sql();
    let name = unique_name("SMOKE");
    sql.run(&format!("CREATE DATABASE {name}"));
    sql.run(&format!("CREATE TABLE {name}.PUBLIC.T (A NUMBER(38,0), B NUMBER(10,2), C VARCHAR(10), D DATE, E BINARY, G TIMESTAMP_NTZ(6), H BOOLEAN)"));
    sql.run(&format!("INSERT INTO {name}.PUBLIC.T SELECT 99999999999999999999999999999999999999, -0.50, 'é', '2020-02-29'::DATE, TO_BINARY('00FF', 'HEX'), '2020-01-02 03:04:05.000006'::TIMESTAMP_NTZ, TRUE"));
    let answer = sql.run(&format!("SELECT * FROM {name}.PUBLIC.T"));
    assert_eq!(
        answer.rows,
        [[
            "99999999999999999999999999999999999999",
            "-0.50",
            "é",
            "2020-02-29",
            "00ff",
            "2020-01-02 03:04:05.000006",
            "true"
        ]
        .map(some)]
    );
    assert_eq!(answer.columns[0], ("A".to_owned(), "FIXED".to_owned()));
    let logged =
        |entry: &serde_json::Value| entry["sql"].as_str().is_some_and(|sql| sql.contains(&name));
    assert_eq!(
        server
            .statements()
            .iter()
            .filter(|entry| logged(entry))
            .count(),
        4
    );
    let refused = sql
        .try_run("SELECT * FROM MISSING.PUBLIC.T")
        .map_err(|error| error.code);
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn the_local_snowflake_keeps_what_was_committed_when_it_is_killed() {
    let mut server = LocalSnowflake::start(&[]);
    let port = server.port();
    server.sql().run("CREATE DATABASE D");
    server.sql().run("CREATE TABLE D.PUBLIC.T AS SELECT 1 AS A");
    server.kill();
    server.start_again();
    assert_eq!(server.port(), port);
    assert_eq!(server.sql().number("SELECT A FROM D.PUBLIC.T"), 1);
}

#[test]
fn the_binary_runs_and_its_end_is_kept() {
    let ended = Snowhaul::new(["no-such-command"]).run(Duration::from_secs(30));
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
}

const LEAVE_PIDS_IN: &str = "SNOWHAUL_SMOKE_LEAVE_PIDS_IN";

/// Run by the next test in a process of its own; otherwise nothing.
#[test]
fn servers_until_killed() {
    let Ok(file) = env::var(LEAVE_PIDS_IN) else {
        return;
    };
    let (redshift, snowflake) = (LocalRedshift::start(), LocalSnowflake::start(&[]));
    let pids = format!("{} {}\n", redshift.process_id(), snowflake.process_id());
    fs::write(file, pids).unwrap();
    thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_test_process_that_is_killed_leaves_no_server() {
    let scratch = Scratch::new("killed");
    let file = scratch.path().join("pids");
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "servers_until_killed"])
        .env(LEAVE_PIDS_IN, &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pids = || fs::read_to_string(&file).unwrap_or_default();
    let started = until(Duration::from_secs(60), || pids().ends_with('\n'));
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(started, "the servers did not start");
    let gone = |pid: &str| !Path::new("/proc").join(pid).exists();
    let all_gone = || pids().split_whitespace().all(gone);
    eventually("both servers are gone", Duration::from_secs(60), all_gone);
}
