"""Packets of the protocol TDS (MS-TDS 2.2.3): messages in pieces, each with a header of eight bytes.

A channel carries them over a socket, in the clear or through TLS. TLS is made within PRELOGIN packets (MS-TDS 3.2.5.1), or
before everything, which is TDS 8.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading

BATCH, RPC, ANSWER, ATTENTION, TRANSACTION, LOGIN, PRELOGIN = 0x01, 0x03, 0x04, 0x06, 0x0E, 0x10, 0x12
_HEADER = struct.Struct(">BBHHBB")
_LAST = 0x01
_TLS_RECORD = 0x16


class Closed(Exception):
    """The client has gone."""


class Channel:
    """A connection with a client. One thread reads, another writes."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None):
        self._socket, self._context = sock, context
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._lock = threading.Lock()
        self.packet_size, self.spid = 4096, 0
        self._number = 0

    # Bytes

    def _raw(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._socket.recv(min(size, 1 << 16))
            if not part:
                raise Closed
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _read(self, size: int) -> bytes:
        if self._tls is None:
            return self._raw(size)
        data = b""
        while len(data) < size:
            with self._lock:
                try:
                    data += self._tls.read(size - len(data))
                    continue
                except ssl.SSLWantReadError:
                    pass
            arrived = self._socket.recv(1 << 16)
            if not arrived:
                raise Closed
            with self._lock:
                self._incoming.write(arrived)
        return data

    def _write(self, data: bytes) -> None:
        if self._tls is None:
            self._socket.sendall(data)
            return
        with self._lock:
            self._tls.write(data)
            sealed = self._outgoing.read()
        self._socket.sendall(sealed)

    # Messages

    def read(self) -> tuple[int, bytes]:
        """The next message: its type and content."""
        parts = []
        while True:
            kind, status, length, *_ = _HEADER.unpack(self._read(8))
            if length < 8:
                # Not this protocol.
                raise Closed
            parts.append(self._read(length - 8))
            if status & _LAST:
                return kind, b"".join(parts)

    def write(self, kind: int, data: bytes, *, is_last: bool) -> None:
        """A piece of a message that fits a packet."""
        self._number = (self._number + 1) % 256
        header = _HEADER.pack(kind, _LAST if is_last else 0, len(data) + 8, self.spid, self._number, 0)
        self._write(header + data)

    # TLS

    def is_strict(self) -> bool:
        """Whether the client begins with TLS."""
        return self._socket.recv(1, socket.MSG_PEEK) == bytes([_TLS_RECORD])

    def begin_tls(self, *, is_strict: bool) -> None:
        """The handshake; what follows is protected."""
        assert self._context is not None
        tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                is_done = True
            except ssl.SSLWantReadError:
                is_done = False
            except ssl.SSLError as error:
                raise Closed from error
            if sealed := self._outgoing.read():
                if is_strict:
                    self._socket.sendall(sealed)
                else:
                    self.write(PRELOGIN, sealed, is_last=True)
            if is_done:
                break
            if is_strict:
                arrived = self._socket.recv(1 << 16)
                if not arrived:
                    raise Closed
            else:
                arrived = self.read()[1]
            self._incoming.write(arrived)
        self._tls = tls

    def end_tls(self) -> None:
        """Only the login was protected (ENCRYPT_OFF on both sides)."""
        self._tls = None

    @property
    def is_encrypted(self) -> bool:
        return self._tls is not None

    def cut(self) -> None:
        """Ends the connection as a lost network does: with a reset, and nothing said."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()


class Answer:
    """The answer to a request, sent as it grows."""

    def __init__(self, channel: Channel):
        self._channel = channel
        self._waiting = bytearray()

    def add(self, data: bytes) -> None:
        self._waiting += data
        size = self._channel.packet_size - 8
        if len(self._waiting) <= size:
            return
        at, view = 0, bytes(self._waiting)
        # Something stays for the last packet.
        while len(view) - at > size:
            self._channel.write(ANSWER, view[at : at + size], is_last=False)
            at += size
        self._waiting = bytearray(view[at:])

    def end(self) -> None:
        self._channel.write(ANSWER, bytes(self._waiting), is_last=True)
        self._waiting = bytearray()
