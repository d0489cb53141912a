use super::*;
use crate::config::testing::env;

fn write(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("temporary directory");
    let path = folder.path().join("o.toml");
    std::fs::write(&path, text).expect("write");
    (folder, path)
}

#[test]
fn the_file_wins_over_the_environment_and_that_over_the_defaults() {
    let vars = [
        ("CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA", "env_db"),
        (
            "CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA",
            "env_schema",
        ),
        ("SNOWFLAKE_CONNECTION_NAME", "env_connection"),
        ("DATA_MIGRATION_ORCHESTRATOR_AFFINITY", "env_affinity"),
        ("DATA_MIGRATION_ORCHESTRATOR_LOAD_WAREHOUSE", "ENV_WH"),
    ];
    let none = load(None, &env(&[])).expect("defaults");
    assert_eq!(
        (none.poll.base, none.lease, none.reap_interval),
        (
            Duration::from_secs(1),
            Duration::from_secs(60),
            Duration::from_secs(10)
        )
    );
    assert_eq!(
        (
            none.load_concurrency,
            none.partition_window,
            none.max_failures
        ),
        (8, 64, 5)
    );
    assert_eq!(
        (none.connection_name, none.affinity, none.load_warehouse),
        (None, None, None)
    );
    assert_eq!(none.metadata, MetadataLocation::default());
    let environment = load(None, &env(&vars)).expect("the environment");
    assert_eq!(
        (
            environment.connection_name.as_deref(),
            environment.affinity,
            environment.metadata.database.as_str()
        ),
        (
            Some("env_connection"),
            Some(AffinityFilter::parse("env_affinity")),
            "ENV_DB"
        )
    );
    assert_eq!(environment.load_warehouse.as_deref(), Some("ENV_WH"));
    let (_folder, path) = write(
        "[application]\naffinity = 'file'\nload_warehouse = 'FILE_WH'\nlease = 30\nmax_failures = 1\nmetrics = 3\n[connections.target.snowflake_connection_name]\nconnection_name = '${C}'\n",
    );
    let vars = [vars.as_slice(), &[("C", "file_connection")]].concat();
    let file = load(Some(&path), &env(&vars)).expect("the file");
    assert_eq!(
        (
            file.connection_name.as_deref(),
            file.affinity,
            file.metadata.database.as_str()
        ),
        (
            Some("file_connection"),
            Some(AffinityFilter::parse("file")),
            "ENV_DB"
        )
    );
    assert_eq!(file.load_warehouse.as_deref(), Some("FILE_WH"));
    assert_eq!(
        (file.lease, file.max_failures, file.warnings.len()),
        (Duration::from_secs(30), 1, 1)
    );
}

#[test]
fn an_orchestrators_intervals_fit_into_its_lease() {
    let load = |application: &str, vars: &[(&str, &str)]| {
        let (_folder, path) = write(&format!("[application]\n{application}"));
        load(Some(&path), &env(vars)).map_err(|error| {
            let file = format!("{}: ", path.display());
            error.to_string().replace(&file, "FILE: ")
        })
    };
    // One that nobody has set follows the lease.
    let short = load("lease = 6\npoll_interval = 6", &[]).expect("a configuration");
    assert_eq!(short.reap_interval, Duration::from_secs(6));
    let refused = "must be at most the lease, which is 6 s; make it shorter, or the lease longer";
    assert_eq!(
        load("lease = 6\npoll_interval = 7\nreap_interval = 6.1", &[]).err(),
        Some(format!(
            "SH0109 FILE: application.poll_interval: {refused}\nSH0109 FILE: application.reap_interval: {refused}"
        ))
    );
    let poll = "ORCHESTRATOR_TASK_PULL_INTERVAL_SECONDS";
    // That tool has no such rule, and its variables have to work.
    let shortened = load("lease = 6", &[(poll, "7")]).map(|config| config.poll.base);
    assert_eq!(shortened, Ok(Duration::from_secs(6)));
}

#[test]
fn wrong_variables_of_the_orchestrator_are_named() {
    let error = load(
        None,
        &env(&[("CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA", "\"x")]),
    )
    .expect_err("a wrong name");
    assert!(
        error.to_string().starts_with(
            "SH0112 environment: CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA: the quoted name does not end"
        ),
        "{error}"
    );
    let (_folder, path) =
        write("[application]\nlease = 0\nload_concurrency = 0\npartition_window = 'x'\n");
    let error = load(Some(&path), &env(&[])).expect_err("wrong values");
    assert_eq!(error.problems.0.len(), 3, "{error}");
}

#[test]
fn flags_win_over_the_file_and_are_named_when_they_are_wrong() {
    let (_folder, path) = write("[application]\naffinity = 'file'\nlease = 'x'\n");
    let flags = OrchestratorFlags {
        affinity: Some(String::new()),
        connection_name: Some(" ".to_owned()),
        log_format: None,
    };
    let error = load_with(Some(&path), &flags, &env(&[])).expect_err("mistakes");
    assert_eq!(
        error.to_string(),
        format!(
            "SH0106 command line: --connection-name: is empty; fill it in or remove it\nSH0107 {}: application.lease: must be a number of seconds above 0, at most 86400",
            path.display()
        )
    );
    std::fs::write(&path, "").expect("write");
    let flags = OrchestratorFlags {
        connection_name: None,
        ..flags
    };
    let config = load_with(Some(&path), &flags, &env(&[])).expect("a configuration");
    assert_eq!(config.affinity, Some(AffinityFilter::parse("")));
}
