//! Following a workflow to its end, and both roles in one process until it is there.

use super::RoleError;
use super::orchestrator::Prepared;
use super::worker::Worker;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::{
    HybridCheckpoint, NewWorkflow, TableProgress, WorkflowCatalog, WorkflowSummary,
};
use crate::config::orchestrator::OrchestratorConfig;
use crate::config::worker::WorkerConfig;
use crate::domain::WorkflowId;
use crate::snowflake::{Connection, SnowflakeClient};
use crate::telemetry::progress::ProgressView;
use std::time::{Duration, Instant};

/// Pause between two looks at the progress.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After this long without an owner, or without a table that is analyzed, a hint says what may be missing.
const HINT_AFTER: Duration = Duration::from_secs(30);
/// How long a workflow may be written as ended while a table of it is not: an orchestrator takes it up within that time.
const GOES_ON_WITHIN: Duration = Duration::from_secs(60);

/// How a workflow that was followed ended.
#[derive(Debug)]
pub enum Followed {
    /// It is complete, or cancelled.
    Completed(Box<WorkflowSummary>, Vec<TableProgress>),
    /// The watcher was asked to stop; the workflow goes on, or can be continued.
    Interrupted,
}

/// Shows a workflow's progress until it is complete or `stop` resolves. Passing failures to ask are waited out.
///
/// # Errors
/// When the checkpoint cannot be asked for other than passing reasons.
pub async fn follow(
    catalog: &dyn WorkflowCatalog,
    id: WorkflowId,
    view: &mut ProgressView,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Followed, RoleError> {
    let began = Instant::now();
    let (mut hinted, mut told_paused) = (false, false);
    let mut half_ended: Option<Instant> = None;
    loop {
        match look(catalog, id).await {
            Ok((workflow, tables)) => {
                view.update(&workflow, &tables);
                // Asked to run again in the moment in which the workflow ended, a table makes it go on.
                let is_over = tables.iter().all(TableProgress::has_ended);
                let since = *half_ended.get_or_insert_with(Instant::now);
                if !workflow.has_ended() {
                    half_ended = None;
                } else if is_over || since.elapsed() > GOES_ON_WITHIN {
                    return Ok(Followed::Completed(Box::new(workflow), tables));
                }
                if workflow.status == "PAUSED" && !told_paused {
                    eprintln!(
                        "the workflow {0} is paused; `snowhaul workflow resume {0}` lets it go on",
                        workflow.name
                    );
                }
                told_paused = workflow.status == "PAUSED";
                if !hinted && began.elapsed() > HINT_AFTER {
                    hinted = true;
                    let is_open = |table: &TableProgress| {
                        matches!(table.status.as_str(), "PENDING" | "ANALYZING")
                    };
                    if workflow.status == "PENDING" {
                        eprintln!(
                            "no orchestrator has taken the workflow yet: is one running with the same connection and affinity? (`snowhaul orchestrator`)"
                        );
                    } else if tables.iter().all(is_open) {
                        eprintln!(
                            "no table is analyzed yet: if that lasts, is a worker running that has [connections.source.{}] and the workflow's affinity? (`snowhaul worker`)",
                            workflow.source_platform
                        );
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
    catalog: &dyn WorkflowCatalog,
    id: WorkflowId,
) -> Result<(WorkflowSummary, Vec<TableProgress>), CheckpointError> {
    let workflow = catalog
        .find_workflow(&id.to_string())
        .await?
        .ok_or_else(|| CheckpointError::Schema(format!("workflow {id} does not exist any more")))?;
    Ok((workflow, catalog.table_progress(id).await?))
}

/// What both roles in one process need.
pub struct StandaloneSettings<'a> {
    /// The account.
    pub connection: &'a Connection,
    /// The orchestrator's part.
    pub orchestrator: &'a OrchestratorConfig,
    /// The worker's part.
    pub worker: &'a WorkerConfig,
    /// The workflow; one that exists already with the same configuration is continued.
    pub workflow: &'a NewWorkflow,
}

/// Creates the workflow, or finds it again, and runs both roles until it is complete or `stop` resolves.
///
/// # Errors
/// When a role cannot start, or gives up, or the workflow's name stands for another one.
pub async fn run(
    settings: &StandaloneSettings<'_>,
    view: &mut ProgressView,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Followed, RoleError> {
    let client = SnowflakeClient::new(settings.connection.clone(), "standalone");
    let catalog = HybridCheckpoint::new(client, settings.worker.metadata.clone());
    let orchestrator = Prepared::new(settings.connection, settings.orchestrator).await?;
    // Before it drives: it may complete an interrupted workflow at once, and that is no mistake.
    let found = catalog.find_workflow(&settings.workflow.name).await?;
    let was_complete = found.is_some_and(|workflow| workflow.has_ended());
    let mut orchestrator = orchestrator.start().await?;
    let outcome = async {
        let mut worker = Worker::start(settings.connection, settings.worker).await?;
        let followed = async {
            let id = create_or_continue(&catalog, settings.workflow, was_complete).await?;
            tokio::select! {
                followed = follow(&catalog, id, view, stop) => followed,
                error = worker.ended() => Err(error),
                error = orchestrator.ended() => Err(error),
            }
        }
        .await;
        worker.stop().await;
        followed
    }
    .await;
    orchestrator.stop().await;
    outcome
}

/// Creates a workflow, or finds the one that an earlier, interrupted run of the same command has left.
async fn create_or_continue(
    catalog: &HybridCheckpoint,
    workflow: &NewWorkflow,
    was_complete: bool,
) -> Result<WorkflowId, RoleError> {
    match catalog.create_workflow(workflow).await {
        Ok(id) => Ok(id),
        Err(CheckpointError::NameTaken(name)) => {
            let found = catalog
                .find_workflow(&name)
                .await?
                .ok_or(CheckpointError::NameTaken(name))?;
            let id = WorkflowId(found.workflow_id);
            let same = found.source_platform == workflow.platform.as_str()
                && catalog.configuration(id).await? == workflow.configuration;
            if was_complete {
                return Err(RoleError::Refused(format!(
                    "the workflow {0} is {1} already: look at it with `snowhaul workflow status {0}`, let what failed run again with `snowhaul workflow retry {0}` and then this command, or choose another name",
                    found.name,
                    found.status.to_lowercase()
                )));
            }
            if !same {
                return Err(RoleError::Refused(format!(
                    "a workflow named {} exists with another configuration; choose another name",
                    found.name
                )));
            }
            tracing::info!(
                workflow = found.name,
                id = id.0,
                "the workflow is continued"
            );
            Ok(id)
        }
        Err(error) => Err(error.into()),
    }
}
