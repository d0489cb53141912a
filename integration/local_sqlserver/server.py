"""Listens, and gives each client a thread."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from pathlib import Path

from .connection import Connection
from .engine import Engine
from .faults import Faults
from .packets import Channel
from .sessions import Session


class Server:
    """A server on 127.0.0.1. `context`: its certificate; without one it offers no TLS."""

    def __init__(self, engine: Engine, context: ssl.SSLContext | None = None, *, requires_tls: bool = False, log: Path | None = None):
        self.engine, self.faults = engine, Faults()
        self.requires_tls, self._context = requires_tls, context
        self._log, self._log_lock = log, threading.Lock()
        self._listener: socket.socket | None = None

    @property
    def offers_tls(self) -> bool:
        return self._context is not None

    def start(self, port: int = 0) -> int:
        """Begins to listen; answers the port."""
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()
        return self._listener.getsockname()[1]

    def stop(self) -> None:
        if self._listener is not None:
            # Closing alone leaves the thread waiting, and the port taken.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self) -> None:
        assert self._listener is not None
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, Channel(peer, self._context))
            threading.Thread(target=connection.serve, daemon=True).start()

    def note(self, session: Session, text: str) -> None:
        """Writes a statement down, one JSON object a line."""
        if self._log is None:
            return
        line = json.dumps({"spid": session.spid, "login": session.login, "database": session.database, "application": session.application, "sql": text})  # fmt: skip
        with self._log_lock, self._log.open("a") as file:
            file.write(line + "\n")
