//! Every step that changes something outside fails, in every way, under every strategy (`src/failpoint.rs`).
//! `SNOWHAUL_STEPS=load.` chooses steps by how their names begin; `SNOWHAUL_EVERY_STRATEGY=1` takes also those under each
//! strategy that do not depend on it.
//!
//! Needs the binary with the feature `failpoints`: `cargo build --workspace --features snowhaul/failpoints`.

mod cell;
mod idle_transactions;
mod requests;
mod strategy;

use cell::{Table, batches, is_reached, platforms};
use snowhaul::failpoint::Step;
use snowhaul_integration::LocalSnowflake;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use strategy::Strategy;

/// Steps that are tried at once: most of their time they wait.
const AT_ONCE: usize = 3;

fn every_step_is_survived(strategy: Strategy) {
    // A transaction whose client is gone holds its locks until Snowflake ends it as idle: after five minutes there.
    let server = LocalSnowflake::start(&["--transaction-idle", "2"]);
    let chosen = std::env::var("SNOWHAUL_STEPS").unwrap_or_default();
    let cells: VecDeque<_> = batches(strategy, &chosen)
        .into_iter()
        .flat_map(|steps| {
            let on = move |platform: &&'static str| (*platform, steps.clone());
            platforms().iter().map(on)
        })
        .collect();
    let queue = Mutex::new(cells);
    let failed = Mutex::new(Vec::new());
    let next = || {
        queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((platform, steps)) = next() {
                    let table = Table::new(strategy, platform, &server);
                    let survived =
                        catch_unwind(AssertUnwindSafe(|| table.survives(&steps))).is_ok();
                    for step in &steps {
                        println!(
                            "{}, {platform}: {}: survived: {survived}",
                            strategy.name(),
                            step.as_str()
                        );
                    }
                    if !survived {
                        failed
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push((platform, steps));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        failed.is_empty(),
        "{}: {failed:?}; see above",
        strategy.name()
    );
}

#[test]
fn without_synchronization() {
    every_step_is_survived(Strategy::None);
}

#[test]
fn with_full_replace() {
    every_step_is_survived(Strategy::FullReplace);
}

#[test]
fn with_checksums() {
    every_step_is_survived(Strategy::Checksum);
}

#[test]
fn with_a_watermark() {
    every_step_is_survived(Strategy::Append);
}

#[test]
fn with_a_watermark_modifications_and_deletions() {
    every_step_is_survived(Strategy::Merge);
}

/// What runs here are too short for: `faults/fences.rs` has them.
const REACHED_ELSEWHERE: &[Step] = &[Step::TaskPurge];

#[test]
fn every_step_is_reached_under_some_strategy() {
    for step in Step::ALL {
        let by_strategies = Strategy::ALL
            .iter()
            .any(|strategy| is_reached(*step, *strategy));
        let elsewhere = requests::STEPS.contains(step) || REACHED_ELSEWHERE.contains(step);
        assert!(by_strategies || elsewhere, "{step:?}");
    }
}
