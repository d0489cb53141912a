"""Servers for the tests, each a process that ends with the test run; clients of both kinds."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector

PACKAGES = Path(__file__).resolve().parents[2]


class Process:
    def __init__(self, data: Path, *options: str) -> None:
        self.data, self.options = data, options
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "local_snowflake", "serve", "--data", str(self.data), "--exit-with-stdin"]
        self.process = subprocess.Popen(
            [*command, *self.options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PACKAGES), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        line = self.process.stdout.readline()
        assert line, "the server did not start"
        self.port = json.loads(line)["port"]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def connect(self, **options: Any) -> snowflake.connector.SnowflakeConnection:
        return snowflake.connector.connect(
            **{"user": "tester", "password": "secret-password", "account": "local", "host": "127.0.0.1",
               "port": self.port, "protocol": "http", "login_timeout": 10, **options}
        )  # fmt: skip

    def raw(self, **options: Any) -> Raw:
        return Raw(self.port, **options)


class Raw:
    """HTTP as the product's client speaks it: JSON results, no session parameters, requestId in the URL."""

    def __init__(self, port: int, data: dict[str, Any] | None = None, query: str = "") -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.token = ""
        login = {"ACCOUNT_NAME": "local", "LOGIN_NAME": "tester", "PASSWORD": "secret-password"}
        self.login = self.post(f"/session/v1/login-request?{query}", {"data": login if data is None else data})
        self.token = (self.login.get("data") or {}).get("token", "")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.send("POST", path, json.dumps(body).encode())

    def send(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/snowflake"}
        if self.token:
            headers["Authorization"] = f'Snowflake Token="{self.token}"'
        self.http.request(method, path, body, headers)
        answer = self.http.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return json.loads(text)

    def query(self, sql: str, bindings: dict[str, Any] | None = None, request_id: str | None = None) -> dict[str, Any]:
        body = {"sqlText": sql} | ({"bindings": bindings} if bindings else {})
        return self.post(f"/queries/v1/query-request?requestId={request_id or uuid.uuid4()}", body)

    def rows(self, sql: str, bindings: dict[str, Any] | None = None) -> list[list[str | None]]:
        answer = self.query(sql, bindings)
        assert answer["success"], answer["message"]
        assert answer["data"]["queryResultFormat"] == "json"
        return answer["data"]["rowset"]

    def named(self, sql: str) -> list[dict[str, str | None]]:
        """Rows by the names of their columns."""
        answer = self.query(sql)
        assert answer["success"], answer["message"]
        names = [column["name"] for column in answer["data"]["rowtype"]]
        return [dict(zip(names, row, strict=True)) for row in answer["data"]["rowset"]]

    def put(self, url: str, body: bytes, *, chunked: bool = False) -> int:
        path = url.split(f":{self.http.port}", 1)[1]
        if chunked:
            pieces = iter([body[i : i + 65536] for i in range(0, len(body), 65536)])
            self.http.request("PUT", path, pieces, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        else:
            self.http.request("PUT", path, body)
        answer = self.http.getresponse()
        answer.read()
        return answer.status

    def upload(self, stage_path: str, name: str, body: bytes) -> None:
        quoted = name.replace("'", "''")
        sql = f"PUT 'file:///any/{quoted}' '{stage_path}' AUTO_COMPRESS=FALSE OVERWRITE=TRUE SOURCE_COMPRESSION=NONE"
        answer = self.query(sql)
        assert answer["success"], answer["message"]
        assert self.put(answer["data"]["stageInfo"]["presignedUrl"], body) == 200


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("account"), "--lock-wait", "2")
    yield process
    process.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Servers of a test's own, on its own data directory."""
    started: list[Process] = []

    def make(*options: str) -> Process:
        started.append(Process(tmp_path / "account", *options))
        return started[-1]

    yield make
    for process in started:
        if process.process.poll() is None:
            process.stop()


@pytest.fixture
def database(server: Process) -> str:
    """A database of the test's own, with schema PUBLIC."""
    name = f"DB_{uuid.uuid4().hex[:8].upper()}"
    raw = server.raw()
    assert raw.query(f"CREATE DATABASE IF NOT EXISTS {name}")["success"]
    return name


@pytest.fixture
def raw(server: Process, database: str) -> Raw:
    return server.raw(query=f"databaseName={database}&schemaName=PUBLIC")


@pytest.fixture
def cursor(server: Process, database: str) -> Iterator[Any]:
    with server.connect(database=database, schema="PUBLIC") as connection, connection.cursor() as cursor:
        yield cursor
