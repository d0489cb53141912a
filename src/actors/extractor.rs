//! ExtractorPool and ExtractorActor: a ractor factory whose workers each run one task at a time.
//!
//! A factory replaces a worker that panics or is killed, and loses its job without a word; the job therefore carries
//! a guard that speaks when it is dropped.

use super::ports::{TaskResult, TaskRunner};
use crate::checkpoint::TableWork;
use crate::domain::progress::TaskProgress;
use crate::domain::task::{ClaimedTask, TaskFailure};
use ractor::factory::{
    Factory, FactoryArguments, FactoryMessage, Job, Worker, WorkerId, queues, routing,
    worker_builder,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use std::sync::{Arc, OnceLock};
use tokio::time::Instant;
use tracing::Instrument;

/// How a task ended in the pool.
#[derive(Debug)]
pub enum JobEnd {
    /// It ran.
    Ran(Result<TaskResult, TaskFailure>),
    /// The one who ran it is gone: a panic, or a kill.
    Lost,
}

/// Speaks exactly once: with the result, or, when it is dropped before, that the job is lost.
pub struct JobGuard(Option<Box<dyn FnOnce(JobEnd) + Send>>);

impl JobGuard {
    /// A guard that calls `tell`.
    pub fn new(tell: impl FnOnce(JobEnd) + Send + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    fn end(mut self, result: Result<TaskResult, TaskFailure>) {
        if let Some(tell) = self.0.take() {
            tell(JobEnd::Ran(result));
        }
    }
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell(JobEnd::Lost);
        }
    }
}

/// Cancels a task when the one who runs it is gone: what it does on a thread of its own does not end by itself.
struct CancelOnDrop(Arc<TaskProgress>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A task to run.
pub struct ExtractorJob {
    /// The claim.
    pub task: ClaimedTask,
    /// Its table.
    pub work: Arc<TableWork>,
    /// Progress, and the wish to cancel.
    pub progress: Arc<TaskProgress>,
    /// Set when it starts.
    pub started: Arc<OnceLock<Instant>>,
    /// Told of the end.
    pub guard: JobGuard,
}

/// What the lines about a task carry in the log. Of the highest level, so that no filter takes it from a line that it
/// lets through.
pub(super) fn task_span(task: &ClaimedTask, work: Option<&TableWork>) -> tracing::Span {
    tracing::error_span!(
        "task",
        workflow = %work.map_or_else(
            || task.workflow_id.to_string(),
            |work| work.workflow_name.clone()
        ),
        table = %work.map_or_else(
            || task.table_no.to_string(),
            |work| work.spec.source.to_string()
        ),
        partition = task.partition_no.map(|no| no.0),
        attempt = task.attempt.0,
    )
}

/// The pool's address.
pub type ExtractorPool = ActorRef<FactoryMessage<String, ExtractorJob>>;

/// A worker of the pool.
pub struct ExtractorActor;

impl Worker for ExtractorActor {
    type Key = String;
    type Message = ExtractorJob;
    type State = Arc<dyn TaskRunner>;
    type Arguments = Arc<dyn TaskRunner>;

    async fn pre_start(
        &self,
        _: WorkerId,
        _: &ExtractorPool,
        runner: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        // Connections are made by the job: a replacement that fails here would stop the whole factory.
        Ok(runner)
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &ExtractorPool,
        job: Job<String, ExtractorJob>,
        runner: &mut Self::State,
    ) -> Result<String, ActorProcessingErr> {
        let ExtractorJob {
            task,
            work,
            progress,
            started,
            guard,
        } = job.msg;
        let span = task_span(&task, Some(&work));
        let _ = started.set(Instant::now());
        let _cancel = CancelOnDrop(progress.clone());
        if progress.is_cancelled() {
            guard.end(Ok(TaskResult::Cancelled));
            return Ok(job.key);
        }
        let result = runner.run(&task, &work, progress).instrument(span).await;
        guard.end(result);
        Ok(job.key)
    }
}

/// Spawns a pool of `size` extractors below `parent`. The queue holds what the puller sends, and the puller counts.
///
/// # Errors
/// When the factory cannot be spawned.
pub async fn spawn_pool(
    parent: ractor::ActorCell,
    runner: Arc<dyn TaskRunner>,
    size: usize,
) -> Result<ExtractorPool, ractor::SpawnErr> {
    let definition = Factory::<
        String,
        ExtractorJob,
        Arc<dyn TaskRunner>,
        ExtractorActor,
        routing::QueuerRouting<String, ExtractorJob>,
        queues::DefaultQueue<String, ExtractorJob>,
    >::default();
    let arguments = FactoryArguments::builder()
        .worker_builder(Box::new(worker_builder(move |_| {
            (ExtractorActor, runner.clone())
        })))
        .queue(queues::DefaultQueue::default())
        .router(routing::QueuerRouting::default())
        .num_initial_workers(size)
        .build();
    Ok(Actor::spawn_linked(None, definition, arguments, parent)
        .await?
        .0)
}

/// Sends a job to the pool; when the pool is gone, the job's guard says that the job is lost.
pub fn dispatch(pool: &ExtractorPool, job: ExtractorJob) {
    let accepted: Option<RpcReplyPort<Option<Job<String, ExtractorJob>>>> = None;
    let key = job.task.task_id.clone();
    let _ = pool.cast(FactoryMessage::Dispatch(Job {
        key,
        msg: job,
        options: ractor::factory::JobOptions::default(),
        accepted,
    }));
}
