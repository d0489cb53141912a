//! Requests to workflows: what an operator names is found, the request is decided, and the request is written.

use super::AppError;
use crate::checkpoint::{CommandedTable, CommandedWorkflow, OperatorRequests};
use crate::domain::TableNo;
use crate::domain::phase::{TablePhase, WorkflowPhase};
use crate::domain::problem::{Code, Problem};
use crate::domain::request::Request;
use crate::domain::request::{
    OperatorCommand, TableStanding, Verdict, judge_table, judge_workflow,
};
use crate::domain::spelling::closest_match;
use std::time::Duration;

/// How often a request is written again when somebody else changes the workflow at the same time, or Snowflake does not answer.
const TRIES: usize = 5;
/// Pause before.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commanded {
    /// The workflow as it was found.
    pub workflow: CommandedWorkflow,
    /// Whether the workflow as a whole was meant.
    pub is_whole: bool,
    /// Tables of which something is asked now.
    pub asked: Vec<CommandedTable>,
    /// What needed nothing: the whole (`None`) or a table, and why.
    pub already: Vec<(Option<CommandedTable>, &'static str)>,
}

/// Sends a request to the workflow of this name or id, or on those of its tables that are named. `None`: there is no such workflow.
///
/// # Errors
/// What cannot be granted, all of it at once; or when Snowflake cannot be asked.
pub async fn submit(
    operators: &dyn OperatorRequests,
    name: &str,
    command: OperatorCommand,
    tables: &[String],
) -> Result<Option<Commanded>, AppError> {
    let mut written = false;
    for attempt in 1.. {
        let Some(workflow) = operators.commanded(name, command).await? else {
            return Ok(None);
        };
        let mut commanded = decide(workflow, command, tables).map_err(AppError::refused)?;
        if !commanded.is_asking() {
            if written {
                // It is there because this call has written it, and did not hear so.
                let tables = commanded.already.drain(..);
                commanded.asked = tables.filter_map(|(table, _)| table).collect();
            }
            return Ok(Some(commanded));
        }
        let numbers: Vec<TableNo> = commanded.asked.iter().map(|table| table.table_no).collect();
        match operators
            .submit(&commanded.workflow, command, &numbers)
            .await
        {
            Ok(true) => return Ok(Some(commanded)),
            Ok(false) if attempt < TRIES => {}
            Ok(false) => break,
            Err(error) if error.is_retryable() && attempt < TRIES => written = true,
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(AppError::refused(
        Code::REQUEST_CONTENDED
            .problem(format!(
                "somebody else changes the workflow {name} at the same time"
            ))
            .hint(format!(
                "look at it with `snowhaul workflow status {name}` and try again"
            )),
    ))
}

impl Commanded {
    /// Whether a request is to be written.
    fn is_asking(&self) -> bool {
        !self.asked.is_empty() || self.is_whole && self.already.is_empty()
    }
}

/// What a command comes to, or everything that speaks against it.
fn decide(
    workflow: CommandedWorkflow,
    command: OperatorCommand,
    names: &[String],
) -> Result<Commanded, Vec<Problem>> {
    let is_paused = |table: &CommandedTable| table.request == Some(Request::Pause);
    let any_paused = workflow.tables.iter().any(is_paused);
    let name = workflow.name.clone();
    // Of named tables the workflow as a whole decides only what it has to do with them.
    let whole = judge_workflow(command, workflow.phase, workflow.request, any_paused);
    let mut commanded = Commanded {
        is_whole: names.is_empty() && command != OperatorCommand::Retry,
        asked: Vec::new(),
        already: Vec::new(),
        workflow,
    };
    match whole {
        Verdict::Reject(reason) => {
            let what = format!("the workflow {name} {reason}");
            return Err(vec![Code::REQUEST_REFUSED.says(what)]);
        }
        Verdict::NoOp(reason) if commanded.is_whole => commanded.already.push((None, reason)),
        Verdict::NoOp(_) | Verdict::Accept => {}
    }
    if commanded.is_whole {
        return Ok(commanded);
    }
    let (meant, mut problems) = if names.is_empty() {
        (to_run_again(&commanded.workflow), Vec::new())
    } else {
        find_tables(&commanded.workflow, names)
    };
    for table in meant {
        let standing = TableStanding {
            phase: table.phase,
            request: table.request,
            has_failed_partitions: table.num_failed_partitions > 0,
            is_dry_run: table.is_dry_run,
        };
        let place = format!("the table {} of the workflow {name}", table.source_table);
        match judge_table(command, standing) {
            Verdict::Reject(reason) => {
                problems.push(Code::REQUEST_REFUSED.says(format!("{place} {reason}")));
            }
            Verdict::NoOp(reason) => commanded.already.push((Some(table), reason)),
            Verdict::Accept => match &table.cannot_retry {
                Some(reason) => {
                    let what = format!("{place} cannot run again: {reason}");
                    problems.push(Code::REQUEST_REFUSED.says(what));
                }
                None => commanded.asked.push(table),
            },
        }
    }
    if problems.is_empty() {
        Ok(commanded)
    } else {
        Err(problems)
    }
}

/// The tables that run again when none is named: what failed, and what was cancelled with the workflow.
fn to_run_again(workflow: &CommandedWorkflow) -> Vec<CommandedTable> {
    let with_cancelled = workflow.phase == WorkflowPhase::Cancelled;
    let is_meant = |table: &&CommandedTable| match table.phase {
        TablePhase::Failed => true,
        TablePhase::Cancelled => with_cancelled,
        TablePhase::Completed => false,
        TablePhase::Pending | TablePhase::Analyzing | TablePhase::Executing => {
            table.num_failed_partitions > 0
        }
    };
    workflow.tables.iter().filter(is_meant).cloned().collect()
}

/// The tables that are named, each once, and the names that say nothing or too much.
fn find_tables(
    workflow: &CommandedWorkflow,
    names: &[String],
) -> (Vec<CommandedTable>, Vec<Problem>) {
    let (mut found, mut problems) = (Vec::<CommandedTable>::new(), Vec::new());
    for name in names {
        let matching = matching(&workflow.tables, name);
        match matching.as_slice() {
            [table] => {
                if !found.iter().any(|other| other.table_no == table.table_no) {
                    found.push((*table).clone());
                }
            }
            [] => {
                let known = workflow.tables.iter().map(|t| t.source_table.as_str());
                let last = known.clone().map(last_part);
                let hint = closest_match(name, known.chain(last)).map_or_else(
                    || format!("`snowhaul workflow status {}` lists them", workflow.name),
                    |near| format!("did you mean `{near}`?"),
                );
                let what = format!("the workflow {} has no source table {name}", workflow.name);
                let problem = Code::NO_SUCH_TABLE.problem(what).hint(hint);
                problems.push(problem.at("--table"));
            }
            several => {
                let numbers: Vec<String> = several
                    .iter()
                    .map(|table| format!("{} ({})", table.table_no, table.source_table))
                    .collect();
                let what = format!(
                    "{name} names several tables of the workflow {}",
                    workflow.name
                );
                let hint = format!("give the number: {}", numbers.join(", "));
                let problem = Code::NO_SUCH_TABLE.problem(what).hint(hint);
                problems.push(problem.at("--table"));
            }
        }
    }
    (found, problems)
}

/// By the full name as written, or else by its last part, or else by its number.
fn matching<'a>(tables: &'a [CommandedTable], name: &str) -> Vec<&'a CommandedTable> {
    let ways: [&dyn Fn(&CommandedTable) -> bool; 3] = [
        &|table| table.source_table == name,
        &|table| last_part(&table.source_table) == name,
        &|table| table.table_no.to_string() == name,
    ];
    for way in ways {
        let found: Vec<_> = tables.iter().filter(|table| way(table)).collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The table's own name: what follows the last dot outside of quotes and brackets.
fn last_part(source: &str) -> &str {
    let (mut quoted, mut bracketed, mut start) = (false, false, 0);
    for (index, c) in source.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => bracketed = true,
            ']' if !quoted => bracketed = false,
            '.' if !quoted && !bracketed => start = index + 1,
            _ => {}
        }
    }
    &source[start..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::WorkflowId;

    fn table(no: u32, source: &str, phase: TablePhase) -> CommandedTable {
        CommandedTable {
            table_no: TableNo(no),
            source_table: source.to_owned(),
            phase,
            request: None,
            num_failed_partitions: 0,
            is_dry_run: false,
            cannot_retry: None,
        }
    }

    fn workflow(phase: WorkflowPhase, tables: Vec<CommandedTable>) -> CommandedWorkflow {
        CommandedWorkflow {
            id: WorkflowId(1),
            name: "w".to_owned(),
            phase,
            request: None,
            request_seq: 0,
            tables,
        }
    }

    fn numbers(commanded: &Commanded) -> Vec<u32> {
        commanded.asked.iter().map(|t| t.table_no.0).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_table_is_named_in_full_by_its_last_part_or_by_its_number() {
        let open = TablePhase::Executing;
        let tables = vec![
            table(0, "db.public.orders", open),
            table(1, "db.\"a.b\".\"Line.Items\"", open),
            table(2, "db.public.1", open),
        ];
        let workflow = workflow(WorkflowPhase::Executing, tables);
        for (name, expected) in [
            ("db.public.orders", 0),
            ("orders", 0),
            ("\"Line.Items\"", 1),
            ("0", 0),
            // A name wins over a number.
            ("1", 2),
        ] {
            let commanded =
                decide(workflow.clone(), OperatorCommand::Pause, &names(&[name])).unwrap();
            assert_eq!(numbers(&commanded), [expected], "{name}");
        }
        let problems = decide(
            workflow,
            OperatorCommand::Pause,
            &names(&["ordres", "nothing"]),
        )
        .unwrap_err();
        assert!(
            problems[0].to_string().contains("did you mean `orders`?"),
            "{problems:?}"
        );
        assert!(
            problems[1].to_string().contains("workflow status w"),
            "{problems:?}"
        );
        let all_of_tables = problems.iter().all(|p| p.code == Code::NO_SUCH_TABLE);
        assert!(all_of_tables, "{problems:?}");
    }

    #[test]
    fn a_name_of_several_tables_asks_for_their_numbers() {
        let tables = ["db.a.t", "db.b.t"].iter().enumerate();
        let tables = tables.map(|(no, source)| table(no as u32, source, TablePhase::Pending));
        let workflow = workflow(WorkflowPhase::Executing, tables.collect());
        let problems = decide(workflow, OperatorCommand::Cancel, &names(&["t"])).unwrap_err();
        assert!(
            problems[0].to_string().contains("0 (db.a.t), 1 (db.b.t)"),
            "{problems:?}"
        );
    }

    #[test]
    fn everything_that_stands_against_a_command_is_told_at_once() {
        let tables = vec![
            table(0, "a", TablePhase::Completed),
            table(1, "b", TablePhase::Failed),
            table(2, "c", TablePhase::Executing),
        ];
        let workflow = workflow(WorkflowPhase::Executing, tables);
        let problems =
            decide(workflow, OperatorCommand::Pause, &names(&["a", "b", "c"])).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        let all_refused = problems.iter().all(|p| p.code == Code::REQUEST_REFUSED);
        assert!(all_refused, "{problems:?}");
    }

    #[test]
    fn without_names_what_failed_runs_again_and_what_was_cancelled_only_with_the_workflow() {
        let open = CommandedTable {
            num_failed_partitions: 1,
            ..table(3, "d", TablePhase::Executing)
        };
        let tables = vec![
            table(0, "a", TablePhase::Completed),
            table(1, "b", TablePhase::Failed),
            table(2, "c", TablePhase::Cancelled),
            open,
        ];
        let running = workflow(WorkflowPhase::Executing, tables.clone());
        let commanded = decide(running, OperatorCommand::Retry, &[]).unwrap();
        assert_eq!(numbers(&commanded), [1, 3]);
        let cancelled = workflow(WorkflowPhase::Cancelled, tables);
        let commanded = decide(cancelled, OperatorCommand::Retry, &[]).unwrap();
        assert_eq!(numbers(&commanded), [1, 2, 3]);
    }

    #[test]
    fn a_table_whose_state_another_workflow_has_taken_is_refused_by_that_name() {
        let taken = CommandedTable {
            cannot_retry: Some("the workflow other has it".to_owned()),
            ..table(0, "a", TablePhase::Failed)
        };
        let workflow = workflow(WorkflowPhase::Completed, vec![taken]);
        let problems = decide(workflow, OperatorCommand::Retry, &[]).unwrap_err();
        assert!(
            problems[0]
                .to_string()
                .contains("the workflow other has it"),
            "{problems:?}"
        );
    }
}
