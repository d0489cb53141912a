//! `snowhaul workflow pause|resume|cancel|retry`.

use super::Ending;
use super::arguments::OperatorArguments;
use super::inputs::{COMMAND_LOGS, catalog, no_signals};
use super::workflow_commands::no_such_workflow;
use crate::app::AppError;
use crate::app::requests::{self, Commanded};
use crate::checkpoint::CommandedTable;
use crate::domain::log_format::LogFormat;
use crate::domain::request::{OperatorCommand, Request};
use crate::roles::shutdown;
use crate::telemetry::logs::{LogSink, init};
use serde_json::{Value, json};
use std::pin::pin;

/// Sends a request, and prints what became of it.
pub(super) async fn submit(
    command: OperatorCommand,
    arguments: OperatorArguments,
) -> Result<Ending, AppError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    let catalog = catalog(&arguments.connection)?;
    catalog.check_schema().await?;
    let name = &arguments.workflow;
    let mut stop = pin!(shutdown::requested().map_err(no_signals)?);
    let submitted = requests::submit(&catalog, name, command, &arguments.tables);
    let Some(submitted) = shutdown::unless_stopped(&catalog, submitted, &mut stop).await else {
        eprintln!(
            "stopped before it was certain; check with `snowhaul workflow status {name}`, or repeat the command"
        );
        return Ok(Ending::Interrupted);
    };
    let Some(commanded) = submitted? else {
        return Err(no_such_workflow(&catalog, name).await?);
    };
    let lines = lines(command, &commanded);
    if arguments.json {
        println!("{}", answer(command, &commanded, &lines));
    } else {
        lines.iter().for_each(|line| println!("{line}"));
    }
    Ok(Ending::Done)
}

/// What people read.
fn lines(command: OperatorCommand, commanded: &Commanded) -> Vec<String> {
    let name = &commanded.workflow.name;
    let mut lines: Vec<String> = commanded
        .already
        .iter()
        .map(|(table, reason)| match table {
            None => format!("the workflow {name} {reason}"),
            Some(table) => format!("the table {} {reason}", table.source_table),
        })
        .collect();
    let what = match (commanded.is_whole, commanded.asked.as_slice()) {
        (true, _) if commanded.already.is_empty() => format!("the workflow {name}"),
        (false, [table]) => format!("the table {}", table.source_table),
        (false, tables @ [_, ..]) => {
            let sources: Vec<&str> = tables.iter().map(|t| t.source_table.as_str()).collect();
            format!("each of the {} tables {}", tables.len(), sources.join(", "))
        }
        _ => {
            if lines.is_empty() {
                lines.push(format!("nothing of the workflow {name} has failed"));
            }
            return lines;
        }
    };
    lines.push(match command {
        OperatorCommand::Pause => format!("{what} is paused: what is running ends and is stored, nothing new starts"),
        OperatorCommand::Resume => format!("{what} continues"),
        OperatorCommand::Cancel => format!(
            "{what} is being cancelled by its orchestrator, or by the next one that starts; `snowhaul workflow status {name}` shows when it has ended"
        ),
        OperatorCommand::Retry => format!("{what} runs again"),
    });
    let still_paused = commanded.workflow.request == Some(Request::Pause) && !commanded.is_whole;
    if still_paused && matches!(command, OperatorCommand::Resume | OperatorCommand::Retry) {
        lines.push(format!(
            "the workflow {name} as a whole is paused; `snowhaul workflow resume {name}` continues it"
        ));
    }
    lines
}

/// The same for programs.
fn answer(command: OperatorCommand, commanded: &Commanded, lines: &[String]) -> Value {
    let table = |table: &CommandedTable, changed: bool| json!({"table_no": table.table_no.0, "source_table": table.source_table, "changed": changed});
    let unchanged = commanded.already.iter().filter_map(|(t, _)| t.as_ref());
    let tables: Vec<Value> = commanded
        .asked
        .iter()
        .map(|asked| table(asked, true))
        .chain(unchanged.map(|other| table(other, false)))
        .collect();
    json!({
        "workflow": commanded.workflow.name,
        "workflow_id": commanded.workflow.id.0,
        "asked": match command {
            OperatorCommand::Pause => "pause",
            OperatorCommand::Resume => "resume",
            OperatorCommand::Cancel => "cancel",
            OperatorCommand::Retry => "retry",
        },
        "changed": !commanded.asked.is_empty() || commanded.is_whole && commanded.already.is_empty(),
        "tables": tables,
        "messages": lines,
    })
}
