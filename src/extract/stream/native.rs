//! Values that the driver copies out as it has them, in Arrow.

use super::fetch::{internal, too_wide, unfit_value};
use super::texts::no_decimal;
use super::times;
use crate::source::{SourceError, SourceErrorKind};
use crate::types::odbc_value::{self, Moment};
use crate::types::{ColumnPlan, Fetch, float_text};
use arrow::array::{
    ArrayRef, BinaryBuilder, Decimal128Builder, Float64Builder, StringArray, StringBuilder,
};
use arrow::datatypes::DataType;
use odbc_api::buffers::AnyColumnBufferSlice;
use odbc_api::sys::{Date, Timestamp};
use std::fmt::Write;
use std::sync::Arc;

/// An array of a column whose form is one of the driver's own.
pub(super) fn array(
    column: &ColumnPlan,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    match &column.fetch {
        Fetch::Double { single } => doubles(column, *single, slice, rows),
        Fetch::DateParts => {
            let values = slice
                .as_nullable_slice::<Date>()
                .ok_or_else(|| internal(column))?;
            let days = values.map(|value| {
                let read = |d: &Date| odbc_value::days(d.year, d.month, d.day);
                value
                    .map(|date| read(date).ok_or_else(|| unread(column, &format!("{date:?}"))))
                    .transpose()
            });
            if column.data_type == DataType::Utf8 {
                return written(days, rows, |days| {
                    odbc_value::date_text(days).ok_or_else(|| internal(column))
                });
            }
            times::array(column, days, rows)
        }
        Fetch::TimestampParts { digits } => {
            let values = slice
                .as_nullable_slice::<Timestamp>()
                .ok_or_else(|| internal(column))?;
            let moments = values.map(|value| {
                value
                    .map(|at| moment(at).ok_or_else(|| unread(column, &format!("{at:?}"))))
                    .transpose()
            });
            moments_array(column, moments, *digits, rows)
        }
        Fetch::OffsetBytes { digits, in_utc } => {
            let read = decoded(column, slice, odbc_value::timestamp_with_offset)?;
            if *in_utc {
                let utc = read.map(|v| Ok(v?.map(|(at, minutes)| at.minus_minutes(minutes))));
                return moments_array(column, utc, *digits, rows);
            }
            written(read, rows, |(at, minutes)| {
                Ok(format!(
                    "{} {}",
                    moment_text(column, at, *digits)?,
                    odbc_value::offset_text(minutes)
                ))
            })
        }
        Fetch::TimeBytes { digits } => {
            let ticks = decoded(column, slice, odbc_value::time)?;
            if column.data_type == DataType::Utf8 {
                return written(ticks, rows, |ticks| {
                    check_digits(column, ticks, || odbc_value::time_text(ticks, 7))?;
                    odbc_value::time_text(ticks, *digits).ok_or_else(|| internal(column))
                });
            }
            let micros = ticks.map(|ticks| {
                ticks?
                    .map(|ticks| {
                        check_digits(column, ticks, || odbc_value::time_text(ticks, 7))?;
                        Ok(ticks / 10)
                    })
                    .transpose()
            });
            times::array(column, micros, rows)
        }
        Fetch::NumericBytes => {
            let values = decoded(column, slice, odbc_value::numeric)?;
            decimals(column, values, rows)
        }
        Fetch::MoneyBytes { .. } => {
            let amount = |bytes: &[u8]| odbc_value::money(bytes).map(|number| (number, 4));
            decimals(column, decoded(column, slice, amount)?, rows)
        }
        Fetch::GuidBytes => written(decoded(column, slice, odbc_value::guid)?, rows, Ok),
        Fetch::Bytes { .. } => bytes(column, slice, rows),
        _ => Err(internal(column)),
    }
}

/// Text in UTF-16 as UTF-8.
pub(super) fn wide_texts(
    column: &ColumnPlan,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
) -> Result<StringArray, SourceError> {
    let values = slice.as_wide_text().ok_or_else(|| internal(column))?;
    utf8(
        column,
        (0..values.len()).map(|index| values.get(index)),
        rows,
    )
}

/// The same of values that stand anywhere.
pub(super) fn utf8<U: AsRef<[u16]>>(
    column: &ColumnPlan,
    values: impl Iterator<Item = Option<U>>,
    rows: usize,
) -> Result<StringArray, SourceError> {
    let mut builder = StringBuilder::with_capacity(rows, rows * 16);
    let mut text = Vec::new();
    for value in values {
        let Some(units) = value.as_ref().map(AsRef::as_ref) else {
            builder.append_null();
            continue;
        };
        text.clear();
        let is_text = odbc_value::push_utf16(units, &mut text).is_some();
        match std::str::from_utf8(&text) {
            Ok(text) if is_text => builder.append_value(text),
            _ => return Err(half_a_pair(column, units)),
        }
    }
    Ok(builder.finish())
}

fn half_a_pair(column: &ColumnPlan, units: &[u16]) -> SourceError {
    let shown: String = String::from_utf16_lossy(units).chars().take(80).collect();
    SourceError::new(
        SourceErrorKind::Encoding,
        format!(
            "column {}: the value {shown} has half of a surrogate pair, which is no character and has no form in UTF-8; correct the value, or leave the row out with whereClauseCriteria",
            column.source_name
        ),
    )
}

fn moment(at: &Timestamp) -> Option<Moment> {
    Some(Moment {
        days: odbc_value::days(at.year, at.month, at.day)?,
        ticks: odbc_value::ticks(at.hour, at.minute, at.second, at.fraction)?,
    })
}

/// An error where the target keeps fewer digits.
fn check_digits(
    column: &ColumnPlan,
    ticks: i64,
    shown: impl Fn() -> Option<String>,
) -> Result<(), SourceError> {
    if odbc_value::fits(ticks, column.fraction_digits) {
        return Ok(());
    }
    Err(times::too_fine(column, &shown().unwrap_or_default()))
}

fn moment_text(column: &ColumnPlan, at: Moment, digits: u8) -> Result<String, SourceError> {
    check_digits(column, at.ticks, || at.text(7))?;
    at.text(digits).ok_or_else(|| outside(column, at))
}

fn outside(column: &ColumnPlan, at: Moment) -> SourceError {
    let value = format!("of {} days since 1970", at.days);
    unfit_value(column, &value, times::OUTSIDE_YEARS)
}

fn moments_array(
    column: &ColumnPlan,
    moments: impl Iterator<Item = Result<Option<Moment>, SourceError>>,
    digits: u8,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    if column.data_type == DataType::Utf8 {
        return written(moments, rows, |at| moment_text(column, at, digits));
    }
    let numbers = moments.map(|at| {
        at?.map(|at| {
            if column.data_type == DataType::Date32 {
                // Whatever is not midnight has no place there, not even a microsecond.
                return times::day_of_midnight(column, at.micros().unwrap_or(1));
            }
            check_digits(column, at.ticks, || at.text(7))?;
            at.micros().ok_or_else(|| internal(column))
        })
        .transpose()
    });
    times::array(column, numbers, rows)
}

fn doubles(
    column: &ColumnPlan,
    single: bool,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    let values = slice
        .as_nullable_slice::<f64>()
        .ok_or_else(|| internal(column))?;
    if column.data_type == DataType::Utf8 {
        return written(values.map(|v| Ok(v.copied())), rows, |value| {
            #[expect(clippy::cast_possible_truncation)]
            // The driver has widened a single, so that this gives it back.
            Ok(if single {
                float_text::single(value as f32)
            } else {
                float_text::double(value)
            })
        });
    }
    let mut builder = Float64Builder::with_capacity(rows);
    values.for_each(|value| builder.append_option(value.copied()));
    Ok(Arc::new(builder.finish()))
}

fn decimals(
    column: &ColumnPlan,
    values: impl Iterator<Item = Result<Option<(i128, u8)>, SourceError>>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    let DataType::Decimal128(precision, scale) = column.data_type else {
        return written(values, rows, |(number, scale)| {
            Ok(odbc_value::decimal_text(number, scale))
        });
    };
    let to = u8::try_from(scale).unwrap_or(0);
    let mut builder =
        Decimal128Builder::with_capacity(rows).with_data_type(column.data_type.clone());
    for value in values {
        let Some((number, from)) = value? else {
            builder.append_null();
            continue;
        };
        let fits = odbc_value::rescaled(number, from, to, precision);
        builder.append_value(fits.ok_or_else(|| {
            no_decimal(
                column,
                &odbc_value::decimal_text(number, from),
                (precision, to),
            )
        })?);
    }
    Ok(Arc::new(builder.finish()))
}

fn bytes(
    column: &ColumnPlan,
    slice: AnyColumnBufferSlice<'_>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    let values = slice.as_binary().ok_or_else(|| internal(column))?;
    bytes_array(column, values.iter(), rows)
}

/// Bytes, or their hexadecimal text.
pub(super) fn bytes_array<'a>(
    column: &ColumnPlan,
    values: impl Iterator<Item = Option<&'a [u8]>>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    if column.data_type == DataType::Utf8 {
        return written(values.map(Ok), rows, |bytes| Ok(hex(bytes)));
    }
    let mut builder = BinaryBuilder::with_capacity(rows, rows * 16);
    values.for_each(|value| builder.append_option(value));
    Ok(Arc::new(builder.finish()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The values of a column that is bound as bytes.
fn decoded<'a, T>(
    column: &'a ColumnPlan,
    slice: AnyColumnBufferSlice<'a>,
    read: impl Fn(&[u8]) -> Option<T> + 'a,
) -> Result<impl Iterator<Item = Result<Option<T>, SourceError>> + 'a, SourceError> {
    let values = slice.as_binary().ok_or_else(|| internal(column))?;
    Ok((0..values.len()).map(move |index| {
        let value = values.get(index);
        value
            .map(|bytes| read(bytes).ok_or_else(|| unread(column, &hex(bytes))))
            .transpose()
    }))
}

/// Text that is made of values.
fn written<T>(
    values: impl Iterator<Item = Result<Option<T>, SourceError>>,
    rows: usize,
    write: impl Fn(T) -> Result<String, SourceError>,
) -> Result<ArrayRef, SourceError> {
    let mut builder = StringBuilder::with_capacity(rows, rows * 32);
    for value in values {
        builder.append_option(value?.map(&write).transpose()?);
    }
    Ok(Arc::new(builder.finish()))
}

/// The error of what the driver should not have handed over.
fn unread(column: &ColumnPlan, value: &str) -> SourceError {
    too_wide(
        column,
        value,
        "came from the ODBC driver in a form that its documentation does not have",
        None,
    )
}
