//! Tasks and those who run them.

use super::super::bench::Bench;
use super::scene::*;
use crate::checkpoint::{Applied, ClaimRequest, LeaseRenewal};
use crate::domain::phase::TaskPhase;
use crate::domain::table::Platform;
use crate::domain::task::{ClaimedTask, TaskFailure, TaskKind, TaskOutcome};
use crate::domain::{Attempt, ClaimToken, PartitionNo};
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(60);

fn renewal(task: &ClaimedTask) -> LeaseRenewal {
    LeaseRenewal {
        task_id: task.task_id.clone(),
        token: task.token,
        rows: 1,
        bytes: 1,
    }
}

async fn lost(bench: &dyn Bench, tasks: &[&ClaimedTask]) -> Vec<String> {
    let leases: Vec<_> = tasks.iter().map(|task| renewal(task)).collect();
    bench.worker().renew(&leases, LEASE).await.unwrap()
}

pub async fn a_task_that_is_queued_twice_is_there_once(bench: &dyn Bench) {
    let owned = driven(bench).await;
    for _ in 0..2 {
        let tasks = [analysis(FIRST), analysis(SECOND)];
        bench.orchestrator().enqueue(&owned, &tasks).await.unwrap();
    }
    assert_eq!(claim(bench, "w", 9).await.len(), 2);
    let tasks = [analysis(FIRST)];
    bench.orchestrator().enqueue(&owned, &tasks).await.unwrap();
    assert_eq!(claim(bench, "w", 9).await.len(), 0);
}

pub async fn a_task_is_claimed_by_one(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, SECOND, 1).await;
    let claimed = claim(bench, "w1", 9).await;
    assert_eq!(claimed.len(), 1);
    let task = &claimed[0];
    assert_eq!(task.task_id, format!("{}/1/0/EXTRACT", owned.id));
    assert_eq!((task.kind, task.table_no), (TaskKind::Extract, SECOND));
    assert_eq!(task.partition_no, Some(PartitionNo(0)));
    assert_eq!(task.slice, Some(slice(0)));
    assert_eq!((task.attempt, task.failures), (Attempt(1), 0));
    assert_eq!(claim(bench, "w2", 9).await, []);
}

pub async fn claims_follow_the_priority_up_to_the_limit(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 2).await;
    let tasks = [analysis(SECOND)];
    bench.orchestrator().enqueue(&owned, &tasks).await.unwrap();
    let mut keys = Vec::new();
    for _ in 0..3 {
        let claimed = claim(bench, "w", 1).await;
        assert_eq!(claimed.len(), 1);
        let (_, key) = claimed[0].task_id.split_once('/').unwrap();
        keys.push(key.to_owned());
    }
    assert_eq!(keys, ["1/ANALYZE", "0/0/EXTRACT", "0/1/EXTRACT"]);
}

pub async fn claims_are_for_the_platform_and_the_affinity(bench: &dyn Bench) {
    for (name, of) in [("x", None), ("y", Some("blue"))] {
        bench.create(&workflow(name, of)).await;
    }
    for owned in take(bench, &search("one")).await {
        let tasks = [analysis(FIRST)];
        bench.orchestrator().enqueue(&owned, &tasks).await.unwrap();
    }
    let elsewhere = ClaimRequest {
        platforms: vec![Platform::Postgresql],
        ..request("w", 9)
    };
    assert_eq!(claim_for(bench, &elsewhere).await, []);
    let red = ClaimRequest {
        affinity: Some("red".to_owned()),
        ..request("w", 9)
    };
    assert_eq!(claim_for(bench, &red).await.len(), 1);
    let blue = ClaimRequest {
        affinity: Some("blue".to_owned()),
        ..request("w", 9)
    };
    assert_eq!(claim_for(bench, &blue).await.len(), 1);
}

pub async fn a_claim_that_was_lost_ends_nothing(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    let first = claim(bench, "w1", 1).await.remove(0);
    bench.let_time_pass().await;
    let reaped = bench.orchestrator().reap(&[owned.id], 5).await;
    assert_eq!(reaped.unwrap(), 1);
    let second = claim(bench, "w2", 1).await.remove(0);
    assert_eq!((second.attempt, second.failures), (Attempt(2), 1));
    assert_ne!(second.token, first.token);
    assert_eq!(
        lost(bench, &[&first, &second]).await,
        std::slice::from_ref(&first.task_id)
    );
    let before = bench.stored(owned.id).await;
    assert_eq!(finish(bench, &first, done("old")).await, Applied::No);
    let stranger = ClaimedTask {
        token: ClaimToken::generate(),
        ..second.clone()
    };
    assert_eq!(finish(bench, &stranger, done("none")).await, Applied::No);
    assert_eq!(bench.stored(owned.id).await, before);
    assert_eq!(finish(bench, &second, done("new")).await, Applied::Yes);
}

pub async fn a_claim_that_ended_is_known_again(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    let task = claim(bench, "w", 1).await.remove(0);
    for _ in 0..2 {
        assert_eq!(finish(bench, &task, done("result")).await, Applied::Yes);
    }
    assert_eq!(
        lost(bench, &[&task]).await,
        std::slice::from_ref(&task.task_id)
    );
    let ended = bench.orchestrator().ended_tasks(&[owned.id], 9).await;
    let ended = ended.unwrap();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].result, Ok("result".to_owned()));
    assert_eq!(ended[0].attempt, Attempt(1));
    assert_eq!(claim(bench, "w", 1).await, []);
}

pub async fn an_end_says_when_the_task_may_be_claimed_again(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    let failure = || TaskFailure::transient("not now");
    let task = claim(bench, "w", 1).await.remove(0);
    assert_eq!(
        finish(bench, &task, TaskOutcome::HandedBack).await,
        Applied::Yes
    );
    let task = claim(bench, "w", 1).await.remove(0);
    assert_eq!((task.failures, task.postponed), (0, 0));
    let postponed = TaskOutcome::Postponed {
        failure: failure(),
        retry_after: PAUSE,
    };
    assert_eq!(finish(bench, &task, postponed).await, Applied::Yes);
    assert_eq!(claim(bench, "w", 1).await, []);
    bench.let_time_pass().await;
    let task = claim(bench, "w", 1).await.remove(0);
    assert_eq!((task.failures, task.postponed), (0, 1));
    let failed = TaskOutcome::Failed {
        failure: failure(),
        retry_after: Some(PAUSE),
    };
    assert_eq!(finish(bench, &task, failed).await, Applied::Yes);
    assert_eq!(claim(bench, "w", 1).await, []);
    bench.let_time_pass().await;
    let task = claim(bench, "w", 1).await.remove(0);
    assert_eq!((task.failures, task.postponed), (1, 1));
    assert_eq!(task.attempt, Attempt(4));
}

pub async fn a_failure_for_good_is_an_end_with_its_error(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    let task = claim(bench, "w", 1).await.remove(0);
    let failed = TaskOutcome::Failed {
        failure: TaskFailure::permanent("no such column"),
        retry_after: None,
    };
    assert_eq!(finish(bench, &task, failed).await, Applied::Yes);
    let ended = bench.orchestrator().ended_tasks(&[owned.id], 9).await;
    let ended = ended.unwrap();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].result, Err("no such column".to_owned()));
    bench.let_time_pass().await;
    assert_eq!(claim(bench, "w", 1).await, []);
}

pub async fn a_silent_worker_counts_as_a_failure_until_there_are_too_many(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    for failures in 0..2 {
        let task = claim(bench, "host/1/x", 1).await.remove(0);
        assert_eq!(task.failures, failures);
        let orchestrator = bench.orchestrator();
        assert_eq!(orchestrator.reap(&[owned.id], 2).await.unwrap(), 0);
        bench.let_time_pass().await;
        assert_eq!(orchestrator.reap(&[], 2).await.unwrap_or(0), 0);
        assert_eq!(orchestrator.reap(&[owned.id], 2).await.unwrap(), 1);
    }
    assert_eq!(claim(bench, "w", 1).await, []);
    let ended = bench.orchestrator().ended_tasks(&[owned.id], 9).await;
    let error = ended.unwrap().remove(0).result.unwrap_err();
    assert!(error.contains("host/1/x"), "{error}");
}

pub async fn a_renewed_claim_is_not_returned_to_the_queue(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    let task = claim(bench, "w", 1).await.remove(0);
    bench.let_time_pass().await;
    // Nobody has taken it yet.
    assert_eq!(lost(bench, &[&task]).await, Vec::<String>::new());
    let reaped = bench.orchestrator().reap(&[owned.id], 5).await;
    assert_eq!(reaped.unwrap(), 0);
    assert_eq!(finish(bench, &task, done("result")).await, Applied::Yes);
}

pub async fn ends_are_answered_in_their_order(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 3).await;
    let tasks = claim(bench, "w", 3).await;
    let mut ends: Vec<_> = tasks.iter().map(|task| end(task, done("r"))).collect();
    ends[1].token = ClaimToken::generate();
    let applied = bench.worker().finish(&ends).await.unwrap();
    assert_eq!(applied, [Applied::Yes, Applied::No, Applied::Yes]);
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.tasks["0/1/EXTRACT"].phase, TaskPhase::Claimed);
    assert_eq!(stored.tasks["0/2/EXTRACT"].phase, TaskPhase::Completed);
}

pub async fn a_worker_learns_what_its_tables_are(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    let tables = [(owned.id, FIRST), (owned.id, SECOND)];
    let mut work = bench.worker().table_work(&tables).await.unwrap();
    work.sort_by_key(|work| work.table_no);
    assert_eq!(work.len(), 2);
    assert_eq!(work[0].spec, table("a"));
    assert_eq!(work[0].extract, Some(table_plan(FIRST, None).extract));
    assert_eq!(work[1].workflow_name, "w");
    assert_eq!((&work[1].extract, &work[1].previous), (&None, &None));
}
