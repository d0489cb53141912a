//! The contract of the checkpoint as tests, and its double, over which the actors are tested.
//!
//! [`suite`] says what both halves of the contract promise, one function a promise, and [`sequences`] generates calls in any
//! order. Both ask a [`Bench`]: the library runs them over the [`double`], `integration/harness` compiles these same files
//! and runs them over the hybrid tables, and there compares the two step by step.

pub mod bench;
pub mod double;
pub mod sequences;
pub mod suite;
