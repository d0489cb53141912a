//! How rows leave a source: one folder per route, and the runner of a worker's tasks.
//!
//! A route reads one partition and answers a [`Manifest`]. The load knows nothing of it but the manifest and the columns of
//! its files. A new route is a folder beside [`stream`], a value of [`Route`] and an arm of [`route`].

pub mod runner;
pub mod stream;

use crate::domain::problem::Code;
use crate::domain::progress::TaskProgress;
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::Slice;
use crate::domain::table_plan::{ExtractColumn, ExtractSpec, Route};
use crate::domain::task::{Manifest, TaskFailure};
use crate::platform::{Scope, SourcePlatform};
use crate::source::{SourceError, SourceErrorKind};
use crate::stage::{Stage, StageError};
use crate::types::{FileColumn, Wider};
use async_trait::async_trait;
use std::sync::Arc;

/// A way out of a source.
#[async_trait]
pub trait ExtractionRoute: Send + Sync {
    /// The column at `index` of the files, and what is known of its way into a target. Pure: the load derives the same
    /// from the same plan.
    fn plan_column(
        &self,
        dialect: &dyn SourcePlatform,
        column: &ExtractColumn,
        index: usize,
    ) -> PlannedFileColumn;

    /// The statement that reads a slice, for people who want to see it. Pure.
    fn statement(
        &self,
        dialect: &dyn SourcePlatform,
        extract: &ExtractSpec,
        slice: &Slice,
    ) -> String;

    /// Extracts one partition into files on the stage. `None`: it was cancelled, and nothing of it counts.
    ///
    /// # Errors
    /// As [`ExtractError`] says. Files that were complete by then are garbage: no manifest names them.
    async fn extract(
        &self,
        request: ExtractRequest,
        progress: Arc<TaskProgress>,
    ) -> Result<Option<Manifest>, ExtractError>;
}

/// The route of this name.
pub fn route(route: Route) -> &'static dyn ExtractionRoute {
    match route {
        Route::Stream => &stream::Stream,
    }
}

/// A column of a file, and what users and targets should know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFileColumn {
    /// What the load reads.
    pub file: FileColumn,
    /// The type of the target column when the target is created.
    pub default_target: String,
    /// The type of a target column that holds all that the source declares, where the asked one does not.
    pub wider: Option<Wider>,
    /// What users should know of the default target, with the column's name.
    pub warning: Option<String>,
    /// What users should know of the way into another target, without the column's name.
    pub conversion: Option<String>,
}

/// What to extract, and with what.
pub struct ExtractRequest {
    /// The source.
    pub settings: SourceSettings,
    /// Its SQL.
    pub dialect: &'static dyn SourcePlatform,
    /// What the table's extractions have in common.
    pub extract: ExtractSpec,
    /// The partition.
    pub slice: Slice,
    /// Memory of this task in bytes.
    pub memory_bytes: usize,
    /// Where the files go.
    pub stage: Arc<dyn Stage>,
    /// Directory below the stage, with a slash at its end, and the beginning of the files' names in it.
    pub files: String,
}

impl ExtractRequest {
    /// The rows that are read.
    pub fn scope(&self) -> Scope<'_> {
        Scope::of(&self.extract, &self.slice)
    }

    /// What messages call it.
    pub fn place(&self) -> String {
        format!("{}, table {}", self.settings.place(), self.extract.source)
    }
}

/// Why an extraction ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The stage.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A file could not be written, or a thread ended unexpectedly.
    #[error("{0}")]
    Internal(String),
}

impl From<ExtractError> for TaskFailure {
    fn from(error: ExtractError) -> Self {
        match error {
            ExtractError::Source(error) => source_failure(error),
            ExtractError::Stage(error) => Self::of(error.failure, error.message),
            ExtractError::Internal(message) => {
                Self::transient(Code::INTERNAL.problem(message).to_string())
            }
        }
    }
}

fn source_failure(error: SourceError) -> TaskFailure {
    match error.kind {
        SourceErrorKind::Unreachable => TaskFailure::outage(error.to_string()),
        _ if error.is_retryable() => TaskFailure::transient(error.to_string()),
        _ => TaskFailure::permanent(error.to_string()),
    }
}
