//! Both roles in one process, until a workflow has ended.

use super::orchestrator::Prepared;
use super::shutdown::unless_stopped;
use super::worker::PreparedWorker;
use crate::app::AppError;
use crate::app::follow::{Followed, Watcher, follow};
use crate::checkpoint::{
    CheckpointError, HybridCheckpoint, NamedWorkflow, NewWorkflow, OpenWorkflow,
};
use crate::config::orchestrator::OrchestratorConfig;
use crate::config::worker::WorkerConfig;
use crate::domain::WorkflowId;
use crate::domain::problem::Code;
use crate::snowflake::{Connection, SnowflakeClient};

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

/// Creates the workflow, or finds it again, and runs both roles until it is complete or `stop` resolves. A workflow that is
/// refused is refused before anything is written or begun.
///
/// # Errors
/// When a role cannot start, or gives up, or the workflow's name is taken by another one.
pub async fn run(
    settings: &StandaloneSettings<'_>,
    view: &mut dyn Watcher,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Followed, AppError> {
    let client = SnowflakeClient::new(settings.connection.clone(), "standalone");
    let catalog = HybridCheckpoint::new(client, settings.worker.metadata.clone());
    let prepared = unless_stopped(&catalog, prepare(settings, &catalog, view), stop).await;
    let Some(prepared) = prepared else {
        return Ok(Followed::Interrupted);
    };
    let Ready {
        id,
        orchestrator,
        worker,
    } = prepared?;
    let mut orchestrator = orchestrator.start().await?;
    let outcome = async {
        let mut worker = worker.start().await?;
        let followed = tokio::select! {
            followed = follow(&catalog, id, view, stop) => followed,
            error = worker.ended() => Err(error),
            error = orchestrator.ended() => Err(error),
        };
        worker.stop().await;
        followed
    }
    .await;
    orchestrator.stop().await;
    outcome
}

/// Both roles, which have begun nothing, and their workflow.
struct Ready<'a> {
    id: WorkflowId,
    orchestrator: Prepared<'a>,
    worker: PreparedWorker<'a>,
}

/// Everything that may be refused, and then the workflow.
async fn prepare<'a>(
    settings: &StandaloneSettings<'a>,
    catalog: &HybridCheckpoint,
    view: &mut dyn Watcher,
) -> Result<Ready<'a>, AppError> {
    let workflow = settings.workflow;
    if let Some(found) = catalog.named(&workflow.name).await? {
        refuse_ended(&found)?;
        refuse_another(&found, workflow)?;
    }
    let orchestrator = Prepared::new(settings.connection, settings.orchestrator).await?;
    let worker = PreparedWorker::new(settings.connection, settings.worker).await?;
    let id = create_or_continue(catalog, workflow).await?;
    let affinity = settings.orchestrator.affinity.as_ref();
    if let Some(others) = others(&catalog.open_besides(id, affinity).await?) {
        view.say(&others);
    }
    Ok(Ready {
        id,
        orchestrator,
        worker,
    })
}

/// Creates a workflow, or finds the one that an earlier, interrupted run of the same command has left.
async fn create_or_continue(
    catalog: &HybridCheckpoint,
    workflow: &NewWorkflow,
) -> Result<WorkflowId, AppError> {
    match catalog.create_workflow(workflow).await {
        Ok(id) => Ok(id),
        Err(CheckpointError::NameTaken(name)) => {
            let found = catalog
                .named(&name)
                .await?
                .ok_or(CheckpointError::NameTaken(name))?;
            // Another process may have created it since. One that has ended since is the same run, and its end is reported.
            refuse_another(&found, workflow)?;
            tracing::info!(
                workflow = workflow.name,
                id = found.id.0,
                "the workflow is continued"
            );
            Ok(found.id)
        }
        Err(error) => Err(error.into()),
    }
}

fn refuse_ended(found: &NamedWorkflow) -> Result<(), AppError> {
    if !found.phase.is_terminal() {
        return Ok(());
    }
    let phase = found.phase.as_str().to_lowercase();
    Err(AppError::refused(
        Code::WORKFLOW_ENDED
            .problem(format!("the workflow {} is {phase} already", found.name))
            .hint(format!(
                "look at it with `snowhaul workflow status {0}`, run again what failed with `snowhaul workflow retry {0}` and then this command, or choose another name",
                found.name
            )),
    ))
}

fn refuse_another(found: &NamedWorkflow, workflow: &NewWorkflow) -> Result<(), AppError> {
    if found.is_same(workflow) {
        return Ok(());
    }
    Err(AppError::refused(
        Code::WORKFLOW_NAME_TAKEN
            .problem(format!(
                "a workflow named {} exists with another configuration, so nothing was begun and nothing was written",
                found.name
            ))
            .hint(format!(
                "continue with the file that it was created from (`snowhaul workflow status {}` shows how far it is), or choose another name",
                found.name
            )),
    ))
}

/// What is said of other workflows that this run continues.
fn others(open: &[OpenWorkflow]) -> Option<String> {
    let names = |is_free: bool| {
        let names: Vec<&str> = open
            .iter()
            .filter(|other| other.is_free == is_free)
            .map(|other| other.name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let parts: Vec<String> = [
        names(true).map(|names| format!("continues these open workflows: {names}")),
        names(false).map(|names| format!("takes these over if their owner has died: {names}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "besides its own workflow, this run {}. They stop where they are when this run ends; nothing of them is lost. `snowhaul workflow pause NAME` or `cancel NAME` keeps it from them, and so does an affinity in the workflow's file.",
            parts.join(", and it ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, is_free: bool) -> OpenWorkflow {
        OpenWorkflow {
            name: name.to_owned(),
            is_free,
        }
    }

    #[test]
    fn a_run_says_which_other_workflows_it_goes_on_with() {
        assert_eq!(others(&[]), None);
        let said = others(&[open("a", true), open("b", false), open("c", true)]);
        let said = said.unwrap_or_default();
        assert!(
            said.starts_with(
                "besides its own workflow, this run continues these open workflows: a, c, and it takes these over if their owner has died: b."
            ),
            "{said}"
        );
        let said = others(&[open("b", false)]).unwrap_or_default();
        assert!(said.contains("this run takes these over"), "{said}");
    }
}
