//! From the driver's buffers to Arrow: typed, exact, a batch at a time.

use super::bits::{decode_hex, float_bits, made_texts, no_bytes};
use super::decimals::parse_decimal;
use super::times;
use crate::source::{SourceError, SourceErrorKind};
use crate::types::wider::{Wider, wider_for_value};
use crate::types::{ColumnPlan, Fetch, array_value, json, text_value};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, Float64Builder, Int32Builder,
    Int64Builder, RecordBatch, StringBuilder,
};
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
            Fetch::Text { max_bytes }
            | Fetch::ParsedText { max_bytes }
            | Fetch::JsonText { max_bytes, .. }
            | Fetch::EwkbText { max_bytes }
            | Fetch::HexText { max_bytes }
            | Fetch::DecimalText { max_bytes } => BufferDesc::Text {
                max_str_len: longest.or(max_bytes).unwrap_or(1).max(1),
            },
        })
        .collect()
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

/// Turns the buffers' content into a batch.
pub(super) fn record_batch(
    columns: &[ColumnPlan],
    schema: &SchemaRef,
    buffer: &ColumnarDynBuffer,
) -> Result<RecordBatch, SourceError> {
    let arrays = columns
        .iter()
        .enumerate()
        .map(|(index, column)| array(column, buffer.column(index), buffer.num_rows()))
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), arrays)
        .map_err(|error| SourceError::new(SourceErrorKind::Value, error.to_string()))
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
        Fetch::ParsedText { .. } => parsed_texts(column, slice, rows),
        Fetch::DecimalText { .. }
        | Fetch::FloatText { .. }
        | Fetch::Text { .. }
        | Fetch::JsonText { .. }
        | Fetch::EwkbText { .. }
        | Fetch::HexText { .. }
        | Fetch::LargeObject => texts(column, slice, rows),
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

fn texts(
    column: &ColumnPlan,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    let values = slice.as_text().ok_or_else(|| internal(column))?;
    match (&column.fetch, &column.data_type) {
        (Fetch::DecimalText { .. }, DataType::Decimal128(precision, scale)) => {
            let mut builder =
                Decimal128Builder::with_capacity(rows).with_data_type(column.data_type.clone());
            for value in values.iter() {
                match value {
                    Some(bytes) => {
                        let size = (*precision, u8::try_from(*scale).unwrap_or(0));
                        match parse_decimal(bytes, size.0, size.1) {
                            Some(number) => builder.append_value(number),
                            None => return Err(no_decimal(column, text_of(column, bytes)?, size)),
                        }
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        (Fetch::FloatText { single }, _) => {
            let mut builder = Float64Builder::with_capacity(rows);
            for value in values.iter() {
                match value {
                    Some(bytes) => {
                        let text = text_of(column, bytes)?;
                        // Single precision is read as such and widened: the double that has exactly its value.
                        let parsed = if *single {
                            text.parse::<f32>().ok().map(f64::from)
                        } else {
                            text.parse::<f64>().ok()
                        };
                        builder.append_value(parsed.ok_or_else(|| {
                            unfit_value(column, text, "is no floating-point number")
                        })?);
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        (Fetch::HexText { .. } | Fetch::LargeObject, _) => {
            let mut builder = BinaryBuilder::with_capacity(rows, rows * 16);
            let mut decoded = Vec::new();
            for value in values.iter() {
                match value {
                    Some(bytes) => {
                        decode_hex(bytes, &mut decoded)
                            .ok_or_else(|| no_bytes(column, &String::from_utf8_lossy(bytes)))?;
                        builder.append_value(&decoded);
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        _ => {
            let root = match column.fetch {
                Fetch::JsonText { root, .. } => Some(root),
                _ => None,
            };
            let mut builder = StringBuilder::with_capacity(rows, rows * 16);
            for value in values.iter() {
                let text = value.map(|bytes| text_of(column, bytes)).transpose()?;
                if let (Some(text), Some(root)) = (text, root) {
                    json::check(text, root).map_err(|why| unfit_value(column, text, &why))?;
                }
                builder.append_option(text);
            }
            Ok(Arc::new(builder.finish()))
        }
    }
}

/// Text that is read as the file's type.
fn parsed_texts(
    column: &ColumnPlan,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    let values = slice.as_text().ok_or_else(|| internal(column))?;
    let texts = values
        .iter()
        .map(|value| value.map(|bytes| text_of(column, bytes)).transpose());
    match &column.data_type {
        DataType::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(rows);
            for text in texts {
                let read = |text| parsed(column, text, text_value::boolean, "is not a boolean");
                builder.append_option(text?.map(read).transpose()?);
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::Float64 => {
            let mut builder = Float64Builder::with_capacity(rows);
            for text in texts {
                let why = "is out of range for a double";
                let read = |text| parsed(column, text, text_value::double, why);
                builder.append_option(text?.map(read).transpose()?);
            }
            Ok(Arc::new(builder.finish()))
        }
        kind => {
            let (parse, why): (fn(&str) -> Option<i64>, _) = match kind {
                DataType::Date32 => (text_value::date, "is not a date like 2024-12-31"),
                DataType::Time64(_) => (text_value::time, "is not a time like 23:59:59.999999"),
                DataType::Timestamp(_, None) => (
                    text_value::timestamp,
                    "is not a timestamp like 2024-12-31 23:59:59.999999",
                ),
                DataType::Timestamp(_, Some(_)) => (
                    text_value::timestamp_with_offset,
                    "is not a timestamp with offset like 2024-12-31 23:59:59.999999+00",
                ),
                _ => return Err(internal(column)),
            };
            let read = |text| parsed(column, text, parse, why);
            let values = texts.map(|text| text?.map(read).transpose());
            times::array(column, values, rows)
        }
    }
}

fn parsed<T>(
    column: &ColumnPlan,
    text: &str,
    parse: impl Fn(&str) -> Option<T>,
    why: &str,
) -> Result<T, SourceError> {
    parse(text).ok_or_else(|| unfit_value(column, text, why))
}

/// What the source declares tells the type that would do; where it does not, the value does.
fn no_decimal(column: &ColumnPlan, text: &str, size: (u8, u8)) -> SourceError {
    let (precision, scale) = size;
    let why = format!("is not a decimal of {precision} digits, {scale} of them after the point");
    let by_value = wider_for_value(text, size);
    // No decimal at all fits no NUMBER, whatever is declared.
    let wider = by_value
        .as_ref()
        .map(|by_value| column.wider.as_ref().unwrap_or(by_value));
    too_wide(column, text, &why, wider)
}

pub(super) fn text_of<'a>(column: &ColumnPlan, bytes: &'a [u8]) -> Result<&'a str, SourceError> {
    std::str::from_utf8(bytes).map_err(|_| {
        unfit_value(
            column,
            &String::from_utf8_lossy(bytes),
            "is not valid UTF-8",
        )
    })
}
