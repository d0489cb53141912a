//! Commands that ask the source alone.

use super::Ending;
use super::arguments::{PlanArguments, SourceArguments};
use super::commands::{COMMAND_LOGS, parse_platform, refused, tell, variable};
use crate::config::worker::WorkerConfig;
use crate::config::{self, ConfigErrors, LogFormat};
use crate::domain::table::Platform;
use crate::roles::{RoleError, plan_preview};
use crate::telemetry::logs::{LogSink, init};
use crate::telemetry::plan_report::{self, Outcome};
use serde_json::json;

pub(super) async fn plan(arguments: PlanArguments) -> Result<Ending, RoleError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    let mut problems = Vec::new();
    let (platform, worker) = read_source(&arguments.source, &mut problems);
    let loaded = config::workflow::load(&arguments.file, platform.unwrap_or(Platform::Redshift));
    let file = noted(loaded, &mut problems);
    let (Some(platform), Some(worker), Some(file)) = (platform, worker, file) else {
        return Err(RoleError::Refused(problems.join("\n")));
    };
    tell(&worker.warnings);
    tell(&file.warnings);
    let tables = plan_preview::preview(&worker, platform, file.tables).await?;
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

/// What the command line says of the source; all mistakes go into `problems`.
fn read_source(
    arguments: &SourceArguments,
    problems: &mut Vec<String>,
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

fn noted<T>(loaded: Result<T, ConfigErrors>, problems: &mut Vec<String>) -> Option<T> {
    match loaded {
        Ok(value) => Some(value),
        Err(errors) => {
            problems.push(refused(errors).to_string());
            None
        }
    }
}
