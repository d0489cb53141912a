//! Dates, timestamps and times in Arrow: those that the target keeps, and the errors of the others.

use super::fetch::{internal, too_wide, unfit_value};
use crate::source::SourceError;
use crate::types::ColumnPlan;
use crate::types::wider::Wider;
use arrow::array::{
    ArrayRef, Date32Builder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// 0001-01-01 and 9999-12-31 as days since 1970: what DATE holds in Snowflake without surprises.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Why a date or timestamp is refused.
pub(super) const OUTSIDE_YEARS: &str = "lies outside the years 1 to 9999";

/// An array of the column's type from days or microseconds since 1970, or microseconds since midnight.
pub(super) fn array(
    column: &ColumnPlan,
    values: impl Iterator<Item = Result<Option<i64>, SourceError>>,
    rows: usize,
) -> Result<ArrayRef, SourceError> {
    match column.data_type {
        DataType::Date32 => {
            let mut builder = Date32Builder::with_capacity(rows);
            for value in values {
                builder.append_option(value?.map(|days| date(column, days)).transpose()?);
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::Timestamp(..) => {
            let mut builder = TimestampMicrosecondBuilder::with_capacity(rows)
                .with_data_type(column.data_type.clone());
            for value in values {
                builder.append_option(value?.map(|micros| timestamp(column, micros)).transpose()?);
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::Time64(_) => {
            let mut builder = Time64MicrosecondBuilder::with_capacity(rows);
            for value in values {
                builder.append_option(value?.map(|micros| time(column, micros)).transpose()?);
            }
            Ok(Arc::new(builder.finish()))
        }
        _ => Err(internal(column)),
    }
}

/// The day of a timestamp that is to become a date.
pub(super) fn day_of_midnight(column: &ColumnPlan, micros: i64) -> Result<i64, SourceError> {
    if micros.rem_euclid(MICROS_PER_DAY) == 0 {
        return Ok(micros.div_euclid(MICROS_PER_DAY));
    }
    let why = "is not midnight, and the target column keeps no time of day";
    let timestamp = Wider {
        target_type: "TIMESTAMP_NTZ(6)".to_owned(),
        in_place: false,
    };
    Err(too_wide(
        column,
        &timestamp_text(micros),
        why,
        Some(&timestamp),
    ))
}

fn date(column: &ColumnPlan, days: i64) -> Result<i32, SourceError> {
    match i32::try_from(days) {
        Ok(day) if DAYS.contains(&days) => Ok(day),
        _ => Err(unfit_value(column, &date_text(days), OUTSIDE_YEARS)),
    }
}

fn timestamp(column: &ColumnPlan, micros: i64) -> Result<i64, SourceError> {
    if micros % step(column) != 0 {
        return Err(too_fine(column, &timestamp_text(micros)));
    }
    if !DAYS.contains(&micros.div_euclid(MICROS_PER_DAY)) {
        return Err(unfit_value(column, &timestamp_text(micros), OUTSIDE_YEARS));
    }
    Ok(micros)
}

fn time(column: &ColumnPlan, micros: i64) -> Result<i64, SourceError> {
    if micros % step(column) != 0 {
        return Err(too_fine(column, &time_text(micros)));
    }
    if !(0..MICROS_PER_DAY).contains(&micros) {
        let why = "is not a time of a day in Snowflake";
        return Err(unfit_value(column, &time_text(micros), why));
    }
    Ok(micros)
}

/// Microseconds of the last digit that the target keeps.
fn step(column: &ColumnPlan) -> i64 {
    10i64.pow(u32::from(6 - column.fraction_digits.min(6)))
}

pub(super) fn too_fine(column: &ColumnPlan, value: &str) -> SourceError {
    let digits = column.fraction_digits;
    let why = format!("has more than the {digits} digits of a second that the target column keeps");
    too_wide(column, value, &why, column.wider.as_ref())
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
