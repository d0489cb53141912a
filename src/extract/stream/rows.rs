//! The rows of one statement, in batches: the server's cursor, the driver's buffers, Arrow.
//!
//! One thread asks for rows and fills a buffer while another turns the one before into a batch. How many rows are asked for
//! at once follows their width, so that neither the driver nor the buffers hold more than their share of the task's memory.

use super::block::Block;
use super::fetch::{arrays, buffer, most_rows};
use super::long::{LongError, LongValue, Order, too_long};
use crate::source::session::SourceSession;
use crate::source::{SourceError, SourceErrorKind};
use crate::types::ColumnPlan;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use odbc_api::Cursor;
use std::borrow::Cow;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

/// Rows of a batch at most where no cursor of the server's limits them. More of them save nothing.
const MOST_ROWS: usize = 10_000;

/// What is read, and how.
pub(super) struct Rows<'a> {
    /// The statement.
    pub(super) sql: &'a str,
    /// Its columns.
    pub(super) columns: &'a [ColumnPlan],
    /// The measured bytes of columns whose type does not bound them.
    pub(super) longest: &'a [Option<usize>],
    /// Where they stand in the file.
    pub(super) order: &'a Order,
    /// The Arrow schema of the file.
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
        let (bound, _) = self.columns.split_at(self.num_bound());
        let longest = &self.longest[..bound.len()];
        let most = most_rows(bound, longest, self.memory_bytes);
        let rows = cursor
            .as_ref()
            .map_or(most.min(MOST_ROWS), |cursor| most.min(cursor.most_rows));
        // Rows of a batch come in so many fetches.
        let rows_per_fetch = match session.rows_per_fetch() {
            // Pieces of a value come from a row that was fetched alone.
            _ if self.order.num_long > 0 => 1,
            most => most.unwrap_or(rows).min(rows),
        };
        let statement = match &cursor {
            Some(cursor) => {
                session.execute(&cursor.declare, self.place)?;
                Statement::EachBuffer((cursor.fetch)(rows).into())
            }
            None => Statement::Once(self.sql.into()),
        };
        let (full, to_convert) = sync_channel::<Filled>(1);
        let (spare, empty) = channel();
        for _ in 0..2 {
            // The other end is held below.
            let columns = buffer(bound, longest, rows_per_fetch)?;
            let _ = spare.send(Block::new(columns, rows_per_fetch));
        }
        std::thread::scope(|scope| {
            let convert = scope.spawn(move || {
                let (mut gathered, mut bytes): (Vec<RecordBatch>, usize) = (Vec::new(), 0);
                for filled in to_convert {
                    let (block, batch) = self.batch(filled)?;
                    // Nobody takes it after the last rows.
                    let _ = spare.send(block);
                    bytes += batch.get_array_memory_size();
                    gathered.push(batch);
                    let is_enough = gathered.len() * rows_per_fetch >= rows
                        || self.order.num_long > 0 && bytes >= self.memory_bytes / 16;
                    if is_enough {
                        bytes = 0;
                        if !receive(self.joined(&mut gathered)?)? {
                            return Ok(());
                        }
                    }
                }
                if !gathered.is_empty() {
                    receive(self.joined(&mut gathered)?)?;
                }
                Ok(())
            });
            let fetched = self.fetch(session, &statement, rows_per_fetch, &empty, &full);
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

    /// How many of the first columns are bound to buffers.
    fn num_bound(&self) -> usize {
        self.columns.len() - self.order.num_long
    }

    /// The rows of a buffer in Arrow, and the buffer.
    fn batch(&self, filled: Filled) -> Result<(Block, RecordBatch), SourceError> {
        let (bound, long) = self.columns.split_at(self.num_bound());
        let converted = || {
            let mut all = arrays(bound, filled.block.columns())?;
            for (value, column) in filled.long.into_iter().zip(long) {
                all.push(value.array(column)?);
            }
            let mut placed: Vec<_> = self.order.places.iter().zip(all).collect();
            placed.sort_by_key(|(place, _)| **place);
            let in_file = placed.into_iter().map(|(_, array)| array).collect();
            RecordBatch::try_new(self.schema.clone(), in_file)
                .map_err(|error| SourceError::new(SourceErrorKind::Value, error.to_string()))
        };
        let batch = converted().map_err(|error| error.at(self.place))?;
        Ok((filled.block, batch))
    }

    /// The values of the row that was fetched last that are not bound.
    fn long_values(
        &self,
        cursor: &mut impl Cursor,
        session: &SourceSession<'_>,
    ) -> Result<Vec<LongValue>, SourceError> {
        let (bound, long) = self.columns.split_at(self.num_bound());
        let mut statement = cursor.as_stmt_ref();
        let numbered = long.iter().zip(bound.len() + 1..);
        numbered
            .map(|(column, number)| {
                let number = u16::try_from(number).unwrap_or(u16::MAX);
                LongValue::read(&mut statement, column, number).map_err(|error| match error {
                    LongError::Driver(error) => session.failure(&error, self.place),
                    LongError::TooLong => too_long(column).at(self.place),
                })
            })
            .collect()
    }

    /// Batches as one.
    fn joined(&self, batches: &mut Vec<RecordBatch>) -> Result<RecordBatch, SourceError> {
        if batches.len() == 1
            && let Some(batch) = batches.pop()
        {
            return Ok(batch);
        }
        let joined = concat_batches(self.schema, batches.iter()).map_err(|error| {
            SourceError::new(SourceErrorKind::Value, error.to_string()).at(self.place)
        });
        batches.clear();
        joined
    }

    /// Fills buffers until there are no more rows, or nobody takes them.
    fn fetch(
        &self,
        session: &SourceSession<'_>,
        statement: &Statement<'_>,
        rows: usize,
        empty: &Receiver<Block>,
        full: &SyncSender<Filled>,
    ) -> Result<(), SourceError> {
        let fail = |error: odbc_api::Error| session.failure(&error, self.place);
        let (Statement::EachBuffer(sql) | Statement::Once(sql)) = statement;
        let is_streamed = matches!(statement, Statement::Once(_));
        let mut open = None;
        while let Ok(spare) = empty.recv() {
            let cursor = match open.take() {
                Some(cursor) => cursor,
                None => {
                    let answer = session.connection().execute(sql, (), session.timeout());
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
                .map_or(0, Block::num_rows);
            let (mut cursor, filled) = block.unbind().map_err(fail)?;
            Block::forget(&mut cursor);
            if let Some(why) = filled.trouble(is_streamed) {
                return Err(SourceError::new(SourceErrorKind::Value, why).at(self.place));
            }
            if fetched > 0 {
                let long = self.long_values(&mut cursor, session)?;
                let block = filled;
                if full.send(Filled { block, long }).is_err() {
                    return Ok(());
                }
            }
            if is_streamed {
                if fetched == 0 {
                    // What fails after the last row is told where another answer would be.
                    return cursor.more_results().map(|_| ()).map_err(fail);
                }
                // A fetch that gave fewer rows may have met a failure, which the next one tells.
                open = Some(cursor);
            } else if fetched < rows {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Rows that have been fetched.
struct Filled {
    /// Their columns that are bound.
    block: Block,
    /// The other columns' values, of the only row.
    long: Vec<LongValue>,
}

/// How the statement that gives rows is run.
enum Statement<'a> {
    /// For each buffer: it fetches from a cursor of the server's.
    EachBuffer(Cow<'a, str>),
    /// Once: the driver streams its answer.
    Once(Cow<'a, str>),
}
