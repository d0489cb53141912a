"""https://learn.microsoft.com/sql/t-sql/functions/date-and-time-data-types-and-functions-transact-sql"""

from __future__ import annotations

import calendar
from dataclasses import replace

from .. import moments, numbers
from .. import nodes as n
from .. import sqltypes as t
from ..code import Value
from ..moments import DAY, EPOCH_1900, MINUTE, SECOND
from ..values import SqlError
from .registry import call, function, invalid_argument, special

_PARTS = {
    "year": "year", "yy": "year", "yyyy": "year", "quarter": "quarter", "qq": "quarter", "q": "quarter", "month": "month",
    "mm": "month", "m": "month", "dayofyear": "dayofyear", "dy": "dayofyear", "y": "dayofyear", "day": "day", "dd": "day",
    "d": "day", "week": "week", "wk": "week", "ww": "week", "weekday": "weekday", "dw": "weekday", "hour": "hour", "hh": "hour",
    "minute": "minute", "mi": "minute", "n": "minute", "second": "second", "ss": "second", "s": "second",
    "millisecond": "millisecond", "ms": "millisecond", "microsecond": "microsecond", "mcs": "microsecond",
    "nanosecond": "nanosecond", "ns": "nanosecond", "tzoffset": "tzoffset", "tz": "tzoffset", "iso_week": "iso_week",
    "isowk": "iso_week", "isoww": "iso_week",
}  # fmt: skip
_UNITS = {"week": 7 * DAY, "day": DAY, "dayofyear": DAY, "weekday": DAY, "hour": 60 * MINUTE, "minute": MINUTE, "second": SECOND, "millisecond": 10_000, "microsecond": 10}  # fmt: skip


def _part(node, name: str) -> str:
    word = node.parts[0].lower() if isinstance(node, n.Name) and len(node.parts) == 1 else ""
    if word not in _PARTS:
        raise SqlError(155, f"'{word or '?'}' is not a recognized {name} option.", 15)
    return _PARTS[word]


def _moment(c, value: Value, name: str, position: int = 2) -> Value:
    if value.type.name in t.TEMPORAL and not value.null:
        return value
    if value.type.name in t.TEXT:
        kind = t.DATETIME2 if name != "datediff" else t.DATETIMEOFFSET
        return c.convert(value, kind)
    if value.type.name in t.NUMERIC and not value.type.name in ("bigint",) or value.null:
        return c.convert(value, t.DATETIME)
    raise invalid_argument(value, position, name)


def _clock(name: str, type_, form: str) -> None:
    @function(name, least=0)
    def made(c):
        return Value(c.code.let(form.format(c="ctx.clock()")), type_, False)


_clock("SYSUTCDATETIME", t.DATETIME2, "{c}")
_clock("SYSDATETIME", t.DATETIME2, "{c}")
_clock("SYSDATETIMEOFFSET", t.DATETIMEOFFSET, "({c}, 0)")
for _name in ("GETDATE", "GETUTCDATE", "CURRENT_TIMESTAMP"):

    @function(_name, least=0)
    def _now(c):
        helper = c.code.constant(moments.datetime_of_ticks)
        return Value(c.code.let(f"{helper}(ctx.clock())"), t.DATETIME, False)


def _add_months(local: int, months: int) -> int:
    days, ticks = divmod(local, DAY)
    year, month, day = moments.calendar(days)
    year, month = divmod(year * 12 + month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    return moments.days_of(year, month + 1, min(day, calendar.monthrange(year, month + 1)[1])) * DAY + ticks


@special("DATEADD")
def dateadd(c, nodes, scope):
    """https://learn.microsoft.com/sql/t-sql/functions/dateadd-transact-sql"""
    part = _part(nodes[0], "dateadd")
    number = c.convert(c.expression(nodes[1], scope), t.INT, explicit=True)
    value = _moment(c, c.expression(nodes[2], scope), "dateadd", 3)
    type_ = value.type
    if type_.name == "date" and part in ("hour", "minute", "second", "millisecond", "microsecond", "nanosecond"):
        raise SqlError(9810, f"The datepart {part} is not supported by date function dateadd for data type date.")
    months = {"year": 12, "quarter": 3, "month": 1}.get(part)

    def python(count: int, held):
        if type_.name == "datetime" and part in _UNITS and not months and part != "microsecond":
            # 1/300 s are added to exactly, and milliseconds are rounded to them.
            change = _UNITS[part] * count * 3
            units = held + (change + 50_000 * (1 if change >= 0 else -1)) // 100_000 if part == "millisecond" else held + change // 100_000  # fmt: skip
            low, high = moments.FIRST_DATETIME, (moments.END - EPOCH_1900) * 86400 * 300
            if not low <= units < high:
                raise _out_of_range(type_.name)
            return units
        local, offset = moments.ticks_of(held, type_)
        try:
            if months:
                local = _add_months(local, months * count)
            elif part == "nanosecond":
                local += (count + 50) // 100
            else:
                local += _UNITS[part] * count
            if type_.name == "time":
                local %= DAY
            elif not 0 <= local < moments.END * DAY:
                raise OverflowError
        except OverflowError:
            raise _out_of_range(type_.name) from None
        return moments.from_ticks(local, offset, type_)

    return call(c, python, type_, number, value)


def _out_of_range(name: str) -> SqlError:
    return SqlError(517, f"Adding a value to a '{name}' column caused an overflow.")


def _boundary(part: str, ticks: int) -> int:
    """How many boundaries of a part lie before a moment."""
    days = ticks // DAY
    if part in ("year", "quarter", "month"):
        year, month, _ = moments.calendar(days)
        return {"year": year, "quarter": year * 4 + (month - 1) // 3, "month": year * 12 + month}[part]
    if part == "week":
        return (days + 1) // 7  # weeks begin on Sunday; 0001-01-01 was a Monday
    if part == "nanosecond":
        return ticks * 100
    return ticks // _UNITS[part]


def _difference(name: str, type_, since: int):
    @special(name, since=since)
    def made(c, nodes, scope):
        part = _part(nodes[0], name.lower())
        first, second = (_moment(c, c.expression(x, scope), "datediff", i + 2) for i, x in enumerate(nodes[1:]))
        if part in ("weekday", "dayofyear"):
            part = "day"
        one, two = first.type, second.type

        def python(a, b):
            # Offsets are taken as UTC.
            low, high = ((h[0] if k.name == "datetimeoffset" else moments.ticks_of(h, k)[0]) for h, k in ((a, one), (b, two)))
            value = _boundary(part, high) - _boundary(part, low)
            if type_ is t.INT and not -(1 << 31) <= value < 1 << 31:
                raise SqlError(535, "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.")  # fmt: skip
            return numbers.integer(value, type_)

        return call(c, python, type_, first, second)


_difference("DATEDIFF", t.INT, 2008)
_difference("DATEDIFF_BIG", t.BIGINT, 2016)


def _value_of(part: str, local: int, offset: int) -> int:
    days, ticks = divmod(local, DAY)
    year, month, day = moments.calendar(days)
    seconds, fraction = divmod(ticks, SECOND)
    if part == "iso_week":
        import datetime

        return datetime.date(year, month, day).isocalendar()[1]
    return {
        "year": year, "quarter": (month + 2) // 3, "month": month, "day": day, "hour": seconds // 3600,
        "minute": seconds // 60 % 60, "second": seconds % 60, "millisecond": fraction // 10_000, "microsecond": fraction // 10,
        "nanosecond": fraction * 100, "tzoffset": offset, "weekday": (days + 1) % 7 + 1,
        "dayofyear": days - moments.days_of(year, 1, 1) + 1,
        "week": (days + 1) // 7 - (moments.days_of(year, 1, 1) + 1) // 7 + 1,
    }[part]  # fmt: skip


def _datepart(c, part: str, value: Value) -> Value:
    value = _moment(c, value, "datepart")
    type_ = value.type
    return call(c, lambda held: _value_of(part, *moments.ticks_of(held, type_)), t.INT, value)


@special("DATEPART")
def datepart(c, nodes, scope):
    return _datepart(c, _part(nodes[0], "datepart"), c.expression(nodes[1], scope))


@special("DATENAME")
def datename(c, nodes, scope):
    part = _part(nodes[0], "datename")
    value = _moment(c, c.expression(nodes[1], scope), "datename")
    type_ = value.type

    def python(held) -> str:
        number = _value_of(part, *moments.ticks_of(held, type_))
        if part == "month":
            return calendar.month_name[number]
        return calendar.day_name[(number + 5) % 7] if part == "weekday" else str(number)

    return call(c, python, t.text(30, True, c.collation), value)


for _name in ("YEAR", "MONTH", "DAY"):

    @function(_name)
    def _single_part(c, value, part=_name.lower()):
        return _datepart(c, part, value)


@function("DATEFROMPARTS", least=3, since=2012)
def datefromparts(c, *values):
    def python(year: int, month: int, day: int) -> int:
        try:
            return moments.days_of(year, month, day)
        except (ValueError, OverflowError):
            raise _no_moment("date") from None

    return call(c, python, t.DATE, *(c.convert(v, t.INT) for v in values))


def _no_moment(name: str) -> SqlError:
    return SqlError(289, f"Cannot construct data type {name}, some of the arguments have values which are not valid.")


@function("DATETIME2FROMPARTS", least=8, since=2012)
def datetime2fromparts(c, *values):
    if not values[7].constant or values[7].literal is None:
        raise SqlError(10760, "Scale argument is not valid. Valid expressions for data type datetime2 scale argument are integer constants and integer constant expressions.")  # fmt: skip
    scale = int(values[7].literal)

    def python(year, month, day, hour, minute, second, fraction) -> int:
        try:
            if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= fraction < 10**scale):
                raise ValueError
            clock = ((hour * 60 + minute) * 60 + second) * SECOND + fraction * 10 ** (7 - scale)
            return moments.days_of(year, month, day) * DAY + clock
        except (ValueError, OverflowError):
            raise _no_moment("datetime2") from None

    return call(c, python, t.make("datetime2", (scale,)), *(c.convert(v, t.INT) for v in values[:7]))


@function("TODATETIMEOFFSET", least=2)
def todatetimeoffset(c, value, zone):
    value = _moment(c, value, "todatetimeoffset")
    type_ = value.type
    target = t.make("datetimeoffset", (type_.scale if type_.name in ("datetime2", "datetimeoffset") else 7,))
    zone = zone if zone.type.name in t.TEXT else c.convert(zone, t.INT)

    def python(held, zone):
        minutes = _offset(zone)
        return moments.ticks_of(held, type_)[0] - minutes * MINUTE, minutes

    return call(c, python, target, value, zone)


def _offset(zone) -> int:
    import re

    if isinstance(zone, str):
        match = re.fullmatch(r"([+-])(\d\d):(\d\d)", zone.strip())
        if match is None:
            raise SqlError(9812, "The timezone provided to builtin function todatetimeoffset is invalid.")
        zone = (int(match[2]) * 60 + int(match[3])) * (-1 if match[1] == "-" else 1)
    if abs(zone) > 840:
        raise SqlError(9812, "The timezone provided to builtin function todatetimeoffset is invalid.")
    return zone


@function("SWITCHOFFSET", least=2)
def switchoffset(c, value, zone):
    value = c.convert(value, t.DATETIMEOFFSET) if value.type.name != "datetimeoffset" else value
    zone = zone if zone.type.name in t.TEXT else c.convert(zone, t.INT)
    return call(c, lambda held, zone: (held[0], _offset(zone)), value.type, value, zone)


@function("EOMONTH", least=1, most=2, since=2012)
def eomonth(c, value, months=None):
    months = c.convert(months, t.INT) if months is not None else c.constant(0, t.INT)
    value = c.convert(value, t.DATE)

    def python(days: int, count: int) -> int:
        year, month, _ = moments.calendar(_add_months(days * DAY, count) // DAY)
        return moments.days_of(year, month, calendar.monthrange(year, month)[1])

    return call(c, python, t.DATE, value, months)


@function("ISDATE")
def isdate(c, value):
    def python(held: str) -> int:
        try:
            moments.parse(held, t.DATETIME)
        except SqlError:
            return 0
        return 1

    return replace(call(c, python, t.INT, c.convert(value, t.text(4000, True, c.collation))), nullable=False)
