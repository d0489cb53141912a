//! One function for each command: read what the user gave, refuse it with all its mistakes, or delegate to a role.

use super::Ending;
use super::arguments::*;
use super::logging::{LogLevel, Logs, start_logs};
use super::{doctor, lever_commands, source_commands};
use crate::app::follow::{Followed, follow};
use crate::app::{AppError, naming};
use crate::checkpoint::{
    HybridCheckpoint, NewWorkflow, TableProgress, WorkerSummary, WorkflowSummary,
};
use crate::cli::report::progress::ProgressView;
use crate::cli::report::tables as report;
use crate::config::orchestrator::OrchestratorFlags;
use crate::config::standalone::StandaloneConfig;
use crate::config::worker::WorkerFlags;
use crate::config::workflow::WorkflowOverrides;
use crate::config::{self, ConfigErrors, workflow_name};
use crate::domain::WorkflowId;
use crate::domain::log_format::LogFormat;
use crate::domain::request::Lever;
use crate::domain::spelling::closest_match;
use crate::domain::table::{OTHER_PLATFORMS, Platform};
use crate::platform;
use crate::roles::standalone::StandaloneSettings;
use crate::roles::worker::wait_for_metadata;
use crate::roles::{orchestrator, shutdown, standalone, worker};
use crate::snowflake::connection::{ConnectionError, Surroundings, find};
use crate::snowflake::{Connection, SnowflakeClient};
use crate::telemetry::logs::{LogSink, init};
use indicatif::MultiProgress;
use serde_json::json;
use std::io::IsTerminal;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

/// What daemons log where `RUST_LOG` is not set. What ODBC has to say comes with the errors that it causes.
const DAEMON_LOGS: &str = "warn,snowhaul=info";
/// What commands with an answer of their own log: the answer is enough.
pub(super) const COMMAND_LOGS: &str = "warn";
/// How long a command waits for an orchestrator that has just been started to create the metadata.
const METADATA_PATIENCE: Duration = Duration::from_secs(20);

/// Runs a command.
pub(super) async fn run(arguments: Arguments) -> Result<Ending, AppError> {
    match arguments.command {
        Command::Orchestrator(arguments) => run_orchestrator(arguments).await,
        Command::Worker(WorkerArguments {
            command: Some(WorkerCommand::List(arguments)),
            ..
        }) => list_workers(arguments).await,
        Command::Worker(arguments) => run_worker(arguments).await,
        Command::Workflow(WorkflowCommand::Create(arguments))
        | Command::CreateDataMigrationWorkflow(arguments) => create(arguments).await,
        Command::CreateDataValidationWorkflow(_) => Err(AppError::Refused(
            "data validation workflows are not supported yet; nothing was written. What a migration loads is counted and compared with what was extracted while it runs; compare further with queries of your own on both sides".to_owned(),
        )),
        Command::Workflow(WorkflowCommand::List(arguments)) => list(arguments).await,
        Command::Workflow(WorkflowCommand::Status(arguments)) => status(arguments).await,
        Command::Workflow(WorkflowCommand::Pause(arguments)) => {
            lever_commands::pull(Lever::Pause, arguments).await
        }
        Command::Workflow(WorkflowCommand::Resume(arguments)) => {
            lever_commands::pull(Lever::Resume, arguments).await
        }
        Command::Workflow(WorkflowCommand::Cancel(arguments)) => {
            lever_commands::pull(Lever::Cancel, arguments).await
        }
        Command::Workflow(WorkflowCommand::Retry(arguments)) => {
            lever_commands::pull(Lever::Retry, arguments).await
        }
        Command::Workflow(WorkflowCommand::Schema) => {
            println!("{:#}", config::json_schema::workflow_schema());
            Ok(Ending::Done)
        }
        Command::Workflow(WorkflowCommand::Plan(arguments)) => {
            source_commands::plan(arguments).await
        }
        Command::Workflow(WorkflowCommand::Generate(arguments)) => {
            source_commands::generate(arguments).await
        }
        Command::Run(arguments) => run_standalone(arguments).await,
        Command::Doctor(arguments) => doctor::examine(arguments).await,
    }
}

async fn run_orchestrator(arguments: OrchestratorArguments) -> Result<Ending, AppError> {
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

async fn run_worker(arguments: WorkerArguments) -> Result<Ending, AppError> {
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
            let message = "--no-server and --port mean nothing: a worker has no HTTP server";
            settings.warnings.push(message.to_owned());
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
    warnings: impl Fn(&C) -> &Vec<String>,
) -> impl Fn() -> Result<C, AppError> {
    move || read().inspect(|config| log_warnings(warnings(config)))
}

async fn create(arguments: CreateArguments) -> Result<Ending, AppError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    let mut workflow = read_workflow(&arguments.workflow)?;
    let stem = stem_if_unnamed(&arguments.workflow);
    let catalog = catalog(&arguments.connection)?;
    let mut stop = pin!(shutdown::requested().map_err(no_signals)?);
    let created = async {
        wait_for_metadata(|| catalog.check_schema(), METADATA_PATIENCE).await?;
        match &stem {
            Some(stem) => naming::create_numbered(&catalog, stem, &mut workflow).await,
            None => catalog.create_workflow(&workflow).await,
        }
    };
    let Some(created) = shutdown::unless_stopped(&catalog, created, &mut stop).await else {
        eprintln!(
            "stopped before it was certain that the workflow {} is created; `snowhaul workflow list` tells",
            workflow.name
        );
        return Ok(Ending::Interrupted);
    };
    let id = created?;
    println!(
        "workflow {} created with id {id}: {} tables",
        workflow.name,
        workflow.tables.len()
    );
    if !arguments.wait {
        println!("watch it with `snowhaul workflow status {}`", workflow.name);
        return Ok(Ending::Done);
    }
    let mut view = view(&MultiProgress::new());
    let followed = follow(&catalog, id, &mut view, &mut stop).await;
    view.finish();
    match followed? {
        Followed::Completed(workflow, tables) => report_end(&catalog, &workflow, &tables).await,
        Followed::Interrupted => {
            eprintln!("stopped watching; the workflow goes on: `snowhaul workflow status {id}`");
            Ok(Ending::Interrupted)
        }
    }
}

async fn run_standalone(arguments: RunArguments) -> Result<Ending, AppError> {
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
            eprintln!("stopped before anything was begun");
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

/// Tells how a workflow ended.
async fn report_end(
    catalog: &HybridCheckpoint,
    workflow: &WorkflowSummary,
    tables: &[TableProgress],
) -> Result<Ending, AppError> {
    print!("{}", report::workflow_status(workflow, tables));
    let id = WorkflowId(workflow.workflow_id);
    for (table, warning) in catalog.warnings(id).await? {
        eprintln!("warning: {table}: {warning}");
    }
    for table in tables.iter().filter(|table| !table.has_ended()) {
        eprintln!(
            "error: {}: it is {}, although the workflow {} has ended; `snowhaul workflow status {2}` tells whether an orchestrator goes on with it",
            table.source_table, table.status, workflow.name
        );
    }
    Ok(ending(workflow, tables))
}

/// What a workflow that has ended comes to, for the exit code.
fn ending(workflow: &WorkflowSummary, tables: &[TableProgress]) -> Ending {
    let is_over = tables.iter().all(TableProgress::has_ended);
    if workflow.num_failed > 0 || workflow.error.is_some() || !is_over {
        Ending::Failed
    } else if workflow.num_cancelled > 0 {
        Ending::Cancelled
    } else {
        Ending::Done
    }
}

async fn list(arguments: ListArguments) -> Result<Ending, AppError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    let catalog = catalog(&arguments.connection)?;
    catalog.check_schema().await?;
    let workflows = catalog.list_workflows().await?;
    if arguments.json {
        println!("{}", json!({ "workflows": workflows }));
    } else {
        print!("{}", report::workflow_list(&workflows));
    }
    Ok(Ending::Done)
}

async fn list_workers(arguments: ListArguments) -> Result<Ending, AppError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    let catalog = catalog(&arguments.connection)?;
    catalog.check_schema().await?;
    let workers = catalog.workers().await?;
    if arguments.json {
        let state = |w: &WorkerSummary| if w.is_alive() { "alive" } else { "silent" };
        let workers: Vec<_> = workers
            .iter()
            .map(|w| {
                let mut row = json!(w);
                row["host"] = json!(w.host());
                row["state"] = json!(state(w));
                row
            })
            .collect();
        println!("{}", json!({ "workers": workers }));
    } else {
        print!("{}", report::worker_list(&workers));
    }
    Ok(Ending::Done)
}

async fn status(arguments: StatusArguments) -> Result<Ending, AppError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    let catalog = catalog(&arguments.connection)?;
    catalog.check_schema().await?;
    let Some(workflow) = catalog.find_workflow(&arguments.workflow).await? else {
        return Err(no_such_workflow(&catalog, &arguments.workflow).await?);
    };
    let id = WorkflowId(workflow.workflow_id);
    let tables = catalog.table_progress(id).await?;
    let errors = if arguments.errors || arguments.json {
        catalog.errors(id).await?
    } else {
        Vec::new()
    };
    let warnings = catalog.warnings(id).await?;
    if arguments.json {
        let warnings: Vec<_> = warnings
            .into_iter()
            .map(|(table, warning)| json!({"source_table": table, "warning": warning}))
            .collect();
        println!(
            "{}",
            json!({"workflow": workflow, "tables": tables, "errors": errors, "warnings": warnings})
        );
    } else {
        print!("{}", report::workflow_status(&workflow, &tables));
        print!("{}", report::warnings(&workflow.name, &warnings));
        if arguments.errors {
            print!("{}", report::errors(&errors));
        }
    }
    Ok(Ending::Done)
}

/// The refusal of a name that no workflow has.
pub(super) async fn no_such_workflow(
    catalog: &HybridCheckpoint,
    name: &str,
) -> Result<AppError, AppError> {
    let known: Vec<String> = catalog
        .list_workflows()
        .await?
        .into_iter()
        .take(20)
        .map(|w| w.name)
        .collect();
    let closest = closest_match(name, known.iter().map(String::as_str));
    let known = match (closest, known.is_empty()) {
        (Some(closest), _) => format!("did you mean `{closest}`?"),
        (None, true) => "there are none yet".to_owned(),
        (None, false) => format!("there are {}", known.join(", ")),
    };
    Ok(AppError::Refused(format!(
        "there is no workflow {name}; {known}"
    )))
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
        Err(AppError::Refused(problems.join("\n")))
    }
}

/// Why a worker would never take a workflow's tasks; empty: it takes them.
pub(super) fn reasons_worker_skips(
    worker: &config::worker::WorkerConfig,
    platform: Platform,
    affinity: Option<&str>,
    file: &Path,
) -> Vec<String> {
    let mut problems = Vec::new();
    let file = file.display();
    if let Err(problem) = worker.source(platform) {
        problems.push(format!("{file}: {problem}"));
    }
    if let (Some(own), Some(asked)) = (worker.affinity.as_deref(), affinity)
        && own != asked
    {
        problems.push(format!(
            "{file}: application.affinity: `{own}` does not match the workflow's affinity `{asked}`: this worker would never take its tasks. Use the same value or omit one"
        ));
    }
    problems
}

/// What the workflow's name is made from, if the command line gives none.
fn stem_if_unnamed(arguments: &WorkflowFileArguments) -> Option<String> {
    let is_named = arguments.name.is_some();
    (!is_named).then(|| workflow_name::stem(&arguments.file))
}

/// Reads a workflow file together with what the command line says of it; all mistakes at once. Without a name it still needs
/// one of its own: see [`naming`].
fn read_workflow(arguments: &WorkflowFileArguments) -> Result<NewWorkflow, AppError> {
    let mut problems = Vec::new();
    let name = arguments.name.as_deref();
    if let Some(Err(problem)) = name.map(workflow_name::check_name) {
        problems.push(format!("--name: {problem}"));
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
            problems.push(errors.to_string().trim_end().to_owned());
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
        _ => Err(AppError::Refused(problems.join("\n"))),
    }
}

/// The platform that `--source-platform` names.
pub(super) fn parse_platform(text: &str) -> Result<Platform, String> {
    let is_other = OTHER_PLATFORMS
        .iter()
        .any(|name| name.eq_ignore_ascii_case(text.trim()));
    let expected = platform::supported_names();
    match Platform::parse(text) {
        None if is_other => Err(format!(
            "--source-platform: {text} is a platform that is not supported; expected {expected}"
        )),
        None => Err(format!(
            "--source-platform: `{text}` is not a platform; expected {expected}"
        )),
        Some(platform) if platform::source(platform).is_none() => Err(format!(
            "--source-platform: {platform} is not supported yet; expected {expected}"
        )),
        Some(platform) => Ok(platform),
    }
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

fn connect(name: Option<&str>) -> Result<Connection, AppError> {
    let connection = find_connection(name).map_err(|error| AppError::Refused(error.to_string()))?;
    log_warnings(&connection.warnings);
    Ok(connection)
}

/// The connection of this process's user.
pub(super) fn find_connection(name: Option<&str>) -> Result<Connection, ConnectionError> {
    let surroundings = Surroundings {
        var: &variable,
        home: std::env::home_dir(),
    };
    find(name, &surroundings)
}

fn view(bars: &MultiProgress) -> ProgressView {
    if std::io::stderr().is_terminal() {
        ProgressView::bars(bars.clone())
    } else {
        ProgressView::lines()
    }
}

/// An environment variable; an empty one counts as not set.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Logs what users should know.
pub(super) fn log_warnings(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

pub(super) fn refused(errors: ConfigErrors) -> AppError {
    AppError::Refused(errors.to_string().trim_end().to_owned())
}

pub(super) fn no_signals(error: std::io::Error) -> AppError {
    AppError::Internal(format!("signals cannot be watched: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(num_failed: u64, num_cancelled: u64) -> WorkflowSummary {
        WorkflowSummary {
            workflow_id: 1,
            name: "w".to_owned(),
            source_platform: "redshift".to_owned(),
            affinity: None,
            status: "COMPLETED".to_owned(),
            num_tables: 2,
            num_completed: 1,
            num_failed,
            num_cancelled,
            created_at: None,
            started_at: None,
            ended_at: None,
            error: None,
        }
    }

    fn table(status: &str) -> TableProgress {
        TableProgress {
            table_no: 0,
            source_table: "t".to_owned(),
            target_table: "t".to_owned(),
            status: status.to_owned(),
            row_estimate: None,
            partitions_total: 0,
            partitions_pending: 0,
            partitions_in_extraction: 0,
            partitions_in_loading: 0,
            partitions_completed: 0,
            partitions_unchanged: 0,
            partitions_failed: 0,
            partitions_cancelled: 0,
            rows_extracted: 0,
            rows_loaded: 0,
            bytes: 0,
            seconds: None,
            example_error: None,
            waiting: None,
            load_waiting: None,
        }
    }

    #[test]
    fn only_a_workflow_whose_tables_are_all_completed_is_a_success() {
        let done = table("COMPLETED");
        for (failed, cancelled, other, expected) in [
            (0, 0, "COMPLETED", "Done"),
            (1, 0, "FAILED", "Failed"),
            (0, 1, "CANCELLED", "Cancelled"),
            (0, 0, "EXECUTING", "Failed"),
            (0, 0, "PENDING", "Failed"),
        ] {
            let tables = [done.clone(), table(other)];
            let ending = ending(&workflow(failed, cancelled), &tables);
            assert_eq!(format!("{ending:?}"), expected, "{other}");
        }
    }

    #[test]
    fn platforms_that_others_move_from_are_told_apart_from_slips() {
        for name in ["oracle", "Teradata", "azure_synapse", "bigquery"] {
            let told = parse_platform(name).expect_err(name);
            assert!(
                told.contains(name)
                    && told.contains("is not supported")
                    && told.contains("redshift or postgresql"),
                "{told}"
            );
        }
        let told = parse_platform("sqlserver").expect_err("later");
        assert!(told.contains("not supported yet"), "{told}");
        let told = parse_platform("postgres").expect_err("a slip");
        assert!(told.contains("is not a platform"), "{told}");
        assert_eq!(parse_platform("Redshift"), Ok(Platform::Redshift));
    }
}
