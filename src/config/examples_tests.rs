//! The examples that users copy: each loads, and each key has its place in one of them.

use super::findings::Findings;
use super::{
    defaults, document, json_schema, orchestrator, schema, source_section, worker, workflow,
};
use crate::domain::affinity::AffinityFilter;
use crate::domain::idle::IdlePolicy;
use crate::domain::problem::Code;
use crate::domain::spec::Synchronization;
use crate::domain::table::{PartitionSize, Platform};
use crate::platform;
use crate::types::metadata_location::MetadataLocation;
use std::path::PathBuf;

/// The examples of workflows.
const WORKFLOWS: &[&str] = &[
    "workflow-incremental.json",
    "workflow-redshift.json",
    "workflow-redshift.yaml",
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("configs")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).expect(name)
}

/// The variables that the examples name.
fn set(name: &str) -> Option<String> {
    let is_secret = ["_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        .iter()
        .any(|end| name.ends_with(end));
    is_secret.then(|| "value".to_owned())
}

fn unset(_: &str) -> Option<String> {
    None
}

/// Whether a line of the example is about the key, commented out or not.
fn shows(example: &str, key: &str, separators: &[char]) -> bool {
    example.lines().any(|line| {
        let line = line.trim_start_matches(|c: char| c == '#' || c == '-' || c.is_whitespace());
        let rest = line.strip_prefix(key).unwrap_or("x");
        rest.trim_start().starts_with(separators)
            || line.starts_with('[')
                && line
                    .trim_end_matches(']')
                    .split(['[', '.'])
                    .any(|part| part == key)
    })
}

#[test]
fn every_example_is_loaded_here() {
    let mut names: Vec<String> = std::fs::read_dir(path(""))
        .expect("configs")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| {
            [".json", ".yaml", ".toml"]
                .iter()
                .any(|end| name.ends_with(end))
        })
        .collect();
    names.sort();
    let others = [
        "configuration.toml",
        "connections.toml",
        "orchestrator.toml",
    ];
    assert_eq!(names, [&others[..], WORKFLOWS].concat());
}

#[test]
fn the_workers_example_loads_without_a_warning() {
    let config = worker::load(&path("configuration.toml"), &set).expect("a configuration");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert!(config.sources.contains_key(&Platform::Redshift));
    let missing = worker::load(&path("configuration.toml"), &unset).expect_err("no password");
    assert!(
        missing.to_string().contains("REDSHIFT_PASSWORD is not set"),
        "{missing}"
    );
}

/// Takes the comment from every line that is a setting or a section.
fn uncommented(example: &str) -> String {
    let mut text = String::new();
    for line in example.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_setting = bare
            .split_once(" = ")
            .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        text.push_str(if is_setting || bare.starts_with('[') {
            bare
        } else {
            line
        });
        text.push('\n');
    }
    text
}

#[test]
fn what_is_commented_out_in_the_examples_loads_too() {
    let folder = tempfile::tempdir().expect("temporary directory");
    let file = folder.path().join("c.toml");
    std::fs::write(&file, uncommented(&text("configuration.toml"))).expect("write");
    let config = worker::load(&file, &set).expect("a configuration");
    assert_eq!(config.sources.len(), 3);
    // What the comments call defaults are the defaults.
    assert_eq!(
        (
            config.max_parallel_tasks,
            config.task_fetch,
            config.lease_refresh_interval,
            config.lease,
            config.task_memory_bytes,
            config.metadata
        ),
        (
            defaults::MAX_PARALLEL_TASKS as usize,
            IdlePolicy {
                base: defaults::TASK_FETCH_INTERVAL,
                cap: defaults::TASK_FETCH_INTERVAL_MAX,
            },
            defaults::LEASE_REFRESH_INTERVAL,
            (defaults::LEASE_REFRESH_INTERVAL * defaults::REFRESHES_PER_LEASE)
                .max(defaults::SHORTEST_DERIVED_LEASE),
            defaults::TASK_MEMORY_MB as usize * (1 << 20),
            MetadataLocation::default()
        )
    );
    let ports: Vec<u16> = config.sources.values().map(|source| source.port).collect();
    let mut expected = Platform::ALL.map(|platform| platform::settings(platform).default_port());
    expected.sort_unstable();
    assert_eq!(sorted(ports), expected);
    assert!(
        config
            .warnings
            .iter()
            .all(|warning| warning.code != Code::UNKNOWN_KEY),
        "{:?}",
        config.warnings
    );
    std::fs::write(&file, uncommented(&text("orchestrator.toml"))).expect("write");
    let config = orchestrator::load(Some(&file), &unset).expect("a configuration");
    assert_eq!(
        (config.affinity, config.warnings.len()),
        (Some(AffinityFilter::parse("blue")), 0)
    );
    assert_eq!(config.load_warehouse.as_deref(), Some("SNOWHAUL_LOAD_WH"));
    // What the comments call defaults are the defaults.
    let unset_config = orchestrator::load(None, &unset).expect("defaults");
    assert_eq!(
        (
            config.poll,
            config.lease,
            config.reap_interval,
            config.load_concurrency,
            config.partition_window,
            config.max_failures,
            config.metadata
        ),
        (
            unset_config.poll,
            unset_config.lease,
            unset_config.reap_interval,
            unset_config.load_concurrency,
            unset_config.partition_window,
            unset_config.max_failures,
            unset_config.metadata
        )
    );
}

fn sorted(mut ports: Vec<u16>) -> Vec<u16> {
    ports.sort_unstable();
    ports
}

#[test]
fn the_orchestrators_example_loads_without_a_warning() {
    let config =
        orchestrator::load(Some(&path("orchestrator.toml")), &unset).expect("a configuration");
    assert_eq!(
        (config.connection_name.as_deref(), config.warnings.len()),
        (Some("snowhaul"), 0)
    );
}

#[test]
fn the_workflow_examples_load_and_say_the_same() {
    let json =
        workflow::load(&path("workflow-redshift.json"), Platform::Redshift).expect("a workflow");
    let yaml =
        workflow::load(&path("workflow-redshift.yaml"), Platform::Redshift).expect("a workflow");
    assert_eq!(json, yaml);
    assert_eq!(json.tables.len(), 3);
    assert_eq!(
        json.tables[1].partition_size,
        PartitionSize::TargetSizeMb(512)
    );
}

#[test]
fn the_incremental_example_loads_and_has_each_strategy() {
    let path = path("workflow-incremental.json");
    let file = workflow::load(&path, Platform::Redshift).expect("a workflow");
    assert!(file.warnings.is_empty(), "{:?}", file.warnings);
    let strategies: Vec<&Synchronization> =
        file.tables.iter().map(|t| &t.synchronization).collect();
    assert!(
        matches!(
            strategies.as_slice(),
            [
                Synchronization::Checksum { expression: None },
                Synchronization::Watermark {
                    track_modifications: true,
                    track_deletions: true,
                    ..
                },
                Synchronization::Watermark {
                    track_modifications: false,
                    track_deletions: false,
                    ..
                },
                Synchronization::FullReplace,
            ]
        ),
        "{strategies:?}"
    );
    assert_eq!(file.tables[0].key, None);
    assert_eq!(file.tables[1].load_segment_mb, Some(5000));
}

#[test]
fn the_json_schema_takes_the_workflow_examples() {
    for name in WORKFLOWS {
        let format = document::Format::of(&path(name));
        let mut findings = Findings::default();
        let file = document::parse(&text(name), format, &mut findings).expect(name);
        assert!(json_schema::takes(&file), "{name}");
    }
}

#[test]
fn the_connections_of_the_example_can_be_used() {
    use crate::snowflake::connection::{Environment, find};
    let home = tempfile::tempdir().expect("temporary directory");
    let key = home.path().join("rsa_key.p8");
    std::fs::write(&key, "key").expect("write");
    let file = home.path().join("connections.toml");
    let example =
        text("connections.toml").replace("/etc/snowhaul/rsa_key.p8", &key.to_string_lossy());
    std::fs::write(&file, example).expect("write");
    #[cfg(unix)]
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("chmod");
    let folder = home.path().to_string_lossy().into_owned();
    let var = |name: &str| (name == "SNOWFLAKE_HOME").then(|| folder.clone());
    for name in ["snowhaul", "snowhaul_key_pair", "snowhaul_oauth"] {
        let environment = Environment {
            var: &var,
            home: None,
        };
        find(Some(name), &environment).expect(name);
    }
}

#[test]
fn every_key_stands_in_an_example() {
    let workflow = text("workflow-redshift.yaml");
    // Later spellings are in the comment of the first one.
    for key in schema::every_key() {
        assert!(
            shows(&workflow, key, &[':'])
                || workflow.contains(&format!(": {key}"))
                || workflow.contains(&format!(", {key}")),
            "{key}"
        );
    }
    let configuration = text("configuration.toml");
    let platforms = [
        Platform::Redshift,
        Platform::Postgresql,
        Platform::Sqlserver,
    ];
    let sources: Vec<&str> = platforms
        .into_iter()
        .flat_map(source_section::known_keys)
        .collect();
    for key in [
        worker::TOP,
        worker::APPLICATION_KEYS,
        worker::CONNECTIONS,
        worker::TARGET,
        worker::CONNECTION,
        &sources,
    ]
    .concat()
    {
        assert!(shows(&configuration, key, &['=']), "{key}");
    }
    let orchestrator = text("orchestrator.toml");
    for key in [
        orchestrator::TOP,
        orchestrator::APPLICATION_KEYS,
        worker::CONNECTION,
    ]
    .concat()
    {
        assert!(shows(&orchestrator, key, &['=']), "{key}");
    }
}
