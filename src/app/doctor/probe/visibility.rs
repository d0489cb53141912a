//! P9: what another session sees, and when.

use super::bench::Bench;
use super::clients::numbers;
use super::copies::copy;
use super::{Answer, Outcome};

const TIMES: usize = 20;

pub(super) async fn across_sessions(bench: &Bench) -> Answer {
    let (a, b, s) = (bench.session("a"), bench.session("b"), bench.s());
    // Both are there before anything is written.
    b.ask("SELECT 1").await?;
    let stage = bench.stage(&a).await?;
    let file = "visibility/0.parquet";
    bench.upload(&stage, file, numbers(&[1, 2])).await?;
    let (mut absent, mut late) = (0, 0);
    for time in 0..TIMES {
        let table = format!("SEEN_{time}");
        a.ask(&format!(
            "CREATE TRANSIENT TABLE {s}.{table} (N NUMBER(38,0))"
        ))
        .await?;
        a.ask(&copy(bench, &table, file, true)).await?;
        match b.cell(&format!("SELECT COUNT(*) FROM {s}.{table}")).await {
            Ok(count) if count == "2" => {}
            Ok(_) => late += 1,
            Err(_) => absent += 1,
        }
    }
    let finding = format!(
        "of {TIMES} tables, {absent} were not there and {late} not full for a session that was open before"
    );
    // snowhaul stages and uses a table in one session.
    Ok(if absent + late == 0 {
        Outcome::Holds(finding)
    } else {
        Outcome::Told(finding)
    })
}
