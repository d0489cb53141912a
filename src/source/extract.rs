//! The extraction of one partition: one statement, one or more files, streamed.
//!
//! Four stages overlap: the fetch thread (rows into buffers), the batch thread (buffers to Arrow), the encode thread
//! (Arrow to Parquet), and the upload. The channels between them are bounded, so memory does not depend on the
//! partition's size.

use super::diagnosis::{explained, same_columns};
use super::error::{SourceError, SourceErrorKind};
use super::fetch::schema;
use super::policies::refuse_policies;
use super::session::SourceSession;
use super::stream::Rows;
use crate::dialect::transaction::{Isolation, TransactionSettings};
use crate::dialect::{Dialect, Scope};
use crate::domain::progress::TaskProgress;
use crate::domain::source_settings::SourceSettings;
use crate::domain::table::Slice;
use crate::domain::table_plan::ExtractSpec;
use crate::domain::task::{Manifest, StagedFile};
use crate::file::{FileContent, ParquetFile};
use crate::snowflake::SnowflakeError;
use crate::snowflake::stage::Stage;
use crate::types::ColumnPlan;
use arrow::array::RecordBatch;
use futures::StreamExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::mpsc;

/// Batches between fetch and encode.
const BATCHES_IN_FLIGHT: usize = 2;
/// Text that may be longer than this is measured before it is bound: a buffer for the type's own limit would leave room
/// for few rows.
const MEASURE_ABOVE: usize = 1_024;

/// What to extract.
pub struct ExtractRequest {
    /// The source.
    pub settings: SourceSettings,
    /// Its SQL.
    pub dialect: &'static dyn Dialect,
    /// What the table's extractions have in common.
    pub extract: ExtractSpec,
    /// The partition.
    pub slice: Slice,
    /// The columns.
    pub columns: Vec<ColumnPlan>,
    /// Memory of this task in bytes.
    pub memory_bytes: usize,
    /// Directory below the stage, with a slash at its end, and the beginning of the files' names in it.
    pub files: String,
}

impl ExtractRequest {
    pub(super) fn scope(&self) -> Scope<'_> {
        Scope::of(&self.extract, &self.slice)
    }

    /// What messages call it.
    pub(super) fn place(&self) -> String {
        format!(
            "{}, table {}",
            self.settings.place(),
            self.extract.source
        )
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
    Stage(#[from] SnowflakeError),
    /// A file could not be written, or a thread ended unexpectedly.
    #[error("{0}")]
    Internal(String),
}

impl ExtractError {
    /// Whether another attempt can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Source(error) => error.is_retryable(),
            Self::Stage(error) => error.is_retryable(),
            Self::Internal(_) => true,
        }
    }
}

type OpenFile = (String, FileContent);

/// Extracts one partition into files on the stage. `None`: it was cancelled, and nothing of it counts.
///
/// # Errors
/// As [`ExtractError`] says. Files that were complete by then are garbage: no manifest names them.
pub async fn extract(
    request: ExtractRequest,
    stage: Stage,
    progress: Arc<TaskProgress>,
) -> Result<Option<Manifest>, ExtractError> {
    let (batch_sender, batch_receiver) = sync_channel(BATCHES_IN_FLIGHT);
    let (file_sender, mut files) = mpsc::channel::<OpenFile>(1);
    let (schema, named) = (schema(&request.columns), request.files.clone());
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
            span.in_scope(|| fetch(&request, &schema, &batch_sender, &progress))
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
    let manifest = Manifest { files, checksum };
    progress.set(manifest.rows(), manifest.bytes());
    Ok(Some(manifest))
}

fn fetch(
    request: &ExtractRequest,
    schema: &arrow::datatypes::SchemaRef,
    batches: &SyncSender<Result<RecordBatch, ()>>,
    progress: &TaskProgress,
) -> Result<Option<String>, SourceError> {
    let result =
        fetch_all(request, schema, batches, progress).map_err(|error| explained(request, error));
    if result.is_err() {
        // The encoder must not take a broken stream for a short table.
        let _ = batches.send(Err(()));
    }
    result
}

fn fetch_all(
    request: &ExtractRequest,
    schema: &arrow::datatypes::SchemaRef,
    batches: &SyncSender<Result<RecordBatch, ()>>,
    progress: &TaskProgress,
) -> Result<Option<String>, SourceError> {
    let place = request.place();
    let dialect = request.dialect;
    // One transaction, whose statements see one snapshot: the lengths and the checksum are those of the rows that follow.
    let transaction = TransactionSettings {
        isolation: Isolation::OneSnapshot,
        statement_timeout: None,
        row_security: request.extract.row_security,
    };
    let session = SourceSession::open(&request.settings, dialect, &transaction)?;
    let scope = request.scope();
    same_columns(request, &session)?;
    let query = |sql: &str| session.query(sql, &place);
    refuse_policies(
        query,
        dialect,
        &scope,
        request.extract.row_security,
        &place,
    )?;
    let longest = measure(request, &session, &place)?;
    let checksum = match &request.extract.checksum {
        Some(aggregate) => {
            let value = session.value(&dialect.aggregate_query(&scope, aggregate), &place)?;
            // An aggregate over no rows may be NULL.
            Some(value.unwrap_or_default())
        }
        None => None,
    };
    let rows = Rows {
        sql: &dialect.extraction_query(&scope, &request.columns),
        columns: &request.columns,
        longest: &longest,
        schema,
        memory_bytes: request.memory_bytes,
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
fn measure(
    request: &ExtractRequest,
    session: &SourceSession<'_>,
    place: &str,
) -> Result<Vec<Option<usize>>, SourceError> {
    let encoding = session.begin()?.encoding;
    let wide = |column: &ColumnPlan| {
        let bound = column.fetch.text_bound();
        bound.is_some_and(|bound| bound.is_none_or(|max| max > MEASURE_ABOVE))
    };
    let expressions: Vec<&str> = request
        .columns
        .iter()
        .filter(|column| wide(column))
        .map(|column| column.expression.as_str())
        .collect();
    if expressions.is_empty() {
        return Ok(vec![None; request.columns.len()]);
    }
    let sql = request
        .dialect
        .longest_query(&request.scope(), &expressions, &encoding);
    let rows = session.query(&sql, place)?;
    let mut measured = rows.first().into_iter().flatten().map(|cell| {
        cell.as_deref()
            .and_then(|text| text.parse::<usize>().ok())
            .unwrap_or(0)
    });
    Ok(request
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
