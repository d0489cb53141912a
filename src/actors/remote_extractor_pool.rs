//! RemoteExtractorPool: the workers' extractor pools as the orchestrator sees them. Queues tasks in bulk, and watches
//! them end with one question for all.

use super::Reply;
use super::effects::{self, flush_after};
use crate::checkpoint::{EndedTask, NewTask, OrchestratorCheckpoint, OwnedWorkflow};
use crate::domain::group_commit::GroupCommit;
use crate::domain::idle::IdlePolicy;
use crate::domain::task::TaskKind;
use crate::domain::{OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a task waits for company before it is queued.
const LINGER: Duration = Duration::from_millis(30);
/// Ended tasks that one question brings at most, those not counted that nobody waits for.
const ENDED_LIMIT: usize = 1_000;
/// Pause between two questions while tasks keep ending.
const BUSY_POLL: Duration = Duration::from_millis(500);
/// Longest pause between two questions: tasks are watched, so there is work.
const LONGEST_POLL: Duration = Duration::from_secs(5);

/// What names a task within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskKey {
    /// Workflow.
    pub workflow_id: WorkflowId,
    /// Kind.
    pub kind: TaskKind,
    /// Table.
    pub table_no: TableNo,
    /// Partition.
    pub partition_no: Option<PartitionNo>,
}

/// Whose tasks are queued together. By epoch too: under an older one nothing would be queued, and nobody told.
pub type Lane = (WorkflowId, OwnerEpoch);
/// A task to queue.
pub type ToQueue = (Arc<OwnedWorkflow>, NewTask);

/// A task to queue and to watch. Queueing one that is queued already only watches it.
pub struct Submission {
    /// The workflow with the epoch that fences the task.
    pub owned: Arc<OwnedWorkflow>,
    /// The task.
    pub task: NewTask,
    /// Called when the task has ended.
    pub ended: Reply<EndedTask>,
}

/// Messages.
pub enum RemoteExtractorPoolMsg {
    /// Queue this and watch it.
    Submit(Submission),
    /// The linger of this owner's tasks is over.
    Queue(Lane),
    /// Queueing has ended: these could not be queued.
    QueueAgain(Lane, Vec<ToQueue>),
    /// Ask which tasks have ended.
    Poll,
    /// The answer; `None`: it could not be asked.
    Ended(Option<Vec<EndedTask>>),
    /// Nobody drives this workflow here any more with this epoch or an older one.
    Forget(WorkflowId, OwnerEpoch),
    /// Pause like this between questions from now on.
    PollEvery(IdlePolicy),
}

/// The actor.
pub struct RemoteExtractorPool;

/// What it starts with.
pub struct RemoteExtractorPoolArguments {
    /// The checkpoint.
    pub checkpoint: Arc<dyn OrchestratorCheckpoint>,
    /// Pauses between two questions while nothing ends; none is longer than [`LONGEST_POLL`].
    pub poll: IdlePolicy,
}

/// Its state.
pub struct RemoteExtractorPoolState {
    arguments: RemoteExtractorPoolArguments,
    to_queue: GroupCommit<Lane, ToQueue>,
    watched: HashMap<TaskKey, Watcher>,
    /// Ended tasks of the last answer that nobody waited for.
    unwatched: usize,
    polling: bool,
    /// When a task was queued or has ended the last time.
    moved: Instant,
}

struct Watcher {
    epoch: OwnerEpoch,
    ended: Reply<EndedTask>,
}

impl Actor for RemoteExtractorPool {
    type Msg = RemoteExtractorPoolMsg;
    type State = RemoteExtractorPoolState;
    type Arguments = RemoteExtractorPoolArguments;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(RemoteExtractorPoolState {
            arguments,
            to_queue: GroupCommit::new(LINGER, usize::MAX),
            watched: HashMap::new(),
            unwatched: 0,
            polling: false,
            moved: Instant::now(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RemoteExtractorPoolMsg::Submit(submission) => {
                state.submit(&myself, submission);
                state.moved = Instant::now();
                state.arm_poll(&myself, BUSY_POLL);
            }
            RemoteExtractorPoolMsg::Queue(lane) => state.queue(&myself, lane),
            RemoteExtractorPoolMsg::QueueAgain(lane, tasks) => {
                let watched = &state.watched;
                let of_interest = |(owned, task): &ToQueue| {
                    let watcher = watched.get(&TaskKey::of(owned.id, task));
                    watcher.is_some_and(|watcher| watcher.epoch == owned.epoch)
                };
                let again = tasks.into_iter().filter(of_interest).collect();
                let due = state.to_queue.flushed(lane, again, rand::random());
                flush_after(&myself, due, move || RemoteExtractorPoolMsg::Queue(lane));
            }
            RemoteExtractorPoolMsg::Poll => state.poll(&myself),
            RemoteExtractorPoolMsg::Ended(answer) => {
                state.polling = false;
                let delivered = answer.map_or(0, |ended| state.deliver(ended));
                if delivered > 0 {
                    state.moved = Instant::now();
                }
                let poll = state.arguments.poll;
                let pause = if delivered > 0 {
                    BUSY_POLL.min(poll.base)
                } else {
                    let pause = poll.pause(state.moved.elapsed());
                    pause.min(LONGEST_POLL.max(poll.base))
                };
                state.arm_poll(&myself, pause);
            }
            RemoteExtractorPoolMsg::PollEvery(poll) => state.arguments.poll = poll,
            RemoteExtractorPoolMsg::Forget(id, epoch) => {
                state
                    .watched
                    .retain(|key, watcher| key.workflow_id != id || watcher.epoch > epoch);
                state
                    .to_queue
                    .retain_lanes(|(other, other_epoch)| other != id || other_epoch > epoch);
            }
        }
        Ok(())
    }
}

impl TaskKey {
    fn of(workflow_id: WorkflowId, task: &NewTask) -> Self {
        Self {
            workflow_id,
            kind: task.kind,
            table_no: task.table_no,
            partition_no: task.partition.as_ref().map(|(no, _)| *no),
        }
    }
}

impl RemoteExtractorPoolState {
    fn submit(&mut self, myself: &ActorRef<RemoteExtractorPoolMsg>, submission: Submission) {
        let key = TaskKey::of(submission.owned.id, &submission.task);
        let epoch = submission.owned.epoch;
        if self.watched.get(&key).is_some_and(|now| now.epoch > epoch) {
            // The last word of an actor whose workflow has been taken again: its successor watches already.
            return;
        }
        let ended = submission.ended;
        self.watched.insert(key, Watcher { epoch, ended });
        let lane = (submission.owned.id, epoch);
        let task = (submission.owned, submission.task);
        let due = self.to_queue.push(lane, task);
        flush_after(myself, due, move || RemoteExtractorPoolMsg::Queue(lane));
    }

    fn arm_poll(&mut self, myself: &ActorRef<RemoteExtractorPoolMsg>, after: Duration) {
        if !self.polling && !self.watched.is_empty() {
            self.polling = true;
            myself.send_after(after, || RemoteExtractorPoolMsg::Poll);
        }
    }

    fn queue(&mut self, myself: &ActorRef<RemoteExtractorPoolMsg>, lane: Lane) {
        let Some(batch) = self.to_queue.flush(lane) else {
            return;
        };
        let checkpoint = self.arguments.checkpoint.clone();
        effects::run(myself, async move {
            // All of one workflow and epoch.
            let owned = batch[0].0.clone();
            let tasks: Vec<NewTask> = batch.iter().map(|(_, task)| task.clone()).collect();
            let Err(error) = checkpoint.enqueue(&owned, &tasks).await else {
                return RemoteExtractorPoolMsg::QueueAgain(lane, Vec::new());
            };
            // A fenced enqueue ends here too: the dispatcher learns of the lost lease and sends Forget.
            tracing::warn!(workflow = %owned.name, %error, tasks = tasks.len(), "tasks could not be queued; trying again");
            RemoteExtractorPoolMsg::QueueAgain(lane, batch)
        });
    }

    fn poll(&mut self, myself: &ActorRef<RemoteExtractorPoolMsg>) {
        let mut workflows: Vec<WorkflowId> =
            self.watched.keys().map(|key| key.workflow_id).collect();
        workflows.sort_unstable();
        workflows.dedup();
        if workflows.is_empty() {
            self.polling = false;
            return;
        }
        let checkpoint = self.arguments.checkpoint.clone();
        // Tasks that nobody waits for (their table was given up) must not keep the others out of the answer.
        let limit = ENDED_LIMIT + self.unwatched;
        effects::run(myself, async move {
            let answer = checkpoint.ended_tasks(&workflows, limit).await;
            let answer = answer.inspect_err(|error| tracing::warn!(%error, "could not ask which tasks have ended; asking again")).ok();
            RemoteExtractorPoolMsg::Ended(answer)
        });
    }

    /// Tells the watchers. An ended task without a watcher stays uncollected in the checkpoint, and its watcher, once
    /// it is there, hears of it with the next answer.
    fn deliver(&mut self, ended: Vec<EndedTask>) -> usize {
        let mut delivered = 0;
        let all = ended.len();
        for task in ended {
            let key = TaskKey {
                workflow_id: task.workflow_id,
                kind: task.kind,
                table_no: task.table_no,
                partition_no: task.partition_no,
            };
            if let Some(watcher) = self.watched.remove(&key) {
                (watcher.ended)(task);
                delivered += 1;
            }
        }
        self.unwatched = all - delivered;
        delivered
    }
}
