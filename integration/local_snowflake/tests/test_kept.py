"""Translations that a server keeps for others, and what is remembered of tables."""

from __future__ import annotations

import pytest

from .conftest import Process

TABLES = [
    "CREATE HYBRID TABLE IF NOT EXISTS {d}.PUBLIC.H (ID NUMBER(19,0) NOT NULL AUTOINCREMENT, N VARCHAR(7), AT TIMESTAMP_NTZ(3) DEFAULT SYSDATE(),"
    " PRIMARY KEY (ID), INDEX IX_N (N)) DEFAULT_DDL_COLLATION = '' COMMENT = 'ours'",
    "CREATE TABLE {d}.PUBLIC.T (ID INT IDENTITY(10, 5), \"s s\" BINARY(5) COMMENT 'it''s', D NUMBER(10,2), G GEOGRAPHY)",
    "CREATE OR REPLACE TRANSIENT TABLE {d}.PUBLIC.R (V VARIANT, C VARCHAR COLLATE 'en-ci')",
    "CREATE VIEW IF NOT EXISTS {d}.PUBLIC.W COMMENT = 'ours' AS SELECT h.ID, COUNT_IF(h.N = 'PENDING') AS P FROM {d}.PUBLIC.H h GROUP BY h.ID",
]


@pytest.fixture
def sharing(tmp_path):
    started = []

    def start(name: str, *options: str) -> Process:
        process = Process(tmp_path / name, "--translations", str(tmp_path / "translations"), *options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()


def facts(raw, database):
    described = [raw.rows(f"DESCRIBE TABLE {database}.PUBLIC.{name}") for name in "HTRW"]
    shown = [row[:1] + row[4:] for row in raw.rows(f"SHOW OBJECTS IN SCHEMA {database}.PUBLIC")]
    columns = raw.rows(
        f"SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLLATION_NAME, IS_IDENTITY FROM {database}.INFORMATION_SCHEMA.COLUMNS"
        " WHERE TABLE_SCHEMA = 'PUBLIC' ORDER BY 1, 2"
    )
    return described, shown, columns


def create(raw, database):
    raw.rows(f"CREATE DATABASE {database}")
    for table in TABLES:
        answer = raw.query(table.format(d=f'"{database}"'))
        assert answer["success"], answer["message"]
        assert answer["data"]["rowset"][0][0].endswith("successfully created.")
    for _ in range(2):
        raw.rows(f"INSERT INTO {database}.PUBLIC.H (N) VALUES ('PENDING')")
        raw.rows(f"INSERT INTO {database}.PUBLIC.T (D) VALUES (1)")
    ids = (f"SELECT {of} FROM {database}.PUBLIC.{table}" for table, of in (("H", "MAX(ID), COUNT(AT)"), ("T", "MAX(ID)"), ("W", "SUM(P)")))
    return facts(raw, database), [raw.rows(sql) for sql in ids]


def test_what_is_created_by_a_kept_definition_is_like_what_was_created_first(sharing, tmp_path):
    raw = sharing("first").raw()
    first = create(raw, "ONE_1")
    assert all(create(raw, f"ONE_{number}") == first for number in range(2, 5))
    kept = [file.read_text() for file in (tmp_path / "translations").iterdir()]
    assert [text.count("definition") for text in kept] == [len(TABLES)]
    # Another server has nothing to learn of them.
    assert create(sharing("second").raw(), "TWO_1") == first
    again = [file.read_text() for file in (tmp_path / "translations").iterdir()]
    assert [text.count("definition") for text in again] == [len(TABLES)]


def test_a_server_knows_statements_that_another_has_learned(sharing, tmp_path):
    sql = "SELECT %d AS n, LENGTH('%s')"
    raw = sharing("first").raw()
    answers = [raw.query(sql % (number, f"x {number}"))["data"] for number in range(1, 5)]
    [file] = (tmp_path / "translations").iterdir()
    lines = file.read_text().count("\n")
    assert lines >= 1
    answer = sharing("second").raw().query(sql % (4, "x 4"))["data"]
    assert (answer["rowset"], answer["rowtype"]) == (answers[-1]["rowset"], answers[-1]["rowtype"])
    assert file.read_text().count("\n") == lines


def test_what_an_account_does_not_allow_is_refused_though_another_allowed_it(sharing):
    table = 'CREATE TABLE "D_1".PUBLIC.T{} (V VARCHAR(134217728))'
    hybrid = 'CREATE HYBRID TABLE "D_1".PUBLIC.H{} (K VARCHAR NOT NULL, PRIMARY KEY (K))'
    raw = sharing("first").raw()
    raw.rows("CREATE DATABASE D_1")
    for sql in (table, hybrid):
        for _ in range(3):
            raw.rows(sql.format(""))
            raw.rows(f'DROP TABLE "D_1".PUBLIC.{sql.split("PUBLIC.")[1][0]}')
    other = sharing("second", "--lengths-before", "--no-hybrid-tables", "--account-parameter", "DEFAULT_DDL_COLLATION=en-ci").raw()
    other.rows("CREATE DATABASE D_1")
    codes = [other.query(sql.format(""))["code"] for sql in (table, hybrid)]
    assert codes == ["001007", "391411"]
    third = sharing("third", "--account-parameter", "DEFAULT_DDL_COLLATION=en-ci").raw()
    third.rows("CREATE DATABASE D_1")
    assert third.query(hybrid.format(""))["code"] == "391464"


def test_a_session_that_begins_with_describe_finds_its_schema(server, database):
    server.raw().rows(f"CREATE TABLE {database}.PUBLIC.T (A INT)")
    raw = server.raw(query=f"databaseName={database}&schemaName=PUBLIC")
    assert raw.rows("DESCRIBE TABLE T")[0][0] == "A"
    assert server.raw().query("DESCRIBE TABLE T")["code"] == "090105"


def test_what_a_session_changes_others_see_at_once(server):
    one, other = server.raw(), server.raw()
    one.rows("CREATE DATABASE SEEN")
    one.rows("CREATE TABLE SEEN.PUBLIC.T (A INT)")

    def columns():
        return [row[:2] for row in other.rows("DESCRIBE TABLE SEEN.PUBLIC.T")]

    assert columns() == [["A", "NUMBER(38,0)"]]
    one.rows("ALTER TABLE SEEN.PUBLIC.T ADD COLUMN B VARCHAR(3)")
    assert columns() == [["A", "NUMBER(38,0)"], ["B", "VARCHAR(3)"]]
    one.rows("ALTER TABLE SEEN.PUBLIC.T ALTER COLUMN B SET DATA TYPE VARCHAR(9)")
    assert columns()[1] == ["B", "VARCHAR(9)"]
    one.rows("ALTER TABLE SEEN.PUBLIC.T DROP COLUMN A")
    assert columns() == [["B", "VARCHAR(9)"]]
    one.rows("ALTER TABLE SEEN.PUBLIC.T RENAME COLUMN B TO C")
    assert columns() == [["C", "VARCHAR(9)"]]
    one.rows("CREATE OR REPLACE TABLE SEEN.PUBLIC.T (Z DATE)")
    assert columns() == [["Z", "DATE"]]
    one.rows("CREATE OR REPLACE TABLE SEEN.PUBLIC.T AS SELECT 'x' AS X")
    assert [name for name, _ in columns()] == ["X"]
    one.rows("ALTER TABLE SEEN.PUBLIC.T RENAME TO SEEN.PUBLIC.U")
    assert other.query("DESCRIBE TABLE SEEN.PUBLIC.T")["code"] == "002003"
    assert other.rows("DESCRIBE TABLE SEEN.PUBLIC.U")
    one.rows("DROP TABLE SEEN.PUBLIC.U")
    assert other.query("DESCRIBE TABLE SEEN.PUBLIC.U")["code"] == "002003"
    assert other.rows("SHOW OBJECTS IN SCHEMA SEEN.PUBLIC") == []
    one.rows("CREATE TABLE SEEN.PUBLIC.T (A INT)")
    one.rows("DROP SCHEMA SEEN.PUBLIC")
    one.rows("CREATE SCHEMA SEEN.PUBLIC")
    assert other.query("DESCRIBE TABLE SEEN.PUBLIC.T")["code"] == "002003"
    one.rows("CREATE TABLE SEEN.PUBLIC.T (A INT)")
    one.rows("CREATE OR REPLACE DATABASE SEEN")
    assert other.query("DESCRIBE TABLE SEEN.PUBLIC.T")["code"] == "002003"
