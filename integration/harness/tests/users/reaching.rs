//! Servers that cannot be reached or refuse the login: exit code 3, with the place and what to check.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::json;
use snowhaul_integration::{Ended, LocalSnowflake, Scratch, Snowhaul};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const CONNECTION: &str =
    "[local]\naccount = \"LOCAL\"\nprotocol = \"http\"\nuser = \"U\"\npassword = \"wrong\"\n";

fn home(lines: &str) -> Scratch {
    let scratch = Scratch::new("home");
    let file = scratch.write("connections.toml", &format!("{CONNECTION}{lines}"));
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    scratch
}

/// Every command that speaks to Snowflake.
fn commands(site: &Site<'_>) -> Vec<Vec<String>> {
    let (workflow, worker) = (site.workflow(&json!([table("t")])), site.worker());
    let (workflow, worker) = (text(&workflow), text(&worker));
    let commands = [
        vec!["orchestrator"],
        vec!["worker", "-c", worker],
        vec!["workflow", "list"],
        vec!["workflow", "status", "w"],
        vec![
            "workflow",
            "create",
            workflow,
            "--source-platform",
            "redshift",
            "--name",
            "w",
        ],
        vec![
            "run",
            workflow,
            "--source-platform",
            "redshift",
            "--name",
            "w",
            "-c",
            worker,
        ],
    ];
    commands
        .iter()
        .map(|words| words.iter().map(|&word| word.to_owned()).collect())
        .collect()
}

#[track_caller]
fn assert_all_unreachable(site: &Site<'_>, home: &Scratch, code: &str, parts: &[&str]) {
    let started: Vec<_> = commands(site)
        .into_iter()
        .map(|arguments| {
            let call = Snowhaul::new(&arguments).env("SNOWFLAKE_HOME", home.path());
            call.env("SNOWFLAKE_CONNECTION_NAME", "local").start()
        })
        .collect();
    for running in started {
        let ended = running.wait(DEADLINE);
        assert_eq!(ended.code(), Some(3), "{}{}", ended.stdout, ended.stderr);
        assert_says(
            &ended.stderr,
            &[&format!("error: {code} connection `local`")],
        );
        assert_says(&ended.stderr, parts);
    }
}

#[test]
fn a_login_that_snowflake_refuses_ends_every_command_with_3() {
    let scratch = Scratch::new("users");
    let users = scratch.write("users.json", r#"{"U": {"password": "right"}}"#);
    let snowflake = LocalSnowflake::start(&["--users", text(&users)]);
    let site = Site::on(&snowflake);
    let home = home(&format!(
        "host = \"127.0.0.1\"\nport = {}\n",
        snowflake.port()
    ));
    let parts = [
        "refused the login",
        "Incorrect username or password",
        "check the user",
    ];
    assert_all_unreachable(&site, &home, "SH0306", &parts);
}

#[test]
fn a_snowflake_that_does_not_answer_ends_every_command_with_3() {
    let site = Site::shared();
    let parts = [
        "could not be reached",
        "Connection refused",
        "check account, host and port",
    ];
    let nobody = home("host = \"127.0.0.1\"\nport = 1\n");
    assert_all_unreachable(&site, &nobody, "SH0305", &parts);
    let unknown = home("host = \"no.such.host.invalid\"\n");
    let call = Snowhaul::new(["workflow", "list"]).env("SNOWFLAKE_HOME", unknown.path());
    let ended = call.env("SNOWFLAKE_CONNECTION_NAME", "local").run(DEADLINE);
    assert_eq!(ended.code(), Some(3), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &[
            "no.such.host.invalid",
            "could not be reached",
            "check account",
        ],
    );
}

/// A worker whose source's section has `change` done to it.
fn worker(site: &Site<'_>, change: impl Fn(&str) -> String) -> Ended {
    let text_of = site.source.worker_configuration("task_fetch_interval = 1");
    let file = site.scratch.write("changed.toml", &change(&text_of));
    site.command(&["worker", "-c", text(&file)]).run(DEADLINE)
}

fn with_line(key: &str, value: &str) -> impl Fn(&str) -> String {
    move |text: &str| {
        let others = text
            .lines()
            .filter(|line| !line.starts_with(&format!("{key} =")));
        let others: Vec<&str> = others.collect();
        // The source's section is the last.
        format!("{}\n{key} = {value}\n", others.join("\n"))
    }
}

#[test]
fn a_source_that_does_not_answer_or_refuses_the_login_ends_the_worker_with_3() {
    let site = Site::shared();
    for (code, key, value, parts) in [
        (
            "SH0203",
            "password",
            "\"wrong\"",
            [
                "password authentication failed",
                "check username and password",
            ],
        ),
        (
            "SH0203",
            "username",
            "\"nobody\"",
            [
                "password authentication failed",
                "check username and password",
            ],
        ),
        (
            "SH0202",
            "port",
            "1",
            ["Connection refused", "check host and port"],
        ),
        (
            "SH0202",
            "host",
            "\"no.such.host.invalid\"",
            ["no.such.host.invalid", "check host and port"],
        ),
    ] {
        let ended = worker(&site, with_line(key, value));
        assert_eq!(ended.code(), Some(3), "{key}: {}", ended.stderr);
        assert_says(
            &ended.stderr,
            &[
                &format!("error: {code} [connections.source.redshift]"),
                "SQL state 08001",
            ],
        );
        assert_says(&ended.stderr, &parts);
        let noise = ["Native error", "ODBC emitted", "[unixODBC]"];
        assert!(
            !noise.iter().any(|part| ended.stderr.contains(part)),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn what_only_another_configuration_mends_ends_the_worker_with_2() {
    let site = Site::shared();
    let ended = worker(&site, with_line("odbc_driver", "\"No Such Driver\""));
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &[
            "No Such Driver",
            "installed: ",
            "PostgreSQL Unicode",
            "odbc_driver",
        ],
    );
    let ended = worker(&site, with_line("database", "\"no_such_db\""));
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &[
            "database \"no_such_db\" does not exist",
            "the worker's configuration",
        ],
    );
}

#[test]
fn run_tells_a_source_that_it_cannot_reach_before_it_creates_the_workflow() {
    let site = Site::shared();
    let wrong = with_line("password", "\"wrong\"");
    let text_of = site.source.worker_configuration("task_fetch_interval = 1");
    let file = site.scratch.write("wrong.toml", &wrong(&text_of));
    let workflow = site.workflow(&json!([table("t")]));
    let ended = site
        .command(&[
            "run",
            text(&workflow),
            "--source-platform",
            "redshift",
            "--name",
            "w",
            "-c",
            text(&file),
        ])
        .run(DEADLINE);
    assert_eq!(ended.code(), Some(3), "{}", ended.stderr);
    let listed = site.command(&["workflow", "list", "--json"]).run(DEADLINE);
    assert_eq!(
        (listed.code(), listed.stdout.trim()),
        (Some(0), "{\"workflows\":[]}")
    );
}
