"""Conversions to binary types and from them."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

from . import moments, numbers
from .collations import encode
from .sqltypes import BINARY, CLR, EXACT, INTEGERS, MONEY, TEXT, WIDE
from .values import DEFAULT_COLLATION, MAX, SqlError, SqlType

_SIZES = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "bit": 1, "money": 8, "smallmoney": 4}


def to_bytes(source: SqlType, target: SqlType, style: int | None, explicit: bool) -> Callable:
    """Text and bytes are cut and padded on the right, all else on the left."""
    form = serializer(source, style)
    limit = 8 if target.name == "timestamp" else MAX if target.name == "image" else target.length
    fixed = target.name in ("binary", "timestamp")
    right = source.name in TEXT or source.name in BINARY or source.name == "uniqueidentifier"

    def convert(value):
        data = form(value)
        if limit == MAX:
            return data
        if len(data) > limit:
            if not explicit and right and any(data[limit:]):
                raise SqlError(8152, "String or binary data would be truncated.")
            return data[:limit] if right else data[-limit:]
        if fixed and len(data) < limit:
            return data.ljust(limit, b"\0") if right else data.rjust(limit, b"\0")
        return data

    return convert


def serializer(source: SqlType, style: int | None = None) -> Callable[[object], bytes]:
    """The bytes of a value of any type."""
    a = source.name
    if a in BINARY:
        return bytes
    if a in TEXT:
        if style in (1, 2):
            return lambda value: _from_hex(value, style, a)
        if a in WIDE:
            return lambda value: value.encode("utf-16-le", "surrogatepass")
        collation = source.collation or DEFAULT_COLLATION
        return lambda value: value.encode() if value.isascii() else encode(value, collation)
    if a == "xml":
        return lambda value: b"\xff\xfe" + value.encode("utf-16-le", "surrogatepass")
    if a in _SIZES:
        size = _SIZES[a]
        signed = a not in ("tinyint", "bit")
        return lambda value: int(value).to_bytes(size, "big", signed=signed)
    if a == "float":
        return struct.Struct(">d").pack
    if a == "real":
        return struct.Struct(">f").pack
    if a in EXACT:
        return lambda value: numbers.decimal_bytes(value, source)
    if a == "uniqueidentifier":
        return lambda value: value.bytes_le
    if a in CLR:
        return lambda value: value.data
    if a == "sql_variant":
        return lambda value: serializer(value.type)(value.value)
    return lambda value: _moment_bytes(value, source)


def _from_hex(text: str, style: int, name: str) -> bytes:
    digits = text
    if style == 1:
        if digits[:2].lower() != "0x":
            raise SqlError(8114, f"Error converting data type {name} to varbinary.")
        digits = digits[2:]
    try:
        if len(digits) % 2 or " " in digits:
            raise ValueError
        return bytes.fromhex(digits)
    except ValueError:
        raise SqlError(8114, f"Error converting data type {name} to varbinary.") from None


def _moment_bytes(value: object, type_: SqlType) -> bytes:
    name = type_.name
    if name == "date":
        return value.to_bytes(3, "little")  # type: ignore[attr-defined]
    if name == "datetime":
        days, units = divmod(value, 86400 * 300)  # type: ignore[operator]
        return days.to_bytes(4, "big", signed=True) + units.to_bytes(4, "big")
    if name == "smalldatetime":
        days, minutes = divmod(value, 1440)  # type: ignore[operator]
        return days.to_bytes(2, "big") + minutes.to_bytes(2, "big")
    unit = 10 ** (7 - type_.scale)
    size = 3 if type_.scale <= 2 else 4 if type_.scale <= 4 else 5
    ticks, offset = value if name == "datetimeoffset" else (value, 0)  # type: ignore[misc]
    days, clock = divmod(ticks, moments.DAY)
    data = bytes([type_.scale]) + (clock // unit).to_bytes(size, "little")
    if name != "time":
        data += days.to_bytes(3, "little")
    if name == "datetimeoffset":
        data += offset.to_bytes(2, "little", signed=True)
    return data


def from_bytes(source: SqlType, target: SqlType, style: int | None) -> Callable:
    b = target.name
    if b in INTEGERS or b in MONEY:
        size = _SIZES[b]
        signed = b != "tinyint"
        # The last bytes count: https://learn.microsoft.com/sql/t-sql/data-types/binary-and-varbinary-transact-sql
        return lambda value: int.from_bytes(value[-size:].rjust(size, b"\0"), "big", signed=signed)
    if b == "bit":
        return lambda value: any(value[-1:])
    if b in EXACT:
        return lambda value: _decimal(value, target)
    if b == "uniqueidentifier":
        return lambda value: uuid.UUID(bytes_le=value[:16].ljust(16, b"\0"))
    return lambda value: _moment(value, target)


def _decimal(data: bytes, target: SqlType) -> int:
    value, scale = numbers.decimal_from_bytes(data)
    return numbers.fits(numbers.rescale(value, scale, target.scale), target, "varbinary")


def _moment(data: bytes, target: SqlType) -> object:
    name = target.name
    if name == "datetime":
        data = data[-8:].rjust(8, b"\0")
        return int.from_bytes(data[:4], "big", signed=True) * 86400 * 300 + int.from_bytes(data[4:], "big")
    if name == "smalldatetime":
        data = data[-4:].rjust(4, b"\0")
        return int.from_bytes(data[:2], "big") * 1440 + int.from_bytes(data[2:], "big")
    try:
        if name == "date":
            days = int.from_bytes(data[:3], "little")
            moments.calendar(days)
            return days
        scale = data[0]
        if scale > 7:
            raise ValueError
        size = 3 if scale <= 2 else 4 if scale <= 4 else 5
        ticks = int.from_bytes(data[1 : 1 + size], "little") * 10 ** (7 - scale)
        days = int.from_bytes(data[1 + size : 4 + size], "little") if name != "time" else 0
        moments.calendar(days)
        if name == "datetimeoffset":
            return days * moments.DAY + ticks, int.from_bytes(data[4 + size : 6 + size], "little", signed=True)
        return moments.from_ticks(days * moments.DAY + ticks, 0, target)
    except (IndexError, ValueError, OverflowError):
        raise SqlError(241, "Conversion failed when converting date and/or time from character string.") from None
