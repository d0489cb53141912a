"""Translations that are kept in a file, so that a server knows what others have learned.

Tests start many servers, each of which is sent the same statements. The file is of this very stand-in: its name is a hash of all
that a translation depends on. Servers add lines while others read it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PACKAGES = ("duckdb", "fakesnow", "sqlglot")


def _version() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for package in _PACKAGES:
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()[:16]


class Kept:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / f"{_version()}.jsonl"
        for other in directory.glob("*.jsonl"):
            if other != self._path:
                other.unlink(missing_ok=True)

    def read(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        for line in text.split("\n")[:-1]:
            key, value = json.loads(line)
            yield tuple(key), value

    def add(self, key: tuple[str, ...], value: Any) -> None:
        line = json.dumps([key, value], ensure_ascii=False) + "\n"
        # In one piece: others write at the same time.
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
