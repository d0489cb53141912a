//! The orchestrator's settings: flags over an optional file over the environment over defaults.

use super::findings::Findings;
use super::layers::{APPLICATION, Layers, Origin, Settings, Table};
use super::section::{self, Section};
use super::{ConfigErrors, defaults, environment, metadata, worker};
use crate::domain::affinity::AffinityFilter;
use crate::domain::idle::IdlePolicy;
use crate::domain::log_format::LogFormat;
use crate::domain::problem::{Code, Problem};
use crate::types::metadata_location::MetadataLocation;
use std::path::Path;
use std::time::Duration;

/// The settings of an orchestrator.
#[derive(Clone, Debug)]
pub struct OrchestratorConfig {
    /// Name of the Snowflake connection; `None`: the default one.
    pub connection_name: Option<String>,
    /// The warehouse of loads and of their transactions; `None`: the connection's, as for everything else.
    pub load_warehouse: Option<String>,
    /// Where the metadata is.
    pub metadata: MetadataLocation,
    /// Only workflows with a matching affinity are driven.
    pub affinity: Option<AffinityFilter>,
    /// Time between looks for new workflows and ended tasks while there is work, and while there is none.
    pub poll: IdlePolicy,
    /// How long a workflow belongs to a silent orchestrator.
    pub lease: Duration,
    /// Time between searches for tasks whose worker went silent.
    pub reap_interval: Duration,
    /// Loads at once: at least 1.
    pub load_concurrency: usize,
    /// Partitions of one table in flight: at least 1.
    pub partition_window: usize,
    /// Times that a task's worker may fall silent until the task is given up: at least 1. What workers report themselves is
    /// counted with them, and bounded by [`RetryPolicy::TASK`](crate::domain::retry::RetryPolicy::TASK).
    pub max_failures: u32,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What users should know, though it is not a mistake.
    pub warnings: Vec<Problem>,
}

impl OrchestratorConfig {
    /// The keys whose values differ in `new` and hold only after a restart.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let changes = [
            (
                "connection_name",
                self.connection_name != new.connection_name,
            ),
            ("load_warehouse", self.load_warehouse != new.load_warehouse),
            (
                metadata::DATABASE,
                self.metadata.database != new.metadata.database,
            ),
            (
                metadata::SCHEMA,
                self.metadata.schema != new.metadata.schema,
            ),
            ("affinity", self.affinity != new.affinity),
            ("lease", self.lease != new.lease),
            ("reap_interval", self.reap_interval != new.reap_interval),
            (
                "partition_window",
                self.partition_window != new.partition_window,
            ),
            ("max_failures", self.max_failures != new.max_failures),
            ("log_format", self.log_format != new.log_format),
        ];
        super::changed(&changes)
    }
}

pub(super) const TOP: &[&str] = &[APPLICATION, "connections"];
pub(super) const APPLICATION_KEYS: &[&str] = &[
    "affinity",
    metadata::DATABASE,
    metadata::SCHEMA,
    "poll_interval",
    "poll_interval_max",
    "lease",
    "reap_interval",
    "load_concurrency",
    "load_warehouse",
    "partition_window",
    "max_failures",
    "log_format",
];

/// The connection, where nothing else says it.
pub const CONNECTION_VARIABLE: &str = "SNOWFLAKE_CONNECTION_NAME";
/// The most that a count may be.
const MOST: u32 = 10_000;

/// What the command line says of an orchestrator.
#[derive(Clone, Debug, Default)]
pub struct OrchestratorFlags {
    /// `--affinity`.
    pub affinity: Option<String>,
    /// `--connection-name`.
    pub connection_name: Option<String>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

impl OrchestratorFlags {
    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        let flag = |name: &str| Origin::Flag(name.to_owned());
        if let Some(affinity) = &self.affinity {
            settings.text(&[APPLICATION, "affinity"], &flag("--affinity"), affinity);
        }
        worker::common_flags(
            &mut settings,
            self.connection_name.as_deref(),
            self.log_format,
        );
        settings
    }
}

/// Reads and checks the settings of the file at `path`, if there is one, and of the environment `var`.
///
/// # Errors
/// All mistakes of the file and of the variables.
pub fn load(
    path: Option<&Path>,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<OrchestratorConfig, ConfigErrors> {
    load_with(path, &OrchestratorFlags::default(), var)
}

/// The same with flags of the command line.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    path: Option<&Path>,
    flags: &OrchestratorFlags,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<OrchestratorConfig, ConfigErrors> {
    let mut findings = Findings::default();
    let file = match path {
        Some(path) => section::read(path, &mut findings),
        None => Some(toml::Table::new()),
    };
    let config = file.and_then(|file| {
        let layers = below_the_file(var).with_file(file).with(flags.settings());
        read(&layers.merge(), &mut findings, var)
    });
    let file = path.unwrap_or(Path::new("environment"));
    let (mut config, warnings) = findings.finish(file, config)?;
    config.warnings = warnings;
    Ok(config)
}

/// The defaults, and the environment over them.
pub(super) fn below_the_file(var: &dyn Fn(&str) -> Option<String>) -> Layers {
    let mut settings = Settings::default();
    for (key, time) in [
        ("poll_interval", defaults::POLL_INTERVAL),
        ("poll_interval_max", defaults::POLL_INTERVAL_MAX),
        ("lease", defaults::LEASE),
        ("reap_interval", defaults::REAP_INTERVAL),
    ] {
        settings.time(&[APPLICATION, key], &Origin::Default, time);
    }
    for (key, number) in [
        ("load_concurrency", defaults::LOAD_CONCURRENCY),
        ("partition_window", defaults::PARTITION_WINDOW),
        ("max_failures", defaults::MAX_FAILURES),
    ] {
        settings.number(&[APPLICATION, key], &Origin::Default, number);
    }
    Layers::default()
        .with(settings)
        .with(environment::of_orchestrator(var))
}

/// Reads the merged settings.
pub(super) fn read(
    settings: &Table,
    findings: &mut Findings,
    var: &dyn Fn(&str) -> Option<String>,
) -> Option<OrchestratorConfig> {
    let mut top = Section::new(Some(settings), "", TOP, findings, var);
    let application = top.table(APPLICATION);
    let connections = top.table("connections");
    let connection_name = worker::connection_name(connections, findings, var);
    let mut section = Section::new(application, APPLICATION, APPLICATION_KEYS, findings, var);
    let metadata = metadata::location(&mut section);
    let affinity = affinity(&mut section);
    let load_warehouse = section.filled_text("load_warehouse");
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let load_concurrency = section.whole("load_concurrency", 1, MOST).map(size);
    let partition_window = section.whole("partition_window", 1, MOST).map(size);
    let max_failures = section.whole("max_failures", 1, MOST);
    let lease = section.seconds("lease");
    let poll = interval(&mut section, "poll_interval", lease);
    let poll_max = section.seconds("poll_interval_max");
    let reap_interval = interval(&mut section, "reap_interval", lease);
    let log_format = worker::log_format(&mut section);
    Some(OrchestratorConfig {
        load_warehouse,
        metadata,
        affinity: affinity.as_deref().map(AffinityFilter::parse),
        poll: IdlePolicy {
            base: poll?,
            cap: poll_max?,
        },
        lease: lease?,
        reap_interval: reap_interval?,
        load_concurrency: load_concurrency?,
        partition_window: partition_window?,
        max_failures: max_failures?,
        log_format,
        connection_name,
        warnings: Vec::new(),
    })
}

/// The time between two looks, which a lease has to last for: what runs out is found by looking. One that nobody has set
/// fits itself to the lease, and so does one of a variable of SnowConvert AI's tool, which has no such rule.
fn interval(section: &mut Section<'_, '_>, key: &str, lease: Option<Duration>) -> Option<Duration> {
    let interval = section.seconds(key)?;
    let Some(lease) = lease.filter(|lease| *lease < interval) else {
        return Some(interval);
    };
    if let Origin::Default | Origin::Variable(_) = section.origin(key) {
        return Some(lease);
    }
    let what = format!(
        "must be at most the lease, which is {} s",
        lease.as_secs_f64()
    );
    let problem = Code::CONFLICTING_SETTINGS.problem(what);
    section.problem(key, problem.hint("make it shorter, or the lease longer"));
    None
}

/// The affinity of the settings; a blank one is none, except on the command line: there it stands for workflows without
/// one.
fn affinity(section: &mut Section<'_, '_>) -> Option<String> {
    match section.origin("affinity") {
        Origin::Flag(_) => section.text("affinity"),
        _ => worker::affinity(section),
    }
}

#[cfg(test)]
#[path = "orchestrator_tests.rs"]
mod tests;
