//! The end of a workflow.

use super::super::bench::Bench;
use super::scene::*;
use crate::checkpoint::{Applied, OwnedWorkflow, StateChange};
use crate::domain::TableNo;
use crate::domain::phase::{TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::OperatorCommand;

async fn end_table(bench: &dyn Bench, owned: &OwnedWorkflow, table_no: TableNo) {
    let ended = StateChange::TableEnded {
        table_no,
        phase: TablePhase::Completed,
        error: None,
    };
    assert_eq!(apply(bench, owned, &[ended]).await, [Applied::Yes]);
}

async fn complete(bench: &dyn Bench, owned: &OwnedWorkflow) -> Applied {
    let completed = WorkflowPhase::Completed;
    let ended = bench.orchestrator().complete_workflow(owned, completed);
    ended.await.unwrap()
}

pub async fn a_workflow_ends_when_its_tables_have_and_not_before(bench: &dyn Bench) {
    let owned = driven(bench).await;
    for no in [FIRST, SECOND] {
        planned(bench, &owned, no, 0).await;
        assert_eq!(complete(bench, &owned).await, Applied::No);
        end_table(bench, &owned, no).await;
    }
    for _ in 0..2 {
        assert_eq!(complete(bench, &owned).await, Applied::Yes);
    }
    let stored = bench.stored(owned.id).await;
    assert_eq!(
        (stored.phase, stored.owner),
        (WorkflowPhase::Completed, None)
    );
    bench.let_time_pass().await;
    assert_eq!(take(bench, &search("two")).await, []);
}

pub async fn a_workflow_does_not_end_over_a_request_that_its_owner_does_not_know(
    bench: &dyn Bench,
) {
    let owned = driven(bench).await;
    for table_no in [FIRST, SECOND] {
        let ended = StateChange::TableEnded {
            table_no,
            phase: TablePhase::Failed,
            error: Some("the target is gone".to_owned()),
        };
        apply(bench, &owned, &[ended]).await;
    }
    submit(bench, owned.id, OperatorCommand::Pause, &[]).await;
    assert_eq!(complete(bench, &owned).await, Applied::No);
    // Nor while a table is to run again.
    submit(bench, owned.id, OperatorCommand::Retry, &[FIRST]).await;
    let owned = looked(bench, &owned).await;
    assert_eq!(complete(bench, &owned).await, Applied::No);
    apply_requests(bench, &owned).await;
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.phase, WorkflowPhase::Executing);
}

pub async fn tasks_that_are_left_end_with_their_workflow(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 3).await;
    planned(bench, &owned, SECOND, 0).await;
    let claimed = claim(bench, "w", 2).await;
    finish(bench, &claimed[0], done("r")).await;
    // Whoever died between a change of phase and the collection of its tasks leaves these behind.
    for no in [FIRST, SECOND] {
        end_table(bench, &owned, no).await;
    }
    assert_eq!(complete(bench, &owned).await, Applied::Yes);
    let stored = bench.stored(owned.id).await;
    let phases: Vec<_> = stored.tasks.values().map(|task| task.phase).collect();
    assert_eq!(
        phases,
        [
            TaskPhase::Completed,
            TaskPhase::Cancelled,
            TaskPhase::Cancelled
        ]
    );
    assert!(stored.tasks.values().all(|task| task.is_collected));
    assert_eq!(finish(bench, &claimed[1], done("r")).await, Applied::No);
}
