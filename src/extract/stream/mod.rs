//! The extraction of one partition: one statement, one or more files, streamed.
//!
//! Four stages overlap: the fetch thread (rows into buffers), the batch thread (buffers to Arrow), the encode thread
//! (Arrow to Parquet), and the upload. The channels between them are bounded, so memory does not depend on the
//! partition's size.

mod bits;
mod block;
mod columns;
mod decimals;
mod diagnosis;
mod fetch;
mod long;
mod native;
mod rows;
mod texts;
mod times;

use super::{ExtractError, ExtractRequest, ExtractionRoute, PlannedFileColumn};
use crate::domain::progress::TaskProgress;
use crate::domain::table::Slice;
use crate::domain::table_plan::{ExtractColumn, ExtractSpec};
use crate::domain::task::{FileFormat, Manifest, StagedFile};
use crate::file::{FileContent, ParquetFile};
use crate::platform::{Isolation, TransactionSettings};
use crate::platform::{Scope, SourcePlatform};
use crate::source::policies::refuse_policies;
use crate::source::session::{Ask, At, SourceSession};
use crate::source::{SourceError, SourceErrorKind};
use crate::types::ColumnPlan;
use arrow::array::RecordBatch;
use async_trait::async_trait;
use columns::{column_plans, plan_column};
use diagnosis::{explained, same_columns};
use fetch::schema;
use futures::StreamExt;
use long::Order;
use rows::Rows;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::mpsc;

/// Batches between fetch and encode.
const BATCHES_IN_FLIGHT: usize = 2;
/// Text that may be longer than this is measured before it is bound: a buffer for the type's own limit would leave room
/// for few rows.
const MEASURE_ABOVE: usize = 1_024;

type OpenFile = (String, FileContent);

/// The route: the worker reads rows and writes Parquet files.
pub struct Stream;

#[async_trait]
impl ExtractionRoute for Stream {
    fn plan_column(
        &self,
        dialect: &dyn SourcePlatform,
        column: &ExtractColumn,
        index: usize,
    ) -> PlannedFileColumn {
        let planned = plan_column(dialect, column, index);
        PlannedFileColumn {
            file: planned.plan.file_column(),
            default_target: planned.default_target,
            wider: planned.plan.wider,
            warning: planned.warning,
            conversion: planned.conversion,
        }
    }

    fn statement(
        &self,
        dialect: &dyn SourcePlatform,
        extract: &ExtractSpec,
        slice: &Slice,
    ) -> String {
        let columns = column_plans(dialect, extract, slice.content);
        dialect.extraction(&Scope::of(extract, slice), &columns)
    }

    async fn extract(
        &self,
        request: ExtractRequest,
        progress: Arc<TaskProgress>,
    ) -> Result<Option<Manifest>, ExtractError> {
        let columns = column_plans(request.dialect, &request.extract, request.slice.content);
        run(Job { request, columns }, progress).await
    }
}

/// A request and how its columns travel.
struct Job {
    request: ExtractRequest,
    columns: Vec<ColumnPlan>,
}

async fn run(job: Job, progress: Arc<TaskProgress>) -> Result<Option<Manifest>, ExtractError> {
    let stage = job.request.stage.clone();
    let (batch_sender, batch_receiver) = sync_channel(BATCHES_IN_FLIGHT);
    let (file_sender, mut files) = mpsc::channel::<OpenFile>(1);
    let (schema, named) = (schema(&job.columns), job.request.files.clone());
    // What the threads log carries the task as well.
    let span = tracing::Span::current();
    let encode = {
        let (progress, schema, span) = (progress.clone(), schema.clone(), span.clone());
        tokio::task::spawn_blocking(move || {
            span.in_scope(|| encode(&schema, &named, &batch_receiver, &file_sender, &progress))
        })
    };
    let fetch = {
        let progress = progress.clone();
        tokio::task::spawn_blocking(move || {
            span.in_scope(|| fetch(&job, &schema, &batch_sender, &progress))
        })
    };
    let mut uploaded = Vec::new();
    let mut upload_error = None;
    while let Some((path, content)) = files.recv().await {
        match stage
            .upload(&path, crate::file::content(content).boxed())
            .await
        {
            Ok(bytes) => uploaded.push((path, bytes)),
            Err(error) => {
                upload_error = Some(error);
                // Dropped: the encoder finds nobody to send to and ends, and so does the fetch.
                drop(files);
                break;
            }
        }
    }
    let fetched = fetch.await.map_err(|error| {
        ExtractError::Internal(format!("the fetch thread ended unexpectedly: {error}"))
    })?;
    let encoded = encode.await.map_err(|error| {
        ExtractError::Internal(format!("the encode thread ended unexpectedly: {error}"))
    })?;
    // The first cause first: a failed fetch ends the others, and so does a failed upload.
    let checksum = match fetched {
        Err(error) if error.kind == SourceErrorKind::Cancelled => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(taken) => taken,
    };
    if let Some(error) = upload_error {
        return Err(error.into());
    }
    let rows = encoded
        .map_err(|error| ExtractError::Internal(format!("a file could not be written: {error}")))?;
    if progress.is_cancelled() {
        return Ok(None);
    }
    if rows.len() != uploaded.len() {
        return Err(ExtractError::Internal(format!(
            "{} files were written and {} uploaded",
            rows.len(),
            uploaded.len()
        )));
    }
    let files = uploaded
        .into_iter()
        .zip(rows)
        .map(|((path, bytes), rows)| StagedFile { path, rows, bytes })
        .collect();
    let manifest = Manifest {
        files,
        checksum,
        stage: stage.location(),
        format: FileFormat::Parquet,
    };
    progress.set(manifest.rows(), manifest.bytes());
    Ok(Some(manifest))
}

fn fetch(
    job: &Job,
    schema: &arrow::datatypes::SchemaRef,
    batches: &SyncSender<Result<RecordBatch, ()>>,
    progress: &TaskProgress,
) -> Result<Option<String>, SourceError> {
    let result = fetch_all(job, schema, batches, progress).map_err(|error| explained(job, error));
    if result.is_err() {
        // The encoder must not take a broken stream for a short table.
        let _ = batches.send(Err(()));
    }
    result
}

fn fetch_all(
    job: &Job,
    schema: &arrow::datatypes::SchemaRef,
    batches: &SyncSender<Result<RecordBatch, ()>>,
    progress: &TaskProgress,
) -> Result<Option<String>, SourceError> {
    let place = job.request.place();
    let dialect = job.request.dialect;
    // One transaction, whose statements see one snapshot: the lengths and the checksum are those of the rows that follow.
    let transaction = TransactionSettings {
        isolation: Isolation::OneSnapshot,
        statement_timeout: None,
        row_security: job.request.extract.row_security,
    };
    let session = SourceSession::open(&job.request.settings, dialect, &transaction)?;
    let scope = job.request.scope();
    same_columns(job, &session)?;
    let source = At {
        session: &session,
        place: &place,
    };
    refuse_policies(
        &source,
        dialect,
        &scope,
        job.request.extract.row_security,
        &place,
    )?;
    let longest = measure(job, &source)?;
    let checksum = match &job.request.extract.checksum {
        Some(aggregate) => {
            let value = source.ask_first(&dialect.aggregate(&scope, aggregate))?;
            // An aggregate over no rows may be NULL.
            Some(value.flatten().unwrap_or_default())
        }
        None => None,
    };
    let order = if dialect.gives_pieces() {
        Order::long_last(&job.columns, &longest, job.request.memory_bytes)
    } else {
        Order::of_file(job.columns.len())
    };
    let columns = order.sorted(&job.columns);
    let rows = Rows {
        sql: &dialect.extraction(&scope, &columns),
        columns: &columns,
        longest: &order.sorted(&longest),
        order: &order,
        schema,
        memory_bytes: job.request.memory_bytes,
        place: &place,
    };
    rows.read(&session, |batch| {
        if progress.is_cancelled() {
            return Err(SourceError::new(SourceErrorKind::Cancelled, "cancelled"));
        }
        // An encoder that is gone says why itself.
        Ok(batches.send(Ok(batch)).is_ok())
    })?;
    session.end()?;
    Ok(checksum)
}

/// The longest value, in bytes, of each column that its type does not bound, or bounds too far.
fn measure(job: &Job, source: &At<'_>) -> Result<Vec<Option<usize>>, SourceError> {
    let encoding = source.session.begin()?.encoding;
    let wide = |column: &ColumnPlan| {
        let bound = column.fetch.text_bound();
        bound.is_some_and(|bound| bound.is_none_or(|max| max > MEASURE_ABOVE))
    };
    let expressions: Vec<&str> = job
        .columns
        .iter()
        .filter(|column| wide(column))
        .map(|column| column.expression.as_str())
        .collect();
    if expressions.is_empty() {
        return Ok(vec![None; job.columns.len()]);
    }
    let query = job
        .request
        .dialect
        .longest(&job.request.scope(), &expressions, &encoding);
    let mut measured = source.ask_first(&query)?.into_iter().flatten();
    Ok(job
        .columns
        .iter()
        .map(|column| {
            if wide(column) {
                measured.next().or(Some(0))
            } else {
                None
            }
        })
        .collect())
}

/// Encodes until the batches end; answers the rows of each file.
fn encode(
    schema: &arrow::datatypes::SchemaRef,
    named: &str,
    batches: &Receiver<Result<RecordBatch, ()>>,
    files: &mpsc::Sender<OpenFile>,
    progress: &TaskProgress,
) -> std::io::Result<Vec<u64>> {
    let mut rows_of_files = Vec::new();
    let mut open: Option<ParquetFile> = None;
    let (mut rows, mut bytes_before) = (0, 0);
    while let Ok(batch) = batches.recv() {
        let batch = batch.map_err(|()| std::io::Error::other("the fetch failed"))?;
        let mut file = match open.take() {
            Some(file) => file,
            None => {
                let (file, content) = ParquetFile::open(schema.clone())?;
                let path = format!("{named}part-{:05}.parquet", rows_of_files.len());
                files
                    .blocking_send((path, content))
                    .map_err(|_| std::io::Error::other("the upload is gone"))?;
                file
            }
        };
        file.write(&batch)?;
        rows += batch.num_rows() as u64;
        progress.set(rows, bytes_before + file.bytes());
        if file.is_full() {
            bytes_before += file.bytes();
            rows_of_files.push(file.finish()?);
        } else {
            open = Some(file);
        }
    }
    if let Some(file) = open {
        rows_of_files.push(file.finish()?);
    }
    Ok(rows_of_files)
}
