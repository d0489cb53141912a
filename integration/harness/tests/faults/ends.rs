//! What the statements at the ends of tables and workflows make of the checkpoint, asked of the checkpoint itself.

use crate::affinities::Metadata;
use crate::fences;
use crate::migration::DEADLINE;
use snowhaul::checkpoint::{
    Applied, CheckpointError, NewTask, OrchestratorCheckpoint, OwnedWorkflow, StateChange,
};
use snowhaul::domain::TableNo;
use snowhaul::domain::phase::{TablePhase, WorkflowPhase};
use snowhaul::domain::request::DueRequests;
use snowhaul::domain::task::TaskKind;
use snowhaul::failpoint::Step;
use snowhaul_integration::eventually;

const TABLE: TableNo = TableNo(0);

/// The first workflow of new metadata, taken, with two tasks of its table: one that a worker holds, and one that is free.
fn taken() -> (Metadata, OwnedWorkflow) {
    let metadata = Metadata::new();
    metadata.run("INSERT INTO {s}.WORKFLOW_REQUEST (WORKFLOW_ID, REQUEST_SEQ) VALUES (1, 3)");
    metadata.run("UPDATE {s}.WORKFLOW SET STATUS = 'EXECUTING'");
    metadata.queue(1, 0, "EXTRACT", 0);
    metadata.queue(1, 1, "EXTRACT", 0);
    metadata.run("UPDATE {s}.TASK_QUEUE SET STATUS = 'CLAIMED', CLAIM_TOKEN = 't', LEASE_UNTIL = DATEADD('hour', 1, SYSDATE()) WHERE PARTITION_NO = 0");
    let owned = take(&metadata);
    (metadata, owned)
}

fn take(metadata: &Metadata) -> OwnedWorkflow {
    let owned = fences::take(metadata, "o");
    fences::fence(metadata, &owned);
    owned
}

fn complete(metadata: &Metadata, owned: &OwnedWorkflow) -> Result<Applied, CheckpointError> {
    let end = metadata
        .checkpoint
        .complete_workflow(owned, WorkflowPhase::Completed);
    metadata.runtime.block_on(end)
}

fn assert_tasks(metadata: &Metadata, expected: &[[&str; 4]]) {
    let tasks = metadata.rows("SELECT PARTITION_NO, STATUS, CLAIM_TOKEN IS NULL AND COLLECTED_AT IS NOT NULL, LEASE_UNTIL IS NOT NULL FROM {s}.TASK_QUEUE WHERE WORKFLOW_ID = 1 ORDER BY PARTITION_NO");
    let tasks: Vec<Vec<String>> = tasks
        .into_iter()
        .map(|row| {
            row.into_iter()
                .map(|cell| cell.unwrap_or_default().to_lowercase())
                .collect()
        })
        .collect();
    assert_eq!(tasks, expected);
}

#[test]
fn a_workflow_does_not_end_while_a_table_is_at_work_or_when_something_was_asked_meanwhile() {
    let (metadata, owned) = taken();
    let not_yet = |why: &str| {
        assert_eq!(complete(&metadata, &owned).unwrap(), Applied::No, "{why}");
        let ended = metadata
            .rows("SELECT 1 FROM {s}.WORKFLOW WHERE STATUS <> 'EXECUTING' OR OWNER IS NULL");
        assert!(ended.is_empty(), "{why}");
        assert_tasks(
            &metadata,
            &[
                ["0", "claimed", "false", "true"],
                ["1", "pending", "false", "false"],
            ],
        );
    };
    not_yet("the table is at work");
    metadata.run("UPDATE {s}.TABLE_STATE SET PHASE = 'FAILED'");
    metadata.run(
        "INSERT INTO {s}.TABLE_REQUEST (WORKFLOW_ID, TABLE_NO, REQUEST) VALUES (1, 0, 'RETRY')",
    );
    not_yet("the table shall run again");
    metadata.run("DELETE FROM {s}.TABLE_REQUEST");
    metadata.run("UPDATE {s}.WORKFLOW_REQUEST SET REQUEST_SEQ = 4");
    not_yet("something was asked, and may be carried out");
    metadata.run("UPDATE {s}.WORKFLOW_REQUEST SET REQUEST_SEQ = 3");
    assert_eq!(complete(&metadata, &owned).unwrap(), Applied::Yes);
    // The lease of the task that was held tells until when its worker may go on.
    assert_tasks(
        &metadata,
        &[
            ["0", "cancelled", "true", "true"],
            ["1", "cancelled", "true", "false"],
        ],
    );
    assert_eq!(
        complete(&metadata, &owned).unwrap(),
        Applied::Yes,
        "the reply was lost"
    );
    metadata.run("UPDATE {s}.WORKFLOW SET OWNER_EPOCH = OWNER_EPOCH + 1");
    assert!(matches!(
        complete(&metadata, &owned),
        Err(CheckpointError::Fenced(_))
    ));
}

#[test]
fn a_table_that_has_failed_leaves_no_task_to_workers() {
    let (metadata, owned) = taken();
    let failed = StateChange::TableEnded {
        table_no: TABLE,
        phase: TablePhase::Failed,
        error: Some("as the test wants".to_owned()),
    };
    let applied = metadata
        .checkpoint
        .apply(&owned, std::slice::from_ref(&failed));
    assert_eq!(metadata.runtime.block_on(applied).unwrap(), [Applied::Yes]);
    let cancelled = [
        ["0", "cancelled", "true", "true"],
        ["1", "cancelled", "true", "false"],
    ];
    assert_tasks(&metadata, &cancelled);
    // What was on its way to the queue comes too late.
    let late = [NewTask {
        kind: TaskKind::Analyze,
        table_no: TABLE,
        partition: None,
        priority: -1,
    }];
    let queued = metadata.checkpoint.enqueue(&owned, &late);
    metadata.runtime.block_on(queued).unwrap();
    assert_tasks(&metadata, &cancelled);
}

#[test]
fn a_late_write_collects_no_task_that_runs_again() {
    let (metadata, owned) = taken();
    metadata.run("INSERT INTO {s}.TASK_QUEUE (TASK_ID, WORKFLOW_ID, TABLE_NO, KIND, SOURCE_PLATFORM, STATUS) VALUES ('1/0/ANALYZE', 1, 0, 'ANALYZE', 'redshift', 'PENDING')");
    metadata.run("UPDATE {s}.TABLE_STATE SET PHASE = 'COMPLETED'");
    let ended = StateChange::TableEnded {
        table_no: TABLE,
        phase: TablePhase::Completed,
        error: None,
    };
    let collected = "SELECT 1 FROM {s}.TASK_QUEUE WHERE COLLECTED_AT IS NOT NULL";
    let apply = || {
        let applied = metadata
            .checkpoint
            .apply(&owned, std::slice::from_ref(&ended));
        let _ = metadata.runtime.block_on(applied);
    };
    apply();
    assert!(metadata.rows(collected).is_empty(), "it is pending");
    metadata.run("UPDATE {s}.TASK_QUEUE SET STATUS = 'COMPLETED' WHERE KIND = 'ANALYZE'");
    metadata.run("UPDATE {s}.WORKFLOW SET OWNER_EPOCH = OWNER_EPOCH + 1");
    apply();
    assert!(
        metadata.rows(collected).is_empty(),
        "the workflow has another owner"
    );
    metadata.run("UPDATE {s}.WORKFLOW SET OWNER_EPOCH = OWNER_EPOCH - 1");
    apply();
    assert_eq!(metadata.rows(collected).len(), 1);
}

#[test]
fn an_owner_that_loses_the_workflow_while_it_lets_a_table_run_again_changes_nothing() {
    let (metadata, owned) = taken();
    metadata.run("UPDATE {s}.TABLE_STATE SET PHASE = 'CANCELLED', EXTRACTION = NULL");
    metadata.run(
        "INSERT INTO {s}.TABLE_REQUEST (WORKFLOW_ID, TABLE_NO, REQUEST) VALUES (1, 0, 'RETRY')",
    );
    // A load holds the table's row: the owner, who has made sure that it is that still, waits for it.
    let load = metadata
        .runtime
        .block_on(metadata.client.begin(Step::LoadBegin))
        .unwrap();
    let lock = metadata
        .in_schema("UPDATE {s}.TABLE_STATE SET LOAD_SEQ = LOAD_SEQ + 1 WHERE WORKFLOW_ID = 1");
    metadata
        .runtime
        .block_on(load.execute(Step::LoadCheckpoint, &lock))
        .unwrap();
    let orders = DueRequests {
        cancel: Vec::new(),
        retry: vec![TABLE],
        withdraw: Vec::new(),
    };
    let (checkpoint, owner) = (metadata.checkpoint.clone(), owned.clone());
    let carried = metadata
        .runtime
        .spawn(async move { checkpoint.apply_requests(&owner, &orders).await });
    let waits = || {
        crate::migration::snowflake()
            .statements()
            .iter()
            .any(|entry| {
                let sql = entry["sql"].as_str().unwrap_or_default();
                sql.contains(&metadata.schema) && sql.starts_with("SELECT 1 WHERE EXISTS")
            })
    };
    eventually("it waits", DEADLINE, waits);
    metadata.run("UPDATE {s}.WORKFLOW SET OWNER_EPOCH = OWNER_EPOCH + 1 WHERE WORKFLOW_ID = 1");
    metadata.runtime.block_on(load.rollback());
    let carried = metadata.runtime.block_on(carried).unwrap();
    assert!(
        matches!(carried, Err(CheckpointError::Fenced(_))),
        "{carried:?}"
    );
    let phase = metadata.rows("SELECT PHASE FROM {s}.TABLE_STATE WHERE WORKFLOW_ID = 1");
    assert_eq!(phase, [[Some("CANCELLED".to_owned())]]);
}
