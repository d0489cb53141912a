"""The switches that make it as unfriendly as the documentation allows: each does what it says, and nothing when it is off."""

from __future__ import annotations

import threading
import time

import pytest

from .test_loading import parquet

WAIT = "CREATE HYBRID TABLE part (id INT NOT NULL, n INT, status VARCHAR, PRIMARY KEY (id))"


def connect(server):
    return server.raw(query="databaseName=D&schemaName=PUBLIC")


def begin(server):
    server.raw().rows("CREATE DATABASE d")
    return connect(server)


def waited_update(server, raw, sql: str) -> list:
    """What a session answers that waited for the row while this one changed it, and committed."""
    other, answers = connect(server), []
    for session in (raw, other):
        session.rows("BEGIN")
    raw.rows("UPDATE part SET n = n + 1, status = 'taken' WHERE status = 'free'")
    thread = threading.Thread(target=lambda: answers.append(other.query(sql)))
    thread.start()
    time.sleep(0.5)
    raw.rows("COMMIT")
    thread.join(timeout=20)
    other.rows("COMMIT")
    assert answers[0]["success"], answers
    return answers[0]["data"]["rowset"]


@pytest.mark.parametrize(("options", "changed", "left"), [((), "0", ["1", "taken"]), (("--no-recheck",), "1", ["1", "late"])])
def test_a_waiting_update_may_not_look_again(start, options, changed, left):
    server = start(*options)
    raw = begin(server)
    raw.rows(WAIT)
    raw.rows("INSERT INTO part VALUES (1, 0, 'free'), (2, 5, 'other')")
    rows = waited_update(server, raw, "UPDATE part p SET n = p.n + v.d, status = 'late' FROM (SELECT column1 AS d FROM VALUES (1)) v WHERE p.status = 'free'")
    assert rows == [[changed, "0"]]
    # Both computed n from the same old row.
    assert raw.rows("SELECT n, status FROM part ORDER BY id") == [left, ["5", "other"]]


def test_locks_and_throttling_may_have_codes_that_nobody_knows(start):
    server = start("--unknown-lock-codes", "--lock-wait", "0.1")
    raw = begin(server)
    raw.rows(WAIT)
    raw.rows("CREATE TABLE plain (id INT)")
    raw.rows("INSERT INTO plain VALUES (1)")
    raw.rows("INSERT INTO part VALUES (1, 0, 'free')")
    raw.rows("BEGIN")
    raw.rows("UPDATE part SET n = 1")
    raw.rows("UPDATE plain SET id = 2")
    other = connect(server)
    assert other.query("UPDATE part SET n = 2")["code"] == "391998"
    # Of standard tables it is documented.
    assert other.query("UPDATE plain SET id = 3")["code"] == "000625"
    raw.rows("ROLLBACK")
    codes = {other.query("SELECT n FROM part")["code"] for _ in range(80)}
    assert codes == {None, "391999"}
    assert all(other.query("SELECT id FROM plain")["success"] for _ in range(45))


def staged(raw) -> str:
    raw.rows("CREATE STAGE s")
    raw.rows("CREATE TABLE target (id INT)")
    raw.upload("@s/a", "f.parquet", parquet(id=[1]))
    return "COPY INTO target (id) FROM (SELECT $1:id::INT FROM @s/) FILES = ('a/f.parquet') FILE_FORMAT = (TYPE = PARQUET)"


@pytest.mark.parametrize(("options", "status"), [((), "LOADED"), (("--remember-rolled-back-copies",), "LOAD_SKIPPED")])
def test_a_copy_that_was_rolled_back_may_count_as_loaded(start, options, status):
    server = start(*options)
    raw = begin(server)
    copy = staged(raw)
    raw.rows("BEGIN")
    assert raw.rows(copy)[0][1] == "LOADED"
    raw.rows("ROLLBACK")
    raw.rows("BEGIN")
    assert connect(server).named(copy)[0]["status"] == status
    raw.rows("ROLLBACK")
    assert raw.rows(f"{copy} FORCE = TRUE")[0][1] == "LOADED"
    raw.rows("CREATE OR REPLACE TABLE target (id INT)")
    assert raw.rows(copy)[0][1] == "LOADED"


@pytest.mark.parametrize(("options", "seen"), [((), "1"), (("--late-visibility", "3"), "0")])
def test_an_open_session_may_see_a_commit_late(start, options, seen):
    server = start(*options)
    raw = begin(server)
    raw.rows("CREATE TABLE plain (id INT)")
    raw.rows("CREATE HYBRID TABLE part (id INT NOT NULL, PRIMARY KEY (id))")
    other = connect(server)
    other.rows("SELECT 1")
    raw.rows("INSERT INTO plain VALUES (1)")
    raw.rows("INSERT INTO part VALUES (1)")
    # The session itself, a new one, and whoever asks for hybrid tables see it at once.
    assert raw.rows("SELECT COUNT(*) FROM plain") == [["1"]]
    assert other.rows("SELECT COUNT(*) FROM plain") == [[seen]]
    assert connect(server).rows("SELECT COUNT(*) FROM plain") == [["1"]]
    assert other.rows("SELECT COUNT(*) FROM part") == [["1"]]
    other.rows("BEGIN")
    assert other.rows("DELETE FROM plain WHERE id = 1") == [[seen]]
    other.rows("ROLLBACK")
    time.sleep(3)
    assert other.rows("SELECT COUNT(*) FROM plain") == [["1"]]


def test_what_a_session_commits_itself_it_sees(start):
    server = start("--late-visibility", "60")
    raw = begin(server)
    raw.rows("CREATE TABLE plain (id INT)")
    raw.rows("INSERT INTO plain VALUES (1)")
    raw.rows("BEGIN")
    raw.rows("INSERT INTO plain VALUES (2)")
    assert raw.rows("SELECT COUNT(*) FROM plain") == [["2"]]
    raw.rows("COMMIT")
    assert raw.rows("SELECT COUNT(*) FROM plain") == [["2"]]
    other = connect(server)
    other.rows("INSERT INTO plain VALUES (3)")
    other.rows("CREATE TABLE new (id INT)")
    assert raw.query("SELECT * FROM new")["code"] == "002003"
    assert raw.rows("UPDATE plain SET id = id + 10") in ([["2", "0"]], [["3", "0"]])
    raw.rows("DROP DATABASE d")


HYBRID = "CREATE HYBRID TABLE part (id VARCHAR NOT NULL, status VARCHAR, owner VARCHAR, PRIMARY KEY (id), INDEX i (owner))"


def test_a_collation_of_the_account_is_refused_in_keys_and_ignores_case_elsewhere(start):
    raw = begin(start("--account-parameter", "DEFAULT_DDL_COLLATION=en-ci"))
    for refused in (
        HYBRID, HYBRID.replace("id VARCHAR", "id INT"), "CREATE HYBRID TABLE part (id VARCHAR PRIMARY KEY)",
        "CREATE HYBRID TABLE part (id INT PRIMARY KEY, a VARCHAR UNIQUE)",
        "CREATE HYBRID TABLE part (id INT PRIMARY KEY, a VARCHAR COLLATE 'de', INDEX i (a)) DEFAULT_DDL_COLLATION = ''",
    ):  # fmt: skip
        assert raw.query(refused)["code"] == "391464", refused
    raw.rows(f"{HYBRID} DEFAULT_DDL_COLLATION = ''")
    raw.rows("INSERT INTO part VALUES ('a', 'X', NULL)")
    assert raw.rows("SELECT COUNT(*) FROM part WHERE status = 'x'") == [["0"]]
    raw.rows("CREATE TABLE plain (a VARCHAR(9), n INT) COMMENT = 'kept'")
    raw.rows("CREATE TABLE same LIKE plain")
    for table in ("plain", "same"):
        raw.rows(f"INSERT INTO {table} VALUES ('X', 1)")
        assert raw.rows(f"SELECT COUNT(*) FROM {table} WHERE a = 'x'") == [["1"]]
        assert raw.named(f"DESCRIBE TABLE {table}")[0]["type"] == "VARCHAR(9) COLLATE 'en-ci'"


def test_without_a_collation_case_counts(raw):
    raw.rows(HYBRID)
    raw.rows("CREATE TABLE plain (a VARCHAR(9), b VARCHAR COLLATE 'en-ci')")
    raw.rows("INSERT INTO plain VALUES ('X', 'X')")
    assert raw.rows("SELECT COUNT_IF(a = 'x'), COUNT_IF(b = 'x') FROM plain") == [["0", "1"]]
    assert [row["type"] for row in raw.named("DESCRIBE TABLE plain")] == ["VARCHAR(9)", "VARCHAR(16777216) COLLATE 'en-ci'"]
