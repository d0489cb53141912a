//! CopyIntoActor: loads one target table. Partitions that are staged while a load runs go together into the next one.
//! One load at a time for each table: the table's row in the checkpoint is locked by it anyway.

use super::Reply;
use super::effects::{self, ask_patiently};
use super::ports::{LoadOutcome, Loader, StagedPartition};
use super::supervision::is_running;
use super::table_gates::TableGates;
use crate::checkpoint::{CheckpointError, OrchestratorCheckpoint, OwnedWorkflow};
use crate::domain::idle::IdlePolicy;
use crate::domain::phase::PartitionPhase;
use crate::domain::retry::{Decision, Failure, RetryPolicy};
use crate::domain::table_plan::TablePlan;
use crate::domain::{PartitionNo, TableNo, WorkflowId};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How long a staged partition waits for company: a load costs five statements, whatever it loads.
const LINGER: Duration = Duration::from_millis(1_000);
/// Bytes of a load's files at most, together: the smallest warehouse copies them in about a quarter of an hour, for which the
/// transaction holds the table's rows, and which is lost when it fails.
const MAX_BYTES: u64 = 50_000_000_000;
/// Pauses before a load that rate limits forbid, or that met a lock, is asked for again.
const HELD_BACK: IdlePolicy = IdlePolicy {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(15),
};
/// Partitions of one question about what was loaded.
const SETTLE_SPAN: usize = 1_000;

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

impl LoadRequest {
    fn partition_no(&self) -> PartitionNo {
        self.staged.unit.key.partition_no
    }
}

/// Messages.
pub enum CopyIntoMsg {
    /// Load this.
    Load(LoadRequest),
    /// Start a load if there is something to load.
    Start,
    /// A load ended.
    Ended(Vec<LoadRequest>, LoadOutcome),
    /// What the checkpoint says of a batch that was not loaded, or whose fate is unknown for this reason.
    Settled(
        Vec<LoadRequest>,
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
    pub extraction: Arc<TablePlan>,
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
    waiting: VecDeque<LoadRequest>,
    start_due: bool,
    loading: bool,
    tries: u32,
    /// After a rejection without a known culprit: load one by one.
    single: usize,
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
            arguments,
            waiting: VecDeque::new(),
            start_due: false,
            loading: false,
            tries: 0,
            single: 0,
            held_back: None,
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
                // A partition that was rebuilt asks again while its predecessor's request still waits: twice in one
                // batch it could never be loaded.
                let no = request.partition_no();
                state.waiting.retain(|other| other.partition_no() != no);
                state.waiting.push_back(request);
                state.arm(&myself, LINGER);
            }
            CopyIntoMsg::Start => {
                state.start_due = false;
                state.start(&myself);
            }
            CopyIntoMsg::Ended(batch, outcome) => state.ended(&myself, batch, outcome),
            CopyIntoMsg::Settled(batch, reason, phases) => {
                state.settled(&myself, batch, &reason, phases);
            }
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
        let max_files = self.arguments.loader.max_files();
        let limit = if self.single > 0 { 1 } else { max_files };
        let sizes = self.waiting.iter().map(|request| {
            let files = &request.staged.manifest.files;
            (files.len(), files.iter().map(|file| file.bytes).sum())
        });
        let count = batch_len(sizes, limit, max_files);
        let batch: Vec<LoadRequest> = self.waiting.drain(..count).collect();
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
            gates,
            ..
        } = &self.arguments;
        let (owned, table_no, extraction) = (owned.clone(), *table_no, extraction.clone());
        let (loader, permits, gates) = (loader.clone(), permits.clone(), gates.clone());
        let asker = myself.get_cell();
        // The load is not tied to this actor's life: a transaction that has begun is better ended than abandoned.
        effects::run(myself, async move {
            let _gate = gates.enter(owned.id, table_no).await;
            let _permit = permits.acquire_owned().await;
            if !is_running(&asker) {
                // Its table was paused, cancelled or rebuilt while it waited.
                let gone = "the load's actor is gone".to_owned();
                return CopyIntoMsg::Ended(batch, LoadOutcome::AskCheckpoint(gone));
            }
            let staged: Vec<StagedPartition> =
                batch.iter().map(|request| request.staged.clone()).collect();
            let outcome = loader.load(&owned, table_no, &extraction, &staged).await;
            CopyIntoMsg::Ended(batch, outcome)
        });
    }

    fn ended(
        &mut self,
        myself: &ActorRef<CopyIntoMsg>,
        batch: Vec<LoadRequest>,
        outcome: LoadOutcome,
    ) {
        self.loading = false;
        if let LoadOutcome::Limited | LoadOutcome::Held(_) = &outcome {
            if let LoadOutcome::Held(reason) = outcome {
                tracing::warn!(workflow = %self.arguments.owned.name, table = %self.arguments.extraction.extract.source, reason, "the load is held back");
            }
            let since = *self.held_back.get_or_insert_with(Instant::now);
            self.put_back(batch);
            self.arm(myself, HELD_BACK.pause(since.elapsed()));
            return;
        }
        self.held_back = None;
        match outcome {
            LoadOutcome::Limited | LoadOutcome::Held(_) => {}
            LoadOutcome::Committed => {
                self.tries = 0;
                batch
                    .into_iter()
                    .for_each(|request| (request.reply)(Loaded::Committed));
            }
            LoadOutcome::Rejected(rejected) if rejected.is_empty() && batch.len() > 1 => {
                // Nobody knows which partition it was: one by one tells.
                self.single = batch.len();
                self.put_back(batch);
            }
            LoadOutcome::Rejected(rejected) if rejected.is_empty() => {
                let error = "Snowflake rejects the load of this partition without saying why; see the query history";
                batch
                    .into_iter()
                    .for_each(|request| (request.reply)(Loaded::Rejected(error.to_owned())));
            }
            LoadOutcome::Rejected(rejected) => {
                let mut errors: HashMap<usize, String> = rejected.into_iter().collect();
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
            LoadOutcome::TryAgain(ref reason) | LoadOutcome::AskCheckpoint(ref reason) => {
                let is_known = matches!(outcome, LoadOutcome::TryAgain(_));
                let reason = reason.clone();
                tracing::warn!(workflow = %self.arguments.owned.name, table = %self.arguments.extraction.extract.source, reason, "load failed or is in doubt; asking the checkpoint");
                self.settle(myself, batch, reason, is_known);
                return;
            }
        }
        self.arm(myself, LINGER);
    }

    /// Puts requests back to the front, unless a newer one for the same partition has come meanwhile.
    fn put_back(&mut self, batch: Vec<LoadRequest>) {
        for request in batch.into_iter().rev() {
            let no = request.partition_no();
            if self.waiting.iter().all(|other| other.partition_no() != no) {
                self.waiting.push_front(request);
            }
        }
    }

    /// Reads, after a pause, the phases of a batch that was not loaded or whose fate is unknown. Until then nothing
    /// else is loaded; and while the checkpoint does not answer, no try is counted: an outage gives nothing up.
    fn settle(
        &mut self,
        myself: &ActorRef<CopyIntoMsg>,
        batch: Vec<LoadRequest>,
        reason: String,
        is_known: bool,
    ) {
        self.loading = true;
        // Also when this was the last try: what it did is to be known.
        let pause = RetryPolicy::LOAD.pause(self.tries + 1, rand::random());
        let checkpoint = self.arguments.checkpoint.clone();
        let (owned, table_no) = (self.arguments.owned.clone(), self.arguments.table_no);
        let (id, failures) = (owned.id, self.tries + 1);
        let asker = myself.get_cell();
        effects::run(myself, async move {
            // Not in doubt: its transaction may still hold the table's row.
            if is_known {
                let told = checkpoint.load_waits(&owned, table_no, failures, pause, &reason);
                if let Err(error) = told.await {
                    tracing::debug!(%error, "it could not be written that a load waits");
                }
            }
            tokio::time::sleep(pause).await;
            let numbers = batch.iter().map(LoadRequest::partition_no).collect();
            let phases = read_phases(&asker, checkpoint.as_ref(), id, table_no, numbers).await;
            CopyIntoMsg::Settled(batch, reason, phases)
        });
    }

    fn settled(
        &mut self,
        myself: &ActorRef<CopyIntoMsg>,
        batch: Vec<LoadRequest>,
        reason: &str,
        phases: Result<HashMap<PartitionNo, PartitionPhase>, CheckpointError>,
    ) {
        let phases = phases.unwrap_or_else(|error| {
            tracing::error!(workflow = %self.arguments.owned.name, %error, "the checkpoint refuses to say what was loaded");
            HashMap::new()
        });
        let mut again = Vec::new();
        for request in batch {
            match phases.get(&request.partition_no()) {
                Some(PartitionPhase::Loaded) => (request.reply)(Loaded::Committed),
                Some(PartitionPhase::Staged) => again.push(request),
                Some(
                    PartitionPhase::Pending
                    | PartitionPhase::Failed
                    | PartitionPhase::Unchanged
                    | PartitionPhase::Cancelled,
                )
                | None => (request.reply)(Loaded::Stale),
            }
        }
        self.tries = if again.is_empty() { 0 } else { self.tries + 1 };
        let decision = RetryPolicy::LOAD.decide(Failure::Passing, self.tries, rand::random());
        if !again.is_empty() && decision == Decision::GiveUp {
            let error = format!(
                "the load failed {} times, the last time with: {reason}",
                self.tries
            );
            self.tries = 0;
            again
                .into_iter()
                .for_each(|request| (request.reply)(Loaded::Rejected(error.clone())));
        } else {
            self.put_back(again);
        }
        self.loading = false;
        self.arm(myself, LINGER);
    }
}

/// How many of the partitions that wait, each with its files and their bytes, go into one load: at most `limit`. One that is
/// too large goes alone, as several COPY INTO in one transaction.
fn batch_len(sizes: impl Iterator<Item = (usize, u64)>, limit: usize, max_files: usize) -> usize {
    let (mut files, mut bytes) = (0, 0_u64);
    let fits = |(index, (more, size)): &(usize, (usize, u64))| {
        files += more;
        bytes = bytes.saturating_add(*size);
        *index == 0 || (files <= max_files && bytes <= MAX_BYTES)
    };
    sizes.take(limit).enumerate().take_while(fits).count()
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

    const MAX_FILES: usize = 1_000;

    #[test]
    fn a_load_takes_what_fits_and_what_fits_nowhere_alone() {
        let len =
            |sizes: &[(usize, u64)], limit| batch_len(sizes.iter().copied(), limit, MAX_FILES);
        assert_eq!(len(&[], MAX_FILES), 0);
        assert_eq!(len(&[(1, 1); 5], MAX_FILES), 5);
        assert_eq!(len(&[(1, 1); 5], 1), 1);
        assert_eq!(len(&[(600, 1), (400, 1), (1, 1)], MAX_FILES), 2);
        assert_eq!(len(&[(1, MAX_BYTES / 2); 5], MAX_FILES), 2);
        assert_eq!(len(&[(1, MAX_BYTES * 3), (1, 1)], MAX_FILES), 1);
        assert_eq!(len(&[(3_000, 1), (1, 1)], MAX_FILES), 1);
    }

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
