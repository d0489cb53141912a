//! The value of every setting that nobody has set, each with its reason. `configs/*.toml` and README.md repeat some of
//! these numbers for users; a test compares them.

use std::time::Duration;

/// Tasks that a worker runs at once. Each holds a session of the source, which small clusters have few of.
pub const MAX_PARALLEL_TASKS: u32 = 4;
/// How often an idle worker asks for tasks at first: a statement on the metadata's warehouse each time.
pub const TASK_FETCH_INTERVAL: Duration = Duration::from_secs(5);
/// How rarely it asks at last: as long as the first task of a new workflow may wait for a worker.
pub const TASK_FETCH_INTERVAL_MAX: Duration = Duration::from_secs(15);
/// How often a worker renews the leases of its tasks: one statement for all of them.
pub const LEASE_REFRESH_INTERVAL: Duration = Duration::from_secs(15);
/// A worker's lease without one of its own is this many refresh intervals, so that three renewals may fail in a row.
pub const REFRESHES_PER_LEASE: u32 = 4;
/// And no less than this: a statement that waits for its warehouse to resume takes some seconds.
pub const SHORTEST_DERIVED_LEASE: Duration = Duration::from_secs(20);
/// Memory of one task in MB: a few Parquet row groups of wide rows.
pub const TASK_MEMORY_MB: u32 = 256;

/// How often an orchestrator looks for new workflows and ended tasks while there is work: what people wait for.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How rarely it looks at last while there is none: as long as a new workflow may wait.
pub const POLL_INTERVAL_MAX: Duration = Duration::from_secs(15);
/// How long workflows belong to an orchestrator that is silent: three renewals, each of which may wait for a warehouse
/// that resumes.
pub const LEASE: Duration = Duration::from_secs(60);
/// How often an orchestrator looks for tasks of silent workers: a small part of a worker's lease, so that it adds little
/// to it.
pub const REAP_INTERVAL: Duration = Duration::from_secs(10);
/// Loads at once: as many statements as a warehouse runs before it queues (MAX_CONCURRENCY_LEVEL).
pub const LOAD_CONCURRENCY: u32 = 8;
/// Partitions of one table in flight: enough for many workers, few enough that other tables get their turn.
pub const PARTITION_WINDOW: u32 = 64;
/// Times that a task may fail or fall silent. The same number as the attempts of
/// [`RetryPolicy::TASK`](crate::domain::retry::RetryPolicy::TASK).
pub const MAX_FAILURES: u32 = 5;

#[cfg(test)]
#[path = "defaults_tests.rs"]
mod tests;
