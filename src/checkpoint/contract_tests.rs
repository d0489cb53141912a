//! The double keeps the contract. `integration/harness/tests/contract` asks the same of the hybrid tables.

use super::testing::bench::Bench;
use super::testing::double::DoubleBench;
use super::testing::sequences::{Run, check, steps};
use super::testing::suite::{self, contract_suite};
use futures::future::BoxFuture;
use proptest::prelude::*;

fn run(test: for<'a> fn(&'a dyn Bench) -> BoxFuture<'a, ()>) {
    let bench = DoubleBench::default();
    block_on(test(&bench));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().expect("a runtime");
    runtime.block_on(future)
}

contract_suite!(run);

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_calls_keeps_to_the_phases(steps in steps(120)) {
        block_on(async {
            let bench = DoubleBench::default();
            let mut run = Run::new(&bench).await;
            let mut before = run.stored().await;
            for step in &steps {
                run.step(step).await;
                let after = run.stored().await;
                check(step, &before, &after);
                before = after;
            }
        });
    }
}
