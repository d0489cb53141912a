//! The checkpoint: its contract and its hybrid tables.
//!
//! Two contracts, one for each role, so that a worker cannot even name what only an owner may do. Every method
//! says how many statements it sends: latency to Snowflake is about 100 ms each, and hybrid tables have quotas.

mod catalog;
mod contract;
mod hybrid;
mod orchestrator;
mod schema;
mod sql;
mod worker;

pub use contract::*;
pub use hybrid::{HybridCheckpoint, MetadataLocation};
