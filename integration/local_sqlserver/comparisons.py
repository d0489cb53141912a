"""What orders values of a type, and the keys that groups and joins go by."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from . import sqltypes as t
from .collations import key_function
from .values import DEFAULT_COLLATION, SqlError, SqlType, Variant


def incomparable(type_: SqlType) -> SqlError:
    if type_.name in ("text", "ntext", "image"):
        return SqlError(
            306, "The text, ntext, and image data types cannot be compared or sorted, except when using IS NULL or LIKE operator."
        )
    if type_.name == "xml":
        return SqlError(305, "The xml data type cannot be compared or sorted, except when using the IS NULL operator.")
    return SqlError(403, f"Invalid operator for data type. Operator equals equal to, type equals {type_.name}.")


def guid_key(value) -> bytes:
    """https://learn.microsoft.com/sql/connect/ado-net/sql/compare-guid-uniqueidentifier-values"""
    data = value.bytes_le
    return data[10:] + data[8:10] + data[6:8] + data[4:6] + data[:4]


def _binary_key(value: bytes) -> bytes:
    return value.rstrip(b"\0")


def _instant(value: tuple[int, int]) -> int:
    return value[0]


@lru_cache(maxsize=1024)
def key_of(type_: SqlType) -> Callable | None:
    """The function from a value to its key, None where values are their own; an error where nothing orders them."""
    name = type_.name
    if name in ("text", "ntext", "image", "xml", "geometry", "geography"):
        raise incomparable(type_)
    if name in t.TEXT:
        return key_function(type_.collation or DEFAULT_COLLATION, name in t.WIDE)
    if name == "uniqueidentifier":
        return guid_key
    if name in t.BINARY:
        return _binary_key
    if name == "datetimeoffset":
        return _instant
    if name == "hierarchyid":
        return lambda value: value.data
    if name == "sql_variant":
        return variant_key
    return None


# https://learn.microsoft.com/sql/t-sql/data-types/sql-variant-transact-sql: families of types, lowest first.
def _family(name: str) -> int:
    if name in t.BINARY:
        return 0
    if name == "uniqueidentifier":
        return 1
    if name in t.TEXT:
        return 2
    if name in t.NUMERIC:
        return 4 if name in t.APPROXIMATE else 3
    return 5


def variant_key(value: Variant) -> tuple:
    from fractions import Fraction

    from .conversions import converter

    family, type_, held = _family(value.type.name), value.type, value.value
    if family == 3:
        scale = type_.scale if type_.name in t.EXACT else 4 if type_.name in t.MONEY else 0
        return family, Fraction(int(held), 10**scale)
    if family == 5:
        convert = converter(type_, t.DATETIMEOFFSET)
        return family, (held if convert is None else convert(held))[0]
    key = key_of(type_)
    held = held if key is None else key(held)
    return family, held if not isinstance(held, str) else held.encode("utf-8", "surrogatepass")
