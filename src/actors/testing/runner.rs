//! The double of the task runner: it takes its time, and does what the test wants of a table's tasks.

use crate::actors::ports::{TaskResult, TaskRunner};
use crate::checkpoint::TableWork;
use crate::domain::analysis::{AnalyzedPartition, TableAnalysis, fingerprint};
use crate::domain::progress::TaskProgress;
use crate::domain::table::KeyRange;
use crate::domain::task::{ClaimedTask, Manifest, StagedFile, TaskFailure, TaskKind};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Fails every time; the flag says whether the worker may try again.
    Fails(bool),
    /// Finds its source away at the first attempts, this many.
    Away(u32),
    /// Panics at the first attempts, this many.
    Panics(u32),
    /// Stages no file at all.
    Empty,
    /// Runs this long, and does not look whether it is cancelled.
    Deaf(Duration),
}

/// Runs tasks in no time but the planned.
pub struct FakeRunner {
    /// How long a task takes.
    pub duration: Duration,
    /// Partitions of a table by its name.
    pub partitions: HashMap<String, usize>,
    /// By table and partition; `None`: its analysis.
    pub behaviours: Mutex<HashMap<(String, Option<u32>), Behaviour>>,
    /// Runs that began.
    pub started: Mutex<Vec<ClaimedTask>>,
    /// Runs that saw that they were cancelled.
    pub cancelled: Mutex<usize>,
}

impl FakeRunner {
    /// Rows of each partition: never the same for two neighbours.
    pub fn rows_of(partition: u32) -> u64 {
        10 + u64::from(partition % 7)
    }

    fn result(&self, task: &ClaimedTask, work: &TableWork, empty: bool) -> TaskResult {
        let Some(no) = task.partition_no else {
            let count = self.partitions[&work.spec.source.table.0];
            let previous = work.previous.as_ref();
            let watermark = previous.and_then(|p| p.partitions.first()?.watermark.clone());
            return TaskResult::Analysis(Box::new(TableAnalysis {
                partitions: (0..count)
                    .map(|n| AnalyzedPartition {
                        after: watermark.clone(),
                        ..part(n, count).into()
                    })
                    .collect(),
                started_from: Some(fingerprint(previous).unwrap()),
                ..TableAnalysis::default()
            }));
        };
        let path = format!(
            "workflows/{}/{}/{no}/{}/part-00000.parquet",
            task.workflow_id, task.table_no, task.attempt
        );
        let file = StagedFile {
            path,
            rows: Self::rows_of(no.0),
            bytes: 100,
        };
        TaskResult::Staged(Manifest {
            files: if empty { Vec::new() } else { vec![file] },
            ..Manifest::default()
        })
    }
}

/// The range number `n` of `count`.
fn part(n: usize, count: usize) -> KeyRange {
    let bound = |n: usize| vec![n.to_string()];
    KeyRange::Between {
        lower: (n > 0).then(|| bound(n)),
        upper: (n + 1 < count).then(|| bound(n + 1)),
    }
}

#[async_trait]
impl TaskRunner for FakeRunner {
    async fn run(
        &self,
        task: &ClaimedTask,
        work: &TableWork,
        progress: Arc<TaskProgress>,
    ) -> Result<TaskResult, TaskFailure> {
        assert_eq!(
            task.kind == TaskKind::Extract,
            work.extract.is_some() && task.partition_no.is_some()
        );
        self.started.lock().unwrap().push(task.clone());
        let key = (
            work.spec.source.table.0.clone(),
            task.partition_no.map(|no| no.0),
        );
        let behaviour = self.behaviours.lock().unwrap().get(&key).cloned();
        if let Some(Behaviour::Deaf(duration)) = behaviour {
            tokio::time::sleep(duration).await;
            return Ok(self.result(task, work, false));
        }
        for step in 1..=4 {
            tokio::time::sleep(self.duration / 4).await;
            progress.set(step, step);
            if progress.is_cancelled() {
                *self.cancelled.lock().unwrap() += 1;
                return Ok(TaskResult::Cancelled);
            }
        }
        match behaviour {
            Some(Behaviour::Fails(true)) => Err(TaskFailure::transient(format!(
                "{key:?} fails, as the test planned"
            ))),
            Some(Behaviour::Fails(false)) => Err(TaskFailure::permanent(format!(
                "{key:?} fails, as the test planned"
            ))),
            Some(Behaviour::Away(attempts)) if task.attempt.0 <= attempts => Err(
                TaskFailure::outage("the source is away, as the test planned"),
            ),
            Some(Behaviour::Panics(times)) if task.attempt.0 <= times => {
                panic!("{key:?} panics, as the test planned")
            }
            other => Ok(self.result(task, work, other == Some(Behaviour::Empty))),
        }
    }
}
