//! What operators ask, as the command line does: only what is granted.

use super::super::bench::Bench;
use super::run::answer;
use crate::domain::request::{Lever, Request, TableStanding, Verdict, grant_table, grant_workflow};
use crate::domain::{TableNo, WorkflowId};

/// The lever of a number.
pub(super) fn lever(number: u8) -> Lever {
    [Lever::Pause, Lever::Resume, Lever::Cancel, Lever::Retry][usize::from(number) % 4]
}

/// Pulls a lever, if it is granted, and says what was answered.
pub(super) async fn pull(
    bench: &dyn Bench,
    id: WorkflowId,
    lever: Lever,
    table: Option<TableNo>,
) -> String {
    let levers = bench.levers();
    let steered = levers.steered(&id.to_string(), lever).await.unwrap();
    let Some(steered) = steered else {
        return "no such workflow".to_owned();
    };
    let any_paused = (steered.tables.iter()).any(|t| t.request == Some(Request::Pause));
    let of_workflow = grant_workflow(lever, steered.phase, steered.request, any_paused);
    if of_workflow != Verdict::Accept {
        return String::new();
    }
    let standing = |no: TableNo| {
        let table = steered.tables.iter().find(|table| table.table_no == no);
        table.map(|table| TableStanding {
            phase: table.phase,
            request: table.request,
            has_failed_partitions: table.num_failed_partitions > 0,
            is_dry_run: table.is_dry_run,
        })
    };
    let table = table.or((lever == Lever::Retry).then_some(TableNo(0)));
    let is_granted = table.and_then(standing).map(|it| grant_table(lever, it));
    if is_granted.is_some_and(|grant| grant != Verdict::Accept) {
        return String::new();
    }
    let tables: Vec<_> = table.into_iter().collect();
    let refusals = steered.tables.iter().map(|t| t.cannot_retry.is_some());
    let refusals: Vec<_> = refusals.collect();
    let pulled = levers.pull(&steered, lever, &tables).await;
    format!("{refusals:?} {}", answer(pulled))
}
