//! From the driver's buffers to Arrow: typed, exact, a batch at a time.

use super::error::{SourceError, SourceErrorKind};
use crate::types::{ColumnPlan, Fetch};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder,
    Int32Builder, Int64Builder, RecordBatch, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use odbc_api::Bit;
use odbc_api::buffers::{AnyColumnBufferSlice, BufferDesc, ColumnarDynBuffer};
use std::sync::Arc;

/// Rows of a batch at most: as many as the driver fetches at once.
const MAX_BATCH_ROWS: usize = 10_000;
/// Text of a double.
const FLOAT_TEXT: usize = 32;
/// 0001-01-01 and 9999-12-31 as days since 1970: what DATE holds in Snowflake without surprises.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Why a date or timestamp is refused.
pub(super) const OUTSIDE_YEARS: &str = "lies outside the years 1 to 9999";

/// The Arrow schema of the columns.
pub(super) fn schema(columns: &[ColumnPlan]) -> SchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|c| Field::new(&c.file_name, c.data_type.clone(), true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// The buffers of a batch: `longest` gives the measured bytes of columns whose type does not bound them.
pub(super) fn buffer(
    columns: &[ColumnPlan],
    longest: &[Option<usize>],
    memory_bytes: usize,
) -> Result<ColumnarDynBuffer, SourceError> {
    let descriptions: Vec<BufferDesc> = columns
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
            Fetch::Text { max_bytes }
            | Fetch::HexText { max_bytes }
            | Fetch::DecimalText { max_bytes } => BufferDesc::Text {
                max_str_len: longest.or(max_bytes).unwrap_or(1).max(1),
            },
        })
        .collect();
    let row_bytes: usize = descriptions.iter().map(BufferDesc::bytes_per_row).sum();
    // An eighth of the task's memory for each of the two buffers: Arrow's copies, the row group and the parts on their
    // way need the rest.
    let rows = (memory_bytes / 8 / row_bytes.max(1)).clamp(1, MAX_BATCH_ROWS);
    ColumnarDynBuffer::try_from_descs(rows, descriptions).map_err(|error| {
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

/// The error of a value without a faithful form; `why` ends the sentence that begins with "the value …".
pub(super) fn unfit_value(column: &ColumnPlan, value: &str, why: &str) -> SourceError {
    let shown: String = value.chars().take(80).collect();
    SourceError::new(
        SourceErrorKind::Value,
        format!(
            "column {}: the value {shown} {why}; make the target column VARCHAR (by columnTypeMappings where the target is to be created), or leave the row out with whereClauseCriteria",
            column.source_name
        ),
    )
}

fn too_fine(column: &ColumnPlan, value: &str) -> SourceError {
    let digits = column.fraction_digits;
    unfit_value(
        column,
        value,
        &format!("has more than the {digits} digits of a second that the target column keeps"),
    )
}

fn date_text(days: i64) -> String {
    chrono::DateTime::from_timestamp(days.saturating_mul(86_400), 0).map_or_else(
        || format!("of {days} days since 1970"),
        |at| at.format("%Y-%m-%d").to_string(),
    )
}

fn timestamp_text(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros).map_or_else(
        || format!("of {micros} µs since 1970"),
        |at| at.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
    )
}

fn time_text(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    format!(
        "{:02}:{:02}:{:02}.{fraction:06}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn internal(column: &ColumnPlan) -> SourceError {
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
        Fetch::DecimalText { .. }
        | Fetch::FloatText { .. }
        | Fetch::Text { .. }
        | Fetch::HexText { .. } => texts(column, slice, rows),
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
    let step = 10i64.pow(u32::from(6 - column.fraction_digits.min(6)));
    match (&column.fetch, &column.data_type) {
        (Fetch::EpochDays, _) => {
            let mut builder = Date32Builder::with_capacity(rows);
            for value in values {
                match value {
                    Some(days) if DAYS.contains(days) => {
                        builder.append_value(i32::try_from(*days).unwrap_or_default())
                    }
                    Some(days) => {
                        return Err(unfit_value(column, &date_text(*days), OUTSIDE_YEARS));
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        (Fetch::EpochMicros, _) => {
            let mut builder = TimestampMicrosecondBuilder::with_capacity(rows)
                .with_data_type(column.data_type.clone());
            for value in values {
                match value {
                    Some(micros) if micros % step != 0 => {
                        return Err(too_fine(column, &timestamp_text(*micros)));
                    }
                    Some(micros) if DAYS.contains(&micros.div_euclid(MICROS_PER_DAY)) => {
                        builder.append_value(*micros)
                    }
                    Some(micros) => {
                        return Err(unfit_value(column, &timestamp_text(*micros), OUTSIDE_YEARS));
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        (Fetch::MicrosOfDay, _) => {
            let mut builder = Time64MicrosecondBuilder::with_capacity(rows);
            for value in values {
                match value {
                    Some(micros) if micros % step != 0 => {
                        return Err(too_fine(column, &time_text(*micros)));
                    }
                    Some(micros) if (0..MICROS_PER_DAY).contains(micros) => {
                        builder.append_value(*micros)
                    }
                    Some(micros) => {
                        return Err(unfit_value(
                            column,
                            &time_text(*micros),
                            "is no time of a day in Snowflake",
                        ));
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
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
    let utf8 = |bytes: &[u8]| {
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| {
            unfit_value(
                column,
                &String::from_utf8_lossy(bytes),
                "is not valid UTF-8",
            )
        })
    };
    match (&column.fetch, &column.data_type) {
        (Fetch::DecimalText { .. }, DataType::Decimal128(precision, scale)) => {
            let mut builder =
                Decimal128Builder::with_capacity(rows).with_data_type(column.data_type.clone());
            for value in values.iter() {
                match value {
                    Some(bytes) => {
                        match parse_decimal(bytes, *precision, u8::try_from(*scale).unwrap_or(0)) {
                            Some(number) => builder.append_value(number),
                            None => {
                                return Err(unfit_value(
                                    column,
                                    &utf8(bytes)?,
                                    &format!(
                                        "is no decimal of {precision} digits, {scale} of them after the point"
                                    ),
                                ));
                            }
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
                        let text = utf8(bytes)?;
                        // Single precision is read as such and widened: the double that has exactly its value.
                        let parsed = if *single {
                            text.parse::<f32>().ok().map(f64::from)
                        } else {
                            text.parse::<f64>().ok()
                        };
                        builder.append_value(parsed.ok_or_else(|| {
                            unfit_value(column, &text, "is no floating-point number")
                        })?);
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        (Fetch::HexText { .. }, _) => {
            let mut builder = BinaryBuilder::with_capacity(rows, rows * 16);
            let mut decoded = Vec::new();
            for value in values.iter() {
                match value {
                    Some(bytes) => {
                        decode_hex(bytes, &mut decoded).ok_or_else(|| {
                            unfit_value(
                                column,
                                &String::from_utf8_lossy(bytes),
                                "is no hexadecimal text",
                            )
                        })?;
                        builder.append_value(&decoded);
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        _ => {
            let mut builder = StringBuilder::with_capacity(rows, rows * 16);
            for value in values.iter() {
                match value {
                    Some(bytes) => {
                        builder.append_value(std::str::from_utf8(bytes).map_err(|_| {
                            unfit_value(
                                column,
                                &String::from_utf8_lossy(bytes),
                                "is not valid UTF-8",
                            )
                        })?)
                    }
                    None => builder.append_null(),
                }
            }
            Ok(Arc::new(builder.finish()))
        }
    }
}

/// Plain decimal text to the unscaled number; `None` when it is no number, or does not fit exactly.
fn parse_decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (mut value, mut after_point, mut seen, mut point) = (0i128, 0u8, false, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' if point && after_point == scale => {
                if *byte != b'0' {
                    return None;
                }
            }
            b'0'..=b'9' => {
                value = value
                    .checked_mul(10)?
                    .checked_add(i128::from(byte - b'0'))?;
                after_point += u8::from(point);
                seen = true;
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    value = value.checked_mul(10i128.checked_pow(u32::from(scale - after_point))?)?;
    let fits = value < 10i128.checked_pow(u32::from(precision))?;
    (seen && fits).then_some(if negative { -value } else { value })
}

fn decode_hex(text: &[u8], into: &mut Vec<u8>) -> Option<()> {
    let nibble = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    into.clear();
    if !text.len().is_multiple_of(2) {
        return None;
    }
    for pair in text.chunks_exact(2) {
        into.push(nibble(pair[0])? << 4 | nibble(pair[1])?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(parse_decimal(b"-12.50", 10, 2), Some(-1250));
        assert_eq!(parse_decimal(b"12.5", 10, 2), Some(1250));
        assert_eq!(parse_decimal(b"12.500", 10, 2), Some(1250));
        assert_eq!(parse_decimal(b"12.501", 10, 2), None);
        assert_eq!(parse_decimal(b"1000", 3, 0), None);
        assert_eq!(parse_decimal(b"NaN", 10, 2), None);
        assert_eq!(parse_decimal(b"", 10, 2), None);
        assert_eq!(parse_decimal(&[b'9'; 38], 38, 0), Some(10i128.pow(38) - 1));
        assert_eq!(
            parse_decimal(b"-9.9999999999999999999999999999999999999", 38, 37),
            Some(-(10i128.pow(38) - 1))
        );
    }

    proptest! {
        #[test]
        fn a_decimal_reads_back(unscaled in -(10i128.pow(38) - 1)..10i128.pow(38), scale in 0u8..=37) {
            let digits = format!("{:0>1$}", unscaled.unsigned_abs(), usize::from(scale) + 1);
            let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
            let text = format!("{}{whole}.{fraction}", if unscaled < 0 { "-" } else { "" });
            prop_assert_eq!(parse_decimal(text.as_bytes(), 38, scale), Some(unscaled), "{}", text);
        }

        #[test]
        fn hex_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            let mut decoded = Vec::new();
            prop_assert_eq!(decode_hex(text.as_bytes(), &mut decoded), Some(()));
            prop_assert_eq!(decoded, bytes);
        }
    }
}
