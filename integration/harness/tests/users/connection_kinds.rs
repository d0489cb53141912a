//! The ways to log in to Snowflake, against an account that checks each.

use crate::keys::{make_key_pair, openssl};
use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::json;
use snowhaul_integration::{Ended, LocalSnowflake, Scratch, Snowhaul, eventually};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;

/// An account with a user of each kind, and a home whose connections use them.
struct Account {
    scratch: Scratch,
    snowflake: LocalSnowflake,
}

impl Account {
    fn new() -> Self {
        let scratch = Scratch::new("account");
        let public = make_key_pair(scratch.path(), "op en;");
        let users = json!({
            "PAM": {"password": "pass-1"}, "TOM": {"token": "pat-1"},
            "OLA": {"token": "oauth-1"}, "KAY": {"public_key": public},
        });
        let users = scratch.write("users.json", &users.to_string());
        let snowflake = LocalSnowflake::start(&["--users", text(&users)]);
        let account = Self { scratch, snowflake };
        account.token("pat", "pat-1\n");
        account.token("oauth", "oauth-1\n");
        account
    }

    fn token(&self, file: &str, token: &str) {
        self.scratch.write(file, token);
    }

    fn path(&self, file: &str) -> String {
        text(&self.scratch.path().join(file)).to_owned()
    }

    /// `lines` after what all connections have.
    fn home(&self, file: &str, section: &str, lines: &str) -> Scratch {
        let home = Scratch::new("home");
        let port = self.snowflake.port();
        let all = format!(
            "[{section}]\naccount = \"LOCAL\"\nhost = \"127.0.0.1\"\nport = {port}\nprotocol = \"http\"\nwarehouse = \"W\"\n{lines}\n"
        );
        let file = home.write(file, &all);
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        home
    }

    /// The sessions' own way: to log in and find that there is no metadata.
    fn list(&self, home: &Scratch, variables: &[(&str, &str)]) -> Ended {
        let mut call = Snowhaul::new(["workflow", "list"]).env("SNOWFLAKE_HOME", home.path());
        for (key, value) in variables {
            call = call.env(key, value);
        }
        call.run(DEADLINE)
    }

    #[track_caller]
    fn assert_logs_in(&self, home: &Scratch, variables: &[(&str, &str)]) {
        let ended = self.list(home, variables);
        assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
        assert_says(&ended.stderr, &["there is no metadata in"]);
    }

    #[track_caller]
    fn assert_refuses(&self, home: &Scratch, variables: &[(&str, &str)]) {
        let ended = self.list(home, variables);
        assert_eq!(ended.code(), Some(3), "{}", ended.stderr);
        assert_says(&ended.stderr, &["refused the login", "check the user"]);
    }
}

/// A migration uses both logins: the sessions', and the one of the stage.
#[test]
fn each_kind_of_credentials_serves_a_whole_migration() {
    let account = Account::new();
    let (plain, locked) = (account.path("plain.p8"), account.path("locked.p8"));
    let (pat, oauth) = (account.path("pat"), account.path("oauth"));
    let kinds = [
        "user = \"pam\"\npassword = \"pass-1\"".to_owned(),
        "user = \"tom\"\npassword = \"pat-1\"".to_owned(),
        "user = \"tom\"\ntoken = \"pat-1\"\nauthenticator = \"PROGRAMMATIC_ACCESS_TOKEN\""
            .to_owned(),
        format!("user = \"tom\"\ntoken_file_path = \"{pat}\""),
        format!(
            "user = \"kay\"\nprivate_key_file = \"{plain}\"\nauthenticator = \"SNOWFLAKE_JWT\""
        ),
        format!(
            "user = \"kay\"\nprivate_key_path = \"{locked}\"\nprivate_key_file_pwd = \"op en;\""
        ),
        "authenticator = \"oauth\"\ntoken = \"oauth-1\"".to_owned(),
        format!("authenticator = \"oauth\"\nuser = \"ola\"\ntoken_file_path = \"{oauth}\""),
    ];
    let account = &account;
    thread::scope(|scope| {
        for kind in &kinds {
            scope.spawn(move || {
                let site = Site::on(&account.snowflake);
                site.source.sql().run("CREATE TABLE t AS SELECT 1 AS id");
                let home = account.home("connections.toml", "local", kind);
                let call = site.run_command(&site.workflow(&json!([table("t")])), "w");
                let ended = call.env("SNOWFLAKE_HOME", home.path()).run(DEADLINE);
                assert_eq!(ended.code(), Some(0), "{kind}: {}", ended.stderr);
            });
        }
    });
}

#[test]
fn wrong_credentials_of_each_kind_are_refused_with_3_and_unusable_ones_with_2() {
    let account = Account::new();
    let other = account.path("other.p8");
    openssl(
        account.scratch.path(),
        &["genpkey", "-algorithm", "RSA", "-out", "other.p8"],
    );
    let variable = [("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "c")];
    for kind in [
        "user = \"pam\"\npassword = \"pat-1\"".to_owned(),
        "user = \"nobody\"\npassword = \"pass-1\"".to_owned(),
        "user = \"tom\"\ntoken = \"old\"".to_owned(),
        "authenticator = \"oauth\"\ntoken = \"old\"".to_owned(),
        format!("user = \"kay\"\nprivate_key_file = \"{other}\""),
    ] {
        account.assert_refuses(&account.home("connections.toml", "c", &kind), &variable);
    }
    let locked = account.path("locked.p8");
    for (kind, part) in [
        (
            "user = \"tom\"\ntoken_file_path = \"/nonexistent/token\"".to_owned(),
            "/nonexistent/token",
        ),
        (
            "user = \"kay\"\nprivate_key_file = \"/nonexistent/key\"".to_owned(),
            "/nonexistent/key",
        ),
        (
            format!(
                "user = \"kay\"\nprivate_key_file = \"{locked}\"\nprivate_key_file_pwd = \"wrong-pwd\""
            ),
            "key",
        ),
        (
            format!("user = \"kay\"\nprivate_key_file = \"{locked}\""),
            "key",
        ),
        (
            format!(
                "user = \"kay\"\nprivate_key_file = \"{}\"",
                account.path("public.pem")
            ),
            "key",
        ),
    ] {
        let ended = account.list(&account.home("connections.toml", "c", &kind), &variable);
        assert_eq!(ended.code(), Some(2), "{kind}: {}", ended.stderr);
        assert_says(&ended.stderr, &["onnection", "c", part]);
        assert!(!ended.stderr.contains("wrong-pwd"), "{}", ended.stderr);
    }
}

#[test]
fn connections_are_found_as_snowflakes_own_tools_find_them() {
    let account = Account::new();
    let good = "user = \"pam\"\npassword = \"pass-1\"";
    let bad = "user = \"pam\"\npassword = \"no\"";
    // config.toml, with the name from the file, and a connections.toml that replaces it.
    let shared = account.home("config.toml", "connections.mine", good);
    account.assert_logs_in(&shared, &[("SNOWFLAKE_CONNECTION_NAME", "mine")]);
    let file = shared.path().join("config.toml");
    let text_of = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        format!("default_connection_name = \"mine\"\n{text_of}"),
    )
    .unwrap();
    account.assert_logs_in(&shared, &[]);
    let own = account.home("connections.toml", "mine", bad);
    fs::copy(&file, own.path().join("config.toml")).unwrap();
    account.assert_refuses(&own, &[]);
    // The environment wins over a key.
    account.assert_logs_in(&own, &[("SNOWFLAKE_CONNECTIONS_MINE_PASSWORD", "pass-1")]);
    let users = [
        ("SNOWFLAKE_CONNECTIONS_MINE_USER", "tom"),
        ("SNOWFLAKE_CONNECTIONS_MINE_PASSWORD", "pat-1"),
    ];
    account.assert_logs_in(&own, &users);
    account.assert_refuses(&shared, &[("SNOWFLAKE_CONNECTIONS_MINE_PASSWORD", "no")]);
    // The user's own directories, where SNOWFLAKE_HOME is not set.
    for directory in [".snowflake", ".config/snowflake"] {
        let call = Snowhaul::new(["workflow", "list"]);
        let folder = call.directory().join(directory);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(&file, folder.join("config.toml")).unwrap();
        let ended = call.run(DEADLINE);
        assert_says(&ended.stderr, &["there is no metadata in"]);
    }
}

#[test]
fn a_token_that_is_replaced_is_read_again_at_each_login() {
    let scratch = Scratch::new("users");
    let users = scratch.write("users.json", r#"{"OLA": {"token": "oauth-1"}}"#);
    let token = scratch.write("token", "oauth-1");
    // A session that is renewed would need no login.
    let lifetimes = ["--session-lifetime", "2", "--master-lifetime", "2"];
    let options = [&["--users", text(&users)], &lifetimes[..]].concat();
    let snowflake = LocalSnowflake::start(&options);
    let home = scratch.write(
        "connections.toml",
        &format!(
            "[local]\naccount = \"LOCAL\"\nhost = \"127.0.0.1\"\nport = {}\nprotocol = \"http\"\nauthenticator = \"oauth\"\ntoken_file_path = \"{}\"\n",
            snowflake.port(),
            text(&token)
        ),
    );
    fs::set_permissions(&home, fs::Permissions::from_mode(0o600)).unwrap();
    let orchestrator = Snowhaul::new(["orchestrator", "--connection-name", "local"])
        .env("SNOWFLAKE_HOME", scratch.path())
        .start();
    let logins = || {
        let statements = snowflake.statements();
        let looked = statements.iter().filter(|entry| entry["result"] == "ok");
        let sessions: std::collections::BTreeSet<_> =
            looked.map(|entry| entry["session"].to_string()).collect();
        sessions.len()
    };
    eventually("a session", DEADLINE, || logins() >= 1);
    fs::write(&token, "oauth-2").unwrap();
    fs::write(&users, r#"{"OLA": {"token": "oauth-2"}}"#).unwrap();
    let before = logins();
    eventually("two new sessions", DEADLINE, || logins() >= before + 2);
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
}

/// Containers of Snowflake have TLS always, which the local server has not: what can be seen is where it goes.
#[test]
fn in_a_container_of_snowflake_the_services_host_and_token_are_used() {
    let site = Site::shared();
    let token = site.scratch.write("token", "spcs-secret-1");
    let host = format!("127.0.0.1:{}", site.snowflake.port());
    let call = |variables: &[(&str, &str)]| {
        let mut call = Snowhaul::new(["workflow", "list"]).env("SNOWFLAKE_HOST", &host);
        call = call.env("SNOWFLAKE_TOKEN_FILE", &token);
        for (key, value) in variables {
            call = call.env(key, value);
        }
        call.run(DEADLINE)
    };
    let ended = call(&[("SNOWFLAKE_ACCOUNT", "LOCAL")]);
    assert_eq!(ended.code(), Some(3), "{}", ended.stderr);
    assert_says(
        &ended.stderr,
        &["`Snowpark Container Services`", &format!("https://{host}/")],
    );
    assert!(!ended.stderr.contains("spcs-secret-1"), "{}", ended.stderr);
    let ended = call(&[]);
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    assert_says(&ended.stderr, &["SNOWFLAKE_ACCOUNT is not"]);
    // A connection that is asked for by name wins.
    let home = text(site.snowflake.home());
    let named = [
        ("SNOWFLAKE_ACCOUNT", "LOCAL"),
        ("SNOWFLAKE_HOME", home),
        ("SNOWFLAKE_CONNECTION_NAME", "local"),
    ];
    assert_says(&call(&named).stderr, &["there is no metadata in"]);
}
