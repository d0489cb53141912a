//! What every workflow of a process shares.

use super::ports::{Loader, TargetPlanner};
use super::table_gates::TableGates;
use crate::checkpoint::OrchestratorCheckpoint;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What every workflow of a process shares.
#[derive(Clone)]
pub struct WorkflowServices {
    /// The checkpoint.
    pub checkpoint: Arc<dyn OrchestratorCheckpoint>,
    /// Loads.
    pub loader: Arc<dyn Loader>,
    /// Plans targets.
    pub planner: Arc<dyn TargetPlanner>,
    /// Loads at once in the whole process.
    pub load_permits: Arc<Semaphore>,
    /// One load at a time for each table: it holds the rows that its successor would lock.
    pub load_gates: TableGates,
    /// Partitions of one table in flight at most.
    pub partition_window: usize,
}
