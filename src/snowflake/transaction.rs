//! Transactions. Each one comes to its end: committed, rolled back, or, when it is dropped, rolled back beside whoever
//! dropped it. What is left open holds its locks until Snowflake ends it as idle, after five minutes.

use super::answer::Row;
use super::client::{CANCEL_PATIENCE, SnowflakeClient, rows_affected};
use super::error::SnowflakeError;
use super::lease::Lease;
use super::statement::Statement;
use crate::failpoint::{Step, step};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};
use uuid::Uuid;

/// How long a rollback may take; then the session is thrown away.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(10);

/// How far a client is on its way to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    /// It is not.
    #[default]
    No,
    /// No transaction begins any more.
    NoneBegins,
    /// Statements in transactions are cancelled, those that run and those that come.
    Cancelled,
}

/// The transactions of a client that are open.
#[derive(Default)]
pub(super) struct OpenTransactions {
    /// Held by each transaction while it is open; the one who has it alone knows that none is.
    open: Arc<RwLock<()>>,
    stop: watch::Sender<Stop>,
}

impl OpenTransactions {
    /// Counts another one, unless none may begin any more.
    pub(super) async fn enter(&self) -> Result<OwnedRwLockReadGuard<()>, SnowflakeError> {
        let open = self.open.clone().read_owned().await;
        if *self.stop.borrow() == Stop::No {
            Ok(open)
        } else {
            Err(SnowflakeError::cancelled())
        }
    }

    /// See [`SnowflakeClient::end_transactions`].
    pub(super) async fn end_all(&self, patience: Duration) -> bool {
        // Those that wait for it now begin when this is over, and end there.
        let ended = tokio::time::timeout(patience, self.open.write()).await;
        self.stop.send_if_modified(|stop| {
            let was = *stop;
            *stop = was.max(Stop::NoneBegins);
            was != *stop
        });
        if ended.is_ok() {
            return true;
        }
        tracing::info!("transactions that are still open are rolled back");
        self.stop.send_replace(Stop::Cancelled);
        tokio::time::timeout(patience, self.open.write())
            .await
            .is_ok()
    }
}

/// An open transaction.
pub struct Transaction {
    client: SnowflakeClient,
    lease: Option<Lease>,
    open: Option<OwnedRwLockReadGuard<()>>,
    /// The query tag of its statements, where it is not the session's.
    tag: Option<String>,
    /// Of the statement that was sent last, until it has ended.
    running: Mutex<Option<Uuid>>,
}

impl Transaction {
    pub(super) fn new(
        client: SnowflakeClient,
        lease: Lease,
        open: OwnedRwLockReadGuard<()>,
        tag: Option<&str>,
    ) -> Self {
        Self {
            client,
            lease: Some(lease),
            open: Some(open),
            tag: tag.map(str::to_owned),
            running: Mutex::new(None),
        }
    }

    /// Runs a statement inside and answers its rows.
    ///
    /// # Errors
    /// As [`SnowflakeError`] says; afterwards only [`Self::rollback`] makes sense.
    pub async fn query<'a>(
        &self,
        statement: impl Into<Statement<'a>>,
    ) -> Result<Vec<Row>, SnowflakeError> {
        let statement = statement.into();
        let statement = statement.tagged(self.tag.as_deref());
        let mut stop = self.client.transactions().stop.subscribe();
        if *stop.borrow_and_update() == Stop::Cancelled {
            return Err(SnowflakeError::cancelled());
        }
        let lease = self.lease()?;
        let request = Uuid::new_v4();
        self.set_running(Some(request));
        let stop = async { drop(stop.wait_for(|stop| *stop == Stop::Cancelled).await) };
        let mut answer = std::pin::pin!(lease.run(request, &statement));
        let answer = tokio::select! {
            answer = &mut answer => answer,
            () = stop => {
                let end = async {
                    lease.cancel(request).await;
                    answer.await
                };
                // Until it has ended, nothing else can be asked of its session.
                tokio::time::timeout(CANCEL_PATIENCE, end)
                    .await
                    .unwrap_or_else(|_| Err(SnowflakeError::cancelled()))
            }
        };
        self.set_running(None);
        Ok(answer?.rows)
    }

    /// Runs a statement inside that changes something, and answers its rows.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn run_step<'a>(
        &self,
        at: Step,
        statement: impl Into<Statement<'a>>,
    ) -> Result<Vec<Row>, SnowflakeError> {
        step(at, self.query(statement)).await
    }

    /// Runs a statement inside and answers how many rows it changed.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn execute<'a>(
        &self,
        at: Step,
        statement: impl Into<Statement<'a>>,
    ) -> Result<u64, SnowflakeError> {
        Ok(rows_affected(&self.run_step(at, statement).await?))
    }

    /// Commits.
    ///
    /// # Errors
    /// With `in_doubt`, the commit may have happened: ask the checkpoint.
    pub async fn commit(mut self, at: Step) -> Result<(), SnowflakeError> {
        match step(at, self.end_with("COMMIT")).await {
            Ok(()) => {
                self.give_back();
                Ok(())
            }
            Err(error) => {
                // What is not committed would hold its locks until Snowflake ends it as idle; after a commit this does
                // nothing.
                self.rollback().await;
                Err(SnowflakeError {
                    in_doubt: true,
                    ..error
                })
            }
        }
    }

    /// Ends it by what was done inside: commits what `keeps` wants kept, and rolls back everything else.
    ///
    /// # Errors
    /// What `done` failed with, or the commit; that one may have happened.
    pub async fn end<T, E: From<SnowflakeError>>(
        self,
        at: Step,
        done: Result<T, E>,
        keeps: impl FnOnce(&T) -> bool,
    ) -> Result<T, E> {
        if done.as_ref().is_ok_and(keeps) {
            self.commit(at).await?;
        } else {
            self.rollback().await;
        }
        done
    }

    /// Rolls back. A session that cannot even do that is thrown away.
    pub async fn rollback(mut self) {
        let rollback = self.end_with("ROLLBACK");
        if matches!(
            tokio::time::timeout(ROLLBACK_PATIENCE, rollback).await,
            Ok(Ok(()))
        ) {
            self.give_back();
        } else {
            // It has been tried.
            self.lease = None;
        }
    }

    /// Runs a statement that is not cancelled.
    async fn end_with(&self, sql: &str) -> Result<(), SnowflakeError> {
        let statement = Statement::from(sql).tagged(self.tag.as_deref());
        self.lease()?.run(Uuid::new_v4(), &statement).await?;
        Ok(())
    }

    fn lease(&self) -> Result<&Lease, SnowflakeError> {
        self.lease
            .as_ref()
            .ok_or_else(|| SnowflakeError::refused("the transaction has ended".to_owned()))
    }

    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.client.give_back(lease);
        }
    }

    fn set_running(&self, request: Option<Uuid>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = request;
    }
}

impl Drop for Transaction {
    /// Nobody has ended it: its holder was dropped in the middle.
    fn drop(&mut self) {
        let (Some(lease), Ok(runtime)) = (self.lease.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let open = self.open.take();
        let running = self
            .running
            .get_mut()
            .map_or(None, |running| running.take());
        runtime.spawn(async move {
            let rolled_back = async {
                if let Some(running) = running {
                    // Its session does one thing at a time.
                    let _ = tokio::time::timeout(CANCEL_PATIENCE, lease.cancel(running)).await;
                }
                lease
                    .run(Uuid::new_v4(), &Statement::from("ROLLBACK"))
                    .await
            };
            let _ = tokio::time::timeout(ROLLBACK_PATIENCE, rolled_back).await;
            // The session is thrown away.
            drop(open);
        });
    }
}
