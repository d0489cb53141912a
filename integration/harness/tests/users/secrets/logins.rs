//! Keys, passphrases, tokens and variables.

use super::{assert_clean, assert_ended, assert_files_clean, home};
use crate::keys::make_key_pair;
use crate::site::{DEADLINE, Site, run_arguments, table, text};
use serde_json::json;
use snowhaul_integration::{LocalRedshift, LocalSnowflake, Scratch, unique_name};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const PASSPHRASE: &str = "pass;phrase Zq7";
const OAUTH: &str = "oauth-Zq8";
const PAT: &str = "pat-Zq9";
const VARIABLE: &str = "variable-ZqA";
const EXPANDED: &str = "expanded'ZqB";

/// Keys and tokens in files of their own, and an account that knows them.
fn account(scratch: &Scratch) -> LocalSnowflake {
    let public = make_key_pair(scratch.path(), PASSPHRASE);
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
        let run = run_arguments(&workflow, name, &worker);
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
