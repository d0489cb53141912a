//! P6: a statement that is longer than a transaction may be idle.

use super::bench::{Bench, first};
use super::{Answer, Outcome};
use crate::failpoint::Step;
use crate::snowflake::SnowflakeClient;
use std::time::Instant;

/// Snowflake ends transactions with hybrid tables that are idle for five minutes (documentation of hybrid tables).
const SECONDS: u32 = 330;

pub(super) async fn a_long_statement(bench: &Bench) -> Answer {
    let (a, s) = (bench.session("a"), bench.s());
    a.all(&[
        format!("CREATE HYBRID TABLE {s}.LONG (ID NUMBER(19,0) NOT NULL, N NUMBER(19,0), PRIMARY KEY (ID))"),
        format!("INSERT INTO {s}.LONG (ID, N) VALUES (1, 0)"),
    ])
    .await?;
    // As a load: its client waits for hours.
    let client = SnowflakeClient::for_transactions(bench.connection.clone(), "doctor");
    let load = client.begin(Step::LoadBegin).await?;
    let mut answers = Vec::new();
    for sql in [
        format!("UPDATE {s}.LONG SET N = N + 1 WHERE ID = 1"),
        format!("CALL SYSTEM$WAIT({SECONDS})"),
        format!("UPDATE {s}.LONG SET N = N + 10 WHERE ID = 1"),
        format!("SELECT N FROM {s}.LONG WHERE ID = 1"),
    ] {
        let began = Instant::now();
        let answer = load.query(&sql).await;
        let counted = answer.as_ref().map(Vec::len);
        bench.ledger.note("load", &sql, began, counted);
        match answer {
            Ok(rows) => answers.push(first(&rows).to_owned()),
            Err(error) => {
                load.rollback().await;
                return Err(error);
            }
        }
    }
    let inside = answers.pop().unwrap_or_default();
    load.commit(Step::LoadCommit).await?;
    let after = a
        .cell(&format!("SELECT N FROM {s}.LONG WHERE ID = 1"))
        .await?;
    let finding = format!(
        "after a statement of {SECONDS} s the transaction sees {inside}, and {after} is committed"
    );
    Ok(if (inside.as_str(), after.as_str()) == ("11", "11") {
        Outcome::Holds(finding)
    } else {
        Outcome::Differs(finding)
    })
}
