//! Doubles of everything the actors delegate to, over the checkpoint's double, and a world to run both trees in.

mod kill;
mod loader;
mod planner;
mod runner;
mod world;

pub use crate::checkpoint::testing::double::Fault;
pub use kill::{Kind, kill};
pub use loader::LoadFault;
pub use runner::Behaviour;
pub use world::{CAPACITY, World, WorldSettings};
