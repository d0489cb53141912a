"""Failures on purpose, by lines of JSON at a control port, each answered with `ok`:

    {"fault": "error", "after_rows": 334, "number": 1205, "times": 1}   the next result of so many rows ends with the error
    {"fault": "cut", "after_rows": 1200, "times": 1}                    the same, and the connection is reset within a row
    {"fault": "refuse_login", "number": 40613, "times": 1}              the next logins
    {"fault": "fail_statement", "contains": "FROM [t]", "number": 40197, "times": 1}
    {"fault": "clear"}
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterable, Iterator

from .values import SqlError

_WORDS = {
    1205: "Transaction (Process ID 55) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.",
    1222: "Lock request time out period exceeded.",
    18456: "Login failed for user 'somebody'.",
    40197: "The service has encountered an error processing your request. Please try again. Error code 40197.",
    40501: "The service is currently busy. Retry the request after 10 seconds. Incident ID: 00000000-0000-0000-0000-000000000000. Code: 0.",
    40613: "Database 'db' on server 'local' is not currently available. Please retry the connection later.",
}  # fmt: skip


_NEEDS_NUMBER = {"error": True, "cut": False, "refuse_login": True, "fail_statement": True, "clear": False}


class Cut(Exception):
    """The connection is to be reset now."""


def error(number: int) -> SqlError:
    return SqlError(number, _WORDS.get(number, f"Error {number}, on purpose."), 13 if number == 1205 else 17)


class Faults:
    """What is still to fail."""

    def __init__(self) -> None:
        self._lock, self._waiting = threading.Lock(), []

    def add(self, fault: dict) -> None:
        """Takes a fault. ValueError: it is none, or lacks its number."""
        if fault["fault"] not in _NEEDS_NUMBER:
            raise ValueError(f"no fault {fault['fault']!r}: one of {', '.join(_NEEDS_NUMBER)}")
        if _NEEDS_NUMBER[fault["fault"]] and not isinstance(fault.get("number"), int):
            raise ValueError(f"{fault['fault']} lacks the number of an error")
        with self._lock:
            if fault["fault"] == "clear":
                self._waiting.clear()
            elif fault.get("times", 1) > 0:
                self._waiting.append(dict(fault))

    def _take(self, kind: str, statement: str = "", after_rows: int = 0) -> dict | None:
        with self._lock:
            for fault in self._waiting:
                if fault["fault"] != kind or fault.get("after_rows", 0) != after_rows:
                    continue
                if fault.get("contains", "") in statement:
                    fault["times"] = fault.get("times", 1) - 1
                    if fault["times"] < 1:
                        self._waiting.remove(fault)
                    return fault
        return None

    def at_login(self) -> None:
        if fault := self._take("refuse_login"):
            raise error(fault["number"])

    def at_statement(self, statement: str) -> None:
        if fault := self._take("fail_statement", statement):
            raise error(fault["number"])

    def in_rows(self, rows: Iterable[tuple], statement: str) -> Iterator[tuple]:
        """The rows, until something is to fail that comes after so many."""
        if self._waiting:
            self._fail_after(0, statement)
        for number, row in enumerate(rows, 1):
            yield row
            if self._waiting:
                self._fail_after(number, statement)

    def _fail_after(self, number: int, statement: str) -> None:
        for kind in ("error", "cut"):
            if fault := self._take(kind, statement, number):
                raise Cut if kind == "cut" else error(fault["number"])

    def serve(self, port: int = 0) -> int:
        """Takes lines at a port of this machine; answers which."""
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._take_lines, args=(listener,), daemon=True).start()
        return listener.getsockname()[1]

    def _take_lines(self, listener: socket.socket) -> None:
        while True:
            peer, _ = listener.accept()
            with peer, peer.makefile("rw", encoding="utf-8") as stream:
                try:
                    self.add(json.loads(stream.readline()))
                    stream.write("ok\n")
                except (ValueError, KeyError, TypeError) as problem:
                    stream.write(f"error: {problem}\n")
