//! `doctor --probe`: what only an account can tell, asked in a schema that is dropped again.
//!
//! Snowflake's documentation leaves open some of what snowhaul relies on. Each probe asks for one such thing, says what it
//! found, and keeps every statement with its code and message for whoever reads the report. A server that stands in for
//! Snowflake can only repeat what it was written to say: for most probes its answer is told as "not told here". It says of
//! itself that it is none, by its region; nothing outside of this report asks that.

mod bench;
mod clients;
mod collisions;
mod copies;
mod locks;
mod long;
mod parameters;
mod paths;
pub mod report;
mod sizes;
mod statements;
mod values;
mod visibility;

use crate::app::doctor::probe::report::{ProbeReport, ProbeResult, ProbeStatus};
use crate::snowflake::{Connection, SnowflakeClient, SnowflakeError};
use crate::types::metadata_location::MetadataLocation;
use bench::Bench;
use futures::future::BoxFuture;
use std::time::Duration;

/// The region that a stand-in for Snowflake says it is in.
const NO_REGION: &str = "LOCAL";
/// How long the scratch schema may take to go.
const CLEANUP: Duration = Duration::from_secs(60);

/// What a probe found.
enum Outcome {
    /// It is as snowhaul relies on.
    Holds(String),
    /// It is not.
    Differs(String),
    /// Worth knowing.
    Told(String),
}

type Answer = Result<Outcome, SnowflakeError>;

/// A question to the account.
struct Probe {
    id: &'static str,
    /// What is tried.
    title: &'static str,
    /// What it means for snowhaul when the account answers otherwise.
    if_it_differs: &'static str,
    /// Whether a stand-in for Snowflake can tell it, because something answers there that was not written for snowhaul.
    stand_in_tells: bool,
    /// Whether it takes minutes, and is asked only by a flag of its own.
    is_long: bool,
    ask: for<'a> fn(&'a Bench) -> BoxFuture<'a, Answer>,
}

const PROBES: &[Probe] = &[
    Probe {
        id: "P1",
        title: "hybrid tables and the stage, by the two clients that snowhaul has",
        if_it_differs: "nothing works: the account does not serve this client; send the report",
        stand_in_tells: false,
        is_long: false,
        ask: |bench| Box::pin(clients::ask(bench)),
    },
    Probe {
        id: "P2",
        title: "the login sets the parameters that nothing may leave to the account",
        if_it_differs: "set the values that it names for the connection's user (ALTER USER … SET …)",
        stand_in_tells: false,
        is_long: false,
        ask: |bench| Box::pin(parameters::taken(bench)),
    },
    Probe {
        id: "P3",
        title: "the codes of lock timeouts, deadlocks, duplicate keys and statement timeouts",
        if_it_differs: "ordinary contention would fail partitions, or a failure of the data would be repeated; send the report",
        stand_in_tells: false,
        is_long: false,
        ask: |bench| Box::pin(locks::codes(bench)),
    },
    Probe {
        id: "P4",
        title: "an UPDATE that waited for a row looks at its WHERE again",
        if_it_differs: "two workers may believe that they have the same task for a while; loads stay exact, because they compare under their lock",
        stand_in_tells: false,
        is_long: false,
        ask: |bench| Box::pin(locks::looks_again(bench)),
    },
    Probe {
        id: "P5",
        title: "a COPY that was rolled back does not stop the next one of the same files",
        if_it_differs: "a load that was cut would never succeed again; send the report",
        stand_in_tells: false,
        is_long: false,
        ask: |bench| Box::pin(copies::after_a_rollback(bench)),
    },
    Probe {
        id: "P6",
        title: "a transaction outlives a statement of more than five minutes",
        if_it_differs: "loads that take longer are rolled back as idle: use a larger warehouse, or smaller partitions",
        stand_in_tells: false,
        is_long: true,
        ask: |bench| Box::pin(long::a_long_statement(bench)),
    },
    Probe {
        id: "P7",
        title: "how large a row, a key and a statement may be",
        if_it_differs: "tables of very many partitions or columns may not fit into the metadata; send the report",
        stand_in_tells: false,
        is_long: false,
        ask: |bench| Box::pin(sizes::largest(bench)),
    },
    Probe {
        id: "P8",
        title: "extreme values of every type arrive as they are in the file",
        if_it_differs: "do not migrate columns of the types that it names; send the report",
        // An independent reader of Parquet reads the file there.
        stand_in_tells: true,
        is_long: false,
        ask: |bench| Box::pin(values::arrive(bench)),
    },
    Probe {
        id: "P9",
        title: "what one session commits, another one sees at once",
        if_it_differs: "staging tables must be used by the session that filled them",
        stand_in_tells: false,
        is_long: false,
        ask: |bench| Box::pin(visibility::across_sessions(bench)),
    },
    Probe {
        id: "P10",
        title: "every statement of snowhaul compiles",
        if_it_differs: "what these statements do will fail; send the report",
        // Another parser and another engine resolve every name there.
        stand_in_tells: true,
        is_long: false,
        ask: |bench| Box::pin(statements::compile(bench)),
    },
    Probe {
        id: "P11",
        title: "a transaction that is given up in the middle of a statement lets go of its rows; two sessions create the same table",
        if_it_differs: "after a cut connection rows stay locked until the statement ends; two orchestrators should not start at once the first time",
        stand_in_tells: false,
        is_long: false,
        ask: |bench| Box::pin(collisions::ask(bench)),
    },
    Probe {
        id: "P12",
        title: "how LIST, REMOVE and COPY spell paths of the stage",
        if_it_differs: "loads would take their own files for missing, or cleaning up would find none; send the report",
        stand_in_tells: false,
        is_long: false,
        ask: |bench| Box::pin(paths::spelled(bench)),
    },
];

/// Asks all of it. `stop` ends it early; what was made is dropped in any case.
///
/// # Errors
/// When the account cannot be asked at all, or takes no schema.
pub async fn probe(
    connection: &Connection,
    metadata: &MetadataLocation,
    long: bool,
    stop: impl Future<Output = ()>,
) -> Result<ProbeReport, SnowflakeError> {
    let client = SnowflakeClient::new(connection.clone(), "doctor");
    let rows = client
        .query("SELECT CURRENT_VERSION(), CURRENT_REGION(), CURRENT_ACCOUNT(), CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_ORGANIZATION_NAME(), CURRENT_ACCOUNT_NAME()")
        .await?;
    let cell = |index: usize| {
        let row = rows.first();
        row.and_then(|row| row.get(index).cloned().flatten())
            .unwrap_or_default()
    };
    let (snowflake_version, region) = (cell(0), cell(1));
    let schema = super::probe_name();
    let host = connection.base_url.host_str().unwrap_or_default();
    let names = vec![
        (host.to_owned(), "{host}"),
        (schema.clone(), "{scratch}"),
        (metadata.database.clone(), "{database}"),
        (connection.account.clone(), "{account}"),
        (cell(2), "{account}"),
        (cell(7), "{account}"),
        (cell(6), "{organization}"),
        (cell(3), "{user}"),
        (cell(4), "{role}"),
        (cell(5), "{warehouse}"),
        (connection.name.clone(), "{connection}"),
    ];
    // A stand-in has one word for several of them.
    let names = names.into_iter().filter(|(name, _)| name != NO_REGION);
    let is_snowflake = region != NO_REGION;
    let (_, bench) = Bench::set_up(connection, &metadata.database, names.collect(), schema).await;
    let bench = bench?;
    let mut probes = Vec::new();
    let interrupted = {
        let all = ask_all(&bench, is_snowflake, long, &mut probes);
        tokio::select! {
            () = all => false,
            () = stop => true,
        }
    };
    let left_behind = tokio::time::timeout(CLEANUP, bench.tear_down()).await;
    Ok(ProbeReport {
        snowhaul: env!("CARGO_PKG_VERSION"),
        snowflake_version,
        region,
        is_snowflake,
        interrupted,
        left_behind: left_behind.unwrap_or_else(|_| Some(format!("DROP SCHEMA {}", bench.s()))),
        probes,
    })
}

async fn ask_all(bench: &Bench, is_snowflake: bool, long: bool, probes: &mut Vec<ProbeResult>) {
    for probe in PROBES {
        let (status, finding) = if probe.is_long && !long {
            let why = "it takes six minutes: --probe-long asks it too";
            (ProbeStatus::NotAsked, why.to_owned())
        } else {
            tracing::info!(probe = probe.id, "asks whether {}", probe.title);
            let answer = (probe.ask)(bench).await;
            bench.close_sessions().await;
            match answer {
                Ok(Outcome::Holds(finding)) => (ProbeStatus::Holds, finding),
                Ok(Outcome::Told(finding)) => (ProbeStatus::Told, finding),
                Ok(Outcome::Differs(finding)) => (ProbeStatus::Differs, finding),
                Err(error) => (
                    ProbeStatus::Differs,
                    format!("it could not be asked: {}", error.message),
                ),
            }
        };
        let is_agreement = matches!(status, ProbeStatus::Holds | ProbeStatus::Told);
        let status = if is_agreement && !is_snowflake && !probe.stand_in_tells {
            ProbeStatus::NotToldHere
        } else {
            status
        };
        probes.push(ProbeResult {
            id: probe.id,
            title: probe.title,
            status,
            finding: bench.ledger.anonymous(&finding),
            if_it_differs: probe.if_it_differs,
            statements: bench.ledger.take(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_told_apart() {
        let mut ids: Vec<&str> = PROBES.iter().map(|probe| probe.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), PROBES.len());
    }
}
