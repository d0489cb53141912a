//! The checkpoint: its contract and its hybrid tables.
//!
//! Two contracts, one for each role, so that a worker cannot even name what only an owner may do. Every method
//! says how many statements it sends: latency to Snowflake is about 100 ms each, and hybrid tables have quotas.

mod bootstrap;
mod catalog;
mod catalog_contract;
mod cells;
mod changes;
mod claim;
mod contract;
mod fence;
mod hybrid;
mod limits;
mod load_ledger;
mod migration_status;
mod operator_contract;
mod operator_sql;
mod operators;
mod orchestrator;
mod orchestrator_contract;
mod ownership;
mod phase_sql;
mod plan;
mod problem;
mod procedures;
mod purge;
mod requests;
mod rows;
mod schema;
mod shown;
mod sql;
mod statements;
mod synchronization;
mod tables;
mod views;
mod worker;
mod worker_contract;
mod workflow_end;
mod worksheet;

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
pub mod testing;

pub use catalog_contract::*;
pub use contract::*;
pub use hybrid::HybridCheckpoint;
pub use limits::{Admission, Limiter};
pub use operator_contract::*;
pub use orchestrator_contract::*;
pub use shown::shown;
pub use worker_contract::*;

/// The version of the metadata that this build works with.
pub const METADATA_VERSION: u32 = schema::VERSION;
