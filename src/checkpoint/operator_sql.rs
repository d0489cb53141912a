//! The statements that a command becomes: the command line sends them, and the procedures of the worksheet consist of them. Pure.

use super::phase_sql::{
    CANCELLED_TASK, TASK_CLAIMED, TASK_PENDING, WORKFLOW_CANCELLED, WORKFLOW_COMPLETED,
    WORKFLOW_EXECUTING, WORKFLOW_PENDING,
};
use crate::domain::phase::WorkflowPhase;
use crate::domain::request::{OperatorCommand, Request};

/// What stands in the statements: numbers, or variables of a procedure.
pub(super) struct Operands<'a> {
    /// The quoted schema.
    pub(super) s: &'a str,
    /// The workflow's id.
    pub(super) id: &'a str,
    /// What `REQUEST_SEQ` must be: somebody else may ask for something too.
    pub(super) seq: &'a str,
    /// What is added to it: nobody else arrives at the same number.
    pub(super) step: &'a str,
    /// The phase in which a workflow that runs again must still be.
    pub(super) phase: Option<WorkflowPhase>,
    /// The numbers of the tables that are meant; none: the workflow as a whole.
    pub(super) tables: &'a [String],
}

/// The statements of a command. The first must change one row; then nobody else asks for anything before the end of the transaction.
pub(super) fn statements(command: OperatorCommand, operands: &Operands<'_>) -> Vec<String> {
    let Operands {
        s,
        id,
        seq,
        step,
        phase,
        tables,
    } = operands;
    let whole = tables.is_empty();
    // Running again is asked of tables, and ends the cancellation of the whole.
    let set = match (command, whole) {
        (OperatorCommand::Pause, true) => "REQUEST = 'PAUSE', ",
        (OperatorCommand::Cancel, true) => "REQUEST = 'CANCEL', ",
        (OperatorCommand::Resume, true) => "REQUEST = NULL, ",
        (OperatorCommand::Retry, _) => "REQUEST = IFF(REQUEST = 'CANCEL', NULL, REQUEST), ",
        (OperatorCommand::Pause | OperatorCommand::Cancel | OperatorCommand::Resume, false) => "",
    };
    let still = match phase {
        Some(phase) => format!("w.STATUS = '{phase}'"),
        None => format!("w.STATUS IN ({WORKFLOW_PENDING}, {WORKFLOW_EXECUTING})"),
    };
    let mut statements = vec![format!(
        "UPDATE {s}.WORKFLOW_REQUEST SET {set}REQUEST_SEQ = REQUEST_SEQ + {step}, REQUESTED_AT = SYSDATE() WHERE WORKFLOW_ID = {id} AND REQUEST_SEQ = {seq} \
         AND EXISTS (SELECT 1 FROM {s}.WORKFLOW w WHERE w.WORKFLOW_ID = {id} AND {still})"
    )];
    let of = if whole {
        format!("WORKFLOW_ID = {id}")
    } else {
        format!("WORKFLOW_ID = {id} AND TABLE_NO IN ({})", tables.join(", "))
    };
    let asked = match command {
        OperatorCommand::Pause => Some(Request::Pause),
        OperatorCommand::Cancel => Some(Request::Cancel),
        OperatorCommand::Retry => Some(Request::Retry),
        OperatorCommand::Resume => None,
    };
    if !whole || matches!(command, OperatorCommand::Resume | OperatorCommand::Cancel) {
        // A table does not begin again in a workflow that is being cancelled.
        let which = match (whole, command) {
            (false, _) => "",
            (true, OperatorCommand::Cancel) => " AND REQUEST IN ('PAUSE', 'RETRY')",
            (true, _) => " AND REQUEST = 'PAUSE'",
        };
        statements.push(format!("DELETE FROM {s}.TABLE_REQUEST WHERE {of}{which}"));
    }
    if let Some(asked) = asked.filter(|_| !whole) {
        statements.push(format!(
            "INSERT INTO {s}.TABLE_REQUEST (WORKFLOW_ID, TABLE_NO, REQUEST) SELECT WORKFLOW_ID, TABLE_NO, '{}' FROM {s}.TABLE_STATE WHERE {of}",
            asked.as_str()
        ));
    }
    match command {
        // Whoever runs one learns at its next renewal, also while no orchestrator is there. Until its lease is past it may
        // run on: LEASE_UNTIL stays.
        OperatorCommand::Cancel => statements.push(format!(
            "UPDATE {s}.TASK_QUEUE SET {CANCELLED_TASK} \
             WHERE {of} AND STATUS IN ({TASK_PENDING}, {TASK_CLAIMED})"
        )),
        // ENDED_AT stays: what was completed before has been ended already.
        OperatorCommand::Retry => statements.push(format!(
            "UPDATE {s}.WORKFLOW SET STATUS = {WORKFLOW_EXECUTING} WHERE WORKFLOW_ID = {id} AND STATUS IN ({WORKFLOW_COMPLETED}, {WORKFLOW_CANCELLED})"
        )),
        OperatorCommand::Pause | OperatorCommand::Resume => {}
    }
    statements
}
