//! What a table of ten thousand partitions costs.

use crate::actors::testing::{Kind, World, WorldSettings};
use crate::domain::phase::{PartitionPhase, WorkflowPhase};
use ractor::ActorCell;
use std::time::Duration;

const PARTITIONS: usize = 10_000;
const WINDOW: usize = 64;

#[tokio::test(start_paused = true)]
async fn ten_thousand_partitions_cost_the_window_in_actors_and_a_statement_or_two_each() {
    let world = World::new(WorldSettings {
        tables: vec![("a", PARTITIONS)],
        task: Duration::from_millis(40),
        load: Duration::from_millis(500),
        window: WINDOW,
        ..WorldSettings::default()
    });
    let orchestrator: ActorCell = world.orchestrator("one").await.into();
    let _workers = [
        world.worker("w1").await,
        world.worker("w2").await,
        world.worker("w3").await,
    ];
    let mut most = 0;
    while world.store.workflow_phase(world.workflow) != WorkflowPhase::Completed {
        let mut all = Vec::new();
        let mut open = vec![orchestrator.clone()];
        while let Some(cell) = open.pop() {
            open.extend(cell.get_children());
            all.push(cell.get_id());
        }
        most = most.max(Kind::Partition.below(&orchestrator).len());
        // Supervisor, four services, workflow, planner, loader.
        assert!(all.len() <= WINDOW + 8, "{} actors", all.len());
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    assert!(most > WINDOW / 2);
    assert_eq!(world.loaded(PartitionPhase::Loaded), PARTITIONS);
    world.assert_all_loaded_once();
    let calls = world.store.faults.all_calls();
    assert!(calls <= 2 * PARTITIONS, "{calls} calls");
}
