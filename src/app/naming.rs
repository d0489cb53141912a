//! Names for workflows whose users give none: made from the file's name and a number.

use crate::checkpoint::{CheckpointError, HybridCheckpoint, NewWorkflow};
use crate::config::workflow_name::{next, number};
use crate::domain::WorkflowId;

/// How often another name is tried when somebody else takes one in the same moment.
const TRIES: usize = 20;

/// Creates a workflow under the next free name that begins with `stem`, and gives it that name. Somebody else who creates
/// one of the same file at the same time gets another; a repetition after a lost reply finds the one that it has created.
///
/// # Errors
/// As [`HybridCheckpoint::create_workflow`].
pub async fn create_numbered(
    catalog: &HybridCheckpoint,
    stem: &str,
    workflow: &mut NewWorkflow,
) -> Result<WorkflowId, CheckpointError> {
    let mut tries = 0;
    loop {
        let taken = catalog.numbered(stem).await?;
        workflow.name = next(stem, taken.iter().map(|found| found.name.as_str()));
        tries += 1;
        match catalog.create_workflow(workflow).await {
            Err(CheckpointError::NameTaken(_)) if tries < TRIES => {}
            created => return created,
        }
    }
}

/// The name under which a run of this file continues: that of its latest open workflow, which an earlier run may have left, or
/// else the next free one. One statement.
///
/// # Errors
/// When the checkpoint cannot be asked.
pub async fn name_of_run(
    catalog: &HybridCheckpoint,
    stem: &str,
    workflow: &NewWorkflow,
) -> Result<String, CheckpointError> {
    let found = catalog.numbered(stem).await?;
    let open = found
        .iter()
        .filter(|found| !found.phase.is_terminal() && found.is_same(workflow))
        .filter(|found| number(stem, &found.name).is_some())
        .max_by_key(|found| number(stem, &found.name));
    Ok(match open {
        Some(open) => open.name.clone(),
        None => next(stem, found.iter().map(|found| found.name.as_str())),
    })
}
