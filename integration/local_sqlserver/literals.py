"""Constants of T-SQL: https://learn.microsoft.com/sql/t-sql/data-types/constants-transact-sql"""

from __future__ import annotations

from . import nodes as n
from . import sqltypes as t
from .code import Value
from .collations import to_page
from .conversions import page_length, units
from .numbers import parse_money
from .values import Collation, SqlError, SqlType


def literal(node: n.Literal, collation: Collation) -> Value:
    kind, text = node.kind, node.text
    if kind == "null":
        return Value("None", t.INT, True, True, None, null=True)
    held, type_ = _held(kind, text, collation)
    return Value(repr(held), type_, False, True, held)


def _held(kind: str, text: str, collation: Collation) -> tuple[object, SqlType]:
    if kind == "integer":
        value = int(text)
        if value < 1 << 31:
            return value, t.INT
        digits = len(str(value))
        if digits > 38:
            raise SqlError(1007, f"The number '{text}' is out of the range for numeric representation (maximum precision 38).", 15)
        return value, t.decimal(digits, 0, "numeric")
    if kind == "decimal":
        whole, _, fraction = text.partition(".")
        whole = whole.lstrip("0")
        precision = max(len(whole) + len(fraction), 1)
        if precision > 38:
            raise SqlError(1007, f"The number '{text}' is out of the range for numeric representation (maximum precision 38).", 15)
        return int((whole + fraction) or 0), t.decimal(precision, len(fraction), "numeric")
    if kind == "float":
        digits = text if text[-1].isdigit() else text.rstrip("+-") + "0"
        value = float(digits)
        if value == float("inf"):
            raise SqlError(168, f"The floating point value '{text}' is out of the range of computer representation (8 bytes).", 15)
        return value, t.FLOAT
    if kind == "money":
        return parse_money(text[1:] or "0", t.MONEY_TYPE, "char"), t.MONEY_TYPE
    if kind == "binary":
        digits = text[2:]
        data = bytes.fromhex("0" * (len(digits) % 2) + digits)
        return data, t.binary(len(data))
    if kind == "nstring":
        return text, t.text(units(text), True, collation)
    value = to_page(text, collation)
    return value, t.text(page_length(value, collation), False, collation)
