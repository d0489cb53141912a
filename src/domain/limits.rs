//! Rate limits: how many tasks of a scope may run at once. Pure.
//!
//! A limit is a row of `RATE_LIMIT`. Its pattern is compared, as SQL's LIKE does, with the scopes of a task:
//! `Table[DB.SCHEMA.T]::Partition[3]::Extraction`, the same without the partition, and both after `Workflow[NAME]::`. It
//! matches a task when it matches one of them.

use super::wildcard::Wildcards;
use super::{PartitionNo, WorkflowId};

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// A worker reads a table's catalog and statistics.
    Analysis,
    /// A worker extracts a partition.
    Extraction,
    /// An orchestrator loads partitions of one table. It counts once, however many they are.
    Loading,
}

impl Activity {
    /// The scope's last part.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Analysis => "Analysis",
            Self::Extraction => "Extraction",
            Self::Loading => "Loading",
        }
    }
}

/// What a task is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's affinity, which its tasks have.
    pub affinity: Option<String>,
    /// The source table as the workflow's file writes it.
    pub table: String,
    /// The partition of an extraction.
    pub partition: Option<PartitionNo>,
    /// What the task does.
    pub activity: Activity,
}

impl Scope {
    /// All texts that a pattern may match.
    pub fn texts(&self) -> Vec<String> {
        let (table, activity) = (&self.table, self.activity.as_str());
        let partition = match (self.partition, self.activity) {
            (Some(no), _) => Some(no.to_string()),
            // Of any partitions.
            (None, Activity::Loading) => Some("*".to_owned()),
            (None, _) => None,
        };
        let mut texts = vec![format!("Table[{table}]::{activity}")];
        texts.extend(
            partition
                .map(|partition| format!("Table[{table}]::Partition[{partition}]::{activity}")),
        );
        let of_workflow: Vec<String> = texts
            .iter()
            .map(|text| format!("Workflow[{}]::{text}", self.workflow))
            .collect();
        texts.extend(of_workflow);
        texts
    }
}

/// How many tasks of a scope may run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What the scopes look like: `%` stands for any characters, `_` for one.
    pub pattern: String,
    /// Only tasks of this workflow.
    pub workflow_id: Option<WorkflowId>,
    /// Only tasks of this affinity.
    pub affinity: Option<String>,
    /// Tasks at once; 0 pauses them.
    pub target: u32,
}

impl RateLimit {
    /// Whether the limit applies to this task.
    pub fn matches(&self, scope: &Scope) -> bool {
        self.workflow_id.is_none_or(|id| id == scope.workflow_id)
            && (self.affinity.is_none() || self.affinity == scope.affinity)
            && scope
                .texts()
                .iter()
                .any(|text| Wildcards::LIKE.matches(&self.pattern, text))
    }
}

/// How many more tasks each limit has room for, given those that run.
fn rooms(limits: &[RateLimit], running: &[Scope]) -> Vec<usize> {
    let room = |limit: &RateLimit| {
        let runs = running.iter().filter(|scope| limit.matches(scope)).count();
        usize::try_from(limit.target)
            .unwrap_or(usize::MAX)
            .saturating_sub(runs)
    };
    limits.iter().map(room).collect()
}

/// The limits without room, given the tasks that run: none that they apply to may start.
pub fn full(limits: &[RateLimit], running: &[Scope]) -> Vec<RateLimit> {
    let rooms = rooms(limits, running);
    let with_rooms = limits.iter().zip(rooms);
    with_rooms
        .filter(|(_, room)| *room == 0)
        .map(|(limit, _)| limit.clone())
        .collect()
}

/// Which of the tasks that want to run may start, at most `most`, in their order: as many as no limit forbids, given
/// those that run. Answers their places in `wanted`.
pub fn admit(limits: &[RateLimit], running: &[Scope], wanted: &[Scope], most: usize) -> Vec<usize> {
    let mut rooms = rooms(limits, running);
    let mut admitted = Vec::new();
    for (place, scope) in wanted.iter().enumerate() {
        if admitted.len() >= most {
            break;
        }
        let matching: Vec<usize> = (0..limits.len())
            .filter(|&limit| limits[limit].matches(scope))
            .collect();
        if matching.iter().all(|&limit| rooms[limit] > 0) {
            matching.iter().for_each(|&limit| rooms[limit] -= 1);
            admitted.push(place);
        }
    }
    admitted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(table: &str, partition: Option<u32>, activity: Activity) -> Scope {
        Scope {
            workflow_id: WorkflowId(7),
            workflow: "nightly".to_owned(),
            affinity: Some("blue".to_owned()),
            table: table.to_owned(),
            partition: partition.map(PartitionNo),
            activity,
        }
    }

    fn limit(pattern: &str, target: u32) -> RateLimit {
        RateLimit {
            pattern: pattern.to_owned(),
            workflow_id: None,
            affinity: None,
            target,
        }
    }

    #[test]
    fn patterns_match_as_they_are_documented() {
        use Activity::{Analysis, Extraction, Loading};
        let orders = "MY_DB.SALES.ORDERS";
        for (pattern, partition, activity, matches) in [
            ("Table[%]::Loading", None, Loading, true),
            ("Table[%]::Partition[%]::Loading", None, Loading, true),
            ("Table[MY_DB.%]::%", None, Loading, true),
            ("Table[MY_DB.%]::%", None, Analysis, true),
            ("Table[MY_DB.%]::%", Some(3), Extraction, true),
            (
                "Table[MY_DB.SALES.ORDERS]::Extraction",
                Some(3),
                Extraction,
                true,
            ),
            (
                "Table[MY_DB.SALES.ORDERS]::Partition[3]::Extraction",
                Some(3),
                Extraction,
                true,
            ),
            (
                "Table[MY_DB.SALES.ORDERS]::Partition[_]::Extraction",
                Some(13),
                Extraction,
                false,
            ),
            ("Table[%]::Loading", Some(3), Extraction, false),
            ("Table[YOUR_DB.%]::%", Some(3), Extraction, false),
            ("Workflow[nightly]::%", Some(3), Extraction, true),
            (
                "Workflow[night_y]::Table[%ORDERS]::Analysis",
                None,
                Analysis,
                true,
            ),
            ("Workflow[daily]::%", None, Analysis, false),
            ("%::Extraction", Some(1), Extraction, true),
            ("%", None, Loading, true),
            ("", None, Loading, false),
            ("table[%]::loading", None, Loading, false),
        ] {
            let scope = scope(orders, partition, activity);
            assert_eq!(
                limit(pattern, 1).matches(&scope),
                matches,
                "{pattern} {scope:?}"
            );
        }
    }

    #[test]
    fn a_limit_of_a_workflow_or_an_affinity_leaves_the_others_alone() {
        let scope = scope("a", None, Activity::Analysis);
        let of_workflow = |id| RateLimit {
            workflow_id: Some(WorkflowId(id)),
            ..limit("%", 0)
        };
        let of_affinity = |affinity: &str| RateLimit {
            affinity: Some(affinity.to_owned()),
            ..limit("%", 0)
        };
        assert!(of_workflow(7).matches(&scope) && !of_workflow(8).matches(&scope));
        assert!(of_affinity("blue").matches(&scope) && !of_affinity("green").matches(&scope));
        let without = Scope {
            affinity: None,
            ..scope
        };
        assert!(!of_affinity("blue").matches(&without));
    }

    #[test]
    fn zero_pauses_and_lowering_a_limit_lets_what_runs_end() {
        let extraction = |no| scope("a", Some(no), Activity::Extraction);
        let wanted = [extraction(3), extraction(4)];
        assert!(admit(&[limit("%", 0)], &[], &wanted, 9).is_empty());
        assert!(
            admit(
                &[limit("%", 1)],
                &[extraction(1), extraction(2)],
                &wanted,
                9
            )
            .is_empty()
        );
    }

    fn scopes(most: usize) -> impl Strategy<Value = Vec<Scope>> {
        let one = ("[ab]", prop::option::of(0u32..3), 0usize..3).prop_map(
            |(table, partition, activity)| {
                let activity =
                    [Activity::Analysis, Activity::Extraction, Activity::Loading][activity];
                scope(&table, partition, activity)
            },
        );
        prop::collection::vec(one, 0..most)
    }

    fn limits() -> impl Strategy<Value = Vec<RateLimit>> {
        let patterns = prop::sample::select(vec![
            "%",
            "Table[a]::%",
            "Table[_]::Extraction",
            "%::Loading",
            "%Partition[1]%",
            "none",
        ]);
        prop::collection::vec((patterns, 0u32..6).prop_map(|(p, n)| limit(p, n)), 0..4)
    }

    proptest! {
        #[test]
        fn what_is_admitted_never_leads_above_a_limit_and_nothing_is_held_back_without_one(
            limits in limits(), running in scopes(8), wanted in scopes(12), most in 0usize..12,
        ) {
            let admitted = admit(&limits, &running, &wanted, most);
            let count = |limit: &RateLimit, all: &mut dyn Iterator<Item = &Scope>| all.filter(|s| limit.matches(s)).count();
            for limit in &limits {
                let before = count(limit, &mut running.iter());
                let after = before + count(limit, &mut admitted.iter().map(|&place| &wanted[place]));
                prop_assert!(after <= before.max(limit.target as usize));
            }
            prop_assert!(admitted.len() <= most && admitted.is_sorted_by(|a, b| a < b));
            if admitted.len() < most {
                for place in (0..wanted.len()).filter(|place| !admitted.contains(place)) {
                    let full = limits.iter().any(|limit| limit.matches(&wanted[place])
                        && count(limit, &mut running.iter()) + count(limit, &mut admitted.iter().map(|&p| &wanted[p])) >= limit.target as usize);
                    prop_assert!(full, "{:?} could run", wanted[place]);
                }
            }
        }

        #[test]
        fn the_first_task_that_no_full_limit_applies_to_is_admitted(
            limits in limits(), running in scopes(8), wanted in scopes(12),
        ) {
            let full = full(&limits, &running);
            let open: Vec<Scope> = wanted.into_iter().filter(|scope| !full.iter().any(|limit| limit.matches(scope))).collect();
            let admitted = admit(&limits, &running, &open, 1);
            prop_assert_eq!(admitted.first().copied(), (!open.is_empty()).then_some(0));
        }
    }
}
