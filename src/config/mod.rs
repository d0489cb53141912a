//! What users write: workflow files, the worker's and the orchestrator's TOML.
//!
//! Nothing here does more than read the named file. Every mistake of a file is told at once, with its place and what to
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

pub use layers::Origin;
use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake of a file, or of what the environment or the command line sets in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the value was set.
    pub origin: Origin,
    /// Which: `tables[1].source.tableName`, `connections.source.redshift.port`; empty for the file as a whole.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// All mistakes of one file. Displayed as one line for each: `FILE: JSON.PATH: message`, `environment: VARIABLE: message`
/// or `command line: --flag: message`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The file.
    pub file: PathBuf,
    /// Its mistakes: at least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            f.write_str(&placed(&self.file, problem))?;
        }
        Ok(())
    }
}

/// A message with its place.
fn placed(file: &Path, problem: &Problem) -> String {
    let Problem {
        origin,
        path,
        message,
    } = problem;
    match origin {
        Origin::Variable(name) => format!("environment: {name}: {message}"),
        Origin::Flag(flag) => format!("command line: {flag}: {message}"),
        Origin::Default | Origin::File if path.is_empty() => {
            format!("{}: {message}", file.display())
        }
        Origin::Default | Origin::File => format!("{}: {path}: {message}", file.display()),
    }
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
