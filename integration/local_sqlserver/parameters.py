"""Parameters of remote calls: types and values as clients write them (MS-TDS 2.2.6.6)."""

from __future__ import annotations

import struct
from typing import Any

from .values import DEFAULT_COLLATION, MAX, Parameter, SqlError, SqlType
from .wire_types import uuid_of

_TICKS = [10 ** (7 - scale) for scale in range(8)]
_DAY = 864_000_000_000


class Reader:
    """Reads a message from its beginning."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        if len(piece) < size:
            raise SqlError(4002, "The incoming tabular data stream (TDS) protocol stream is incorrect.", 20)
        self.at += size
        return piece

    def number(self, fmt: str) -> int:
        return struct.unpack("<" + fmt, self.take(struct.calcsize("<" + fmt)))[0]

    def text(self, units: int) -> str:
        return self.take(units * 2).decode("utf-16-le", "surrogatepass")

    @property
    def is_at_end(self) -> bool:
        return self.at >= len(self.data)


def skip_headers(reader: Reader) -> None:
    """ALL_HEADERS: the transaction that the client believes to be in, which the session knows itself."""
    length = reader.number("I")
    reader.take(length - 4)


def parameter(reader: Reader) -> Parameter:
    """The next parameter."""
    name = reader.text(reader.number("B"))
    status = reader.number("B")
    kind, value = _value(reader)
    return Parameter(name, kind, value, bool(status & 1))


def _pieces(reader: Reader) -> bytes | None:
    if reader.number("Q") == 0xFFFFFFFFFFFFFFFF:
        return None
    parts = []
    while size := reader.number("I"):
        parts.append(reader.take(size))
    return b"".join(parts)


def _sized(reader: Reader) -> bytes | None:
    size = reader.number("B")
    return reader.take(size) if size else None


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _value(reader: Reader) -> tuple[SqlType, Any]:
    token = reader.number("B")
    if token == 0x26:
        size = reader.number("B")
        name = {1: "tinyint", 2: "smallint", 4: "int", 8: "bigint"}[size]
        data = _sized(reader)
        return SqlType(name), None if data is None else data[0] if len(data) == 1 else _signed(data)
    if token == 0x68:
        reader.take(1)
        data = _sized(reader)
        return SqlType("bit"), None if data is None else data != b"\0"
    if token == 0x6D:
        size = reader.number("B")
        data = _sized(reader)
        return SqlType("real" if size == 4 else "float"), None if data is None else struct.unpack("<f" if len(data) == 4 else "<d", data)[0]
    if token in (0x6A, 0x6C):
        _, precision, scale = reader.take(3)
        data = _sized(reader)
        number = None if data is None else int.from_bytes(data[1:], "little") * (1 if data[0] else -1)
        return SqlType("decimal" if token == 0x6A else "numeric", precision=precision, scale=scale), number
    if token == 0x6E:
        size, data = reader.number("B"), _sized(reader)
        value = None
        if data is not None:
            value = _signed(data) if len(data) == 4 else _signed(data[:4]) << 32 | int.from_bytes(data[4:], "little")
        return SqlType("money" if size == 8 else "smallmoney"), value
    if token == 0x24:
        reader.take(1)
        data = _sized(reader)
        return SqlType("uniqueidentifier"), None if data is None else uuid_of(data)
    if token in (0x28, 0x29, 0x2A, 0x2B, 0x6F):
        return _time(reader, token)
    if token in (0xA7, 0xAF, 0xE7, 0xEF, 0xA5, 0xAD):
        return _string(reader, token)
    if token in (0x23, 0x63, 0x22):
        reader.take(4)
        if token != 0x22:
            reader.take(5)
        size = reader.number("i")
        data = None if size < 0 else reader.take(size)
        name = {0x23: "varchar", 0x63: "nvarchar", 0x22: "varbinary"}[token]
        return SqlType(name, MAX, collation=DEFAULT_COLLATION if token != 0x22 else None), _decoded(name, data)
    if token == 0xF1:
        reader.take(1)
        return SqlType("xml"), _decoded("nvarchar", _pieces(reader))
    raise SqlError(8009, f"The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. Data type 0x{token:02X} is unknown.")  # fmt: skip


def _time(reader: Reader, token: int) -> tuple[SqlType, Any]:
    if token == 0x6F:
        size, data = reader.number("B"), _sized(reader)
        if size == 4:
            return SqlType("smalldatetime"), None if data is None else int.from_bytes(data[:2], "little") * 1440 + int.from_bytes(data[2:], "little")
        value = None if data is None else _signed(data[:4]) * 300 * 86_400 + int.from_bytes(data[4:], "little")
        return SqlType("datetime"), value
    if token == 0x28:
        data = _sized(reader)
        return SqlType("date"), None if data is None else int.from_bytes(data, "little")
    scale, data = reader.number("B"), _sized(reader)
    name = {0x29: "time", 0x2A: "datetime2", 0x2B: "datetimeoffset"}[token]
    kind = SqlType(name, scale=scale)
    if data is None:
        return kind, None
    offset = _signed(data[-2:]) if token == 0x2B else 0
    data = data[:-2] if token == 0x2B else data
    days = int.from_bytes(data[-3:], "little") if token != 0x29 else 0
    ticks = int.from_bytes(data[: -3 if token != 0x29 else None], "little") * _TICKS[scale] + days * _DAY
    return kind, (ticks, offset) if token == 0x2B else ticks


def _string(reader: Reader, token: int) -> tuple[SqlType, Any]:
    length = reader.number("H")
    name = {0xA7: "varchar", 0xAF: "char", 0xE7: "nvarchar", 0xEF: "nchar", 0xA5: "varbinary", 0xAD: "binary"}[token]
    is_text = token not in (0xA5, 0xAD)
    if is_text:
        reader.take(5)
    if length == 0xFFFF:
        data = _pieces(reader)
    else:
        size = reader.number("H")
        data = None if size == 0xFFFF else reader.take(size)
    kind = SqlType(name, MAX if length == 0xFFFF else length, collation=DEFAULT_COLLATION if is_text else None)
    return kind, _decoded(name, data)


def _decoded(name: str, data: bytes | None) -> Any:
    if data is None or name in ("varbinary", "binary"):
        return data
    return data.decode("utf-16-le", "surrogatepass") if name.startswith("n") else data.decode("cp1252", "windows")
