//! Who takes what: affinity, order and full limits, asked of the checkpoint itself.

use crate::connection;
use snowhaul::checkpoint::{
    ClaimRequest, HybridCheckpoint, OrchestratorCheckpoint, WorkerCheckpoint, WorkflowSearch,
};
use snowhaul::domain::affinity::AffinityFilter;
use snowhaul::domain::limits::{Activity, RateLimit, Scope};
use snowhaul::domain::table::Platform;
use snowhaul::domain::{PartitionNo, WorkflowId};
use snowhaul::snowflake::SnowflakeClient;
use snowhaul::types::metadata_location::MetadataLocation;
use snowhaul_integration::unique_name;
use std::time::Duration;

/// Nobody takes anything twice while the test runs.
pub const LEASE: Duration = Duration::from_secs(600);
const AFFINITIES: [Option<&str>; 3] = [None, Some("::blue::"), Some("DEV_SERVER")];

/// Metadata without a process that works on them.
pub struct Metadata {
    pub runtime: tokio::runtime::Runtime,
    pub checkpoint: HybridCheckpoint,
    pub client: SnowflakeClient,
    location: MetadataLocation,
    pub schema: String,
}

impl Metadata {
    /// Metadata with a workflow, with a table, of each affinity.
    pub fn new() -> Self {
        let server = crate::migration::snowflake();
        let client = SnowflakeClient::new(connection::local(server), "test");
        let location = MetadataLocation {
            database: unique_name("META"),
            ..MetadataLocation::default()
        };
        let schema = location.quoted();
        let checkpoint = HybridCheckpoint::new(client.clone(), location.clone());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(checkpoint.bootstrap()).unwrap();
        let metadata = Self {
            runtime,
            checkpoint,
            client,
            location,
            schema,
        };
        for (id, affinity) in (1..).zip(AFFINITIES) {
            let affinity = literal(affinity);
            metadata.run(&format!("INSERT INTO {{s}}.WORKFLOW (WORKFLOW_ID, NAME, SOURCE_PLATFORM, AFFINITY, STATUS, CREATION_TOKEN) VALUES ({id}, 'w{id}', 'redshift', {affinity}, 'PENDING', 't{id}')"));
            metadata.run(&format!("INSERT INTO {{s}}.TABLE_STATE (WORKFLOW_ID, TABLE_NO, PHASE, SOURCE_TABLE, TARGET_TABLE, SPEC) VALUES ({id}, 0, 'EXECUTING', 'a.b.c', 'a.b.c', '{{}}')"));
        }
        metadata
    }

    /// `sql` with the schema in the place of `{s}`.
    pub fn in_schema(&self, sql: &str) -> String {
        sql.replace("{s}", &self.schema)
    }

    pub fn run(&self, sql: &str) {
        crate::migration::snowflake()
            .sql()
            .run(&self.in_schema(sql));
    }

    pub fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        crate::migration::snowflake()
            .sql()
            .rows(&self.in_schema(sql))
    }

    /// Queues a task of a workflow, counted from 1.
    pub fn queue(&self, workflow: usize, partition: u32, kind: &str, priority: i32) {
        let affinity = literal(AFFINITIES[workflow - 1]);
        self.run(&format!("INSERT INTO {{s}}.TASK_QUEUE (TASK_ID, WORKFLOW_ID, TABLE_NO, PARTITION_NO, KIND, SOURCE_PLATFORM, AFFINITY, PRIORITY, STATUS) VALUES ('{workflow}/0/{partition}/{kind}', {workflow}, 0, {partition}, '{kind}', 'redshift', {affinity}, {priority}, 'PENDING')"));
    }

    /// The workflow and the partition of each task that a worker gets, one claim after the other.
    fn claims(&self, affinity: Option<&str>) -> Vec<(i64, u32)> {
        let request = ClaimRequest {
            worker: "w".to_owned(),
            platforms: vec![Platform::Redshift],
            affinity: affinity.map(str::to_owned),
            limit: 1,
            slots: 1,
            lease: LEASE,
        };
        let mut claimed = Vec::new();
        loop {
            let mut tasks = Vec::new();
            // Twice: an empty claim may be followed by one that has looked for limits.
            for _ in 0..2 {
                tasks.extend(
                    self.runtime
                        .block_on(self.checkpoint.claim(&request))
                        .unwrap(),
                );
            }
            if tasks.is_empty() {
                return claimed;
            }
            claimed.extend(
                tasks
                    .iter()
                    .map(|task| (task.workflow_id.0, task.partition_no.unwrap().0)),
            );
        }
    }

    /// A limit, and a worker that starts after it was set.
    fn set_limit(&mut self, pattern: &str) {
        self.run(&format!("INSERT INTO {{s}}.RATE_LIMIT (SCOPE_PATTERN, TARGET_CONCURRENT_TASKS) VALUES ('{pattern}', 99)"));
        self.checkpoint = HybridCheckpoint::new(self.client.clone(), self.location.clone());
    }

    fn release(&self) {
        self.run("UPDATE {s}.TASK_QUEUE SET STATUS = 'PENDING', LEASE_UNTIL = NULL");
    }
}

fn literal(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"))
}

/// Which of the workflows, counted from 1, one of this affinity handles.
fn expected(affinity: Option<&str>) -> Vec<i64> {
    let matches = |of: &Option<&str>| of.is_none() || affinity.is_none() || *of == affinity;
    let all = (1..).zip(AFFINITIES);
    all.filter(|(_, of)| matches(of))
        .map(|(id, _)| id)
        .collect()
}

#[test]
fn affinity_decides_between_tasks_and_workers_and_between_workflows_and_orchestrators() {
    let mut metadata = Metadata::new();
    for workflow in 1..=AFFINITIES.len() {
        metadata.queue(workflow, 0, "EXTRACT", 0);
    }
    // Without a limit, and with one that allows all.
    for pattern in [None, Some("%")] {
        if let Some(pattern) = pattern {
            metadata.set_limit(pattern);
        }
        for affinity in AFFINITIES {
            let claimed: Vec<i64> = metadata
                .claims(affinity)
                .iter()
                .map(|(id, _)| *id)
                .collect();
            assert_eq!(
                claimed,
                expected(affinity),
                "worker {affinity:?}, limit {pattern:?}"
            );
            metadata.release();
        }
    }
    for affinity in AFFINITIES {
        let filter = affinity.map(AffinityFilter::parse);
        let search = WorkflowSearch {
            owner: "o",
            affinity: filter.as_ref(),
            lease: LEASE,
            limit: 9,
            driven: &[],
        };
        let taken = metadata.checkpoint.take_workflows(&search);
        let taken = metadata.runtime.block_on(taken).unwrap();
        let mut taken: Vec<i64> = taken.iter().map(|owned| owned.id.0).collect();
        taken.sort_unstable();
        assert_eq!(taken, expected(affinity), "orchestrator {affinity:?}");
        metadata.run("UPDATE {s}.WORKFLOW SET OWNER = NULL, LEASE_UNTIL = NULL");
    }
}

#[test]
fn an_orchestrators_pattern_takes_what_it_means_and_no_other_character_is_a_wildcard() {
    let metadata = Metadata::new();
    let affinities = [
        r"dev-1",
        r"dev_1",
        r"dev%1",
        r"dev\1",
        r"dev'1",
        r"DEV-1",
        r"dev!_1",
        r"my dev-1",
        r"dev*1",
    ];
    for (id, affinity) in (10..).zip(affinities) {
        let literal = affinity.replace('\\', r"\\").replace('\'', "''");
        metadata.run(&format!("INSERT INTO {{s}}.WORKFLOW (WORKFLOW_ID, NAME, SOURCE_PLATFORM, AFFINITY, STATUS, CREATION_TOKEN) VALUES ({id}, 'w{id}', 'redshift', '{literal}', 'PENDING', 't{id}')"));
    }
    let known = (1..)
        .zip(AFFINITIES)
        .chain((10..).zip(affinities.map(Some)));
    let known: Vec<(i64, Option<&str>)> = known.collect();
    for pattern in [
        "dev-*", "*", "dev_*", "dev%*", r"dev\*", "dev'*", "d*1", "*!*", "*dev-1", "dev_1",
        "dev*1", "*_*", "::*::",
    ] {
        for filter in [
            AffinityFilter::parse(pattern),
            AffinityFilter::Exactly(pattern.to_owned()),
        ] {
            let search = WorkflowSearch {
                owner: "o",
                affinity: Some(&filter),
                lease: LEASE,
                limit: 99,
                driven: &[],
            };
            let taken = metadata.checkpoint.take_workflows(&search);
            let taken = metadata.runtime.block_on(taken).unwrap();
            let mut taken: Vec<i64> = taken.iter().map(|owned| owned.id.0).collect();
            taken.sort_unstable();
            let meant = known.iter().filter(|(_, of)| filter.matches(*of));
            let meant: Vec<i64> = meant.map(|(id, _)| *id).collect();
            assert_eq!(taken, meant, "{filter:?}");
            metadata.run("UPDATE {s}.WORKFLOW SET OWNER = NULL, LEASE_UNTIL = NULL");
        }
    }
}

#[test]
fn analyses_go_first_then_low_partitions_and_among_equals_the_earlier_workflow() {
    let mut metadata = Metadata::new();
    metadata.queue(2, 1, "EXTRACT", 1);
    metadata.queue(2, 0, "EXTRACT", 0);
    metadata.queue(1, 0, "EXTRACT", 0);
    metadata.queue(1, 1, "EXTRACT", 1);
    metadata.queue(3, 7, "ANALYZE", -1);
    // Ids say nothing about it: they are given without an order.
    metadata.run("UPDATE {s}.WORKFLOW SET CREATED_AT = DATEADD('day', -WORKFLOW_ID, SYSDATE())");
    let order = [(3, 7), (2, 0), (1, 0), (2, 1), (1, 1)];
    assert_eq!(metadata.claims(None), order);
    metadata.release();
    metadata.set_limit("%");
    assert_eq!(metadata.claims(None), order);
}

#[test]
fn a_full_limit_holds_back_what_it_applies_to_and_nothing_behind_it() {
    let mut metadata = Metadata::new();
    // One candidate of each table is looked at: the second is behind the first.
    let tasks = [
        (3, 0, "ANALYZE"),
        (1, 3, "EXTRACT"),
        (1, 13, "EXTRACT"),
        (2, 3, "EXTRACT"),
        (2, 13, "EXTRACT"),
    ];
    for (place, (workflow, partition, kind)) in (0..).zip(tasks) {
        metadata.queue(workflow, partition, kind, place);
    }
    for (pattern, workflow_id, affinity) in [
        ("Table[%]::Partition[_]::Extraction", None, None),
        ("Workflow[w1]::%", None, None),
        ("Workflow[w_]::Table[a.b.c]::Partition[3]::%", None, None),
        ("Table[a.b.c]::Analysis", None, None),
        ("Table[a.b._]::Extraction", Some(1), None),
        ("%", None, Some("::blue::")),
        ("%::Loading", None, None),
        ("table[%", None, None),
        ("Table[a.b.c]::Partition[%]::Analysis", None, None),
        ("%'%", None, None),
    ] {
        let limit = RateLimit {
            pattern: pattern.to_owned(),
            workflow_id: workflow_id.map(WorkflowId),
            affinity: affinity.map(str::to_owned),
            target: 0,
        };
        let may_start = |(workflow, partition, kind): &(usize, u32, &str)| {
            !limit.matches(&Scope {
                workflow_id: WorkflowId(i64::try_from(*workflow).unwrap()),
                workflow: format!("w{workflow}"),
                affinity: AFFINITIES[workflow - 1].map(str::to_owned),
                table: "a.b.c".to_owned(),
                partition: Some(PartitionNo(*partition)),
                activity: if *kind == "ANALYZE" {
                    Activity::Analysis
                } else {
                    Activity::Extraction
                },
            })
        };
        let expected = tasks.iter().filter(|task| may_start(task));
        let mut expected: Vec<(i64, u32)> = expected
            .map(|(workflow, partition, _)| (i64::try_from(*workflow).unwrap(), *partition))
            .collect();
        let id = workflow_id.map_or_else(|| "NULL".to_owned(), |id| id.to_string());
        metadata.run(&format!(
            "INSERT INTO {{s}}.RATE_LIMIT (SCOPE_PATTERN, WORKFLOW_ID, AFFINITY, TARGET_CONCURRENT_TASKS) VALUES ('{}', {id}, {}, 0)",
            pattern.replace('\'', "''"),
            literal(affinity)
        ));
        metadata.checkpoint =
            HybridCheckpoint::new(metadata.client.clone(), metadata.location.clone());
        let mut claimed = metadata.claims(None);
        claimed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(claimed, expected, "{pattern} {workflow_id:?} {affinity:?}");
        metadata.release();
        metadata.run("DELETE FROM {s}.RATE_LIMIT");
    }
}
