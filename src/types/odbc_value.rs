//! Values in the forms that ODBC drivers of SQL Server copy out as they are: exact, and cheaper than text. Pure.
//!
//! `SQL_NUMERIC_STRUCT`: <https://learn.microsoft.com/sql/odbc/reference/appendixes/c-data-types>; `SQL_SS_TIME2_STRUCT` and
//! `SQL_SS_TIMESTAMPOFFSET_STRUCT`:
//! <https://learn.microsoft.com/sql/relational-databases/native-client-odbc-date-time/data-type-support-for-odbc-date-and-time-improvements>.

use chrono::{Datelike, NaiveDate};
use std::fmt::Write;

/// Units of 100 ns in a day.
pub const TICKS_PER_DAY: i64 = 864_000_000_000;
/// Digits of a fraction of a second in units of 100 ns.
pub const TICK_DIGITS: u8 = 7;
const TICKS_PER_SECOND: i64 = 10_000_000;
const NANOS_PER_TICK: u32 = 100;
/// 1970-01-01 in days since 0001-01-01, counted from 1.
const EPOCH: i32 = 719_163;

/// A time without zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Days since 1970-01-01.
    pub days: i64,
    /// Units of 100 ns since midnight.
    pub ticks: i64,
}

impl Moment {
    /// Microseconds since 1970-01-01 00:00:00; `None`: it has a seventh digit.
    pub fn micros(self) -> Option<i64> {
        (self.ticks % 10 == 0).then(|| self.days * (TICKS_PER_DAY / 10) + self.ticks / 10)
    }

    /// So many minutes earlier.
    pub fn minus_minutes(self, minutes: i64) -> Self {
        let ticks = self.ticks - minutes * 60 * TICKS_PER_SECOND;
        Self {
            days: self.days + ticks.div_euclid(TICKS_PER_DAY),
            ticks: ticks.rem_euclid(TICKS_PER_DAY),
        }
    }

    /// `YYYY-MM-DD HH:MM:SS[.fffffff]`; `None`: outside the years 1 to 9999, or it has more digits.
    pub fn text(self, digits: u8) -> Option<String> {
        Some(format!(
            "{} {}",
            date_text(self.days)?,
            time_text(self.ticks, digits)?
        ))
    }
}

/// Days since 1970-01-01 of a date of the years 1 to 9999.
pub fn days(year: i16, month: u16, day: u16) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())?;
    (1..=9999)
        .contains(&date.year())
        .then(|| i64::from(date.num_days_from_ce() - EPOCH))
}

/// `YYYY-MM-DD`; `None`: outside the years 1 to 9999.
pub fn date_text(days: i64) -> Option<String> {
    let from_ce = i32::try_from(days).ok()?.checked_add(EPOCH)?;
    let date = NaiveDate::from_num_days_from_ce_opt(from_ce)?;
    (1..=9999)
        .contains(&date.year())
        .then(|| date.format("%Y-%m-%d").to_string())
}

/// Units of 100 ns since midnight; `None`: no time of a day, or finer.
pub fn ticks(hour: u16, minute: u16, second: u16, nanos: u32) -> Option<i64> {
    let is_time = hour < 24 && minute < 60 && second < 60 && nanos < 1_000_000_000;
    if !is_time || !nanos.is_multiple_of(NANOS_PER_TICK) {
        return None;
    }
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some(seconds * TICKS_PER_SECOND + i64::from(nanos / NANOS_PER_TICK))
}

/// `HH:MM:SS[.fffffff]`; `None`: it has more digits.
pub fn time_text(ticks: i64, digits: u8) -> Option<String> {
    let (seconds, fraction) = (ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND);
    let mut text = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if !fits(ticks, digits) {
        return None;
    }
    if digits > 0 {
        let shown = fraction / step(digits);
        // Writing to a String does not fail.
        let _ = write!(text, ".{shown:0width$}", width = usize::from(digits.min(7)));
    }
    Some(text)
}

/// Whether a fraction of a second has no more than so many digits.
pub fn fits(ticks: i64, digits: u8) -> bool {
    ticks % step(digits) == 0
}

/// Units of 100 ns of the last of so many digits.
fn step(digits: u8) -> i64 {
    10i64.pow(u32::from(TICK_DIGITS - digits.min(TICK_DIGITS)))
}

/// The time of `SQL_SS_TIME2_STRUCT`, in units of 100 ns.
pub fn time(bytes: &[u8]) -> Option<i64> {
    let bytes: &[u8; 12] = bytes.try_into().ok()?;
    ticks(
        u16_at(bytes, 0)?,
        u16_at(bytes, 2)?,
        u16_at(bytes, 4)?,
        u32_at(bytes, 8)?,
    )
}

/// The local time of `SQL_SS_TIMESTAMPOFFSET_STRUCT`, and its offset in minutes east of UTC.
pub fn timestamp_with_offset(bytes: &[u8]) -> Option<(Moment, i64)> {
    let bytes: &[u8; 20] = bytes.try_into().ok()?;
    let signed = |at| u16_at(bytes, at).map(u16::cast_signed);
    let moment = Moment {
        days: days(signed(0)?, u16_at(bytes, 2)?, u16_at(bytes, 4)?)?,
        ticks: ticks(
            u16_at(bytes, 6)?,
            u16_at(bytes, 8)?,
            u16_at(bytes, 10)?,
            u32_at(bytes, 12)?,
        )?,
    };
    let minutes = i64::from(signed(16)?) * 60 + i64::from(signed(18)?);
    (-840..=840).contains(&minutes).then_some((moment, minutes))
}

/// ` +05:45` without the blank, from minutes.
pub fn offset_text(minutes: i64) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The unscaled number of `SQL_NUMERIC_STRUCT`, and its scale.
pub fn numeric(bytes: &[u8]) -> Option<(i128, u8)> {
    let bytes: &[u8; 19] = bytes.try_into().ok()?;
    let (scale, sign) = (bytes[1], bytes[2]);
    let magnitude = u128::from_le_bytes(bytes[3..].try_into().ok()?);
    let number = i128::try_from(magnitude).ok()?;
    if scale > 38 || sign > 1 {
        return None;
    }
    Some((if sign == 1 { number } else { -number }, scale))
}

/// An amount in ten-thousandths, as the server sends it: the upper half first.
pub fn money(bytes: &[u8]) -> Option<i128> {
    match bytes.len() {
        8 => {
            let (high, low) = (u32_at(bytes, 0)?, u32_at(bytes, 4)?);
            let whole = u64::from(high) << 32 | u64::from(low);
            Some(whole.cast_signed().into())
        }
        4 => Some(u32_at(bytes, 0)?.cast_signed().into()),
        _ => None,
    }
}

/// An unscaled number with so many digits after the point, plainly: `-0.50`.
pub fn decimal_text(unscaled: i128, scale: u8) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let digits = format!("{:0>1$}", unscaled.unsigned_abs(), scale + 1);
    match digits.split_at(digits.len() - scale) {
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    }
}

/// The same number with another scale; `None`: digits would be lost, or there are more than `precision`.
pub fn rescaled(unscaled: i128, from: u8, to: u8, precision: u8) -> Option<i128> {
    let number = if to >= from {
        unscaled.checked_mul(10i128.checked_pow(u32::from(to - from))?)?
    } else {
        let divisor = 10i128.checked_pow(u32::from(from - to))?;
        (unscaled % divisor == 0).then_some(unscaled / divisor)?
    };
    let limit = 10i128.checked_pow(u32::from(precision))?;
    (number.unsigned_abs() < limit.unsigned_abs()).then_some(number)
}

/// The text of a GUID, upper case: its first three groups are stored with the last byte first.
/// <https://learn.microsoft.com/sql/t-sql/data-types/uniqueidentifier-transact-sql>
pub fn guid(bytes: &[u8]) -> Option<String> {
    let b: &[u8; 16] = bytes.try_into().ok()?;
    Some(format!(
        "{:02X}{:02X}{:02X}{:02X}-{:02X}{:02X}-{:02X}{:02X}-{:02X}{:02X}-{:02X}{:02X}{:02X}{:02X}{:02X}{:02X}",
        b[3],
        b[2],
        b[1],
        b[0],
        b[5],
        b[4],
        b[7],
        b[6],
        b[8],
        b[9],
        b[10],
        b[11],
        b[12],
        b[13],
        b[14],
        b[15]
    ))
}

/// Appends text in UTF-16 as UTF-8; `None`: half of a surrogate pair stands alone, which SQL Server stores and UTF-8 has not.
pub fn push_utf16(units: &[u16], into: &mut Vec<u8>) -> Option<()> {
    into.reserve(units.len());
    let mut rest = units;
    while !rest.is_empty() {
        let ascii = rest.iter().take_while(|unit| **unit < 0x80).count();
        let (plain, other) = rest.split_at(ascii);
        // Each is below 128.
        into.extend(plain.iter().map(|unit| unit.to_le_bytes()[0]));
        let end = other
            .iter()
            .position(|unit| *unit < 0x80)
            .unwrap_or(other.len());
        for decoded in char::decode_utf16(other[..end].iter().copied()) {
            let mut bytes = [0; 4];
            into.extend_from_slice(decoded.ok()?.encode_utf8(&mut bytes).as_bytes());
        }
        rest = &other[end..];
    }
    Some(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
#[path = "odbc_value_tests.rs"]
mod tests;
