//! Rows of the checkpoint that a load, or somebody else, holds for long.

use crate::actors::checkpoint_writer::{Change, CheckpointWriter, CheckpointWriterMsg, Written};
use crate::actors::orchestrator_supervisor::OrchestratorSupervisorMsg;
use crate::actors::testing::{World, WorldSettings};
use crate::checkpoint::{OrchestratorCheckpoint, StateChange, WorkflowSearch};
use crate::domain::phase::{PartitionPhase, TablePhase, WorkflowPhase};
use crate::domain::request::Request;
use crate::domain::{TableNo, WorkflowId};
use ractor::Actor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

fn slow_loads() -> World {
    World::new(WorldSettings {
        tables: vec![("a", 4), ("b", 2)],
        load: Duration::from_secs(900),
        ..WorldSettings::default()
    })
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_rebuilt_while_it_is_loaded_waits_for_that_load() {
    let world = slow_loads();
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world
        .until("both tables are loaded", |w| {
            w.loader.batches.lock().unwrap().len() == 2
        })
        .await;
    for request in [Some(Request::Pause), None] {
        world.store.ask_table(world.workflow, 1, request);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    world.until_complete().await;
    world.assert_all_loaded_once();
    assert_eq!(*world.loader.locked.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_held_for_an_hour_fails_no_partition() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 4)],
        ..WorldSettings::default()
    });
    let row = world.store.table_lock((world.workflow, TableNo(0)));
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world
        .until("the table is planned", |w| {
            w.loaded(PartitionPhase::Pending) > 0
        })
        .await;
    let held = row.lock().await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(*world.loader.locked.lock().unwrap() > 20);
    drop(held);
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn changes_of_one_workflow_do_not_wait_for_rows_of_another() {
    let world = World::new(WorldSettings::default());
    let store = world.store.clone();
    let other = store.create_workflow("other", &["t".to_owned()]);
    let search = WorkflowSearch {
        owner: "one",
        affinity: None,
        lease: Duration::from_secs(60),
        limit: 2,
        driven: &[],
    };
    let taken = store.take_workflows(&search).await.unwrap();
    for owned in &taken {
        store.fence_tables(owned).await.unwrap();
    }
    let (writer, _) = Actor::spawn(None, CheckpointWriter, store.clone())
        .await
        .unwrap();
    let end = |id: WorkflowId| {
        let (tell, told) = oneshot::channel();
        let owned = taken.iter().find(|owned| owned.id == id).unwrap();
        let change = Change {
            owned: Arc::new(owned.clone()),
            change: StateChange::TableEnded {
                table_no: TableNo(0),
                phase: TablePhase::Failed,
                error: None,
            },
            reply: Box::new(move |written| {
                let _ = tell.send(written);
            }),
        };
        writer.cast(CheckpointWriterMsg::Write(change)).unwrap();
        told
    };
    let barrier = |id| {
        let (tell, told) = oneshot::channel();
        let reply = Box::new(move |()| {
            let _ = tell.send(());
        });
        writer
            .cast(CheckpointWriterMsg::Barrier(id, reply))
            .unwrap();
        told
    };
    let row = store.table_lock((world.workflow, TableNo(0)));
    let held = row.lock().await;
    let mut stuck = end(world.workflow);
    assert_eq!(end(other).await.unwrap(), Written::Applied);
    barrier(Some(other)).await.unwrap();
    let mut all = barrier(None);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(stuck.try_recv().is_err() && all.try_recv().is_err());
    drop(held);
    assert_eq!(stuck.await.unwrap(), Written::Applied);
    all.await.unwrap();
    writer.stop(None);
}

#[tokio::test(start_paused = true)]
async fn a_load_of_a_former_owner_holds_up_its_own_workflow_alone() {
    let world = World::new(WorldSettings {
        tables: vec![("a", 4)],
        ..WorldSettings::default()
    });
    let other = world.store.create_workflow("other", &["a".to_owned()]);
    let row = world.store.table_lock((world.workflow, TableNo(0)));
    let held = row.lock().await;
    let _orchestrator = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    let is_complete = |w: &World| w.store.workflow_phase(other) == WorkflowPhase::Completed;
    world.until("the other one is complete", is_complete).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let owner = (Some("one".to_owned()), 1);
    assert_eq!(world.store.owner(world.workflow), owner);
    assert_eq!(
        world.store.workflow_phase(world.workflow),
        WorkflowPhase::Pending
    );
    // What operators ask meanwhile is carried out afterwards, and not before.
    world.store.ask(world.workflow, Some(Request::Pause));
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.store.ask(world.workflow, None);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(
        world.store.workflow_phase(world.workflow),
        WorkflowPhase::Pending
    );
    drop(held);
    world.until_complete().await;
    world.assert_all_loaded_once();
}

#[tokio::test(start_paused = true)]
async fn an_orchestrator_that_is_drained_ends_its_loads_before_it_gives_its_leases_back() {
    let world = slow_loads();
    let one = world.orchestrator("one").await;
    let _worker = world.worker("w1").await;
    world
        .until("both tables are loaded", |w| {
            w.loader.batches.lock().unwrap().len() == 2
        })
        .await;
    one.cast(OrchestratorSupervisorMsg::Drain).unwrap();
    world
        .until("the lease is given back", |w| {
            w.store.owner(w.workflow).0.is_none()
        })
        .await;
    for no in [0, 1] {
        let row = world.store.table_lock((world.workflow, TableNo(no)));
        assert!(row.try_lock().is_ok(), "table {no} is locked");
    }
    let _two = world.orchestrator("two").await;
    world.until_complete().await;
    world.assert_all_loaded_once();
}
