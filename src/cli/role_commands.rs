//! Commands that run a role: `orchestrator`, `worker`, `run`.

use super::Ending;
use super::arguments::{OrchestratorArguments, RunArguments, WorkerArguments};
use super::inputs::{
    COMMAND_LOGS, connect, log_warnings, no_signals, read_workflow, reasons_worker_skips, refused,
    stem_if_unnamed, variable,
};
use super::logging::{LogLevel, Logs, start_logs};
use super::workflow_commands::{report_end, view};
use crate::app::follow::Followed;
use crate::app::{AppError, naming};
use crate::checkpoint::{HybridCheckpoint, NewWorkflow};
use crate::cli::report::progress::ProgressView;
use crate::config;
use crate::config::orchestrator::OrchestratorFlags;
use crate::config::standalone::StandaloneConfig;
use crate::config::worker::WorkerFlags;
use crate::domain::problem::{Code, Problem};
use crate::roles::standalone::StandaloneSettings;
use crate::roles::{orchestrator, shutdown, standalone, worker};
use crate::snowflake::SnowflakeClient;
use crate::telemetry::logs::LogSink;
use indicatif::MultiProgress;
use std::path::Path;
use std::pin::pin;

/// What daemons log where `RUST_LOG` is not set. What ODBC has to say comes with the errors that it causes.
const DAEMON_LOGS: &str = "warn,snowhaul=info";

pub(super) async fn run_orchestrator(arguments: OrchestratorArguments) -> Result<Ending, AppError> {
    let logs = arguments.logs.clone();
    let flags = OrchestratorFlags {
        affinity: arguments.affinity,
        connection_name: arguments.connection_name,
        log_format: logs.log_format.map(Into::into),
    };
    let read = move || {
        let file = arguments.config.as_deref();
        config::orchestrator::load_with(file, &flags, &variable).map_err(refused)
    };
    let settings = read()?;
    start_logs(
        &logs,
        Logs::Orchestrator,
        settings.log_format,
        LogSink::Stdout,
        DAEMON_LOGS,
    )?;
    log_warnings(&settings.warnings);
    let connection = connect(settings.connection_name.as_deref())?;
    let stop = shutdown::requested().map_err(no_signals)?;
    let reload = shutdown::Reload::new(with_logged_warnings(read, |settings| &settings.warnings));
    let reload = reload.map_err(no_signals)?;
    orchestrator::run(&connection, &settings, reload, stop).await?;
    Ok(Ending::Done)
}

pub(super) async fn run_worker(arguments: WorkerArguments) -> Result<Ending, AppError> {
    let mut logs = arguments.logs.clone();
    if arguments.habits.debug {
        logs.log_level = Some(LogLevel::Debug);
    }
    let habits = arguments.habits;
    let directory = habits.local_results_directory;
    let flags = WorkerFlags {
        max_parallel_tasks: arguments.max_parallel_tasks,
        task_fetch_interval: arguments.task_fetch_interval,
        local_results_directory: directory.map(|path| path.to_string_lossy().into_owned()),
        connection_name: None,
        log_format: logs.log_format.map(Into::into),
    };
    let read = move || {
        let mut settings =
            config::worker::load_with(&arguments.config, &flags, &variable).map_err(refused)?;
        if habits.no_server || habits.port.is_some() {
            let what = "--no-server and --port have no effect: a worker has no HTTP server";
            settings.warnings.push(Code::NO_EFFECT.problem(what));
        }
        Ok(settings)
    };
    let settings = read()?;
    start_logs(
        &logs,
        Logs::Worker,
        settings.log_format,
        LogSink::Stdout,
        DAEMON_LOGS,
    )?;
    log_warnings(&settings.warnings);
    let connection = connect(settings.connection_name.as_deref())?;
    let stop = shutdown::requested().map_err(no_signals)?;
    let reload = shutdown::Reload::new(with_logged_warnings(read, |settings| &settings.warnings));
    let reload = reload.map_err(no_signals)?;
    worker::run(&connection, &settings, reload, stop).await?;
    Ok(Ending::Done)
}

/// Reads a configuration, and logs its warnings.
fn with_logged_warnings<C>(
    read: impl Fn() -> Result<C, AppError>,
    warnings: impl Fn(&C) -> &Vec<Problem>,
) -> impl Fn() -> Result<C, AppError> {
    move || read().inspect(|config| log_warnings(warnings(config)))
}

pub(super) async fn run_standalone(arguments: RunArguments) -> Result<Ending, AppError> {
    let logs = &arguments.logs;
    let flags = WorkerFlags {
        connection_name: arguments.connection_name,
        log_format: logs.log_format.map(Into::into),
        ..WorkerFlags::default()
    };
    let mut settings =
        config::standalone::load(&arguments.config, &flags, &variable).map_err(refused)?;
    let mut workflow = read_workflow(&arguments.workflow)?;
    serves(&settings.worker, &workflow, &arguments.config)?;
    settings.serve(workflow.affinity.as_deref());
    let StandaloneConfig {
        worker,
        orchestrator,
    } = settings;
    let bars = MultiProgress::new();
    let mut view = view(&bars);
    let (sink, default) = match &view {
        ProgressView::Bars { .. } => (LogSink::Bars(bars.clone()), COMMAND_LOGS),
        ProgressView::Lines { .. } => (LogSink::Stderr, DAEMON_LOGS),
    };
    start_logs(logs, Logs::Orchestrator, worker.log_format, sink, default)?;
    log_warnings(&worker.warnings);
    let connection = connect(worker.connection_name.as_deref())?;
    let client = SnowflakeClient::new(connection.clone(), "standalone");
    let catalog = HybridCheckpoint::new(client, worker.metadata.clone());
    let mut stop = pin!(shutdown::requested().map_err(no_signals)?);
    if let Some(stem) = stem_if_unnamed(&arguments.workflow) {
        let named = naming::name_of_run(&catalog, &stem, &workflow);
        let Some(named) = shutdown::unless_stopped(&catalog, named, &mut stop).await else {
            eprintln!("stopped before anything began");
            return Ok(Ending::Interrupted);
        };
        workflow.name = named?;
        eprintln!("this run's workflow is {}", workflow.name);
    }
    let settings = StandaloneSettings {
        connection: &connection,
        orchestrator: &orchestrator,
        worker: &worker,
        workflow: &workflow,
    };
    let followed = standalone::run(&settings, &mut view, &mut stop).await;
    view.finish();
    match followed? {
        Followed::Completed(workflow, tables) => report_end(&catalog, &workflow, &tables).await,
        Followed::Interrupted => {
            eprintln!(
                "stopped; the same command continues the workflow {}",
                workflow.name
            );
            Ok(Ending::Interrupted)
        }
    }
}

fn serves(
    worker: &config::worker::WorkerConfig,
    workflow: &NewWorkflow,
    file: &Path,
) -> Result<(), AppError> {
    let affinity = workflow.affinity.as_deref();
    let problems = reasons_worker_skips(worker, workflow.platform, affinity, file);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(AppError::refused(problems))
    }
}
