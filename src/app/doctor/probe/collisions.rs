//! P11: a transaction that is dropped while it runs something, and two sessions that create the same table.

use super::bench::Bench;
use super::{Answer, Outcome};
use crate::failpoint::Step;
use crate::snowflake::SnowflakeClient;
use std::time::{Duration, Instant};

const LONG: u32 = 60;
const GIVEN_UP_AFTER: Duration = Duration::from_secs(2);

pub(super) async fn ask(bench: &Bench) -> Answer {
    let (a, b, s) = (bench.session("a"), bench.session("b"), bench.s());
    a.all(&[
        format!("CREATE HYBRID TABLE {s}.GIVEN_UP (ID NUMBER(19,0) NOT NULL, N NUMBER(19,0), PRIMARY KEY (ID))"),
        format!("INSERT INTO {s}.GIVEN_UP (ID, N) VALUES (1, 0)"),
    ])
    .await?;
    let change = format!("UPDATE {s}.GIVEN_UP SET N = N + 1 WHERE ID = 1");
    let client = SnowflakeClient::for_transactions(bench.connection.clone(), "doctor");
    let load = client.begin(Step::LoadBegin).await?;
    let began = Instant::now();
    let answer = load.query(&change).await;
    bench
        .ledger
        .note("load", &change, began, answer.as_ref().map(Vec::len));
    answer?;
    let wait = format!("CALL SYSTEM$WAIT({LONG})");
    let given_up = tokio::time::timeout(GIVEN_UP_AFTER, load.query(&wait))
        .await
        .is_err();
    // What it has changed is rolled back beside this, as after a cut connection.
    drop(load);
    let dropped = Instant::now();
    b.ask("ALTER SESSION SET HYBRID_TABLE_LOCK_TIMEOUT = 90")
        .await?;
    let freed = b.ask(&change).await;
    let seconds = dropped.elapsed().as_secs();
    b.ask("ALTER SESSION UNSET HYBRID_TABLE_LOCK_TIMEOUT")
        .await?;
    freed?;
    let left = b
        .cell(&format!("SELECT N FROM {s}.GIVEN_UP WHERE ID = 1"))
        .await?;
    let create = |name: &str| {
        format!(
            "CREATE HYBRID TABLE IF NOT EXISTS {s}.{name} (ID NUMBER(19,0) NOT NULL, PRIMARY KEY (ID))"
        )
    };
    let mut refused = Vec::new();
    for time in 0..3 {
        let sql = create(&format!("BOTH_{time}"));
        let (one, other) = tokio::join!(a.ask(&sql), b.ask(&sql));
        refused.extend(
            [one, other]
                .into_iter()
                .filter_map(Result::err)
                .map(|error| error.code.unwrap_or_else(|| "no code".to_owned())),
        );
    }
    let creating = if refused.is_empty() {
        "none of two that create the same table is refused".to_owned()
    } else {
        format!(
            "of six that create the same tables these are refused: {}",
            refused.join(", ")
        )
    };
    let finding = format!(
        "the row was free after {seconds} s, its change {}; {creating}",
        if left == "1" { "rolled back" } else { "kept" }
    );
    Ok(
        if given_up && left == "1" && seconds < u64::from(LONG) / 2 {
            Outcome::Holds(finding)
        } else {
            Outcome::Differs(finding)
        },
    )
}
