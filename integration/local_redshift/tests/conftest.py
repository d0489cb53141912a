"""A server of the tests' own, by `scripts/local-redshift serve`."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

ROOT = Path(__file__).resolve().parents[3]
Connect = Callable[..., Any]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    data = tmp_path_factory.mktemp("redshift")
    command = [ROOT / "scripts" / "local-redshift", "serve", "--data", data]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.stdin.close()
    process.wait(timeout=60)


@pytest.fixture
def connect(server: dict[str, Any]) -> Iterator[Connect]:
    opened = []

    def open_session(login: str = "source", **more: Any) -> Any:
        sections = tomllib.loads(Path(server[login]).read_text())
        entry = sections.get("admin") or next(iter(sections["connections"]["source"].values()))
        arguments = {"host": entry["host"], "port": entry["port"], "user": entry["username"]}
        arguments |= {"password": entry["password"], "dbname": "dev"} | more
        session = psycopg2.connect(**arguments)
        session.autocommit = True
        opened.append(session)
        return session

    yield open_session
    for session in opened:
        session.close()
