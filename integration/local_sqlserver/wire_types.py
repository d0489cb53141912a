"""Types and values on the wire (MS-TDS 2.2.5.4 to 2.2.5.6): how a column is described, and its values written and read."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from typing import Any

from .collations import rules
from .tokens import short_text, text
from .values import DEFAULT_COLLATION, MAX, Collation, Column, SqlType, Udt, Variant

Encoder = Callable[[Any], bytes]

_INTEGERS = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}
_LENGTHS = {"char": 0xAF, "varchar": 0xA7, "nchar": 0xEF, "nvarchar": 0xE7, "binary": 0xAD, "varbinary": 0xA5, "timestamp": 0xAD}
_LARGE = {"text": 0x23, "ntext": 0x63, "image": 0x22}
_UDTS = {"hierarchyid", "geometry", "geography"}
WIDE = {"nchar", "nvarchar", "ntext", "xml"}
_TEXT = {"char", "varchar", "text", *WIDE}
_POINTER = bytes([16]) + b"dummy textptr\0\0\0" + b"dummyTS\0"
# A piece of a long value.
_CHUNK = 8000
# Of a language, as Windows numbers them, by the page of its text.
_LANGUAGES = {
    "cp1252": 0x0409, "cp1250": 0x0415, "cp1251": 0x0419, "cp1253": 0x0408, "cp1254": 0x041F, "cp1255": 0x040D, "cp1256": 0x0401,
    "cp1257": 0x0427, "cp1258": 0x042A, "cp874": 0x041E, "cp932": 0x0411, "cp936": 0x0804, "cp949": 0x0412, "cp950": 0x0404,
}  # fmt: skip
_TICKS = [10 ** (7 - scale) for scale in range(8)]
_DAY = 864_000_000_000


def collation_bytes(collation: Collation | None) -> bytes:
    """The five bytes of a collation: language, flags, sort."""
    known = rules((collation or DEFAULT_COLLATION).name)
    if known.name.lower() == DEFAULT_COLLATION.name.lower():
        return bytes.fromhex("0904D00034")
    flags = 0 if known.case else 1
    flags |= 0 if known.accent else 2
    flags |= (0 if known.width else 4) | (0 if known.kana else 8)
    flags |= {"BIN": 0x10, "BIN2": 0x20}.get(known.binary, 0) | (0x40 if known.utf8 else 0)
    return struct.pack("<I", _LANGUAGES.get(known.codec, 0x0409) | flags << 20 | 2 << 28) + b"\0"


def codec_of(kind: SqlType) -> str:
    known = rules((kind.collation or DEFAULT_COLLATION).name)
    return "utf-8" if known.utf8 else known.codec


def _time_bytes(scale: int) -> int:
    return 3 if scale <= 2 else 4 if scale <= 4 else 5


def _decimal_bytes(precision: int) -> int:
    return 4 if precision <= 9 else 8 if precision <= 19 else 12 if precision <= 28 else 16


def description(kind: SqlType) -> bytes:
    """TYPE_INFO."""
    name = kind.name
    if name in _INTEGERS:
        return bytes([0x26, _INTEGERS[name]])
    match name:
        case "bit":
            return b"\x68\x01"
        case "real" | "float":
            return bytes([0x6D, 4 if name == "real" else 8])
        case "money" | "smallmoney":
            return bytes([0x6E, 8 if name == "money" else 4])
        case "datetime" | "smalldatetime":
            return bytes([0x6F, 8 if name == "datetime" else 4])
        case "decimal" | "numeric":
            token = 0x6A if name == "decimal" else 0x6C
            return bytes([token, _decimal_bytes(kind.precision) + 1, kind.precision, kind.scale])
        case "uniqueidentifier":
            return b"\x24\x10"
        case "date":
            return b"\x28"
        case "time" | "datetime2" | "datetimeoffset":
            return bytes([{"time": 0x29, "datetime2": 0x2A, "datetimeoffset": 0x2B}[name], kind.scale])
        case "xml":
            return b"\xf1\0"
        case "sql_variant":
            return b"\x62" + struct.pack("<I", 8009)
    if name in _UDTS:
        qualified = f"Microsoft.SqlServer.Types.Sql{name.capitalize()}, Microsoft.SqlServer.Types, Version=16.0.0.0"
        return b"\xf0\xff\xff" + short_text("") + short_text("sys") + short_text(name) + text(qualified)
    collation = collation_bytes(kind.collation) if name in _TEXT else b""
    if name in _LARGE:
        return bytes([_LARGE[name]]) + struct.pack("<I", 0x7FFFFFFF) + collation
    length = 0xFFFF if kind.length == MAX else max(kind.length, 1)
    return bytes([_LENGTHS[name]]) + struct.pack("<H", length) + collation


def metadata(columns: list[Column]) -> bytes:
    """COLMETADATA."""
    parts = [struct.pack("<BH", 0x81, len(columns))]
    for column in columns:
        user_type = 0x50 if column.type.name == "timestamp" else 0
        parts.append(struct.pack("<IH", user_type, 0x09 if column.nullable else 0x08) + description(column.type))
        if column.type.name in _LARGE:
            # The table, in one part.
            parts.append(b"\x01" + text("t"))
        parts.append(short_text(column.name))
    return b"".join(parts)


# Values


def _sized(fmt: str, size: int) -> Encoder:
    pack = struct.Struct("<B" + fmt).pack
    return lambda v: b"\0" if v is None else pack(size, v)


def _integer_bytes(name: str) -> Encoder:
    return _sized({"tinyint": "B", "smallint": "h", "int": "i", "bigint": "q"}[name], _INTEGERS[name])


def _decimal(precision: int) -> Encoder:
    size = _decimal_bytes(precision)

    def encode(value: int | None) -> bytes:
        if value is None:
            return b"\0"
        return bytes([size + 1, 1 if value >= 0 else 0]) + abs(value).to_bytes(size, "little")

    return encode


def _money(value: int) -> bytes:
    return struct.pack("<iI", value >> 32, value & 0xFFFFFFFF)


def _datetime(value: int) -> bytes:
    days, ticks = divmod(value, 300 * 86_400)
    return struct.pack("<iI", days, ticks)


def time_bytes(ticks: int, scale: int) -> bytes:
    return (ticks // _TICKS[scale]).to_bytes(_time_bytes(scale), "little")


def datetime2_bytes(ticks: int, scale: int) -> bytes:
    days, time = divmod(ticks, _DAY)
    return time_bytes(time, scale) + days.to_bytes(3, "little")


def _of_size(make: Callable[[Any], bytes]) -> Encoder:
    """The value behind its length in one byte."""

    def encode(value: Any) -> bytes:
        if value is None:
            return b"\0"
        data = make(value)
        return bytes([len(data)]) + data

    return encode


def raw_bytes(kind: SqlType) -> Callable[[Any], bytes]:
    """The bytes of a text or binary value."""
    if kind.name in WIDE:
        return lambda v: v.encode("utf-16-le", "surrogatepass")
    if kind.name in _TEXT:
        codec = codec_of(kind)
        return lambda v: v.encode(codec, "windows" if codec != "utf-8" else "surrogatepass")
    return bytes


def _chunked(data: bytes) -> bytes:
    """PLP: the whole length, pieces, an end."""
    parts = [struct.pack("<Q", len(data))]
    for at in range(0, len(data), _CHUNK):
        piece = data[at : at + _CHUNK]
        parts += [struct.pack("<I", len(piece)), piece]
    parts.append(b"\0\0\0\0")
    return b"".join(parts)


def encoder(kind: SqlType) -> Encoder:
    """How values of a column are written."""
    name = kind.name
    if name in _INTEGERS:
        return _integer_bytes(name)
    match name:
        case "bit":
            return lambda v: b"\0" if v is None else b"\x01\x01" if v else b"\x01\0"
        case "real":
            return _sized("f", 4)
        case "float":
            return _sized("d", 8)
        case "money":
            return _of_size(_money)
        case "smallmoney":
            return _sized("i", 4)
        case "datetime":
            return _of_size(_datetime)
        case "smalldatetime":
            return _of_size(lambda v: struct.pack("<HH", *divmod(v, 1440)))
        case "decimal" | "numeric":
            return _decimal(kind.precision)
        case "uniqueidentifier":
            return _of_size(lambda v: v.bytes_le)
        case "date":
            return _of_size(lambda v: v.to_bytes(3, "little"))
        case "time":
            return _of_size(lambda v: time_bytes(v, kind.scale))
        case "datetime2":
            return _of_size(lambda v: datetime2_bytes(v, kind.scale))
        case "datetimeoffset":
            return _of_size(lambda v: datetime2_bytes(v[0], kind.scale) + struct.pack("<h", v[1]))
        case "sql_variant":
            return _variant
    if name in _UDTS:
        return lambda v: b"\xff" * 8 if v is None else _chunked(v.data if isinstance(v, Udt) else bytes(v))
    raw = raw_bytes(kind)
    if name in _LARGE:
        return lambda v: b"\0" if v is None else _POINTER + _long(raw(v))
    if name == "xml" or kind.length == MAX:
        return lambda v: b"\xff" * 8 if v is None else _chunked(raw(v))
    return lambda v: b"\xff\xff" if v is None else _short(raw(v))


def _long(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def _short(data: bytes) -> bytes:
    return struct.pack("<H", len(data)) + data


_FIXED = {
    "tinyint": (0x30, "B"), "bit": (0x32, "B"), "smallint": (0x34, "h"), "int": (0x38, "i"), "bigint": (0x7F, "q"),
    "real": (0x3B, "f"), "float": (0x3E, "d"), "smallmoney": (0x7A, "i"),
}  # fmt: skip


def _variant(value: Variant | None) -> bytes:
    if value is None:
        return b"\0\0\0\0"
    kind, inner, name = value.type, value.value, value.type.name
    properties = b""
    if name in _FIXED:
        token, fmt = _FIXED[name]
        data = struct.pack("<" + fmt, inner)
    elif name in _TEXT:
        token, data = _LENGTHS[name], raw_bytes(kind)(inner)
        properties = collation_bytes(kind.collation) + struct.pack("<H", max(kind.length, len(data)))
    elif name in ("binary", "varbinary"):
        token, data = _LENGTHS[name], inner
        properties = struct.pack("<H", max(kind.length, len(data)))
    elif name in ("decimal", "numeric"):
        token, properties = description(kind)[0], bytes([kind.precision, kind.scale])
        data = bytes([1 if inner >= 0 else 0]) + abs(inner).to_bytes(16, "little")
    else:
        whole = encoder(kind)(inner)
        tokens = {"money": 0x3C, "datetime": 0x3D, "smalldatetime": 0x3A}
        token, data = tokens.get(name) or description(kind)[0], whole[1:]
        if name in ("time", "datetime2", "datetimeoffset"):
            properties = bytes([kind.scale])
    return _long(bytes([token, len(properties)]) + properties + data)


# Values that one call packs together, each behind its length.
_PACKED = {"tinyint": "B", "smallint": "h", "int": "i", "bigint": "q", "bit": "?", "real": "f", "float": "d", "smallmoney": "i"}


def row_encoder(columns: list[Column]) -> Encoder:
    """One function that writes a row."""
    encoders = {f"e{i}": encoder(column.type) for i, column in enumerate(columns)}
    parts = " + ".join(f"e{i}(r[{i}])" for i in range(len(columns)))
    general = eval(f"lambda r: b'\\xd1' + {parts}", encoders)  # noqa: S307: names of our own
    formats = [_PACKED.get(column.type.name) for column in columns]
    if None in formats:
        return general
    sizes = [struct.calcsize("<" + fmt) for fmt in formats]
    arguments = ", ".join(f"{size}, r[{i}]" for i, size in enumerate(sizes))
    pack = struct.Struct("<B" + "".join("B" + fmt for fmt in formats)).pack
    names = {"pack": pack, "general": general}
    return eval(f"lambda r: general(r) if None in r else pack(0xD1, {arguments})", names)  # noqa: S307: numbers of our own


def uuid_of(data: bytes) -> uuid.UUID:
    return uuid.UUID(bytes_le=data)
