//! The worker: claims tasks, and runs them against the source and the stage.

use super::process_name;
use super::shutdown::{Reload, log_reload};
use crate::actors::task_puller::WorkerTuning;
use crate::actors::worker_supervisor::{WorkerSettings, WorkerSupervisor, WorkerSupervisorMsg};
use crate::app::AppError;
use crate::app::sources::check_sources;
use crate::checkpoint::{CheckpointError, ClaimRequest, HybridCheckpoint};
use crate::config::worker::WorkerConfig;
use crate::domain::retry::RetryPolicy;
use crate::extract::runner::SourceTaskRunner;
use crate::snowflake::{Connection, SnowflakeClient};
use crate::stage::internal::InternalStage;
use ractor::{Actor, ActorRef};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long running tasks may continue after a stop was asked; then they are handed back.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);
/// How long a stop may take in all.
const STOP_TIMEOUT: Duration = Duration::from_secs(18);
/// How long transactions may continue when the actors have stopped; as long again for their rollback.
const END_TRANSACTIONS: Duration = Duration::from_secs(1);
/// How long a worker waits for an orchestrator to create the metadata.
const METADATA_PATIENCE: Duration = Duration::from_secs(120);

/// A running worker.
pub struct Worker {
    /// The root of its actors.
    pub supervisor: ActorRef<WorkerSupervisorMsg>,
    handle: JoinHandle<()>,
    client: SnowflakeClient,
}

/// A worker that reaches its sources and finds its metadata, and which claims nothing yet.
pub struct PreparedWorker<'a> {
    connection: &'a Connection,
    config: &'a WorkerConfig,
    client: SnowflakeClient,
    checkpoint: HybridCheckpoint,
}

impl<'a> PreparedWorker<'a> {
    /// Checks the sources and the metadata.
    ///
    /// # Errors
    /// When Snowflake or a source cannot be reached or refuses the login, or the metadata is of another version.
    pub async fn new(
        connection: &'a Connection,
        config: &'a WorkerConfig,
    ) -> Result<Self, AppError> {
        let client = SnowflakeClient::new(connection.clone(), "worker");
        let checkpoint = HybridCheckpoint::new(client.clone(), config.metadata.clone());
        check_sources(&config.sources).await?;
        wait_for_metadata(|| checkpoint.check_schema(), METADATA_PATIENCE).await?;
        Ok(Self {
            connection,
            config,
            client,
            checkpoint,
        })
    }

    /// Starts the actors.
    ///
    /// # Errors
    /// When they do not start.
    pub async fn start(self) -> Result<Worker, AppError> {
        let Self {
            connection,
            config,
            client,
            checkpoint,
        } = self;
        let worker = process_name();
        let platforms: Vec<_> = config.sources.keys().copied().collect();
        tracing::info!(
            worker,
            connection = connection.name,
            metadata = config.metadata.quoted(),
            affinity = config.affinity,
            tasks = config.max_parallel_tasks,
            sources = ?platforms,
            "worker starts"
        );
        let settings = WorkerSettings {
            checkpoint: Arc::new(checkpoint),
            runner: Arc::new(SourceTaskRunner {
                sources: config.sources.clone(),
                stage: Arc::new(InternalStage::new(
                    connection.clone(),
                    config.metadata.stage(),
                )?),
                memory_bytes: config.task_memory_bytes,
            }),
            request: ClaimRequest {
                worker,
                platforms,
                affinity: config.affinity.clone(),
                limit: 0,
                slots: 0,
                lease: config.lease,
            },
            tuning: tuning(config),
            renew_interval: config.lease_refresh_interval,
            retry: RetryPolicy::TASK,
        };
        let (supervisor, handle) = WorkerSupervisor::spawn(None, WorkerSupervisor, settings)
            .await
            .map_err(|error| {
                AppError::internal(format!("the worker's actors did not start: {error}"))
            })?;
        Ok(Worker {
            supervisor,
            handle,
            client,
        })
    }
}

impl Worker {
    /// Checks the sources and the metadata, and starts the actors.
    ///
    /// # Errors
    /// As [`PreparedWorker::new`] and [`PreparedWorker::start`].
    pub async fn start(connection: &Connection, config: &WorkerConfig) -> Result<Self, AppError> {
        let prepared = PreparedWorker::new(connection, config).await?;
        prepared.start().await
    }

    /// Resolves when the worker has given up on its own.
    pub async fn ended(&mut self) -> AppError {
        let _ = (&mut self.handle).await;
        AppError::internal("the worker gave up: its services keep failing (see its log)")
    }

    /// Finishes or hands back the tasks, and stops: within 20 s. No transaction is left open, also not by actors that have
    /// given up.
    pub async fn stop(mut self) {
        if !self.handle.is_finished() {
            let _ = self
                .supervisor
                .cast(WorkerSupervisorMsg::Drain(DRAIN_PATIENCE));
            if tokio::time::timeout(STOP_TIMEOUT, &mut self.handle)
                .await
                .is_err()
            {
                tracing::warn!("tasks could not be handed back in time; their leases expire");
            }
        }
        self.client.end_transactions(END_TRANSACTIONS).await;
    }
}

/// What of a configuration holds at once.
fn tuning(config: &WorkerConfig) -> WorkerTuning {
    WorkerTuning {
        capacity: config.max_parallel_tasks,
        fetch: config.task_fetch,
    }
}

/// Runs a worker until `stop` resolves.
///
/// # Errors
/// As [`Worker::start`], or when it gives up.
pub async fn run(
    connection: &Connection,
    config: &WorkerConfig,
    mut reload: Reload<WorkerConfig>,
    stop: impl Future<Output = ()>,
) -> Result<(), AppError> {
    tokio::pin!(stop);
    let start = Worker::start(connection, config);
    let mut worker = tokio::select! {
        started = start => started?,
        // Nothing is held yet.
        () = &mut stop => return Ok(()),
    };
    let ended = loop {
        tokio::select! {
            error = worker.ended() => break Err(error),
            () = &mut stop => break Ok(()),
            new = reload.next() => {
                let tuning = tuning(&new);
                let _ = worker.supervisor.cast(WorkerSupervisorMsg::Tune(tuning));
                log_reload(&format!("{tuning:?}"), &config.needs_restart(&new));
            }
        }
    };
    tracing::info!("worker stops: running tasks are finished or handed back");
    worker.stop().await;
    tracing::info!("worker has stopped");
    ended
}

/// Waits until the metadata is there: an orchestrator that starts at the same time needs a moment to create it.
///
/// # Errors
/// When it is of another version, cannot be read, or does not come.
pub async fn wait_for_metadata<F, T>(
    mut check: F,
    patience: Duration,
) -> Result<(), CheckpointError>
where
    F: FnMut() -> T,
    T: Future<Output = Result<(), CheckpointError>>,
{
    let mut until = tokio::time::Instant::now() + patience;
    let mut told: Option<String> = None;
    loop {
        match check().await {
            Err(CheckpointError::NoMetadata { schema, cause }) => {
                let now = tokio::time::Instant::now();
                if told.as_ref().is_some_and(|before| *before != cause) {
                    // They come nearer: an orchestrator is at it.
                    until = now + patience;
                }
                if now >= until {
                    return Err(CheckpointError::NoMetadata { schema, cause });
                }
                if told.replace(cause.clone()).is_none() {
                    tracing::info!(
                        schema,
                        cause,
                        "waiting for an orchestrator to create the metadata"
                    );
                }
            }
            result => return result,
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Waits for metadata that take this long from version to version.
    async fn waited(step: u64) -> bool {
        let started = tokio::time::Instant::now();
        let asked = Cell::new(0);
        let check = || {
            asked.set(asked.get() + 1);
            let version = started.elapsed().as_secs() / step;
            async move {
                match version {
                    3.. => Ok(()),
                    _ => Err(CheckpointError::NoMetadata {
                        schema: "S".to_owned(),
                        cause: format!("it has version {version}"),
                    }),
                }
            }
        };
        let came = wait_for_metadata(check, PATIENCE).await.is_ok();
        assert!(asked.get() > 1);
        came
    }

    #[tokio::test(start_paused = true)]
    async fn metadata_are_waited_for_as_long_as_they_come_nearer() {
        assert!(waited(5).await);
        assert!(waited(15).await, "three steps take more than its patience");
        assert!(!waited(40).await);
    }
}
