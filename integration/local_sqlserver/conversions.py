"""Conversions between types, as CAST, CONVERT and assignments make them.

https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from . import moments, numbers
from . import sqltypes as t
from .conversions_bytes import from_bytes, to_bytes
from .conversions_clr import from_clr, from_variant, to_clr, to_xml
from .collations import decode, to_page
from .sqltypes import BINARY, CLR, EXACT, INTEGERS, MONEY, NARROW, NUMERIC, TEMPORAL, TEXT, WIDE
from .values import DEFAULT_COLLATION, MAX, SqlError, SqlType, Udt, Variant

Converter = Callable[[object], object]


def refused(source: SqlType, target: SqlType, explicit: bool) -> SqlError:
    if explicit:
        return SqlError(529, f"Explicit conversion from data type {source.name} to {target.name} is not allowed.")
    if _allowed(source, target):
        return SqlError(
            257,
            f"Implicit conversion from data type {source.name} to {target.name} is not allowed. Use the CONVERT function to run"
            " this query.",
        )
    return SqlError(206, f"Operand type clash: {source.name} is incompatible with {target.name}")


def _allowed(source: SqlType, target: SqlType) -> bool:
    """Whether CAST goes from one to the other, by Microsoft's matrix."""
    a, b = source.name, target.name
    if a == b:
        return True
    if "sql_variant" in (a, b):
        other, its = (a, source) if b == "sql_variant" else (b, target)
        # What is (max) goes into no variant, but a variant goes into (max).
        return other not in ("xml", "text", "ntext", "image", "timestamp") and other not in CLR and (its.length != MAX or b == other)
    if a in CLR or b in CLR:
        other = b if a in CLR else a
        return other in ("varchar", "nvarchar", "char", "nchar", "varbinary", "binary")
    if "xml" in (a, b):
        return (b if a == "xml" else a) in ("varchar", "nvarchar", "char", "nchar", "varbinary", "binary", "text", "ntext")
    if a in ("text", "ntext") or b in ("text", "ntext"):
        return (b if a in ("text", "ntext") else a) in TEXT
    if a == "image" or b == "image":
        return (b if a == "image" else a) in BINARY or b == "image" and a in ("char", "varchar")
    if a in TEXT or b in TEXT:
        return not (a in TEXT and b in CLR)
    if a in BINARY or b in BINARY:
        other = b if a in BINARY else a
        if other in ("float", "real") and a in BINARY:
            return False
        return not (a == "timestamp" and b in TEMPORAL - {"datetime", "smalldatetime"})
    if a == "uniqueidentifier" or b == "uniqueidentifier":
        return False
    if a in TEMPORAL and b in TEMPORAL:
        return not {a, b} == {"date", "time"}
    if a in TEMPORAL or b in TEMPORAL:
        return (b if a in TEMPORAL else a) in NUMERIC and (a if a in TEMPORAL else b) in ("datetime", "smalldatetime")
    return True


def _implicit(source: SqlType, target: SqlType) -> bool:
    """Whether an assignment or a comparison goes from one to the other without CAST."""
    a, b = source.name, target.name
    if not _allowed(source, target):
        return False
    if a == b or b == "sql_variant":
        return True
    if a == "sql_variant" or a in CLR or (b in CLR and a not in TEXT | {"varbinary", "binary"}) or a == "xml":
        return False
    if a in TEXT and b in BINARY or a in ("float", "real") and b in BINARY:
        return False
    if a in BINARY and b in TEXT:
        return a != "image" and b not in ("text", "ntext") and a != "timestamp" or b in ("char", "varchar")
    if a in BINARY and b in TEMPORAL:
        return b in ("datetime", "smalldatetime")
    if a in TEMPORAL and b in NUMERIC | BINARY:
        return False
    if a in TEXT and b in MONEY:
        return True
    if a in MONEY and b in TEXT:
        return False
    return True


@lru_cache(maxsize=4096)
def converter(source: SqlType, target: SqlType, style: int | None = None, explicit: bool = True) -> Converter | None:
    """The function that converts values other than NULL; None where they stay as they are.

    Raises SqlError where such a conversion is not allowed. `explicit`: CAST, which cuts text silently.
    """
    if source == target:
        return None
    if not (_allowed if explicit else _implicit)(source, target):
        raise refused(source, target, explicit)
    a, b = source.name, target.name
    if a == "sql_variant" and b != "sql_variant":
        return from_variant(target, style, converter)
    if b == "sql_variant":
        return lambda value: value if isinstance(value, Variant) else Variant(source, value)
    if b in CLR:
        return to_clr(source, target)
    if a in CLR:
        return from_clr(target, converter)
    if b == "xml":
        return to_xml(source)
    if b in TEXT:
        return _to_text(source, target, style, explicit)
    if b in BINARY:
        return to_bytes(source, target, style, explicit)
    if a in BINARY:
        return from_bytes(source, target, style)
    if b in TEMPORAL:
        return _to_moment(source, target, style)
    if b == "uniqueidentifier":
        return _to_guid(source)
    return _to_number(source, target)


# Numbers

def _to_number(source: SqlType, target: SqlType) -> Converter | None:
    a, b = source.name, target.name
    if a in TEXT:
        return _text_to_number(a, target)
    if a in TEMPORAL:
        unit = 300 * 86400 if a == "datetime" else 1440
        as_float = lambda value: value / unit  # noqa: E731
        if b in ("float", "real"):
            return as_float
        rest = converter(t.FLOAT, target)
        if b in INTEGERS:
            return lambda value: numbers.integer((value + unit // 2) // unit, target)
        return lambda value: rest(as_float(value))
    if b == "bit":
        return bool
    if b in ("float", "real"):
        return _to_float(source, target)
    if a in ("float", "real"):
        return _from_float(target)
    scale = source.scale if a in EXACT else 4 if a in MONEY else 0
    if b in INTEGERS:
        if a in INTEGERS or a == "bit":
            low, high = INTEGERS[b]
            if a != "bit" and (INTEGERS[a][0] < low or INTEGERS[a][1] > high):
                return lambda value: numbers.integer(value, target)
            return int if a == "bit" else None
        unit = 10**scale
        # money is rounded, decimal is cut: both by the page of CAST.
        if a in MONEY:
            return lambda value: numbers.integer(numbers.rescale(value, 4, 0), target)
        return lambda value: numbers.integer(numbers.truncated(value, unit), target)
    if b in MONEY:
        return lambda value: numbers.money(numbers.rescale(int(value), scale, 4), target)
    grows = t.as_decimal(source)
    if scale <= target.scale and grows.precision - grows.scale <= target.precision - target.scale:
        factor = 10 ** (target.scale - scale)
        return None if factor == 1 and a != "bit" else lambda value: value * factor
    return lambda value: numbers.fits(numbers.rescale(int(value), scale, target.scale), target, a)


def _to_float(source: SqlType, target: SqlType) -> Converter | None:
    if source.name in ("float", "real"):
        return numbers.single if target.name == "real" else None
    unit = 10 ** (source.scale if source.name in EXACT else 4 if source.name in MONEY else 0)
    if target.name == "real":
        return lambda value: numbers.single(value / unit)
    return float if unit == 1 else lambda value: value / unit


def _from_float(target: SqlType) -> Converter:
    if target.name in INTEGERS:
        low, high = INTEGERS[target.name]

        def to_integer(value):
            if not low - 1 < value < high + 1:
                raise numbers.overflow("expression", target.name) if target.name in ("int", "bigint") else SqlError(
                    232, f"Arithmetic overflow error for type {target.name}, value = {value:.6f}."
                )
            return numbers.integer(int(value), target)

        return to_integer
    if target.name in MONEY:
        return lambda value: numbers.money(numbers.decimal_of_float(value, 4), target)
    return lambda value: numbers.fits(numbers.decimal_of_float(value, target.scale), target, "float")


def _text_to_number(a: str, target: SqlType) -> Converter:
    b = target.name
    if b == "bit":
        return lambda value: numbers.parse_bit(value, a)
    if b in INTEGERS:
        return lambda value: numbers.parse_integer(value, target, a)
    if b in MONEY:
        return lambda value: numbers.parse_money(value, target, a)
    if b == "float":
        return lambda value: numbers.parse_float(value, a)
    if b == "real":
        return lambda value: numbers.single(numbers.parse_float(value, a))
    return lambda value: numbers.parse_decimal(value, target, a)


# Moments, uniqueidentifier

def _to_moment(source: SqlType, target: SqlType, style: int | None) -> Converter:
    a, b = source.name, target.name
    if a in TEXT:
        return lambda value: moments.parse(value, target, style or 0)
    if a in TEMPORAL:
        if a == "date" and b == "date":
            return lambda value: value
        if b == "datetimeoffset" and a == "datetimeoffset":
            return lambda value: (moments.rounded(value[0], target.scale), value[1])

        def convert(value):
            local, offset = moments.ticks_of(value, source)
            return moments.from_ticks(local, offset, target)

        return convert
    unit = 300 * 86400 if b == "datetime" else 1440
    to_float = converter(source, t.FLOAT) or (lambda value: value)

    def of_days(value):
        units = int(to_float(value) * unit + 0.5)
        if b == "datetime" and not moments.FIRST_DATETIME <= units < (moments.END - moments.EPOCH_1900) * unit:
            raise SqlError(8115, f"Arithmetic overflow error converting expression to data type {b}.")
        return units

    return of_days


def _to_guid(source: SqlType) -> Converter:
    import uuid

    def convert(value):
        text = value.strip()
        text = text[1:-1] if text.startswith("{") and text.endswith("}") else text
        if len(text) < 36 or not _is_guid(text[:36]):
            raise SqlError(8169, "Conversion failed when converting from a character string to uniqueidentifier.")
        return uuid.UUID(text[:36])

    return convert


def _is_guid(text: str) -> bool:
    import re

    return re.fullmatch(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


# Text

def cutter(target: SqlType, explicit: bool, exact: bool = False) -> Converter:
    """What brings a text to its type's length and page. An assignment refuses what is longer (8152, 2628)."""
    limit = t.characters(target)
    wide = target.name in WIDE
    collation = target.collation or DEFAULT_COLLATION
    fixed = target.name in ("char", "nchar")

    def cut(value: str) -> str:
        if not wide and not value.isascii():
            value = to_page(value, collation)
        if limit == MAX:
            return value
        size = len(value) if value.isascii() else units(value) if wide else page_length(value, collation)
        if size > limit:
            shorter = _cut(value, limit, wide, collation)
            if not explicit and value[len(shorter) :].strip(" "):
                raise SqlError(8152, "String or binary data would be truncated.")
            value, size = shorter, limit
        return value + " " * (limit - size) if fixed and size < limit else value

    return cut


def units(text: str) -> int:
    """How many units of UTF-16 a text has."""
    return len(text) + sum(c > "\uffff" for c in text)


def page_length(text: str, collation) -> int:
    from .collations import encode

    return len(text) if text.isascii() else len(encode(text, collation))


def _cut(text: str, limit: int, wide: bool, collation) -> str:
    if text.isascii():
        return text[:limit]
    if wide:
        return text.encode("utf-16-le", "surrogatepass")[: 2 * limit].decode("utf-16-le", "surrogatepass")
    size = 0
    for index, c in enumerate(text):
        size += page_length(c, collation)
        if size > limit:
            return text[:index]
    return text


def _to_text(source: SqlType, target: SqlType, style: int | None, explicit: bool) -> Converter | None:
    a = source.name
    cut = cutter(target, explicit)
    if a in TEXT:
        if target.length == MAX and (target.name in WIDE or (a in NARROW and source.collation == target.collation)):
            return None
        if a == target.name and source.collation == target.collation and 0 < source.length <= target.length:
            if a in ("varchar", "nvarchar"):
                return None
        if a == "nchar" and target.name == "nvarchar" and 0 < source.length <= target.length:
            return None
        return cut
    if a in BINARY:
        return _binary_to_text(target, style, cut)
    show = shower(source, style)
    limit = t.characters(target)
    too_long = _too_long(source, target)

    def convert(value):
        text = show(value)
        if limit != MAX and len(text) > limit:
            return too_long(text)
        return cut(text)

    return convert


def _too_long(source: SqlType, target: SqlType) -> Converter:
    """What happens to a text that is too short for a number, a moment, a uniqueidentifier."""
    limit, a = t.characters(target), source.name
    if a in ("tinyint", "smallint", "int") and target.name in ("char", "varchar"):
        return lambda text: cutter(target, True)("*")
    if a in TEMPORAL:
        return lambda text: text[:limit]

    def fail(text):
        if a == "uniqueidentifier":
            raise SqlError(8170, "Insufficient result space to convert uniqueidentifier value to char.")
        if a in MONEY:
            raise SqlError(234, "There is insufficient result space to convert a money value to varchar.")
        if a in EXACT:
            raise numbers.overflow("numeric", target.name)
        raise numbers.overflow("expression", target.name)

    return fail


def shower(source: SqlType, style: int | None) -> Callable[[object], str]:
    """The text of a value that is neither text nor bytes."""
    a = source.name
    if a in INTEGERS:
        return str
    if a == "bit":
        return lambda value: "1" if value else "0"
    if a in EXACT:
        return lambda value: numbers.show_decimal(value, source.scale)
    if a in MONEY:
        return lambda value: numbers.show_money(value, style)
    if a in ("float", "real"):
        return lambda value: numbers.show_float(value, style, a == "real")
    if a in TEMPORAL:
        return lambda value: moments.show(value, source, style)
    if a == "uniqueidentifier":
        return lambda value: str(value).upper()
    if a == "xml":
        return str
    raise refused(source, t.text(MAX), True)


def _binary_to_text(target: SqlType, style: int | None, cut: Converter) -> Converter:
    limit = t.characters(target)
    if style in (1, 2):
        prefix = "0x" if style == 1 else ""

        def hexadecimal(value):
            # What has no room is cut, at a whole byte.
            room = len(value) if limit == MAX else max((limit - len(prefix)) // 2, 0)
            return cut(prefix + value[:room].hex().upper())

        return hexadecimal
    if target.name in WIDE:
        return lambda value: cut((value + b"\0" * (len(value) % 2)).decode("utf-16-le", "surrogatepass"))
    collation = target.collation or DEFAULT_COLLATION
    return lambda value: cut(decode(value, collation))


__all__ = ["Udt", "converter", "cutter", "page_length", "shower", "units"]
