//! Runs a worker's tasks on the real source and the real stage.

use super::{ExtractRequest, route, source_failure};
use crate::actors::ports::{TaskResult, TaskRunner};
use crate::checkpoint::TableWork;
use crate::domain::analysis::{TableAnalysis, fingerprint};
use crate::domain::problem::Code;
use crate::domain::progress::TaskProgress;
use crate::domain::source_settings::SourceSettings;
use crate::domain::staged_path::claim_files;
use crate::domain::table::{Platform, WrittenName};
use crate::domain::task::{ClaimedTask, TaskFailure, TaskKind};
use crate::platform::{self, SourcePlatform};
use crate::source;
use crate::stage::Stage;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How often a running task looks whether it is to end.
const CANCEL_POLL: Duration = Duration::from_millis(200);
/// How long a cancelled task may take to end by itself. After that it is left behind: what it still stages lies in the
/// directory of an attempt that nobody will load.
const CANCEL_PATIENCE: Duration = Duration::from_secs(3);

/// The worker's [`TaskRunner`].
pub struct SourceTaskRunner {
    /// The sources that this worker reaches.
    pub sources: BTreeMap<Platform, SourceSettings>,
    /// Where files go.
    pub stage: Arc<dyn Stage>,
    /// Memory of one task in bytes.
    pub memory_bytes: usize,
}

#[async_trait]
impl TaskRunner for SourceTaskRunner {
    async fn run(
        &self,
        task: &ClaimedTask,
        work: &TableWork,
        progress: Arc<TaskProgress>,
    ) -> Result<TaskResult, TaskFailure> {
        let began = std::time::Instant::now();
        tracing::info!(kind = ?task.kind, "task starts");
        let run = async {
            match task.kind {
                TaskKind::Analyze => self.analyze(task, work).await,
                TaskKind::Extract => self.extract(task, work, progress.clone()).await,
            }
        };
        let result = until_cancelled(run, &progress).await;
        if result.is_ok() {
            tracing::info!(
                kind = ?task.kind,
                rows = progress.rows(),
                bytes = progress.bytes(),
                seconds = began.elapsed().as_secs_f64(),
                cancelled = progress.is_cancelled(),
                "task ends"
            );
        }
        result
    }
}

impl SourceTaskRunner {
    fn source(
        &self,
        platform: Platform,
        database: &WrittenName,
    ) -> Result<(SourceSettings, &'static dyn SourcePlatform), TaskFailure> {
        let settings = self.sources.get(&platform).ok_or_else(|| {
            let problem = Code::NO_SOURCE.says(format!(
                "this worker has no [connections.source.{platform}]; add it to its configuration"
            ));
            TaskFailure::permanent(problem.to_string())
        })?;
        let dialect = platform::supported(platform).map_err(|why| {
            TaskFailure::permanent(Code::UNSUPPORTED_PLATFORM.says(why).to_string())
        })?;
        let database = dialect.exact_name(database);
        Ok((platform::in_database(settings.clone(), &database), dialect))
    }

    async fn analyze(
        &self,
        task: &ClaimedTask,
        work: &TableWork,
    ) -> Result<TaskResult, TaskFailure> {
        let (settings, dialect) = self.source(task.platform, &work.spec.source.database)?;
        let (spec, previous) = (work.spec.clone(), work.previous.clone());
        let span = tracing::Span::current();
        let analysis = tokio::task::spawn_blocking(move || {
            let analyze = || source::analyze(&settings, dialect, &spec, previous.as_ref());
            let analysis = span.in_scope(analyze).map_err(source_failure)?;
            let started_from = fingerprint(previous.as_ref()).map_err(|error| {
                TaskFailure::permanent(Code::INTERNAL.problem(error.to_string()).to_string())
            })?;
            Ok::<_, TaskFailure>(TableAnalysis {
                started_from: Some(started_from),
                ..analysis
            })
        })
        .await
        .map_err(|error| {
            let problem =
                Code::INTERNAL.problem(format!("the analysis ended unexpectedly: {error}"));
            TaskFailure::transient(problem.to_string())
        })??;
        Ok(TaskResult::Analysis(Box::new(analysis)))
    }

    async fn extract(
        &self,
        task: &ClaimedTask,
        work: &TableWork,
        progress: Arc<TaskProgress>,
    ) -> Result<TaskResult, TaskFailure> {
        let corrupt = |what: &str| {
            let problem =
                Code::METADATA_CORRUPT.problem(format!("the checkpoint has an extraction {what}"));
            TaskFailure::permanent(problem.to_string())
        };
        let spec = work
            .extract
            .as_ref()
            .ok_or_else(|| corrupt("of a table that is not planned"))?;
        let (partition, slice) = task
            .partition_no
            .zip(task.slice.clone())
            .ok_or_else(|| corrupt("without its partition's range"))?;
        let (settings, dialect) = self.source(spec.platform, &spec.source.database)?;
        let request = ExtractRequest {
            settings,
            dialect,
            extract: spec.clone(),
            slice,
            memory_bytes: self.memory_bytes,
            stage: self.stage.clone(),
            files: claim_files(task, partition),
        };
        let taken = route(spec.route).extract(request, progress).await;
        match taken {
            Ok(Some(manifest)) => Ok(TaskResult::Staged(manifest)),
            Ok(None) => Ok(TaskResult::Cancelled),
            Err(error) => Err(error.into()),
        }
    }
}

/// Runs to the end, or, once cancelled, for a little longer: a source that is deep in a long statement does not look at
/// the flag, and a stop must not wait for it.
async fn until_cancelled(
    run: impl Future<Output = Result<TaskResult, TaskFailure>>,
    progress: &TaskProgress,
) -> Result<TaskResult, TaskFailure> {
    let cancelled = async {
        while !progress.is_cancelled() {
            tokio::time::sleep(CANCEL_POLL).await;
        }
        tokio::time::sleep(CANCEL_PATIENCE).await;
    };
    tokio::select! {
        result = run => match result {
            // What fails because it was cancelled is no failure of the task.
            Err(_) if progress.is_cancelled() => Ok(TaskResult::Cancelled),
            result => result,
        },
        () = cancelled => Ok(TaskResult::Cancelled),
    }
}
