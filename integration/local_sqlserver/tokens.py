"""Tokens of an answer (MS-TDS 2.2.7), but for rows."""

from __future__ import annotations

import struct

from .values import Info, SqlError

MORE, ERROR, COUNT, ATTENTION = 0x1, 0x2, 0x10, 0x20
SERVER = "local"


def short_text(text: str) -> bytes:
    """Text whose length in UTF-16 units is one byte."""
    data = text.encode("utf-16-le", "surrogatepass")
    return bytes([len(data) // 2]) + data


def text(value: str) -> bytes:
    """The same with two bytes."""
    data = value.encode("utf-16-le", "surrogatepass")
    return struct.pack("<H", len(data) // 2) + data


def _sized(token: int, data: bytes) -> bytes:
    return struct.pack("<BH", token, len(data)) + data


def _message(token: int, number: int, state: int, severity: int, words: str) -> bytes:
    head = struct.pack("<iBB", number, state, severity)
    return _sized(token, head + text(words[:4000]) + short_text(SERVER) + short_text("") + struct.pack("<I", 1))


def error(problem: SqlError) -> bytes:
    return _message(0xAA, problem.number, problem.state, problem.severity, problem.text)


def info(message: Info) -> bytes:
    return _message(0xAB, message.number, 1, 0 if message.number == 0 else 10, message.text)


def done(status: int, count: int | None = None, *, token: int = 0xFD, command: int = 0xC1) -> bytes:
    """DONE, or DONEPROC (0xFE), or DONEINPROC (0xFF)."""
    if count is not None:
        status |= COUNT
    return struct.pack("<BHHQ", token, status, command, count or 0)


def changed(kind: int, new: str, old: str) -> bytes:
    """ENVCHANGE of a text: database 1, language 2, packet size 4."""
    return _sized(0xE3, bytes([kind]) + short_text(new) + short_text(old))


def changed_collation(new: bytes) -> bytes:
    return _sized(0xE3, bytes([7, len(new)]) + new + bytes([0]))


def changed_transaction(old: int, new: int, *, is_committed: bool) -> bytes:
    """ENVCHANGE of transactions, by their numbers; 0: none."""
    found = b""
    if old:
        found += _sized(0xE3, bytes([9 if is_committed else 10, 0, 8]) + struct.pack("<Q", old))
    if new:
        found += _sized(0xE3, bytes([8, 8]) + struct.pack("<Q", new) + bytes([0]))
    return found


def login_ack(product: str) -> bytes:
    major, minor, build, *_ = (int(part) for part in product.split("."))
    name = short_text("Microsoft SQL Server")
    return _sized(0xAD, b"\x01" + struct.pack(">I", 0x74000004) + name + struct.pack(">BBH", major, minor, build))


def feature_acks(features: set[int]) -> bytes:
    """FEATUREEXTACK: UTF-8 is there, the others are not."""
    if not features:
        return b""
    utf8 = struct.pack("<BIB", 0x0A, 1, 1) if 0x0A in features else b""
    return b"\xae" + utf8 + b"\xff"


def return_status(status: int) -> bytes:
    return struct.pack("<Bi", 0x79, status)
