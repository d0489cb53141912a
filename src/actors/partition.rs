//! PartitionActor: leads one partition from its range to its rows in the target. What follows from what is decided by its
//! [`PartitionLife`]; when anything is not as that expects, the actor fails, and is rebuilt from the checkpoint.

use super::checkpoint_writer::{Change, CheckpointWriterMsg, Written};
use super::copy_into::{CopyIntoMsg, LoadRequest, Loaded};
use super::ports::StagedPartition;
use super::remote_extractor_pool::{RemoteExtractorPoolMsg, Submission};
use super::{Reply, reply_to};
use crate::checkpoint::{
    EndedTask, LoadUnit, NewTask, OwnedWorkflow, PartitionKey, PartitionState, StateChange,
};
use crate::domain::partition_life::{Command, Event, PartitionLife};
use crate::domain::table::{Content, TableRef};
use crate::domain::task::{Manifest, TaskKind};
use crate::domain::{Attempt, TableNo};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;

pub use crate::domain::partition_life::PartitionEnd;

/// Messages.
pub enum PartitionMsg {
    /// The extraction task ended.
    Ended(EndedTask),
    /// Staged was written (or not).
    StagedWritten(Written),
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
    life: PartitionLife,
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
        let partition = &arguments.partition;
        let staged = partition.attempt.zip(partition.manifest.clone());
        let (life, first) = PartitionLife::begin(partition.phase, staged);
        let mut state = PartitionActorState {
            attempt: partition.attempt,
            arguments,
            life,
            ended: Some(ended),
        };
        state.carry_out(&myself, first)?;
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let event = match message {
            PartitionMsg::Ended(task) => {
                state.attempt = Some(task.attempt);
                let staged = match task.result {
                    Ok(json) => Ok(serde_json::from_str::<Manifest>(&json).map_err(|e| {
                        format!(
                            "task {} has a result that is no manifest: {e}",
                            task.task_id
                        )
                    })?),
                    Err(error) => Err(error),
                };
                Event::Extracted(task.attempt, staged)
            }
            PartitionMsg::StagedWritten(written) => Event::StagedWritten(written),
            PartitionMsg::Loaded(loaded) => Event::Loaded(loaded),
            PartitionMsg::FailedWritten(written) => Event::FailedWritten(written),
        };
        match state.life.step(event) {
            Some(command) => state.carry_out(&myself, command),
            None => Ok(()),
        }
    }
}

impl PartitionActorState {
    fn carry_out(
        &mut self,
        myself: &ActorRef<PartitionMsg>,
        command: Command,
    ) -> Result<(), ActorProcessingErr> {
        match command {
            Command::Extract => self.submit(myself),
            Command::WriteStaged(attempt, manifest) => {
                let change = StateChange::PartitionStaged {
                    key: self.key(),
                    attempt,
                    manifest,
                };
                self.write(change, reply_to(myself, PartitionMsg::StagedWritten))?;
            }
            Command::Load(attempt, manifest) => self.load(myself, attempt, manifest),
            Command::WriteFailed(error) => self.fail(myself, error)?,
            Command::End(end) => {
                if let Some(ended) = self.ended.take() {
                    ended(end);
                }
                myself.stop(None);
            }
            Command::Rebuild(reason) => return Err(reason.into()),
        }
        Ok(())
    }

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
}
