//! P2: what becomes of the parameters that a login sets.

use super::bench::Bench;
use super::{Answer, Outcome};
use crate::app::doctor::parameters::{SESSION, differences};
use crate::snowflake::session_parameters::PINNED;

pub(super) async fn taken(bench: &Bench) -> Answer {
    let answer = bench.session("a").ask_named(SESSION).await?;
    let differences = differences(&answer);
    let told: Vec<String> = differences
        .iter()
        .map(|difference| difference.told())
        .collect();
    Ok(if differences.is_empty() {
        Outcome::Holds(format!("{} parameters, each with its value", PINNED.len()))
    } else if differences
        .iter()
        .any(|difference| difference.is_of_value())
    {
        Outcome::Differs(told.join("; "))
    } else {
        Outcome::Told(told.join("; "))
    })
}
