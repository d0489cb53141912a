//! What runs of one table leave for the next.

use super::super::bench::Bench;
use super::scene::*;
use crate::checkpoint::{Applied, OwnedWorkflow};
use crate::domain::analysis::{SyncSnapshot, fingerprint};
use crate::domain::phase::{TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::OperatorCommand;

const KEY: &str = "key";

async fn claim_state(bench: &dyn Bench, owned: &OwnedWorkflow) -> Option<String> {
    let spec = table("a");
    let tables = (&spec.source, &spec.target);
    let claimed = bench
        .orchestrator()
        .claim_synchronization(owned, FIRST, KEY, tables);
    claimed.await.unwrap()
}

/// Two workflows of the same table, driven.
async fn two(bench: &dyn Bench) -> [OwnedWorkflow; 2] {
    for name in ["x", "y"] {
        bench.create(&workflow(name, None)).await;
    }
    let mut owned = take(bench, &search("one")).await;
    owned.sort_by(|one, other| one.name.cmp(&other.name));
    for owned in &owned {
        bench.orchestrator().start_workflow(owned).await.unwrap();
    }
    owned.try_into().unwrap()
}

async fn previous(bench: &dyn Bench, owned: &OwnedWorkflow) -> Option<SyncSnapshot> {
    let work = bench.worker().table_work(&[(owned.id, FIRST)]).await;
    work.unwrap().remove(0).previous
}

async fn end(bench: &dyn Bench, owned: &OwnedWorkflow, table: crate::domain::TableNo) {
    let ended = crate::checkpoint::StateChange::TableEnded {
        table_no: table,
        phase: TablePhase::Failed,
        error: Some("broken".to_owned()),
    };
    assert_eq!(apply(bench, owned, &[ended]).await, [Applied::Yes]);
}

pub async fn a_state_belongs_to_one_workflow_until_it_has_ended(bench: &dyn Bench) {
    let [x, y] = two(bench).await;
    for _ in 0..2 {
        assert_eq!(claim_state(bench, &x).await, None);
        assert_eq!(claim_state(bench, &y).await, Some("x".to_owned()));
    }
    for table in [FIRST, SECOND] {
        end(bench, &x, table).await;
    }
    assert_eq!(claim_state(bench, &y).await, Some("x".to_owned()));
    let ended = bench
        .orchestrator()
        .complete_workflow(&x, WorkflowPhase::Completed);
    assert_eq!(ended.await.unwrap(), Applied::Yes);
    assert_eq!(claim_state(bench, &y).await, None);
    // Also one that is being cancelled.
    submit(bench, y.id, OperatorCommand::Cancel, &[]).await;
    submit(bench, x.id, OperatorCommand::Retry, &[FIRST]).await;
    let x = take_one(bench, "one").await;
    assert_eq!(claim_state(bench, &x).await, None);
}

pub async fn a_plan_from_an_older_state_is_refused_and_analyzed_again(bench: &dyn Bench) {
    let [x, y] = two(bench).await;
    claim_state(bench, &x).await;
    let nothing = fingerprint(None).unwrap();
    let first = plan_with_state(FIRST, 2, KEY, Some(nothing.clone()));
    write_plan(bench, &x, FIRST, &first).await;
    for table in [FIRST, SECOND] {
        end(bench, &x, table).await;
    }
    let ended = bench
        .orchestrator()
        .complete_workflow(&x, WorkflowPhase::Completed);
    ended.await.unwrap();
    // Its analysis read the state before the first one had left something.
    let tasks = [analysis(FIRST)];
    bench.orchestrator().enqueue(&y, &tasks).await.unwrap();
    let task = claim(bench, "w", 1).await.remove(0);
    finish(bench, &task, done("{}")).await;
    assert_eq!(claim_state(bench, &y).await, None);
    let older = plan_with_state(FIRST, 1, KEY, Some(nothing));
    let written = bench.orchestrator().write_plan(&y, FIRST, &older).await;
    assert_eq!(written.unwrap(), Applied::No);
    let stored = bench.stored(y.id).await;
    assert_eq!(stored.tables[&FIRST].phase, TablePhase::Pending);
    assert!(stored.partitions.is_empty());
    assert_eq!(stored.tasks["0/ANALYZE"].phase, TaskPhase::Pending);
    let left = previous(bench, &y).await;
    assert_eq!(left.as_ref().map(|left| left.partitions.len()), Some(2));
    let task = claim(bench, "w", 1).await.remove(0);
    assert_eq!(task.attempt.0, 2);
    finish(bench, &task, done("{}")).await;
    let newer = plan_with_state(FIRST, 1, KEY, Some(fingerprint(left.as_ref()).unwrap()));
    write_plan(bench, &y, FIRST, &newer).await;
    assert_eq!(bench.stored(y.id).await.tables[&FIRST].state.len(), 1);
}

pub async fn a_plan_whose_state_was_taken_writes_nothing(bench: &dyn Bench) {
    let [x, y] = two(bench).await;
    claim_state(bench, &x).await;
    submit(bench, x.id, OperatorCommand::Cancel, &[]).await;
    assert_eq!(claim_state(bench, &y).await, None);
    let before = bench.stored(x.id).await;
    let late = plan_with_state(FIRST, 1, KEY, None);
    let written = bench.orchestrator().write_plan(&x, FIRST, &late).await;
    assert_eq!(written.unwrap(), Applied::No);
    assert_eq!(bench.stored(x.id).await, before);
}

pub async fn a_load_moves_the_state_on(bench: &dyn Bench) {
    let [x, y] = two(bench).await;
    claim_state(bench, &x).await;
    let plan = plan_with_state(FIRST, 2, KEY, None);
    write_plan(bench, &x, FIRST, &plan).await;
    apply(bench, &x, &[staged(FIRST, 0, 1), staged(FIRST, 1, 1)]).await;
    let (first, second) = ([unit(FIRST, 0, 1)], [unit(FIRST, 1, 1)]);
    assert!(bench.load(&x, FIRST, &plan.plan, &first).await);
    let state = bench.stored(x.id).await.tables[&FIRST].state.clone();
    assert_eq!(state, [(Some("sum 0".to_owned()), None), (None, None)]);
    // Another workflow has it now.
    submit(bench, x.id, OperatorCommand::Cancel, &[]).await;
    assert_eq!(claim_state(bench, &y).await, None);
    assert!(!bench.load(&x, FIRST, &plan.plan, &second).await);
    let left = previous(bench, &y).await.unwrap();
    let sums: Vec<_> = left.partitions.iter().map(|p| p.checksum.clone()).collect();
    assert_eq!(sums, [Some("sum 0".to_owned()), None]);
}

pub async fn a_table_whose_state_was_taken_does_not_run_again_and_says_so(bench: &dyn Bench) {
    let [x, y] = two(bench).await;
    claim_state(bench, &x).await;
    let plan = plan_with_state(FIRST, 1, KEY, None);
    write_plan(bench, &x, FIRST, &plan).await;
    submit(bench, x.id, OperatorCommand::Cancel, &[]).await;
    let x = looked(bench, &x).await;
    apply_requests(bench, &x).await;
    assert_eq!(claim_state(bench, &y).await, None);
    let cancelled = bench
        .orchestrator()
        .complete_workflow(&x, WorkflowPhase::Cancelled);
    assert_eq!(cancelled.await.unwrap(), Applied::Yes);
    submit(bench, x.id, OperatorCommand::Retry, &[FIRST]).await;
    let commanded = bench
        .operators()
        .commanded("x", OperatorCommand::Retry)
        .await
        .unwrap();
    let commanded = commanded.unwrap();
    assert!(commanded.tables[0].cannot_retry.is_some());
    assert_eq!(commanded.tables[1].cannot_retry, None);
    let x = take_one(bench, "one").await;
    apply_requests(bench, &x).await;
    let table = &bench.stored(x.id).await.tables[&FIRST];
    assert_eq!(table.phase, TablePhase::Cancelled);
    assert_eq!(table.error.as_deref(), Some("taken by y"));
    assert_eq!(table.request, None);
}
