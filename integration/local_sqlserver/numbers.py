"""Numbers: their texts, ranges and bytes."""

from __future__ import annotations

import re
import struct

from .sqltypes import INTEGERS
from .values import SqlError, SqlType

_INTEGER = re.compile(r"\s*([+-]?)\s*(\d+)\s*")
_DECIMAL = re.compile(r"\s*([+-]?)\s*(\d*)\.?(\d*)\s*")
_MONEY = re.compile(r"\s*([+-]?)\s*[$£€¥]?\s*([+-]?)([\d,]*)(?:\.(\d*))?\s*")
_FLOAT = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")
_MONEY_RANGES = {"money": (1 << 63), "smallmoney": (1 << 31)}


def overflow(source: str, target: str) -> SqlError:
    return SqlError(8115, f"Arithmetic overflow error converting {source} to data type {target}.")


def integer(value: int, target: SqlType, source: str = "expression") -> int:
    low, high = INTEGERS[target.name]
    if low <= value <= high:
        return value
    if target.name in ("tinyint", "smallint"):
        raise SqlError(220, f"Arithmetic overflow error for data type {target.name}, value = {value}.")
    raise overflow(source, target.name)


def fits(value: int, target: SqlType, source: str = "numeric") -> int:
    """An unscaled number, if a decimal's precision has room for it."""
    if abs(value) >= 10**target.precision:
        raise overflow(source, "numeric")
    return value


def rescale(value: int, scale: int, target: int) -> int:
    """Rounded half away from zero, as decimals are when they are converted."""
    if target >= scale:
        return value * 10 ** (target - scale)
    unit = 10 ** (scale - target)
    return (value + unit // 2) // unit if value >= 0 else -((-value + unit // 2) // unit)


def truncated(value: int, unit: int) -> int:
    return value // unit if value >= 0 else -(-value // unit)


def money(value: int, target: SqlType) -> int:
    limit = _MONEY_RANGES[target.name]
    if -limit <= value < limit:
        return value
    raise SqlError(8115, f"Arithmetic overflow error converting expression to data type {target.name}.")


def single(value: float) -> float:
    """The value in single precision; 8115 beyond its range."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        raise overflow("expression", "real") from None


def decimal_of_float(value: float, scale: int) -> int:
    """Rounded to the scale: the float's own digits first, of which seventeen count."""
    from decimal import ROUND_HALF_UP, Decimal, localcontext

    with localcontext() as context:
        context.prec = 400
        return int(Decimal(value).scaleb(scale).quantize(Decimal(1), ROUND_HALF_UP))


# Texts

def parse_integer(text: str, target: SqlType, source: str) -> int:
    match = _INTEGER.fullmatch(text)
    if match is None:
        if not text.strip():
            return 0
        raise SqlError(245, f"Conversion failed when converting the {source} value '{text}' to data type {target.name}.")
    value = int(match[2]) * (-1 if match[1] == "-" else 1)
    low, high = INTEGERS[target.name]
    if not low <= value <= high:
        if target.name == "bigint":
            raise SqlError(8115, f"Arithmetic overflow error converting expression to data type {target.name}.")
        number = 244 if target.name in ("tinyint", "smallint") else 248
        raise SqlError(number, f"The conversion of the {source} value '{text}' overflowed an {target.name} column.")
    return value


def parse_bit(text: str, source: str) -> bool:
    word = text.strip().lower()
    if word in ("true", "false"):
        return word == "true"
    if re.fullmatch(r"[+-]?\d+", word):
        return int(word) != 0
    if not word:
        return False
    raise SqlError(245, f"Conversion failed when converting the {source} value '{text}' to data type bit.")


def parse_decimal(text: str, target: SqlType, source: str) -> int:
    match = _DECIMAL.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise SqlError(8114, f"Error converting data type {source} to numeric.")
    value = int((match[2] + match[3]) or 0) * (-1 if match[1] == "-" else 1)
    return fits(rescale(value, len(match[3]), target.scale), target, source)


def parse_money(text: str, target: SqlType, source: str) -> int:
    match = _MONEY.fullmatch(text)
    if match is None:
        raise SqlError(235, "Cannot convert a char value to money. The char value has incorrect syntax.")
    digits = (match[3] or "").replace(",", "")
    fraction = match[4] or ""
    value = rescale(int((digits + fraction) or 0), len(fraction), 4)
    return money(-value if "-" in (match[1], match[2]) else value, target)


def parse_float(text: str, source: str) -> float:
    if not text.strip():
        return 0.0
    if _FLOAT.fullmatch(text) is None:
        raise SqlError(8114, f"Error converting data type {source} to float.")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise overflow("expression", "float")
    return value


def show_decimal(value: int, scale: int) -> str:
    if not scale:
        return str(value)
    digits = str(abs(value)).rjust(scale + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def show_money(value: int, style: int | None) -> str:
    if style in (2, 126):
        return show_decimal(value, 4)
    text = show_decimal(rescale(value, 4, 2), 2)
    if style == 1:
        whole, fraction = text.split(".")
        return f"{int(whole):,}.{fraction}" if int(whole) or not whole.startswith("-") else text
    return text


def show_float(value: float, style: int | None, real: bool = False) -> str:
    """https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql, float and real styles"""
    if style == 1:
        return _exponent(f"{value:.7e}")
    if style == 2:
        return _exponent(f"{value:.15e}")
    if style == 3:
        return _exponent(f"{value:.16e}")
    if style in (126, 128, 129):
        return _exponent(f"{value:.{8 if real else 16}e}")
    if style not in (None, 0):
        raise SqlError(281, f"{style} is not a valid style number when converting from float to a character string.")
    return _exponent(f"{value:.6g}") if value else "0"


def _exponent(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{exponent[0]}{int(exponent[1:]):03d}" if exponent else text


# Bytes

def decimal_bytes(value: int, type_: SqlType) -> bytes:
    size = {5: 4, 9: 8, 13: 12, 17: 16}.get(type_.length, 16)
    return bytes([type_.precision, type_.scale, 0, value >= 0]) + abs(value).to_bytes(size, "little")


def decimal_from_bytes(data: bytes) -> tuple[int, int]:
    """(unscaled number, scale)"""
    if len(data) < 5:
        raise SqlError(8114, "Error converting data type varbinary to numeric.")
    value = int.from_bytes(data[4:], "little")
    return (value if data[3] else -value), data[1]
