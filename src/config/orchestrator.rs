//! What the orchestrator is told: an optional file over the environment over defaults.

use super::findings::Findings;
use super::section::{self, Section};
use super::{ConfigErrors, environment, metadata, worker};
use crate::domain::affinity::AffinityFilter;
use crate::domain::idle::IdlePolicy;
use crate::domain::log_format::LogFormat;
use crate::types::metadata_location::MetadataLocation;
use std::path::Path;
use std::time::Duration;

/// What an orchestrator is told.
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
    /// What users should know, though it is no mistake.
    pub warnings: Vec<String>,
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

pub(super) const TOP: &[&str] = &["application", "connections"];
pub(super) const APPLICATION: &[&str] = &[
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
const AFFINITY_VARIABLE: &str = "DATA_MIGRATION_ORCHESTRATOR_AFFINITY";
const LOAD_WAREHOUSE_VARIABLE: &str = "DATA_MIGRATION_ORCHESTRATOR_LOAD_WAREHOUSE";

/// Reads and checks what the orchestrator is told by the file at `path`, if there is one, and by the environment `var`.
///
/// # Errors
/// All mistakes of the file and of the variables.
pub fn load(
    path: Option<&Path>,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<OrchestratorConfig, ConfigErrors> {
    let mut findings = Findings::default();
    let file = match path {
        Some(path) => section::read(path, &mut findings),
        None => Some(toml::Table::new()),
    };
    let config = file.map(|file| read(&file, &mut findings, var));
    let (mut config, warnings) =
        findings.finish(path.unwrap_or(Path::new("environment")), config)?;
    config.warnings = warnings;
    Ok(config)
}

fn read(
    file: &toml::Table,
    findings: &mut Findings,
    var: &dyn Fn(&str) -> Option<String>,
) -> OrchestratorConfig {
    let mut top = Section::new(Some(file), "", TOP, findings, var);
    let application = top.table("application");
    let connections = top.table("connections");
    let connection_name = worker::connection_name(connections, findings, var);
    let mut section = Section::new(application, "application", APPLICATION, findings, var);
    let metadata = metadata::location(&mut section);
    let affinity = if section.has("affinity") {
        worker::affinity(&mut section)
    } else {
        metadata::variable_value(&section, AFFINITY_VARIABLE)
    };
    let load_warehouse = section
        .filled_text("load_warehouse")
        .or_else(|| metadata::variable_value(&section, LOAD_WAREHOUSE_VARIABLE));
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let loads = match section.has("load_concurrency") {
        true => section.whole("load_concurrency", 1, MOST),
        false => environment::whole(&mut section, environment::LOADS, MOST),
    };
    let load_concurrency = size(loads.unwrap_or(8));
    let poll = IdlePolicy {
        base: pause(&mut section, "poll_interval", environment::POLL, 1),
        cap: pause(&mut section, "poll_interval_max", environment::POLL_MAX, 15),
    };
    let mut count = |key: &str, default: u32| section.whole(key, 1, MOST).unwrap_or(default);
    let partition_window = size(count("partition_window", 64));
    let max_failures = count("max_failures", 5);
    let mut seconds = |key: &str, default: u64| {
        let seconds = section.seconds(key);
        seconds.unwrap_or(Duration::from_secs(default))
    };
    OrchestratorConfig {
        load_warehouse,
        metadata,
        affinity: affinity.as_deref().map(AffinityFilter::parse),
        poll,
        lease: seconds("lease", 60),
        reap_interval: seconds("reap_interval", 10),
        load_concurrency,
        partition_window,
        max_failures,
        log_format: section
            .word("log_format", LogFormat::WORDS)
            .unwrap_or_default(),
        connection_name: connection_name
            .or_else(|| metadata::variable_value(&section, CONNECTION_VARIABLE)),
        warnings: Vec::new(),
    }
}

/// A pause of the file, or else of the environment, in seconds.
fn pause(section: &mut Section<'_, '_>, key: &str, variable: &str, default: u64) -> Duration {
    let pause = match section.has(key) {
        true => section.seconds(key),
        false => environment::seconds(section, variable),
    };
    pause.unwrap_or(Duration::from_secs(default))
}
