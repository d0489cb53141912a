//! The worker's settings: flags over its file, `configuration.toml`, over the environment over defaults.

use super::findings::Findings;
use super::layers::{APPLICATION, Layers, Origin, Settings, Table};
use super::section::{self, Section};
use super::{ConfigErrors, defaults, environment, metadata, source_section};
use crate::domain::idle::IdlePolicy;
use crate::domain::log_format::LogFormat;
use crate::domain::problem::{Code, Problem};
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::Platform;
use crate::types::metadata_location::MetadataLocation;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The settings of a worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Name of the Snowflake connection; `None`: the default one.
    pub connection_name: Option<String>,
    /// Where the metadata is.
    pub metadata: MetadataLocation,
    /// Only tasks with a matching affinity are taken.
    pub affinity: Option<String>,
    /// Tasks at once: at least 1.
    pub max_parallel_tasks: usize,
    /// Time between attempts to fetch tasks when idle: at first, and at last.
    pub task_fetch: IdlePolicy,
    /// Time between renewals of the leases of running tasks.
    pub lease_refresh_interval: Duration,
    /// How long a task belongs to this worker without a renewal: at least `LEAST_REFRESHES_PER_LEASE` intervals.
    pub lease: Duration,
    /// Memory of one task, in bytes.
    pub task_memory_bytes: usize,
    /// The sources that this worker reaches: at least one.
    pub sources: BTreeMap<Platform, SourceSettings>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What users should know, though it is not a mistake.
    pub warnings: Vec<Problem>,
}

impl WorkerConfig {
    /// The keys whose values differ in `new` and hold only after a restart.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let changes = [
            (
                "connection_name",
                self.connection_name != new.connection_name,
            ),
            (
                metadata::DATABASE,
                self.metadata.database != new.metadata.database,
            ),
            (
                metadata::SCHEMA,
                self.metadata.schema != new.metadata.schema,
            ),
            ("affinity", self.affinity != new.affinity),
            (
                "lease_refresh_interval",
                self.lease_refresh_interval != new.lease_refresh_interval,
            ),
            ("lease", self.lease != new.lease),
            (
                "task_memory_mb",
                self.task_memory_bytes != new.task_memory_bytes,
            ),
            ("connections.source", self.sources != new.sources),
            ("log_format", self.log_format != new.log_format),
        ];
        super::changed(&changes)
    }

    /// How to reach sources of `platform`.
    ///
    /// # Errors
    /// That there is no such section, and which there are.
    pub fn source(&self, platform: Platform) -> Result<&SourceSettings, Problem> {
        self.sources.get(&platform).ok_or_else(|| {
            let section = |known: &Platform| format!("[connections.source.{known}]");
            let known: Vec<String> = self.sources.keys().map(section).collect();
            let what = format!(
                "there is no {}, which --source-platform {platform} needs",
                section(&platform)
            );
            Code::NO_SOURCE
                .problem(what)
                .hint(format!("it has {}", known.join(", ")))
        })
    }
}

pub(super) const TOP: &[&str] = &["selected_task_source", APPLICATION, "connections"];
pub(super) const APPLICATION_KEYS: &[&str] = &[
    "max_parallel_tasks",
    "task_fetch_interval",
    "task_fetch_interval_max",
    "lease_refresh_interval",
    "lease",
    "affinity",
    metadata::DATABASE,
    metadata::SCHEMA,
    LOCAL_RESULTS_DIRECTORY,
    "task_memory_mb",
    "log_format",
];
pub(super) const CONNECTIONS: &[&str] = &["source", "target"];
pub(super) const TARGET: &[&str] = &["snowflake_connection_name"];
pub(super) const CONNECTION: &[&str] = &["connection_name"];

/// The path of the Snowflake connection's name.
pub(super) const CONNECTION_NAME: &[&str] = &[
    "connections",
    "target",
    "snowflake_connection_name",
    "connection_name",
];
/// A key of the reference tool, which writes files before it uploads them.
const LOCAL_RESULTS_DIRECTORY: &str = "local_results_directory";

/// Fewer renewals in a lease would lose tasks to a single slow statement.
const LEAST_REFRESHES_PER_LEASE: u32 = 3;
/// More than any machine has.
const MOST_MEMORY_MB: u32 = 1 << 20;

/// What the command line says of a worker.
#[derive(Clone, Debug, Default)]
pub struct WorkerFlags {
    /// `--max-parallel-tasks`.
    pub max_parallel_tasks: Option<u16>,
    /// `--task-fetch-interval`, in seconds.
    pub task_fetch_interval: Option<u32>,
    /// `--local-results-directory`.
    pub local_results_directory: Option<String>,
    /// `--connection-name`.
    pub connection_name: Option<String>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

impl WorkerFlags {
    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        let numbers = [
            (
                "max_parallel_tasks",
                "--max-parallel-tasks",
                self.max_parallel_tasks.map(u32::from),
            ),
            (
                "task_fetch_interval",
                "--task-fetch-interval",
                self.task_fetch_interval,
            ),
        ];
        for (key, flag, number) in numbers {
            if let Some(number) = number {
                let flag = Origin::Flag(flag.to_owned());
                settings.number(&[APPLICATION, key], &flag, number);
            }
        }
        if let Some(directory) = &self.local_results_directory {
            let flag = Origin::Flag("--local-results-directory".to_owned());
            settings.text(&[APPLICATION, LOCAL_RESULTS_DIRECTORY], &flag, directory);
        }
        common_flags(
            &mut settings,
            self.connection_name.as_deref(),
            self.log_format,
        );
        settings
    }
}

/// Sets what the command line of both roles may say.
pub(super) fn common_flags(
    settings: &mut Settings,
    connection_name: Option<&str>,
    log_format: Option<LogFormat>,
) {
    if let Some(name) = connection_name {
        let flag = Origin::Flag("--connection-name".to_owned());
        settings.text(CONNECTION_NAME, &flag, name);
    }
    if let Some(format) = log_format {
        let flag = Origin::Flag("--log-format".to_owned());
        settings.text(&[APPLICATION, "log_format"], &flag, format.word());
    }
}

/// Reads and checks the worker's file at `path` and the environment `var`, which `${VAR}` in texts refers to too.
///
/// # Errors
/// All mistakes of the file and of the variables.
pub fn load(
    path: &Path,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<WorkerConfig, ConfigErrors> {
    load_with(path, &WorkerFlags::default(), var)
}

/// The same with flags of the command line.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    path: &Path,
    flags: &WorkerFlags,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<WorkerConfig, ConfigErrors> {
    let mut findings = Findings::default();
    let config = section::read(path, &mut findings).and_then(|file| {
        let layers = below_the_file(var).with_file(file).with(flags.settings());
        read(&layers.merge(), &mut findings, var)
    });
    let (mut config, warnings) = findings.finish(path, config)?;
    config.warnings = warnings;
    Ok(config)
}

/// The defaults, and the environment over them.
fn below_the_file(var: &dyn Fn(&str) -> Option<String>) -> Layers {
    let mut settings = Settings::default();
    for (key, time) in [
        ("task_fetch_interval", defaults::TASK_FETCH_INTERVAL),
        ("task_fetch_interval_max", defaults::TASK_FETCH_INTERVAL_MAX),
        ("lease_refresh_interval", defaults::LEASE_REFRESH_INTERVAL),
    ] {
        settings.time(&[APPLICATION, key], &Origin::Default, time);
    }
    for (key, number) in [
        ("max_parallel_tasks", defaults::MAX_PARALLEL_TASKS),
        ("task_memory_mb", defaults::TASK_MEMORY_MB),
    ] {
        settings.number(&[APPLICATION, key], &Origin::Default, number);
    }
    Layers::default()
        .with(settings)
        .with(environment::of_worker(var))
}

/// Reads the merged settings.
fn read(
    settings: &Table,
    findings: &mut Findings,
    var: &dyn Fn(&str) -> Option<String>,
) -> Option<WorkerConfig> {
    let mut top = Section::new(Some(settings), "", TOP, findings, var);
    if top.has("selected_task_source") {
        top.word(
            "selected_task_source",
            &[("snowflake_stored_procedure", ())],
        );
    } else {
        top.problem(
            "selected_task_source",
            "is missing; add selected_task_source = \"snowflake_stored_procedure\" at the top",
        );
    }
    let application = top.table(APPLICATION);
    let connections = top.table("connections");
    let connection_name = connection_name(connections, findings, var);
    let sources = source_section::sources(connections, findings, var);
    let mut section = Section::new(application, APPLICATION, APPLICATION_KEYS, findings, var);
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let leases = leases(&mut section);
    let metadata = metadata::location(&mut section);
    let affinity = own_affinity(&mut section);
    let max_parallel_tasks = section.whole("max_parallel_tasks", 1, 1024).map(size);
    let task_fetch = section.seconds("task_fetch_interval");
    let task_fetch_max = section.seconds("task_fetch_interval_max");
    let task_memory_mb = section.whole("task_memory_mb", 1, MOST_MEMORY_MB).map(size);
    if section.filled_text(LOCAL_RESULTS_DIRECTORY).is_some() {
        section.warning(
            LOCAL_RESULTS_DIRECTORY,
            "has no effect: rows are streamed to the stage, and no file is written to a local directory; it may stay or go",
        );
    }
    let log_format = log_format(&mut section);
    let (lease_refresh_interval, lease) = leases?;
    Some(WorkerConfig {
        connection_name,
        metadata,
        affinity,
        max_parallel_tasks: max_parallel_tasks?,
        task_fetch: IdlePolicy {
            base: task_fetch?,
            cap: task_fetch_max?,
        },
        lease_refresh_interval,
        lease,
        task_memory_bytes: task_memory_mb?.saturating_mul(1 << 20),
        sources,
        log_format,
        warnings: Vec::new(),
    })
}

/// The time between renewals, and how long a lease holds without one.
fn leases(section: &mut Section<'_, '_>) -> Option<(Duration, Duration)> {
    let interval = section.seconds("lease_refresh_interval");
    let lease = match section.has("lease") {
        true => section.seconds("lease")?,
        false => interval?
            .saturating_mul(defaults::REFRESHES_PER_LEASE)
            .max(defaults::SHORTEST_DERIVED_LEASE),
    };
    let least = interval?.saturating_mul(LEAST_REFRESHES_PER_LEASE);
    if lease < least {
        let what = format!(
            "must be at least {LEAST_REFRESHES_PER_LEASE} times lease_refresh_interval: {} s",
            least.as_secs_f64()
        );
        let problem = Code::CONFLICTING_SETTINGS.problem(what);
        section.problem(
            "lease",
            problem.hint("make it longer, or the interval shorter"),
        );
    }
    Some((interval?, lease))
}

/// How log lines look.
pub(super) fn log_format(section: &mut Section<'_, '_>) -> LogFormat {
    section
        .word("log_format", LogFormat::WORDS)
        .unwrap_or_default()
}

/// The affinity of a section; a blank one is none.
pub(super) fn affinity(section: &mut Section<'_, '_>) -> Option<String> {
    let affinity = section.text("affinity")?;
    if affinity.trim().is_empty() {
        section.warning(
            "affinity",
            "it is blank, which is taken as none; omit the key",
        );
        return None;
    }
    Some(affinity)
}

/// A worker's affinity: exactly as it is written.
fn own_affinity(section: &mut Section<'_, '_>) -> Option<String> {
    let affinity = affinity(section)?;
    if affinity.contains('*') {
        let message = "it is compared as it is written: `*` stands for other characters in an orchestrator's affinity alone";
        section.warning("affinity", message);
    }
    Some(affinity)
}

/// `[connections.target.snowflake_connection_name] connection_name`.
pub(super) fn connection_name(
    connections: Option<&Table>,
    findings: &mut Findings,
    var: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let mut section = Section::new(connections, "connections", CONNECTIONS, findings, var);
    let target = section.table("target");
    let mut section = Section::new(target, "connections.target", TARGET, findings, var);
    let connection = section.table("snowflake_connection_name");
    let path = "connections.target.snowflake_connection_name";
    let mut section = Section::new(connection, path, CONNECTION, findings, var);
    if connection.is_some() {
        section.required_text(
            "connection_name",
            "an entry of Snowflake's connections.toml",
        )
    } else {
        None
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
