"""A port that speaks for a PostgreSQL as Redshift would: statements pass through or are refused, results flow as they are.

https://www.postgresql.org/docs/15/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import struct
from typing import cast

from .rewrite import VERSION, Session

_SSL_REQUEST, _GSSENC_REQUEST, _CANCEL_REQUEST = 80877103, 80877104, 80877102
_PROTOCOL_3 = 3 << 16
# What Redshift does without saying: https://docs.aws.amazon.com/redshift/latest/dg/r_extra_float_digits.html for the
# first; it has no standard_conforming_strings, so that a backslash escapes.
_OPTIONS = (
    "-c extra_float_digits=0 -c standard_conforming_strings=off -c escape_string_warning=off -c backslash_quote=on"
)
# ReadyForQuery, the last message before the client's turn: its tag and length, then the state of the transaction.
_READY = b"Z\0\0\0\5"


def _parameters(body: bytes) -> dict[str, str]:
    words = body.split(b"\0")
    names, values = words[0::2], words[1::2]
    return {name.decode(): value.decode() for name, value in zip(names, values, strict=False) if name}


def startup_message(body: bytes) -> bytes:
    """The client's, with what Redshift does otherwise than PostgreSQL. What the client asks for itself comes after."""
    parameters = _parameters(body)
    if "replication" not in parameters:
        parameters["options"] = f"{_OPTIONS} {parameters.get('options', '')}".rstrip()
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    return struct.pack("!ii", 9 + len(pairs), _PROTOCOL_3) + pairs + b"\0"


def greeting(message: bytes) -> bytes:
    """A message of the server's before the first ReadyForQuery, as Redshift sends it; empty if it does not."""
    if message[:1] != b"S":
        return message
    name, value = message[5:-1].split(b"\0")[:2]
    if name == b"standard_conforming_strings":
        return b""
    if name == b"server_version":
        value = VERSION.encode()
    body = name + b"\0" + value + b"\0"
    return b"S" + struct.pack("!i", 4 + len(body)) + body


def rewritten_message(message: bytes, session: Session, in_transaction: bool) -> bytes:
    """A message of the client's as the server gets it: Query and Parse bring statements."""
    tag = message[:1]
    if tag == b"Q":
        before, text, after = b"", message[5:-1], b"\0"
    elif tag == b"P":
        name, rest = message[5:].split(b"\0", 1)
        text, types = rest.split(b"\0", 1)
        before, after = name + b"\0", b"\0" + types
    else:
        return message
    sql = session.rewrite(text.decode(errors="surrogateescape"), in_transaction)
    body = before + sql.encode(errors="surrogateescape") + after
    return tag + struct.pack("!i", 4 + len(body)) + body


class _Server(asyncio.Protocol):
    """The server's end of a connection."""

    def __init__(self, client: _Client) -> None:
        self.client, self.pending, self.has_begun = client, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self.has_begun:
            data = self._login(data)
        if data:
            self.client.tail = (self.client.tail + data)[-6:] if len(data) < 6 else data[-6:]
            self.client.transport.write(data)

    def _login(self, data: bytes) -> bytes:
        self.pending += data
        messages = []
        while len(self.pending) >= 5 and not self.has_begun:
            length = 1 + struct.unpack_from("!i", self.pending, 1)[0]
            if len(self.pending) < length:
                break
            message, self.pending = self.pending[:length], self.pending[length:]
            self.has_begun = message[:1] == b"Z"
            messages.append(greeting(message))
        if self.has_begun:
            messages.append(self.pending)
        return b"".join(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        self.client.close()

    def pause_writing(self) -> None:
        self.client.transport.pause_reading()

    def resume_writing(self) -> None:
        self.client.transport.resume_reading()


class _Client(asyncio.Protocol):
    """The client's end: its messages are taken apart until the connection is a mere pipe."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.server: _Server | None = None
        self.pending, self.tail = b"", b""
        self.has_begun = False
        self.session = Session()
        self.connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.pending += data
        if self.connecting is None or self.connecting.done():
            self._go_on()

    def _go_on(self) -> None:
        while self.connecting is None or self.connecting.done():
            start = 1 if self.has_begun else 0
            if len(self.pending) < start + 4:
                return
            length = start + struct.unpack_from("!i", self.pending, start)[0]
            if len(self.pending) < length:
                return
            message, self.pending = self.pending[:length], self.pending[length:]
            if self.has_begun:
                self._message(message)
            else:
                self._first(message)

    def _first(self, message: bytes) -> None:
        code = struct.unpack_from("!i", message, 4)[0] if len(message) >= 8 else 0
        if code in (_SSL_REQUEST, _GSSENC_REQUEST):
            # As the server would: it has neither.
            self.transport.write(b"N")
            return
        if code == _PROTOCOL_3:
            self.has_begun = True
            message = startup_message(message[8:])
        # A cancel request goes to the server as it is: the key is the server's own.
        self.connecting = asyncio.get_running_loop().create_task(self._connect(message))

    async def _connect(self, message: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, self.server = await loop.create_connection(lambda: _Server(self), "127.0.0.1", self.server_port)
        except OSError:
            self.close()
            return
        if self.transport.is_closing():
            self.server.transport.abort()
            return
        self.server.transport.write(message)
        # What has come meanwhile waits until this task is done.
        loop.call_soon(self._go_on)

    def _message(self, message: bytes) -> None:
        in_transaction = not (self.tail.startswith(_READY) and self.tail.endswith(b"I"))
        if self.server is not None:
            self.server.transport.write(rewritten_message(message, self.session, in_transaction))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.server is not None:
            self.server.transport.close()

    def close(self) -> None:
        """After what has been received is sent."""
        self.transport.close()

    def pause_writing(self) -> None:
        if self.server is not None:
            self.server.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.server is not None:
            self.server.transport.resume_reading()


async def listen(port: int, server_port: int) -> asyncio.Server:
    """The port that plays Redshift, on 127.0.0.1. An `OSError` if it is taken."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Client(server_port), "127.0.0.1", port, backlog=512)
