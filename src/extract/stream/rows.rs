//! The rows of one statement, in batches: the server's cursor, the driver's buffers, Arrow.
//!
//! One thread asks for rows and fills a buffer while another turns the one before into a batch. How many rows are asked for
//! at once follows their width, so that neither the driver nor the buffers hold more than their share of the task's memory.

use super::fetch::{buffer, most_rows, record_batch};
use crate::source::session::SourceSession;
use crate::source::{SourceError, SourceErrorKind};
use crate::types::ColumnPlan;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use odbc_api::Cursor;
use odbc_api::buffers::ColumnarDynBuffer;
use std::borrow::Cow;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

/// What is read, and how.
pub(super) struct Rows<'a> {
    /// The statement.
    pub(super) sql: &'a str,
    /// Its columns.
    pub(super) columns: &'a [ColumnPlan],
    /// The measured bytes of columns whose type does not bound them.
    pub(super) longest: &'a [Option<usize>],
    /// The Arrow schema of the columns.
    pub(super) schema: &'a SchemaRef,
    /// Memory of the task in bytes.
    pub(super) memory_bytes: usize,
    /// What messages call the table.
    pub(super) place: &'a str,
}

impl Rows<'_> {
    /// Reads the rows in the session's transaction, and hands them on in batches until `receive` answers false.
    pub(super) fn read(
        &self,
        session: &SourceSession<'_>,
        receive: impl Fn(RecordBatch) -> Result<bool, SourceError> + Send,
    ) -> Result<(), SourceError> {
        let cursor = session.platform.cursor(self.sql);
        let most = most_rows(self.columns, self.longest, self.memory_bytes);
        let rows = cursor
            .as_ref()
            .map_or(most, |cursor| most.min(cursor.most_rows));
        let statement = match &cursor {
            Some(cursor) => {
                session.execute(&cursor.declare, self.place)?;
                Statement::EachBuffer((cursor.fetch)(rows).into())
            }
            None => Statement::Once(self.sql.into()),
        };
        let (full, to_convert) = sync_channel(1);
        let (spare, empty) = channel();
        for _ in 0..2 {
            // The other end is held below.
            let _ = spare.send(buffer(self.columns, self.longest, rows)?);
        }
        std::thread::scope(|scope| {
            let convert = scope.spawn(move || {
                for filled in to_convert {
                    let batch = record_batch(self.columns, self.schema, &filled)
                        .map_err(|error| error.at(self.place))?;
                    if !receive(batch)? {
                        break;
                    }
                    // Nobody takes it after the last rows.
                    let _ = spare.send(filled);
                }
                Ok(())
            });
            let fetched = self.fetch(session, &statement, rows, &empty, &full);
            drop(full);
            // Why the other side ended early comes first: the fetch only notices that it did.
            convert.join().unwrap_or_else(|_| {
                Err(SourceError::new(
                    SourceErrorKind::Other,
                    "the batch thread ended unexpectedly",
                )
                .at(self.place))
            })?;
            fetched
        })
    }

    /// Fills buffers until there are no more rows, or nobody takes them.
    fn fetch(
        &self,
        session: &SourceSession<'_>,
        statement: &Statement<'_>,
        rows: usize,
        empty: &Receiver<ColumnarDynBuffer>,
        full: &SyncSender<ColumnarDynBuffer>,
    ) -> Result<(), SourceError> {
        let fail = |error: odbc_api::Error| session.failure(&error, self.place);
        let (Statement::EachBuffer(sql) | Statement::Once(sql)) = statement;
        let mut open = None;
        while let Ok(spare) = empty.recv() {
            let cursor = match open.take() {
                Some(cursor) => cursor,
                None => {
                    let answer = session.connection().execute(sql, (), None);
                    answer.map_err(fail)?.ok_or_else(|| {
                        SourceError::new(
                            SourceErrorKind::Other,
                            "the extraction statement gave no result",
                        )
                        .at(self.place)
                    })?
                }
            };
            let mut block = cursor.bind_buffer(spare).map_err(fail)?;
            let fetched = block
                .fetch_with_truncation_check(true)
                .map_err(fail)?
                .map_or(0, ColumnarDynBuffer::num_rows);
            let (cursor, filled) = block.unbind().map_err(fail)?;
            if fetched > 0 && full.send(filled).is_err() {
                return Ok(());
            }
            if fetched < rows {
                return Ok(());
            }
            if matches!(statement, Statement::Once(_)) {
                open = Some(cursor);
            }
        }
        Ok(())
    }
}

/// How the statement that gives rows is run.
enum Statement<'a> {
    /// For each buffer: it fetches from a cursor of the server's.
    EachBuffer(Cow<'a, str>),
    /// Once: the driver streams its answer.
    Once(Cow<'a, str>),
}
