//! The source's clock, and which watermarks it has not reached yet.

use super::session::Subject;
use crate::domain::table::{KeyColumn, KeyKind};
use crate::plan::compare_values;
use crate::platform::ClockReading;
use crate::source::session::Ask;
use crate::source::{SourceError, SourceErrorKind};
use chrono::{NaiveDateTime, TimeDelta};
use std::cmp::Ordering;
use std::time::Duration;

/// A clock that is at most so far behind is waited for: others write by clocks of their own, and Redshift tells whole
/// seconds.
const SKEW: TimeDelta = TimeDelta::seconds(2);
const PAUSE: Duration = Duration::from_millis(250);

/// What the clock says, in the text form of the watermark's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// What is above lies in the future.
    pub(super) now: String,
    /// No row is written any more at or below, or only by clocks that go wrong: of dates, the last day that is over
    /// everywhere; otherwise `now`.
    pub(super) settled: String,
}

/// What the source's answer means for values of a kind.
fn clock(kind: KeyKind, reading: ClockReading) -> Option<Clock> {
    let ClockReading {
        utc,
        local,
        utc_yesterday,
        local_yesterday,
    } = reading;
    let date = |time: &str| time.get(..10).map(str::to_owned);
    let at_once = |now: String| Clock {
        settled: now.clone(),
        now,
    };
    Some(match kind {
        KeyKind::TimestampTz => at_once(format!("{utc}+00")),
        // Nobody says whose time it is: of both, the one that is ahead, so that neither is taken for the future.
        KeyKind::Timestamp | KeyKind::DateTime => at_once(utc.max(local)),
        KeyKind::Date => Clock {
            now: date(&utc)?.max(date(&local)?),
            settled: utc_yesterday.min(local_yesterday),
        },
        _ => return None,
    })
}

impl Clock {
    /// Whether a value is certainly at or below the bound of what is settled.
    pub(super) fn has_settled(&self, column: &KeyColumn, value: &str) -> bool {
        is_at_most(column, value, &self.settled)
    }

    /// Whether a value is certainly not in the future.
    pub(super) fn has_passed(&self, column: &KeyColumn, value: &str) -> bool {
        is_at_most(column, value, &self.now)
    }

    /// Whether it is so little ahead that waiting helps.
    fn is_near(&self, value: &str) -> bool {
        let time = |text: &str| {
            let text = text.trim_end_matches("+00");
            NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()
        };
        time(value)
            .zip(time(&self.now))
            .is_some_and(|(value, now)| value - now <= SKEW)
    }
}

fn is_at_most(column: &KeyColumn, value: &str, limit: &str) -> bool {
    matches!(
        compare_values(column, value, limit),
        Some(Ordering::Less | Ordering::Equal)
    )
}

impl Subject<'_> {
    /// The clock, read after the value, which it should have reached. `None`: the column's values are no times.
    pub(super) fn clock_after(
        &self,
        column: &KeyColumn,
        value: &str,
    ) -> Result<Option<Clock>, SourceError> {
        if !matches!(
            column.kind,
            KeyKind::Date | KeyKind::Timestamp | KeyKind::DateTime | KeyKind::TimestampTz
        ) {
            return Ok(None);
        }
        let tries = SKEW.num_milliseconds() / PAUSE.as_millis() as i64 + 2;
        let mut last = self.read_clock(column.kind)?;
        for _ in 1..tries {
            if last.has_passed(column, value) || !last.is_near(value) {
                break;
            }
            std::thread::sleep(PAUSE);
            last = self.read_clock(column.kind)?;
        }
        Ok(Some(last))
    }

    fn read_clock(&self, kind: KeyKind) -> Result<Clock, SourceError> {
        let reading = self.ask_first(&self.platform().clock())?;
        reading
            .and_then(|reading| clock(kind, reading))
            .ok_or_else(|| {
                self.error(
                    SourceErrorKind::Other,
                    "the source does not tell the time, by which a watermark in the future would be found",
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: KeyKind) -> Clock {
        // New York: the day there is not over.
        let row = [
            "2026-11-30 03:00:00.250000",
            "2026-11-29 22:00:00.250000",
            "2026-11-29",
            "2026-11-28",
        ];
        let [utc, local, utc_yesterday, local_yesterday] = row.map(str::to_owned);
        let reading = ClockReading {
            utc,
            local,
            utc_yesterday,
            local_yesterday,
        };
        clock(kind, reading).expect("a time")
    }

    fn column(kind: KeyKind) -> KeyColumn {
        KeyColumn {
            name: "w".into(),
            kind,
            nullable: true,
            bytewise: false,
        }
    }

    #[test]
    fn a_day_is_settled_when_it_is_over_in_both_zones() {
        let (clock, column) = (read(KeyKind::Date), column(KeyKind::Date));
        for (value, settled, passed) in [
            ("2026-11-28", true, true),
            ("2026-11-29", false, true),
            ("2026-11-30", false, true),
            ("2026-12-01", false, false),
            ("12026-01-01", false, false),
            ("0044-03-15 BC", true, true),
        ] {
            let found = (
                clock.has_settled(&column, value),
                clock.has_passed(&column, value),
            );
            assert_eq!(found, (settled, passed), "{value}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_in_the_future_if_it_is_so_in_both() {
        let (clock, column) = (read(KeyKind::Timestamp), column(KeyKind::Timestamp));
        assert!(clock.has_settled(&column, "2026-11-30 03:00:00.25"));
        assert!(!clock.has_passed(&column, "2026-11-30 03:00:00.250001"));
        assert!(clock.is_near("2026-11-30 03:00:02"));
        assert!(!clock.is_near("2026-11-30 03:00:03"));
        assert!(!clock.is_near("12026-11-30 03:00:00"));
    }

    #[test]
    fn a_time_with_a_zone_is_compared_in_utc() {
        let (clock, column) = (read(KeyKind::TimestampTz), column(KeyKind::TimestampTz));
        assert!(clock.has_settled(&column, "2026-11-30 03:00:00+00"));
        assert!(!clock.has_passed(&column, "2026-11-30 03:00:00.3+00"));
    }
}
