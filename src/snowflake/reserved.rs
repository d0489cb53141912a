//! A session that is held for statements before a transaction.

use super::answer::Row;
use super::client::SnowflakeClient;
use super::error::SnowflakeError;
use super::lease::Lease;
use super::statement::Statement;
use super::transaction::Transaction;
use crate::failpoint::{Step, step};
use uuid::Uuid;

/// A session that is held for statements before a transaction. It is thrown away unless [`Self::begin`] makes a
/// transaction of it: nobody knows what it has left open.
pub struct Reserved {
    pub(super) client: SnowflakeClient,
    pub(super) lease: Lease,
    pub(super) tag: String,
}

impl Reserved {
    /// Runs a statement and answers its rows.
    ///
    /// # Errors
    /// As [`SnowflakeError`] says.
    pub async fn query<'a>(
        &self,
        statement: impl Into<Statement<'a>>,
    ) -> Result<Vec<Row>, SnowflakeError> {
        let statement = statement.into();
        let statement = statement.tagged(Some(&self.tag));
        Ok(self.lease.run(Uuid::new_v4(), &statement).await?.rows)
    }

    /// Runs a statement that changes something, and answers its rows.
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

    /// Begins a transaction on this session.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn begin(self, at: Step) -> Result<Transaction, SnowflakeError> {
        let open = self.client.transactions().enter().await?;
        if !self.client.is_autocommit() {
            self.query("ALTER SESSION SET AUTOCOMMIT = FALSE").await?;
        }
        step(at, self.query("BEGIN")).await?;
        Ok(Transaction::new(
            self.client,
            self.lease,
            open,
            Some(&self.tag),
        ))
    }
}
