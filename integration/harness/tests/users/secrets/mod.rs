//! No secret is written anywhere: whatever succeeds or fails, at the most talkative level.

mod logins;

use crate::site::{DEADLINE, Site, run_arguments, table, text};
use serde_json::json;
use snowhaul_integration::{
    Ended, LocalRedshift, LocalSnowflake, Metadata, Scratch, Snowhaul, eventually, unique_name,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

const PASSWORD: &str = "Sf-Pw;{Zq1} x";
const WRONG: &str = "Sf-Wrong-Zq2";
const TOKEN: &str = "pat-Zq3.abc";
const SOURCE: &str = "S;o{u}r c=e'\\Zq4";
const SOURCE_WRONG: &str = "src wrong;Zq5}";
const OPTION: &str = "option-Zq6";
/// What all secrets have, and the ends of the wrong ones.
const SECRETS: &[&str] = &[
    "Zq1",
    "Zq2",
    "Zq3",
    "Zq4",
    "Zq5",
    "Zq6",
    "Zq7",
    "Zq8",
    "Zq9",
    "ZqA",
    "ZqB",
    "ZqC",
    // A signed login begins so.
    "eyJhbGciOiJSUzI1NiIs",
    "PRIVATE KEY",
    "signature=",
    "Snowflake Token=",
];

#[track_caller]
fn assert_clean(place: &str, said: &str) {
    for secret in SECRETS {
        if let Some(at) = said.find(secret) {
            let around: String = said[..at].chars().rev().take(200).collect();
            panic!(
                "{place}: `{secret}` after {}",
                around.chars().rev().collect::<String>()
            );
        }
    }
}

#[track_caller]
fn assert_ended(what: &str, ended: &Ended, code: i32) {
    assert_eq!(
        ended.code(),
        Some(code),
        "{what}: {}{}",
        ended.stdout,
        ended.stderr
    );
    assert_clean(what, &ended.stdout);
    assert_clean(what, &ended.stderr);
}

/// Everything below a directory but the files in which users keep their secrets.
#[track_caller]
fn assert_files_clean(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy().into_owned();
        if path.is_dir() {
            assert_files_clean(&path);
        } else if !name.ends_with(".toml") && name != "users.json" && name != "token" {
            let bytes = fs::read(&path).unwrap_or_default();
            assert_clean(text(&path), &String::from_utf8_lossy(&bytes));
        }
    }
}

/// All text columns of the metadata.
#[track_caller]
fn assert_metadata_clean(site: &Site<'_>) {
    let sql = Arc::new(site.sql_as_user());
    let columns = Metadata::by(sql, &site.metadata).texts_in_all_columns();
    assert!(columns.len() > 20, "{columns:?}");
    for (column, texts) in columns {
        for text in texts {
            assert_clean(&column, &text);
        }
    }
}

impl Site<'_> {
    fn sql_as_user(&self) -> snowhaul_integration::Sql {
        self.snowflake
            .sql_with(json!({"user": "U", "password": PASSWORD}))
    }
}

fn home(snowflake: &LocalSnowflake, credentials: &str) -> Scratch {
    let home = Scratch::new("home");
    let lines = format!(
        "[local]\naccount = \"LOCAL\"\nhost = \"127.0.0.1\"\nport = {}\nprotocol = \"http\"\nuser = \"u\"\n{credentials}\n",
        snowflake.port()
    );
    let file = home.write("connections.toml", &lines);
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    home
}

#[test]
fn no_secret_is_written_anywhere() {
    let scratch = Scratch::new("secrets");
    let users = json!({"U": {"password": PASSWORD, "token": TOKEN}}).to_string();
    let users = scratch.write("users.json", &users);
    let snowflake = LocalSnowflake::start(&["--users", text(&users)]);
    let site = Site::on(&snowflake);
    let login = unique_name("login").to_lowercase();
    let admin = LocalRedshift::shared().admin(site.source.name());
    let quoted = SOURCE.replace('\'', "''");
    admin.run(&format!("CREATE ROLE {login} LOGIN PASSWORD '{quoted}'"));
    admin.run("CREATE TABLE public.good AS SELECT generate_series(1, 3) AS id");
    admin.run("CREATE TABLE public.private AS SELECT 1 AS id");
    admin.run(&format!(
        "GRANT USAGE ON SCHEMA public TO {login}; GRANT SELECT ON public.good TO {login}"
    ));
    let worker = |file: &str, password: &str| {
        let text_of = format!(
            "selected_task_source = \"snowflake_stored_procedure\"\n[application]\ntask_fetch_interval = 1\n[connections.target.snowflake_connection_name]\nconnection_name = \"local\"\n{}\n[connections.source.redshift.extra_options]\nApplicationName = \"{OPTION}\"\n",
            site.source.worker_section_of(&login, password)
        );
        site.scratch.write(file, &text_of)
    };
    let (right, wrong) = (
        worker("right.toml", SOURCE),
        worker("wrong.toml", SOURCE_WRONG),
    );
    let option = fs::read_to_string(&right).unwrap().replace(
        "ApplicationName = \"option",
        "pqopt = \"sslpassword=some option",
    );
    let option = site.scratch.write("option.toml", &option);
    let by_password = home(&snowflake, &format!("password = \"{PASSWORD}\""));
    let by_token = home(&snowflake, &format!("token = \"{TOKEN}\""));
    let refused = home(&snowflake, &format!("password = \"{WRONG}\""));
    let broken = home(&snowflake, &format!("password = {WRONG} x"));
    let workflow = site.workflow(&json!([table("good"), table("private"), table("missing")]));
    let run = |name: &str, home: &Scratch, worker: &Path| {
        let arguments = run_arguments(&workflow, name, worker);
        let call = Snowhaul::new(arguments).env("SNOWFLAKE_HOME", home.path());
        let call = call
            .env("SNOWFLAKE_CONNECTION_NAME", "local")
            .env("RUST_LOG", "trace");
        call.metadata(&site.metadata)
            .env("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "local")
    };
    for (name, home, worker, code) in [
        ("password", &by_password, &right, 1),
        ("token", &by_token, &right, 1),
        ("wrong_source", &by_password, &wrong, 3),
        ("broken_option", &by_password, &option, 3),
        ("wrong_password", &refused, &right, 3),
        ("broken_file", &broken, &right, 2),
    ] {
        let ended = run(name, home, worker).run(DEADLINE);
        assert_ended(name, &ended, code);
        // The most talkative level has really talked, wherever a server was asked.
        assert!(
            code == 2 || ended.stderr.contains("TRACE"),
            "{name}: {}",
            ended.stderr
        );
    }
    for (arguments, code) in [
        (vec!["workflow", "list"], 0),
        (
            vec!["workflow", "status", "password", "--errors", "--json"],
            0,
        ),
        (vec!["workflow", "status", "none"], 2),
        (vec!["workflow", "retry", "password"], 0),
        (vec!["workflow", "pause", "password", "--json"], 0),
        (vec!["workflow", "resume", "password"], 0),
        (vec!["workflow", "cancel", "password"], 0),
        (vec!["workflow", "cancel", "none"], 2),
        (vec!["workflow", "schema"], 0),
        (vec!["worker", "list"], 0),
        (vec!["doctor", "-c", text(&right), text(&workflow)], 1),
        (vec!["doctor", "-c", text(&wrong), text(&workflow)], 3),
        (vec!["doctor", "-c", text(&option), text(&workflow)], 1),
        (
            vec![
                "create-data-migration-workflow",
                text(&workflow),
                "--source-platform",
                "redshift",
                "--name",
                "password",
            ],
            2,
        ),
    ] {
        let call = site
            .command(&arguments)
            .env("SNOWFLAKE_HOME", by_password.path());
        assert_ended(
            arguments[1],
            &call.env("RUST_LOG", "trace").run(DEADLINE),
            code,
        );
    }
    for arguments in [vec!["orchestrator"], vec!["worker", "-c", text(&right)]] {
        let call = site
            .command(&arguments)
            .env("SNOWFLAKE_HOME", by_token.path());
        let running = call.env("RUST_LOG", "trace").start();
        let starts = format!("{} starts", arguments[0]);
        running.wait_to_say(&starts, DEADLINE);
        assert_ended(arguments[0], &running.terminate(DEADLINE), 0);
    }
    assert_metadata_clean(&site);
    for directory in [site.scratch.path(), scratch.path()] {
        assert_files_clean(directory);
    }
    for log in [snowflake.home().join("statements.jsonl"), snowflake.log()] {
        assert_clean(text(&log), &fs::read_to_string(&log).unwrap());
    }
    drop(admin);
}

#[test]
fn an_upload_url_that_has_expired_is_told_without_its_token() {
    let snowflake = LocalSnowflake::start(&["--presigned-lifetime", "-1"]);
    let site = Site::on(&snowflake);
    site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
    let workflow = site.workflow(&json!([table("t")]));
    let call = site.run_command(&workflow, "w").env("RUST_LOG", "trace");
    let running = call.start();
    let failed = || running.stderr().contains("task failed");
    eventually("task failed", DEADLINE, failed);
    let ended = running.terminate(DEADLINE);
    assert!(
        ended
            .stderr
            .contains("the stage refused the upload with HTTP status"),
        "{}",
        ended.stderr
    );
    assert_clean("stderr", &ended.stderr);
}
