//! CopyIntoActor: loads one target table. Partitions that are staged while a load runs go together into the next one.
//! One load at a time for each table: the table's row in the checkpoint is locked by it anyway.

use super::Reply;
use super::ports::{LoadOutcome, Loader, StagedPartition};
use crate::checkpoint::{OrchestratorCheckpoint, OwnedWorkflow};
use crate::domain::TableNo;
use crate::domain::phase::PartitionPhase;
use crate::domain::task::ExtractionSpec;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Files that one COPY INTO can name at most (documentation of COPY INTO, `FILES`).
pub const MAX_FILES: usize = 1_000;
/// How long a staged partition waits for company.
const LINGER: Duration = Duration::from_millis(400);
/// Pauses before a load that failed for a passing reason is tried again: the last one repeats.
const RETRY_PAUSES: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
];
/// Passing reasons in a row after which the table's staged partitions are given up.
const MAX_TRIES: usize = 20;

/// What became of a partition's load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Its rows are in the target.
    Committed,
    /// It cannot be loaded: what is wrong and what to do.
    Rejected(String),
    /// The checkpoint says something else: reload.
    Stale,
}

/// A partition to load, and who wants to know.
pub struct LoadRequest {
    /// The partition.
    pub staged: StagedPartition,
    /// Called when its fate is certain.
    pub reply: Reply<Loaded>,
}

/// Messages.
pub enum CopyIntoMsg {
    /// Load this.
    Load(LoadRequest),
    /// Start a load if there is something to load.
    Start,
    /// A load ended.
    Ended(Vec<LoadRequest>, LoadOutcome),
    /// What the checkpoint says of a batch in doubt: true for each partition that is loaded.
    Settled(Vec<LoadRequest>, Result<Vec<PartitionPhase>, String>),
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
    pub extraction: Arc<ExtractionSpec>,
    /// Loads.
    pub loader: Arc<dyn Loader>,
    /// Tells what happened when a reply was lost.
    pub checkpoint: Arc<dyn OrchestratorCheckpoint>,
    /// Loads at once in the whole process.
    pub permits: Arc<Semaphore>,
}

/// Its state.
pub struct CopyIntoState {
    arguments: CopyIntoArguments,
    waiting: VecDeque<LoadRequest>,
    start_due: bool,
    loading: bool,
    tries: usize,
    /// After a rejection without a known culprit: load one by one.
    single: usize,
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
            arguments,
            waiting: VecDeque::new(),
            start_due: false,
            loading: false,
            tries: 0,
            single: 0,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            CopyIntoMsg::Load(request) => {
                state.waiting.push_back(request);
                state.arm(&myself, LINGER);
            }
            CopyIntoMsg::Start => {
                state.start_due = false;
                state.start(&myself);
            }
            CopyIntoMsg::Ended(batch, outcome) => state.ended(&myself, batch, outcome),
            CopyIntoMsg::Settled(batch, phases) => state.settled(&myself, batch, phases),
        }
        Ok(())
    }
}

impl CopyIntoState {
    fn arm(&mut self, myself: &ActorRef<CopyIntoMsg>, after: Duration) {
        if !self.start_due && !self.loading && !self.waiting.is_empty() {
            self.start_due = true;
            myself.send_after(after, || CopyIntoMsg::Start);
        }
    }

    /// Takes the next batch off the queue: as many as one COPY INTO can name.
    fn take_batch(&mut self) -> Vec<LoadRequest> {
        let mut batch = Vec::new();
        let mut files = 0;
        let limit = if self.single > 0 { 1 } else { MAX_FILES };
        while let Some(next) = self.waiting.front() {
            files += next.staged.manifest.files.len();
            // A partition of more than a thousand files goes alone, as several COPY INTO in one transaction.
            if !batch.is_empty() && (files > MAX_FILES || batch.len() >= limit) {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        self.single = self.single.saturating_sub(batch.len());
        batch
    }

    fn start(&mut self, myself: &ActorRef<CopyIntoMsg>) {
        if self.loading || self.waiting.is_empty() {
            return;
        }
        let batch = self.take_batch();
        self.loading = true;
        let CopyIntoArguments {
            owned,
            table_no,
            extraction,
            loader,
            permits,
            ..
        } = &self.arguments;
        let (owned, table_no, extraction) = (owned.clone(), *table_no, extraction.clone());
        let (loader, permits, myself) = (loader.clone(), permits.clone(), myself.clone());
        // The load is not tied to this actor's life: a transaction that has begun is better ended than abandoned.
        tokio::spawn(async move {
            let _permit = permits.acquire_owned().await;
            let staged: Vec<StagedPartition> =
                batch.iter().map(|request| request.staged.clone()).collect();
            let outcome = loader.load(&owned, table_no, &extraction, &staged).await;
            let _ = myself.cast(CopyIntoMsg::Ended(batch, outcome));
        });
    }

    fn ended(
        &mut self,
        myself: &ActorRef<CopyIntoMsg>,
        batch: Vec<LoadRequest>,
        outcome: LoadOutcome,
    ) {
        self.loading = false;
        let table = self.arguments.table_no.0;
        let mut pause = LINGER;
        match outcome {
            LoadOutcome::Committed => {
                self.tries = 0;
                batch
                    .into_iter()
                    .for_each(|request| (request.reply)(Loaded::Committed));
            }
            LoadOutcome::Rejected(rejected) if rejected.is_empty() => {
                // Nobody knows which partition it was: one by one tells.
                self.single = batch.len();
                self.put_back(batch);
            }
            LoadOutcome::Rejected(rejected) => {
                let mut errors: std::collections::HashMap<usize, String> =
                    rejected.into_iter().collect();
                let mut others = Vec::new();
                for (index, request) in batch.into_iter().enumerate() {
                    match errors.remove(&index) {
                        Some(error) => (request.reply)(Loaded::Rejected(error)),
                        None => others.push(request),
                    }
                }
                self.put_back(others);
            }
            LoadOutcome::Impossible(error) => batch
                .into_iter()
                .for_each(|request| (request.reply)(Loaded::Rejected(error.clone()))),
            LoadOutcome::TryAgain(reason) if self.tries + 1 >= MAX_TRIES => {
                self.tries = 0;
                let error =
                    format!("the load failed {MAX_TRIES} times, the last time with: {reason}");
                batch
                    .into_iter()
                    .for_each(|request| (request.reply)(Loaded::Rejected(error.clone())));
            }
            LoadOutcome::TryAgain(reason) => {
                pause = RETRY_PAUSES[self.tries.min(RETRY_PAUSES.len() - 1)];
                self.tries += 1;
                tracing::warn!(workflow = %self.arguments.owned.name, table, reason, ?pause, "load failed; trying again");
                self.put_back(batch);
            }
            LoadOutcome::AskCheckpoint(reason) => {
                tracing::warn!(workflow = %self.arguments.owned.name, table, reason, "load in doubt; asking the checkpoint");
                self.settle(myself, batch);
                return;
            }
        }
        self.arm(myself, pause);
    }

    fn put_back(&mut self, batch: Vec<LoadRequest>) {
        for request in batch.into_iter().rev() {
            self.waiting.push_front(request);
        }
    }

    /// Reads the phases of a batch whose fate is unknown. Until then nothing else is loaded.
    fn settle(&mut self, myself: &ActorRef<CopyIntoMsg>, batch: Vec<LoadRequest>) {
        self.loading = true;
        let pause = RETRY_PAUSES[self.tries.min(RETRY_PAUSES.len() - 1)];
        self.tries += 1;
        let checkpoint = self.arguments.checkpoint.clone();
        let (id, table_no, myself) = (
            self.arguments.owned.id,
            self.arguments.table_no,
            myself.clone(),
        );
        let numbers: Vec<_> = batch
            .iter()
            .map(|request| request.staged.unit.key.partition_no)
            .collect();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let mut phases = Vec::with_capacity(numbers.len());
            for no in numbers {
                match checkpoint
                    .load_partitions(id, table_no, PartitionPhase::ALL, no, 1)
                    .await
                {
                    Ok(rows) => phases.extend(
                        rows.iter()
                            .filter(|row| row.partition_no == no)
                            .map(|row| row.phase),
                    ),
                    Err(error) => {
                        let _ = myself.cast(CopyIntoMsg::Settled(batch, Err(error.to_string())));
                        return;
                    }
                }
            }
            let _ = myself.cast(CopyIntoMsg::Settled(batch, Ok(phases)));
        });
    }

    fn settled(
        &mut self,
        myself: &ActorRef<CopyIntoMsg>,
        batch: Vec<LoadRequest>,
        phases: Result<Vec<PartitionPhase>, String>,
    ) {
        match phases {
            Err(reason) => {
                tracing::warn!(workflow = %self.arguments.owned.name, reason, "the checkpoint could not be asked; asking again");
                self.settle(myself, batch);
                return;
            }
            Ok(phases) if phases.len() != batch.len() => batch
                .into_iter()
                .for_each(|request| (request.reply)(Loaded::Stale)),
            Ok(phases) => {
                let mut again = Vec::new();
                for (request, phase) in batch.into_iter().zip(phases) {
                    match phase {
                        PartitionPhase::Loaded => (request.reply)(Loaded::Committed),
                        PartitionPhase::Staged => again.push(request),
                        PartitionPhase::Pending | PartitionPhase::Failed => {
                            (request.reply)(Loaded::Stale)
                        }
                    }
                }
                if again.is_empty() {
                    self.tries = 0;
                }
                self.put_back(again);
            }
        }
        self.loading = false;
        self.arm(myself, LINGER);
    }
}
