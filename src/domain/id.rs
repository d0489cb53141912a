//! Identifiers. Each is a type of its own, so that none can take another's place.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// A workflow's key in the checkpoint, given by Snowflake when the workflow is created.
    WorkflowId(i64)
}
number_id! {
    /// A table's place in its workflow file, from 0.
    TableNo(u32)
}
number_id! {
    /// A partition's place in its table, from 0.
    PartitionNo(u32)
}
number_id! {
    /// How often a task has been claimed; the first claim is attempt 1.
    Attempt(u32)
}
number_id! {
    /// Grows with each change of a workflow's owner, by a step that no other change has; a write that carries an older one
    /// matches no row.
    OwnerEpoch(i64)
}

/// Proof of one claim of a task: every later write about the task must carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimToken(pub uuid::Uuid);

impl ClaimToken {
    /// A token that no other claim has.
    pub fn generate() -> Self {
        Self(uuid::Uuid::new_v4())
    }

    /// Its first eight hex digits: enough to tell two claims of one task apart.
    pub fn short(self) -> String {
        let mut digits = self.0.simple().to_string();
        digits.truncate(8);
        digits
    }
}

impl fmt::Display for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
