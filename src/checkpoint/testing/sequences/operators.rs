//! What operators ask, as the command line does: only what is granted.

use super::super::bench::Bench;
use super::run::answer;
use crate::domain::request::{
    OperatorCommand, Request, TableStanding, Verdict, judge_table, judge_workflow,
};
use crate::domain::{TableNo, WorkflowId};

/// The command of a number.
pub(super) fn command(number: u8) -> OperatorCommand {
    [
        OperatorCommand::Pause,
        OperatorCommand::Resume,
        OperatorCommand::Cancel,
        OperatorCommand::Retry,
    ][usize::from(number) % 4]
}

/// Submits a command, if it is accepted, and says what was answered.
pub(super) async fn submit(
    bench: &dyn Bench,
    id: WorkflowId,
    command: OperatorCommand,
    table: Option<TableNo>,
) -> String {
    let operators = bench.operators();
    let commanded = operators.commanded(&id.to_string(), command).await.unwrap();
    let Some(commanded) = commanded else {
        return "no such workflow".to_owned();
    };
    let any_paused = (commanded.tables.iter()).any(|t| t.request == Some(Request::Pause));
    let of_workflow = judge_workflow(command, commanded.phase, commanded.request, any_paused);
    if of_workflow != Verdict::Accept {
        return String::new();
    }
    let standing = |no: TableNo| {
        let table = commanded.tables.iter().find(|table| table.table_no == no);
        table.map(|table| TableStanding {
            phase: table.phase,
            request: table.request,
            has_failed_partitions: table.num_failed_partitions > 0,
            is_dry_run: table.is_dry_run,
        })
    };
    let table = table.or((command == OperatorCommand::Retry).then_some(TableNo(0)));
    let is_granted = table.and_then(standing).map(|it| judge_table(command, it));
    if is_granted.is_some_and(|grant| grant != Verdict::Accept) {
        return String::new();
    }
    let tables: Vec<_> = table.into_iter().collect();
    let refusals = commanded.tables.iter().map(|t| t.cannot_retry.is_some());
    let refusals: Vec<_> = refusals.collect();
    let submitted = operators.submit(&commanded, command, &tables).await;
    format!("{refusals:?} {}", answer(submitted))
}
