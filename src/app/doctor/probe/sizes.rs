//! P7: limits that the documentation gives no number for.

use super::bench::Bench;
use super::{Answer, Outcome};

/// Characters of one value of a hybrid table. An analysis of a thousand partitions takes the first.
const ROWS: [u32; 3] = [100_000, 1_000_000, 15_000_000];
/// Bytes of a key; snowhaul's are far below the first.
const KEYS: [u32; 3] = [1_024, 2_048, 4_096];
const STATEMENT: usize = 1_500_000;

pub(super) async fn largest(bench: &Bench) -> Answer {
    let (a, s) = (bench.session("a"), bench.s());
    a.ask(&format!(
        "CREATE HYBRID TABLE {s}.SIZES (ID NUMBER(19,0) NOT NULL, V VARCHAR, PRIMARY KEY (ID)) DEFAULT_DDL_COLLATION = ''"
    ))
    .await?;
    let (mut row, mut key) = (0, 0);
    for size in ROWS {
        let sql = format!("INSERT INTO {s}.SIZES (ID, V) SELECT {size}, REPEAT('x', {size})");
        if a.ask(&sql).await.is_ok() {
            row = size;
        }
    }
    for size in KEYS {
        let made = [
            format!(
                "CREATE HYBRID TABLE {s}.KEYS_{size} (K VARCHAR({size}) NOT NULL, PRIMARY KEY (K)) DEFAULT_DDL_COLLATION = ''"
            ),
            format!("INSERT INTO {s}.KEYS_{size} (K) SELECT REPEAT('x', {size})"),
        ];
        if a.all(&made).await.is_ok() {
            key = size;
        }
    }
    let statement = format!("SELECT LENGTH('{}')", "x".repeat(STATEMENT));
    let takes = a
        .cell(&statement)
        .await
        .is_ok_and(|length| length == STATEMENT.to_string());
    let finding = format!(
        "a value of {row} characters, a key of {key} bytes; a statement of {STATEMENT} characters is {}",
        if takes { "taken" } else { "refused" }
    );
    Ok(if row < ROWS[1] || key < KEYS[0] {
        Outcome::Differs(finding)
    } else {
        Outcome::Told(finding)
    })
}
