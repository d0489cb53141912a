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
use crate::domain::problem::{Code, Problems};
use crate::snowflake::SnowflakeError;
use crate::snowflake::error::Kind;

/// Why a command or a role could not start or continue, by what the user can do about it. Each has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A configuration or a request was refused.
    #[error("{0}")]
    Refused(Problems),
    /// Snowflake or the source cannot be reached, or refused the login.
    #[error("{0}")]
    Unreachable(Problems),
    /// Something failed inside.
    #[error("{0}")]
    Internal(Problems),
}

impl AppError {
    /// A configuration or a request was refused.
    pub fn refused(problems: impl Into<Problems>) -> Self {
        Self::Refused(problems.into())
    }

    /// Something failed inside, which has no better code.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::Internal(Code::INTERNAL.problem(what).into())
    }

    /// All problems.
    pub fn problems(&self) -> &Problems {
        match self {
            Self::Refused(problems) | Self::Unreachable(problems) | Self::Internal(problems) => {
                problems
            }
        }
    }
}

impl From<CheckpointError> for AppError {
    fn from(error: CheckpointError) -> Self {
        // What is transient is not the caller's mistake.
        if error.is_unreachable() || error.is_retryable() {
            Self::Unreachable(error.problem().into())
        } else {
            Self::Refused(error.problem().into())
        }
    }
}

impl From<SnowflakeError> for AppError {
    fn from(error: SnowflakeError) -> Self {
        match error.kind {
            Kind::Unreachable | Kind::Login | Kind::Held => {
                Self::Unreachable(error.problem().into())
            }
            _ => Self::Refused(error.problem().into()),
        }
    }
}
