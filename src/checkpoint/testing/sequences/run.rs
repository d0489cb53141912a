//! Takes the steps over one store.

use super::super::bench::{Bench, Stored};
use super::super::suite::scene::{self, LEASE};
use super::Step;
use super::operators::{command, submit};
use crate::checkpoint::{
    CheckpointError, LeaseRenewal, LoadUnit, OwnedWorkflow, PartitionState, StateChange,
    WorkflowSearch,
};
use crate::domain::analysis::fingerprint;
use crate::domain::phase::{PartitionPhase, TablePhase, TaskPhase, WorkflowPhase};
use crate::domain::request::orders;
use crate::domain::table::Content;
use crate::domain::task::{ClaimedTask, TaskFailure, TaskKind, TaskOutcome};
use crate::domain::{Attempt, PartitionNo, TableNo, WorkflowId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

/// A sequence over one store.
pub struct Run<'a> {
    bench: &'a dyn Bench,
    ids: Vec<WorkflowId>,
    owned: Vec<(bool, OwnedWorkflow)>,
    claims: Vec<ClaimedTask>,
    /// The state of earlier runs that the analysis of a table has read.
    read: BTreeMap<(WorkflowId, TableNo), String>,
}

fn name(who: bool) -> &'static str {
    if who { "one" } else { "two" }
}

/// What a call answered, as it is the same for each store.
pub(super) fn answer<T: Debug>(answer: Result<T, CheckpointError>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(CheckpointError::Fenced(_)) => "fenced".to_owned(),
        Err(error) => panic!("the store failed: {error}"),
    }
}

impl<'a> Run<'a> {
    /// A run over a new store.
    pub async fn new(bench: &'a dyn Bench) -> Self {
        let mut ids = Vec::new();
        for name in ["x", "y"] {
            ids.push(bench.create(&scene::workflow(name, None)).await);
        }
        Self {
            bench,
            ids,
            owned: Vec::new(),
            claims: Vec::new(),
            read: BTreeMap::new(),
        }
    }

    /// What is stored now of each workflow.
    pub async fn stored(&self) -> Vec<Stored> {
        let mut stored = Vec::new();
        for id in &self.ids {
            stored.push(self.bench.stored(*id).await);
        }
        stored
    }

    /// A workflow's place, which does not depend on the store.
    fn place(&self, id: WorkflowId) -> usize {
        self.ids.iter().position(|other| *other == id).unwrap()
    }

    fn owner(&self, back: usize) -> Option<&OwnedWorkflow> {
        let newest = self.owned.iter().rev();
        newest
            .map(|(_, owned)| owned)
            .nth(back % self.owned.len().max(1))
    }

    fn claim(&self, back: usize) -> Option<&ClaimedTask> {
        self.claims
            .iter()
            .rev()
            .nth(back % self.claims.len().max(1))
    }

    async fn partitions(
        &self,
        id: WorkflowId,
        no: TableNo,
        phase: PartitionPhase,
    ) -> Vec<PartitionState> {
        let (orchestrator, phases) = (self.bench.orchestrator(), [phase]);
        let found = orchestrator.load_partitions(id, no, &phases, PartitionNo(0), 100);
        found.await.unwrap()
    }

    /// Takes a step and says what was answered.
    pub async fn step(&mut self, step: &Step) -> String {
        let bench = self.bench;
        let orchestrator = bench.orchestrator();
        match *step {
            Step::Take { who } => self.take(who).await,
            Step::Release { who } => answer(orchestrator.release_workflows(name(who)).await),
            Step::RenewWorkflows { who } => {
                let mut newest = BTreeMap::new();
                for (owner, owned) in self.owned.iter().filter(|(owner, _)| *owner == who) {
                    newest.insert((self.place(owned.id), *owner), (owned.id, owned.epoch));
                }
                let driven: Vec<_> = newest.into_values().collect();
                if driven.is_empty() {
                    return String::new();
                }
                let lost = orchestrator
                    .renew_workflows(name(who), &driven, LEASE)
                    .await;
                answer(lost.map(|lost| {
                    let places: BTreeSet<_> = lost.iter().map(|id| self.place(*id)).collect();
                    places
                }))
            }
            Step::TimePasses => {
                bench.let_time_pass().await;
                String::new()
            }
            Step::Reap => answer(orchestrator.reap(&self.ids, 3).await),
            Step::Claim { who, limit } => {
                let claimed = scene::claim(bench, name(who), limit).await;
                let said = claimed.iter().map(|task| {
                    let (_, key) = task.task_id.split_once('/').unwrap();
                    let place = self.place(task.workflow_id);
                    let counts = (task.attempt, task.failures, task.postponed);
                    (place, key.to_owned(), counts, task.slice.clone())
                });
                let said = format!("{:?}", said.collect::<Vec<_>>());
                self.claims.extend(claimed);
                said
            }
            Step::Renew { claim } => self.renew(claim).await,
            Step::Finish { claim, how } => match self.claim(claim) {
                Some(task) => {
                    let ends = [scene::end(task, outcome(how))];
                    answer(bench.worker().finish(&ends).await)
                }
                None => String::new(),
            },
            Step::Submit {
                workflow,
                command: number,
                table,
            } => {
                let id = self.ids[workflow % self.ids.len()];
                submit(bench, id, command(number), table.map(TableNo)).await
            }
            Step::ReadState { owner, table } => match self.owner(owner).cloned() {
                Some(owned) => {
                    let key = (owned.id, TableNo(table));
                    let work = bench.worker().table_work(&[key]).await.unwrap();
                    let read = fingerprint(work[0].previous.as_ref()).unwrap();
                    self.read.insert(key, read.clone());
                    read
                }
                None => String::new(),
            },
            _ => match self.owner(step.owner()).cloned() {
                Some(owned) => self.step_of_owner(step, &owned).await,
                None => String::new(),
            },
        }
    }

    async fn take(&mut self, who: bool) -> String {
        let mut driven = BTreeMap::new();
        for (_, owned) in self.owned.iter().filter(|(owner, _)| *owner == who) {
            driven.insert(owned.id, (owned.id, owned.epoch, owned.request_seq));
        }
        let driven: Vec<_> = driven.into_values().collect();
        let search = WorkflowSearch {
            driven: &driven,
            ..scene::search(name(who))
        };
        let mut taken = scene::take(self.bench, &search).await;
        taken.sort_by_key(|owned| self.place(owned.id));
        let said: Vec<_> = taken
            .iter()
            .map(|owned| {
                let known = driven.iter().any(|(id, epoch, _)| {
                    // Under the epoch that the owner knows, or under a new one.
                    *id == owned.id && *epoch == owned.epoch
                });
                (self.place(owned.id), owned.phase, owned.request, known)
            })
            .collect();
        self.owned
            .extend(taken.into_iter().map(|owned| (who, owned)));
        format!("{said:?}")
    }

    async fn renew(&self, claim: usize) -> String {
        let Some(task) = self.claim(claim) else {
            return String::new();
        };
        let renewal = LeaseRenewal {
            task_id: task.task_id.clone(),
            token: task.token,
            rows: 1,
            bytes: 2,
        };
        let lost = self.bench.worker().renew(&[renewal], LEASE).await;
        answer(lost.map(|lost| lost.len()))
    }

    async fn step_of_owner(&self, step: &Step, owned: &OwnedWorkflow) -> String {
        let (bench, id) = (self.bench, owned.id);
        let orchestrator = bench.orchestrator();
        match *step {
            Step::Start { .. } => answer(orchestrator.start_workflow(owned).await),
            Step::Analyze { table, .. } => {
                let started = orchestrator.start_analysis(owned, &[TableNo(table)]).await;
                let tasks = [scene::analysis(TableNo(table))];
                let queued = orchestrator.enqueue(owned, &tasks).await;
                answer(started) + &answer(queued)
            }
            Step::ClaimState { table, .. } => {
                let spec = scene::table("a");
                let key = state_key(table);
                let tables = (&spec.source, &spec.target);
                let claimed =
                    orchestrator.claim_synchronization(owned, TableNo(table), key, tables);
                answer(claimed.await)
            }
            Step::Plan {
                table,
                partitions,
                with_state,
                ..
            } => {
                let no = TableNo(table);
                // An analysis has ended, or there is nothing to plan.
                let stored = bench.stored(id).await;
                let analysis = stored.tasks.get(&format!("{table}/ANALYZE"));
                if analysis.is_none_or(|task| task.phase != TaskPhase::Completed) {
                    return String::new();
                }
                let plan = if with_state {
                    let read = self.read.get(&(id, no)).cloned();
                    scene::plan_with_state(no, partitions, state_key(table), read)
                } else {
                    scene::plan(no, partitions)
                };
                answer(orchestrator.write_plan(owned, no, &plan).await)
            }
            Step::Extract { table, .. } => {
                let no = TableNo(table);
                let pending = self.partitions(id, no, PartitionPhase::Pending).await;
                let tasks = pending
                    .iter()
                    .map(|partition| scene::extraction_task(no, partition.partition_no.0));
                let tasks: Vec<_> = tasks.collect();
                answer(orchestrator.enqueue(owned, &tasks).await)
            }
            Step::Collect { limit, .. } => {
                let changes = self.collected(owned, limit).await;
                answer(orchestrator.apply(owned, &changes).await)
            }
            Step::Stage {
                table,
                partition,
                attempt,
                ..
            } => {
                let change = [scene::staged(TableNo(table), partition, attempt)];
                answer(orchestrator.apply(owned, &change).await)
            }
            Step::EndTable {
                table, is_failed, ..
            } => {
                let change = [StateChange::TableEnded {
                    table_no: TableNo(table),
                    phase: if is_failed {
                        TablePhase::Failed
                    } else {
                        TablePhase::Completed
                    },
                    error: is_failed.then(|| "broken".to_owned()),
                }];
                answer(orchestrator.apply(owned, &change).await)
            }
            Step::Load { table, which, .. } => self.load(owned, TableNo(table), which).await,
            Step::Complete { is_cancelled, .. } => {
                let end = if is_cancelled {
                    WorkflowPhase::Cancelled
                } else {
                    WorkflowPhase::Completed
                };
                answer(orchestrator.complete_workflow(owned, end).await)
            }
            Step::CarryOut { .. } => {
                let tables = orchestrator.load_tables(id).await.unwrap();
                let tables = tables.into_iter().map(|t| (t.table_no, t.phase, t.request));
                let orders = orders(owned.request, tables);
                answer(orchestrator.apply_requests(owned, &orders).await)
            }
            _ => unreachable!("{step:?} is nobody's"),
        }
    }

    /// What ended tasks mean for partitions and tables.
    async fn collected(&self, owned: &OwnedWorkflow, limit: usize) -> Vec<StateChange> {
        let ids = [owned.id];
        let ended = self.bench.orchestrator().ended_tasks(&ids, 100);
        let mut ended = ended.await.unwrap();
        ended.sort_by(|one, other| one.task_id.cmp(&other.task_id));
        let changes = ended.into_iter().filter_map(|task| {
            let no = task.table_no;
            match (task.kind, task.partition_no, task.result) {
                (TaskKind::Extract, Some(partition), Ok(_)) => {
                    Some(scene::staged(no, partition.0, task.attempt.0))
                }
                (TaskKind::Extract, Some(partition), Err(_)) => {
                    Some(scene::failed(no, partition.0))
                }
                (TaskKind::Analyze, _, Err(error)) => Some(StateChange::TableEnded {
                    table_no: no,
                    phase: TablePhase::Failed,
                    error: Some(error),
                }),
                _ => None,
            }
        });
        changes.take(limit).collect()
    }

    async fn load(&self, owned: &OwnedWorkflow, no: TableNo, which: u32) -> String {
        let staged = self.partitions(owned.id, no, PartitionPhase::Staged).await;
        let chosen = staged
            .iter()
            .filter(|partition| which & (1 << partition.partition_no.0) != 0);
        let units: Vec<_> = chosen
            .map(|partition| LoadUnit {
                key: scene::key(no, partition.partition_no.0),
                attempt: partition.attempt.unwrap_or(Attempt(0)),
                rows: partition.manifest.as_ref().map_or(0, |m| m.rows()),
                content: Content::Rows,
                checksum: Some(format!("sum {}", partition.partition_no)),
            })
            .collect();
        let tables = self.bench.orchestrator().load_tables(owned.id).await;
        let table = tables.unwrap().into_iter().find(|t| t.table_no == no);
        let Some(plan) = table.and_then(|table| table.plan) else {
            return String::new();
        };
        if units.is_empty() {
            return String::new();
        }
        let is_loaded = self.bench.load(owned, no, &plan, &units).await;
        format!("{is_loaded}")
    }
}

/// The pairs of tables are the same in both workflows.
fn state_key(table: u32) -> &'static str {
    if table == 0 { "a" } else { "b" }
}

/// How a claim ends: most of the time it is done.
fn outcome(how: u8) -> TaskOutcome {
    let failure = || TaskFailure::transient("not now");
    let retry_after = Duration::from_secs(60);
    match how {
        0 => TaskOutcome::HandedBack,
        1 => TaskOutcome::Postponed {
            failure: failure(),
            retry_after,
        },
        2 => TaskOutcome::Failed {
            failure: failure(),
            retry_after: Some(retry_after),
        },
        3 => TaskOutcome::Failed {
            failure: TaskFailure::permanent("broken"),
            retry_after: None,
        },
        _ => scene::done("result"),
    }
}
