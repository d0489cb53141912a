//! What commands are given: workflow files, platforms, connections, the environment.

use super::arguments::{ConnectionArguments, WorkflowFileArguments};
use crate::app::AppError;
use crate::checkpoint::{HybridCheckpoint, NewWorkflow};
use crate::config::orchestrator::OrchestratorFlags;
use crate::config::workflow::WorkflowOverrides;
use crate::config::{self, ConfigErrors, workflow_name};
use crate::domain::problem::{Code, Problem};
use crate::domain::table::{OTHER_PLATFORMS, Platform};
use crate::platform;
use crate::snowflake::connection::{ConnectionError, Environment, find};
use crate::snowflake::{Connection, SnowflakeClient};
use std::fmt::Display;
use std::path::Path;

/// What commands with an answer of their own log: the answer is enough.
pub(super) const COMMAND_LOGS: &str = "warn";

/// Why a worker would never take a workflow's tasks; empty: it takes them.
pub(super) fn reasons_worker_skips(
    worker: &config::worker::WorkerConfig,
    platform: Platform,
    affinity: Option<&str>,
    file: &Path,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let file = file.display();
    if let Err(problem) = worker.source(platform) {
        problems.push(problem.at(&file));
    }
    if let (Some(own), Some(asked)) = (worker.affinity.as_deref(), affinity)
        && own != asked
    {
        let what = format!(
            "`{own}` does not match the workflow's affinity `{asked}`: this worker would never take its tasks"
        );
        problems.push(
            Code::AFFINITY_MISMATCH
                .problem(what)
                .hint("use the same value or omit one")
                .at("application.affinity")
                .at(file),
        );
    }
    problems
}

/// What the workflow's name is made from, if the command line gives none.
pub(super) fn stem_if_unnamed(arguments: &WorkflowFileArguments) -> Option<String> {
    let is_named = arguments.name.is_some();
    (!is_named).then(|| workflow_name::stem(&arguments.file))
}

/// Reads a workflow file together with what the command line says of it; all mistakes at once. Without a name it still needs
/// one of its own: see [`naming`].
pub(super) fn read_workflow(arguments: &WorkflowFileArguments) -> Result<NewWorkflow, AppError> {
    let mut problems = Vec::new();
    let name = arguments.name.as_deref();
    if let Some(Err(problem)) = name.map(workflow_name::check_name) {
        problems.push(problem.at("--name"));
    }
    let platform = parse_platform(&arguments.source_platform);
    if let Err(problem) = &platform {
        problems.push(problem.clone());
    }
    let overrides = WorkflowOverrides {
        platform: platform.as_ref().ok().copied(),
        preflight: arguments.preflight,
    };
    let file = match config::workflow::load(&arguments.file, overrides) {
        Ok(file) => Some(file),
        Err(errors) => {
            problems.extend(errors.problems.0);
            None
        }
    };
    match (file, platform) {
        (Some(file), Ok(platform)) if problems.is_empty() => {
            log_warnings(&file.warnings);
            Ok(NewWorkflow {
                name: name.unwrap_or_default().to_owned(),
                platform,
                affinity: file.affinity,
                configuration: file.configuration,
                tables: file.tables,
            })
        }
        _ => Err(AppError::refused(problems)),
    }
}

/// The platform that `--source-platform` names.
pub(super) fn parse_platform(text: &str) -> Result<Platform, Problem> {
    let is_other = OTHER_PLATFORMS
        .iter()
        .any(|name| name.eq_ignore_ascii_case(text.trim()));
    let (code, what) = match Platform::parse(text) {
        None if is_other => {
            let what = format!("{text} is a platform that is not supported");
            (Code::UNSUPPORTED_PLATFORM, what)
        }
        None => (Code::INVALID_VALUE, format!("`{text}` is not a platform")),
        Some(platform) if platform::source(platform).is_none() => {
            let what = format!("{platform} is not supported yet");
            (Code::UNSUPPORTED_PLATFORM, what)
        }
        Some(platform) => return Ok(platform),
    };
    let problem = code
        .problem(what)
        .hint(format!("expected {}", platform::supported_names()));
    Err(problem.at("--source-platform"))
}

pub(super) fn catalog(arguments: &ConnectionArguments) -> Result<HybridCheckpoint, AppError> {
    // Commands have no file: the environment says where the metadata is.
    let flags = OrchestratorFlags {
        connection_name: arguments.connection_name.clone(),
        ..OrchestratorFlags::default()
    };
    let settings = config::orchestrator::load_with(None, &flags, &variable).map_err(refused)?;
    let connection = connect(settings.connection_name.as_deref())?;
    Ok(HybridCheckpoint::new(
        SnowflakeClient::new(connection, "command"),
        settings.metadata,
    ))
}

pub(super) fn connect(name: Option<&str>) -> Result<Connection, AppError> {
    let connection = find_connection(name).map_err(|error| AppError::refused(error.0))?;
    log_warnings(&connection.warnings);
    Ok(connection)
}

/// The connection of this process's user.
pub(super) fn find_connection(name: Option<&str>) -> Result<Connection, ConnectionError> {
    let environment = Environment {
        var: &variable,
        home: std::env::home_dir(),
    };
    find(name, &environment)
}

/// An environment variable; an empty one counts as not set.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Logs what users should know.
pub(super) fn log_warnings(warnings: &[impl Display]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

pub(super) fn refused(errors: ConfigErrors) -> AppError {
    AppError::refused(errors.problems)
}

pub(super) fn no_signals(error: std::io::Error) -> AppError {
    AppError::internal(format!("signals cannot be watched: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_that_others_move_from_are_told_apart_from_slips() {
        for name in ["oracle", "Teradata", "azure_synapse", "bigquery"] {
            let problem = parse_platform(name).expect_err(name);
            assert_eq!(problem.code, Code::UNSUPPORTED_PLATFORM);
            let told = problem.to_string();
            assert!(
                told.contains(name)
                    && told.contains("is not supported")
                    && told.contains("redshift, postgresql or sqlserver"),
                "{told}"
            );
        }
        let told = parse_platform("postgres").expect_err("a slip");
        assert_eq!(told.code, Code::INVALID_VALUE);
        assert!(told.what.contains("is not a platform"), "{told}");
        assert_eq!(parse_platform("Redshift"), Ok(Platform::Redshift));
    }
}
