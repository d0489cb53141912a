//! Kills one actor of a kind, wherever it is in a tree.

use crate::actors::checkpoint_writer::CheckpointWriterMsg;
use crate::actors::copy_into::CopyIntoMsg;
use crate::actors::extractor::ExtractorJob;
use crate::actors::lease_keeper::LeaseKeeperMsg;
use crate::actors::lease_reaper::LeaseReaperMsg;
use crate::actors::partition::PartitionMsg;
use crate::actors::remote_extractor_pool::RemoteExtractorPoolMsg;
use crate::actors::table_planner::TablePlannerMsg;
use crate::actors::task_end_writer::TaskEndWriterMsg;
use crate::actors::task_puller::TaskPullerMsg;
use crate::actors::workflow::WorkflowMsg;
use crate::actors::workflow_dispatcher::WorkflowDispatcherMsg;
use ractor::ActorCell;
use ractor::factory::{FactoryMessage, WorkerMessage};

/// Every kind of actor below the two supervisors.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    WorkflowDispatcher,
    Workflow,
    TablePlanner,
    Partition,
    CopyInto,
    RemoteExtractorPool,
    CheckpointWriter,
    LeaseReaper,
    TaskPuller,
    LeaseKeeper,
    TaskEndWriter,
    ExtractorPool,
    Extractor,
}

impl Kind {
    /// The orchestrator's.
    pub const ORCHESTRATOR: [Self; 8] = [
        Self::WorkflowDispatcher,
        Self::Workflow,
        Self::TablePlanner,
        Self::Partition,
        Self::CopyInto,
        Self::RemoteExtractorPool,
        Self::CheckpointWriter,
        Self::LeaseReaper,
    ];
    /// The worker's.
    pub const WORKER: [Self; 5] = [
        Self::TaskPuller,
        Self::LeaseKeeper,
        Self::TaskEndWriter,
        Self::ExtractorPool,
        Self::Extractor,
    ];

    fn is(self, cell: &ActorCell) -> bool {
        let answer = match self {
            Self::WorkflowDispatcher => cell.is_message_type_of::<WorkflowDispatcherMsg>(),
            Self::Workflow => cell.is_message_type_of::<WorkflowMsg>(),
            Self::TablePlanner => cell.is_message_type_of::<TablePlannerMsg>(),
            Self::Partition => cell.is_message_type_of::<PartitionMsg>(),
            Self::CopyInto => cell.is_message_type_of::<CopyIntoMsg>(),
            Self::RemoteExtractorPool => cell.is_message_type_of::<RemoteExtractorPoolMsg>(),
            Self::CheckpointWriter => cell.is_message_type_of::<CheckpointWriterMsg>(),
            Self::LeaseReaper => cell.is_message_type_of::<LeaseReaperMsg>(),
            Self::TaskPuller => cell.is_message_type_of::<TaskPullerMsg>(),
            Self::LeaseKeeper => cell.is_message_type_of::<LeaseKeeperMsg>(),
            Self::TaskEndWriter => cell.is_message_type_of::<TaskEndWriterMsg>(),
            Self::ExtractorPool => {
                cell.is_message_type_of::<FactoryMessage<String, ExtractorJob>>()
            }
            Self::Extractor => cell.is_message_type_of::<WorkerMessage<String, ExtractorJob>>(),
        };
        answer == Some(true)
    }

    /// All actors of this kind below `root`.
    pub fn below(self, root: &ActorCell) -> Vec<ActorCell> {
        let mut found = Vec::new();
        let mut open = root.get_children();
        while let Some(cell) = open.pop() {
            open.extend(cell.get_children());
            if self.is(&cell) {
                found.push(cell);
            }
        }
        found.sort_by_key(|cell| cell.get_id().pid());
        found
    }
}

/// Kills the oldest actor of this kind below `root`; false: there is none now.
pub fn kill(root: &ActorCell, kind: Kind) -> bool {
    let found = kind.below(root);
    if let Some(victim) = found.first() {
        victim.kill();
    }
    !found.is_empty()
}
