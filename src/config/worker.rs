//! The worker's file, `configuration.toml`.

use super::findings::Findings;
use super::section::{self, Section};
use super::{ConfigErrors, metadata, source_section};
use crate::domain::idle::IdlePolicy;
use crate::domain::log_format::LogFormat;
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::Platform;
use crate::types::metadata_location::MetadataLocation;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a worker is told.
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
    /// How long a task belongs to this worker without a renewal: at least `REFRESHES_PER_LEASE` intervals.
    pub lease: Duration,
    /// Memory of one task, in bytes.
    pub task_memory_bytes: usize,
    /// Where files may be spooled that must exist before they are uploaded.
    pub local_results_directory: Option<PathBuf>,
    /// The sources that this worker reaches: at least one.
    pub sources: BTreeMap<Platform, SourceSettings>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What users should know, though it is no mistake.
    pub warnings: Vec<String>,
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
            (
                "local_results_directory",
                self.local_results_directory != new.local_results_directory,
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
    pub fn source(&self, platform: Platform) -> Result<&SourceSettings, String> {
        self.sources.get(&platform).ok_or_else(|| {
            let section = |known: &Platform| format!("[connections.source.{known}]");
            let known: Vec<String> = self.sources.keys().map(section).collect();
            format!(
                "there is no {}, which --source-platform {platform} needs; it has {}",
                section(&platform),
                known.join(", ")
            )
        })
    }
}

pub(super) const TOP: &[&str] = &["selected_task_source", "application", "connections"];
pub(super) const APPLICATION: &[&str] = &[
    "max_parallel_tasks",
    "task_fetch_interval",
    "task_fetch_interval_max",
    "lease_refresh_interval",
    "lease",
    "affinity",
    metadata::DATABASE,
    metadata::SCHEMA,
    "local_results_directory",
    "task_memory_mb",
    "log_format",
];
pub(super) const CONNECTIONS: &[&str] = &["source", "target"];
pub(super) const TARGET: &[&str] = &["snowflake_connection_name"];
pub(super) const CONNECTION: &[&str] = &["connection_name"];

const MAX_PARALLEL_TASKS: u32 = 4;
const TASK_FETCH_INTERVAL: Duration = Duration::from_secs(5);
const TASK_FETCH_INTERVAL_MAX: Duration = Duration::from_secs(15);
const LEASE_REFRESH_INTERVAL: Duration = Duration::from_secs(15);
/// Fewer renewals in a lease would lose tasks to a single slow statement.
const REFRESHES_PER_LEASE: u32 = 3;
const DEFAULT_REFRESHES_PER_LEASE: u32 = 4;
/// Shorter leases are for those who ask for them.
const LEAST_DEFAULT_LEASE: Duration = Duration::from_secs(20);
const TASK_MEMORY_MB: u32 = 256;
/// More than any machine has.
const MOST_MEMORY_MB: u32 = 1 << 20;

/// Reads and checks the worker's file at `path`. `var` is the environment, which `${VAR}` in texts speaks of.
///
/// # Errors
/// All mistakes of the file.
pub fn load(
    path: &Path,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<WorkerConfig, ConfigErrors> {
    let mut findings = Findings::default();
    let config = section::read(path, &mut findings).map(|table| read(&table, &mut findings, var));
    let (mut config, warnings) = findings.finish(path, config)?;
    config.warnings = warnings;
    Ok(config)
}

fn read(
    file: &toml::Table,
    findings: &mut Findings,
    var: &dyn Fn(&str) -> Option<String>,
) -> WorkerConfig {
    let mut top = Section::new(Some(file), "", TOP, findings, var);
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
    let application = top.table("application");
    let connections = top.table("connections");
    let connection_name = connection_name(connections, findings, var);
    let sources = sources(connections, findings, var);
    let mut section = Section::new(application, "application", APPLICATION, findings, var);
    let whole = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let (lease_refresh_interval, lease) = leases(&mut section);
    WorkerConfig {
        connection_name,
        metadata: metadata::location(&mut section),
        affinity: own_affinity(&mut section),
        max_parallel_tasks: section
            .whole("max_parallel_tasks", 1, 1024)
            .map_or(whole(MAX_PARALLEL_TASKS), whole),
        task_fetch: IdlePolicy {
            base: section
                .seconds("task_fetch_interval")
                .unwrap_or(TASK_FETCH_INTERVAL),
            cap: section
                .seconds("task_fetch_interval_max")
                .unwrap_or(TASK_FETCH_INTERVAL_MAX),
        },
        lease_refresh_interval,
        lease,
        task_memory_bytes: whole(
            section
                .whole("task_memory_mb", 1, MOST_MEMORY_MB)
                .unwrap_or(TASK_MEMORY_MB),
        )
        .saturating_mul(1 << 20),
        local_results_directory: section
            .filled_text("local_results_directory")
            .map(PathBuf::from),
        sources,
        log_format: section
            .word("log_format", LogFormat::WORDS)
            .unwrap_or_default(),
        warnings: Vec::new(),
    }
}

/// The time between renewals, and how long a lease holds without one.
fn leases(section: &mut Section<'_, '_>) -> (Duration, Duration) {
    let interval = section
        .seconds("lease_refresh_interval")
        .unwrap_or(LEASE_REFRESH_INTERVAL);
    let lease = section.seconds("lease").unwrap_or_else(|| {
        let usual = interval.saturating_mul(DEFAULT_REFRESHES_PER_LEASE);
        usual.max(LEAST_DEFAULT_LEASE)
    });
    let least = interval.saturating_mul(REFRESHES_PER_LEASE);
    if lease < least {
        let message = format!(
            "must be at least {REFRESHES_PER_LEASE} times lease_refresh_interval: {} s; make it longer, or the interval shorter",
            least.as_secs_f64()
        );
        section.problem("lease", &message);
    }
    (interval, lease)
}

/// The affinity of a section; a blank one is none.
pub(super) fn affinity(section: &mut Section<'_, '_>) -> Option<String> {
    let affinity = section.text("affinity")?;
    if affinity.trim().is_empty() {
        let path = section.at("affinity");
        let message = "it is blank, which is taken as none; leave the key away";
        section.findings.warning(&path, message);
        return None;
    }
    Some(affinity)
}

/// A worker's affinity: exactly as it is written.
fn own_affinity(section: &mut Section<'_, '_>) -> Option<String> {
    let affinity = affinity(section)?;
    if affinity.contains('*') {
        let path = section.at("affinity");
        let message = "it is compared as it is written: `*` stands for other characters in an orchestrator's affinity alone";
        section.findings.warning(&path, message);
    }
    Some(affinity)
}

/// `[connections.target.snowflake_connection_name] connection_name`.
pub(super) fn connection_name(
    connections: Option<&toml::Table>,
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

fn sources(
    connections: Option<&toml::Table>,
    findings: &mut Findings,
    var: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<Platform, SourceSettings> {
    const PATH: &str = "connections.source";
    let mut sources = BTreeMap::new();
    let table = match connections.and_then(|table| table.get("source")) {
        None => None,
        Some(toml::Value::Table(table)) => Some(table),
        Some(_) => {
            findings.problem(PATH, "must be a section");
            return sources;
        }
    };
    let mut is_none = true;
    for (name, value) in table.into_iter().flatten() {
        let path = super::findings::inside(PATH, name);
        let Some(platform) = Platform::parse(name) else {
            findings.warning(
                &path,
                "this platform is not supported, the section is ignored; supported: redshift, postgresql, sqlserver",
            );
            continue;
        };
        is_none = false;
        let toml::Value::Table(source) = value else {
            findings.problem(&path, "must be a section");
            continue;
        };
        let known = source_section::known_keys(platform);
        let mut section = Section::new(Some(source), &path, &known, findings, var);
        if let Some(settings) = source_section::read(&mut section, platform)
            && sources.insert(platform, settings).is_some()
        {
            findings.problem(&path, "this platform is given twice; keep one");
        }
    }
    if is_none {
        findings.problem(
            PATH,
            "there is no source; add a section like [connections.source.redshift]",
        );
    }
    sources
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
