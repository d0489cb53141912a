//! Doubles of everything the actors delegate to, over one state in memory, and a world to run both trees in.
//!
//! The checkpoint's double keeps the contract to the letter (epochs, compare-and-set, claim tokens, leases on tokio's
//! clock), and every one of its methods can be made to fail before its effect or after it (a lost reply).

mod faults;
mod kill;
mod loader;
mod orchestrator_store;
mod planner;
mod requests;
mod runner;
mod store;
mod worker_store;
mod world;

pub use faults::Fault;
pub use kill::{Kind, kill};
pub use loader::LoadFault;
pub use runner::Behaviour;
pub use world::{CAPACITY, World, WorldSettings};
