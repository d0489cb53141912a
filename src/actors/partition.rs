//! PartitionActor: leads one partition from its range to its rows in the target. Its state is the partition's phase in
//! the checkpoint; when anything is not as it thought, it fails, and is rebuilt from there.

use super::checkpoint_writer::{Change, CheckpointWriterMsg, Written};
use super::copy_into::{CopyIntoMsg, LoadRequest, Loaded};
use super::ports::StagedPartition;
use super::remote_extractor_pool::{RemoteExtractorPoolMsg, Submission};
use super::{Reply, reply_to};
use crate::checkpoint::{
    EndedTask, LoadUnit, NewTask, OwnedWorkflow, PartitionKey, PartitionState, StateChange,
};
use crate::domain::phase::PartitionPhase;
use crate::domain::table::{Content, TableRef};
use crate::domain::task::{Manifest, TaskKind};
use crate::domain::{Attempt, TableNo};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;

/// How a partition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionEnd {
    /// Its rows are in the target.
    Loaded,
    /// It was given up, and the checkpoint says why; or an operator has cancelled it.
    Failed,
    /// Somebody else drives the workflow.
    Fenced,
}

/// Messages.
pub enum PartitionMsg {
    /// The extraction task ended.
    Ended(EndedTask),
    /// Staged was written (or not).
    StagedWritten(Written, Attempt, Manifest),
    /// The load ended.
    Loaded(Loaded),
    /// Failed was written (or not).
    FailedWritten(Written),
}

/// The actor.
pub struct PartitionActor;

/// What it starts with.
pub struct PartitionArguments {
    /// The workflow.
    pub owned: Arc<OwnedWorkflow>,
    /// The table.
    pub table_no: TableNo,
    /// The table in the source, for the log.
    pub source: TableRef,
    /// The partition as the checkpoint has it now.
    pub partition: PartitionState,
    /// Writes state.
    pub writer: ActorRef<CheckpointWriterMsg>,
    /// Runs tasks.
    pub pool: ActorRef<RemoteExtractorPoolMsg>,
    /// Loads.
    pub copy_into: ActorRef<CopyIntoMsg>,
    /// Told when the partition has ended.
    pub ended: Reply<PartitionEnd>,
}

/// Its state.
pub struct PartitionActorState {
    arguments: PartitionArguments,
    /// The last attempt that ended.
    attempt: Option<Attempt>,
    ended: Option<Reply<PartitionEnd>>,
}

impl Actor for PartitionActor {
    type Msg = PartitionMsg;
    type State = PartitionActorState;
    type Arguments = PartitionArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        mut arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let ended = std::mem::replace(&mut arguments.ended, Box::new(|_| {}));
        let mut state = PartitionActorState {
            attempt: arguments.partition.attempt,
            arguments,
            ended: Some(ended),
        };
        let partition = &state.arguments.partition;
        match (
            partition.phase,
            partition.attempt,
            partition.manifest.clone(),
        ) {
            (PartitionPhase::Pending, _, _) => state.submit(&myself),
            (PartitionPhase::Staged, Some(attempt), Some(manifest)) => {
                state.load(&myself, attempt, manifest)
            }
            (PartitionPhase::Staged, _, _) => {
                return Err(
                    "the checkpoint has a staged partition without attempt or manifest".into(),
                );
            }
            (PartitionPhase::Loaded | PartitionPhase::Unchanged, _, _) => {
                state.end(&myself, PartitionEnd::Loaded)
            }
            (PartitionPhase::Failed | PartitionPhase::Cancelled, _, _) => {
                state.end(&myself, PartitionEnd::Failed)
            }
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PartitionMsg::Ended(task) => {
                state.attempt = Some(task.attempt);
                match task.result {
                    Ok(json) => {
                        let manifest: Manifest = serde_json::from_str(&json).map_err(|e| {
                            format!(
                                "task {} has a result that is no manifest: {e}",
                                task.task_id
                            )
                        })?;
                        let change = StateChange::PartitionStaged {
                            key: state.key(),
                            attempt: task.attempt,
                            manifest: manifest.clone(),
                        };
                        state.write(
                            change,
                            reply_to(&myself, move |written| {
                                PartitionMsg::StagedWritten(written, task.attempt, manifest)
                            }),
                        )?;
                    }
                    Err(error) => state.fail(&myself, error)?,
                }
            }
            PartitionMsg::StagedWritten(Written::Applied, attempt, manifest) => {
                state.load(&myself, attempt, manifest)
            }
            PartitionMsg::Loaded(Loaded::Committed) => state.end(&myself, PartitionEnd::Loaded),
            PartitionMsg::Loaded(Loaded::Rejected(error)) => state.fail(&myself, error)?,
            PartitionMsg::FailedWritten(Written::Applied) => {
                state.end(&myself, PartitionEnd::Failed)
            }
            PartitionMsg::StagedWritten(Written::Fenced, ..)
            | PartitionMsg::FailedWritten(Written::Fenced) => {
                state.end(&myself, PartitionEnd::Fenced)
            }
            PartitionMsg::StagedWritten(Written::Stale, ..)
            | PartitionMsg::FailedWritten(Written::Stale)
            | PartitionMsg::Loaded(Loaded::Stale) => {
                return Err(
                    "the partition's phase in the checkpoint is not the expected one".into(),
                );
            }
        }
        Ok(())
    }
}

impl PartitionActorState {
    fn key(&self) -> PartitionKey {
        PartitionKey {
            table_no: self.arguments.table_no,
            partition_no: self.arguments.partition.partition_no,
        }
    }

    fn submit(&self, myself: &ActorRef<PartitionMsg>) {
        let partition = &self.arguments.partition;
        let submission = Submission {
            owned: self.arguments.owned.clone(),
            task: NewTask {
                kind: TaskKind::Extract,
                table_no: self.arguments.table_no,
                partition: Some((partition.partition_no, partition.slice.clone())),
                // Earlier partitions first, so that a table's files come in the order of its key.
                priority: i32::try_from(partition.partition_no.0).unwrap_or(i32::MAX),
            },
            ended: reply_to(myself, PartitionMsg::Ended),
        };
        let _ = self
            .arguments
            .pool
            .cast(RemoteExtractorPoolMsg::Submit(submission));
    }

    fn write(&self, change: StateChange, reply: Reply<Written>) -> Result<(), ActorProcessingErr> {
        let change = Change {
            owned: self.arguments.owned.clone(),
            change,
            reply,
        };
        self.arguments
            .writer
            .cast(CheckpointWriterMsg::Write(change))
            .map_err(|_| "the checkpoint writer is gone".into())
    }

    fn fail(
        &self,
        myself: &ActorRef<PartitionMsg>,
        error: String,
    ) -> Result<(), ActorProcessingErr> {
        tracing::error!(workflow = %self.arguments.owned.name, table = %self.arguments.source, partition = self.arguments.partition.partition_no.0, attempt = self.attempt.map(|attempt| attempt.0), error, "partition failed");
        self.write(
            StateChange::PartitionFailed {
                key: self.key(),
                error,
            },
            reply_to(myself, PartitionMsg::FailedWritten),
        )
    }

    fn load(&self, myself: &ActorRef<PartitionMsg>, attempt: Attempt, manifest: Manifest) {
        let unit = LoadUnit {
            key: self.key(),
            attempt,
            rows: match self.arguments.partition.slice.content {
                Content::Rows => manifest.rows(),
                Content::Keys => 0,
            },
            content: self.arguments.partition.slice.content,
            checksum: manifest.checksum.clone(),
        };
        let request = LoadRequest {
            staged: StagedPartition {
                unit,
                range: self.arguments.partition.slice.range.clone(),
                manifest,
            },
            reply: reply_to(myself, PartitionMsg::Loaded),
        };
        let _ = self.arguments.copy_into.cast(CopyIntoMsg::Load(request));
    }

    fn end(&mut self, myself: &ActorRef<PartitionMsg>, end: PartitionEnd) {
        if let Some(ended) = self.ended.take() {
            ended(end);
        }
        myself.stop(None);
    }
}
