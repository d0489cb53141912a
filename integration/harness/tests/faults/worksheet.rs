//! What users call and query from a worksheet: procedures that write the requests of the command line, and the view of all
//! source tables.

use crate::affinities::Metadata;
use snowhaul::checkpoint::{CommandedWorkflow, OperatorRequests};
use snowhaul::domain::phase::WorkflowPhase;
use snowhaul::domain::request::{OperatorCommand, Request};
use snowhaul::domain::{TableNo, WorkflowId};

/// The workflows 1, 2 and 3 of [`Metadata`], each with a second table and tasks.
fn metadata() -> Metadata {
    let metadata = Metadata::new();
    for id in 1..=3 {
        metadata.run(&format!(
            "INSERT INTO {{s}}.WORKFLOW_REQUEST (WORKFLOW_ID, REQUEST_SEQ) VALUES ({id}, 0)"
        ));
        metadata.run(&format!("INSERT INTO {{s}}.TABLE_STATE (WORKFLOW_ID, TABLE_NO, PHASE, SOURCE_TABLE, TARGET_TABLE, SPEC) VALUES ({id}, 1, 'PENDING', 'a.b.\"It''s\"', 'a.b.d', '{{}}')"));
        metadata.queue(id, 0, "EXTRACT", 0);
        metadata.queue(id, 1, "EXTRACT", 0);
        metadata.run(&format!(
            "UPDATE {{s}}.TASK_QUEUE SET STATUS = 'COMPLETED' WHERE WORKFLOW_ID = {id} AND PARTITION_NO = 1"
        ));
    }
    metadata
}

fn call(metadata: &Metadata, procedure: &str) -> String {
    let rows = metadata.rows(&format!("CALL {{s}}.{procedure}"));
    rows[0][0].clone().unwrap_or_default()
}

/// What stands written of a workflow, without its id and its times.
fn written(metadata: &Metadata, id: i64) -> Vec<Vec<Option<String>>> {
    [
        // How often something was asked: below that, each number has something of its own.
        format!("SELECT REQUEST, FLOOR(REQUEST_SEQ / 1099511627776)::INT, REQUESTED_AT IS NOT NULL FROM {{s}}.WORKFLOW_REQUEST WHERE WORKFLOW_ID = {id}"),
        format!("SELECT TABLE_NO, REQUEST, 0 FROM {{s}}.TABLE_REQUEST WHERE WORKFLOW_ID = {id} ORDER BY TABLE_NO"),
        format!("SELECT TABLE_NO, PARTITION_NO, STATUS FROM {{s}}.TASK_QUEUE WHERE WORKFLOW_ID = {id} ORDER BY PARTITION_NO"),
        format!("SELECT STATUS, 0, 0 FROM {{s}}.WORKFLOW WHERE WORKFLOW_ID = {id}"),
    ]
    .iter()
    .flat_map(|sql| metadata.rows(sql))
    .collect()
}

#[test]
fn a_call_writes_the_requests_that_the_command_line_writes() {
    let metadata = metadata();
    let commands = [
        (OperatorCommand::Pause, "PAUSE", Some(0)),
        (OperatorCommand::Pause, "PAUSE", None),
        (OperatorCommand::Resume, "RESUME", Some(0)),
        (OperatorCommand::Pause, "PAUSE", Some(1)),
        // Also the table that was paused by itself.
        (OperatorCommand::Resume, "RESUME", None),
        (OperatorCommand::Pause, "PAUSE", Some(0)),
        (OperatorCommand::Cancel, "CANCEL", Some(0)),
        (OperatorCommand::Pause, "PAUSE", Some(1)),
        (OperatorCommand::Cancel, "CANCEL", None),
    ];
    for (command, verb, table) in commands {
        let seq = &metadata
            .rows("SELECT REQUEST_SEQ FROM {s}.WORKFLOW_REQUEST WHERE WORKFLOW_ID = 1")[0][0];
        let seq: i64 = seq.as_deref().unwrap_or_default().parse().unwrap();
        let commanded = CommandedWorkflow {
            id: WorkflowId(1),
            name: "w1".to_owned(),
            phase: WorkflowPhase::Pending,
            request: None,
            request_seq: seq,
            tables: Vec::new(),
        };
        let tables: Vec<TableNo> = table.map(TableNo).into_iter().collect();
        let submitted = metadata.checkpoint.submit(&commanded, command, &tables);
        assert!(
            metadata.runtime.block_on(submitted).unwrap(),
            "{verb} {table:?}"
        );
        let said = match table {
            None => call(&metadata, &format!("{verb}_WORKFLOW(2)")),
            Some(0) => call(&metadata, &format!("{verb}_TABLE(2, 'a.b.c')")),
            Some(_) => call(&metadata, &format!("{verb}_TABLE(2, 'A.B.\"IT''S\"')")),
        };
        assert!(!said.starts_with("refused"), "{verb} {table:?}: {said}");
        assert_eq!(
            written(&metadata, 2),
            written(&metadata, 1),
            "{verb} {table:?}: {said}"
        );
        // Nobody else's.
        let untouched = &written(&metadata, 3)[0];
        assert_eq!(
            untouched[..2],
            [None, Some("0".to_owned())],
            "{untouched:?}"
        );
    }
}

#[test]
fn a_call_that_cannot_be_granted_says_why_and_writes_nothing() {
    let metadata = metadata();
    metadata.run("UPDATE {s}.WORKFLOW SET STATUS = 'COMPLETED' WHERE WORKFLOW_ID = 1");
    metadata.run("UPDATE {s}.WORKFLOW_REQUEST SET REQUEST = 'CANCEL' WHERE WORKFLOW_ID = 2");
    metadata
        .run("UPDATE {s}.TABLE_STATE SET PHASE = 'FAILED' WHERE WORKFLOW_ID = 3 AND TABLE_NO = 0");
    metadata.run(
        "INSERT INTO {s}.TABLE_REQUEST (WORKFLOW_ID, TABLE_NO, REQUEST) VALUES (3, 1, 'PAUSE')",
    );
    metadata.run("INSERT INTO {s}.TABLE_STATE (WORKFLOW_ID, TABLE_NO, PHASE, SOURCE_TABLE, TARGET_TABLE, SPEC) VALUES (3, 2, 'PENDING', 'A.B.C', 'x', '{}'), (3, 3, 'PENDING', 'two', 'x', '{}'), (3, 4, 'PENDING', 'two', 'y', '{}')");
    let before: Vec<_> = (1..=3).map(|id| written(&metadata, id)).collect();
    for (procedure, parts) in [
        (
            "PAUSE_WORKFLOW(9)",
            &["refused: there is no workflow 9"][..],
        ),
        ("PAUSE_WORKFLOW(1)", &["refused: the workflow w1 has ended"]),
        (
            "PAUSE_TABLE(1, 'a.b.c')",
            &["refused: the workflow w1 has ended"],
        ),
        (
            "PAUSE_WORKFLOW(2)",
            &["refused: the workflow w2 is being cancelled"],
        ),
        (
            "CANCEL_WORKFLOW(2)",
            &["the workflow w2 is being cancelled already"],
        ),
        (
            "RESUME_TABLE(2, 'a.b.c')",
            &["refused: the workflow w2 is being cancelled"],
        ),
        (
            "PAUSE_TABLE(3, 'a.b.c')",
            &["refused: the table a.b.c has ended (FAILED)"],
        ),
        (
            "PAUSE_TABLE(3, 'a.b.\"It''s\"')",
            &["the table a.b.\"It's\" is paused already"],
        ),
        (
            "RESUME_TABLE(3, 'A.B.C')",
            &["the table A.B.C is not paused by itself"],
        ),
        (
            "PAUSE_TABLE(3, 'TWO')",
            &["refused: TWO stands several times"],
        ),
        (
            "CANCEL_TABLE(3, 'x''; DROP TABLE t; --')",
            &["refused: the workflow 3 has no source table x'; DROP"],
        ),
    ] {
        let said = call(&metadata, procedure);
        for part in parts {
            assert!(said.starts_with(part), "{procedure}: {said}");
        }
        let after: Vec<_> = (1..=3).map(|id| written(&metadata, id)).collect();
        assert_eq!(after, before, "{procedure}");
    }
    // Nothing is paused as a whole, but a table is: that goes on.
    assert_eq!(
        call(&metadata, "RESUME_WORKFLOW(3)"),
        "the workflow 3 goes on"
    );
    assert_eq!(
        call(&metadata, "RESUME_WORKFLOW(3)"),
        "the workflow w3 is not paused"
    );
    let request = Request::Pause.as_str();
    let left = format!("SELECT * FROM {{s}}.TABLE_REQUEST WHERE REQUEST = '{request}'");
    assert!(metadata.rows(&left).is_empty());
}

#[test]
fn what_is_there_is_not_created_again_and_what_is_somebody_elses_stays() {
    let metadata = Metadata::new();
    let shown = || {
        let mut shown = metadata.rows("SHOW PROCEDURES IN SCHEMA {s}");
        shown.sort();
        shown
    };
    let before = shown();
    assert_eq!(before.len(), 6, "{before:?}");
    let bootstrap = || {
        metadata
            .runtime
            .block_on(metadata.checkpoint.bootstrap())
            .unwrap()
    };
    bootstrap();
    assert_eq!(shown(), before);
    metadata.run("CREATE OR REPLACE PROCEDURE {s}.PAUSE_WORKFLOW(ID NUMBER) RETURNS VARCHAR LANGUAGE SQL COMMENT = 'of the other tool' AS $$ BEGIN RETURN 'theirs'; END $$");
    metadata.run("CREATE OR REPLACE PROCEDURE {s}.CANCEL_WORKFLOW(ID NUMBER) RETURNS VARCHAR LANGUAGE SQL COMMENT = 'snowhaul of before' AS $$ BEGIN RETURN 'old'; END $$");
    metadata.run("DROP VIEW {s}.TABLE_MIGRATION_STATUS");
    bootstrap();
    assert_eq!(call(&metadata, "PAUSE_WORKFLOW(9)"), "theirs");
    assert_eq!(
        call(&metadata, "CANCEL_WORKFLOW(9)"),
        "refused: there is no workflow 9"
    );
    assert!(
        metadata
            .rows("SELECT * FROM {s}.TABLE_MIGRATION_STATUS")
            .len()
            == 1
    );
}

#[test]
fn each_source_table_has_a_row_with_its_latest_migration() {
    let metadata = metadata();
    // Of the same table, whatever its case is, the latest workflow counts, but no dry run.
    metadata.run("UPDATE {s}.TABLE_STATE SET SOURCE_TABLE = 'A.B.C', PHASE = 'COMPLETED', NUM_PARTITIONS = 1, ERROR = NULL WHERE WORKFLOW_ID = 2 AND TABLE_NO = 0");
    metadata.run(
        "UPDATE {s}.TABLE_STATE SET PHASE = 'FAILED', ERROR = 'it broke' WHERE WORKFLOW_ID = 1",
    );
    metadata.run("UPDATE {s}.TABLE_STATE SET SPEC = '{\"preflight\":{\"keepSchema\":false}}', PHASE = 'FAILED' WHERE WORKFLOW_ID = 3");
    metadata.run("UPDATE {s}.TABLE_STATE SET SOURCE_TABLE = 'only.dry' WHERE WORKFLOW_ID = 3 AND TABLE_NO = 1");
    metadata.run("INSERT INTO {s}.\"PARTITION\" (WORKFLOW_ID, TABLE_NO, PARTITION_NO, PHASE, KEY_RANGE, ROWS_STAGED, ROWS_LOADED) VALUES (2, 0, 0, 'LOADED', '{}', 5, 5)");
    for (no, phase, task) in [
        (2, "PENDING", ""),
        (3, "EXECUTING", "PENDING"),
        (4, "COMPLETED", ""),
        (5, "CANCELLED", ""),
    ] {
        metadata.run(&format!("INSERT INTO {{s}}.TABLE_STATE (WORKFLOW_ID, TABLE_NO, PHASE, SOURCE_TABLE, TARGET_TABLE, SPEC) VALUES (2, {no}, '{phase}', 't{no}', 'x', '{{\"preflight\":null}}')"));
        if !task.is_empty() {
            metadata.run(&format!("INSERT INTO {{s}}.TASK_QUEUE (TASK_ID, WORKFLOW_ID, TABLE_NO, KIND, SOURCE_PLATFORM, STATUS) VALUES ('x{no}', 2, {no}, 'ANALYZE', 'redshift', '{task}')"));
        }
    }
    let rows = metadata.rows("SELECT SOURCE_IDENTIFIER, STATUS, STATUS_DETAIL, MIGRATION_WORKFLOW_ID, ROWS_LOADED, MIGRATION_ACTIVE_TASKS, MIGRATION_ERROR_MESSAGE, VALIDATION_STATUS FROM {s}.TABLE_MIGRATION_STATUS ORDER BY SOURCE_IDENTIFIER");
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().map(|cell| cell.as_deref().unwrap_or("-"));
            cells.collect::<Vec<_>>().join("|")
        })
        .collect();
    assert_eq!(
        rows,
        [
            "A.B.C|Other|Migrated, not validated|2|5|1|-|-",
            "a.b.\"It's\"|No tasks created|No tasks created|2|0|0|-|-",
            "t2|No tasks created|No tasks created|2|0|0|-|-",
            "t3|Tasks running|Tasks running|2|0|1|-|-",
            "t4|No data|No data|2|0|0|-|-",
            "t5|Other|Cancelled|2|0|0|-|-",
        ]
    );
}
