//! The hybrid tables keep the contract of the checkpoint, and do what its double does, over which the actors are tested.
//!
//! The suite and the double are files of the library's own tests, compiled here once more.

// They name these from the crate's root.
use snowhaul::{checkpoint, domain};

// What only the actors' tests need of the double is not used here.
#[allow(dead_code, unused_imports)]
#[path = "../../../../src/checkpoint/testing/mod.rs"]
mod testing;

#[path = "../faults/connection.rs"]
mod connection;
mod hybrid;

use hybrid::{HybridBench, with_bench};
use proptest::test_runner::{Config, TestRunner};
use std::future::Future;
use std::pin::Pin;
use testing::bench::Bench;
use testing::double::DoubleBench;
use testing::sequences::{Run, check, steps};
use testing::suite::{self, contract_suite};

type BoxFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Sequences that are compared, unless [`MORE`] says how many, and the most steps of one.
const SEQUENCES: u32 = 12;
const STEPS: usize = 60;
/// The environment's word for more of them.
const MORE: &str = "SNOWHAUL_SEQUENCES";

fn run(test: for<'a> fn(&'a dyn Bench) -> BoxFuture<'a>) {
    with_bench(|bench| hybrid::runtime().block_on(test(bench)));
}

contract_suite!(run);

/// Takes the same steps over both stores, and compares after each what was answered and what is stored.
async fn compare(hybrid: &HybridBench, steps: &[testing::sequences::Step]) {
    let double = DoubleBench::default();
    let mut expected = Run::new(&double).await;
    let mut run = Run::new(hybrid).await;
    let mut before = run.stored().await;
    for step in steps {
        let said = (run.step(step).await, expected.step(step).await);
        assert_eq!(said.0, said.1, "{step:?}: hybrid tables, double");
        let after = run.stored().await;
        assert_eq!(
            after,
            expected.stored().await,
            "{step:?}: hybrid tables, double"
        );
        check(step, &before, &after);
        before = after;
    }
}

#[test]
fn any_sequence_of_calls_does_the_same_to_the_hybrid_tables_and_to_the_double() {
    let more = std::env::var(MORE).ok().and_then(|more| more.parse().ok());
    let config = Config {
        cases: more.unwrap_or(SEQUENCES),
        failure_persistence: None,
        // Each takes seconds.
        max_shrink_iters: 60,
        ..Config::default()
    };
    // The same sequences each time, unless more are asked for.
    let mut runner = match more {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(
            config.clone(),
            proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm),
        ),
    };
    let compared = runner.run(&steps(STEPS), |steps| {
        with_bench(|bench| hybrid::runtime().block_on(compare(bench, &steps)));
        Ok(())
    });
    if let Err(error) = compared {
        panic!("{error}");
    }
}
