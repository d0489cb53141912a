//! P12: the spelling of paths.

use super::bench::{Bench, first};
use super::clients::numbers;
use super::copies::copy;
use super::{Answer, Outcome};

pub(super) async fn spelled(bench: &Bench) -> Answer {
    let (a, s) = (bench.session("a"), bench.s());
    let stage = bench.stage(&a).await?;
    let file = "workflows/1/Table_A/0/1/Part-0.parquet";
    bench.upload(&stage, file, numbers(&[1, 2])).await?;
    a.ask(&format!(
        "CREATE TRANSIENT TABLE {s}.SPELLED (N NUMBER(38,0))"
    ))
    .await?;
    let quoted = |path: &str| format!("'{}/{path}'", bench.stage_name().replace('\'', "\\'"));
    let listed = a.ask(&format!("LIST {}", quoted("workflows/1/"))).await?;
    let listed = first(&listed).to_owned();
    let copied = a.ask(&copy(bench, "SPELLED", file, true)).await?;
    let copied = first(&copied).to_owned();
    let removed = a.ask(&format!("REMOVE {}", quoted("workflows/1/"))).await?;
    let removed = first(&removed).to_owned();
    let finding = format!("LIST `{listed}`, COPY `{copied}`, REMOVE `{removed}`");
    let all_end_so = [&listed, &copied, &removed]
        .into_iter()
        .all(|path| path.ends_with(file));
    Ok(if all_end_so {
        Outcome::Holds(finding)
    } else {
        Outcome::Differs(finding)
    })
}
