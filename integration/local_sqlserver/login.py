"""PRELOGIN and LOGIN7 (MS-TDS 2.2.6.4 and 2.2.6.5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

OFF, ON, NOT_SUPPORTED, REQUIRED = 0, 1, 2, 3


def asked_encryption(message: bytes) -> int:
    """What a client's PRELOGIN says of encryption."""
    at = 0
    while at < len(message) and message[at] != 0xFF:
        kind, offset, length = struct.unpack(">BHH", message[at : at + 5])
        if kind == 1 and length:
            return message[offset]
        at += 5
    return NOT_SUPPORTED


def prelogin(product: str, encryption: int) -> bytes:
    """The server's PRELOGIN: version, encryption, instance, thread, no MARS."""
    major, minor, build, *_ = (int(part) for part in product.split("."))
    values = [
        (0, struct.pack(">BBHH", major, minor, build, 0)), (1, bytes([encryption])), (2, b"\0"), (3, b""), (4, b"\0"),
    ]  # fmt: skip
    offset, heads, data = 5 * len(values) + 1, b"", b""
    for kind, value in values:
        heads += struct.pack(">BHH", kind, offset + len(data), len(value))
        data += value
    return heads + b"\xff" + data


@dataclass
class Login:
    """What LOGIN7 says."""

    user: str
    password: str = field(repr=False)
    database: str
    application: str
    host: str
    packet_size: int
    is_read_only: bool
    features: set[int]
    is_integrated: bool


def login(message: bytes) -> Login:
    """Reads LOGIN7."""

    def text(at: int) -> str:
        return _raw(at).decode("utf-16-le", "surrogatepass")

    def _raw(at: int) -> bytes:
        offset, length = struct.unpack_from("<HH", message, at)
        return message[offset : offset + 2 * length]

    # Each byte: halves swapped, then 0xA5 (MS-TDS 2.2.6.4, "password").
    hidden = bytes(((b ^ 0xA5) << 4 & 0xF0) | ((b ^ 0xA5) >> 4) for b in _raw(44))
    return Login(
        user=text(40),
        password=hidden.decode("utf-16-le", "surrogatepass"),
        database=text(68),
        application=text(48),
        host=text(36),
        packet_size=struct.unpack_from("<I", message, 8)[0],
        is_read_only=bool(message[26] & 0x20),
        features=_features(message),
        is_integrated=bool(message[25] & 0x80),
    )


def _features(message: bytes) -> set[int]:
    if not message[27] & 0x10:
        return set()
    (pointer,) = struct.unpack_from("<H", message, 56)
    (at,) = struct.unpack_from("<I", message, pointer)
    found = set()
    while at < len(message) and message[at] != 0xFF:
        found.add(message[at])
        at += 5 + struct.unpack_from("<I", message, at + 1)[0]
    return found
