//! Following a workflow to its end.

use super::AppError;
use crate::checkpoint::{CheckpointError, HybridCheckpoint, TableProgress, WorkflowSummary};
use crate::config::defaults;
use crate::domain::WorkflowId;
use std::time::{Duration, Instant};

/// What watches a workflow.
pub trait Watcher: Send {
    /// Shows the state.
    fn update(&mut self, workflow: &WorkflowSummary, tables: &[TableProgress]);

    /// Says something that the state does not show.
    fn say(&mut self, text: &str);
}

/// Pause between two looks at the progress.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After this long without an owner, or without a table that is analyzed, a hint says what may be missing.
const HINT_AFTER: Duration = Duration::from_secs(30);
/// How long a workflow may be written as ended while a table of it is not: an orchestrator takes it up within a lease.
const GOES_ON_WITHIN: Duration = defaults::LEASE;

/// How a workflow that was followed ended.
#[derive(Debug)]
pub enum Followed {
    /// It is complete, or cancelled.
    Completed(Box<WorkflowSummary>, Vec<TableProgress>),
    /// The watcher was asked to stop; the workflow continues, or can be continued.
    Interrupted,
}

/// Shows a workflow's progress until it is complete or `stop` resolves. Passing failures to ask are waited out.
///
/// # Errors
/// When the checkpoint cannot be asked for other than passing reasons.
pub async fn follow(
    catalog: &HybridCheckpoint,
    id: WorkflowId,
    view: &mut dyn Watcher,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Followed, AppError> {
    let began = Instant::now();
    let (mut hinted, mut told_paused) = (false, false);
    let mut half_ended: Option<Instant> = None;
    loop {
        match look(catalog, id).await {
            Ok((workflow, tables)) => {
                view.update(&workflow, &tables);
                // Asked to run again in the moment in which the workflow ended, a table makes it continue.
                let is_over = tables.iter().all(TableProgress::has_ended);
                let since = *half_ended.get_or_insert_with(Instant::now);
                if !workflow.has_ended() {
                    half_ended = None;
                } else if is_over || since.elapsed() > GOES_ON_WITHIN {
                    return Ok(Followed::Completed(Box::new(workflow), tables));
                }
                if workflow.status == "PAUSED" && !told_paused {
                    view.say(&format!(
                        "the workflow {0} is paused; `snowhaul workflow resume {0}` continues it",
                        workflow.name
                    ));
                }
                told_paused = workflow.status == "PAUSED";
                if !hinted && began.elapsed() > HINT_AFTER {
                    hinted = true;
                    let is_open = |table: &TableProgress| {
                        matches!(table.status.as_str(), "PENDING" | "ANALYZING")
                    };
                    if workflow.status == "PENDING" {
                        view.say(
                            "no orchestrator has taken the workflow yet: is one running with the same connection and affinity? (`snowhaul orchestrator`)"
                        );
                    } else if tables.iter().all(is_open) {
                        view.say(&format!(
                            "no table is analyzed yet: if that lasts, is a worker running that has [connections.source.{}] and the workflow's affinity? (`snowhaul worker`)",
                            workflow.source_platform
                        ));
                    }
                }
            }
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "progress could not be read; asking again");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = &mut *stop => return Ok(Followed::Interrupted),
        }
    }
}

async fn look(
    catalog: &HybridCheckpoint,
    id: WorkflowId,
) -> Result<(WorkflowSummary, Vec<TableProgress>), CheckpointError> {
    let workflow = catalog
        .find_workflow(&id.to_string())
        .await?
        .ok_or_else(|| CheckpointError::Schema(format!("workflow {id} does not exist any more")))?;
    Ok((workflow, catalog.table_progress(id).await?))
}
