//! The orchestrator: drives workflows. It never reaches the source.

use super::process_name;
use super::shutdown::{Reload, log_reload};
use crate::actors::orchestrator_supervisor::{
    OrchestratorSettings, OrchestratorSupervisor, OrchestratorSupervisorMsg,
};
use crate::actors::services::WorkflowServices;
use crate::actors::table_gates::TableGates;
use crate::app::AppError;
use crate::checkpoint::HybridCheckpoint;
use crate::config::orchestrator::OrchestratorConfig;
use crate::snowflake::{Connection, SnowflakeClient};
use crate::target::loader::TableLoader;
use crate::target::planner::SnowflakeTargetPlanner;
use ractor::{Actor, ActorRef};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// How long a stop may take: Snowpark Container Services kill 30 s after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(18);
/// How long transactions may continue when the actors have stopped; as long again for their rollback.
const END_TRANSACTIONS: Duration = Duration::from_secs(1);

/// A running orchestrator.
pub struct Orchestrator {
    /// The root of its actors.
    pub supervisor: ActorRef<OrchestratorSupervisorMsg>,
    handle: JoinHandle<()>,
    /// The clients that begin transactions.
    clients: [SnowflakeClient; 2],
    load_permits: Arc<Semaphore>,
    load_concurrency: usize,
}

/// An orchestrator whose metadata objects are there, and which drives nothing yet.
pub struct Prepared<'a> {
    connection: &'a Connection,
    config: &'a OrchestratorConfig,
    client: SnowflakeClient,
    checkpoint: HybridCheckpoint,
}

impl<'a> Prepared<'a> {
    /// Creates or upgrades the metadata objects.
    ///
    /// # Errors
    /// When Snowflake cannot be reached, or refuses to create the metadata.
    pub async fn new(
        connection: &'a Connection,
        config: &'a OrchestratorConfig,
    ) -> Result<Self, AppError> {
        let client = SnowflakeClient::new(connection.clone(), "orchestrator");
        let checkpoint = HybridCheckpoint::new(client.clone(), config.metadata.clone());
        checkpoint.bootstrap().await?;
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
    pub async fn start(self) -> Result<Orchestrator, AppError> {
        let Self {
            connection,
            config,
            client,
            checkpoint,
        } = self;
        let mut loads = connection.clone();
        if let Some(warehouse) = &config.load_warehouse {
            loads.warehouse = Some(warehouse.clone());
        }
        let loader = TableLoader {
            client: SnowflakeClient::for_loads(loads.clone(), "orchestrator"),
            transactions: SnowflakeClient::for_transactions(loads.clone(), "orchestrator"),
            checkpoint: checkpoint.clone(),
            metadata: config.metadata.clone(),
            stage: config.metadata.stage(),
        };
        let clients = [client.clone(), loader.transactions.clone()];
        let owner = process_name();
        tracing::info!(
            owner,
            connection = connection.name,
            load_warehouse = loads.warehouse,
            metadata = config.metadata.quoted(),
            affinity = config.affinity.as_ref().map(tracing::field::display),
            "orchestrator starts"
        );
        let load_permits = Arc::new(Semaphore::new(config.load_concurrency));
        let settings = OrchestratorSettings {
            owner,
            affinity: config.affinity.clone(),
            lease: config.lease,
            poll: config.poll,
            reap_interval: config.reap_interval,
            max_failures: config.max_failures,
            services: WorkflowServices {
                checkpoint: Arc::new(checkpoint),
                loader: Arc::new(loader),
                planner: Arc::new(SnowflakeTargetPlanner { client }),
                load_permits: load_permits.clone(),
                load_gates: TableGates::default(),
                partition_window: config.partition_window,
            },
        };
        let (supervisor, handle) =
            OrchestratorSupervisor::spawn(None, OrchestratorSupervisor, settings)
                .await
                .map_err(|error| {
                    AppError::internal(format!("the orchestrator's actors did not start: {error}"))
                })?;
        Ok(Orchestrator {
            supervisor,
            handle,
            clients,
            load_permits,
            load_concurrency: config.load_concurrency,
        })
    }
}

impl Orchestrator {
    /// Creates or upgrades the metadata objects, and starts the actors.
    ///
    /// # Errors
    /// As [`Prepared::new`] and [`Prepared::start`].
    pub async fn start(
        connection: &Connection,
        config: &OrchestratorConfig,
    ) -> Result<Self, AppError> {
        Prepared::new(connection, config).await?.start().await
    }

    /// What of a configuration can change while it runs: loads that are under way end as they are.
    fn tune(&mut self, config: &OrchestratorConfig) {
        let before = std::mem::replace(&mut self.load_concurrency, config.load_concurrency);
        if let Some(more) = config.load_concurrency.checked_sub(before) {
            self.load_permits.add_permits(more);
        }
        if let Some(fewer) = before.checked_sub(config.load_concurrency) {
            let permits = self.load_permits.clone();
            tokio::spawn(async move {
                for _ in 0..fewer {
                    // In turn with the loads that wait.
                    if let Ok(permit) = permits.acquire().await {
                        permit.forget();
                    }
                }
            });
        }
        let poll = OrchestratorSupervisorMsg::Poll(config.poll);
        let _ = self.supervisor.cast(poll);
    }

    /// Resolves when the orchestrator has given up on its own.
    pub async fn ended(&mut self) -> AppError {
        let _ = (&mut self.handle).await;
        AppError::internal("the orchestrator gave up: its services keep failing (see its log)")
    }

    /// Gives the leases back and stops. No transaction is left open, also not by actors that have given up.
    pub async fn stop(mut self) {
        if !self.handle.is_finished() {
            let _ = self.supervisor.cast(OrchestratorSupervisorMsg::Drain);
            if tokio::time::timeout(STOP_TIMEOUT, &mut self.handle)
                .await
                .is_err()
            {
                tracing::warn!("the orchestrator did not stop in time; its leases expire");
            }
        }
        let ends = self.clients.iter();
        futures::future::join_all(ends.map(|client| client.end_transactions(END_TRANSACTIONS)))
            .await;
    }
}

/// Runs an orchestrator until `stop` resolves.
///
/// # Errors
/// As [`Orchestrator::start`], or when it gives up.
pub async fn run(
    connection: &Connection,
    config: &OrchestratorConfig,
    mut reload: Reload<OrchestratorConfig>,
    stop: impl Future<Output = ()>,
) -> Result<(), AppError> {
    let mut orchestrator = Orchestrator::start(connection, config).await?;
    tokio::pin!(stop);
    let ended = loop {
        tokio::select! {
            error = orchestrator.ended() => break Err(error),
            () = &mut stop => break Ok(()),
            new = reload.next() => {
                orchestrator.tune(&new);
                let tuned = format!("load_concurrency {}, {:?}", new.load_concurrency, new.poll);
                log_reload(&tuned, &config.needs_restart(&new));
            }
        }
    };
    tracing::info!("orchestrator stops");
    orchestrator.stop().await;
    tracing::info!("orchestrator has stopped");
    ended
}
