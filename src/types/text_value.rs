//! Text that goes into a column of another type: read strictly, in one form for each type.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// Days since 1970 of `YYYY-MM-DD`.
pub fn date(text: &str) -> Option<i64> {
    let date = NaiveDate::parse_from_str(shaped_as_date(text)?, "%Y-%m-%d").ok()?;
    Some(date.signed_duration_since(NaiveDate::default()).num_days())
}

/// Microseconds since midnight of `HH:MM:SS[.ffffff]`.
pub fn time(text: &str) -> Option<i64> {
    let time = NaiveTime::parse_from_str(fraction_of_micros(text)?, "%H:%M:%S%.f").ok()?;
    // A leap second has more nanoseconds than a second.
    (time.nanosecond() < 1_000_000_000).then(|| {
        i64::from(time.num_seconds_from_midnight()) * 1_000_000
            + i64::from(time.nanosecond() / 1_000)
    })
}

/// Microseconds since 1970 of `YYYY-MM-DD HH:MM:SS[.ffffff]` (or with a `T`), without a zone.
pub fn timestamp(text: &str) -> Option<i64> {
    shaped_as_date(text.get(..10)?)?;
    let at = NaiveDateTime::parse_from_str(
        &fraction_of_micros(text)?.replacen('T', " ", 1),
        "%Y-%m-%d %H:%M:%S%.f",
    )
    .ok()?;
    (at.nanosecond() < 1_000_000_000).then(|| at.and_utc().timestamp_micros())
}

/// The same with an offset at its end: `+00`, `+05:45`, `-1100`, `Z`.
pub fn timestamp_with_offset(text: &str) -> Option<i64> {
    let (at, offset) = match text.strip_suffix(['Z', 'z']) {
        Some(at) => (at, "+00:00".to_owned()),
        None => {
            let sign = text.rfind(['+', '-']).filter(|place| *place > 10)?;
            let (at, offset) = text.split_at(sign);
            (
                at,
                if offset.len() == 3 {
                    format!("{offset}:00")
                } else {
                    offset.to_owned()
                },
            )
        }
    };
    timestamp(at)?;
    let text = format!("{}{offset}", at.replacen('T', " ", 1));
    DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f%:z")
        .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f%z"))
        .ok()
        .map(|at| at.timestamp_micros())
}

/// The double nearest to a number, `NaN` and `Infinity`; `None` also where the nearest is zero or infinite, and the
/// number is not.
pub fn double(text: &str) -> Option<f64> {
    let double: f64 = text.parse().ok()?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let names_a_number = mantissa.bytes().any(|b| b.is_ascii_digit());
    let is_zero = !mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
    let is_lost = names_a_number && (double.is_infinite() || (double == 0.0) != is_zero);
    (!is_lost).then_some(double)
}

/// What both sides write for true and false.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn shaped_as_date(text: &str) -> Option<&str> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shaped.then_some(text)
}

/// A seventh digit would be dropped in silence.
fn fraction_of_micros(text: &str) -> Option<&str> {
    match text.rsplit_once('.') {
        Some((_, digits)) if digits.len() > 6 => None,
        _ => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_form_is_read_and_no_other() {
        assert_eq!(date("0001-01-01"), Some(-719_162));
        assert_eq!(time("23:59:59.999999"), Some(86_399_999_999));
        assert_eq!(timestamp("1970-01-01T00:00:01"), Some(1_000_000));
        assert_eq!(
            timestamp_with_offset("1970-01-01 05:45:00.5+05:45"),
            Some(500_000)
        );
        assert_eq!(timestamp_with_offset("1970-01-01 00:00:00Z"), Some(0));
        assert_eq!(timestamp_with_offset("1969-12-31 13:00:00-11"), Some(0));
        assert_eq!((boolean("T"), boolean("off")), (Some(true), Some(false)));
        for text in [
            "",
            "1-1-1",
            "2024-02-30",
            "2024-01-01 ",
            "+2024-01-01",
            "0044-03-15 BC",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
        for text in ["24:00:00", "23:59:60", "12:00", "12:00:00.1234567"] {
            assert_eq!(time(text), None, "{text}");
        }
        for text in [
            "infinity",
            "2024-01-01",
            "2024-01-01 00:00:00+00",
            "2024-1-1 00:00:00",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        assert_eq!(timestamp_with_offset("2024-01-01 00:00:00"), None);
        assert_eq!(double("0.1"), Some(0.1));
        assert_eq!(
            double("-0.0e5").map(f64::to_bits),
            Some((-0.0f64).to_bits())
        );
        assert_eq!(double("-Infinity"), Some(f64::NEG_INFINITY));
        assert!(double("NaN").is_some_and(f64::is_nan));
        for text in ["1e400", "-1e-400", "1,5", " 1", ""] {
            assert_eq!(double(text), None, "{text}");
        }
        assert_eq!(boolean("ja"), None);
    }

    proptest! {
        #[test]
        fn timestamps_read_back(micros in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
            let at = DateTime::from_timestamp_micros(micros).map(|at| at.format("%Y-%m-%d %H:%M:%S%.6f").to_string());
            let text = at.unwrap_or_default();
            prop_assert_eq!(timestamp(&text), Some(micros));
            prop_assert_eq!(timestamp_with_offset(&format!("{text}+00")), Some(micros));
            prop_assert_eq!(date(&text[..10]), Some(micros.div_euclid(86_400_000_000)));
            prop_assert_eq!(time(&text[11..]), Some(micros.rem_euclid(86_400_000_000)));
        }
    }
}
