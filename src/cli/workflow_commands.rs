//! Commands that create and show workflows and workers.

use super::Ending;
use super::arguments::{CreateArguments, ListArguments, StatusArguments};
use super::inputs::{COMMAND_LOGS, catalog, no_signals, read_workflow, stem_if_unnamed};
use crate::app::follow::{Followed, follow};
use crate::app::{AppError, naming};
use crate::checkpoint::{HybridCheckpoint, TableProgress, WorkerSummary, WorkflowSummary};
use crate::cli::report::progress::ProgressView;
use crate::cli::report::tables as report;
use crate::domain::WorkflowId;
use crate::domain::log_format::LogFormat;
use crate::domain::problem::Code;
use crate::domain::spelling::closest_match;
use crate::roles::shutdown;
use crate::roles::worker::wait_for_metadata;
use crate::telemetry::logs::{LogSink, init};
use indicatif::MultiProgress;
use serde_json::json;
use std::io::IsTerminal;
use std::pin::pin;
use std::time::Duration;

/// How long a command waits for an orchestrator that has just been started to create the metadata.
const METADATA_PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn create(arguments: CreateArguments) -> Result<Ending, AppError> {
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
            "stopped before it was certain that the workflow {} is created; check with `snowhaul workflow list`",
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
            eprintln!("stopped watching; the workflow continues: `snowhaul workflow status {id}`");
            Ok(Ending::Interrupted)
        }
    }
}

pub(super) async fn list(arguments: ListArguments) -> Result<Ending, AppError> {
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

pub(super) async fn list_workers(arguments: ListArguments) -> Result<Ending, AppError> {
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

pub(super) async fn status(arguments: StatusArguments) -> Result<Ending, AppError> {
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
    let hint = match (closest, known.is_empty()) {
        (Some(closest), _) => format!("did you mean `{closest}`?"),
        (None, true) => "there are none yet".to_owned(),
        (None, false) => format!("there are {}", known.join(", ")),
    };
    Ok(AppError::refused(
        Code::NO_SUCH_WORKFLOW
            .problem(format!("there is no workflow {name}"))
            .hint(hint),
    ))
}

/// Prints how a workflow ended.
pub(super) async fn report_end(
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
            "error: {}: it is {}, although the workflow {} has ended; `snowhaul workflow status {2}` shows whether an orchestrator continues it",
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

/// How progress is shown.
pub(super) fn view(bars: &MultiProgress) -> ProgressView {
    if std::io::stderr().is_terminal() {
        ProgressView::bars(bars.clone())
    } else {
        ProgressView::lines()
    }
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
}
