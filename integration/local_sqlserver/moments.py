"""Dates and times: their texts, and the ways between their forms.

All pass through ticks: units of 100 ns since 0001-01-01.
https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql, date and time styles
"""

from __future__ import annotations

import re
from datetime import date

from .values import SqlError, SqlType

DAY = 864_000_000_000
SECOND = 10_000_000
MINUTE = 60 * SECOND
# Days from 0001-01-01 to 1900-01-01, and to the day after 9999-12-31.
EPOCH_1900 = date(1900, 1, 1).toordinal() - 1
END = 3_652_059
FIRST_DATETIME = (date(1753, 1, 1).toordinal() - 1 - EPOCH_1900) * 86400 * 300
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_POWERS = [10**n for n in range(8)]


def calendar(days: int) -> tuple[int, int, int]:
    day = date.fromordinal(days + 1)
    return day.year, day.month, day.day


def days_of(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal() - 1


def rounded(ticks: int, scale: int) -> int:
    """Rounded half up to so many digits of a second's fraction."""
    unit = _POWERS[7 - scale]
    return (ticks + unit // 2) // unit * unit


def ticks_of_datetime(value: int) -> int:
    """A datetime's 1/300 s as 100 ns, rounded as from compatibility level 130 on."""
    return EPOCH_1900 * DAY + (value * 2 * SECOND + 300) // 600


def datetime_of_ticks(ticks: int) -> int:
    value = ((ticks - EPOCH_1900 * DAY) * 600 + SECOND) // (2 * SECOND)
    if value < FIRST_DATETIME or ticks >= END * DAY:
        raise SqlError(242, "The conversion of a datetime2 data type to a datetime data type resulted in an out-of-range value.")
    return value


def ticks_of(value: object, type_: SqlType) -> tuple[int, int]:
    """(local ticks, minutes of the offset) of a value of any of these types."""
    name = type_.name
    if name == "datetime2":
        return value, 0  # type: ignore[return-value]
    if name == "datetimeoffset":
        return value[0] + value[1] * MINUTE, value[1]  # type: ignore[index]
    if name == "date":
        return value * DAY, 0  # type: ignore[operator,return-value]
    if name == "time":
        return EPOCH_1900 * DAY + value, 0  # type: ignore[operator]
    if name == "datetime":
        return ticks_of_datetime(value), 0  # type: ignore[arg-type]
    return EPOCH_1900 * DAY + value * MINUTE, 0  # type: ignore[operator]


def from_ticks(local: int, offset: int, type_: SqlType) -> object:
    name = type_.name
    if name == "datetime2":
        return _in_range(rounded(local, type_.scale))
    if name == "datetimeoffset":
        return _in_range(rounded(local, type_.scale)) - offset * MINUTE, offset
    if name == "date":
        return local // DAY
    if name == "time":
        return rounded(local % DAY, type_.scale) % DAY
    if name == "datetime":
        return datetime_of_ticks(local)
    minutes = (local - EPOCH_1900 * DAY + MINUTE // 2) // MINUTE
    if not 0 <= minutes < 65536 * 1440:
        raise SqlError(242, "The conversion of a datetime2 data type to a smalldatetime data type resulted in an out-of-range value.")
    return minutes


def _in_range(ticks: int) -> int:
    # What rounds up past the last day of 9999 stays the last value.
    return ticks if ticks < END * DAY else END * DAY - SECOND


# Text

_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt ]\s*(.+))?|(\d{4})(\d\d)(\d\d)(?:\s+(.+))?|(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d\d)(?:\s+(.+))?"
)
_NAMED = re.compile(r"([A-Za-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})(?:\s+(.+))?|(\d{1,2})\s+([A-Za-z]{3,9}),?\s+(\d{4})(?:\s+(.+))?")
_TIME = re.compile(
    r"(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.:](\d{1,9}))?)?)?\s*([AaPp][Mm])?\s*(Z|z|[+-]\d{1,2}:\d\d)?"
)


def parse(text: str, target: SqlType, style: int = 0) -> object:
    """The value of a text; 241 where it is none, 242 where the target's range is too small."""
    text = text.strip()
    try:
        day, rest = _day(text, style)
        ticks, digits, offset = _time(rest) if rest else (0, 0, None)
        if target.name in ("datetime", "smalldatetime") and (digits > 3 or offset is not None):
            # A Z is read in ISO 8601's own form, with T.
            if digits > 3 or offset != 0 or "T" not in text.upper():
                raise ValueError
        if offset is not None and abs(offset) > 14 * 60:
            raise ValueError
        return _placed(day, ticks, offset or 0, target)
    except (ValueError, OverflowError):
        raise _conversion_error(target) from None
    except SqlError:
        raise SqlError(
            242, f"The conversion of a varchar data type to a {target.name} data type resulted in an out-of-range value."
        ) from None


def _placed(day: int, ticks: int, offset: int, target: SqlType) -> object:
    local = day * DAY + ticks
    if target.name == "datetimeoffset":
        value = rounded(local, target.scale)
        if not 0 <= value - offset * MINUTE < END * DAY:
            raise ValueError
        return value - offset * MINUTE, offset
    return from_ticks(local, 0, target)


def _conversion_error(target: SqlType) -> SqlError:
    return SqlError(241, "Conversion failed when converting date and/or time from character string.")


def _day(text: str, style: int) -> tuple[int, str]:
    if not text:
        return EPOCH_1900, ""
    match = _ISO.fullmatch(text)
    if match:
        if match[1]:
            return days_of(int(match[1]), int(match[2]), int(match[3])), match[4] or ""
        if match[5]:
            return days_of(int(match[5]), int(match[6]), int(match[7])), match[8] or ""
        first, second, year = int(match[9]), int(match[10]), int(match[11])
        if len(match[11]) == 2:
            year += 2000 if year < 50 else 1900
        if style in (3, 4, 5, 103, 104, 105):
            first, second = second, first
        return days_of(year, first, second), match[12] or ""
    match = _NAMED.fullmatch(text)
    if match:
        name, day, year, rest = (match[1], match[2], match[3], match[4]) if match[1] else (match[6], match[5], match[7], match[8])
        month = next((i + 1 for i, m in enumerate(_MONTHS) if name[:3].lower() == m.lower()), 0)
        return days_of(int(year), month, int(day)), rest or ""
    if re.fullmatch(r"\d{4}", text):
        return days_of(int(text), 1, 1), ""
    if ":" in text or text[-1:] in "mM":
        return EPOCH_1900, text
    raise ValueError


def _time(text: str) -> tuple[int, int, int | None]:
    match = _TIME.fullmatch(text)
    if match is None or (match[2] is None and match[5] is None):
        raise ValueError
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    if match[5]:
        if not 1 <= hour <= 12 and hour != 0:
            raise ValueError
        hour = hour % 12 + (12 if match[5].lower() == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError
    fraction = match[4] or ""
    if len(fraction) > 7:
        raise ValueError
    ticks = ((hour * 60 + minute) * 60 + second) * SECOND + int(fraction.ljust(7, "0") or 0)
    offset = None
    if match[6]:
        offset = 0
        if match[6] not in "Zz":
            hours, minutes = match[6][1:].split(":")
            offset = (int(hours) * 60 + int(minutes)) * (-1 if match[6][0] == "-" else 1)
            if int(minutes) > 59:
                raise ValueError
    return ticks, len(fraction), offset


def show(value: object, type_: SqlType, style: int | None) -> str:
    """The text of a value in a style; None is what CAST gives."""
    name = type_.name
    local, offset = ticks_of(value, type_)
    days, ticks = divmod(local, DAY)
    if name == "datetime":
        # Shown are three digits, as 0, 3 and 7.
        days, units = divmod(value + EPOCH_1900 * 86400 * 300, 86400 * 300)  # type: ignore[operator]
        seconds, part = divmod(units, 300)
        ticks = seconds * SECOND + (part * 10 + 1) // 3 * 10_000
    year, month, day = calendar(days)
    seconds, fraction = divmod(ticks, SECOND)
    hour, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    digits = {"datetime": 3, "smalldatetime": 0, "date": 0}.get(name, type_.scale)
    # A smalldatetime has seconds in the styles that show milliseconds, and a fraction of zeros.
    shown = f".{fraction // _POWERS[7 - digits]:0{digits}d}" if digits else ""
    if style is None:
        style = 0 if name in ("datetime", "smalldatetime") else 121
    clock, iso = f"{hour:02d}:{minute:02d}:{second:02d}", f"{year:04d}-{month:02d}-{day:02d}"
    zone = f" {'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}" if name == "datetimeoffset" else ""
    has_date, has_time = name != "time", name != "date"
    half = f"{(hour + 11) % 12 + 1:2d}:{minute:02d}"
    day_text = _day_text(style, year, month, day, iso)
    time_text = _time_text(style, clock, shown, half, "AM" if hour < 12 else "PM", name)
    if day_text is None and time_text is None:
        raise SqlError(281, f"{style} is not a valid style number when converting from {name} to a character string.")
    pieces = [p for p in (day_text if has_date else None, time_text if has_time else None) if p]
    if style in (126, 127):
        if name == "datetimeoffset" and style == 127:
            local -= offset * MINUTE
            if offset:
                return show(local, SqlType("datetime2", 8, 27, type_.scale), 126) + "Z"
            zone = "Z"
        return "T".join(pieces) + zone.strip()
    text = " ".join(pieces)
    return text + zone if time_text else text


def _day_text(style: int, year: int, month: int, day: int, iso: str) -> str | None:
    short = f"{year % 100:02d}"
    name = _MONTHS[month - 1]
    if style in (0, 9, 100, 109):
        return f"{name} {day:2d} {year:04d}"
    texts = {
        1: f"{month:02d}/{day:02d}/{short}", 101: f"{month:02d}/{day:02d}/{year:04d}", 2: f"{short}.{month:02d}.{day:02d}",
        102: f"{year:04d}.{month:02d}.{day:02d}", 3: f"{day:02d}/{month:02d}/{short}", 103: f"{day:02d}/{month:02d}/{year:04d}",
        4: f"{day:02d}.{month:02d}.{short}", 104: f"{day:02d}.{month:02d}.{year:04d}", 5: f"{day:02d}-{month:02d}-{short}",
        105: f"{day:02d}-{month:02d}-{year:04d}", 6: f"{day:02d} {name} {short}", 106: f"{day:02d} {name} {year:04d}",
        7: f"{name} {day:02d}, {short}", 107: f"{name} {day:02d}, {year:04d}", 10: f"{month:02d}-{day:02d}-{short}",
        110: f"{month:02d}-{day:02d}-{year:04d}", 11: f"{short}/{month:02d}/{day:02d}", 111: f"{year:04d}/{month:02d}/{day:02d}",
        12: f"{short}{month:02d}{day:02d}", 112: f"{year:04d}{month:02d}{day:02d}", 13: f"{day:02d} {name} {year:04d}",
        113: f"{day:02d} {name} {year:04d}", 23: iso, 20: iso, 120: iso, 21: iso, 121: iso, 25: iso, 126: iso, 127: iso,
    }  # fmt: skip
    return texts.get(style)


def _time_text(style: int, clock: str, shown: str, half: str, noon: str, name: str) -> str | None:
    if style in (0, 100):
        return half + noon
    if style in (9, 109):
        return f"{half}:{clock[6:]}{':' + shown[1:] if name == 'datetime' else shown}{noon}"
    if style in (8, 24, 108, 20, 120):
        return clock
    if style in (13, 14, 113, 114):
        return clock + (":" + shown[1:] if name == "datetime" else shown)
    if style in (21, 25, 121, 126, 127):
        if name == "smalldatetime" and style in (21, 25, 121):
            return clock + ".000"
        if name == "datetime" and style in (126, 127) and shown == ".000":
            return clock
        return clock + shown
    return None
