//! Files and arguments that are refused before anything is asked of a server: exit code 2, place and remedy.

use crate::site::{DEADLINE, assert_says, text};
use snowhaul_integration::{Ended, Scratch, Snowhaul};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const WORKFLOW: &str = r#"{"tables": [{
    "source": {"databaseName": "d", "schemaName": "s", "tableName": "t"},
    "target": {"databaseName": "D", "schemaName": "S", "tableName": "T"},
    "columnNamesToPartitionBy": []}]}"#;
const WORKER: &str = r#"
selected_task_source = "snowflake_stored_procedure"
[connections.source.redshift]
host = "127.0.0.1"
database = "d"
username = "u"
password = "p"
"#;

fn run(arguments: &[&str], home: &Path) -> Ended {
    let call = Snowhaul::new(arguments).env("SNOWFLAKE_HOME", home);
    call.run(DEADLINE)
}

#[track_caller]
fn assert_refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code(), Some(2), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.starts_with("error: SH"), "{}", ended.stderr);
    assert_says(&ended.stderr, parts);
}

fn create(file: &Path, platform: &str, name: &str) -> Ended {
    let arguments = [
        "workflow",
        "create",
        text(file),
        "--source-platform",
        platform,
        "--name",
        name,
    ];
    // No connection: whoever looks for one says so.
    run(&arguments, Path::new("/nonexistent"))
}

#[test]
fn all_mistakes_of_a_workflow_file_are_told_at_once_with_their_places() {
    let scratch = Scratch::new("files");
    let wrong = WORKFLOW
        .replace(
            "\"columnNamesToPartitionBy\": []",
            "\"columnNamesToPartitionBy\": \"id\", \"whereClauseCriterium\": \"a = 1\"",
        )
        .replace("\"schemaName\": \"S\"", "\"schemaName\": 5");
    let file = scratch.write("wrong.json", &wrong);
    let ended = create(&file, "redshift", "w");
    assert_refused(
        &ended,
        &[
            "wrong.json",
            "tables[0].whereClauseCriterium",
            "did you mean `whereClauseCriteria`?",
            "tables[0].target.schemaName",
            "expected text, found a number",
            "tables[0].columnNamesToPartitionBy",
        ],
    );
}

#[test]
fn the_command_lines_mistakes_come_together_with_the_files() {
    let scratch = Scratch::new("files");
    let file = scratch.write("w.json", r#"{"tabels": []}"#);
    for platform in ["oracle", "teradata"] {
        let ended = create(&file, platform, "bad name");
        assert_refused(
            &ended,
            &[
                "--source-platform",
                platform,
                "expected redshift, postgresql or sqlserver",
                "--name",
                "letters, digits and underscores",
                "did you mean `tables`?",
            ],
        );
    }
}

#[test]
fn a_workflow_in_yaml_is_read_and_checked_like_one_in_json() {
    let scratch = Scratch::new("files");
    let yaml = "tables:\n- source: {databaseName: d, schemaName: s, tableName: t}\n  target: {databaseName: D, schemaName: S, tableName: T}\n  columnNamesToPartitionBy: []\n";
    let good = scratch.write("w.yaml", yaml);
    // The file is fine, so that the connection is what is missed.
    assert_refused(
        &create(&good, "redshift", "w"),
        &["there are no connections"],
    );
    let bad = scratch.write("bad.yml", &yaml.replace("tableName: t}", "tabelName: 7}"));
    let parts = [
        "bad.yml",
        "tables[0].source.tabelName",
        "did you mean `tableName`?",
    ];
    assert_refused(&create(&bad, "redshift", "w"), &parts);
    let broken = scratch.write("broken.yaml", "tables: [");
    assert_refused(
        &create(&broken, "redshift", "w"),
        &["broken.yaml", "not valid YAML"],
    );
}

#[test]
fn all_mistakes_of_a_workers_file_are_told_at_once_and_unknown_keys_are_warned_of() {
    let scratch = Scratch::new("files");
    let wrong = WORKER
        .replace(
            "host = \"127.0.0.1\"\n",
            "hots = \"127.0.0.1\"\nport = \"abc\"\n",
        )
        .replace(
            "[connections",
            "[application]\nmax_parallel_tasks = \"four\"\n[connections",
        )
        .replace("password = \"p\"", "password = \"${SNOWHAUL_TEST_UNSET}\"");
    let file = scratch.write("wrong.toml", &wrong);
    let ended = run(&["worker", "-c", text(&file)], scratch.path());
    assert_refused(
        &ended,
        &[
            "wrong.toml",
            "application.max_parallel_tasks",
            "connections.source.redshift.host",
            "connections.source.redshift.port",
            "SNOWHAUL_TEST_UNSET is not set",
        ],
    );
    let odd = WORKER.replace("database =", "colour = 3\ndatabase =");
    let file = scratch.write("odd.toml", &odd);
    let ended = run(&["worker", "-c", text(&file)], scratch.path());
    assert_refused(&ended, &["there are no connections"]);
    assert_says(
        &ended.stdout,
        &["odd.toml", "connections.source.redshift.colour"],
    );
    let broken = scratch.write("broken.toml", "password = hunter2-secret\n");
    let ended = run(&["worker", "-c", text(&broken)], scratch.path());
    assert_refused(&ended, &["broken.toml", "line 1"]);
    assert!(!ended.stderr.contains("hunter2-secret"), "{}", ended.stderr);
}

#[test]
fn a_file_that_is_not_there_is_named_with_what_to_do() {
    let home = Path::new("/nonexistent");
    let missing = create(Path::new("missing.json"), "redshift", "w");
    assert_refused(
        &missing,
        &["missing.json", "no such file", "check the path"],
    );
    for arguments in [
        &["worker"][..],
        &[
            "run",
            "w.json",
            "--source-platform",
            "redshift",
            "--name",
            "w",
        ],
    ] {
        let parts = ["configuration.toml", "no such file", "check the path"];
        assert_refused(&run(arguments, home), &parts);
    }
    let ended = run(&["orchestrator", "-c", "none.toml"], home);
    assert_refused(&ended, &["none.toml", "no such file"]);
}

#[test]
fn a_connection_that_is_not_there_is_told_with_those_that_are() {
    let scratch = Scratch::new("home");
    let ended = run(&["workflow", "list"], scratch.path());
    let parts = [
        "connections.toml",
        "there are no connections",
        "SNOWFLAKE_HOME",
    ];
    assert_refused(&ended, &parts);
    let file = scratch.write(
        "connections.toml",
        "[production]\naccount = \"a\"\nuser = \"u\"\npassword = \"p\"\n[empty]\n",
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for arguments in [
        &["workflow", "list", "--connection-name", "prodution"][..],
        &["orchestrator", "--connection-name", "prodution"],
    ] {
        let parts = ["no connection `prodution`", "did you mean `production`?"];
        assert_refused(&run(arguments, scratch.path()), &parts);
    }
    let ended = run(
        &["workflow", "list", "--connection-name", "empty"],
        scratch.path(),
    );
    assert_refused(
        &ended,
        &[
            "[empty]",
            "`account` is missing",
            "`user` is missing",
            "no credentials",
        ],
    );
}

#[test]
fn a_connections_file_that_others_can_write_is_refused_and_one_they_can_read_is_warned_of() {
    let scratch = Scratch::new("home");
    let file = scratch.write(
        "connections.toml",
        "[default]\naccount = \"a\"\nuser = \"u\"\npassword = \"p\"\nhost = \"127.0.0.1\"\nport = 1\nprotocol = \"http\"\n",
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o622)).unwrap();
    let ended = run(&["workflow", "list"], scratch.path());
    assert_refused(
        &ended,
        &["connections.toml", "others can write it", "chmod 600"],
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let ended = run(&["workflow", "list"], scratch.path());
    assert_eq!(ended.code(), Some(3), "{}", ended.stderr);
    assert_says(&ended.stderr, &["others can read this file", "chmod 600"]);
}

#[test]
fn usage_that_is_wrong_ends_with_2_and_says_how_it_goes() {
    for arguments in [
        &["workflow", "create"][..],
        &["worker", "-w", "0"],
        &["worker", "-i", "abc"],
        &["run", "w.json", "--name", "w"],
        &["status", "w"],
        &["workflow", "list", "--no-such-flag"],
    ] {
        let ended = run(arguments, Path::new("/nonexistent"));
        assert_eq!(ended.code(), Some(2), "{arguments:?} {}", ended.stderr);
        assert_says(&ended.stderr, &["error: SH0610 ", "--help"]);
    }
}
