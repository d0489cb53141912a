//! Both roles in one process: the worker's file describes both.

use super::findings::Findings;
use super::layers::{APPLICATION, Origin, Settings};
use super::orchestrator::{self, OrchestratorConfig};
use super::section::LONGEST;
use super::worker::{self, WorkerConfig, WorkerFlags};
use super::{ConfigErrors, metadata};
use crate::domain::affinity::AffinityFilter;
use crate::types::snowflake_name::quote;
use std::path::Path;
use std::time::Duration;

/// The settings of both roles.
#[derive(Clone, Debug)]
pub struct StandaloneConfig {
    /// The worker's.
    pub worker: WorkerConfig,
    /// The orchestrator's.
    pub orchestrator: OrchestratorConfig,
}

/// Reads and checks the worker's file at `path` with the flags of the command line, and what the environment `var` sets for
/// either role. Where the file sets the metadata's place or a lease, that holds for both.
///
/// # Errors
/// All mistakes of the file and of the variables.
pub fn load(
    path: &Path,
    flags: &WorkerFlags,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<StandaloneConfig, ConfigErrors> {
    let worker = worker::load_with(path, flags, var);
    let mut findings = Findings::default();
    let layers = orchestrator::below_the_file(var).with(match &worker {
        Ok(worker) => shared(worker),
        // Whatever its lease is to be, no interval is measured by another.
        Err(_) => lease(LONGEST),
    });
    let orchestrator = orchestrator::read(&layers.merge(), &mut findings, var);
    let orchestrator = findings.finish(path, orchestrator);
    match (worker, orchestrator) {
        (Ok(worker), Ok((orchestrator, _))) => Ok(StandaloneConfig {
            worker,
            orchestrator,
        }),
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
        (Err(mut errors), Err(others)) => {
            for problem in others.problems.0 {
                if !errors.problems.0.contains(&problem) {
                    errors.problems.0.push(problem);
                }
            }
            Err(errors)
        }
    }
}

/// What of a worker's settings holds for the orchestrator beside it.
fn shared(worker: &WorkerConfig) -> Settings {
    let mut settings = lease(worker.lease);
    let names = [
        (metadata::DATABASE, &worker.metadata.database),
        (metadata::SCHEMA, &worker.metadata.schema),
    ];
    for (key, name) in names {
        settings.text(&[APPLICATION, key], &Origin::File, &quote(name));
    }
    settings
}

fn lease(lease: Duration) -> Settings {
    let mut settings = Settings::default();
    settings.time(&[APPLICATION, "lease"], &Origin::File, lease);
    settings
}

impl StandaloneConfig {
    /// Has both roles drive a workflow of this affinity.
    pub fn serve(&mut self, affinity: Option<&str>) {
        let affinity = affinity.map(str::to_owned);
        if self.worker.affinity.is_none() {
            self.worker.affinity.clone_from(&affinity);
        }
        // Not a pattern: whatever characters it has, it is this workflow's.
        self.orchestrator.affinity = affinity.map(AffinityFilter::Exactly);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::env;

    const FILE: &str = "selected_task_source = 'snowflake_stored_procedure'\n[application]\nsnowflake_database_for_metadata = '\"my \"\"db\"'\nlease_refresh_interval = 1\nlease = 5\n[connections.source.redshift]\nhost = 'h'\ndatabase = 'd'\nusername = 'u'\npassword = 'hunter2'\n";

    fn load_text(text: &str, vars: &[(&str, &str)]) -> Result<StandaloneConfig, Vec<String>> {
        let folder = tempfile::tempdir().expect("temporary directory");
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text).expect("write");
        load(&path, &WorkerFlags::default(), &env(vars)).map_err(|errors| {
            let text = errors.to_string();
            let file = format!("{}: ", path.display());
            text.lines()
                .map(|line| line.replace(&file, "FILE: "))
                .collect()
        })
    }

    #[test]
    fn the_workers_file_holds_for_both_roles() {
        let vars = [
            ("CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA", "s"),
            ("ORCHESTRATOR_MAX_TASK_WORKERS", "3"),
        ];
        let mut config = load_text(FILE, &vars).expect("a configuration");
        let (worker, orchestrator) = (&config.worker, &config.orchestrator);
        assert_eq!(
            (
                worker.metadata.database.as_str(),
                worker.metadata.schema.as_str()
            ),
            ("my \"db", "S")
        );
        assert_eq!(orchestrator.metadata, worker.metadata);
        assert_eq!(
            (
                orchestrator.lease,
                orchestrator.reap_interval,
                orchestrator.load_concurrency
            ),
            (Duration::from_secs(5), Duration::from_secs(5), 3)
        );
        config.serve(Some("dev-*"));
        assert_eq!(config.worker.affinity.as_deref(), Some("dev-*"));
        assert_eq!(
            config.orchestrator.affinity,
            Some(AffinityFilter::Exactly("dev-*".to_owned()))
        );
        config.serve(Some("other"));
        assert_eq!(config.worker.affinity.as_deref(), Some("dev-*"));
    }

    #[test]
    fn mistakes_of_both_roles_are_reported_together_and_once() {
        let vars = [
            ("CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA", "\"x"),
            ("ORCHESTRATOR_MAX_TASK_WORKERS", "none"),
            // Its lease is not known.
            ("ORCHESTRATOR_TASK_PULL_INTERVAL_SECONDS", "3600"),
        ];
        let wrong = FILE.replace("lease = 5", "lease = 2");
        let lines = load_text(&wrong, &vars).expect_err("mistakes");
        let starts = [
            "SH0109 FILE: application.lease: must be at least 3 times",
            "SH0112 environment: CUSTOM_SNOWFLAKE_SCHEMA_FOR_DATA_MIGRATION_METADATA: the quoted name",
            "SH0107 environment: ORCHESTRATOR_MAX_TASK_WORKERS: must be a whole number",
        ];
        let fits = |(line, start): (&String, &&str)| line.starts_with(start);
        assert!(
            lines.len() == starts.len() && lines.iter().zip(&starts).all(fits),
            "{lines:#?}"
        );
    }
}
