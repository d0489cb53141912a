//! Who drives a workflow.

use super::super::bench::Bench;
use super::scene::*;
use crate::checkpoint::{CheckpointError, StateChange, WorkflowSearch};
use crate::domain::phase::{TablePhase, WorkflowPhase};
use crate::domain::request::{DueRequests, OperatorCommand, Request};

pub async fn a_workflow_belongs_to_one_until_its_lease_runs_out(bench: &dyn Bench) {
    let id = bench.create(&workflow("w", None)).await;
    let one = take_one(bench, "one").await;
    assert_eq!((one.id, one.phase), (id, WorkflowPhase::Pending));
    assert_eq!(take(bench, &search("two")).await, []);
    let driven = [(id, one.epoch)];
    let orchestrator = bench.orchestrator();
    let renewed = orchestrator.renew_workflows("one", &driven, LEASE).await;
    assert_eq!(renewed.unwrap(), []);
    bench.let_time_pass().await;
    let two = take_one(bench, "two").await;
    assert!(two.epoch > one.epoch);
    let renewed = orchestrator.renew_workflows("one", &driven, LEASE).await;
    assert_eq!(renewed.unwrap(), [id]);
    let driven = [(id, two.epoch)];
    let renewed = orchestrator.renew_workflows("two", &driven, LEASE).await;
    assert_eq!(renewed.unwrap(), []);
}

pub async fn a_workflow_that_is_given_back_is_free_at_once(bench: &dyn Bench) {
    let id = bench.create(&workflow("w", None)).await;
    let one = take_one(bench, "one").await;
    let orchestrator = bench.orchestrator();
    orchestrator.release_workflows("another").await.unwrap();
    assert_eq!(take(bench, &search("two")).await, []);
    orchestrator.release_workflows("one").await.unwrap();
    let two = take_one(bench, "two").await;
    assert_eq!(two.id, id);
    assert!(two.epoch > one.epoch);
}

pub async fn an_owner_hears_of_requests_that_it_does_not_know_under_its_epoch(bench: &dyn Bench) {
    let id = bench.create(&workflow("w", None)).await;
    let one = take_one(bench, "one").await;
    let driven = [(id, one.epoch, one.request_seq)];
    let search = WorkflowSearch {
        driven: &driven,
        ..search("one")
    };
    assert_eq!(take(bench, &search).await, []);
    submit(bench, id, OperatorCommand::Pause, &[]).await;
    let again = take(bench, &search).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].epoch, one.epoch);
    assert_eq!(again[0].request, Some(Request::Pause));
    assert!(again[0].request_seq > one.request_seq);
    // Not who does not drive it.
    let stranger = WorkflowSearch {
        owner: "two",
        ..search
    };
    assert_eq!(take(bench, &stranger).await, []);
    // One whose lease has run out takes it again like anybody else.
    bench.let_time_pass().await;
    let taken = take(bench, &search).await;
    assert_eq!(taken.len(), 1);
    assert!(taken[0].epoch > one.epoch);
}

pub async fn workflows_are_taken_in_the_order_of_their_creation_up_to_the_limit(bench: &dyn Bench) {
    let mut ids = Vec::new();
    for name in ["x", "y", "z"] {
        ids.push(bench.create(&workflow(name, None)).await);
    }
    let search = WorkflowSearch {
        limit: 2,
        ..search("one")
    };
    let first = bench.orchestrator().take_workflows(&search).await.unwrap();
    let mut first: Vec<_> = first.into_iter().map(|owned| owned.id).collect();
    first.sort();
    let mut expected = ids[..2].to_vec();
    expected.sort();
    assert_eq!(first, expected);
    let second = bench.orchestrator().take_workflows(&search).await.unwrap();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].id, ids[2]);
}

pub async fn workflows_of_another_affinity_are_left(bench: &dyn Bench) {
    for (name, of) in [("x", None), ("y", Some("blue")), ("z", Some("red"))] {
        bench.create(&workflow(name, of)).await;
    }
    for (filter, expected) in [("green", "x"), ("blue", "y"), ("r*", "z")] {
        let filter = affinity(filter);
        let search = WorkflowSearch {
            affinity: Some(&filter),
            ..search("one")
        };
        let taken = take(bench, &search).await;
        let names: Vec<_> = taken.iter().map(|owned| owned.name.as_str()).collect();
        assert_eq!(names, [expected], "{filter}");
    }
}

pub async fn nothing_that_a_former_owner_writes_changes_anything(bench: &dyn Bench) {
    let one = driven(bench).await;
    planned(bench, &one, FIRST, 2).await;
    apply(bench, &one, &[staged(FIRST, 0, 1)]).await;
    bench.let_time_pass().await;
    let two = take_one(bench, "two").await;
    let before = bench.stored(one.id).await;
    let orchestrator = bench.orchestrator();
    let fenced = |answer: Result<(), CheckpointError>| {
        let is_fenced = matches!(answer, Err(CheckpointError::Fenced(id)) if id == one.id);
        assert!(is_fenced, "{answer:?}");
    };
    fenced(orchestrator.start_workflow(&one).await);
    let completed = WorkflowPhase::Completed;
    let ended = orchestrator.complete_workflow(&one, completed).await;
    fenced(ended.map(drop));
    let orders = DueRequests {
        cancel: vec![FIRST],
        retry: Vec::new(),
        withdraw: Vec::new(),
    };
    fenced(orchestrator.apply_requests(&one, &orders).await);
    let tables = (&table("a").source, &table("a").target);
    let claimed = orchestrator.claim_synchronization(&one, FIRST, "key", tables);
    fenced(claimed.await.map(drop));
    let written = orchestrator
        .write_plan(&one, SECOND, &plan(SECOND, 1))
        .await;
    fenced(written.map(drop));
    for change in [
        staged(FIRST, 1, 1),
        failed(FIRST, 1),
        StateChange::TableEnded {
            table_no: FIRST,
            phase: TablePhase::Failed,
            error: None,
        },
    ] {
        let applied = orchestrator.apply(&one, std::slice::from_ref(&change));
        fenced(applied.await.map(drop));
    }
    // These do not say so.
    orchestrator.fence_tables(&one).await.unwrap();
    orchestrator.start_analysis(&one, &[SECOND]).await.unwrap();
    let tasks = [analysis(SECOND)];
    orchestrator.enqueue(&one, &tasks).await.unwrap();
    let units = [unit(FIRST, 0, 1)];
    assert!(
        !bench
            .load(&one, FIRST, &table_plan(FIRST, None), &units)
            .await
    );
    assert_eq!(bench.stored(one.id).await, before);
    assert!(
        bench
            .load(&two, FIRST, &table_plan(FIRST, None), &units)
            .await
    );
}

pub async fn a_workflow_starts_once(bench: &dyn Bench) {
    bench.create(&workflow("w", None)).await;
    let owned = take_one(bench, "one").await;
    for _ in 0..2 {
        bench.orchestrator().start_workflow(&owned).await.unwrap();
        let stored = bench.stored(owned.id).await;
        assert_eq!(stored.phase, WorkflowPhase::Executing);
    }
}
