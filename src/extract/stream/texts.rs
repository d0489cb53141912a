//! Text of the source in Arrow: as it is, or read as what the file holds.

use super::bits::{decode_hex, no_bytes};
use super::decimals::parse_decimal;
use super::fetch::{internal, too_wide, unfit_value};
use super::times;
use crate::source::SourceError;
use crate::types::wider::wider_for_value;
use crate::types::{ColumnPlan, Fetch, json, tagged_text, text_value};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, Float64Builder, StringBuilder,
};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// An array of a column that is bound as text, from its text in UTF-8.
pub(super) fn array<'a>(
    column: &ColumnPlan,
    values: impl Iterator<Item = Option<&'a [u8]>>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    if matches!(column.fetch, Fetch::ParsedText { .. }) {
        return parsed_texts(column, values, rows);
    }
    match (&column.fetch, &column.data_type) {
        (Fetch::DecimalText { .. }, DataType::Decimal128(precision, scale)) => {
            let mut builder =
                Decimal128Builder::with_capacity(rows).with_data_type(column.data_type.clone());
            for value in values {
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
            for value in values {
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
        (Fetch::TaggedText, _) => {
            let mut builder = StringBuilder::with_capacity(rows, rows * 16);
            for value in values {
                let text = value.map(|bytes| text_of(column, bytes)).transpose()?;
                let untagged = |text| {
                    let why = "came in a form that was not asked for";
                    tagged_text::text(text).ok_or_else(|| unfit_value(column, text, why))
                };
                builder.append_option(text.map(untagged).transpose()?);
            }
            Ok(Arc::new(builder.finish()))
        }
        (Fetch::HexText { .. } | Fetch::LargeObject, _) => {
            let mut builder = BinaryBuilder::with_capacity(rows, rows * 16);
            let mut decoded = Vec::new();
            for value in values {
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
            for value in values {
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
fn parsed_texts<'a>(
    column: &ColumnPlan,
    values: impl Iterator<Item = Option<&'a [u8]>>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    let texts = values.map(|value| value.map(|bytes| text_of(column, bytes)).transpose());
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
pub(super) fn no_decimal(column: &ColumnPlan, text: &str, size: (u8, u8)) -> SourceError {
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
