//! Phases as they stand in statements, and what a change of phase sets besides. Pure.

use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use std::fmt;

/// A phase as text: `'PENDING'`.
#[derive(Clone, Copy)]
pub(super) struct Phase(&'static str);

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0)
    }
}

/// Phases for IN: `('COMPLETED', 'FAILED')`.
#[derive(Clone, Copy)]
pub(super) struct AnyOf<const N: usize>([Phase; N]);

impl<const N: usize> fmt::Display for AnyOf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (place, phase) in self.0.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{phase}")?;
        }
        f.write_str(")")
    }
}

macro_rules! phases {
    ($($name:ident = $kind:ident::$phase:ident),+ $(,)?) => {
        $(pub(super) const $name: Phase = Phase($kind::$phase.as_str());)+
    };
}

phases! {
    PARTITION_CANCELLED = PartitionPhase::Cancelled,
    PARTITION_FAILED = PartitionPhase::Failed,
    PARTITION_LOADED = PartitionPhase::Loaded,
    PARTITION_PENDING = PartitionPhase::Pending,
    PARTITION_STAGED = PartitionPhase::Staged,
    TABLE_ANALYZING = TablePhase::Analyzing,
    TABLE_CANCELLED = TablePhase::Cancelled,
    TABLE_COMPLETED = TablePhase::Completed,
    TABLE_EXECUTING = TablePhase::Executing,
    TABLE_FAILED = TablePhase::Failed,
    TABLE_PENDING = TablePhase::Pending,
    TASK_CANCELLED = TaskPhase::Cancelled,
    TASK_CLAIMED = TaskPhase::Claimed,
    TASK_COMPLETED = TaskPhase::Completed,
    TASK_FAILED = TaskPhase::Failed,
    TASK_PENDING = TaskPhase::Pending,
    WORKFLOW_CANCELLED = WorkflowPhase::Cancelled,
    WORKFLOW_COMPLETED = WorkflowPhase::Completed,
    WORKFLOW_EXECUTING = WorkflowPhase::Executing,
    WORKFLOW_PENDING = WorkflowPhase::Pending,
}

/// The phases of a table that has ended.
pub(super) const ENDED_TABLE: AnyOf<3> = AnyOf([TABLE_COMPLETED, TABLE_FAILED, TABLE_CANCELLED]);

/// What is set when a task is cancelled. The token goes, so that an end that comes later does not take itself for one that
/// was written before. LEASE_UNTIL stays: until then the worker may run on.
pub(super) const CANCELLED_TASK: CancelledTask = CancelledTask;

#[derive(Clone, Copy)]
pub(super) struct CancelledTask;

impl fmt::Display for CancelledTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "STATUS = {TASK_CANCELLED}, CLAIM_TOKEN = NULL, ENDED_AT = SYSDATE(), COLLECTED_AT = SYSDATE()"
        )
    }
}

/// What is set when a task goes back to the queue, attempts counted again; their numbers go on.
pub(super) const QUEUED_AGAIN: QueuedAgain = QueuedAgain;

#[derive(Clone, Copy)]
pub(super) struct QueuedAgain;

impl fmt::Display for QueuedAgain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "STATUS = {TASK_PENDING}, FAILURES = 0, POSTPONED = 0, NOT_BEFORE = NULL, CLAIM_TOKEN = NULL, RESULT = NULL, ERROR = NULL, \
             ROWS_DONE = 0, BYTES_DONE = 0, ENDED_AT = NULL, COLLECTED_AT = NULL"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_quoted_as_they_are_stored() {
        assert_eq!(TASK_PENDING.to_string(), "'PENDING'");
        assert_eq!(
            ENDED_TABLE.to_string(),
            "('COMPLETED', 'FAILED', 'CANCELLED')"
        );
        assert!(
            CANCELLED_TASK
                .to_string()
                .starts_with("STATUS = 'CANCELLED', CLAIM_TOKEN = NULL")
        );
        assert!(
            QUEUED_AGAIN
                .to_string()
                .starts_with("STATUS = 'PENDING', FAILURES = 0, ")
        );
    }
}
