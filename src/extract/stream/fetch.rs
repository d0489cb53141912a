//! From the driver's buffers to Arrow: typed, exact, a batch at a time.

use super::bits::{decode_hex, float_bits, made_texts};
use super::{native, texts, times};
use crate::source::{SourceError, SourceErrorKind};
use crate::types::wider::Wider;
use crate::types::{ColumnPlan, Fetch, array_value};
use arrow::array::{ArrayRef, BooleanBuilder, Int32Builder, Int64Builder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use odbc_api::Bit;
use odbc_api::buffers::{AnyColumnBufferSlice, BufferDesc, ColumnarDynBuffer};
use std::sync::Arc;

/// Text of a double.
const FLOAT_TEXT: usize = 32;
/// Bits of a double in hexadecimal.
const FLOAT_BITS: usize = 16;
/// The Arrow schema of the columns.
pub(super) fn schema(columns: &[ColumnPlan]) -> SchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|c| Field::new(&c.file_name, c.data_type.clone(), true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// How each column is bound: `longest` gives the measured bytes of columns whose type does not bound them.
fn descriptions(columns: &[ColumnPlan], longest: &[Option<usize>]) -> Vec<BufferDesc> {
    columns
        .iter()
        .zip(longest)
        .map(|(column, longest)| match column.fetch {
            Fetch::Integer | Fetch::EpochDays | Fetch::MicrosOfDay | Fetch::EpochMicros => {
                BufferDesc::I64 { nullable: true }
            }
            Fetch::Bit => BufferDesc::Bit { nullable: true },
            Fetch::FloatText { .. } => BufferDesc::Text {
                max_str_len: FLOAT_TEXT,
            },
            Fetch::FloatBits { .. } => BufferDesc::Text {
                max_str_len: FLOAT_BITS,
            },
            Fetch::ArrayBits { .. } | Fetch::LargeObject => BufferDesc::Text {
                max_str_len: longest.unwrap_or(1).max(1),
            },
            Fetch::TaggedText => text_buffer(column, longest.unwrap_or(1)),
            Fetch::Text { max_bytes }
            | Fetch::ParsedText { max_bytes }
            | Fetch::JsonText { max_bytes, .. }
            | Fetch::EwkbText { max_bytes }
            | Fetch::HexText { max_bytes }
            | Fetch::DecimalText { max_bytes } => {
                text_buffer(column, longest.or(max_bytes).unwrap_or(1))
            }
            Fetch::Double { .. } => BufferDesc::F64 { nullable: true },
            Fetch::DateParts => BufferDesc::Date { nullable: true },
            Fetch::TimestampParts { .. } => BufferDesc::Timestamp { nullable: true },
            Fetch::NumericBytes => BufferDesc::Binary { max_bytes: 19 },
            Fetch::MoneyBytes { num_bytes } => BufferDesc::Binary {
                max_bytes: num_bytes,
            },
            Fetch::TimeBytes { .. } => BufferDesc::Binary { max_bytes: 12 },
            Fetch::OffsetBytes { .. } => BufferDesc::Binary { max_bytes: 20 },
            Fetch::GuidBytes => BufferDesc::Binary { max_bytes: 16 },
            Fetch::Bytes { max_bytes } => BufferDesc::Binary {
                max_bytes: longest.or(max_bytes).unwrap_or(1).max(1),
            },
        })
        .collect()
}

fn text_buffer(column: &ColumnPlan, max_bytes: usize) -> BufferDesc {
    let max_bytes = max_bytes.max(1);
    if column.is_wide {
        BufferDesc::WText {
            max_str_len: max_bytes.div_ceil(2),
        }
    } else {
        BufferDesc::Text {
            max_str_len: max_bytes,
        }
    }
}

/// As many rows as a sixteenth of the task's memory holds, at least one. So much is held by the driver, by each of two
/// buffers, and by each of up to four batches on their way; the row group and the upload need the rest.
pub(super) fn most_rows(
    columns: &[ColumnPlan],
    longest: &[Option<usize>],
    memory_bytes: usize,
) -> usize {
    let row_bytes: usize = descriptions(columns, longest)
        .iter()
        .map(BufferDesc::bytes_per_row)
        .sum();
    (memory_bytes / 16 / row_bytes.max(1)).max(1)
}

/// A buffer for so many rows.
pub(super) fn buffer(
    columns: &[ColumnPlan],
    longest: &[Option<usize>],
    rows: usize,
) -> Result<ColumnarDynBuffer, SourceError> {
    ColumnarDynBuffer::try_from_descs(rows, descriptions(columns, longest)).map_err(|error| {
        SourceError::new(
            SourceErrorKind::Value,
            format!("no buffer for a batch: {error}"),
        )
    })
}

/// Turns the buffers' content into arrays, one for each of its columns.
pub(super) fn arrays(
    columns: &[ColumnPlan],
    buffer: &ColumnarDynBuffer,
) -> Result<Vec<ArrayRef>, SourceError> {
    let each = columns.iter().enumerate();
    each.map(|(index, column)| array(column, buffer.column(index), buffer.num_rows()))
        .collect()
}

/// The error of a value that no other type of the target column would hold either, but text; `why` ends the sentence that
/// begins with "the value …".
pub(super) fn unfit_value(column: &ColumnPlan, value: &str, why: &str) -> SourceError {
    unfit(column, value, why, "VARCHAR")
}

/// The same of a value that the target column would hold if it were of type `wider`.
pub(super) fn too_wide(
    column: &ColumnPlan,
    value: &str,
    why: &str,
    wider: Option<&Wider>,
) -> SourceError {
    match wider {
        Some(wider) => unfit(column, value, why, &wider.to_string()),
        None => unfit_value(column, value, why),
    }
}

fn unfit(column: &ColumnPlan, value: &str, why: &str, better: &str) -> SourceError {
    let shown: String = value.chars().take(80).collect();
    SourceError::new(
        SourceErrorKind::Value,
        format!(
            "column {}: the value {shown} {why}; make the target column {better} (by columnTypeMappings where the target is to be created), or leave the row out with whereClauseCriteria",
            column.source_name
        ),
    )
}

/// The error of a plan that contradicts itself.
pub(super) fn internal(column: &ColumnPlan) -> SourceError {
    SourceError::new(
        SourceErrorKind::Other,
        format!(
            "column {}: its buffer has another type than planned",
            column.source_name
        ),
    )
}

fn array(
    column: &ColumnPlan,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    match &column.fetch {
        Fetch::Integer | Fetch::EpochDays | Fetch::MicrosOfDay | Fetch::EpochMicros => {
            integers(column, slice, rows)
        }
        Fetch::Bit => {
            let values = slice
                .as_nullable_slice::<Bit>()
                .ok_or_else(|| internal(column))?;
            let mut builder = BooleanBuilder::with_capacity(rows);
            values.for_each(|value| builder.append_option(value.map(|bit| bit.as_bool())));
            Ok(Arc::new(builder.finish()))
        }
        Fetch::ParsedText { .. }
        | Fetch::DecimalText { .. }
        | Fetch::FloatText { .. }
        | Fetch::Text { .. }
        | Fetch::JsonText { .. }
        | Fetch::EwkbText { .. }
        | Fetch::HexText { .. }
        | Fetch::TaggedText
        | Fetch::LargeObject => {
            if column.is_wide {
                let decoded = native::wide_texts(column, slice, rows)?;
                if matches!(column.fetch, Fetch::Text { .. }) {
                    return Ok(Arc::new(decoded));
                }
                let values = decoded.iter().map(|text| text.map(str::as_bytes));
                return texts::array(column, values, rows);
            }
            let values = slice.as_text().ok_or_else(|| internal(column))?;
            texts::array(column, values.iter(), rows)
        }
        Fetch::Double { .. }
        | Fetch::NumericBytes
        | Fetch::MoneyBytes { .. }
        | Fetch::DateParts
        | Fetch::TimestampParts { .. }
        | Fetch::TimeBytes { .. }
        | Fetch::OffsetBytes { .. }
        | Fetch::GuidBytes
        | Fetch::Bytes { .. } => native::array(column, slice, rows),
        Fetch::FloatBits { single } => float_bits(column, *single, slice, rows),
        Fetch::ArrayBits { element, form } => {
            let array = |bytes: &[u8]| {
                let mut decoded = Vec::new();
                decode_hex(bytes, &mut decoded)?;
                array_value::text(&decoded, *element, *form)
            };
            made_texts(column, slice, rows, array, "is not an array of its type")
        }
    }
}

fn integers(
    column: &ColumnPlan,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    let values = slice
        .as_nullable_slice::<i64>()
        .ok_or_else(|| internal(column))?;
    match (&column.fetch, &column.data_type) {
        (Fetch::EpochDays | Fetch::EpochMicros | Fetch::MicrosOfDay, _) => {
            let values = values.map(|value| value.copied());
            if column.fetch == Fetch::EpochMicros && column.data_type == DataType::Date32 {
                let day = |micros| times::day_of_midnight(column, micros);
                return times::array(column, values.map(|v| v.map(day).transpose()), rows);
            }
            times::array(column, values.map(Ok), rows)
        }
        (_, DataType::Int32) => {
            let mut builder = Int32Builder::with_capacity(rows);
            for value in values {
                match value.map(|number| i32::try_from(*number)) {
                    Some(Ok(number)) => builder.append_value(number),
                    Some(Err(_)) => return Err(internal(column)),
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        _ => {
            let mut builder = Int64Builder::with_capacity(rows);
            values.for_each(|value| builder.append_option(value.copied()));
            Ok(Arc::new(builder.finish()))
        }
    }
}
