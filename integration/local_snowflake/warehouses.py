"""Warehouses: names with a state. Nothing runs in them; a login finds its own, and SHOW WAREHOUSES tells of them.

The file is JSON: {"NAME": {"state": "STARTED" | "SUSPENDED", "auto_resume": true}}, both keys optional. Without a file every
warehouse that a login names is there."""

from __future__ import annotations

import re
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .engine import Answer, from_rows

if TYPE_CHECKING:
    from .session import Session

DEFAULT = "LOCAL_WH"
# As SHOW WAREHOUSES is documented, up to the last column that clients here read.
_COLUMNS = (
    "name", "state", "type", "size", "min_cluster_count", "max_cluster_count", "started_clusters", "running",
    "queued", "is_default", "is_current", "auto_suspend", "auto_resume",
)  # fmt: skip


class Warehouses:
    def __init__(self, path: Path | None) -> None:
        self._path = path

    def all(self, session: Session) -> dict[str, dict[str, Any]]:
        if self._path is not None:
            return loads(self._path.read_text())
        return {session.warehouse or DEFAULT: {}}

    def at_login(self, name: str | None) -> str | None:
        """A login that names a warehouse that does not exist succeeds in Snowflake, without a current warehouse."""
        if self._path is None:
            return name or DEFAULT
        return name if name in loads(self._path.read_text()) else None

    def show(self, session: Session, like: str | None) -> Answer:
        rows = []
        for name, facts in sorted(self.all(session).items()):
            if like is not None and not matches(like, name):
                continue
            current = "Y" if name == session.warehouse else "N"
            state, resumes = facts.get("state", "STARTED"), str(facts.get("auto_resume", True)).lower()
            running = "1" if state == "STARTED" else "0"
            rows.append((name, state, "STANDARD", "X-Small", "1", "1", running, "0", "0", "N", current, "600", resumes))
        return from_rows([(column, "VARCHAR") for column in _COLUMNS], rows)


def matches(like: str, name: str) -> bool:
    """SHOW … LIKE ignores case; a backslash takes a wildcard's meaning away."""
    wild = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", like, re.DOTALL)
    pattern = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    return re.fullmatch(pattern, name, re.IGNORECASE | re.DOTALL) is not None
