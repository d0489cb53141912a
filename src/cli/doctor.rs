//! `doctor`: reads what it is given, and prints what the checks find.

use super::Ending;
use super::arguments::{DoctorArguments, RoleArgument};
use super::inputs::{
    COMMAND_LOGS, find_connection, no_signals, parse_platform, reasons_worker_skips, variable,
};
use crate::app::AppError;
use crate::app::doctor::finding::{Cause, Finding, Status, worst};
use crate::app::doctor::{self, Examination, Role};
use crate::cli::report::{doctor as doctor_report, probe as probe_report};
use crate::config::worker::WorkerConfig;
use crate::config::{self, ConfigErrors};
use crate::domain::log_format::LogFormat;
use crate::domain::problem::{Code, Problem};
use crate::domain::spec::TableSpec;
use crate::domain::table::Platform;
use crate::roles::shutdown;
use crate::snowflake::error::Kind;
use crate::telemetry::logs::{LogSink, init};
use crate::types::metadata_location::MetadataLocation;
use std::path::{Path, PathBuf};

pub(super) async fn examine(arguments: DoctorArguments) -> Result<Ending, AppError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    if arguments.probe {
        return probe(&arguments).await;
    }
    let mut findings = vec![doctor::version()];
    let roles = match arguments.role {
        Some(RoleArgument::Orchestrator) => vec![Role::Orchestrator],
        Some(RoleArgument::Worker) => vec![Role::Worker],
        None => vec![Role::Orchestrator, Role::Worker],
    };
    let configured = read_configuration(&arguments, &mut findings);
    let worker = configured.worker.as_ref();
    let workflow = arguments
        .file
        .as_deref()
        .and_then(|file| read_workflow(file, &arguments, worker, &mut findings));
    let name = arguments.connection_name.or(configured.connection_name);
    let connection = match find_connection(name.as_deref()) {
        Ok(connection) => Some(connection),
        Err(error) => {
            let problems = error.0.0.iter();
            findings.extend(problems.map(|problem| Finding::refused("connection", problem)));
            None
        }
    };
    let examination = Examination {
        roles,
        connection,
        metadata: configured.metadata,
        loads_in_this_warehouse: configured.loads,
        sources: worker.map(|worker| worker.sources.clone()),
        workflow,
    };
    findings.extend(doctor::examine(&examination).await);
    let ending = worst(&findings).map_or(Ending::Done, Ending::from);
    print_report(
        arguments.json.as_ref(),
        &doctor_report::json(&findings, ending.code()),
        &doctor_report::text(&findings),
    )?;
    Ok(ending)
}

/// Asks the account what the documentation leaves open.
async fn probe(arguments: &DoctorArguments) -> Result<Ending, AppError> {
    let mut findings = Vec::new();
    let configured = read_configuration(arguments, &mut findings);
    if findings
        .iter()
        .any(|finding| finding.status == Status::Fail)
    {
        print!("{}", doctor_report::text(&findings));
        return Ok(Ending::Refused);
    }
    let name = arguments.connection_name.clone();
    let connection = find_connection(name.or(configured.connection_name).as_deref())
        .map_err(|error| AppError::refused(error.0))?;
    let stop = shutdown::requested().map_err(no_signals)?;
    let asked = doctor::probe(
        &connection,
        &configured.metadata,
        arguments.probe_long,
        stop,
    )
    .await;
    let report = asked.map_err(|error| match error.kind {
        Kind::Unreachable | Kind::Login | Kind::SessionExpired => {
            AppError::Unreachable(error.problem().into())
        }
        _ => AppError::Internal(
            error
                .problem()
                .hint("the probes need a schema of their own: USAGE and CREATE SCHEMA on the metadata's database, or CREATE DATABASE; `snowhaul doctor` says what is missing")
                .into(),
        ),
    })?;
    let json = serde_json::to_value(&report)
        .map_err(|error| AppError::internal(format!("the report has no JSON: {error}")))?;
    print_report(arguments.json.as_ref(), &json, &probe_report::text(&report))?;
    if let (Some(drop), Some(None)) = (&report.left_behind, &arguments.json) {
        eprintln!("left behind: {drop}");
    }
    Ok(match (report.interrupted, report.differs()) {
        (true, _) => Ending::Interrupted,
        (false, true) => Ending::Failed,
        (false, false) => Ending::Done,
    })
}

/// Prints the one or the other, or the text with the JSON in a file.
fn print_report(
    wanted: Option<&Option<PathBuf>>,
    json: &serde_json::Value,
    text: &str,
) -> Result<(), AppError> {
    match wanted {
        None => print!("{text}"),
        Some(None) => println!("{json:#}"),
        Some(Some(file)) => {
            std::fs::write(file, format!("{json:#}\n")).map_err(|error| {
                let problem = Code::FILE_NOT_WRITABLE
                    .problem(format!("the file cannot be written: {error}"))
                    .at(file.display());
                AppError::Internal(problem.into())
            })?;
            print!("{text}");
        }
    }
    Ok(())
}

/// What the configuration says.
struct Configured {
    connection_name: Option<String>,
    metadata: MetadataLocation,
    /// How many loads an orchestrator with this configuration runs at once in the connection's warehouse.
    loads: Option<usize>,
    worker: Option<WorkerConfig>,
}

/// A file that is refused is reported, and what does not depend on it is checked all the same.
fn read_configuration(arguments: &DoctorArguments, findings: &mut Vec<Finding>) -> Configured {
    let is_orchestrators = arguments.role == Some(RoleArgument::Orchestrator);
    let mut configured = Configured {
        connection_name: None,
        metadata: MetadataLocation::default(),
        loads: None,
        worker: None,
    };
    // The environment alone configures an orchestrator, or a command, without a file.
    let own = arguments.config.as_deref().filter(|_| is_orchestrators);
    match config::orchestrator::load(own, &variable) {
        Ok(config) => {
            if let Some(file) = own {
                read(file, &config.warnings, findings);
            }
            configured.connection_name = config.connection_name;
            configured.metadata = config.metadata;
            let drives = arguments.role != Some(RoleArgument::Worker);
            let here = drives && config.load_warehouse.is_none();
            configured.loads = here.then_some(config.load_concurrency);
        }
        Err(errors) => all_refused("configuration", &errors, findings),
    }
    if let (Some(file), false) = (&arguments.config, is_orchestrators) {
        match config::worker::load(file, &variable) {
            Ok(config) => {
                read(file, &config.warnings, findings);
                // A worker has only its file.
                configured
                    .connection_name
                    .clone_from(&config.connection_name);
                configured.metadata = config.metadata.clone();
                configured.worker = Some(config);
            }
            Err(errors) => {
                all_refused("configuration", &errors, findings);
                findings.push(Finding::skipped("source", "configuration"));
            }
        }
    }
    configured
}

fn read_workflow(
    file: &Path,
    arguments: &DoctorArguments,
    worker: Option<&WorkerConfig>,
    findings: &mut Vec<Finding>,
) -> Option<(Platform, Vec<TableSpec>)> {
    let only = worker.and_then(|worker| match worker.sources.len() {
        1 => worker.sources.keys().next().copied(),
        _ => None,
    });
    let platform = match &arguments.source_platform {
        Some(written) => match parse_platform(written) {
            Ok(platform) => Some(platform),
            Err(problem) => {
                findings.push(Finding::refused("workflow", &problem));
                None
            }
        },
        None if only.is_some() => only,
        None => {
            findings.push(Finding::fail(
                "workflow",
                Code::UNSUPPORTED_PLATFORM,
                Cause::Configuration,
                "the platform of the workflow's source is not known",
                "name it: --source-platform redshift, or give the worker's file with -c",
            ));
            None
        }
    };
    let loaded = match config::workflow::load(file, platform) {
        Ok(loaded) => loaded,
        Err(errors) => {
            all_refused("workflow", &errors, findings);
            return None;
        }
    };
    let message = format!("{}: {} tables", file.display(), loaded.tables.len());
    findings.push(Finding::ok("workflow", message));
    for warning in &loaded.warnings {
        findings.push(Finding::noted("workflow", warning));
    }
    let platform = platform?;
    if let (Some(worker), Some(config)) = (worker, &arguments.config) {
        let affinity = loaded.affinity.as_deref();
        for problem in reasons_worker_skips(worker, platform, affinity, config) {
            findings.push(Finding::refused("workflow", &problem));
        }
    }
    Some((platform, loaded.tables))
}

fn read(file: &Path, warnings: &[Problem], findings: &mut Vec<Finding>) {
    findings.push(Finding::ok("configuration", file.display().to_string()));
    for warning in warnings {
        findings.push(Finding::noted("configuration", warning));
    }
}

fn all_refused(check: &'static str, errors: &ConfigErrors, findings: &mut Vec<Finding>) {
    let problems = errors.problems.0.iter();
    findings.extend(problems.map(|problem| Finding::refused(check, problem)));
}
