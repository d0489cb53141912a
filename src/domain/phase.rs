//! Phases of workflows, tables, partitions and tasks, and which change may follow which.
//! A phase is stored by [`as_str`](PartitionPhase::as_str); every change names the phase it leaves. What has ended stays so,
//! unless an operator asks for it to run again ([`Request::Retry`](super::request::Request::Retry)).

macro_rules! phase {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal -> [$($next:ident),*]),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All phases.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The form in the checkpoint.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the form of the checkpoint.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// The phases that may follow.
            pub fn successors(self) -> &'static [Self] {
                match self { $(Self::$variant => &[$(Self::$next),*]),+ }
            }

            /// Whether nothing follows, unless an operator asks for it.
            pub fn is_terminal(self) -> bool {
                self.successors().is_empty()
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
        /// Created, no task yet.
        Pending = "PENDING" -> [Executing, Completed],
        /// Some task is not terminal.
        Executing = "EXECUTING" -> [Completed, Cancelled],
        /// Every table has ended.
        Completed = "COMPLETED" -> [],
        /// Every table has ended, some of them because the workflow was cancelled.
        Cancelled = "CANCELLED" -> [],
    }
}

phase! {
    /// A table's life.
    TablePhase {
        /// Nothing done yet.
        Pending = "PENDING" -> [Analyzing, Failed, Cancelled],
        /// An analyze task is queued or running.
        Analyzing = "ANALYZING" -> [Executing, Failed, Cancelled],
        /// Its partitions are written; extraction and loading go on.
        Executing = "EXECUTING" -> [Completed, Failed, Cancelled],
        /// All partitions are loaded.
        Completed = "COMPLETED" -> [],
        /// The table could not be analyzed or created, or some partition failed.
        Failed = "FAILED" -> [],
        /// An operator has cancelled it: what was loaded until then stays.
        Cancelled = "CANCELLED" -> [],
    }
}

phase! {
    /// A partition's life.
    PartitionPhase {
        /// Its extraction is queued or running.
        Pending = "PENDING" -> [Staged, Failed, Cancelled],
        /// An attempt won; its manifest says what to load.
        Staged = "STAGED" -> [Loaded, Failed, Cancelled],
        /// Its rows are in the target, committed together with this phase.
        Loaded = "LOADED" -> [],
        /// Given up; the error says why.
        Failed = "FAILED" -> [],
        /// Nothing was to be moved: the target has its rows since an earlier run.
        Unchanged = "UNCHANGED" -> [],
        /// An operator has cancelled it before its rows were loaded.
        Cancelled = "CANCELLED" -> [],
    }
}

phase! {
    /// A task's life.
    TaskPhase {
        /// Free to be claimed (not before its time).
        Pending = "PENDING" -> [Claimed, Failed, Cancelled],
        /// A worker holds it by lease.
        Claimed = "CLAIMED" -> [Pending, Completed, Failed, Cancelled],
        /// Done; the result is stored.
        Completed = "COMPLETED" -> [],
        /// Given up.
        Failed = "FAILED" -> [],
        /// Nobody wants its result any more; whoever runs it learns that its lease is lost.
        Cancelled = "CANCELLED" -> [],
    }
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
}
