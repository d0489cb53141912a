use super::*;
use crate::config::testing::{env, lines};
use secrecy::ExposeSecret;

fn write(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("temporary directory");
    let path = folder.path().join("c.toml");
    std::fs::write(&path, text).expect("write");
    (folder, path)
}

fn load_text(text: &str, vars: &[(&str, &str)]) -> Result<WorkerConfig, Vec<String>> {
    let (_folder, path) = write(text);
    load(&path, &env(vars)).map_err(|errors| lines(&errors.problems.0, &path))
}

/// The warnings as lines, each without the name of its file.
fn warnings(config: &WorkerConfig) -> Vec<String> {
    let line = |warning: &Problem| {
        let (file, place) = warning.place.split_once(": ").expect("a file and a key");
        assert!(file.ends_with("c.toml"), "{warning}");
        let place = place.to_owned();
        Problem {
            place,
            ..warning.clone()
        }
        .to_string()
    };
    config.warnings.iter().map(line).collect()
}

const SOURCE: &str = "\n[connections.source.redshift]\nhost = 'h'\ndatabase = 'd'\nusername = 'u'\npassword = 'hunter2'\n";

fn with(application: &str, source: &str) -> String {
    format!(
        "selected_task_source = 'snowflake_stored_procedure'\n[application]\n{application}\n{SOURCE}{source}"
    )
}

#[test]
fn a_short_file_is_filled_with_defaults() {
    let config = load_text(&with("", ""), &[]).expect("a configuration");
    let source = &config.sources[&Platform::Redshift];
    assert_eq!(
        (source.port, source.password.expose_secret()),
        (5439, "hunter2")
    );
    assert_eq!(
        (config.metadata, config.connection_name, config.affinity),
        (MetadataLocation::default(), None, None)
    );
    assert_eq!(
        (config.max_parallel_tasks, config.task_memory_bytes),
        (4, 256 << 20)
    );
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn every_key_is_read() {
    let text = with(
        "max_parallel_tasks = 9\ntask_fetch_interval = 0.5\nlease_refresh_interval = 7\nlease = 21\naffinity = '::blue::'\ntask_memory_mb = 64\nlog_format = 'JSON'\nlocal_results_directory = '/spool'\nsnowflake_database_for_metadata = 'my_db'\nsnowflake_schema_for_data_migration_metadata = '\"My \"\"S\"'",
        "port = '${PORT}'\nodbc_driver = 'PostgreSQL Unicode'\nauth_method = 'standard'\n[connections.source.redshift.extra_options]\nSSLMode = 'Verify-${LEVEL}'\nTimeout = 5\nUseX = true\n[connections.source.sqlserver]\nhost='h'\ndatabase='d'\nusername='u'\npassword='p;{${PORT}'\nencrypt = 'strict'\ntrust_server_certificate = true\n[connections.source.postgresql]\nhost='h'\ndatabase='d'\nusername='u'\npassword=''\n[connections.target.snowflake_connection_name]\nconnection_name = 'local'\n",
    );
    let config = load_text(&text, &[("PORT", "5555"), ("LEVEL", "full")]).expect("a configuration");
    assert_eq!(
        (
            config.metadata.database.as_str(),
            config.metadata.schema.as_str()
        ),
        ("MY_DB", "My \"S")
    );
    assert_eq!(
        (
            config.max_parallel_tasks,
            config.task_fetch.base,
            config.lease_refresh_interval,
            config.lease
        ),
        (
            9,
            Duration::from_millis(500),
            Duration::from_secs(7),
            Duration::from_secs(21)
        )
    );
    assert_eq!(
        (
            config.affinity.as_deref(),
            config.task_memory_bytes,
            config.log_format
        ),
        (Some("::blue::"), 64 << 20, LogFormat::Json)
    );
    assert_eq!(
        (
            warnings(&config).as_slice(),
            config.connection_name.as_deref()
        ),
        (
            [
                "SH0115 application.local_results_directory: has no effect: rows are streamed to the stage, and no file is written to a local directory; it may stay or go"
                    .to_owned()
            ]
            .as_slice(),
            Some("local")
        )
    );
    let options = |platform: Platform| -> Vec<(String, String)> {
        config.sources[&platform]
            .extra_options
            .iter()
            .map(|(key, value)| (key.clone(), value.expose_secret().to_owned()))
            .collect()
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        options(Platform::Redshift),
        [
            pair("SSLMode", "verify-full"),
            pair("Timeout", "5"),
            pair("UseX", "true")
        ]
    );
    assert_eq!(
        options(Platform::Sqlserver),
        [
            pair("Encrypt", "strict"),
            pair("TrustServerCertificate", "yes")
        ]
    );
    assert_eq!(
        config.sources[&Platform::Sqlserver]
            .password
            .expose_secret(),
        "p;{5555"
    );
    let ports = [
        Platform::Redshift,
        Platform::Postgresql,
        Platform::Sqlserver,
    ]
    .map(|platform| config.sources[&platform].port);
    assert_eq!(ports, [5555, 5432, 1433]);
}

#[test]
fn mistakes_are_told_all_at_once_with_section_and_key() {
    let redshift = "connections.source.redshift";
    for (text, expected) in [
        (String::new(), vec!["SH0104 selected_task_source: is missing", "SH0118 connections.source: there is no source"]),
        ("selected_task_source = 'other'\napplication = 3\n[connections]\nsource = []\ntarget = 1\n".to_owned(), vec![
            "SH0106 selected_task_source: must be \"snowflake_stored_procedure\"", "SH0105 application: must be a section", "SH0105 connections.target: must be a section", "SH0105 connections.source: must be a section"]),
        ("selected_task_source = 'snowflake_stored_procedure'\n[connections.source.redshift]\n".to_owned(), vec![
            "SH0104 connections.source.redshift.host: is missing", "SH0104 connections.source.redshift.database: is missing", "SH0104 connections.source.redshift.username: is missing", "SH0104 connections.source.redshift.password: is missing"]),
        (with("max_parallel_tasks = 0\ntask_fetch_interval = -1\nlease_refresh_interval = 0\nlog_format = 'xml'\ntask_memory_mb = 1.5\naffinity = 5\nsnowflake_database_for_metadata = '\"x'", ""), vec![
            "SH0112 application.snowflake_database_for_metadata: the quoted name does not end", "SH0105 application.affinity: must be text", "SH0107 application.max_parallel_tasks: must be a whole number from 1",
            "SH0107 application.task_fetch_interval: must be a number of seconds above 0", "SH0107 application.lease_refresh_interval: ", "SH0107 application.task_memory_mb: ", "SH0106 application.log_format: must be \"auto\" or \"human\" or \"json\""]),
        (with("lease_refresh_interval = 2\nlease = 5.9", ""), vec!["SH0109 application.lease: must be at least 3 times lease_refresh_interval: 6 s"]),
        (with("lease = 44", ""), vec!["SH0109 application.lease: must be at least 3 times lease_refresh_interval: 45 s"]),
        (with("", "port = 0"), vec!["SH0107 connections.source.redshift.port: must be a whole number from 1 to 65535"]),
        (with("", "port = 65536"), vec!["SH0107 connections.source.redshift.port: "]),
        (with("", "port = '${NOPE}'\nodbc_driver = '${A} ${B}'"), vec![
            "SH0111 connections.source.redshift.port: the environment variable NOPE is not set", "SH0111 connections.source.redshift.odbc_driver: the environment variable A", "SH0111 connections.source.redshift.odbc_driver: the environment variable B"]),
        (with("", "auth_method = 'magic'"), vec!["SH0106 connections.source.redshift.auth_method: must be \"standard\" or"]),
        (with("", "[connections.source.redshift.extra_options]\npwd = 'x'\n'a;b' = 'x'\nf = 1.5\nv = '${NOPE}'\nSslMode = 'on'\nCA = 'd'"), vec![
            "SH0106 connections.source.redshift.extra_options.CA: write it as sslmode", "SH0106 connections.source.redshift.extra_options.SslMode: must be one of disable, allow",
            "SH0106 connections.source.redshift.extra_options[\"a;b\"]: no keyword", "SH0105 connections.source.redshift.extra_options.f: must be text", "SH0106 connections.source.redshift.extra_options.pwd: use the key `password`", "SH0111 connections.source.redshift.extra_options.v: the environment variable NOPE"]),
        (with("", "[connections.source.redshift.extra_options]\nTimeout = 1\ntimeout = 2"), vec!["SH0108 connections.source.redshift.extra_options.timeout: this keyword is given twice; keep one"]),
        (with("", "[connections.source.RedShift]\nhost = 'h'\ndatabase = 'd'\nusername = 'u'\npassword = 'p'"), vec!["SH0108 connections.source.redshift: this platform is given twice; keep one"]),
        (with("", "[connections.source.postgresql]\nauth_method = 'iam-serverless'"), vec!["SH0106 connections.source.postgresql.auth_method: \"iam-serverless\" is for redshift only; write \"standard\""]),
        (with("", "[connections.target.snowflake_connection_name]\n"), vec!["SH0104 connections.target.snowflake_connection_name.connection_name: is missing"]),
    ] {
        let mut lines = load_text(&text, &[]).expect_err(&text);
        let (mut expected, mut lines_sorted) = (expected, std::mem::take(&mut lines));
        expected.sort_unstable();
        lines_sorted.sort_unstable();
        let fits = lines_sorted.len() == expected.len() && lines_sorted.iter().zip(&expected).all(|(line, start)| line.starts_with(start));
        assert!(fits, "{text}\n{lines_sorted:#?}\nexpected {expected:#?} ({redshift})");
    }
}

#[test]
fn a_workers_file_with_many_mistakes_has_one_line_for_each() {
    let text = with(
        "max_parallel_tasks = 0\naffinity = 5\nlease = 3\nlog_format = 'xml'\nsnowflake_database_for_metadata = '\"x'",
        "port = '${NOPE}'",
    );
    let lines = load_text(&text, &[]).expect_err("mistakes");
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn iam_logins_are_refused_without_asking_for_what_they_do_not_need() {
    for (method, keys) in [
        ("iam-provisioned-cluster", "cluster_id = 'c'\n"),
        ("iam-serverless", "workgroup = 'w'\n"),
    ] {
        let text = format!(
            "selected_task_source = 'snowflake_stored_procedure'\n[connections.source.redshift]\nusername = 'u'\ndatabase = 'd'\nauth_method = '{method}'\n{keys}region = 'r'\naccess_key_id = 'a'\nsecret_access_key = 's'\n"
        );
        let lines = load_text(&text, &[]).expect_err("not supported");
        assert!(
            matches!(lines.as_slice(), [line] if line.starts_with("SH0110 connections.source.redshift.auth_method: ") && line.contains(method) && line.contains("not supported yet; write \"standard\"")),
            "{lines:?}"
        );
    }
}

#[test]
fn a_login_that_something_else_proves_needs_no_password() {
    let section = |login: &str| {
        let text = format!(
            "[connections.source.sqlserver]\nhost='h'\ndatabase='d'\n{login}\n[connections.target.snowflake_connection_name]\nconnection_name = 'local'\n"
        );
        load_text(&with("", &text), &[]).is_ok()
    };
    assert!(section("trusted_connection = true"));
    assert!(section("authentication = 'ActiveDirectoryMsi'"));
    assert!(!section("trusted_connection = false"));
    assert!(!section(
        "authentication = 'ActiveDirectoryServicePrincipal'"
    ));
}

#[test]
fn unknown_keys_and_unused_ones_are_warned_of() {
    let config = load_text(
        &with("max_paralel_tasks = 3\nzzz = 1", "unload_s3_bucket = 'b'\ncluster_id = 'c'\n[connections.source.teradata]\nhost = 'x'\n[monitoring]\nx = 1"),
        &[],
    )
    .expect("a configuration");
    for expected in [
        "SH0103 monitoring: unknown key, ignored",
        "SH0103 application.max_paralel_tasks: unknown key, ignored; did you mean `max_parallel_tasks`?",
        "SH0103 application.zzz: unknown key, ignored",
        "SH0115 connections.source.redshift.cluster_id: this is for IAM authentication",
        "SH0115 connections.source.redshift.unload_s3_bucket: extraction strategy \"unload\" is not supported yet",
        "SH0117 connections.source.teradata: this platform is not supported",
    ] {
        assert!(
            warnings(&config)
                .iter()
                .any(|warning| warning.starts_with(expected)),
            "{expected}: {:#?}",
            config.warnings
        );
    }
    assert_eq!(config.warnings.len(), 6, "{:#?}", config.warnings);
}

#[test]
fn no_message_shows_a_secret() {
    for text in [
        with("", "x = hunter2"),
        with(
            "",
            "auth_method = 'hunter2'\nport = 'hunter2'\nencrypt = 'hunter2'\nunload_s3_bucket = 'hunter2'",
        ),
        with(
            "",
            "[connections.source.redshift.extra_options]\npassword = 'hunter2'\n",
        ),
        with(
            "log_format = 'hunter2'\nmax_parallel_tasks = 'hunter2'\ntask_fetch_interval = 'hunter2'\nsnowflake_database_for_metadata = 'hunter2\"'",
            "",
        ),
        "password = 'hunter2".to_owned(),
    ] {
        let lines = load_text(&text, &[]).expect_err(&text);
        assert!(!lines.join("\n").contains("hunter2"), "{lines:?}");
    }
    let lines = load_text("\n\npassword = hunter2", &[]).expect_err("no TOML");
    assert!(
        lines[0].starts_with("SH0102 line 3 is not valid TOML"),
        "{lines:?}"
    );
    assert!(!format!("{:?}", load_text(&with("", ""), &[])).contains("hunter2"));
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
    let worker = load_text(
        &with("snowflake_database_for_metadata = 'file_db'", ""),
        &vars,
    )
    .expect("a configuration");
    assert_eq!(
        (
            worker.metadata.database.as_str(),
            worker.metadata.schema.as_str()
        ),
        ("FILE_DB", "ENV_SCHEMA")
    );
    // These two are the orchestrator's.
    assert_eq!((worker.connection_name, worker.affinity), (None, None));
}

#[test]
fn flags_win_over_the_file() {
    let (_folder, path) = write(&with(
        "max_parallel_tasks = 9\ntask_fetch_interval = 2\nlog_format = 'json'",
        "[connections.target.snowflake_connection_name]\nconnection_name = 'file'\n",
    ));
    let flags = WorkerFlags {
        max_parallel_tasks: Some(3),
        task_fetch_interval: Some(7),
        connection_name: Some("${NOT_A_VARIABLE}".to_owned()),
        log_format: Some(LogFormat::Human),
        local_results_directory: Some("/spool".to_owned()),
    };
    let config = load_with(&path, &flags, &env(&[])).expect("a configuration");
    assert_eq!(
        (
            config.max_parallel_tasks,
            config.task_fetch.base,
            config.log_format,
            config.connection_name.as_deref()
        ),
        (
            3,
            Duration::from_secs(7),
            LogFormat::Human,
            Some("${NOT_A_VARIABLE}")
        )
    );
    assert!(
        matches!(config.warnings.as_slice(), [one] if one.to_string().starts_with("SH0115 command line: --local-results-directory: has no effect")),
        "{:?}",
        config.warnings
    );
}

#[test]
fn a_syntax_error_is_told_by_line_and_column() {
    for (text, place) in [
        (
            "password = hunter2",
            "SH0102 line 1 is not valid TOML at column 12: ",
        ),
        (
            "\n\n[a]\nb = 'hunter2",
            "SH0102 line 4 is not valid TOML at column ",
        ),
        (
            "a = 1\nü = 1\n",
            "SH0102 line 2 is not valid TOML at column 1: ",
        ),
    ] {
        let lines = load_text(text, &[]).expect_err("no TOML");
        assert!(lines[0].starts_with(place), "{lines:?}");
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
}

#[test]
fn a_star_in_a_workers_affinity_is_warned_of() {
    for (affinity, warnings) in [("dev-*", 1), ("dev-1", 0)] {
        let config = load_text(&with(&format!("affinity = '{affinity}'"), ""), &[]);
        let config = config.expect("a configuration");
        let told = config
            .warnings
            .iter()
            .filter(|w| w.what.contains("`*`"))
            .count();
        assert_eq!(
            (config.affinity.as_deref(), told),
            (Some(affinity), warnings)
        );
    }
}

#[test]
fn a_lease_holds_for_four_renewals_and_for_a_while_unless_told_otherwise() {
    for (application, seconds) in [
        ("", 60),
        ("lease_refresh_interval = 1", 20),
        ("lease_refresh_interval = 30", 120),
        ("lease_refresh_interval = 1\nlease = 3", 3),
    ] {
        let config = load_text(&with(application, ""), &[]).expect("a configuration");
        assert_eq!(config.lease, Duration::from_secs(seconds), "{application}");
    }
}
