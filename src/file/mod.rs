//! The only place for Parquet: batches in, files out as streams of chunks.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::Stream;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use std::io::{Error, Write};
use tokio::sync::mpsc;

/// Size of a chunk on its way to the upload.
const CHUNK_BYTES: usize = 1 << 20;
/// Chunks on their way at most: the bound on what waits for a slow upload.
const CHUNKS_IN_FLIGHT: usize = 8;
/// A row group is closed when its encoded part in memory reaches this.
const ROW_GROUP_BYTES: usize = 48 << 20;
/// A file is closed near this size: what COPY INTO likes best.
const FILE_BYTES: usize = 200 << 20;

enum Chunk {
    Data(Bytes),
    /// The file is whole. A channel that closes without it was abandoned.
    End,
}

/// The content of a file, as it is written. It ends in an error when the writer is gone before the file is whole.
pub fn content(receiver: FileContent) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
    futures::stream::unfold(Some(receiver), |state| async {
        let mut receiver = state?;
        match receiver.0.recv().await {
            Some(Chunk::Data(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Chunk::End) => None,
            None => Some((
                Err(Error::other(
                    "the extraction ended before the file was whole",
                )),
                None,
            )),
        }
    })
}

/// The receiving end of a file.
pub struct FileContent(mpsc::Receiver<Chunk>);

struct ChunkWriter {
    buffer: Vec<u8>,
    sender: mpsc::Sender<Chunk>,
}

impl ChunkWriter {
    fn send(&mut self, chunk: Chunk) -> std::io::Result<()> {
        self.sender
            .blocking_send(chunk)
            .map_err(|_| Error::other("the upload is gone"))
    }

    fn send_buffer(&mut self) -> std::io::Result<()> {
        let bytes = Bytes::from(std::mem::replace(
            &mut self.buffer,
            Vec::with_capacity(CHUNK_BYTES),
        ));
        if bytes.is_empty() {
            Ok(())
        } else {
            self.send(Chunk::Data(bytes))
        }
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= CHUNK_BYTES {
            self.send_buffer()?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A file being written. Blocking: for a thread of its own.
pub struct ParquetFile {
    writer: ArrowWriter<ChunkWriter>,
    rows: u64,
}

impl ParquetFile {
    /// Opens a file; its content comes out of the other end.
    ///
    /// # Errors
    /// When the schema has no form in Parquet.
    pub fn open(schema: SchemaRef) -> Result<(Self, FileContent), Error> {
        let (sender, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // COPY INTO reads whole files: statistics would only cost.
            .set_statistics_enabled(EnabledStatistics::None)
            .build();
        let sink = ChunkWriter {
            buffer: Vec::with_capacity(CHUNK_BYTES),
            sender,
        };
        let writer = ArrowWriter::try_new(sink, schema, Some(properties)).map_err(Error::other)?;
        Ok((Self { writer, rows: 0 }, FileContent(receiver)))
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// When it cannot be encoded, or the upload is gone.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.writer.write(batch).map_err(Error::other)?;
        if self.writer.in_progress_size() >= ROW_GROUP_BYTES {
            self.writer.flush().map_err(Error::other)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Whether the file has its size.
    pub fn is_full(&self) -> bool {
        self.writer.bytes_written() + self.writer.in_progress_size() >= FILE_BYTES
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Writes the footer and says that the file is whole; answers its rows.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(self) -> Result<u64, Error> {
        let mut sink = self.writer.into_inner().map_err(Error::other)?;
        sink.send_buffer()?;
        sink.send(Chunk::End)?;
        Ok(self.rows)
    }
}
