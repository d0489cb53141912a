//! Use cases: what commands do besides running a role. Each owns the types of its result; the command line prints them.

pub mod doctor;
pub mod follow;
pub mod generate;
pub mod naming;
pub mod planned_table;
pub mod preview;
pub mod requests;
pub mod sources;

use crate::checkpoint::CheckpointError;
use crate::snowflake::SnowflakeError;
use crate::snowflake::error::Kind;

/// Why a command or a role could not start or continue, by what the user can do about it. Each has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A configuration or a request was refused.
    #[error("{0}")]
    Refused(String),
    /// Snowflake or the source cannot be reached, or refused the login.
    #[error("{0}")]
    Unreachable(String),
    /// Something failed inside.
    #[error("{0}")]
    Internal(String),
}

impl From<CheckpointError> for AppError {
    fn from(error: CheckpointError) -> Self {
        // What passes by itself is not the caller's mistake, whatever it is.
        if error.is_unreachable() || error.is_retryable() {
            Self::Unreachable(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

impl From<SnowflakeError> for AppError {
    fn from(error: SnowflakeError) -> Self {
        match error.kind {
            Kind::Unreachable | Kind::Login | Kind::Held => Self::Unreachable(error.message),
            _ => Self::Refused(error.message),
        }
    }
}
