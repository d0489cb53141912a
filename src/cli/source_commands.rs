//! Commands that ask the source alone.

use super::Ending;
use super::arguments::{GenerateArguments, PlanArguments, SourceArguments};
use super::inputs::{COMMAND_LOGS, log_warnings, parse_platform, variable};
use crate::app::generate::{self, Wanted};
use crate::app::planned_table::Outcome;
use crate::app::{AppError, preview};
use crate::cli::report::plan as plan_report;
use crate::config::generate::check_name;
use crate::config::worker::WorkerConfig;
use crate::config::{self, ConfigErrors};
use crate::domain::log_format::LogFormat;
use crate::domain::problem::{Code, Problem};
use crate::domain::table::Platform;
use crate::telemetry::logs::{LogSink, init};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

pub(super) async fn plan(arguments: PlanArguments) -> Result<Ending, AppError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    let mut problems = Vec::new();
    let (platform, worker) = read_source(&arguments.source, &mut problems);
    let loaded = config::workflow::load(&arguments.file, platform);
    let file = noted(loaded, &mut problems);
    let (Some(platform), Some(worker), Some(file)) = (platform, worker, file) else {
        return Err(AppError::refused(problems));
    };
    log_warnings(&worker.warnings);
    log_warnings(&file.warnings);
    let tables = preview::preview(&worker, platform, file.tables).await?;
    if arguments.json {
        println!("{:#}", json!({ "tables": tables }));
    } else {
        print!("{}", plan_report::plan(&tables));
    }
    let is_error = |outcome: &Outcome| matches!(outcome, Outcome::Error(_));
    Ok(if tables.iter().any(|table| is_error(&table.outcome)) {
        Ending::Failed
    } else {
        Ending::Done
    })
}

pub(super) async fn generate(arguments: GenerateArguments) -> Result<Ending, AppError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    let mut problems = Vec::new();
    let (platform, worker) = read_source(&arguments.source, &mut problems);
    let mut name = |option: &str, written: Option<String>| {
        let checked = check_name(option, &written?);
        checked.map_err(|problem| problems.push(problem)).ok()
    };
    let wanted = Wanted {
        database: name("--database", arguments.database),
        schema: name("--schema", arguments.schema),
        patterns: arguments.tables,
        target_database: name("--target-database", arguments.target_database),
        target_schema: name("--target-schema", arguments.target_schema),
    };
    if let Some(path) = arguments.output.as_deref()
        && path.exists()
        && !arguments.force
    {
        problems.push(exists(path));
    }
    let (Some(platform), Some(worker), true) = (platform, worker, problems.is_empty()) else {
        return Err(AppError::refused(problems));
    };
    log_warnings(&worker.warnings);
    let generated = generate::generate(&worker, platform, wanted).await?;
    log_warnings(&generated.warnings);
    match &arguments.output {
        None => print!("{}", generated.text),
        Some(path) => {
            write(path, &generated.text, arguments.force)?;
            println!(
                "{} has {} tables; see what it does with `snowhaul workflow plan {}`",
                path.display(),
                generated.num_tables,
                path.display()
            );
        }
    }
    Ok(Ending::Done)
}

fn exists(path: &Path) -> Problem {
    Code::FILE_EXISTS
        .problem("the file exists already")
        .hint("name another file, or overwrite it with --force")
        .at(path.display())
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), AppError> {
    let mut options = OpenOptions::new();
    if force {
        options.write(true).create(true).truncate(true);
    } else {
        // It may have come while the source was asked.
        options.write(true).create_new(true);
    }
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => AppError::refused(exists(path)),
        _ => AppError::refused(
            Code::FILE_NOT_WRITABLE
                .problem(format!("the file cannot be written: {error}"))
                .at(path.display()),
        ),
    })
}

/// What the command line says of the source; all mistakes go into `problems`.
fn read_source(
    arguments: &SourceArguments,
    problems: &mut Vec<Problem>,
) -> (Option<Platform>, Option<WorkerConfig>) {
    let platform = match parse_platform(&arguments.source_platform) {
        Ok(platform) => Some(platform),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    let worker = noted(config::worker::load(&arguments.config, &variable), problems);
    (platform, worker)
}

fn noted<T>(loaded: Result<T, ConfigErrors>, problems: &mut Vec<Problem>) -> Option<T> {
    match loaded {
        Ok(value) => Some(value),
        Err(errors) => {
            problems.extend(errors.problems.0);
            None
        }
    }
}
