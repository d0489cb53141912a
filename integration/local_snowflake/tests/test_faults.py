"""Faults on purpose: what was lost, and what was not."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

LOST = (http.client.HTTPException, ConnectionError)


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    return tmp_path / "faults.json"


@pytest.fixture
def faulty(start, faults):
    server = start("--faults", str(faults), "--transaction-idle", "1")
    assert server.raw().query("CREATE DATABASE D")["success"]
    connection = server.raw(query="databaseName=D&schemaName=PUBLIC")
    connection.rows("CREATE TABLE t (id INT)")
    return server


def change(faults: Path, *rules: dict[str, Any]) -> None:
    new = faults.with_suffix(".new")
    new.write_text(json.dumps(rules))
    new.replace(faults)


def hits(faults: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in faults.with_name("faults.json.hits").read_text().splitlines()]


def connect(server):
    return server.raw(query="databaseName=D&schemaName=PUBLIC")


def count(server) -> str | None:
    return connect(server).rows("SELECT COUNT(*) FROM t")[0][0]


@pytest.mark.parametrize("answer", ["reset", 500, 503, 429])
def test_a_lost_reply_to_a_commit_has_committed(faulty, faults, answer):
    connection = connect(faulty)
    connection.rows("BEGIN")
    connection.rows("INSERT INTO t VALUES (1)")
    change(faults, {"id": 1, "match": "COMMIT", "when": "after", "answer": answer})
    with pytest.raises((*LOST, AssertionError)):
        connection.query("COMMIT")
    assert count(faulty) == "1"
    assert [hit["id"] for hit in hits(faults)] == [1]


@pytest.mark.parametrize("answer", ["reset", 503])
def test_a_fault_before_the_effect_leaves_nothing_behind(faulty, faults, answer):
    connection = connect(faulty)
    change(faults, {"id": 1, "match": "INSERT INTO t", "when": "before", "answer": answer})
    with pytest.raises((*LOST, AssertionError)):
        connection.query("INSERT INTO t VALUES (1)")
    assert count(faulty) == "0"


def test_the_status_is_the_one_that_was_asked_for(faulty, faults):
    connection = connect(faulty)
    change(faults, {"id": 1, "match": "SELECT 1", "when": "before", "answer": 429})
    body = json.dumps({"sqlText": "SELECT 1"})
    headers = {"Authorization": f'Snowflake Token="{connection.token}"'}
    for expected in (429, 200):
        connection.http.request("POST", "/queries/v1/query-request", body, headers)
        answer = connection.http.getresponse()
        answer.read()
        assert answer.status == expected


def test_a_rule_hits_as_often_as_it_says_and_not_again_when_the_file_changes(faulty, faults):
    rule = {"id": 1, "match": "INSERT", "when": "before", "answer": "reset", "times": 2}
    change(faults, rule)
    for _ in range(2):
        with pytest.raises(LOST):
            connect(faulty).query("INSERT INTO t VALUES (1)")
    change(faults, rule, {"id": 2, "match": "no such statement", "when": "before", "answer": 500})
    connect(faulty).rows("INSERT INTO t VALUES (1)")
    assert count(faulty) == "1"


def test_expired_sessions_may_be_renewed_and_forgotten_ones_may_not(faulty, faults):
    for answer, code in [("expire", "390112"), ("forget", "390104")]:
        connection, other = connect(faulty), connect(faulty)
        change(faults, {"id": code, "match": "SELECT", "answer": answer})
        assert connection.query("SELECT 1")["code"] == code
        assert other.query("SELECT 1")["code"] == code
        assert connect(faulty).query("SELECT 1")["success"]


def test_the_transaction_of_a_session_whose_token_is_gone_ends_as_idle(faulty, faults):
    connection = connect(faulty)
    connection.rows("INSERT INTO t VALUES (1)")
    connection.rows("BEGIN")
    connection.rows("UPDATE t SET id = 2")
    change(faults, {"id": 1, "match": "COMMIT", "answer": "forget"})
    assert connection.query("COMMIT")["code"] == "390104"
    # Waits for the row's lock, which the other transaction holds until it is ended.
    connect(faulty).rows("UPDATE t SET id = 3")
    assert connect(faulty).rows("SELECT id FROM t") == [["3"]]


def test_an_upload_whose_reply_is_lost_is_in_the_stage(faulty, faults):
    connection = connect(faulty)
    connection.rows("CREATE STAGE s")
    change(faults, {"id": 1, "match": "PUT /fs_bucket", "when": "after", "answer": "reset"})
    with pytest.raises(LOST):
        connection.upload("@s/", "a.txt", b"content")
    assert connect(faulty).rows("LIST @s")[0][1] == "7"
