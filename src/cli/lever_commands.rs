//! `snowhaul workflow pause|resume|cancel|retry`.

use super::Ending;
use super::arguments::LeverArguments;
use super::inputs::{COMMAND_LOGS, catalog, no_signals};
use super::workflow_commands::no_such_workflow;
use crate::app::AppError;
use crate::app::requests::{self, Steered};
use crate::checkpoint::SteeredTable;
use crate::domain::log_format::LogFormat;
use crate::domain::request::{Lever, Request};
use crate::roles::shutdown;
use crate::telemetry::logs::{LogSink, init};
use serde_json::{Value, json};
use std::pin::pin;

/// Sends a request, and prints what became of it.
pub(super) async fn pull(lever: Lever, arguments: LeverArguments) -> Result<Ending, AppError> {
    init(LogFormat::Human, LogSink::Stderr, COMMAND_LOGS);
    let catalog = catalog(&arguments.connection)?;
    catalog.check_schema().await?;
    let name = &arguments.workflow;
    let mut stop = pin!(shutdown::requested().map_err(no_signals)?);
    let pulled = requests::pull(&catalog, name, lever, &arguments.tables);
    let Some(pulled) = shutdown::unless_stopped(&catalog, pulled, &mut stop).await else {
        eprintln!(
            "stopped before it was certain; check with `snowhaul workflow status {name}`, or repeat the command"
        );
        return Ok(Ending::Interrupted);
    };
    let Some(steered) = pulled? else {
        return Err(no_such_workflow(&catalog, name).await?);
    };
    let lines = lines(lever, &steered);
    if arguments.json {
        println!("{}", answer(lever, &steered, &lines));
    } else {
        lines.iter().for_each(|line| println!("{line}"));
    }
    Ok(Ending::Done)
}

/// What people read.
fn lines(lever: Lever, steered: &Steered) -> Vec<String> {
    let name = &steered.workflow.name;
    let mut lines: Vec<String> = steered
        .already
        .iter()
        .map(|(table, reason)| match table {
            None => format!("the workflow {name} {reason}"),
            Some(table) => format!("the table {} {reason}", table.source_table),
        })
        .collect();
    let what = match (steered.is_whole, steered.asked.as_slice()) {
        (true, _) if steered.already.is_empty() => format!("the workflow {name}"),
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
    lines.push(match lever {
        Lever::Pause => format!("{what} is paused: what is running ends and is stored, nothing new starts"),
        Lever::Resume => format!("{what} continues"),
        Lever::Cancel => format!(
            "{what} is being cancelled by its orchestrator, or by the next one that starts; `snowhaul workflow status {name}` shows when it has ended"
        ),
        Lever::Retry => format!("{what} runs again"),
    });
    let still_paused = steered.workflow.request == Some(Request::Pause) && !steered.is_whole;
    if still_paused && matches!(lever, Lever::Resume | Lever::Retry) {
        lines.push(format!(
            "the workflow {name} as a whole is paused; `snowhaul workflow resume {name}` continues it"
        ));
    }
    lines
}

/// The same for programs.
fn answer(lever: Lever, steered: &Steered, lines: &[String]) -> Value {
    let table = |table: &SteeredTable, changed: bool| json!({"table_no": table.table_no.0, "source_table": table.source_table, "changed": changed});
    let unchanged = steered.already.iter().filter_map(|(t, _)| t.as_ref());
    let tables: Vec<Value> = steered
        .asked
        .iter()
        .map(|asked| table(asked, true))
        .chain(unchanged.map(|other| table(other, false)))
        .collect();
    json!({
        "workflow": steered.workflow.name,
        "workflow_id": steered.workflow.id.0,
        "asked": match lever {
            Lever::Pause => "pause",
            Lever::Resume => "resume",
            Lever::Cancel => "cancel",
            Lever::Retry => "retry",
        },
        "changed": !steered.asked.is_empty() || steered.is_whole && steered.already.is_empty(),
        "tables": tables,
        "messages": lines,
    })
}
