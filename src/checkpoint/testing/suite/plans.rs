//! The plans of tables.

use super::super::bench::Bench;
use super::scene::*;
use crate::checkpoint::Applied;
use crate::domain::PartitionNo;
use crate::domain::phase::{PartitionPhase, TablePhase};

pub async fn a_plan_is_written_once(bench: &dyn Bench) {
    let owned = driven(bench).await;
    write_plan(bench, &owned, FIRST, &plan(FIRST, 2)).await;
    let before = bench.stored(owned.id).await;
    assert_eq!(before.tables[&FIRST].phase, TablePhase::Executing);
    let other = plan(FIRST, 3);
    let again = bench.orchestrator().write_plan(&owned, FIRST, &other);
    assert_eq!(again.await.unwrap(), Applied::No);
    assert_eq!(bench.stored(owned.id).await, before);
    assert_eq!(before.partitions.len(), 2);
}

pub async fn a_plan_collects_the_analysis_and_moves_nothing_that_has_not_changed(
    bench: &dyn Bench,
) {
    let owned = driven(bench).await;
    let orchestrator = bench.orchestrator();
    let tasks = [analysis(FIRST)];
    orchestrator.start_analysis(&owned, &[FIRST]).await.unwrap();
    orchestrator.enqueue(&owned, &tasks).await.unwrap();
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.tables[&FIRST].phase, TablePhase::Analyzing);
    let task = claim(bench, "w", 1).await.remove(0);
    finish(bench, &task, done("{}")).await;
    let mut plan = plan(FIRST, 3);
    plan.partitions[1].unchanged = true;
    write_plan(bench, &owned, FIRST, &plan).await;
    let ended = orchestrator.ended_tasks(&[owned.id], 9).await;
    assert_eq!(ended.unwrap(), []);
    let stored = bench.stored(owned.id).await;
    assert_eq!(stored.partitions[&(0, 1)].phase, PartitionPhase::Unchanged);
    assert_eq!(stored.tables[&FIRST].num_warnings, 1);
    let counts = orchestrator.count_partitions(owned.id, FIRST).await;
    let mut counts = counts.unwrap();
    counts.sort_by_key(|(_, count)| *count);
    assert_eq!(
        counts,
        [(PartitionPhase::Unchanged, 1), (PartitionPhase::Pending, 2)]
    );
}

pub async fn a_table_is_planned_also_if_nobody_said_that_it_is_analyzed(bench: &dyn Bench) {
    let owned = driven(bench).await;
    write_plan(bench, &owned, SECOND, &plan(SECOND, 1)).await;
    let tables = bench.orchestrator().load_tables(owned.id).await.unwrap();
    let phases: Vec<_> = tables.iter().map(|table| table.phase).collect();
    assert_eq!(phases, [TablePhase::Pending, TablePhase::Executing]);
    assert_eq!(tables[1].plan, Some(table_plan(SECOND, None)));
    assert_eq!(tables[0].spec, table("a"));
}

pub async fn partitions_are_read_by_phase_in_order(bench: &dyn Bench) {
    let owned = driven(bench).await;
    planned(bench, &owned, FIRST, 12).await;
    apply(bench, &owned, &[staged(FIRST, 3, 1), staged(FIRST, 10, 2)]).await;
    let read = async |phases: &[PartitionPhase], from: u32, limit: usize| {
        let found =
            bench
                .orchestrator()
                .load_partitions(owned.id, FIRST, phases, PartitionNo(from), limit);
        found.await.unwrap()
    };
    let numbers = |found: &[crate::checkpoint::PartitionState]| {
        let numbers = found.iter().map(|partition| partition.partition_no.0);
        numbers.collect::<Vec<_>>()
    };
    let pending = read(&[PartitionPhase::Pending], 2, 3).await;
    assert_eq!(numbers(&pending), [2, 4, 5]);
    let staged = read(&[PartitionPhase::Staged], 0, 9).await;
    assert_eq!(numbers(&staged), [3, 10]);
    assert_eq!(staged[1].manifest, Some(manifest(11)));
    assert_eq!(staged[1].slice, slice(10));
    let both = [PartitionPhase::Pending, PartitionPhase::Staged];
    assert_eq!(numbers(&read(&both, 9, 9).await), [9, 10, 11]);
}
