//! Changes of state, and loads.

use super::super::bench::Bench;
use super::scene::*;
use crate::checkpoint::{Applied, StateChange};
use crate::domain::Attempt;
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase};

fn ended(no: crate::domain::TableNo, phase: TablePhase, error: Option<&str>) -> StateChange {
    StateChange::TableEnded {
        table_no: no,
        phase,
        error: error.map(str::to_owned),
    }
}

pub async fn changes_of_all_kinds_are_applied_together_and_again(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 3).await;
    let changes = [
        failed(FIRST, 1),
        staged(FIRST, 0, 1),
        ended(SECOND, TablePhase::Failed, Some("no such table")),
        staged(FIRST, 2, 4),
    ];
    for _ in 0..2 {
        assert_eq!(apply(bench, &owned, &changes).await, [Applied::Yes; 4]);
    }
    let stored = bench.stored(owned.id).await;
    let phases: Vec<_> = stored.partitions.values().map(|p| p.phase).collect();
    assert_eq!(
        phases,
        [
            PartitionPhase::Staged,
            PartitionPhase::Failed,
            PartitionPhase::Staged
        ]
    );
    assert_eq!(stored.partitions[&(0, 2)].attempt, Some(Attempt(4)));
    assert_eq!(stored.partitions[&(0, 2)].rows, Some(3));
    let error = stored.partitions[&(0, 1)].error.as_deref();
    assert_eq!(error, Some("partition 1 is broken"));
    let second = &stored.tables[&SECOND];
    assert_eq!(second.phase, TablePhase::Failed);
    assert_eq!(second.error.as_deref(), Some("no such table"));
    assert_eq!(apply(bench, &owned, &[]).await, []);
}

pub async fn only_the_attempt_that_won_is_staged_and_loaded(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 1).await;
    assert_eq!(
        apply(bench, &owned, &[staged(FIRST, 0, 2)]).await,
        [Applied::Yes]
    );
    assert_eq!(
        apply(bench, &owned, &[staged(FIRST, 0, 3)]).await,
        [Applied::No]
    );
    let extraction = table_plan(FIRST, None);
    let other = [unit(FIRST, 0, 3)];
    assert!(!bench.load(&owned, FIRST, &extraction, &other).await);
    let won = [unit(FIRST, 0, 2)];
    assert!(bench.load(&owned, FIRST, &extraction, &won).await);
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.partitions[&(0, 0)].phase, PartitionPhase::Loaded);
    // A repetition of a load whose reply was lost finds nothing to load.
    assert!(!bench.load(&owned, FIRST, &extraction, &won).await);
}

pub async fn what_has_ended_stays_so(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 2).await;
    apply(bench, &owned, &[staged(FIRST, 0, 1), failed(FIRST, 1)]).await;
    let units = [unit(FIRST, 0, 1)];
    assert!(
        bench
            .load(&owned, FIRST, &table_plan(FIRST, None), &units)
            .await
    );
    apply(bench, &owned, &[ended(FIRST, TablePhase::Completed, None)]).await;
    let before = bench.stored(owned.id).await;
    for change in [
        failed(FIRST, 0),
        staged(FIRST, 0, 1),
        staged(FIRST, 1, 1),
        ended(FIRST, TablePhase::Failed, Some("too late")),
    ] {
        let applied = apply(bench, &owned, std::slice::from_ref(&change)).await;
        assert_eq!(applied, [Applied::No], "{change:?}");
        assert_eq!(bench.stored(owned.id).await.tables, before.tables);
        assert_eq!(bench.stored(owned.id).await.partitions, before.partitions);
    }
}

pub async fn a_table_completes_only_from_executing(bench: &dyn Bench) {
    let owned = driven(bench).await;
    let orchestrator = bench.orchestrator();
    orchestrator
        .start_analysis(&owned, &[SECOND])
        .await
        .unwrap();
    let completed = [
        ended(FIRST, TablePhase::Completed, None),
        ended(SECOND, TablePhase::Completed, None),
    ];
    assert_eq!(apply(bench, &owned, &completed).await, [Applied::No; 2]);
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.tables[&FIRST].phase, TablePhase::Pending);
    assert_eq!(stored.tables[&SECOND].phase, TablePhase::Analyzing);
    planned(bench, &owned, FIRST, 0).await;
    assert_eq!(
        apply(bench, &owned, &completed).await,
        [Applied::Yes, Applied::No]
    );
}

pub async fn a_table_that_fails_takes_its_tasks_along(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 3).await;
    let claimed = claim(bench, "w", 2).await;
    finish(bench, &claimed[1], done("r")).await;
    let change = ended(FIRST, TablePhase::Failed, Some("the target is gone"));
    assert_eq!(apply(bench, &owned, &[change]).await, [Applied::Yes]);
    let stored = bench.stored(owned.id).await;
    let phases: Vec<_> = stored.tasks.values().map(|task| task.phase).collect();
    assert_eq!(
        phases,
        [
            TaskPhase::Cancelled,
            TaskPhase::Completed,
            TaskPhase::Cancelled
        ]
    );
    assert_eq!(finish(bench, &claimed[0], done("r")).await, Applied::No);
    // Nothing is queued for it any more.
    let tasks = [extraction_task(FIRST, 7)];
    bench.orchestrator().enqueue(&owned, &tasks).await.unwrap();
    assert_eq!(claim(bench, "w", 9).await, []);
}

pub async fn a_load_is_whole_or_nothing(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 3).await;
    apply(bench, &owned, &[staged(FIRST, 0, 1), staged(FIRST, 1, 1)]).await;
    let before = bench.stored(owned.id).await;
    let extraction = table_plan(FIRST, None);
    let with_one_that_waits = [unit(FIRST, 0, 1), unit(FIRST, 2, 1)];
    let load = bench.load(&owned, FIRST, &extraction, &with_one_that_waits);
    assert!(!load.await);
    assert_eq!(bench.stored(owned.id).await, before);
    let both = [unit(FIRST, 0, 1), unit(FIRST, 1, 1)];
    assert!(bench.load(&owned, FIRST, &extraction, &both).await);
}

pub async fn what_is_applied_is_collected(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 2).await;
    for task in claim(bench, "w", 9).await {
        finish(bench, &task, done("r")).await;
    }
    let orchestrator = bench.orchestrator();
    let ids = [owned.id];
    assert_eq!(orchestrator.ended_tasks(&ids, 1).await.unwrap().len(), 1);
    assert_eq!(orchestrator.ended_tasks(&ids, 9).await.unwrap().len(), 2);
    apply(bench, &owned, &[staged(FIRST, 0, 1)]).await;
    let left = orchestrator.ended_tasks(&ids, 9).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].partition_no.map(|no| no.0), Some(1));
    apply(bench, &owned, &[failed(FIRST, 1)]).await;
    assert_eq!(orchestrator.ended_tasks(&ids, 9).await.unwrap(), []);
}
