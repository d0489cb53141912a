//! Statements of the metadata, repeated for as long as that may help, and what their errors mean.

use super::contract::{CheckpointError, StoreError, StoreFailure};
use super::shown::shown;
use crate::domain::retry::{Failure, RetryPolicy};
use crate::failpoint::Step;
use crate::retry::retry;
use crate::snowflake::error::Kind;
use crate::snowflake::{Row, SnowflakeClient, SnowflakeError, Statement};

/// Snowflake's code of "invalid identifier".
pub(super) const NO_SUCH_COLUMN: &str = "000904";

/// Sends statements of the metadata. Cheap to clone.
#[derive(Clone)]
pub(super) struct Statements {
    pub client: SnowflakeClient,
    /// The quoted schema.
    pub s: String,
}

impl Statements {
    /// Runs a statement that may be repeated.
    pub async fn query<'a>(
        &self,
        statement: impl Into<Statement<'a>>,
    ) -> Result<Vec<Row>, CheckpointError> {
        let statement = statement.into();
        self.repeat(|| self.client.query(statement.clone())).await
    }

    /// Runs a SHOW command as [`shown`] says.
    pub async fn show(
        &self,
        sql: &str,
        columns: &[&str],
    ) -> Result<Vec<Vec<String>>, CheckpointError> {
        self.repeat(|| shown(&self.client, sql, columns)).await
    }

    /// Runs a change that may be repeated, and answers how many rows it changed the last time.
    pub async fn execute<'a>(
        &self,
        at: Step,
        statement: impl Into<Statement<'a>>,
    ) -> Result<u64, CheckpointError> {
        let statement = statement.into();
        self.repeat(|| self.client.execute(at, statement.clone()))
            .await
    }

    /// The same, but a row that is locked is not waited for again: whoever was left behind may hold it for minutes.
    pub async fn execute_unless_locked(&self, at: Step, sql: &str) -> Result<u64, CheckpointError> {
        let change = async || match self.client.execute(at, sql).await {
            Err(error) if error.kind == Kind::Locked => Ok(Err(error)),
            answer => answer.map(Ok),
        };
        Ok(self.repeat(change).await??)
    }

    async fn repeat<T, F>(&self, mut statement: impl FnMut() -> F) -> Result<T, CheckpointError>
    where
        F: Future<Output = Result<T, SnowflakeError>>,
    {
        let attempt = || {
            let answer = statement();
            async { answer.await.map_err(CheckpointError::from) }
        };
        let answer = retry(
            RetryPolicy::STATEMENT,
            attempt,
            CheckpointError::failure,
            |_, _| {},
        );
        answer.await.map_err(given_up)
    }
}

/// What nobody can explain has been tried for long enough: now it counts as refused.
fn given_up(error: CheckpointError) -> CheckpointError {
    match error {
        CheckpointError::Store(error) if error.what == StoreFailure::Unknown => StoreError {
            failure: Failure::Permanent,
            what: StoreFailure::Refused,
            ..error
        }
        .into(),
        error => error,
    }
}

/// Whether Snowflake answered that there is no such object, or none that the role may see.
pub(super) fn is_absence(error: &CheckpointError) -> bool {
    kind(error) == Some(&Kind::NoSuchObject)
}

/// Whether Snowflake refused a statement for a reason that has no name here.
pub(super) fn is_refusal(error: &CheckpointError) -> bool {
    kind(error) == Some(&Kind::Refused)
}

/// Whether Snowflake answered with this code.
pub(super) fn has_code(error: &CheckpointError, code: &str) -> bool {
    answer(error).and_then(|error| error.code.as_deref()) == Some(code)
}

fn kind(error: &CheckpointError) -> Option<&Kind> {
    answer(error).map(|error| &error.kind)
}

fn answer(error: &CheckpointError) -> Option<&SnowflakeError> {
    let CheckpointError::Store(StoreError {
        source: Some(source),
        ..
    }) = error
    else {
        return None;
    };
    source.downcast_ref::<SnowflakeError>()
}

impl From<SnowflakeError> for CheckpointError {
    fn from(error: SnowflakeError) -> Self {
        Self::Store(StoreError {
            message: error.message.clone(),
            failure: error.failure(),
            unreachable: matches!(error.kind, Kind::Unreachable | Kind::Login | Kind::Held),
            what: match error.kind {
                Kind::Locked => StoreFailure::Locked,
                Kind::Refused | Kind::Rejected => StoreFailure::Refused,
                Kind::Unknown => StoreFailure::Unknown,
                _ => StoreFailure::Other,
            },
            source: Some(Box::new(error)),
        })
    }
}
