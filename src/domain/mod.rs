//! The vocabulary of a migration: ids, phases, tasks, manifests, retry and restart policy. Pure: no I/O.

pub mod affinity;
pub mod analysis;
pub mod catalog;
pub mod claim_ahead;
pub mod claims;
pub mod group_commit;
pub mod id;
pub mod idle;
pub mod kinds;
pub mod lease;
pub mod lease_book;
pub mod limits;
pub mod load_queue;
pub mod log_format;
pub mod partition_life;
pub mod phase;
pub mod planned;
pub mod problem;
pub mod progress;
pub mod quantity;
pub mod request;
pub mod restart;
pub mod retry;
pub mod source_failure;
pub mod source_settings;
pub mod spec;
pub mod spelling;
pub mod staged_path;
pub mod table;
pub mod table_life;
pub mod table_plan;
pub mod task;
pub mod wildcard;

pub use id::{Attempt, ClaimToken, OwnerEpoch, PartitionNo, TableNo, WorkflowId};
