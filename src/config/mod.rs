//! What users write: workflow files, the worker's and the orchestrator's TOML.
//!
//! Nothing here does more than read the named file. Every mistake of a file is reported at once, with its place and what to
//! do about it; what this version cannot do is refused, never ignored.

pub mod defaults;
mod document;
mod driver_reading;
pub mod environment;
mod extraction_rules;
mod findings;
pub mod generate;
mod iceberg_rules;
mod identifier;
pub mod json_schema;
mod layers;
mod merge;
mod metadata;
pub mod orchestrator;
mod predicate;
mod schema;
mod section;
mod shape;
mod source_section;
pub mod standalone;
mod table;
mod table_rules;
mod target_type;
mod transforms;
mod validation;
pub mod worker;
pub mod workflow;
pub mod workflow_name;

use crate::domain::problem::Problems;
pub use layers::Origin;

/// All mistakes of one file, or of what the environment or the command line sets in its place: at least one. Displayed as
/// one line for each, whose place is `FILE: JSON.PATH`, `environment: VARIABLE` or `command line: --flag`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problems}")]
pub struct ConfigErrors {
    /// The mistakes.
    pub problems: Problems,
}

#[cfg(test)]
mod examples_tests;
#[cfg(test)]
mod testing;

/// The keys of those that have changed.
fn changed(keys: &[(&'static str, bool)]) -> Vec<&'static str> {
    keys.iter()
        .filter(|(_, changed)| *changed)
        .map(|(key, _)| *key)
        .collect()
}
