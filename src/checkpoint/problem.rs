//! Errors of the checkpoint as problems with a code.

use super::contract::{CheckpointError, StoreError, StoreFailure};
use crate::domain::problem::{Code, Problem};
use crate::snowflake::SnowflakeError;

impl CheckpointError {
    /// The error as a problem, without a place.
    pub fn problem(&self) -> Problem {
        let code = match self {
            Self::Fenced(_) => Code::OWNER_CHANGED,
            Self::NameTaken(_) => Code::WORKFLOW_NAME_TAKEN,
            Self::NoMetadata { .. } => Code::METADATA_MISSING,
            Self::Foreign { .. } => Code::METADATA_FOREIGN,
            Self::Schema(_) => Code::METADATA_VERSION,
            Self::Corrupt { .. } => Code::METADATA_CORRUPT,
            Self::Store(error) => of_store(error),
        };
        code.problem(self.to_string())
    }
}

/// The code of Snowflake's own error, where it is known.
fn of_store(error: &StoreError) -> Code {
    let cause = error.source.as_deref();
    if let Some(cause) = cause.and_then(|cause| cause.downcast_ref::<SnowflakeError>()) {
        return cause.kind.code();
    }
    match error.what {
        StoreFailure::Locked => Code::LOCKED,
        StoreFailure::Refused => Code::STATEMENT_REFUSED,
        _ if error.unreachable => Code::SNOWFLAKE_UNREACHABLE,
        StoreFailure::Unknown | StoreFailure::Other => Code::SNOWFLAKE_UNEXPLAINED,
    }
}
