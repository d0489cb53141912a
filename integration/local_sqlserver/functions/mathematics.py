"""https://learn.microsoft.com/sql/t-sql/functions/mathematical-functions-transact-sql"""

from __future__ import annotations

import math

from .. import numbers
from .. import sqltypes as t
from ..code import Value
from ..values import SqlError
from .registry import call, function, invalid_argument


def _number(c, value: Value, name: str) -> Value:
    """The argument as a number: text becomes float, bit too."""
    kind = value.type.name
    if value.null or kind in t.TEXT or kind == "bit":
        return c.convert(value, t.FLOAT)
    if kind not in t.NUMERIC:
        raise invalid_argument(value, 1, name)
    return value


def _scale(value: Value) -> int:
    return value.type.scale if value.type.name in t.EXACT else 4 if value.type.name in t.MONEY else 0


@function("ABS")
def absolute(c, value):
    value = _number(c, value, "abs")
    if value.type.name in t.INTEGERS:
        return call(c, lambda held: numbers.integer(abs(held), value.type), value.type, value)
    return c.apply("abs({})", value.type, value)


@function("SIGN")
def sign(c, value):
    value = _number(c, value, "sign")
    unit = 10 ** _scale(value)
    type_ = t.INT if value.type.name in ("tinyint", "smallint") else value.type
    return call(c, lambda held: (held > 0) * unit - (held < 0) * unit, type_, value)


def _to_whole(name: str, up: bool):
    @function(name)
    def made(c, value):
        value = _number(c, value, name.lower())
        if value.type.name in t.APPROXIMATE:
            return call(c, lambda held: float(math.ceil(held) if up else math.floor(held)), t.FLOAT, value)
        unit = 10 ** _scale(value)
        if unit == 1:
            return value
        type_ = t.decimal(value.type.precision, 0) if value.type.name in t.EXACT else value.type
        factor = 1 if value.type.name in t.EXACT else unit
        return call(c, lambda held: (-(-held // unit) if up else held // unit) * factor, type_, value)


_to_whole("FLOOR", False)
_to_whole("CEILING", True)


@function("ROUND", least=2, most=3)
def rounding(c, value, length, cut=None):
    value, length = _number(c, value, "round"), c.convert(length, t.INT)
    cut = c.convert(cut, t.INT) if cut is not None else c.constant(0, t.INT)
    scale = _scale(value)
    if value.type.name in t.APPROXIMATE:

        def of_float(held: float, digits: int, cut: int) -> float:
            unit = 10.0**digits
            return math.trunc(held * unit) / unit if cut else math.copysign(math.floor(abs(held) * unit + 0.5) / unit, held)

        return call(c, of_float, t.FLOAT, value, length, cut)

    def python(held: int, digits: int, cut: int) -> int:
        if digits >= scale:
            return held
        unit = 10 ** (scale - digits)
        part = abs(held) // unit if cut else (abs(held) + unit // 2) // unit
        return part * unit * (1 if held >= 0 else -1)

    if value.type.name in t.INTEGERS:
        return call(c, lambda h, d, x: numbers.integer(python(h, d, x), value.type), value.type, value, length, cut)
    return call(c, python, value.type, value, length, cut)


@function("POWER", least=2)
def power(c, value, exponent):
    value, exponent = _number(c, value, "power"), c.convert(exponent, t.FLOAT)
    scale = _scale(value)
    kind = value.type.name

    def python(held, by: float):
        try:
            if held < 0 and by != int(by):
                raise SqlError(3623, "An invalid floating point operation occurred.")
            if kind in t.APPROXIMATE:
                return float(held) ** by
            if by == int(by) and by >= 0:
                total = numbers.rescale(held ** int(by), scale * int(by), scale)
            else:
                total = numbers.decimal_of_float((held / 10**scale) ** by, scale)
        except (OverflowError, ZeroDivisionError):
            raise numbers.overflow("expression", kind) from None
        if kind in t.INTEGERS:
            return numbers.integer(total, value.type)
        return total

    type_ = t.INT if kind in ("tinyint", "smallint") else t.decimal(38, scale) if kind in t.EXACT else value.type
    return call(c, python, type_, value, exponent)


def _float(name: str, python) -> None:
    @function(name)
    def made(c, value):
        def checked(held: float) -> float:
            try:
                return python(held)
            except (ValueError, OverflowError):
                raise SqlError(3623, "An invalid floating point operation occurred.") from None

        return call(c, checked, t.FLOAT, c.convert(value, t.FLOAT))


for _name in ("SQRT", "EXP", "SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN", "LOG10"):
    _float(_name, getattr(math, _name.lower()))
_float("LOG", math.log)
_float("SQUARE", lambda held: held * held)
_float("DEGREES", math.degrees)
_float("RADIANS", math.radians)


@function("PI", least=0)
def pi(c):
    return c.constant(math.pi, t.FLOAT)


@function("RAND", least=0, most=1)
def rand(c, seed=None):
    import random

    helper = c.code.constant(random.Random)
    if seed is None:
        return Value(c.code.let(f"{helper}().random()"), t.FLOAT, False)
    return c.apply(f"{helper}({{}}).random()", t.FLOAT, c.convert(seed, t.INT))


@function("ISNUMERIC")
def isnumeric(c, value):
    def python(held: str) -> int:
        try:
            numbers.parse_float(held, "varchar")
        except SqlError:
            return 0
        return int(bool(held.strip()))

    return call(c, python, t.INT, c.convert(value, t.text(8000, False, c.collation)))
