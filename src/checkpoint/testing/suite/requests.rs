//! What operators ask.

use super::super::bench::Bench;
use super::scene::*;
use crate::checkpoint::{Applied, StateChange};
use crate::domain::Attempt;
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::{DueRequests, OperatorCommand, Request};

pub async fn a_paused_workflow_or_table_gives_no_task_out(bench: &dyn Bench) {
    let owned = driven(bench).await;
    let tasks = [analysis(FIRST), analysis(SECOND)];
    bench.orchestrator().enqueue(&owned, &tasks).await.unwrap();
    submit(bench, owned.id, OperatorCommand::Pause, &[]).await;
    assert_eq!(claim(bench, "w", 9).await, []);
    submit(bench, owned.id, OperatorCommand::Pause, &[SECOND]).await;
    submit(bench, owned.id, OperatorCommand::Resume, &[SECOND]).await;
    assert_eq!(claim(bench, "w", 9).await, []);
    // Resuming the whole resumes its tables.
    submit(bench, owned.id, OperatorCommand::Pause, &[FIRST]).await;
    submit(bench, owned.id, OperatorCommand::Resume, &[]).await;
    submit(bench, owned.id, OperatorCommand::Pause, &[SECOND]).await;
    let claimed = claim(bench, "w", 9).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].table_no, FIRST);
    // What runs may end.
    submit(bench, owned.id, OperatorCommand::Pause, &[]).await;
    assert_eq!(finish(bench, &claimed[0], done("r")).await, Applied::Yes);
}

pub async fn a_cancelled_claim_ends_nothing_and_gives_up_its_lease(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 2).await;
    let task = claim(bench, "w", 1).await.remove(0);
    submit(bench, owned.id, OperatorCommand::Cancel, &[FIRST]).await;
    let tasks = bench.stored(owned.id).await.tasks;
    let cancelled = tasks
        .values()
        .filter(|task| task.phase == TaskPhase::Cancelled);
    assert_eq!(cancelled.count(), 2);
    assert!(tasks["0/0/EXTRACT"].is_leased);
    assert_eq!(finish(bench, &task, done("r")).await, Applied::No);
    let task = &bench.stored(owned.id).await.tasks["0/0/EXTRACT"];
    assert_eq!(task.phase, TaskPhase::Cancelled);
    assert!(!task.is_leased && task.result.is_none());
}

pub async fn a_cancelled_table_keeps_what_is_loaded(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 4).await;
    let changes = [staged(FIRST, 0, 1), staged(FIRST, 1, 1), failed(FIRST, 2)];
    apply(bench, &owned, &changes).await;
    let units = [unit(FIRST, 0, 1)];
    bench
        .load(&owned, FIRST, &table_plan(FIRST, None), &units)
        .await;
    submit(bench, owned.id, OperatorCommand::Cancel, &[FIRST]).await;
    let owned = looked(bench, &owned).await;
    for _ in 0..2 {
        apply_requests(bench, &owned).await;
    }
    let stored = bench.stored(owned.id).await;
    let phases: Vec<_> = stored.partitions.values().map(|p| p.phase).collect();
    assert_eq!(
        phases,
        [
            PartitionPhase::Loaded,
            PartitionPhase::Cancelled,
            PartitionPhase::Failed,
            PartitionPhase::Cancelled
        ]
    );
    assert_eq!(stored.tables[&FIRST].phase, TablePhase::Cancelled);
    assert_eq!(stored.tables[&FIRST].request, None);
    assert_eq!(stored.tables[&SECOND].phase, TablePhase::Pending);
    let load = [unit(FIRST, 1, 1)];
    assert!(
        !bench
            .load(&owned, FIRST, &table_plan(FIRST, None), &load)
            .await
    );
}

pub async fn what_failed_runs_again_under_new_attempts(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 3).await;
    for task in claim(bench, "w", 2).await {
        finish(bench, &task, done("r")).await;
    }
    apply(bench, &owned, &[staged(FIRST, 0, 1), failed(FIRST, 1)]).await;
    // While the table is at work, only what failed runs again.
    submit(bench, owned.id, OperatorCommand::Retry, &[FIRST]).await;
    let owned = looked(bench, &owned).await;
    apply_requests(bench, &owned).await;
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.partitions[&(0, 0)].phase, PartitionPhase::Staged);
    let again = &stored.partitions[&(0, 1)];
    assert_eq!(again.phase, PartitionPhase::Pending);
    assert_eq!((&again.attempt, &again.error), (&None, &None));
    assert_eq!(stored.tables[&FIRST].request, None);
    let claimed = claim(bench, "w", 1).await;
    let task = &claimed[0];
    assert_eq!(
        (task.task_id.as_str(), task.attempt),
        (format!("{}/0/1/EXTRACT", owned.id).as_str(), Attempt(2))
    );
    // Of one that had ended, all that is not in the target: staged files may be gone.
    let ended = StateChange::TableEnded {
        table_no: FIRST,
        phase: TablePhase::Failed,
        error: Some("the target is gone".to_owned()),
    };
    apply(bench, &owned, &[ended]).await;
    submit(bench, owned.id, OperatorCommand::Retry, &[FIRST]).await;
    let owned = looked(bench, &owned).await;
    apply_requests(bench, &owned).await;
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.tables[&FIRST].phase, TablePhase::Executing);
    assert_eq!(stored.tables[&FIRST].error, None);
    let mut phases = stored.partitions.values().map(|p| p.phase);
    assert!(phases.all(|phase| phase == PartitionPhase::Pending));
    // One may still be running under its old lease.
    let claimed = claim(bench, "w", 9).await;
    let attempts: Vec<_> = claimed.iter().map(|task| task.attempt.0).collect();
    assert_eq!(attempts, [2, 1]);
    bench.let_time_pass().await;
    assert_eq!(claim(bench, "w", 9).await[0].attempt, Attempt(3));
}

pub async fn a_table_that_was_never_planned_is_analyzed_again(bench: &dyn Bench) {
    let owned = driven(bench).await;
    let orchestrator = bench.orchestrator();
    let tasks = [analysis(FIRST)];
    orchestrator.start_analysis(&owned, &[FIRST]).await.unwrap();
    orchestrator.enqueue(&owned, &tasks).await.unwrap();
    let task = claim(bench, "w", 1).await.remove(0);
    finish(bench, &task, done("{}")).await;
    let ended = StateChange::TableEnded {
        table_no: FIRST,
        phase: TablePhase::Failed,
        error: Some("the target cannot be created".to_owned()),
    };
    apply(bench, &owned, &[ended]).await;
    submit(bench, owned.id, OperatorCommand::Retry, &[FIRST]).await;
    let owned = looked(bench, &owned).await;
    apply_requests(bench, &owned).await;
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.tables[&FIRST].phase, TablePhase::Pending);
    let task = &stored.tasks["0/ANALYZE"];
    assert_eq!((task.phase, task.attempt), (TaskPhase::Pending, Attempt(1)));
    assert!(!task.is_collected && task.result.is_none());
    assert_eq!(claim(bench, "w", 1).await[0].attempt, Attempt(2));
}

pub async fn a_workflow_that_has_ended_runs_again(bench: &dyn Bench) {
    let owned = driven(bench).await;
    for no in [FIRST, SECOND] {
        planned(bench, &owned, no, 1).await;
    }
    submit(bench, owned.id, OperatorCommand::Cancel, &[]).await;
    let owned = looked(bench, &owned).await;
    assert_eq!(owned.request, Some(Request::Cancel));
    apply_requests(bench, &owned).await;
    let cancelled = WorkflowPhase::Cancelled;
    let ended = bench.orchestrator().complete_workflow(&owned, cancelled);
    assert_eq!(ended.await.unwrap(), Applied::Yes);
    assert_eq!(take(bench, &search("two")).await, []);
    submit(bench, owned.id, OperatorCommand::Retry, &[SECOND]).await;
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.phase, WorkflowPhase::Executing);
    assert_eq!(stored.request, None);
    let two = take_one(bench, "two").await;
    apply_requests(bench, &two).await;
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.tables[&FIRST].phase, TablePhase::Cancelled);
    assert_eq!(stored.tables[&SECOND].phase, TablePhase::Executing);
    assert_eq!(claim(bench, "w", 9).await.len(), 1);
}

pub async fn of_two_commands_at_once_one_is_taken(bench: &dyn Bench) {
    let owned = driven(bench).await;
    let operators = bench.operators();
    let commanded = operators
        .commanded("w", OperatorCommand::Pause)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(commanded.id, owned.id);
    assert!(
        operators
            .submit(&commanded, OperatorCommand::Pause, &[])
            .await
            .unwrap()
    );
    let before = bench.stored(owned.id).await;
    assert!(
        !operators
            .submit(&commanded, OperatorCommand::Cancel, &[])
            .await
            .unwrap()
    );
    assert!(
        !operators
            .submit(&commanded, OperatorCommand::Cancel, &[FIRST])
            .await
            .unwrap()
    );
    assert_eq!(bench.stored(owned.id).await, before);
    assert_eq!(before.request, Some(Request::Pause));
    assert_eq!(
        operators
            .commanded("another", OperatorCommand::Pause)
            .await
            .unwrap(),
        None
    );
}

pub async fn a_cancellation_ends_what_else_was_asked(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    apply(bench, &owned, &[failed(FIRST, 0)]).await;
    submit(bench, owned.id, OperatorCommand::Retry, &[FIRST]).await;
    submit(bench, owned.id, OperatorCommand::Pause, &[SECOND]).await;
    let requests = |stored: &super::super::bench::Stored| {
        let tables = stored.tables.values();
        tables.map(|table| table.request).collect::<Vec<_>>()
    };
    let stored = bench.stored(owned.id).await;
    assert_eq!(
        requests(&stored),
        [Some(Request::Retry), Some(Request::Pause)]
    );
    submit(bench, owned.id, OperatorCommand::Cancel, &[]).await;
    let stored = bench.stored(owned.id).await;
    assert_eq!(requests(&stored), [None, None]);
    assert_eq!(stored.request, Some(Request::Cancel));
}

pub async fn a_request_to_run_again_is_withdrawn_only_while_its_workflow_is_cancelled(
    bench: &dyn Bench,
) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    apply(bench, &owned, &[failed(FIRST, 0)]).await;
    submit(bench, owned.id, OperatorCommand::Retry, &[FIRST]).await;
    let orders = DueRequests {
        cancel: Vec::new(),
        retry: Vec::new(),
        withdraw: vec![FIRST],
    };
    let orchestrator = bench.orchestrator();
    orchestrator.apply_requests(&owned, &orders).await.unwrap();
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.tables[&FIRST].request, Some(Request::Retry));
    submit(bench, owned.id, OperatorCommand::Cancel, &[]).await;
    orchestrator.apply_requests(&owned, &orders).await.unwrap();
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.tables[&FIRST].request, None);
}
