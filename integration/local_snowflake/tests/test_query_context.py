"""The query context goes with answers and comes back with statements, as the official connector sends it."""

from __future__ import annotations

import copy
import uuid

import pytest
from snowflake.connector.errors import ProgrammingError


def tell(raw, context) -> dict:
    return raw.post(f"/queries/v1/query-request?requestId={uuid.uuid4()}", {"sqlText": "SELECT 1", "queryContextDTO": context})


def as_told(given: dict) -> dict:
    """What drivers make of what an answer gave."""
    entries = [{**e, "context": {"base64Data": e["context"]} if e.get("context") else {}} for e in given["entries"]]
    return {"entries": entries}


def test_the_connector_tells_what_it_was_given(server):
    with server.connect() as connection, connection.cursor() as cursor:
        assert connection.get_query_context() == {}
        names = [f"DB_{uuid.uuid4().hex[:8].upper()}" for _ in range(6)]
        for name in names:
            cursor.execute(f"CREATE DATABASE {name}")
        told = connection.get_query_context()["entries"]
        assert [entry["priority"] for entry in told] == [0, 1, 2, 3, 4]
        assert [bool(entry["context"]) for entry in told] == [False, True, True, True, True]
        # They change places, one by one; each statement is accepted with what the one before gave.
        for name in [*names, names[3]]:
            cursor.execute(f"USE DATABASE {name}")
            after = connection.get_query_context()["entries"]
            assert len(after) == 5
            assert after[0]["timestamp"] > told[0]["timestamp"]
            assert after[1]["id"] != told[1]["id"]
            told = after
        # A refusal gives one too.
        with pytest.raises(ProgrammingError):
            cursor.execute("SELECT * FROM missing")
        assert connection.get_query_context()["entries"][0]["timestamp"] > told[0]["timestamp"]


def test_the_connector_is_refused_with_what_it_was_not_given(server):
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        connection.query_context_cache.insert(77, 1, 3, "bm90IGdpdmVu")
        with pytest.raises(ProgrammingError, match="was not given: {'id': 77"):
            cursor.execute("SELECT 1")


def test_only_what_this_session_was_given_is_accepted(server):
    raw = server.raw()
    given = as_told(raw.query("SELECT 1")["data"]["queryContext"])
    raw.rows("SELECT 1")
    # An older one is as good: an answer may have been lost. A client may also know nothing.
    for context in [given, {"entries": given["entries"][:1]}, {"entries": []}, {}, None]:
        assert tell(raw, context)["success"], context
    for index, key, value in [(0, "timestamp", 1), (0, "timestamp", 2**60), (0, "priority", 1), (0, "context", {"base64Data": "YQ=="}),
                              (1, "timestamp", 1), (1, "id", 5), (1, "priority", 2), (1, "context", {}), (1, "context", {"base64Data": "YQ=="})]:  # fmt: skip
        changed = copy.deepcopy(given)
        changed["entries"][index][key] = value
        answer = tell(raw, changed)
        assert (answer["success"], answer["code"]) == (False, "002999")
        assert "was not given" in answer["message"], changed
    answer = tell(server.raw(), given)
    assert "was not given" in answer["message"]


def test_another_form_is_refused(server):
    raw = server.raw()
    entry = as_told(raw.query("SELECT 1")["data"]["queryContext"])["entries"][0]
    without = {key: value for key, value in entry.items() if key != "context"}
    for context in ["", [], [entry], {"entries": {}}, {"entries": [entry], "more": 1}, {"entries": [without]}, {"entries": ["text"]},
                    {"entries": [entry, entry]}, {"entries": [{**entry, "more": 1}]}, {"entries": [{**entry, "id": "0"}]},
                    {"entries": [{**entry, "id": False}]}, {"entries": [{**entry, "context": ""}]},
                    {"entries": [{**entry, "context": None}]}, {"entries": [{**entry, "context": {"base64Data": 1}}]}]:  # fmt: skip
        answer = tell(raw, context)
        assert (answer["success"], answer["code"]) == (False, "002999"), context
        assert answer["message"].startswith("The queryContextDTO of the request")


def test_a_session_may_be_given_less_or_nothing(server, start):
    raw = server.raw()
    raw.rows("ALTER SESSION SET QUERY_CONTEXT_CACHE_SIZE = 1")
    assert len(raw.query("SELECT 1")["data"]["queryContext"]["entries"]) == 1
    denied = start("--account-parameter", "QUERY_CONTEXT_CACHE_SIZE=0")
    with denied.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("SELECT 1")
        assert connection.get_query_context() == {}
    assert "queryContext" not in denied.raw().query("SELECT 1")["data"]
