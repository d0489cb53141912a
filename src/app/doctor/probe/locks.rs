//! P3 and P4: what waits for whom, and what is answered.

use super::bench::{Asker, Bench, first};
use super::{Answer, Outcome};
use crate::snowflake::SnowflakeError;
use std::time::Duration;

/// Until another session's statement waits for a lock.
const IT_WAITS: Duration = Duration::from_secs(2);

async fn rows(bench: &Bench, asker: &Asker, table: &str) -> Result<(), SnowflakeError> {
    let s = bench.s();
    asker
        .all(&[
            format!("CREATE HYBRID TABLE {s}.{table} (ID NUMBER(19,0) NOT NULL, N NUMBER(19,0), STATUS VARCHAR(16), PRIMARY KEY (ID)) DEFAULT_DDL_COLLATION = ''"),
            format!("INSERT INTO {s}.{table} (ID, N, STATUS) SELECT column1, 0, 'free' FROM VALUES (1), (2)"),
        ])
        .await
}

fn told(what: &str, answer: &Result<impl Sized, SnowflakeError>) -> String {
    match answer {
        Ok(_) => format!("{what}: no error"),
        Err(error) => format!("{what}: {}", error.code.as_deref().unwrap_or("no code")),
    }
}

/// P3.
pub(super) async fn codes(bench: &Bench) -> Answer {
    let (a, b, s) = (bench.session("a"), bench.session("b"), bench.s());
    rows(bench, &a, "CODES").await?;
    let update = |id: u8| format!("UPDATE {s}.CODES SET N = N + 1 WHERE ID = {id}");
    let ours = "ALTER SESSION UNSET HYBRID_TABLE_LOCK_TIMEOUT";
    // A lock that is not let go.
    b.ask("ALTER SESSION SET HYBRID_TABLE_LOCK_TIMEOUT = 1")
        .await?;
    a.ask("BEGIN").await?;
    a.ask(&update(1)).await?;
    let waited = b.ask(&update(1)).await;
    a.ask("ROLLBACK").await?;
    b.ask(ours).await?;
    // Each has what the other wants.
    for asker in [&a, &b] {
        asker
            .ask("ALTER SESSION SET HYBRID_TABLE_LOCK_TIMEOUT = 30")
            .await?;
        asker.ask("BEGIN").await?;
    }
    a.ask(&update(1)).await?;
    b.ask(&update(2)).await?;
    let (sql_a, sql_b) = (update(2), update(1));
    let (one, other) = tokio::join!(a.ask(&sql_a), async {
        tokio::time::sleep(IT_WAITS).await;
        b.ask(&sql_b).await
    });
    let deadlock = if one.is_err() { one } else { other };
    for asker in [&a, &b] {
        // Of an aborted transaction some servers say that there is none.
        let _ = asker.ask("ROLLBACK").await;
        asker.ask(ours).await?;
    }
    let duplicate = a
        .ask(&format!("INSERT INTO {s}.CODES (ID, N) VALUES (1, 0)"))
        .await;
    a.ask("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
        .await?;
    let timeout = a.ask("CALL SYSTEM$WAIT(5)").await;
    a.ask("ALTER SESSION UNSET STATEMENT_TIMEOUT_IN_SECONDS")
        .await?;
    let finding = [
        told("lock timeout", &waited),
        told("deadlock", &deadlock),
        told("duplicate key", &duplicate),
        told("statement timeout", &timeout),
    ]
    .join(", ");
    let mut wrong = Vec::new();
    for (what, answer) in [
        ("lock timeout", &waited),
        ("deadlock", &deadlock),
        ("statement timeout", &timeout),
    ] {
        if answer.as_ref().is_err_and(|error| !error.is_retryable()) {
            wrong.push(format!("a {what} counts as final"));
        }
    }
    if duplicate.as_ref().is_err_and(SnowflakeError::is_retryable) {
        wrong.push("a duplicate key counts as passing".to_owned());
    }
    if waited.is_ok() || deadlock.is_ok() || duplicate.is_ok() {
        wrong.push("something was to be refused, and was not".to_owned());
    }
    Ok(if wrong.is_empty() {
        Outcome::Holds(finding)
    } else {
        Outcome::Differs(format!("{}; {finding}", wrong.join(", ")))
    })
}

/// P4.
pub(super) async fn looks_again(bench: &Bench) -> Answer {
    let (a, b, s) = (bench.session("a"), bench.session("b"), bench.s());
    rows(bench, &a, "AGAIN").await?;
    let take = |who: &str| {
        format!("UPDATE {s}.AGAIN SET N = N + 1, STATUS = '{who}' WHERE STATUS = 'free' AND ID = 1")
    };
    a.ask("BEGIN").await?;
    a.ask(&take("a")).await?;
    b.ask("BEGIN").await?;
    let sql = take("b");
    let (late, committed) = tokio::join!(b.ask(&sql), async {
        tokio::time::sleep(IT_WAITS).await;
        a.ask("COMMIT").await
    });
    committed?;
    let changed = first(&late?).to_owned();
    b.ask("COMMIT").await?;
    let rows = a
        .ask(&format!(
            "SELECT N::VARCHAR || ' ' || STATUS FROM {s}.AGAIN WHERE ID = 1"
        ))
        .await?;
    let left = first(&rows);
    let finding = format!("the one that waited changed {changed} rows; the row holds `{left}`");
    Ok(if changed == "0" && left == "1 a" {
        Outcome::Holds(finding)
    } else {
        Outcome::Differs(finding)
    })
}
