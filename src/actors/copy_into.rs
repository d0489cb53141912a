//! CopyIntoActor: loads one target table. Partitions that are staged while a load runs go together into the next one.
//! One load at a time for each table: the table's row in the checkpoint is locked by it anyway. What follows from what is
//! decided by its [`LoadQueue`].

use super::Reply;
use super::effects::{self, ask_patiently};
use super::ports::{LoadOutcome, Loader, StagedPartition};
use super::supervision::is_running;
use super::table_gates::TableGates;
use crate::checkpoint::{CheckpointError, OrchestratorCheckpoint, OwnedWorkflow};
use crate::domain::idle::IdlePolicy;
use crate::domain::load_queue::{Command, Ended, Event, Item, LoadQueue, Pause};
use crate::domain::phase::PartitionPhase;
use crate::domain::retry::{Failure, RetryPolicy};
use crate::domain::table_plan::TablePlan;
use crate::domain::{PartitionNo, TableNo, WorkflowId};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How long a staged partition waits for company: a load costs five statements, whatever it loads.
const LINGER: Duration = Duration::from_millis(1_000);
/// Pauses before a load that rate limits forbid, or that met a lock, is asked for again.
const HELD_BACK: IdlePolicy = IdlePolicy {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(15),
};
/// Partitions of one question about what was loaded.
const SETTLE_SPAN: usize = 1_000;

pub use crate::domain::load_queue::Loaded;

/// A partition to load, and who wants to know.
pub struct LoadRequest {
    /// The partition.
    pub staged: StagedPartition,
    /// Called when its fate is certain.
    pub reply: Reply<Loaded>,
}

impl LoadRequest {
    fn item(self) -> Item<Self> {
        let files = &self.staged.manifest.files;
        Item {
            partition_no: self.staged.unit.key.partition_no,
            files: files.len(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            what: self,
        }
    }
}

/// Messages.
pub enum CopyIntoMsg {
    /// Load this.
    Load(LoadRequest),
    /// Start a load if there is something to load.
    Start,
    /// The load ended.
    Ended(LoadOutcome),
    /// What the checkpoint says of the load that failed for this reason.
    Settled(
        String,
        Result<HashMap<PartitionNo, PartitionPhase>, CheckpointError>,
    ),
}

/// The actor.
pub struct CopyIntoActor;

/// What it starts with.
pub struct CopyIntoArguments {
    /// The workflow.
    pub owned: Arc<OwnedWorkflow>,
    /// The table.
    pub table_no: TableNo,
    /// How its files look.
    pub plan: Arc<TablePlan>,
    /// Loads.
    pub loader: Arc<dyn Loader>,
    /// Tells what happened when a reply was lost.
    pub checkpoint: Arc<dyn OrchestratorCheckpoint>,
    /// Loads at once in the whole process.
    pub permits: Arc<Semaphore>,
    /// A load of this table that a predecessor began ends first.
    pub gates: TableGates,
}

/// Its state.
pub struct CopyIntoState {
    arguments: CopyIntoArguments,
    queue: LoadQueue<LoadRequest>,
    /// Since when rate limits or locks have held loads back.
    held_back: Option<Instant>,
}

impl Actor for CopyIntoActor {
    type Msg = CopyIntoMsg;
    type State = CopyIntoState;
    type Arguments = CopyIntoArguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(CopyIntoState {
            queue: LoadQueue::new(arguments.loader.max_files()),
            arguments,
            held_back: None,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let event = match message {
            CopyIntoMsg::Load(request) => Event::Staged(request.item()),
            CopyIntoMsg::Start => Event::Due,
            CopyIntoMsg::Ended(outcome) => Event::Ended(state.ended(outcome)),
            CopyIntoMsg::Settled(reason, phases) => Event::Settled {
                reason,
                phases: phases.unwrap_or_else(|error| {
                    tracing::error!(workflow = %state.arguments.owned.name, %error, "the checkpoint refuses to say what was loaded");
                    HashMap::new()
                }),
            },
        };
        for command in state.queue.step(event) {
            state.carry_out(&myself, command);
        }
        Ok(())
    }
}

impl CopyIntoState {
    /// What an outcome means for the queue; what an operator should know of it is logged.
    fn ended(&mut self, outcome: LoadOutcome) -> Ended {
        let (workflow, table) = (
            &self.arguments.owned.name,
            &self.arguments.plan.extract.source,
        );
        if let LoadOutcome::RateLimited | LoadOutcome::Blocked(_) = &outcome {
            self.held_back.get_or_insert_with(Instant::now);
        } else {
            self.held_back = None;
        }
        match outcome {
            LoadOutcome::Committed => Ended::Committed,
            LoadOutcome::Rejected(culprits) => Ended::Rejected(culprits),
            LoadOutcome::Fatal(error) => Ended::Impossible(error),
            LoadOutcome::RateLimited => Ended::HeldBack,
            LoadOutcome::Blocked(reason) => {
                tracing::warn!(%workflow, %table, reason, "the load is held back");
                Ended::HeldBack
            }
            LoadOutcome::Retryable(reason) => self.failed(reason, Failure::Transient),
            LoadOutcome::InDoubt(reason) => self.failed(reason, Failure::InDoubt),
        }
    }

    fn failed(&self, reason: String, failure: Failure) -> Ended {
        let (workflow, table) = (
            &self.arguments.owned.name,
            &self.arguments.plan.extract.source,
        );
        tracing::warn!(%workflow, %table, reason, "load failed or is in doubt; asking the checkpoint");
        Ended::Failed { reason, failure }
    }

    fn carry_out(&self, myself: &ActorRef<CopyIntoMsg>, command: Command<LoadRequest>) {
        match command {
            Command::Wait(Pause::Linger) => {
                myself.send_after(LINGER, || CopyIntoMsg::Start);
            }
            Command::Wait(Pause::HeldBack) => {
                let since = self
                    .held_back
                    .map_or(Duration::ZERO, |since| since.elapsed());
                myself.send_after(HELD_BACK.pause(since), || CopyIntoMsg::Start);
            }
            Command::Load => self.load(myself),
            Command::Settle {
                reason,
                failures,
                failure,
            } => self.settle(myself, reason, failures, failure),
            Command::Tell(request, loaded) => (request.reply)(loaded),
        }
    }

    fn load(&self, myself: &ActorRef<CopyIntoMsg>) {
        let batch = self.queue.loading().map(|item| item.what.staged.clone());
        let batch: Vec<StagedPartition> = batch.collect();
        let CopyIntoArguments {
            owned,
            table_no,
            plan,
            loader,
            permits,
            gates,
            ..
        } = &self.arguments;
        let (owned, table_no, plan) = (owned.clone(), *table_no, plan.clone());
        let (loader, permits, gates) = (loader.clone(), permits.clone(), gates.clone());
        let asker = myself.get_cell();
        // The load is not tied to this actor's life: a transaction that has begun is better ended than abandoned.
        effects::run(myself, async move {
            let _gate = gates.enter(owned.id, table_no).await;
            let _permit = permits.acquire_owned().await;
            if !is_running(&asker) {
                // Its table was paused, cancelled or rebuilt while it waited.
                let gone = "the load's actor is gone".to_owned();
                return CopyIntoMsg::Ended(LoadOutcome::InDoubt(gone));
            }
            let outcome = loader.load(&owned, table_no, &plan, &batch).await;
            CopyIntoMsg::Ended(outcome)
        });
    }

    /// Reads, after a pause, the phases of a load that failed or whose fate is unknown. Until then nothing else is loaded;
    /// and while the checkpoint does not answer, no try is counted: an outage gives nothing up.
    fn settle(
        &self,
        myself: &ActorRef<CopyIntoMsg>,
        reason: String,
        failures: u32,
        failure: Failure,
    ) {
        // Also when this was the last try: what it did is to be known.
        let pause = RetryPolicy::LOAD.pause(failures, rand::random());
        let checkpoint = self.arguments.checkpoint.clone();
        let (owned, table_no) = (self.arguments.owned.clone(), self.arguments.table_no);
        let numbers: Vec<_> = self.queue.loading().map(|item| item.partition_no).collect();
        let asker = myself.get_cell();
        effects::run(myself, async move {
            // Not in doubt: its transaction may still hold the table's row.
            if failure != Failure::InDoubt {
                let told = checkpoint.record_load_retry(&owned, table_no, failures, pause, &reason);
                if let Err(error) = told.await {
                    tracing::debug!(%error, "it could not be written that a load waits");
                }
            }
            tokio::time::sleep(pause).await;
            let phases = read_phases(&asker, checkpoint.as_ref(), owned.id, table_no, numbers);
            CopyIntoMsg::Settled(reason, phases.await)
        });
    }
}

/// Reads the phases of these partitions: one statement for those whose numbers lie close together.
async fn read_phases(
    asker: &ActorCell,
    checkpoint: &dyn OrchestratorCheckpoint,
    id: WorkflowId,
    table_no: TableNo,
    mut numbers: Vec<PartitionNo>,
) -> Result<HashMap<PartitionNo, PartitionPhase>, CheckpointError> {
    numbers.sort_unstable();
    let mut phases = HashMap::with_capacity(numbers.len());
    for (from, limit) in spans(&numbers) {
        let rows = ask_patiently(asker, "what was loaded", || {
            checkpoint.load_partitions(id, table_no, PartitionPhase::ALL, from, limit)
        })
        .await?;
        phases.extend(rows.into_iter().map(|row| (row.partition_no, row.phase)));
    }
    Ok(phases)
}

/// The fewest spans of at most [`SETTLE_SPAN`] numbers that cover these ascending ones: first number, length.
fn spans(numbers: &[PartitionNo]) -> Vec<(PartitionNo, usize)> {
    let mut spans: Vec<(PartitionNo, usize)> = Vec::new();
    for no in numbers {
        match spans.last_mut() {
            Some((from, length)) if ((no.0 - from.0) as usize) < SETTLE_SPAN => {
                *length = (no.0 - from.0) as usize + 1;
            }
            _ => spans.push((*no, 1)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spans_cover_every_number_and_none_is_longer_than_allowed(numbers in prop::collection::btree_set(0u32..20_000, 0..200)) {
            let numbers: Vec<_> = numbers.into_iter().map(PartitionNo).collect();
            let spans = spans(&numbers);
            let covers = |no: &PartitionNo| spans.iter().filter(|(from, length)| *from <= *no && ((no.0 - from.0) as usize) < *length).count();
            prop_assert!(numbers.iter().all(|no| covers(no) == 1));
            prop_assert!(spans.iter().all(|(_, length)| (1..=SETTLE_SPAN).contains(length)));
            prop_assert!(spans.iter().all(|(from, length)| numbers.contains(from) && numbers.contains(&PartitionNo(from.0 + *length as u32 - 1))));
        }
    }
}
