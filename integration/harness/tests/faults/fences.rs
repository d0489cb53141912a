//! Fences between owners and between operators, and tasks that are kept or deleted, asked of the checkpoint itself.

use crate::affinities::{LEASE, Metadata};
use snowhaul::checkpoint::{
    Applied, CheckpointError, CommandedWorkflow, OperatorRequests, OrchestratorCheckpoint,
    OwnedWorkflow, StateChange, WorkflowSearch,
};
use snowhaul::domain::phase::{TablePhase, WorkflowPhase};
use snowhaul::domain::request::OperatorCommand;
use snowhaul::domain::{TableNo, WorkflowId};

/// The first workflow of the metadata, taken by `owner`.
pub fn take(metadata: &Metadata, owner: &str) -> OwnedWorkflow {
    let search = WorkflowSearch {
        owner,
        affinity: None,
        lease: LEASE,
        limit: 9,
        driven: &[],
    };
    let taken = metadata.checkpoint.take_workflows(&search);
    let taken = metadata.runtime.block_on(taken).unwrap();
    taken.into_iter().find(|owned| owned.id.0 == 1).unwrap()
}

/// Fences the tables of a workflow that was taken.
pub fn fence(metadata: &Metadata, owned: &OwnedWorkflow) {
    let fenced = metadata.checkpoint.fence_tables(owned);
    metadata.runtime.block_on(fenced).unwrap();
}

/// Ends the table; whether that was applied.
fn end_table(metadata: &Metadata, owned: &OwnedWorkflow) -> Result<bool, CheckpointError> {
    let change = StateChange::TableEnded {
        table_no: TableNo(0),
        phase: TablePhase::Completed,
        error: None,
    };
    let changes = [change];
    let applied = metadata.checkpoint.apply(owned, &changes);
    Ok(metadata.runtime.block_on(applied)?[0] == Applied::Yes)
}

#[test]
fn of_two_that_take_from_the_same_old_row_only_the_one_that_stands_there_can_write() {
    let metadata = Metadata::new();
    let first = take(&metadata, "first");
    // As it was before, for whoever did not see the first one.
    metadata.run("UPDATE {s}.WORKFLOW SET OWNER = NULL, OWNER_EPOCH = 0, LEASE_UNTIL = NULL");
    let second = take(&metadata, "second");
    assert_ne!(first.epoch, second.epoch);
    fence(&metadata, &second);
    fence(&metadata, &first);
    assert!(matches!(
        end_table(&metadata, &first),
        Err(CheckpointError::Fenced(_))
    ));
    let driven = [(first.id, first.epoch)];
    let renewed = metadata.checkpoint.renew_workflows("first", &driven, LEASE);
    assert_eq!(metadata.runtime.block_on(renewed).unwrap(), [first.id]);
    assert!(end_table(&metadata, &second).unwrap());
}

#[test]
fn who_owns_a_workflow_takes_its_tables_also_from_a_larger_epoch_that_owns_it_no_more() {
    let metadata = Metadata::new();
    let owned = take(&metadata, "o");
    // Of one that took it in the same moment, added more, and was overwritten.
    let larger = owned.epoch.0 + 5;
    metadata.run(&format!(
        "UPDATE {{s}}.TABLE_STATE SET OWNER_EPOCH = {larger} WHERE WORKFLOW_ID = 1"
    ));
    fence(&metadata, &owned);
    assert!(end_table(&metadata, &owned).unwrap());
    metadata.run("UPDATE {s}.WORKFLOW SET OWNER = NULL, LEASE_UNTIL = NULL");
    let next = take(&metadata, "next");
    assert!(next.epoch.0 > larger, "{} {larger}", next.epoch);
}

#[test]
fn two_requests_of_the_same_moment_do_not_look_like_one() {
    let metadata = Metadata::new();
    metadata.run("INSERT INTO {s}.WORKFLOW_REQUEST (WORKFLOW_ID, REQUEST_SEQ) SELECT WORKFLOW_ID, 0 FROM {s}.WORKFLOW");
    let commanded = CommandedWorkflow {
        id: WorkflowId(1),
        name: "w1".to_owned(),
        phase: WorkflowPhase::Pending,
        request: None,
        request_seq: 0,
        tables: Vec::new(),
    };
    let numbers = [OperatorCommand::Pause, OperatorCommand::Cancel].map(|command| {
        // As both found it.
        metadata.run("UPDATE {s}.WORKFLOW_REQUEST SET REQUEST_SEQ = 0");
        let submitted = metadata.checkpoint.submit(&commanded, command, &[]);
        assert!(metadata.runtime.block_on(submitted).unwrap());
        metadata.rows("SELECT REQUEST_SEQ FROM {s}.WORKFLOW_REQUEST WHERE WORKFLOW_ID = 1")
    });
    assert_ne!(numbers[0], numbers[1]);
}

#[test]
fn tasks_of_workflows_that_ended_long_ago_go_unless_something_of_them_can_run_again() {
    let metadata = Metadata::new();
    for workflow in 1..=3 {
        metadata.queue(workflow, 0, "EXTRACT", 0);
    }
    metadata.run("INSERT INTO {s}.WORKFLOW_REQUEST (WORKFLOW_ID, REQUEST_SEQ) SELECT WORKFLOW_ID, 0 FROM {s}.WORKFLOW");
    let left = |ended: &str, phase: &str| {
        metadata.run("UPDATE {s}.WORKFLOW SET STATUS = 'COMPLETED', OWNER = NULL, LEASE_UNTIL = NULL, ENDED_AT = SYSDATE()");
        metadata.run(&format!(
            "UPDATE {{s}}.WORKFLOW SET ENDED_AT = DATEADD('day', -{ended}, SYSDATE()) WHERE WORKFLOW_ID = 2"
        ));
        metadata.run(&format!("UPDATE {{s}}.TABLE_STATE SET PHASE = '{phase}'"));
        metadata.run("UPDATE {s}.WORKFLOW SET STATUS = 'EXECUTING' WHERE WORKFLOW_ID = 1");
        metadata.run("UPDATE {s}.TABLE_STATE SET PHASE = 'COMPLETED' WHERE WORKFLOW_ID = 1");
        let owned = take(&metadata, "o");
        let end = metadata
            .checkpoint
            .complete_workflow(&owned, WorkflowPhase::Completed);
        assert_eq!(metadata.runtime.block_on(end).unwrap(), Applied::Yes);
        let rows = metadata.rows("SELECT WORKFLOW_ID FROM {s}.TASK_QUEUE ORDER BY WORKFLOW_ID");
        let ids = rows.into_iter().flatten().flatten();
        ids.collect::<Vec<String>>().join(" ")
    };
    assert_eq!(left("29", "COMPLETED"), "1 2 3");
    assert_eq!(left("31", "FAILED"), "1 2 3");
    assert_eq!(left("31", "CANCELLED"), "1 2 3");
    assert_eq!(left("31", "COMPLETED"), "1 3");
}
