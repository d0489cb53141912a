//! Operators' commands for worksheets: stored procedures that decide as the command line does, and write the same requests. Pure text.
//!
//! They run with their owner's rights: who may call one needs USAGE on it, and no privilege on the metadata's tables, with
//! which more could be done than to submit a command.

use super::fence::step_expression;
use super::operator_sql::{Operands, statements as command_statements};
use super::sql::{fill_script, text};
use crate::domain::phase::{TablePhase, WorkflowPhase};
use crate::domain::request::{
    OperatorCommand, Request, TableStanding, Verdict, judge_table, judge_workflow,
};

/// A procedure or view for worksheets.
pub(super) struct WorksheetObject {
    /// `PROCEDURE` or `VIEW`.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) name: String,
    /// What follows CREATE OR REPLACE and its kind, up to its comment and from there on.
    pub(super) head: String,
    /// See `head`.
    pub(super) tail: String,
}

const OPERATOR_COMMANDS: [(OperatorCommand, &str, &str); 3] = [
    (
        OperatorCommand::Pause,
        "PAUSE",
        "is paused: nothing new begins; what runs ends and is stored",
    ),
    (OperatorCommand::Resume, "RESUME", "goes on"),
    (
        OperatorCommand::Cancel,
        "CANCEL",
        "is being cancelled: what is loaded stays",
    ),
];
const REQUESTS: [Option<Request>; 4] = [
    None,
    Some(Request::Pause),
    Some(Request::Cancel),
    Some(Request::Retry),
];

/// The procedures: each command for a workflow and for one of its tables. `s` is the quoted schema.
pub(super) fn procedures(s: &str) -> Vec<WorksheetObject> {
    OPERATOR_COMMANDS
        .into_iter()
        .flat_map(|(command, verb, done)| {
            [
                of_workflow(s, command, verb, done),
                of_table(s, command, verb, done),
            ]
        })
        .collect()
}

fn of_workflow(s: &str, command: OperatorCommand, verb: &str, done: &str) -> WorksheetObject {
    let body = fill_script(
        include_str!("procedures/workflow.sql").trim_end(),
        &[
            ("grant", &workflow_verdict(command)),
            ("transaction", &transaction(s, command, &[])),
            ("done", done),
            ("s", s),
        ],
    );
    object(
        s,
        &format!("{verb}_WORKFLOW"),
        "P_WORKFLOW_ID NUMBER",
        &body,
    )
}

/// A table is meant as it is written, or else whatever the case is.
fn of_table(s: &str, command: OperatorCommand, verb: &str, done: &str) -> WorksheetObject {
    let body = fill_script(
        include_str!("procedures/table.sql").trim_end(),
        &[
            ("whole", &workflow_verdict_of_table(command)),
            ("own", &table_verdict(command)),
            (
                "transaction",
                &transaction(s, command, &[":V_NO".to_owned()]),
            ),
            ("done", done),
            ("s", s),
        ],
    );
    object(
        s,
        &format!("{verb}_TABLE"),
        "P_WORKFLOW_ID NUMBER, P_SOURCE_TABLE VARCHAR",
        &body,
    )
}

fn object(s: &str, name: &str, arguments: &str, body: &str) -> WorksheetObject {
    WorksheetObject {
        kind: "PROCEDURE",
        name: name.to_owned(),
        head: format!("{s}.{name}({arguments}) COPY GRANTS RETURNS VARCHAR LANGUAGE SQL"),
        tail: format!("EXECUTE AS OWNER AS $$\n{body}\n$$"),
    }
}

/// The command's statements in one transaction, unless somebody else has commanded since the look.
fn transaction(s: &str, command: OperatorCommand, tables: &[String]) -> String {
    let operands = Operands {
        s,
        id: ":P_WORKFLOW_ID",
        seq: ":V_SEQ",
        step: &step_expression(),
        phase: None,
        tables,
    };
    let mut lines = String::from("  BEGIN TRANSACTION;\n");
    for (place, statement) in command_statements(command, &operands).iter().enumerate() {
        lines.push_str(&format!("  {statement};\n"));
        if place == 0 {
            lines.push_str(
                "  IF (SQLROWCOUNT <> 1) THEN\n    ROLLBACK;\n    RETURN 'refused: the workflow has been commanded by somebody else, or has ended, in this moment; look at it and try again';\n  END IF;\n",
            );
        }
    }
    lines + "  COMMIT;\n"
}

/// What stands against a command on the whole, by phase and request of `w` and `x` and the paused tables of `p`; NULL where nothing
/// does. The arms come from the function that decides for the command line.
fn workflow_verdict(command: OperatorCommand) -> String {
    let paused = |any: bool| match (command, any) {
        (OperatorCommand::Resume, true) => Some(" AND p.PAUSED > 0"),
        (OperatorCommand::Resume, false) => Some(" AND p.PAUSED IS NULL"),
        // Only going on asks for that.
        (_, true) => Some(""),
        (_, false) => None,
    };
    grants_of_workflow(command, paused, false)
}

/// The same for a command on one of its tables: what needs nothing of the whole is decided by the table.
fn workflow_verdict_of_table(command: OperatorCommand) -> String {
    grants_of_workflow(command, |any| any.then_some(""), true)
}

fn grants_of_workflow(
    command: OperatorCommand,
    more: impl Fn(bool) -> Option<&'static str>,
    refusals_alone: bool,
) -> String {
    let mut arms = Vec::new();
    for &phase in WorkflowPhase::ALL {
        for request in &REQUESTS[..3] {
            for any_paused in [true, false] {
                let Some(more) = more(any_paused) else {
                    continue;
                };
                let grant = judge_workflow(command, phase, *request, any_paused);
                if refusals_alone && matches!(grant, Verdict::NoOp(_)) {
                    continue;
                }
                let Some(says) = says(grant, "the workflow", "w.NAME") else {
                    continue;
                };
                arms.push(format!(
                    "WHEN w.STATUS = '{phase}' AND {}{more} THEN {says}",
                    is_request("x", *request)
                ));
            }
        }
    }
    format!("CASE {} END", arms.join(" "))
}

/// What stands against a command on the table `t` with the request of `r`.
fn table_verdict(command: OperatorCommand) -> String {
    let mut arms = Vec::new();
    for &phase in TablePhase::ALL {
        for request in REQUESTS {
            // What only running again asks for.
            let standing = TableStanding {
                phase,
                request,
                has_failed_partitions: false,
                is_dry_run: false,
            };
            let Some(says) = says(
                judge_table(command, standing),
                "the table",
                "t.SOURCE_TABLE",
            ) else {
                continue;
            };
            arms.push(format!(
                "WHEN t.PHASE = '{phase}' AND {} THEN {says}",
                is_request("r", request)
            ));
        }
    }
    format!("CASE {} END", arms.join(" "))
}

/// What stands against asking, as an expression: of `what`, whose name is the expression `name`.
fn says(grant: Verdict, what: &str, name: &str) -> Option<String> {
    let (refused, reason) = match grant {
        Verdict::Accept => return None,
        Verdict::NoOp(reason) => ("", reason.to_owned()),
        Verdict::Reject(reason) => ("refused: ", reason),
    };
    let reason = text(&format!(" {reason}"));
    Some(format!("'{refused}{what} ' || {name} || {reason}"))
}

fn is_request(row: &str, request: Option<Request>) -> String {
    match request {
        None => format!("{row}.REQUEST IS NULL"),
        Some(request) => format!("{row}.REQUEST = '{}'", request.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_procedure_writes_what_the_command_line_writes() {
        let all = procedures("\"S\"");
        let find = |name: &str| {
            let found = all.iter().find(|object| object.name == name);
            &found.unwrap_or_else(|| panic!("{name}")).tail
        };
        let tables = [":V_NO".to_owned()];
        for (command, verb, _) in OPERATOR_COMMANDS {
            for (name, tables) in [("WORKFLOW", &[][..]), ("TABLE", &tables)] {
                let operands = Operands {
                    s: "\"S\"",
                    id: ":P_WORKFLOW_ID",
                    seq: ":V_SEQ",
                    step: &step_expression(),
                    phase: None,
                    tables,
                };
                let body = find(&format!("{verb}_{name}"));
                let mut from = 0;
                for statement in command_statements(command, &operands) {
                    let at = body[from..].find(&statement);
                    from += at.unwrap_or_else(|| panic!("{verb}_{name}: {statement}")) + 1;
                }
                assert!(body[from..].contains("COMMIT;"), "{verb}_{name}");
            }
        }
    }

    #[test]
    fn each_refusal_of_the_command_line_stands_in_its_procedure() {
        let all = procedures("\"S\"");
        let body = |name: &str| {
            &all.iter()
                .find(|object| object.name == name)
                .expect(name)
                .tail
        };
        for (name, reason) in [
            ("PAUSE_WORKFLOW", "is paused already"),
            (
                "PAUSE_WORKFLOW",
                "is being cancelled, which cannot be taken back",
            ),
            ("RESUME_WORKFLOW", "is not paused"),
            ("CANCEL_WORKFLOW", "is being cancelled already"),
            ("PAUSE_TABLE", "has ended (COMPLETED)"),
            ("PAUSE_TABLE", "is about to run again what failed of it"),
            ("RESUME_TABLE", "is not paused by itself"),
            ("CANCEL_TABLE", "is cancelled already"),
        ] {
            assert!(body(name).contains(reason), "{name}: {reason}");
        }
    }
}
