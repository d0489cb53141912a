"""Transactions over two databases, locks, concurrency, and what survives a kill -9."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from .conftest import PACKAGES, Process, Raw


@pytest.fixture
def two(server, database, raw):
    """A checkpoint in one database, a target in another."""
    other = f"{database}_TARGET"
    raw.rows("CREATE HYBRID TABLE part (id INT NOT NULL, phase VARCHAR, PRIMARY KEY (id))")
    raw.rows("INSERT INTO part VALUES (1, 'STAGED'), (2, 'STAGED')")
    raw.rows(f"CREATE DATABASE {other}")
    raw.rows(f"CREATE TABLE {other}.PUBLIC.target (id INT, v VARCHAR)")
    raw.rows(f"INSERT INTO {other}.PUBLIC.target VALUES (1, 'old'), (2, 'old')")
    raw.rows(f"USE SCHEMA {database}.PUBLIC")
    return f"{other}.PUBLIC.target"


def load(raw: Raw, target: str) -> None:
    raw.rows("BEGIN TRANSACTION")
    assert raw.rows("UPDATE part SET phase = 'LOADED' WHERE id = 1 AND phase = 'STAGED'") == [["1", "0"]]
    assert raw.rows(f"DELETE FROM {target} WHERE id = 1") == [["1"]]
    raw.rows(f"INSERT INTO {target} SELECT column1, column2 FROM VALUES (1, 'new'), (1, 'new2')")
    raw.rows(f"MERGE INTO {target} t USING (SELECT column1 AS id FROM VALUES (2)) v ON t.id = v.id WHEN MATCHED THEN UPDATE SET v = 'merged'")


BEFORE = [["1", "old"], ["2", "old"]]
AFTER = [["1", "new"], ["1", "new2"], ["2", "merged"]]


def test_two_databases_commit_together(server, database, raw, two):
    watcher = server.raw(query=f"databaseName={database}&schemaName=PUBLIC")
    load(raw, two)
    assert raw.rows("SELECT phase FROM part WHERE id = 1") == [["LOADED"]]
    assert raw.rows(f"SELECT COUNT(*) FROM {two}") == [["3"]]
    assert watcher.rows("SELECT phase FROM part WHERE id = 1") == [["STAGED"]]
    assert watcher.rows(f"SELECT * FROM {two} ORDER BY 1, 2") == BEFORE
    raw.rows("COMMIT")
    assert watcher.rows("SELECT phase FROM part WHERE id = 1") == [["LOADED"]]
    assert watcher.rows(f"SELECT * FROM {two} ORDER BY 1, 2") == AFTER


def test_two_databases_roll_back_together(raw, two):
    load(raw, two)
    raw.rows("ROLLBACK")
    assert raw.rows("SELECT phase FROM part WHERE id = 1") == [["STAGED"]]
    assert raw.rows(f"SELECT * FROM {two} ORDER BY 1, 2") == BEFORE
    load(raw, two)
    raw.rows("COMMIT")
    assert raw.rows(f"SELECT * FROM {two} ORDER BY 1, 2") == AFTER


def test_ddl_commits(raw, two):
    load(raw, two)
    raw.rows("CREATE TABLE unrelated (a INT)")
    raw.rows("ROLLBACK")
    assert raw.rows("SELECT phase FROM part WHERE id = 1") == [["LOADED"]]


def test_a_session_that_ends_loses_its_transaction(server, database, raw, two):
    other = server.raw(query=f"databaseName={database}&schemaName=PUBLIC")
    load(other, two)
    other.post("/session?delete=true", {})
    assert raw.rows("UPDATE part SET phase = 'FREE' WHERE id = 1") == [["1", "0"]]


def test_an_error_ends_the_transaction(raw, two):
    load(raw, two)
    assert raw.query("INSERT INTO part VALUES (2, 'again')")["code"] == "200001"
    assert raw.query("SELECT 1")["code"] == "000628"
    assert not raw.query("COMMIT")["success"]
    assert raw.rows("SELECT phase FROM part WHERE id = 1") == [["STAGED"]]


def test_a_locked_row_is_waited_for(server, database, raw):
    raw.rows("CREATE HYBRID TABLE part (id INT NOT NULL, n INT, PRIMARY KEY (id))")
    raw.rows("INSERT INTO part VALUES (1, 0), (2, 0)")
    raw.rows("BEGIN")
    raw.rows("UPDATE part SET n = n + 1 WHERE id = 1")
    other = server.raw(query=f"databaseName={database}&schemaName=PUBLIC")
    # Another row is free at once; the same row is not, and after the lock's timeout says so.
    assert other.rows("UPDATE part SET n = n + 1 WHERE id = 2") == [["1", "0"]]
    other.rows("ALTER SESSION SET HYBRID_TABLE_LOCK_TIMEOUT = 0")
    answer = other.query("UPDATE part SET n = n + 1 WHERE id = 1")
    assert (answer["code"], answer["data"]["sqlState"]) == ("000625", "57014")
    assert "has locked table 'PART'" in answer["message"]
    other.rows("ALTER SESSION UNSET HYBRID_TABLE_LOCK_TIMEOUT")
    waited: list = []
    other.rows("BEGIN")
    thread = threading.Thread(target=lambda: waited.append(other.rows("UPDATE part SET n = n + 1 WHERE id = 1")))
    thread.start()
    time.sleep(0.2)
    assert not waited
    raw.rows("COMMIT")
    thread.join(timeout=10)
    other.rows("COMMIT")
    assert waited == [[["1", "0"]]]
    assert raw.rows("SELECT n FROM part WHERE id = 1") == [["2"]]


def test_concurrent_claims_take_each_task_once(server, database, raw):
    raw.rows("CREATE HYBRID TABLE task (id INT NOT NULL AUTOINCREMENT, token VARCHAR, beat INT DEFAULT 0, PRIMARY KEY (id))")
    raw.rows("INSERT INTO task (token) VALUES " + ",".join(["(NULL)"] * 120))
    won: dict[str, list] = {}
    failures: list = []

    def work(name: str) -> None:
        try:
            session = server.raw(query=f"databaseName={database}&schemaName=PUBLIC")
            mine: list = []
            for turn in range(20):
                token = f"{name}-{turn}"
                session.rows(f"UPDATE task SET token = '{token}' WHERE id IN (SELECT id FROM task WHERE token IS NULL ORDER BY id LIMIT 2)")
                found = session.rows(f"SELECT id FROM task WHERE token = '{token}'")
                if not found:
                    break
                mine += [row[0] for row in found]
                session.rows(f"UPDATE task SET beat = beat + 1 WHERE token LIKE '{name}-%'")
                session.rows(f"MERGE INTO task USING (SELECT column1 AS id FROM VALUES ({found[0][0]})) v ON task.id = v.id WHEN MATCHED THEN UPDATE SET beat = beat + 1")
            won[name] = mine
        except BaseException as error:  # a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    taken = [task for tasks in won.values() for task in tasks]
    assert len(taken) == len(set(taken)) == 120


def test_everything_answered_survives_a_kill(start, tmp_path):
    server: Process = start()
    raw = server.raw()
    raw.rows("CREATE DATABASE A")
    raw.rows('CREATE SCHEMA "s x"')
    raw.rows("CREATE STAGE results ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
    raw.upload('@A."s x".results/p/', "f.bin", b"content")
    raw.rows("CREATE HYBRID TABLE part (id INT NOT NULL AUTOINCREMENT, name VARCHAR(9), PRIMARY KEY (id))")
    raw.rows("CREATE VIEW names AS SELECT name FROM part")
    raw.rows("CREATE DATABASE B")
    raw.rows("CREATE TABLE target (id INT)")
    raw.rows("BEGIN")
    raw.rows("INSERT INTO A.\"s x\".part (name) VALUES ('one')")
    raw.rows("INSERT INTO B.PUBLIC.target VALUES (1)")
    raw.rows("COMMIT")
    raw.rows("BEGIN")
    raw.rows("INSERT INTO A.\"s x\".part (name) VALUES ('lost')")
    raw.rows("INSERT INTO B.PUBLIC.target VALUES (2)")
    server.kill()

    server.start()
    raw = server.raw(query="databaseName=A")
    raw.rows('USE SCHEMA A."s x"')
    assert raw.rows("SELECT * FROM names") == [["one"]]
    assert raw.rows("SELECT * FROM B.PUBLIC.target") == [["1"]]
    assert [row[1] for row in raw.rows("DESCRIBE TABLE part")] == ["NUMBER(38,0)", "VARCHAR(9)"]
    assert [row[:2] for row in raw.rows("LIST @results/p")] == [["results/p/f.bin", "7"]]
    raw.rows("INSERT INTO part (name) VALUES ('two')")
    assert raw.query("INSERT INTO part (id, name) VALUES (1, 'again')")["code"] == "200001"


DIE_BETWEEN_COMMITS = """
import os, sys
from pathlib import Path
from local_snowflake.server import Options, Server
from local_snowflake.session import Session
server = Server(Options(Path(sys.argv[1])))
session = Session(server, {}, {})
run = lambda sql: session.execute(sql, None, "q", "")
for sql in ("CREATE DATABASE A", "CREATE TABLE A.PUBLIC.t (n INT)", "CREATE DATABASE B", "CREATE TABLE B.PUBLIC.t (n INT)",
            "INSERT INTO A.PUBLIC.t VALUES (1)", "BEGIN", "UPDATE A.PUBLIC.t SET n = n + 1", "INSERT INTO B.PUBLIC.t VALUES (7)"):
    run(sql)
class Dies:
    def __init__(self, duck): self.duck = duck
    def __getattr__(self, name): return getattr(self.duck, name)
    def commit(self): os._exit(9)
conn = session.transaction.participants["A"].conn
conn._duck_conn = Dies(conn._duck_conn)
run("COMMIT")
"""


def test_a_kill_between_the_two_commits_is_finished_at_the_next_start(start, tmp_path):
    data = tmp_path / "account"
    ended = subprocess.run([sys.executable, "-c", DIE_BETWEEN_COMMITS, str(data)], cwd=PACKAGES, check=False)
    assert ended.returncode == 9
    assert len(list((data / "journal").glob("*.json"))) == 1
    raw = start().raw()
    assert raw.rows("SELECT n FROM A.PUBLIC.t") == [["2"]]
    assert raw.rows("SELECT n FROM B.PUBLIC.t") == [["7"]]
    assert not list((data / "journal").glob("*.json"))


def test_an_idle_transaction_ends(start):
    server = start("--transaction-idle", "0.5")
    holder, other = server.raw(), server.raw()
    holder.rows("CREATE DATABASE A")
    holder.rows("CREATE HYBRID TABLE t (id INT NOT NULL, n INT, PRIMARY KEY (id))")
    holder.rows("INSERT INTO t VALUES (1, 0)")
    holder.rows("BEGIN")
    holder.rows("UPDATE t SET n = 1")
    assert other.rows("UPDATE A.PUBLIC.t SET n = 2") == [["1", "0"]]
    assert not holder.query("COMMIT")["success"]
