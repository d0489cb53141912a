"""What a session is given with its answers and tells with its statements, so that hybrid tables are read up to date without
waiting: `queryContext` and `queryContextDTO`. Nothing of it is documented. The form is the official drivers' (Python connector
`_query_context_cache.py`, JDBC `QueryContextCache.java`, gosnowflake `query.go`): the context of an entry is text in answers
and {"base64Data": text} or {} in requests. What stands in it is the stand-in's own: a signature, so that nothing has to be
remembered; and the main entry has none, as allowed.

gosnowflake, which leaves all contexts away (`buildQueryContext` in `connection.go`), would be refused.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
import time
import zlib
from typing import Any

from .errors import SnowflakeError

SIZE = "QUERY_CONTEXT_CACHE_SIZE"
# The drivers' default.
DEFAULT_SIZE = 5
_KINDS = {"id": int, "timestamp": int, "priority": int, "context": dict}


class QueryContext:
    """Of one session. The main entry has id and priority 0; then come its current databases, the latest first; none is one too."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._lock = threading.Lock()
        self._first = self._last = time.time_ns() // 1000
        self._databases: list[str] = []

    def give(self, database: str | None, size: int) -> dict[str, Any]:
        """The `queryContext` of an answer, with so many entries at most."""
        with self._lock:
            self._last += 1
            others = [name for name in self._databases if name != (database or "")]
            self._databases = [database or "", *others][: size - 1]
            entries = [{"id": 0, "timestamp": self._last, "priority": 0}]
            for priority, name in enumerate(self._databases, start=1):
                entry = {"id": 1 + zlib.crc32(name.encode()), "timestamp": self._last, "priority": priority}
                entries.append({**entry, "context": self._sign(entry)})
            return {"entries": entries}

    def _sign(self, entry: dict[str, Any]) -> str:
        text = f"{entry['id']}/{entry['timestamp']}/{entry['priority']}"
        return base64.b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode()

    def check(self, told: Any) -> None:
        """The `queryContextDTO` of a request. It may be away, null or empty: what was given may be forgotten."""
        if told is None:
            return
        if not isinstance(told, dict) or told.keys() - {"entries"} or not isinstance(told.get("entries", []), list):
            raise _refused(f"is not {{}} or {{entries: […]}}: {told!r}")
        entries = told.get("entries", [])
        for entry in entries:
            if not _is_well_formed(entry):
                raise _refused(f"has an entry that is not {{id, timestamp, priority, context: {{base64Data}} or {{}}}}: {entry!r}")
            if not self._gave(entry):
                raise _refused(f"has an entry that this session was not given: {entry!r}")
        for key in ("id", "priority"):
            if len({entry[key] for entry in entries}) < len(entries):
                raise _refused(f"has two entries of one {key}: {entries!r}")

    def _gave(self, entry: dict[str, Any]) -> bool:
        context = entry["context"].get("base64Data")
        if entry["id"] == 0:
            return context is None and entry["priority"] == 0 and self._first < entry["timestamp"] <= self._last
        return context is not None and context == self._sign(entry)


def _is_well_formed(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.keys() != _KINDS.keys():
        return False
    if any(type(entry[key]) is not kind for key, kind in _KINDS.items()):
        return False
    context = entry["context"]
    return not context or context.keys() == {"base64Data"} and isinstance(context["base64Data"], str)


def _refused(what: str) -> SnowflakeError:
    # A code of the stand-in's own.
    return SnowflakeError("002999", f"The queryContextDTO of the request {what}", "42000")
