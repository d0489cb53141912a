//! `doctor`: what it finds on servers where all is well, and each thing that may be wrong, with what to do about it.

use crate::site::{DEADLINE, Site, assert_says, table, text};
use serde_json::{Value, json};
use snowhaul::roles::doctor::{Role, table_privileges};
use snowhaul_integration::{Ended, LocalSnowflake, Scratch, Snowhaul};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn doctor(site: &Site<'_>, arguments: &[&str]) -> Ended {
    site.command(&[&["doctor"], arguments].concat())
        .run(DEADLINE)
}

/// The findings of `--json`: check, status, message, remedy.
fn found(site: &Site<'_>, arguments: &[&str]) -> (Option<i32>, Vec<[String; 4]>) {
    let ended = doctor(site, &[arguments, &["--json"]].concat());
    let answer: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
    assert_eq!(answer["exit_code"].as_i64(), ended.code().map(i64::from));
    let checks = answer["checks"].as_array().unwrap().iter();
    let word = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let findings = checks
        .map(|check| ["check", "status", "message", "remedy"].map(|key| word(check, key)))
        .collect();
    (ended.code(), findings)
}

/// All findings of one check.
#[track_caller]
fn of<'a>(findings: &'a [[String; 4]], check: &str) -> Vec<&'a [String; 4]> {
    let of: Vec<_> = findings.iter().filter(|f| f[0] == check).collect();
    assert!(!of.is_empty(), "no {check} in {findings:#?}");
    of
}

/// That a check has this status, and says all of `parts` in its message or remedy.
#[track_caller]
fn assert_found(findings: &[[String; 4]], check: &str, status: &str, parts: &[&str]) {
    let is_it = |finding: &&[String; 4]| {
        finding[1] == status
            && parts
                .iter()
                .all(|part| finding[2].contains(part) || finding[3].contains(part))
    };
    let all = of(findings, check);
    assert!(
        all.into_iter().any(|f| is_it(&f)),
        "{check} {status} {parts:?}: {findings:#?}"
    );
}

/// What failed and what was skipped.
fn bad(findings: &[[String; 4]]) -> Vec<&str> {
    let is_bad = |f: &&[String; 4]| f[1] == "fail" || f[1] == "skipped";
    findings
        .iter()
        .filter(is_bad)
        .map(|f| f[0].as_str())
        .collect()
}

/// The metadata are there, and so is a source table.
fn prepare(site: &Site<'_>) {
    site.source.sql().run("CREATE TABLE good AS SELECT 1 AS id");
    let orchestrator = site.command(&["orchestrator"]).start();
    let workflow = site.workflow(&json!([table("good")]));
    site.create(&workflow, "w");
    assert_eq!(orchestrator.terminate(DEADLINE).code(), Some(0));
}

#[test]
fn where_all_is_well_it_says_so_and_leaves_nothing_behind() {
    let site = Site::shared();
    prepare(&site);
    site.sql().run(&format!("CREATE DATABASE {}", site.target));
    let (worker, workflow) = (site.worker(), site.workflow(&json!([table("good")])));
    let schemas = format!(
        "SELECT COUNT(*) FROM {}.INFORMATION_SCHEMA.TABLES",
        site.metadata
    );
    let before = site.sql().number(&schemas);
    let arguments = ["-c", text(&worker), text(&workflow)];
    let ended = doctor(&site, &arguments);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    for check in [
        "version",
        "configuration",
        "workflow",
        "connection",
        "login",
        "clock",
        "role",
        "warehouse",
        "metadata",
        "orchestrator_privileges",
        "worker_privileges",
        "hybrid_tables",
        "stage",
        "target_table",
        "odbc",
        "source",
        "source_encryption",
        "source_table",
    ] {
        assert_says(&ended.stdout, &[&format!("ok    {check} ")]);
    }
    assert_says(
        &ended.stdout,
        &["PostgreSQL Unicode", "metadata version", "all is well\n"],
    );
    let (code, findings) = found(&site, &arguments);
    assert_eq!((code, bad(&findings)), (Some(0), vec![]));
    assert_eq!(site.sql().number(&schemas), before);
    let listed = format!("LIST @{}.DATA_MIGRATION.TASK_RESULTS", site.metadata);
    assert_eq!(site.sql().rows(&listed).len(), 0);
}

#[test]
fn without_files_only_snowflake_is_asked() {
    let site = Site::shared();
    prepare(&site);
    let (code, findings) = found(&site, &["--role", "orchestrator"]);
    assert_eq!((code, bad(&findings)), (Some(0), vec![]));
    for absent in ["odbc", "source", "worker_privileges", "target_table"] {
        assert!(
            !findings.iter().any(|f| f[0] == absent),
            "{absent}: {findings:#?}"
        );
    }
}

#[test]
fn metadata_that_are_not_there_yet_are_no_failure() {
    let site = Site::shared();
    let (code, findings) = found(&site, &[]);
    assert_eq!(code, Some(0), "{findings:#?}");
    assert_found(
        &findings,
        "metadata",
        "warn",
        &[&site.metadata, "start an orchestrator"],
    );
    let create = format!("CREATE DATABASE \"{}\"", site.metadata);
    assert_found(
        &findings,
        "orchestrator_privileges",
        "warn",
        &[&create, "CREATE SCHEMA ON DATABASE"],
    );
    site.sql()
        .run(&format!("CREATE DATABASE {}", site.metadata));
    let (code, findings) = found(&site, &[]);
    assert_eq!(code, Some(0), "{findings:#?}");
    assert_found(&findings, "hybrid_tables", "ok", &["dropped"]);
    let left = format!(
        "SELECT COUNT(*) FROM {}.INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME LIKE 'SNOWHAUL%'",
        site.metadata
    );
    assert_eq!(site.sql().number(&left), 0);
}

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
    let snowflake = LocalSnowflake::start(&["--warehouses", text(&warehouses)]);
    let of = |warehouse: &str| {
        let lines = connection(&snowflake, &format!("password = \"p\"\n{warehouse}"));
        at_home(home(&lines, 0o600).path(), &[])
    };
    let ended = of("warehouse = \"WH\"");
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    for (warehouse, parts) in [
        (
            "warehouse = \"NONE\"",
            [
                "NONE does not exist",
                "GRANT USAGE, OPERATE ON WAREHOUSE \"NONE\"",
            ],
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
fn each_missing_privilege_is_told_with_the_statement_that_grants_it() {
    let scratch = Scratch::new("deny");
    let deny = scratch.write("deny.json", "[]");
    let snowflake = LocalSnowflake::start(&["--deny", text(&deny)]);
    let site = Site::on(&snowflake);
    prepare(&site);
    site.sql().run(&format!("CREATE DATABASE {}", site.target));
    site.sql().run(&format!(
        "CREATE TABLE {}.PUBLIC.GOOD (ID NUMBER)",
        site.target
    ));
    let workflow = site.workflow(&json!([table("good"), table("new")]));
    let with = |patterns: Value, arguments: &[&str]| {
        fs::write(&deny, patterns.to_string()).unwrap();
        let (code, findings) = found(&site, arguments);
        assert_eq!(code, Some(1), "{patterns}: {findings:#?}");
        findings
    };
    let schema = format!("\"{}\".\"DATA_MIGRATION\"", site.metadata);
    let findings = with(
        json!(["^UPDATE .*TASK_QUEUE", "^DELETE FROM .*\"WORKER\""]),
        &["--role", "worker"],
    );
    assert_eq!(bad(&findings), ["worker_privileges"]);
    let grant = format!("GRANT UPDATE ON TABLE {schema}.\"TASK_QUEUE\" TO ROLE \"SYSADMIN\"");
    let parts = [&grant, "GRANT DELETE ON TABLE", "Insufficient privileges"];
    assert_found(&findings, "worker_privileges", "fail", &parts);
    let findings = with(json!(["^CREATE HYBRID"]), &[]);
    assert_eq!(bad(&findings), ["hybrid_tables"]);
    assert_found(
        &findings,
        "hybrid_tables",
        "fail",
        &["GRANT CREATE HYBRID TABLE ON SCHEMA", &schema],
    );
    for (statement, what) in [
        ("^PUT", "written"),
        ("^LIST", "read"),
        ("^REMOVE", "removed"),
    ] {
        let findings = with(json!([statement]), &[]);
        assert_eq!(bad(&findings), ["stage"], "{findings:#?}");
        let parts = [
            &format!("cannot be {what}"),
            "GRANT READ, WRITE ON STAGE",
            &schema,
        ];
        assert_found(&findings, "stage", "fail", &parts);
    }
    let arguments = ["--source-platform", "redshift", text(&workflow)];
    let findings = with(json!([format!("^INSERT .*{}", site.target)]), &arguments);
    assert_found(
        &findings,
        "target_table",
        "fail",
        &["GOOD", "GRANT INSERT ON TABLE"],
    );
    let findings = with(json!([format!("^CREATE .*{}", site.target)]), &arguments);
    assert_found(&findings, "target_table", "ok", &["GOOD"]);
    assert_found(
        &findings,
        "target_table",
        "fail",
        &["NEW", "GRANT USAGE, CREATE TABLE ON SCHEMA"],
    );
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

fn worker_with(site: &Site<'_>, key: &str, value: &str) -> String {
    let text_of = site.source.worker_configuration("task_fetch_interval = 1");
    let others = text_of
        .lines()
        .filter(|line| !line.starts_with(&format!("{key} =")));
    let others: Vec<&str> = others.collect();
    let file = site.scratch.write(
        "changed.toml",
        &format!("{}\n{key} = {value}\n", others.join("\n")),
    );
    text(&file).to_owned()
}

#[test]
fn what_is_wrong_with_the_source_is_told() {
    let site = Site::shared();
    site.source.sql().run("CREATE TABLE good AS SELECT 1 AS id");
    let workflow = site.workflow(&json!([table("good")]));
    for (key, value, code, parts) in [
        (
            "password",
            "\"wrong-Zq\"",
            3,
            ["password authentication failed", "check username"],
        ),
        (
            "port",
            "1",
            3,
            ["Connection refused", "check host and port"],
        ),
        (
            "odbc_driver",
            "\"No Such Driver\"",
            2,
            ["No Such Driver", "install the driver"],
        ),
    ] {
        let worker = worker_with(&site, key, value);
        let (ended, findings) = found(&site, &["-c", &worker, text(&workflow)]);
        assert_eq!(ended, Some(code), "{findings:#?}");
        assert_found(&findings, "source", "fail", &parts);
        assert_eq!(bad(&findings).last(), Some(&"source_table"));
        assert!(!format!("{findings:?}").contains("wrong-Zq"));
    }
}

#[test]
fn tables_that_cannot_be_read_are_told_one_by_one() {
    let site = Site::shared();
    let admin = snowhaul_integration::LocalRedshift::shared().admin(site.source.name());
    admin.run(
        "CREATE TABLE public.good AS SELECT 1 AS id; CREATE TABLE public.private AS SELECT 1 AS id",
    );
    admin.run("REVOKE ALL ON public.private FROM PUBLIC; GRANT SELECT ON public.good TO snowhaul");
    admin.run("REVOKE ALL ON public.private FROM snowhaul");
    let mut wrong = table("good");
    wrong["target"]["tableName"] = json!("other");
    wrong["whereClauseCriteria"] = json!("no_such_column > 1 -- it ends in a comment");
    let workflow = site.workflow(&json!([
        table("good"),
        table("private"),
        table("missing"),
        wrong
    ]));
    let (code, findings) = found(&site, &["-c", text(&site.worker()), text(&workflow)]);
    assert_eq!(code, Some(1), "{findings:#?}");
    assert_found(&findings, "source_table", "ok", &["good", "1 columns"]);
    assert_found(
        &findings,
        "source_table",
        "fail",
        &["permission denied", "SELECT on the table"],
    );
    assert_found(
        &findings,
        "source_table",
        "fail",
        &["missing", "no such table", "check the names"],
    );
    assert_found(&findings, "source_table", "fail", &["no_such_column"]);
    assert_eq!(of(&findings, "source_table").len(), 4);
}

#[test]
fn mistakes_of_the_files_are_told_with_2_and_the_rest_is_checked_all_the_same() {
    let site = Site::shared();
    let worker = site
        .scratch
        .write("bad.toml", "[application]\nmax_parallel_tasks = 0\n");
    let workflow = site.scratch.write("bad.json", r#"{"tables": [{}]}"#);
    let (code, findings) = found(&site, &["-c", text(&worker), text(&workflow)]);
    assert_eq!(code, Some(2), "{findings:#?}");
    assert_found(
        &findings,
        "configuration",
        "fail",
        &["selected_task_source", "is missing"],
    );
    assert_found(&findings, "configuration", "fail", &["max_parallel_tasks"]);
    assert_found(&findings, "workflow", "fail", &["tables[0]"]);
    assert_found(&findings, "source", "skipped", &["configuration"]);
    assert_found(&findings, "login", "ok", &["Snowflake"]);
    // A workflow whose tasks this worker would leave.
    let workflow = site.workflow(&json!([table("good")]));
    let worker = site.worker();
    let arguments = [
        "-c",
        text(&worker),
        "--source-platform",
        "postgresql",
        text(&workflow),
    ];
    let (code, findings) = found(&site, &arguments);
    assert_eq!(code, Some(2), "{findings:#?}");
    assert_found(
        &findings,
        "workflow",
        "fail",
        &["there is no [connections.source.postgresql]"],
    );
}

#[test]
fn a_source_on_another_machine_that_offers_no_tls_is_refused_unless_the_user_says_so() {
    let site = Site::shared();
    // Another way to write 127.0.0.1, which does not say that it is this machine.
    let file = worker_with(&site, "host", "\"127.1\"");
    let (code, findings) = found(&site, &["-c", &file]);
    assert_eq!(code, Some(1), "{findings:#?}");
    assert_found(
        &findings,
        "source",
        "fail",
        &["does not support SSL", "sslmode = \"disable\""],
    );
    let lines = fs::read_to_string(&file).unwrap();
    let lines =
        format!("{lines}[connections.source.redshift.extra_options]\nsslmode = \"disable\"\n");
    let (code, findings) = found(
        &site,
        &["-c", text(&site.scratch.write("clear.toml", &lines))],
    );
    assert_eq!(code, Some(0), "{findings:#?}");
    assert_found(
        &findings,
        "source_encryption",
        "warn",
        &["not encrypted", "verify-full"],
    );
}

/// Each table of the metadata in a statement, with the privilege that it needs there.
fn touched(sql: &str, schema: &str) -> Vec<(String, &'static str)> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let mut touched = Vec::new();
    for pair in words.windows(2) {
        let Some(name) = pair[1].trim_start_matches('(').strip_prefix(schema) else {
            continue;
        };
        let name = name.trim_start_matches(['.', '"']);
        let name: String = name
            .chars()
            .take_while(|c| c.is_ascii_uppercase() || *c == '_')
            .collect();
        let privileges: &[&str] = match pair[0].trim_start_matches('(') {
            "UPDATE" => &["SELECT", "UPDATE"],
            "INTO" if sql.contains("MERGE INTO") => &["SELECT", "INSERT", "UPDATE"],
            "INTO" => &["INSERT"],
            "FROM" if sql.starts_with("DELETE") => &["SELECT", "DELETE"],
            "FROM" | "JOIN" => &["SELECT"],
            _ => &[],
        };
        touched.extend(
            privileges
                .iter()
                .map(|privilege| (name.clone(), *privilege)),
        );
    }
    touched
}

#[test]
fn what_the_roles_send_is_what_they_are_granted() {
    let snowflake = LocalSnowflake::start(&[]);
    let site = Site::on(&snowflake);
    let source = site.source.sql();
    source.run(
        "CREATE TABLE a AS SELECT generate_series(1, 30)::bigint AS id, now()::timestamp AS at",
    );
    source.run("CREATE TABLE b AS SELECT * FROM a");
    let (mut a, mut b) = (table("a"), table("b"));
    a["synchronization"] = json!({"strategy": "checksum"});
    b["synchronization"] =
        json!({"strategy": "watermark", "watermarkColumn": "at", "trackModifications": true});
    b["primaryKeyColumns"] = json!(["id"]);
    for table in [&mut a, &mut b] {
        table["columnNamesToPartitionBy"] = json!(["id"]);
        table["partitionSize"] = json!({"maxRowsPerPartition": 10});
    }
    let workflow = site.workflow(&json!([a, b, table("missing")]));
    for name in ["first", "second"] {
        let ended = site.run(&workflow, name);
        assert_eq!(ended.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    }
    let schema = format!("\"{}\".\"DATA_MIGRATION\"", site.metadata);
    for (role, name) in [
        (Role::Orchestrator, "orchestrator"),
        (Role::Worker, "worker"),
    ] {
        let granted = table_privileges(role);
        let tables: Vec<&str> = granted.iter().map(|(table, _)| *table).collect();
        let mut seen = 0;
        for statement in snowflake.statements() {
            let sql = statement["sql"].as_str().unwrap_or_default();
            let tag = statement["tag"].as_str().unwrap_or_default();
            let is_change = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"]
                .iter()
                .any(|word| sql.starts_with(word));
            if !is_change || !tag.contains(&format!("\"role\":\"{name}\"")) {
                continue;
            }
            for (table, privilege) in touched(sql, &schema) {
                // The owner's own staging tables and views.
                let is_known = tables.contains(&table.as_str()) || role == Role::Worker;
                if is_known {
                    seen += 1;
                    let is_granted = granted.iter().any(|(t, p)| *t == table && *p == privilege);
                    assert!(is_granted, "{name}: {privilege} on {table}: {sql}");
                }
            }
        }
        assert!(seen > 20, "{name}: {seen}");
    }
}
