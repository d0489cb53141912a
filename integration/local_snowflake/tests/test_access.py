"""Logins, sessions, refusals, the statement log, and the command that starts and stops a server."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import jwt
import pytest
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake.connector.errors import DatabaseError

from .conftest import PACKAGES, Raw

SCRIPT = PACKAGES.parent / "scripts" / "local-snowflake"


def login(port: int, **fields: str) -> Raw:
    return Raw(port, {"ACCOUNT_NAME": "local", "LOGIN_NAME": "amy", **fields})


def test_only_known_users_log_in(start, tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    users = tmp_path / "users.json"
    users.write_text(
        json.dumps({"AMY": {"password": "right"}, "bob": {"token": "tok-1"}, "kay": {"public_key": public.decode()}})
    )
    server = start("--users", str(users))
    assert login(server.port, PASSWORD="right").login["success"]
    wrong = login(server.port, PASSWORD="wrong").login
    assert (wrong["success"], wrong["code"]) == (False, "390100")
    assert wrong["message"] == "Incorrect username or password was specified."
    assert login(server.port, LOGIN_NAME="zoe", PASSWORD="right").login["code"] == "390100"
    assert login(server.port, LOGIN_NAME="bob", AUTHENTICATOR="OAUTH", TOKEN="tok-1").login["success"]
    assert login(server.port, LOGIN_NAME="bob", AUTHENTICATOR="OAUTH", TOKEN="old").login["code"] == "390303"
    assert login(server.port, LOGIN_NAME="bob", AUTHENTICATOR="PROGRAMMATIC_ACCESS_TOKEN", TOKEN="tok-1").login["success"]
    assert login(server.port, LOGIN_NAME="bob", PASSWORD="tok-1").login["success"]
    assert login(server.port, LOGIN_NAME="kay", AUTHENTICATOR="SNOWFLAKE_JWT", TOKEN="no.jwt.here").login["code"] == "390144"
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with server.connect(user="kay", password=None, private_key=private) as connection:
        assert connection.cursor().execute("SELECT CURRENT_USER()").fetchone() == ("KAY",)
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    issuer = f"LOCAL.KAY.SHA256:{base64.b64encode(hashlib.sha256(der).digest()).decode()}"
    now = int(time.time())
    claims = {"iss": issuer, "sub": "LOCAL.KAY", "iat": now, "exp": now + 3000}
    for changed, accepted in [({}, True), ({"iss": "LOCAL.KAY"}, False), ({"sub": "LOCAL.AMY"}, False), ({"exp": now + 9000}, False)]:
        token = jwt.encode({**claims, **changed}, key, algorithm="RS256")
        assert login(server.port, LOGIN_NAME="kay", AUTHENTICATOR="SNOWFLAKE_JWT", TOKEN=token).login["success"] == accepted
    with pytest.raises(DatabaseError, match="Incorrect username or password"):
        server.connect(user="amy", password="wrong")
    users.write_text(json.dumps({"bob": {"token": "tok-2"}}))
    assert login(server.port, LOGIN_NAME="bob", AUTHENTICATOR="OAUTH", TOKEN="tok-1").login["code"] == "390303"
    assert login(server.port, LOGIN_NAME="bob", AUTHENTICATOR="OAUTH", TOKEN="tok-2").login["success"]


def test_a_session_expires(start):
    server = start("--session-lifetime", "0.5")
    raw = server.raw()
    assert raw.rows("SELECT 1") == [["1"]]
    time.sleep(0.6)
    answer = raw.query("SELECT 1")
    assert (answer["code"], answer["message"]) == ("390112", "Your session has expired. Please login again.")
    assert server.raw().rows("SELECT 1") == [["1"]]
    raw.token = "unknown"
    assert raw.query("SELECT 1")["code"] == "390104"


def test_statements_are_refused_and_logged(start, tmp_path):
    deny = tmp_path / "deny.json"
    deny.write_text(json.dumps([r"CREATE\s+HYBRID\s+TABLE", r"^COPY "]))
    server = start("--deny", str(deny))
    raw = server.raw()
    raw.rows("CREATE DATABASE d")
    answer = raw.query("CREATE HYBRID TABLE t (a INT PRIMARY KEY)")
    assert (answer["code"], answer["data"]["sqlState"]) == ("003001", "42501")
    assert answer["message"].startswith("SQL access control error:\nInsufficient privileges to operate on ")
    raw.rows("ALTER SESSION SET QUERY_TAG = 'wf=1'")
    raw.rows("SELECT ?", {"1": {"type": "TEXT", "value": "bind-value"}})
    raw.query("CREATE USER x PASSWORD = 'p-secret'")
    lines = [json.loads(line) for line in (server.data / "statements.jsonl").read_text().splitlines()]
    assert [(e["result"], e["sql"]) for e in lines[:2]] == [
        ("ok", "CREATE DATABASE d"), ("003001", "CREATE HYBRID TABLE t (a INT PRIMARY KEY)"),
    ]  # fmt: skip
    assert (lines[3]["tag"], lines[3]["binds"], lines[3]["user"], lines[3]["database"]) == ("wf=1", 1, "TESTER", "D")
    everything = (server.data / "statements.jsonl").read_text()
    assert "secret" not in everything.lower().replace("p-secret", "secret") and "bind-value" not in everything


def test_a_long_statement_is_polled_and_cancelled(start):
    server = start("--async-after", "0.1")
    raw, other = server.raw(), server.raw()
    endless = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000) SELECT MAX(n) FROM r"
    other.token = raw.token
    for number, slow in enumerate([endless, "CALL SYSTEM$WAIT(600)"]):
        answer = raw.query(slow, request_id=f"slow-{number}")
        assert answer["code"] == "333333"
        assert raw.send("GET", answer["data"]["getResultUrl"])["code"] == "333333"
        # Cancelling goes through another connection, as drivers do it.
        assert other.post("/queries/v1/abort-request", {"requestId": f"slow-{number}"})["success"]
        result = answer
        while result["code"] == "333333":
            result = raw.send("GET", answer["data"]["getResultUrl"])
        assert result["code"] == "000604"
    waited = raw.query("SELECT SYSTEM$WAIT(0.3)")
    assert raw.send("GET", waited["data"]["getResultUrl"])["data"]["queryId"] == waited["data"]["queryId"]


def test_the_server_ends_with_its_standard_input(start):
    server = start()
    server.process.stdin.close()
    assert server.process.wait(timeout=30) == 0


def test_start_stop_and_status(tmp_path):
    data = tmp_path / "with space"
    environment = {**os.environ, "SNOWHAUL_VENV": str(Path(sys.executable).parents[1])}

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [str(SCRIPT), *arguments, "--data", str(data)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert run("status").returncode == 1
    try:
        started = run("start")
        assert started.returncode == 0, started.stderr
        file = Path(started.stdout.strip())
        assert file == data / "connections.toml" and file.stat().st_mode & 0o777 == 0o600
        assert "already running" in run("start").stderr
        assert run("status").returncode == 0
        settings = tomllib.loads(file.read_text())["local"]
        with snowflake.connector.connect(**settings) as connection:
            connection.cursor().execute("CREATE DATABASE kept")
        os.kill(int((data / "pid").read_text()), 9)
        assert run("start").returncode == 0
        again = tomllib.loads(file.read_text())["local"]
        assert again == settings
        with snowflake.connector.connect(**again) as connection:
            connection.cursor().execute("USE DATABASE kept")
    finally:
        assert run("stop").returncode == 0
    assert run("status").returncode == 1
    assert "not running" in run("stop").stderr


def test_warehouses_are_found_at_login_and_shown(start, tmp_path):
    warehouses = tmp_path / "warehouses.json"
    warehouses.write_text(json.dumps({"A_B": {}, "AXB": {"state": "SUSPENDED", "auto_resume": False}}))
    server = start("--warehouses", str(warehouses))
    assert server.raw(query="warehouse=a_b").rows("SELECT CURRENT_WAREHOUSE()") == [["A_B"]]
    for query in ("", "warehouse=none"):
        assert server.raw(query=query).rows("SELECT CURRENT_WAREHOUSE()") == [[None]]
    raw = server.raw()
    assert [row[:2] for row in raw.rows("SHOW WAREHOUSES LIKE 'a_b'")] == [["AXB", "SUSPENDED"], ["A_B", "STARTED"]]
    assert [(row["name"], row["auto_resume"]) for row in raw.named(r"SHOW WAREHOUSES LIKE 'a\\_b'")] == [("A_B", "true")]
    assert len(raw.rows("SHOW WAREHOUSES")) == 2


def test_without_a_file_of_warehouses_any_is_there(start):
    server = start()
    assert server.raw(query="warehouse=any").rows("SHOW WAREHOUSES LIKE 'ANY'")[0][0] == "ANY"
    assert server.raw().rows("SELECT CURRENT_WAREHOUSE()") == [["LOCAL_WH"]]


def test_an_account_may_have_no_hybrid_tables_and_another_region(start):
    raw = start("--no-hybrid-tables", "--region", "GCP_US_CENTRAL1").raw()
    assert raw.rows("SELECT CURRENT_REGION()") == [["GCP_US_CENTRAL1"]]
    raw.rows("CREATE DATABASE d")
    answer = raw.query("CREATE HYBRID TABLE t (a INT PRIMARY KEY)")
    assert not answer["success"] and "HYBRID" in answer["message"]
    raw.rows("CREATE TABLE t (a INT PRIMARY KEY)")
