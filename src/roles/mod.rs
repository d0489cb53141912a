//! The roles: build the clients, spawn the tree of actors, and drain it on a signal.
//!
//! [`task_runner`], [`target_planner`] and [`table_loader`] are the effects behind [`crate::actors::ports`] on the real
//! servers.

pub mod doctor;
mod load_plan;
pub mod orchestrator;
pub mod plan_preview;
pub mod shutdown;
pub mod standalone;
pub mod steering;
pub mod table_loader;
pub mod target_planner;
pub mod task_runner;
pub mod worker;
mod workflow_end;
pub mod workflow_generator;

use crate::checkpoint::CheckpointError;
use crate::snowflake::SnowflakeError;
use crate::snowflake::error::Kind;

/// Why a role could not start or go on, by what the user can do about it; each has its exit code ([`crate::cli`]).
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
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

impl From<CheckpointError> for RoleError {
    fn from(error: CheckpointError) -> Self {
        // What passes by itself is not the caller's mistake, whatever it is.
        if error.is_unreachable() || error.is_retryable() {
            Self::Unreachable(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

impl From<SnowflakeError> for RoleError {
    fn from(error: SnowflakeError) -> Self {
        match error.kind {
            Kind::Unreachable | Kind::Login | Kind::Held => Self::Unreachable(error.message),
            _ => Self::Refused(error.message),
        }
    }
}

/// A name for this process: host, process id and a random part, so that two processes never share one.
pub fn process_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() {
        std::env::var("HOSTNAME").unwrap_or_else(|_| "host".to_owned())
    } else {
        host.trim().to_owned()
    };
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{host}/{}/{}", std::process::id(), &random[..8])
}
