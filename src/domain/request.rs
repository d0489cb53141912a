//! What operators ask of work that runs or has ended, and whether it can be granted. Pure.
//!
//! A request is stored beside the work that it is about, and the workflow's owner carries it out: nobody else changes a
//! phase under its feet.

use super::phase::{TablePhase, WorkflowPhase};

/// What is asked of a workflow or of one of its tables, as the checkpoint stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Nothing new begins until the request is withdrawn.
    Pause,
    /// What has not ended is given up for good.
    Cancel,
    /// What failed or was cancelled runs again. Of tables alone.
    Retry,
}

impl Request {
    /// The form in the checkpoint.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "PAUSE",
            Self::Cancel => "CANCEL",
            Self::Retry => "RETRY",
        }
    }

    /// Reads the form of the checkpoint.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pause, Self::Cancel, Self::Retry]
            .into_iter()
            .find(|request| request.as_str() == text)
    }
}

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorCommand {
    /// Asks for [`Request::Pause`].
    Pause,
    /// Withdraws it.
    Resume,
    /// Asks for [`Request::Cancel`].
    Cancel,
    /// Asks for [`Request::Retry`].
    Retry,
}

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request is written.
    Accept,
    /// Nothing is to be done, for this reason (follows the name: `is paused already`).
    NoOp(&'static str),
    /// It cannot be, for this reason and with this remedy.
    Reject(String),
}

fn refuse(reason: impl Into<String>) -> Verdict {
    Verdict::Reject(reason.into())
}

/// Whether a command can be taken for a workflow as a whole. [`OperatorCommand::Retry`] is decided table by table; this says whether it may
/// be at all.
pub fn judge_workflow(
    command: OperatorCommand,
    phase: WorkflowPhase,
    request: Option<Request>,
    any_table_paused: bool,
) -> Verdict {
    if command == OperatorCommand::Retry {
        return if request == Some(Request::Cancel) && !phase.is_terminal() {
            refuse("is being cancelled; wait until it has ended, then it can run again")
        } else {
            Verdict::Accept
        };
    }
    match (phase, command) {
        (WorkflowPhase::Cancelled, OperatorCommand::Cancel) => {
            return Verdict::NoOp("is cancelled already");
        }
        (WorkflowPhase::Cancelled, _) => {
            return refuse("was cancelled; `snowhaul workflow retry` runs it again");
        }
        (WorkflowPhase::Completed, _) => {
            return refuse(
                "has ended; `snowhaul workflow retry` runs what failed again, and a new workflow everything",
            );
        }
        (WorkflowPhase::Pending | WorkflowPhase::Executing, _) => {}
    }
    match (command, request) {
        (OperatorCommand::Cancel, Some(Request::Cancel)) => {
            Verdict::NoOp("is being cancelled already")
        }
        (_, Some(Request::Cancel)) => refuse("is being cancelled, which cannot be taken back"),
        (OperatorCommand::Pause, Some(Request::Pause)) => Verdict::NoOp("is paused already"),
        (OperatorCommand::Resume, None) if !any_table_paused => Verdict::NoOp("is not paused"),
        _ => Verdict::Accept,
    }
}

/// The state of a table, for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableStanding {
    /// Its phase.
    pub phase: TablePhase,
    /// What is asked of it already.
    pub request: Option<Request>,
    /// Whether some of its partitions failed.
    pub has_failed_partitions: bool,
    /// Whether it is a dry run's.
    pub is_dry_run: bool,
}

/// Whether a command can be taken for one table of a workflow that has not refused it.
pub fn judge_table(command: OperatorCommand, table: TableStanding) -> Verdict {
    if command == OperatorCommand::Retry {
        return judge_retry(table);
    }
    match (table.phase, command) {
        (TablePhase::Cancelled, OperatorCommand::Cancel) => {
            return Verdict::NoOp("is cancelled already");
        }
        (TablePhase::Completed | TablePhase::Failed | TablePhase::Cancelled, _) => {
            return refuse(format!("has ended ({})", table.phase));
        }
        (TablePhase::Pending | TablePhase::Analyzing | TablePhase::Executing, _) => {}
    }
    match (command, table.request) {
        (OperatorCommand::Cancel, Some(Request::Cancel)) => {
            Verdict::NoOp("is being cancelled already")
        }
        (_, Some(Request::Cancel)) => refuse("is being cancelled, which cannot be taken back"),
        (OperatorCommand::Pause, Some(Request::Pause)) => Verdict::NoOp("is paused already"),
        // A table has one request at a time, and what failed would stay failed.
        (OperatorCommand::Pause, Some(Request::Retry)) => refuse(
            "is about to run again what failed of it; pause it once its orchestrator has begun with that, or pause the whole workflow",
        ),
        (OperatorCommand::Resume, None | Some(Request::Retry)) => {
            Verdict::NoOp("is not paused by itself")
        }
        _ => Verdict::Accept,
    }
}

fn judge_retry(table: TableStanding) -> Verdict {
    if table.is_dry_run {
        return refuse("belongs to a dry run, whose schema is dropped at its end; create it again");
    }
    match (table.request, table.phase) {
        (Some(Request::Retry), _) => Verdict::NoOp("is about to run again already"),
        (_, TablePhase::Failed | TablePhase::Cancelled) => Verdict::Accept,
        (_, TablePhase::Completed) => Verdict::NoOp("is loaded: nothing of it failed"),
        (Some(_), _) => refuse("is paused or being cancelled; resume it first"),
        (None, _) if table.has_failed_partitions => Verdict::Accept,
        (None, _) => Verdict::NoOp("is at work, and nothing of it failed"),
    }
}

/// What a workflow's owner has to carry out before it drives the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueRequests<T> {
    /// These are cancelled.
    pub cancel: Vec<T>,
    /// These run again.
    pub retry: Vec<T>,
    /// These would run again, but the workflow as a whole is being cancelled: the request goes.
    pub withdraw: Vec<T>,
}

impl<T> DueRequests<T> {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.cancel.is_empty() && self.retry.is_empty() && self.withdraw.is_empty()
    }
}

/// What is to be done, by what is asked of the workflow and of each table. Whatever ended already stays as it is.
pub fn orders<T>(
    workflow: Option<Request>,
    tables: impl IntoIterator<Item = (T, TablePhase, Option<Request>)>,
) -> DueRequests<T> {
    let mut orders = DueRequests {
        cancel: Vec::new(),
        retry: Vec::new(),
        withdraw: Vec::new(),
    };
    let all = workflow == Some(Request::Cancel);
    for (table, phase, request) in tables {
        match request {
            _ if all && !phase.is_terminal() => orders.cancel.push(table),
            Some(Request::Cancel) if !phase.is_terminal() => orders.cancel.push(table),
            Some(Request::Retry) if all => orders.withdraw.push(table),
            Some(Request::Retry) => orders.retry.push(table),
            _ => {}
        }
    }
    orders
}

/// How a workflow ends whose tables have all ended.
pub fn ended_as(
    workflow: Option<Request>,
    tables: impl IntoIterator<Item = TablePhase>,
) -> WorkflowPhase {
    let some_cancelled = tables
        .into_iter()
        .any(|phase| phase == TablePhase::Cancelled);
    if workflow == Some(Request::Cancel) && some_cancelled {
        WorkflowPhase::Cancelled
    } else {
        WorkflowPhase::Completed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(phase: TablePhase, request: Option<Request>) -> TableStanding {
        TableStanding {
            phase,
            request,
            has_failed_partitions: false,
            is_dry_run: false,
        }
    }

    #[test]
    fn a_workflow_that_has_ended_cannot_be_paused_resumed_or_cancelled() {
        for command in [
            OperatorCommand::Pause,
            OperatorCommand::Resume,
            OperatorCommand::Cancel,
        ] {
            let grant = judge_workflow(command, WorkflowPhase::Completed, None, false);
            assert!(
                matches!(grant, Verdict::Reject(_)),
                "{command:?}: {grant:?}"
            );
        }
        assert_eq!(
            judge_workflow(
                OperatorCommand::Cancel,
                WorkflowPhase::Cancelled,
                Some(Request::Cancel),
                false
            ),
            Verdict::NoOp("is cancelled already")
        );
    }

    #[test]
    fn commands_that_are_given_twice_change_nothing() {
        let running = WorkflowPhase::Executing;
        for (command, request) in [
            (OperatorCommand::Pause, Some(Request::Pause)),
            (OperatorCommand::Resume, None),
            (OperatorCommand::Cancel, Some(Request::Cancel)),
        ] {
            let grant = judge_workflow(command, running, request, false);
            assert!(matches!(grant, Verdict::NoOp(_)), "{command:?}: {grant:?}");
            let grant = judge_table(command, table(TablePhase::Executing, request));
            assert!(matches!(grant, Verdict::NoOp(_)), "{command:?}: {grant:?}");
        }
    }

    #[test]
    fn a_cancellation_cannot_be_taken_back() {
        let asked = Some(Request::Cancel);
        for command in [
            OperatorCommand::Pause,
            OperatorCommand::Resume,
            OperatorCommand::Retry,
        ] {
            let grant = judge_workflow(command, WorkflowPhase::Executing, asked, true);
            assert!(
                matches!(grant, Verdict::Reject(_)),
                "{command:?}: {grant:?}"
            );
        }
    }

    #[test]
    fn a_pause_of_tables_is_ended_by_resuming_the_workflow() {
        assert_eq!(
            judge_workflow(
                OperatorCommand::Resume,
                WorkflowPhase::Executing,
                None,
                true
            ),
            Verdict::Accept
        );
    }

    #[test]
    fn only_what_failed_or_was_cancelled_runs_again() {
        for (phase, expected) in [
            (TablePhase::Failed, true),
            (TablePhase::Cancelled, true),
            (TablePhase::Completed, false),
            (TablePhase::Executing, false),
        ] {
            let grant = judge_table(OperatorCommand::Retry, table(phase, None));
            assert_eq!(grant == Verdict::Accept, expected, "{phase}");
        }
        let open = TableStanding {
            has_failed_partitions: true,
            ..table(TablePhase::Executing, None)
        };
        assert_eq!(judge_table(OperatorCommand::Retry, open), Verdict::Accept);
        let dry_run = TableStanding {
            is_dry_run: true,
            ..table(TablePhase::Failed, None)
        };
        assert!(matches!(
            judge_table(OperatorCommand::Retry, dry_run),
            Verdict::Reject(_)
        ));
    }

    #[test]
    fn a_pause_of_a_table_does_not_take_away_that_it_runs_again() {
        let again = table(TablePhase::Executing, Some(Request::Retry));
        assert!(matches!(
            judge_table(OperatorCommand::Pause, again),
            Verdict::Reject(_)
        ));
        assert_eq!(judge_table(OperatorCommand::Cancel, again), Verdict::Accept);
    }

    #[test]
    fn a_workflow_that_lost_no_table_to_its_cancellation_is_completed() {
        let asked = Some(Request::Cancel);
        let done = [TablePhase::Completed, TablePhase::Failed];
        assert_eq!(ended_as(asked, done), WorkflowPhase::Completed);
        let cancelled = [TablePhase::Completed, TablePhase::Cancelled];
        assert_eq!(ended_as(asked, cancelled), WorkflowPhase::Cancelled);
        assert_eq!(ended_as(None, cancelled), WorkflowPhase::Completed);
    }

    fn phases() -> impl Strategy<Value = TablePhase> {
        proptest::sample::select(TablePhase::ALL)
    }

    fn requests() -> impl Strategy<Value = Option<Request>> {
        let all = [Request::Pause, Request::Cancel, Request::Retry].map(Some);
        proptest::sample::select([&all[..], &[None]].concat())
    }

    proptest! {
        #[test]
        fn orders_cancel_only_open_tables_and_all_of_them_when_the_workflow_is_cancelled(
            workflow in requests(),
            tables in prop::collection::vec((phases(), requests()), 0..20),
        ) {
            let numbered = tables.iter().enumerate().map(|(no, (phase, request))| (no, *phase, *request));
            let orders = orders(workflow, numbered);
            prop_assert!(orders.cancel.iter().all(|no| !tables[*no].0.is_terminal()));
            prop_assert!(orders.retry.iter().all(|no| tables[*no].1 == Some(Request::Retry)));
            prop_assert!(orders.cancel.iter().all(|no| !orders.retry.contains(no)));
            if workflow == Some(Request::Cancel) {
                let open = tables.iter().filter(|(phase, _)| !phase.is_terminal()).count();
                prop_assert_eq!(orders.cancel.len(), open);
                prop_assert!(orders.retry.is_empty(), "a table of a cancelled workflow begins again");
                let asked = tables.iter().filter(|(phase, asked)| phase.is_terminal() && *asked == Some(Request::Retry));
                prop_assert_eq!(orders.withdraw.len(), asked.count());
            } else {
                let asked = tables.iter().filter(|(_, asked)| *asked == Some(Request::Retry));
                prop_assert_eq!(orders.retry.len(), asked.count());
                prop_assert!(orders.withdraw.is_empty());
            }
        }
    }
}
