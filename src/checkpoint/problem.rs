//! Errors of the checkpoint as problems with a code.

use super::CheckpointError;
use crate::domain::problem::{Code, Problem};

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
            Self::Store(_) if self.is_unreachable() => Code::SNOWFLAKE_UNREACHABLE,
            Self::Store(_) if self.is_locked() => Code::LOCKED,
            Self::Store(_) if self.is_refusal() => Code::STATEMENT_REFUSED,
            Self::Store(_) => Code::SNOWFLAKE_UNEXPLAINED,
        };
        code.problem(self.to_string())
    }
}
