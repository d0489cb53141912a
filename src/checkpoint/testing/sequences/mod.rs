//! Calls of the contract in generated order: two workflows of the same two tables, two orchestrators, two workers, operators.
//!
//! A step names its parts by small numbers, which lead to what the run has met so far: owners that have lost their workflow
//! and claims that were lost are among them. The same steps over two stores must answer and store the same.

mod operators;
mod run;

pub use run::Run;

use super::bench::Stored;
use proptest::prelude::*;

/// One call. `owner` and `claim` count backwards from the newest.
#[derive(Clone, Debug)]
pub enum Step {
    /// An orchestrator looks for work.
    Take { who: bool },
    /// An orchestrator stops.
    Release { who: bool },
    /// An orchestrator renews what it has.
    RenewWorkflows { who: bool },
    /// Leases and pauses are over.
    TimePasses,
    /// A workflow starts.
    Start { owner: usize },
    /// A table is to be analyzed.
    Analyze { owner: usize, table: u32 },
    /// A table takes the state of earlier runs.
    ClaimState { owner: usize, table: u32 },
    /// An analysis reads the state of earlier runs.
    ReadState { owner: usize, table: u32 },
    /// A table is planned.
    Plan {
        owner: usize,
        table: u32,
        partitions: u32,
        with_state: bool,
    },
    /// The extractions of a table are queued.
    Extract { owner: usize, table: u32 },
    /// A worker asks for tasks.
    Claim { who: bool, limit: usize },
    /// A worker renews a claim.
    Renew { claim: usize },
    /// A worker ends a claim.
    Finish { claim: usize, how: u8 },
    /// Silent workers lose their claims.
    Reap,
    /// Ended tasks become changes of state.
    Collect { owner: usize, limit: usize },
    /// Some attempt of some partition.
    Stage {
        owner: usize,
        table: u32,
        partition: u32,
        attempt: u32,
    },
    /// A table ends.
    EndTable {
        owner: usize,
        table: u32,
        is_failed: bool,
    },
    /// Staged partitions are loaded.
    Load {
        owner: usize,
        table: u32,
        which: u32,
    },
    /// A workflow ends.
    Complete { owner: usize, is_cancelled: bool },
    /// An operator asks for something, if it is granted.
    Submit {
        workflow: usize,
        command: u8,
        table: Option<u32>,
    },
    /// An owner carries out what was asked.
    CarryOut { owner: usize },
}

impl Step {
    /// Which owner takes it, counted backwards from the newest.
    fn owner(&self) -> usize {
        match *self {
            Self::Start { owner }
            | Self::Analyze { owner, .. }
            | Self::ClaimState { owner, .. }
            | Self::Plan { owner, .. }
            | Self::Extract { owner, .. }
            | Self::Collect { owner, .. }
            | Self::Stage { owner, .. }
            | Self::EndTable { owner, .. }
            | Self::Load { owner, .. }
            | Self::Complete { owner, .. }
            | Self::CarryOut { owner } => owner,
            _ => 0,
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (owner, table, who) = (0..3_usize, 0..2_u32, any::<bool>());
    let of_table = (owner.clone(), table.clone());
    prop_oneof![
        4 => who.prop_map(|who| Step::Take { who }),
        1 => who.prop_map(|who| Step::Release { who }),
        1 => who.prop_map(|who| Step::RenewWorkflows { who }),
        2 => Just(Step::TimePasses),
        3 => owner.clone().prop_map(|owner| Step::Start { owner }),
        4 => of_table.clone().prop_map(|(owner, table)| Step::Analyze { owner, table }),
        3 => of_table.clone().prop_map(|(owner, table)| Step::ClaimState { owner, table }),
        2 => of_table.clone().prop_map(|(owner, table)| Step::ReadState { owner, table }),
        5 => (of_table.clone(), 0..4_u32, any::<bool>()).prop_map(|((owner, table), partitions, with_state)| {
            Step::Plan { owner, table, partitions, with_state }
        }),
        4 => of_table.clone().prop_map(|(owner, table)| Step::Extract { owner, table }),
        6 => (who, 1..4_usize).prop_map(|(who, limit)| Step::Claim { who, limit }),
        2 => (0..4_usize).prop_map(|claim| Step::Renew { claim }),
        8 => (0..4_usize, 0..8_u8).prop_map(|(claim, how)| Step::Finish { claim, how }),
        2 => Just(Step::Reap),
        5 => (owner.clone(), 1..4_usize).prop_map(|(owner, limit)| Step::Collect { owner, limit }),
        2 => (of_table.clone(), 0..4_u32, 1..3_u32).prop_map(|((owner, table), partition, attempt)| {
            Step::Stage { owner, table, partition, attempt }
        }),
        2 => (of_table.clone(), any::<bool>()).prop_map(|((owner, table), is_failed)| {
            Step::EndTable { owner, table, is_failed }
        }),
        4 => (of_table, 1..8_u32).prop_map(|((owner, table), which)| Step::Load { owner, table, which }),
        2 => (owner.clone(), any::<bool>()).prop_map(|(owner, is_cancelled)| {
            Step::Complete { owner, is_cancelled }
        }),
        4 => (0..2_usize, 0..4_u8, prop::option::of(table)).prop_map(|(workflow, command, table)| {
            Step::Submit { workflow, command, table }
        }),
        3 => owner.prop_map(|owner| Step::CarryOut { owner }),
    ]
}

/// Sequences of up to so many steps.
pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..most)
}

/// What holds from any state to the next: every change of a phase is one of those that may follow, numbers of attempts
/// never go back, and what is loaded stays so.
pub fn check(step: &Step, before: &[Stored], after: &[Stored]) {
    for (before, after) in before.iter().zip(after) {
        let is_followed =
            before.phase == after.phase || before.phase.may_be_followed_by(after.phase);
        assert!(is_followed, "{step:?}: {} {}", before.phase, after.phase);
        for (no, old) in &before.tables {
            let (old, new) = (old.phase, after.tables[no].phase);
            assert!(
                old == new || old.may_be_followed_by(new),
                "{step:?}: table {no} {old} {new}"
            );
        }
        for (key, old) in &before.partitions {
            let (old, new) = (old.phase, after.partitions[key].phase);
            assert!(
                old == new || old.may_be_followed_by(new),
                "{step:?}: partition {key:?} {old} {new}"
            );
        }
        for (key, old) in &before.tasks {
            let new = &after.tasks[key];
            assert!(
                old.phase == new.phase || old.phase.may_be_followed_by(new.phase),
                "{step:?}: task {key} {} {}",
                old.phase,
                new.phase
            );
            assert!(old.attempt <= new.attempt, "{step:?}: task {key}");
        }
    }
}
