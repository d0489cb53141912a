//! Where extracted files wait for their load: one file per kind of place.
//!
//! [`internal`] is the stage in the metadata's schema. A kind that lies elsewhere, such as a bucket of the user's own, is a
//! file beside it and an arm of [`sql_name`].

pub mod internal;
mod storage;

use crate::domain::problem::{Code, Problem};
use crate::domain::retry::Failure;
use crate::domain::task::StageLocation;
use crate::snowflake::SnowflakeError;
use crate::snowflake::error::Kind;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

/// The content of a file on its way. An error in it aborts the upload: nothing complete is left behind.
pub type Content = BoxStream<'static, Result<Bytes, std::io::Error>>;

/// A stage as an extraction sees it.
#[async_trait]
pub trait Stage: Send + Sync {
    /// What manifests call it.
    fn location(&self) -> StageLocation;

    /// Uploads a file to `path` below the stage and answers its size in bytes. The content is streamed; it cannot be
    /// read twice, so a failure in the middle is the caller's to repeat with a new file name.
    ///
    /// # Errors
    /// What failed, and whether to try again. A path that leaves the stage is refused.
    async fn upload(&self, path: &str, content: Content) -> Result<u64, StageError>;
}

/// Why a file did not reach the stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StageError {
    /// Whether another attempt can help.
    pub failure: Failure,
    /// What is wrong, and what to do, with its code; free of secrets.
    pub message: String,
}

impl From<SnowflakeError> for StageError {
    fn from(error: SnowflakeError) -> Self {
        let failure = match error.kind {
            // The worker has logged in before.
            Kind::Unreachable | Kind::Login => Failure::Outage,
            _ if error.is_retryable() => Failure::Transient,
            _ => Failure::Permanent,
        };
        Self {
            failure,
            message: problem(&error).to_string(),
        }
    }
}

/// The problem that an error at a stage is: the storage behind it has hosts and rules of its own.
pub fn problem(error: &SnowflakeError) -> Problem {
    let mut problem = error.problem();
    if let Code::SNOWFLAKE_UNREACHABLE | Code::STATEMENT_REFUSED = problem.code {
        problem.code = Code::STAGE_FAILED;
    }
    problem
}

/// The name of a stage in COPY INTO, with `@`. `internal` is that of the stage in the metadata's schema.
pub fn sql_name(location: StageLocation, internal: &str) -> &str {
    match location {
        StageLocation::Internal => internal,
    }
}
