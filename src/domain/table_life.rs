//! The life of a table from its specification to its end: the claim of what earlier runs left, the analysis, the plan, a window
//! of partitions, the count. Pure: the actor turns messages into events, and commands into effects.
//!
//! The phases in the checkpoint are the truth: whenever something is not as it should be, the life ends with
//! [`Command::Rebuild`], and a new one starts from there.

use super::PartitionNo;
use super::analysis::TableAnalysis;
use super::phase::{PartitionPhase, TablePhase};
use super::table::Content;
use std::collections::{BTreeMap, VecDeque};

/// A page of partitions is this many windows, and at least [`MIN_PAGE`] partitions.
const PAGE_WINDOWS: usize = 4;
/// A small window must not cost a statement for each partition.
const MIN_PAGE: usize = 200;

/// How a table ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableEnd {
    /// All partitions are loaded.
    Completed,
    /// It failed, and the checkpoint says why; or an operator has cancelled it.
    Failed,
    /// Somebody else drives the workflow.
    Fenced,
}

impl TableEnd {
    /// The phase to write; a table that somebody else drives gets none.
    pub fn phase(self) -> Option<TablePhase> {
        match self {
            Self::Completed => Some(TablePhase::Completed),
            Self::Failed => Some(TablePhase::Failed),
            Self::Fenced => None,
        }
    }
}

/// What is wrong with a table that fails as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The workflow of this name has the state of earlier runs.
    StateHeld(String),
    /// So many partitions were cancelled before they were loaded.
    Cancelled(u64),
    /// It cannot be analyzed or planned, for this reason.
    Impossible(String),
}

/// A partition that has not ended, as the checkpoint has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPartition<P> {
    /// Which.
    pub partition_no: PartitionNo,
    /// Whether it moves rows, or only tells which keys are left in the source.
    pub content: Content,
    /// What its actor needs.
    pub what: P,
}

/// What happens to a table.
#[derive(Debug)]
pub enum Event<P> {
    /// The state of earlier runs belongs to this workflow, or to the one of this name.
    StateClaimed(Option<String>),
    /// The analysis ended, with its result or why there is none.
    Analyzed(Result<Box<TableAnalysis>, String>),
    /// The plan is written.
    Planned,
    /// There can be no plan.
    Unplannable(String),
    /// The loader runs.
    LoaderStarted,
    /// A page of partitions that have not ended, and whether it is the last.
    Page(Vec<OpenPartition<P>>, bool),
    /// A partition ended, and the checkpoint knows.
    PartitionEnded(PartitionNo),
    /// The actor of a partition failed, for this reason; whether it is to be started again.
    PartitionFailed(PartitionNo, String, bool),
    /// The actor of a partition could not be started.
    PartitionNotStarted(PartitionNo, String),
    /// The pause is over after which a partition is started again.
    RestartDue(PartitionNo),
    /// What the checkpoint says of a partition that is to be started again.
    Reread(PartitionNo, Result<Option<OpenPartition<P>>, String>),
    /// A partition that was given up is written as failed.
    GivenUp(PartitionNo),
    /// How many partitions are in which phase.
    Counted(Vec<(PartitionPhase, u64)>),
    /// The end is written.
    EndWritten(TableEnd),
    /// The end was not written: the phase in the checkpoint is another.
    EndStale,
    /// Somebody else drives the workflow.
    Fenced,
}

/// What is to be done.
#[derive(Debug)]
pub enum Command<P> {
    /// Claim the state of earlier runs.
    ClaimState,
    /// Queue the analysis.
    Analyze,
    /// Make a plan and write it.
    Plan(Box<TableAnalysis>),
    /// Start the loader of the table, which is planned.
    StartLoader,
    /// Start the actor of a partition.
    Start(OpenPartition<P>),
    /// Read so many partitions that have not ended, from this one on.
    ReadPage(PartitionNo, usize),
    /// Read a partition that is to be started again.
    Reread(PartitionNo),
    /// Write a partition as failed, because its actor fails for this reason.
    GiveUp(PartitionNo, String),
    /// Count the partitions by phase.
    Count,
    /// Write the table's end.
    WriteEnd(TableEnd, Option<Problem>),
    /// The table has ended: tell, and stop.
    End(TableEnd),
    /// The life and the checkpoint disagree, for this reason: start again from there.
    Rebuild(&'static str),
}

/// Where a partition is that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtWork {
    /// Its actor runs.
    Running,
    /// Its actor is to be started again.
    Restarting,
    /// It is being written as failed.
    GivingUp,
}

/// The life of one table.
#[derive(Debug)]
pub struct TableLife<P> {
    phase: TablePhase,
    window: usize,
    /// Read from the checkpoint, not started.
    backlog: VecDeque<OpenPartition<P>>,
    /// The next page starts here; `None`: all pages are read.
    next_page: Option<PartitionNo>,
    paging: bool,
    at_work: BTreeMap<PartitionNo, AtWork>,
    counting: bool,
    ended: bool,
}

impl<P> TableLife<P> {
    /// The life of a table that is in this phase, and what is to be done first. At most `window` partitions are at work at
    /// once. `leaves_state`: its runs leave something for the next.
    pub fn begin(
        phase: TablePhase,
        is_planned: bool,
        leaves_state: bool,
        window: usize,
    ) -> (Self, Command<P>) {
        let mut life = Self {
            phase,
            window: window.max(1),
            backlog: VecDeque::new(),
            next_page: Some(PartitionNo(0)),
            paging: false,
            at_work: BTreeMap::new(),
            counting: false,
            ended: false,
        };
        let first = match (phase, is_planned) {
            // What earlier runs left is read by the analysis, and moved on by the loads: nobody else may in between.
            (TablePhase::Pending | TablePhase::Analyzing, _) if leaves_state => Command::ClaimState,
            (TablePhase::Pending | TablePhase::Analyzing, _) => Command::Analyze,
            (TablePhase::Executing, true) => Command::StartLoader,
            (TablePhase::Executing, false) => {
                Command::Rebuild("the checkpoint has an executing table without its extraction")
            }
            (TablePhase::Completed, _) => life.end(TableEnd::Completed),
            (TablePhase::Failed | TablePhase::Cancelled, _) => life.end(TableEnd::Failed),
        };
        (life, first)
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event<P>) -> Vec<Command<P>> {
        let mut commands = Vec::new();
        if self.ended {
            return commands;
        }
        match event {
            Event::StateClaimed(None) => commands.push(Command::Analyze),
            Event::StateClaimed(Some(holder)) => {
                commands.push(self.write_end(TableEnd::Failed, Some(Problem::StateHeld(holder))));
            }
            Event::Analyzed(Ok(analysis)) => commands.push(Command::Plan(analysis)),
            Event::Analyzed(Err(error)) | Event::Unplannable(error) => {
                commands.push(self.write_end(TableEnd::Failed, Some(Problem::Impossible(error))));
            }
            Event::Planned => commands.push(if self.phase.may_become(TablePhase::Executing) {
                self.phase = TablePhase::Executing;
                Command::StartLoader
            } else {
                Command::Rebuild("the table was planned in a phase that no plan follows")
            }),
            Event::LoaderStarted => self.advance(&mut commands),
            Event::Page(partitions, is_last) => {
                self.paging = false;
                self.next_page = match partitions.last() {
                    Some(partition) if !is_last => Some(PartitionNo(partition.partition_no.0 + 1)),
                    _ => None,
                };
                self.backlog.extend(partitions);
                self.advance(&mut commands);
            }
            Event::PartitionEnded(no) | Event::GivenUp(no) => {
                // One that is to be started again will say so once more.
                if self.at_work.get(&no) != Some(&AtWork::Restarting) {
                    self.at_work.remove(&no);
                }
                self.advance(&mut commands);
            }
            Event::PartitionFailed(no, _, true) => {
                self.at_work.insert(no, AtWork::Restarting);
            }
            Event::PartitionFailed(no, reason, false) | Event::PartitionNotStarted(no, reason) => {
                commands.push(self.give_up(no, reason));
            }
            Event::RestartDue(no) => commands.push(Command::Reread(no)),
            Event::Reread(no, Ok(Some(partition))) => {
                self.at_work.insert(no, AtWork::Running);
                commands.push(Command::Start(partition));
            }
            Event::Reread(no, Ok(None)) => {
                let reason = "the checkpoint has no such partition".to_owned();
                commands.push(self.give_up(no, reason));
            }
            Event::Reread(no, Err(reason)) => commands.push(self.give_up(no, reason)),
            Event::Counted(counts) => commands.push(self.counted(&counts)),
            Event::EndWritten(end) => {
                self.phase = end.phase().unwrap_or(self.phase);
                commands.push(self.end(end));
            }
            Event::EndStale => commands.push(Command::Rebuild(
                "the table's phase in the checkpoint is not the expected one",
            )),
            Event::Fenced => commands.push(self.end(TableEnd::Fenced)),
        }
        commands
    }

    fn end(&mut self, end: TableEnd) -> Command<P> {
        self.ended = true;
        Command::End(end)
    }

    fn write_end(&self, end: TableEnd, problem: Option<Problem>) -> Command<P> {
        match end.phase() {
            Some(phase) if self.phase.may_become(phase) => Command::WriteEnd(end, problem),
            _ => Command::Rebuild("the table would end in a phase that does not follow"),
        }
    }

    fn give_up(&mut self, no: PartitionNo, reason: String) -> Command<P> {
        self.at_work.insert(no, AtWork::GivingUp);
        Command::GiveUp(no, reason)
    }

    /// Fills the window, reads the next page when the backlog is short, and counts when nothing is left.
    fn advance(&mut self, commands: &mut Vec<Command<P>>) {
        while self.at_work.len() < self.window
            && let Some(partition) = self.backlog.front()
        {
            // The keys tell what is gone from the source: they are read when no row is on its way any more, or a row that
            // came in between would be taken for one that is gone.
            if partition.content == Content::Keys && !self.at_work.is_empty() {
                break;
            }
            if let Some(partition) = self.backlog.pop_front() {
                self.at_work.insert(partition.partition_no, AtWork::Running);
                commands.push(Command::Start(partition));
            }
        }
        if let Some(from) = self.next_page
            && !self.paging
            && self.backlog.len() < self.window
        {
            self.paging = true;
            let limit = (self.window * PAGE_WINDOWS).max(MIN_PAGE);
            commands.push(Command::ReadPage(from, limit));
        }
        let idle = self.at_work.is_empty() && self.backlog.is_empty();
        if idle && self.next_page.is_none() && !self.paging && !self.counting {
            self.counting = true;
            commands.push(Command::Count);
        }
    }

    fn counted(&self, counts: &[(PartitionPhase, u64)]) -> Command<P> {
        let count = |phase| -> u64 {
            let of_phase = counts.iter().filter(|(other, _)| *other == phase);
            of_phase.map(|(_, count)| count).sum()
        };
        if count(PartitionPhase::Pending) + count(PartitionPhase::Staged) > 0 {
            return Command::Rebuild("partitions were left over");
        }
        // A table that goes on has none; whatever it comes from, their rows are not in the target.
        let cancelled = count(PartitionPhase::Cancelled);
        if cancelled > 0 {
            self.write_end(TableEnd::Failed, Some(Problem::Cancelled(cancelled)))
        } else if count(PartitionPhase::Failed) > 0 {
            self.write_end(TableEnd::Failed, None)
        } else {
            self.write_end(TableEnd::Completed, None)
        }
    }
}

#[cfg(test)]
#[path = "table_life_tests.rs"]
mod tests;

#[cfg(test)]
mod examples {
    use super::*;

    fn rows(no: u32) -> OpenPartition<()> {
        OpenPartition {
            partition_no: PartitionNo(no),
            content: Content::Rows,
            what: (),
        }
    }

    #[test]
    fn pages_are_read_before_the_window_runs_dry() {
        let (mut life, first) = TableLife::begin(TablePhase::Executing, true, false, 2);
        assert!(matches!(first, Command::StartLoader));
        let commands = life.step(Event::LoaderStarted);
        assert!(matches!(
            commands[..],
            [Command::ReadPage(PartitionNo(0), MIN_PAGE)]
        ));
        let commands = life.step(Event::Page((0..4).map(rows).collect(), false));
        assert!(matches!(
            commands[..],
            [Command::Start(_), Command::Start(_)]
        ));
        let commands = life.step(Event::PartitionEnded(PartitionNo(0)));
        assert!(matches!(
            commands[..],
            [Command::Start(_), Command::ReadPage(PartitionNo(4), _)]
        ));
    }

    #[test]
    fn what_is_cancelled_or_left_over_is_no_completed_table() {
        let counted = |counts: &[(PartitionPhase, u64)]| {
            let (mut life, _) = TableLife::<()>::begin(TablePhase::Executing, true, false, 2);
            life.step(Event::Counted(counts.to_vec())).remove(0)
        };
        let cancelled = counted(&[(PartitionPhase::Loaded, 1), (PartitionPhase::Cancelled, 2)]);
        let problem = Some(Problem::Cancelled(2));
        assert!(matches!(cancelled, Command::WriteEnd(TableEnd::Failed, p) if p == problem));
        let failed = counted(&[(PartitionPhase::Loaded, 1), (PartitionPhase::Failed, 1)]);
        assert!(matches!(failed, Command::WriteEnd(TableEnd::Failed, None)));
        let left_over = counted(&[(PartitionPhase::Staged, 1), (PartitionPhase::Failed, 1)]);
        assert!(matches!(left_over, Command::Rebuild(_)));
        let done = counted(&[(PartitionPhase::Loaded, 1), (PartitionPhase::Unchanged, 1)]);
        assert!(matches!(done, Command::WriteEnd(TableEnd::Completed, None)));
    }

    #[test]
    fn a_table_whose_state_another_workflow_has_names_it() {
        let (mut life, first) = TableLife::<()>::begin(TablePhase::Pending, false, true, 2);
        assert!(matches!(first, Command::ClaimState));
        let held = life
            .step(Event::StateClaimed(Some("other".to_owned())))
            .remove(0);
        let problem = Some(Problem::StateHeld("other".to_owned()));
        assert!(matches!(held, Command::WriteEnd(TableEnd::Failed, p) if p == problem));
    }
}
