//! The order of a load's statements, and every early end.

use super::*;
use crate::checkpoint::{LoadUnit, PartitionKey};
use crate::domain::phase::WorkflowPhase;
use crate::domain::table::{KeyRange, Platform};
use crate::domain::table_plan::LoadMode;
use crate::domain::task::{Manifest, StagedFile};
use crate::domain::{Attempt, OwnerEpoch, PartitionNo, WorkflowId};
use crate::target::policies::tests::plan;
use std::sync::Mutex;

const ROWS: u64 = 3;

/// Writes down what it is asked, and answers as well as it can; `fails` at one step.
#[derive(Default)]
struct Script {
    asked: Mutex<Vec<&'static str>>,
    /// The step whose statement fails, and how.
    fails: Option<(Step, Kind)>,
    /// The step whose statement changes another number of rows.
    miscounts: Option<Step>,
    /// The answer of COPY.
    copied: Vec<Row>,
    /// Whether the transaction is another one at its end.
    is_replaced: bool,
    commit_is_lost: bool,
}

impl Script {
    fn write_down(&self, what: &'static str) {
        self.asked.lock().unwrap().push(what);
    }
}

struct Fake<'a>(&'a Script);

fn counted(rows: u64) -> Vec<Row> {
    vec![vec![Some(rows.to_string())]]
}

#[async_trait]
impl OpenTransaction for Fake<'_> {
    async fn run_step(&self, at: Step, sql: &str) -> Result<Vec<Row>, SnowflakeError> {
        self.0.write_down(match at {
            Step::LoadCheckpoint => "checkpoint",
            Step::LoadDelete => "delete",
            Step::LoadCopy => "copy",
            Step::LoadMerge => "merge",
            Step::LoadDeleteMissing => "delete missing",
            other => panic!("{other:?}: {sql}"),
        });
        if let Some((step, kind)) = &self.0.fails
            && *step == at
        {
            return Err(SnowflakeError {
                kind: kind.clone(),
                ..SnowflakeError::refused("the server's words".to_owned())
            });
        }
        if self.0.miscounts == Some(at) {
            return Ok(counted(0));
        }
        Ok(match at {
            Step::LoadCopy => self.0.copied.clone(),
            Step::LoadMerge => counted(ROWS),
            _ => counted(1),
        })
    }

    async fn ask(&self, _: &str) -> Result<Vec<Row>, SnowflakeError> {
        self.0.write_down("holds");
        Ok(if self.0.is_replaced {
            Vec::new()
        } else {
            counted(1)
        })
    }

    async fn commit(self) -> Result<(), SnowflakeError> {
        self.0.write_down("commit");
        if self.0.commit_is_lost {
            return Err(SnowflakeError::refused("gone".to_owned()));
        }
        Ok(())
    }

    async fn rollback(self) {
        self.0.write_down("rollback");
    }
}

fn owned() -> OwnedWorkflow {
    OwnedWorkflow {
        id: WorkflowId(7),
        epoch: OwnerEpoch(1),
        name: "w".to_owned(),
        platform: Platform::Redshift,
        affinity: None,
        phase: WorkflowPhase::Executing,
        request: None,
        request_seq: 0,
    }
}

fn batch(content: Content) -> Vec<StagedPartition> {
    let path = "workflows/7/0/4/1/part-00000.parquet".to_owned();
    vec![StagedPartition {
        unit: LoadUnit {
            key: PartitionKey {
                table_no: TableNo(0),
                partition_no: PartitionNo(4),
            },
            attempt: Attempt(1),
            rows: ROWS,
            content,
            checksum: None,
        },
        range: KeyRange::Everything,
        manifest: Manifest {
            files: vec![StagedFile {
                path,
                rows: ROWS,
                bytes: 10,
            }],
            ..Manifest::default()
        },
    }]
}

/// What Snowflake answers to the COPY of the batch.
fn copied(rows: u64) -> Vec<Row> {
    let cells = [
        "stage/workflows/7/0/4/1/part-00000.parquet",
        "LOADED",
        "3",
        &rows.to_string(),
    ];
    vec![cells.iter().map(|cell| Some((*cell).to_owned())).collect()]
}

/// Runs a load, and answers how it ended and what was asked.
fn run(
    mode: LoadMode,
    content: Content,
    script: &Script,
) -> (Result<(), Early>, Vec<&'static str>) {
    let (owned, plan, batch) = (owned(), plan(mode), batch(content));
    let load = Load::of(&plan, &batch).expect("a load").expect("one kind");
    let job = LoadJob {
        owned: &owned,
        table_no: TableNo(0),
        plan: &plan,
        batch: &batch,
        load: &load,
        stage: "@\"S\"",
        admission: Admission::Permitted,
    };
    let checkpoint = CheckpointPart {
        statements: vec![("lock".to_owned(), 1), ("move".to_owned(), 1)],
        holds: "holds".to_owned(),
    };
    let staging = load.is_by_key().then_some("\"STAGING\"");
    let ended = futures::executor::block_on(job.commit(Fake(script), checkpoint, staging));
    (ended, script.asked.lock().unwrap().clone())
}

fn well() -> Script {
    Script {
        copied: copied(ROWS),
        ..Script::default()
    }
}

#[test]
fn the_checkpoint_comes_first_and_its_lock_is_asked_for_last() {
    let order = |mode, content| {
        let (ended, asked) = run(mode, content, &well());
        assert_eq!(ended, Ok(()));
        asked
    };
    let between = |middle: &[&'static str]| {
        let ends: [&[&'static str]; 3] =
            [&["checkpoint", "checkpoint"], middle, &["holds", "commit"]];
        ends.concat()
    };
    assert_eq!(order(LoadMode::Append, Content::Rows), between(&["copy"]));
    assert_eq!(
        order(LoadMode::ReplaceRange, Content::Rows),
        between(&["delete", "copy"])
    );
    assert_eq!(order(LoadMode::Merge, Content::Rows), between(&["merge"]));
    assert_eq!(
        order(LoadMode::Append, Content::Keys),
        between(&["delete missing"])
    );
}

#[test]
fn whatever_fails_before_the_commit_rolls_all_of_it_back() {
    let steps = [
        (LoadMode::Append, Content::Rows, Step::LoadCheckpoint),
        (LoadMode::Append, Content::Rows, Step::LoadCopy),
        (LoadMode::ReplaceRange, Content::Rows, Step::LoadDelete),
        (LoadMode::Merge, Content::Rows, Step::LoadMerge),
        (LoadMode::Append, Content::Keys, Step::LoadDeleteMissing),
    ];
    for (mode, content, step) in steps {
        for kind in [
            Kind::Locked,
            Kind::Unreachable,
            Kind::Rejected,
            Kind::NoPrivilege,
        ] {
            let script = Script {
                fails: Some((step, kind.clone())),
                ..well()
            };
            let (ended, asked) = run(mode, content, &script);
            assert_eq!(asked.last(), Some(&"rollback"), "{step:?} {kind:?}");
            assert!(!asked.contains(&"commit"), "{step:?} {kind:?}");
            let Err(Early::Outcome(outcome)) = ended else {
                panic!("{step:?} {kind:?}: {ended:?}");
            };
            let is_as_it_should = match (step, &kind) {
                // Nothing that fails there is a row's fault.
                (Step::LoadCheckpoint, Kind::Locked) => {
                    matches!(&outcome, LoadOutcome::Blocked(why) if why.starts_with("SH0308 "))
                }
                (Step::LoadCheckpoint, _) => matches!(outcome, LoadOutcome::Retryable(_)),
                (_, Kind::NoPrivilege) => {
                    matches!(&outcome, LoadOutcome::Fatal(why) if why.starts_with("SH0311 target "))
                }
                (_, Kind::Rejected) => {
                    matches!(&outcome, LoadOutcome::Rejected(found) if found.len() == 1 && found[0].1.starts_with("SH0312 target "))
                }
                _ => matches!(outcome, LoadOutcome::Retryable(_)),
            };
            assert!(is_as_it_should, "{step:?} {kind:?}: {outcome:?}");
        }
    }
}

#[test]
fn a_checkpoint_that_is_not_as_expected_stops_the_load_before_any_row() {
    let script = Script {
        miscounts: Some(Step::LoadCheckpoint),
        ..well()
    };
    let (ended, asked) = run(LoadMode::ReplaceRange, Content::Rows, &script);
    let expected = Early::Unexpected {
        is_first: true,
        changed: 0,
        expected: 1,
    };
    assert_eq!(ended, Err(expected));
    assert_eq!(asked, ["checkpoint", "rollback"]);
}

#[test]
fn a_copy_that_loads_fewer_rows_is_rolled_back() {
    let script = Script {
        copied: copied(ROWS - 1),
        ..Script::default()
    };
    let (ended, asked) = run(LoadMode::Append, Content::Rows, &script);
    assert!(
        matches!(&ended, Err(Early::Outcome(LoadOutcome::Rejected(found))) if found.len() == 1 && found[0].1.starts_with("SH0506 target ")),
        "{ended:?}"
    );
    assert_eq!(asked.last(), Some(&"rollback"));
}

#[test]
fn a_merge_that_has_not_seen_all_staged_rows_is_tried_again() {
    let script = Script {
        miscounts: Some(Step::LoadMerge),
        ..well()
    };
    let (ended, asked) = run(LoadMode::Merge, Content::Rows, &script);
    assert!(
        matches!(ended, Err(Early::Outcome(LoadOutcome::Retryable(ref reason))) if reason.starts_with("SH0506 ")),
        "{ended:?}"
    );
    assert_eq!(asked.last(), Some(&"rollback"));
}

#[test]
fn rows_that_came_into_another_transaction_are_not_committed() {
    let script = Script {
        is_replaced: true,
        ..well()
    };
    let (ended, asked) = run(LoadMode::Append, Content::Rows, &script);
    assert!(
        matches!(ended, Err(Early::Outcome(LoadOutcome::InDoubt(ref reason))) if reason.starts_with("SH0508 ")),
        "{ended:?}"
    );
    assert_eq!(asked[asked.len() - 2..], ["holds", "rollback"]);
}

#[test]
fn a_commit_without_an_answer_is_asked_for() {
    let script = Script {
        commit_is_lost: true,
        ..well()
    };
    let (ended, asked) = run(LoadMode::Append, Content::Rows, &script);
    assert!(
        matches!(ended, Err(Early::Outcome(LoadOutcome::InDoubt(ref reason))) if reason.starts_with("SH0508 ")),
        "{ended:?}"
    );
    assert_eq!(asked.last(), Some(&"commit"));
}
