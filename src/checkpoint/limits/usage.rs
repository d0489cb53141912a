//! What a choice under rate limits is made of: the limits, what runs, and what could start.

use super::Limiter;
use crate::checkpoint::cells::{Cells, corrupt, parse_kind};
use crate::checkpoint::claim::{TASK_ORDER, claimable};
use crate::checkpoint::contract::CheckpointError;
use crate::checkpoint::phase_sql::{TABLE_EXECUTING, TASK_CANCELLED, TASK_CLAIMED, TASK_PENDING};
use crate::checkpoint::sql::{fill, text};
use crate::checkpoint::worker_contract::ClaimRequest;
use crate::domain::limits::{Activity, RateLimit, Scope, admit, full};
use crate::domain::task::TaskKind;
use crate::domain::{PartitionNo, TableNo, WorkflowId};
use crate::snowflake::Row;
use std::collections::HashMap;
use std::time::Duration;

/// Tasks that one choice looks at.
const MAX_CANDIDATES: usize = 1_000;
/// After a workflow's lease has been over for this long, nothing of its former owner's loads runs any more, though no
/// other has taken it: Snowflake ends transactions that are idle, and statements whose client is gone, in five minutes.
const ABANDONED: Duration = Duration::from_secs(600);

/// The condition of a limit that counts.
pub(super) const IS_SET: &str = "COALESCE(ENABLED, TRUE)";

/// A load that is permitted: its table, and under which epoch of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoadPermit {
    /// Workflow.
    pub workflow_id: WorkflowId,
    /// Table.
    pub table_no: TableNo,
    /// The owner's epoch.
    pub epoch: i64,
}

/// What one choice is made of.
pub(super) struct LimitUsage {
    /// The limits that are set.
    pub limits: Vec<RateLimit>,
    /// Tasks and loads that run.
    pub running: Vec<Scope>,
    /// Loads among those that run.
    pub loads: Vec<LoadPermit>,
    /// Tasks that could start, by their ids, in the order of their priority.
    pub candidates: Vec<(String, Scope)>,
}

impl LimitUsage {
    /// Reads what [`Limiter::usage_sql`] asks.
    pub(super) fn read(rows: &[Row]) -> Result<Self, CheckpointError> {
        let mut usage = Self {
            limits: Vec::new(),
            running: Vec::new(),
            loads: Vec::new(),
            candidates: Vec::new(),
        };
        let mut candidates: Vec<(i64, String, Scope)> = Vec::new();
        for row in rows {
            let mut c = Cells(row, 0);
            let (what, n) = (c.text()?, c.number::<i64>()?);
            let workflow_id = c.number_opt().map(WorkflowId);
            let table_no = TableNo(c.number()?);
            let partition: Option<u32> = c.number_opt();
            let (a, b) = (c.text()?, c.text_opt().unwrap_or_default());
            let (affinity, kind) = (c.text_opt(), c.text_opt().unwrap_or_default());
            if what == "L" {
                let target: i64 = c.number()?;
                usage.limits.push(RateLimit {
                    pattern: a,
                    workflow_id,
                    affinity,
                    target: u32::try_from(target.max(0)).unwrap_or(u32::MAX),
                });
                continue;
            }
            let workflow_id = workflow_id.ok_or_else(|| corrupt("a task", "it has no workflow"))?;
            let activity = match kind.as_str() {
                "LOAD" => Activity::Loading,
                kind => match parse_kind(kind)? {
                    TaskKind::Analyze => Activity::Analysis,
                    TaskKind::Extract => Activity::Extraction,
                },
            };
            let (task_id, table) = match what.as_str() {
                "C" => b.split_once(' ').unwrap_or_default(),
                _ => ("", b.as_str()),
            };
            let scope = Scope {
                workflow_id,
                workflow: a,
                affinity,
                table: table.to_owned(),
                partition: partition.map(PartitionNo),
                activity,
            };
            match what.as_str() {
                "C" => candidates.push((n, task_id.to_owned(), scope)),
                _ => {
                    if activity == Activity::Loading {
                        usage.loads.push(LoadPermit {
                            workflow_id,
                            table_no,
                            epoch: n,
                        });
                    }
                    usage.running.push(scope);
                }
            }
        }
        candidates.sort_by_key(|(n, ..)| *n);
        usage.candidates = candidates
            .into_iter()
            .map(|(_, task_id, scope)| (task_id, scope))
            .collect();
        Ok(usage)
    }

    /// The tasks that may start.
    pub(super) fn admitted(&self, most: usize) -> Vec<&str> {
        let wanted: Vec<Scope> = self.candidates.iter().map(|(_, s)| s.clone()).collect();
        admit(&self.limits, &self.running, &wanted, most)
            .into_iter()
            .map(|place| self.candidates[place].0.as_str())
            .collect()
    }

    /// The limits without room.
    pub(super) fn full(&self) -> Vec<RateLimit> {
        full(&self.limits, &self.running)
    }

    /// Whether there may be more tasks than these candidates, of which there are so many of a table at most.
    pub(super) fn may_hide_others(&self, of_table: usize) -> bool {
        let mut counts: HashMap<(WorkflowId, &str), usize> = HashMap::new();
        for (_, scope) in &self.candidates {
            *counts
                .entry((scope.workflow_id, scope.table.as_str()))
                .or_default() += 1;
        }
        self.candidates.len() >= MAX_CANDIDATES || counts.values().any(|count| *count >= of_table)
    }
}

impl Limiter {
    /// The limits; what runs, unless there are none; and the first tasks that `request` could claim, without those that
    /// the limits of `full` match. One statement.
    pub(super) fn usage_sql(&self, request: Option<&ClaimRequest>, full: &[RateLimit]) -> String {
        let usage = fill(
            include_str!("usage.sql"),
            &[
                ("s", self.s()),
                ("is_set", IS_SET),
                ("any_set", &self.any_set()),
                ("claimed", &TASK_CLAIMED.to_string()),
                ("cancelled", &TASK_CANCELLED.to_string()),
                ("pending", &TASK_PENDING.to_string()),
                ("executing", &TABLE_EXECUTING.to_string()),
                ("abandoned", &ABANDONED.as_secs().to_string()),
            ],
        );
        let Some(request) = request else {
            return usage;
        };
        let not_full: String = full
            .iter()
            .map(|limit| format!(" AND NOT {}", matches_sql(limit)))
            .collect();
        let candidates = fill(
            include_str!("candidates.sql"),
            &[
                ("s", self.s()),
                ("order", TASK_ORDER),
                ("claimable", &claimable(self.s(), request)),
                ("not_full", &not_full),
                ("limit", &request.limit.to_string()),
                ("most", &MAX_CANDIDATES.to_string()),
            ],
        );
        format!("{usage} UNION ALL {candidates}")
    }
}

/// The condition that a limit matches a task, as [`RateLimit::matches`] says: `q` its row, `t` its table's, `w` its
/// workflow's.
fn matches_sql(limit: &RateLimit) -> String {
    let of_table = "'Table[' || t.SOURCE_TABLE || ']::";
    let activity = "IFF(q.KIND = 'ANALYZE', 'Analysis', 'Extraction')";
    let pattern = text(&limit.pattern);
    // The second is NULL without a partition.
    let texts = [
        format!("{of_table}' || {activity}"),
        format!("{of_table}Partition[' || q.PARTITION_NO::VARCHAR || ']::' || {activity}"),
    ];
    let like = texts.iter().flat_map(|text| {
        [
            String::new(),
            "'Workflow[' || w.NAME || ']::' || ".to_owned(),
        ]
        .map(|workflow| format!("COALESCE({workflow}{text} LIKE {pattern}, FALSE)"))
    });
    let like: Vec<String> = like.collect();
    let mut condition = format!("({})", like.join(" OR "));
    if let Some(id) = limit.workflow_id {
        condition.push_str(&format!(" AND q.WORKFLOW_ID = {id}"));
    }
    if let Some(affinity) = &limit.affinity {
        condition.push_str(&format!(
            " AND COALESCE(w.AFFINITY, '') = {}",
            text(affinity)
        ));
    }
    format!("({condition})")
}
