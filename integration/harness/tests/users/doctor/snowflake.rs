//! Connections, logins, warehouses and accounts that are not as they should be.

use super::{assert_found, found};
use crate::site::{DEADLINE, Site, assert_says, text};
use snowhaul_integration::{Ended, LocalSnowflake, Scratch, Snowhaul};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn home(lines: &str, mode: u32) -> Scratch {
    let scratch = Scratch::new("home");
    let file = scratch.write("connections.toml", lines);
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    scratch
}

fn connection(snowflake: &LocalSnowflake, more: &str) -> String {
    format!(
        "[local]\naccount = \"LOCAL\"\nhost = \"127.0.0.1\"\nport = {}\nprotocol = \"http\"\nuser = \"U\"\n{more}\n",
        snowflake.port()
    )
}

fn at_home(home: &Path, more: &[&str]) -> Ended {
    Snowhaul::new([&["doctor"], more].concat())
        .env("SNOWFLAKE_HOME", home)
        .env("SNOWFLAKE_CONNECTION_NAME", "local")
        .run(DEADLINE)
}

#[test]
fn a_refused_login_is_told_with_3_and_what_needs_it_is_skipped() {
    let scratch = Scratch::new("users");
    let users = scratch.write("users.json", r#"{"U": {"password": "right"}}"#);
    let snowflake = LocalSnowflake::start(&["--users", text(&users)]);
    let home = home(&connection(&snowflake, "password = \"wrong-Zq\""), 0o600);
    let ended = at_home(home.path(), &[]);
    assert_eq!(ended.code(), Some(3), "{}{}", ended.stdout, ended.stderr);
    assert_says(
        &ended.stdout,
        &[
            "FAIL  login ",
            "Incorrect username or password",
            "-> check user and password",
            "skip  stage ",
            "it needs `login`",
        ],
    );
    assert!(!ended.stdout.contains("wrong-Zq"), "{}", ended.stdout);
}

#[test]
fn tokens_that_end_soon_are_told() {
    let scratch = Scratch::new("users");
    let tokens = r#"[{"name": "NEXT", "status": "ACTIVE", "expires_at": "1000000000.000000000"}]"#;
    let users = scratch.write(
        "users.json",
        &format!(r#"{{"U": {{"token": "secret-Zq", "tokens": {tokens}}}}}"#),
    );
    let snowflake = LocalSnowflake::start(&["--users", text(&users)]);
    let home = home(&connection(&snowflake, "password = \"secret-Zq\""), 0o600);
    let ended = at_home(home.path(), &[]);
    assert_says(
        &ended.stdout,
        &["warn  token ", "NEXT ends in -", "2001-09-09 01:46 UTC"],
    );
    assert!(!ended.stdout.contains("secret-Zq"), "{}", ended.stdout);
}

#[test]
fn a_snowflake_that_cannot_be_reached_is_told_with_3() {
    let home = home(
        "[local]\naccount = \"L\"\nhost = \"127.0.0.1\"\nport = 1\nprotocol = \"http\"\nuser = \"U\"\npassword = \"p\"\n",
        0o600,
    );
    let ended = at_home(home.path(), &[]);
    assert_eq!(ended.code(), Some(3), "{}{}", ended.stdout, ended.stderr);
    assert_says(
        &ended.stdout,
        &["FAIL  login ", "Connection refused", "network policy"],
    );
}

#[test]
fn connection_files_that_others_may_touch_are_refused_or_told() {
    let snowflake = LocalSnowflake::shared();
    let lines = connection(snowflake, "password = \"p\"");
    let writable = home(&lines, 0o620);
    let ended = at_home(writable.path(), &[]);
    assert_eq!(ended.code(), Some(2), "{}{}", ended.stdout, ended.stderr);
    assert_says(
        &ended.stdout,
        &["FAIL  connection ", "others can write it", "chmod 600"],
    );
    let readable = home(&lines, 0o644);
    let ended = at_home(readable.path(), &[]);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_says(
        &ended.stdout,
        &["warn  connection ", "others can read", "-> run `chmod 600"],
    );
    let silent = Snowhaul::new(["doctor"])
        .env("SNOWFLAKE_HOME", readable.path())
        .env("SNOWFLAKE_CONNECTION_NAME", "local")
        .env(
            "SF_SKIP_WARNING_FOR_READ_PERMISSIONS_ON_CONFIG_FILE",
            "true",
        )
        .run(DEADLINE);
    assert!(
        !silent.stdout.contains("others can read"),
        "{}",
        silent.stdout
    );
    let missing = home(&lines, 0o600);
    let ended = at_home(missing.path(), &["--connection-name", "other"]);
    assert_eq!(ended.code(), Some(2), "{}{}", ended.stdout, ended.stderr);
    assert_says(
        &ended.stdout,
        &["there is no connection `other`", "skip  login "],
    );
}

#[test]
fn files_of_keys_and_tokens_that_others_can_write_are_refused() {
    let scratch = Scratch::new("keys");
    for key in ["private_key_file", "token_file_path"] {
        let file = scratch.write(key, "content");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        let lines = format!(
            "[local]\naccount = \"L\"\nuser = \"U\"\n{key} = \"{}\"\n",
            text(&file)
        );
        let ended = at_home(home(&lines, 0o600).path(), &[]);
        assert_eq!(ended.code(), Some(2), "{}{}", ended.stdout, ended.stderr);
        assert_says(&ended.stdout, &[key, "others can write it", "chmod 600"]);
    }
}

#[test]
fn a_warehouse_that_is_not_there_is_told() {
    let scratch = Scratch::new("warehouses");
    let warehouses = scratch.write(
        "warehouses.json",
        r#"{"SLEEPY": {"state": "SUSPENDED", "auto_resume": false}, "WH": {}}"#,
    );
    // The Standard edition shows fewer columns.
    let snowflake =
        LocalSnowflake::start(&["--warehouses", text(&warehouses), "--edition", "standard"]);
    let of = |warehouse: &str| {
        let lines = connection(&snowflake, &format!("password = \"p\"\n{warehouse}"));
        at_home(home(&lines, 0o600).path(), &[])
    };
    let ended = of("warehouse = \"WH\"");
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    for (warehouse, parts) in [
        (
            "warehouse = \"NONE\"",
            ["NONE does not exist", "GRANT USAGE ON WAREHOUSE \"NONE\""],
        ),
        ("", ["the session has none", "name one in the connection"]),
        (
            "warehouse = \"SLEEPY\"",
            ["does not resume", "SET AUTO_RESUME = TRUE"],
        ),
    ] {
        let ended = of(warehouse);
        assert_eq!(ended.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
        assert_says(&ended.stdout, &["FAIL  warehouse ", "skip  metadata "]);
        assert_says(&ended.stdout, &parts);
    }
}

#[test]
fn an_account_without_hybrid_tables_is_told_why() {
    let snowflake = LocalSnowflake::start(&["--no-hybrid-tables", "--region", "GCP_US_CENTRAL1"]);
    let site = Site::on(&snowflake);
    site.sql()
        .run(&format!("CREATE DATABASE {}", site.metadata));
    let (code, findings) = found(&site, &[]);
    assert_eq!(code, Some(1), "{findings:#?}");
    let parts = [
        "Google Cloud",
        "Unsupported feature",
        "commercial region of AWS or Azure",
    ];
    assert_found(&findings, "hybrid_tables", "fail", &parts);
}

#[test]
fn a_warehouse_that_works_against_the_loads_is_told() {
    let scratch = Scratch::new("warehouses");
    let warehouses = scratch.write(
        "warehouses.json",
        r#"{"LOCAL_WH": {"parameters": {"STATEMENT_TIMEOUT_IN_SECONDS": "3600", "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": "5", "MAX_CONCURRENCY_LEVEL": "9"}}}"#,
    );
    let snowflake = LocalSnowflake::start(&["--warehouses", text(&warehouses)]);
    let (code, findings) = found(&Site::on(&snowflake), &["--role", "orchestrator"]);
    assert_eq!(code, Some(0), "{findings:#?}");
    for parts in [
        [
            "ends statements after 3600 s",
            "SET STATEMENT_TIMEOUT_IN_SECONDS = 86400",
        ],
        [
            "wait in its queue for 5 s",
            "SET STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = 0",
        ],
    ] {
        assert_found(&findings, "warehouse", "warn", &parts);
    }
    // Nine at once are more than eight loads.
    assert!(
        !findings
            .iter()
            .any(|finding| finding[2].contains("may fill it")),
        "{findings:#?}"
    );
    assert_found(
        &findings,
        "session_parameters",
        "ok",
        &["as the login sets them"],
    );
}

#[test]
fn transient_metadata_are_told() {
    let site = Site::shared();
    let sql = site.sql();
    sql.run(&format!("CREATE DATABASE {}", site.metadata));
    sql.run(&format!(
        "CREATE TRANSIENT SCHEMA {}.DATA_MIGRATION",
        site.metadata
    ));
    let (code, findings) = found(&site, &[]);
    assert_eq!(code, Some(1), "{findings:#?}");
    let parts = [
        "the schema",
        "is transient",
        "without TRANSIENT",
        "CUSTOM_SNOWFLAKE_SCHEMA",
    ];
    assert_found(&findings, "hybrid_tables", "fail", &parts);
    let site = Site::shared();
    site.sql()
        .run(&format!("CREATE TRANSIENT DATABASE {}", site.metadata));
    let (code, findings) = found(&site, &[]);
    assert_eq!(code, Some(1), "{findings:#?}");
    assert_found(
        &findings,
        "hybrid_tables",
        "fail",
        &["the database", "is transient"],
    );
}
