//! No secret is written anywhere: whatever succeeds or fails, at the most talkative level.

use crate::site::{DEADLINE, Site, table, text};
use serde_json::json;
use snowhaul_integration::{
    Ended, LocalRedshift, LocalSnowflake, Scratch, Snowhaul, unique_name, until,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

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
    let sql = site.sql_as_user();
    let columns = sql.rows(&format!(
        "SELECT TABLE_NAME, COLUMN_NAME FROM {}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'DATA_MIGRATION' AND DATA_TYPE = 'TEXT'",
        site.metadata
    ));
    assert!(columns.len() > 20, "{columns:?}");
    for column in columns {
        let (table, name) = (column[0].clone().unwrap(), column[1].clone().unwrap());
        let query = format!(
            "SELECT \"{name}\" FROM {}.DATA_MIGRATION.\"{table}\"",
            site.metadata
        );
        for row in sql.rows(&query) {
            assert_clean(
                &format!("{table}.{name}"),
                row[0].as_deref().unwrap_or_default(),
            );
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
    let by_password = home(&snowflake, &format!("password = \"{PASSWORD}\""));
    let by_token = home(&snowflake, &format!("token = \"{TOKEN}\""));
    let refused = home(&snowflake, &format!("password = \"{WRONG}\""));
    let broken = home(&snowflake, &format!("password = {WRONG} x"));
    let workflow = site.workflow(&json!([table("good"), table("private"), table("missing")]));
    let run = |name: &str, home: &Scratch, worker: &Path| {
        let arguments = [
            "run",
            text(&workflow),
            "--source-platform",
            "redshift",
            "--name",
            name,
            "-c",
            text(worker),
        ];
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
        (vec!["doctor", "-c", text(&right), text(&workflow)], 1),
        (vec!["doctor", "-c", text(&wrong), text(&workflow)], 3),
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
        assert!(
            until(DEADLINE, || running.stdout().contains(&starts)),
            "{}",
            running.stderr()
        );
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

const PASSPHRASE: &str = "pass;phrase Zq7";
const OAUTH: &str = "oauth-Zq8";
const PAT: &str = "pat-Zq9";
const VARIABLE: &str = "variable-ZqA";
const EXPANDED: &str = "expanded'ZqB";

fn openssl(directory: &Path, line: &[&str]) {
    let done = Command::new("openssl")
        .args(line)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Keys and tokens in files of their own, and an account that knows them.
fn account(scratch: &Scratch) -> LocalSnowflake {
    let path = scratch.path();
    openssl(
        path,
        &[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
            "plain.p8",
        ],
    );
    let passphrase = format!("pass:{PASSPHRASE}");
    let lock = [
        "pkcs8",
        "-topk8",
        "-v2",
        "aes-256-cbc",
        "-in",
        "plain.p8",
        "-passout",
        &passphrase,
        "-out",
        "locked.p8",
    ];
    openssl(path, &lock);
    openssl(
        path,
        &["pkey", "-in", "plain.p8", "-pubout", "-out", "public.pem"],
    );
    let public = fs::read_to_string(path.join("public.pem")).unwrap();
    for (file, token) in [("pat", PAT), ("oauth", OAUTH)] {
        let file = scratch.write(file, token);
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let users = json!({
        "U": {"token": PAT, "password": VARIABLE, "public_key": public}, "OLA": {"token": OAUTH},
    });
    let users = scratch.write("users.json", &users.to_string());
    LocalSnowflake::start(&["--users", text(&users)])
}

#[test]
fn no_kind_of_credentials_is_written_anywhere() {
    let keys = Scratch::new("keys");
    let snowflake = account(&keys);
    let site = Site::on(&snowflake);
    let login = unique_name("login").to_lowercase();
    let admin = LocalRedshift::shared().admin(site.source.name());
    admin.run(&format!(
        "CREATE ROLE {login} LOGIN PASSWORD '{}'",
        EXPANDED.replace('\'', "''")
    ));
    admin.run("CREATE TABLE public.good AS SELECT generate_series(1, 3) AS id");
    admin.run(&format!(
        "GRANT USAGE ON SCHEMA public TO {login}; GRANT SELECT ON public.good TO {login}"
    ));
    let worker = format!(
        "selected_task_source = \"snowflake_stored_procedure\"\n[application]\ntask_fetch_interval = 1\n{}\n[connections.source.redshift.extra_options]\nSSLKey = \"${{SNOWHAUL_TEST_OPTION}}\"\n",
        site.source
            .worker_section_of(&login, "${SNOWHAUL_TEST_PASSWORD}")
    );
    let worker = site.scratch.write("worker.toml", &worker);
    let file = |name: &str| text(&keys.path().join(name)).to_owned();
    let kinds = [
        (
            "key",
            format!(
                "private_key_file = \"{}\"\nprivate_key_file_pwd = \"{PASSPHRASE}\"",
                file("locked.p8")
            ),
            0,
        ),
        (
            "wrong_key",
            format!(
                "private_key_file = \"{}\"\nprivate_key_file_pwd = \"no {PASSPHRASE}\"",
                file("locked.p8")
            ),
            2,
        ),
        (
            "oauth",
            format!(
                "user = \"ola\"\nauthenticator = \"oauth\"\ntoken_file_path = \"{}\"",
                file("oauth")
            ),
            0,
        ),
        (
            "wrong_oauth",
            format!("user = \"ola\"\nauthenticator = \"oauth\"\ntoken = \"no {OAUTH}\""),
            3,
        ),
        ("pat", format!("token_file_path = \"{}\"", file("pat")), 0),
        ("wrong_pat", format!("token = \"no {PAT}\""), 3),
        ("variable", String::new(), 0),
    ];
    for (name, lines, code) in kinds {
        let home = home(&snowflake, &lines.replace("user = \"ola\"\n", ""));
        let workflow = site.workflow(&json!([table("good")]));
        let call = |arguments: &[&str]| {
            let mut call = site
                .command(arguments)
                .env("SNOWFLAKE_HOME", home.path())
                .env("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "local")
                .env("RUST_LOG", "trace")
                .env("SNOWHAUL_TEST_PASSWORD", EXPANDED)
                .env("SNOWHAUL_TEST_OPTION", "option-ZqC");
            if name == "variable" {
                call = call.env("SNOWFLAKE_CONNECTIONS_LOCAL_PASSWORD", VARIABLE);
            }
            if name.ends_with("oauth") {
                call = call.env("SNOWFLAKE_CONNECTIONS_LOCAL_USER", "ola");
            }
            call
        };
        let run = [
            "run",
            text(&workflow),
            "--source-platform",
            "redshift",
            "--name",
            name,
            "-c",
            text(&worker),
        ];
        assert_ended(name, &call(&run).run(DEADLINE), code);
        if code != 0 || name == "key" {
            let ended = call(&["doctor", "-c", text(&worker), text(&workflow)]).run(DEADLINE);
            assert_ended(&format!("doctor {name}"), &ended, code);
        }
        if name == "key" {
            let source = ["--source-platform", "redshift", "-c", text(&worker)];
            for arguments in [
                &["workflow", "plan", text(&workflow)][..],
                &["workflow", "generate"],
            ] {
                let mut ended = None;
                let sent = site.source.statements_of(|| {
                    ended = Some(call(&[arguments, &source].concat()).run(DEADLINE));
                });
                assert_ended(arguments[1], &ended.unwrap(), 0);
                for statement in sent {
                    assert_clean("the source's log", &statement);
                }
            }
        }
    }
    assert_files_clean(site.scratch.path());
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
    assert!(until(DEADLINE, failed), "{}", running.stderr());
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
