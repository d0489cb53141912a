//! What a plan says of its partitions, and leaves for the next run.

use super::analysis::SyncSettings;
use super::table::Slice;

/// A partition of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedPartition {
    /// What it moves.
    pub slice: Slice,
    /// Whether there is nothing to move.
    pub unchanged: bool,
    /// The checksum of the rows that are loaded already.
    pub checksum: Option<String>,
}

/// What a plan leaves for the next run of the same table.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncPlan {
    /// Names the state, as [`SyncSpec::state_key`](super::table_plan::SyncSpec::state_key) does.
    pub key: String,
    /// What the partitions are about.
    pub settings: SyncSettings,
    /// Whether the stored partitions are these already, one by one.
    pub reused: bool,
    /// Names the state that the analysis started from, see [`fingerprint`](super::analysis::fingerprint). `None`: it
    /// does not say.
    pub started_from: Option<String>,
}
