//! Phases of workflows, tables, partitions and tasks, and which change may follow which.
//! A phase is stored by [`as_str`](PartitionPhase::as_str); every change names the phases that it may leave. What has ended
//! stays so, unless an operator asks for it to run again ([`Request::Retry`](super::request::Request::Retry)). The suite of
//! the checkpoint's contract holds every change of both stores against this.

macro_rules! phase {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal -> [$($next:ident),*] $(or [$($asked:ident),*])?),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All phases.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The form in the checkpoint.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the form of the checkpoint.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// The phases that follow while the work goes on.
            fn successors(self) -> &'static [Self] {
                match self { $(Self::$variant => &[$(Self::$next),*]),+ }
            }

            /// The phases that follow because somebody has asked for the work again, or does not want it any more.
            fn asked_successors(self) -> &'static [Self] {
                match self { $(Self::$variant => &[$($(Self::$asked),*)?]),+ }
            }

            /// Whether the work may go on to this phase.
            pub fn may_become(self, next: Self) -> bool {
                self.successors().contains(&next)
            }

            /// Whether this phase may follow at all: also because somebody has asked for it.
            pub fn may_be_followed_by(self, next: Self) -> bool {
                self.may_become(next) || self.asked_successors().contains(&next)
            }

            /// Whether nothing follows, unless somebody asks for it.
            pub fn is_terminal(self) -> bool {
                self.successors().is_empty()
            }

            /// The phases from which the work goes on to this one.
            pub fn predecessors(self) -> impl Iterator<Item = Self> {
                Self::ALL.iter().copied().filter(move |phase| phase.may_become(self))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

phase! {
    /// A workflow's life.
    WorkflowPhase {
        /// Created, not started yet.
        Pending = "PENDING" -> [Executing],
        /// Some table has not ended.
        Executing = "EXECUTING" -> [Completed, Cancelled],
        /// Every table has ended.
        Completed = "COMPLETED" -> [] or [Executing],
        /// Every table has ended, some of them because the workflow was cancelled.
        Cancelled = "CANCELLED" -> [] or [Executing],
    }
}

phase! {
    /// A table's life.
    TablePhase {
        /// Nothing done yet.
        Pending = "PENDING" -> [Analyzing, Executing, Failed, Cancelled],
        /// An analyze task is queued or running. A table may be planned without this phase: it is for people alone.
        Analyzing = "ANALYZING" -> [Executing, Failed, Cancelled],
        /// Its partitions are written; extraction and loading go on.
        Executing = "EXECUTING" -> [Completed, Failed, Cancelled],
        /// All partitions are loaded.
        Completed = "COMPLETED" -> [],
        /// The table could not be analyzed or created, or some partition failed.
        Failed = "FAILED" -> [] or [Pending, Executing],
        /// An operator has cancelled it: what was loaded until then stays.
        Cancelled = "CANCELLED" -> [] or [Pending, Executing],
    }
}

phase! {
    /// A partition's life.
    PartitionPhase {
        /// Its extraction is queued or running.
        Pending = "PENDING" -> [Staged, Failed, Cancelled],
        /// An attempt won; its manifest says what to load.
        Staged = "STAGED" -> [Loaded, Failed, Cancelled] or [Pending],
        /// Its rows are in the target, committed together with this phase.
        Loaded = "LOADED" -> [],
        /// Given up; the error says why.
        Failed = "FAILED" -> [] or [Pending],
        /// Nothing was to be moved: the target has its rows since an earlier run.
        Unchanged = "UNCHANGED" -> [],
        /// An operator has cancelled it before its rows were loaded.
        Cancelled = "CANCELLED" -> [] or [Pending],
    }
}

phase! {
    /// A task's life.
    TaskPhase {
        /// Free to be claimed (not before its time).
        Pending = "PENDING" -> [Claimed, Cancelled],
        /// A worker holds it by lease.
        Claimed = "CLAIMED" -> [Pending, Completed, Failed, Cancelled],
        /// Done; the result is stored.
        Completed = "COMPLETED" -> [] or [Pending, Cancelled],
        /// Given up.
        Failed = "FAILED" -> [] or [Pending, Cancelled],
        /// Nobody wants its result any more; whoever runs it learns that its lease is lost.
        Cancelled = "CANCELLED" -> [] or [Pending],
    }
}

/// What became of a change of phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The checkpoint holds it.
    Applied,
    /// The phase was another: reload.
    Stale,
    /// The workflow has another owner.
    Fenced,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_form_reads_back() {
        for phase in PartitionPhase::ALL {
            assert_eq!(PartitionPhase::parse(phase.as_str()), Some(*phase));
        }
        for phase in TaskPhase::ALL {
            assert_eq!(TaskPhase::parse(phase.as_str()), Some(*phase));
        }
        assert_eq!(TablePhase::parse("NONSENSE"), None);
    }

    #[test]
    fn what_has_ended_goes_on_only_if_somebody_asks() {
        for phase in TablePhase::ALL.iter().filter(|phase| phase.is_terminal()) {
            assert!(TablePhase::ALL.iter().all(|next| !phase.may_become(*next)));
        }
        assert!(TablePhase::Failed.may_be_followed_by(TablePhase::Executing));
        assert!(!TablePhase::Completed.may_be_followed_by(TablePhase::Executing));
        assert!(!PartitionPhase::Loaded.may_be_followed_by(PartitionPhase::Pending));
    }

    #[test]
    fn predecessors_are_the_phases_that_may_become_it() {
        let before: Vec<_> = TablePhase::Executing.predecessors().collect();
        assert_eq!(before, [TablePhase::Pending, TablePhase::Analyzing]);
        assert_eq!(TaskPhase::Claimed.predecessors().count(), 1);
    }
}
