"""One JSON line per statement, so that a test can ask what was really sent: the budget of statements per
partition, the query tags, the retries. Bind values and secrets are never written."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

# Options whose value is a secret wherever they stand in a statement.
_SECRET = re.compile(
    r"((?:PASSWORD|TOKEN|SECRET\w*|RSA_PUBLIC_KEY\w*|AWS_\w*KEY\w*|AZURE_SAS_TOKEN|CLIENT_SECRET)\s*=\s*)'(?:[^']|'')*'",
    re.IGNORECASE,
)


def redact(sql: str) -> str:
    return _SECRET.sub(r"\1'***'", sql)


class StatementLog:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()

    def write(self, **entry: object) -> None:
        entry["sql"] = redact(str(entry.get("sql", "")))
        line = json.dumps({"time": round(time.time(), 3), **entry}, ensure_ascii=False)
        with self._lock:
            self._file.write(line + "\n")
