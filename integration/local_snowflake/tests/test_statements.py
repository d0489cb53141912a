"""The statements of the product, by the official connector (Arrow) and as raw HTTP (JSON)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from snowflake.connector.errors import ProgrammingError

HYBRID = """CREATE HYBRID TABLE IF NOT EXISTS task (
    id NUMBER(19,0) NOT NULL AUTOINCREMENT, name VARCHAR(20), phase VARCHAR NOT NULL DEFAULT 'PENDING',
    big NUMBER(38,0), attempt NUMBER(10,0) DEFAULT 0, at TIMESTAMP_NTZ DEFAULT SYSDATE(),
    PRIMARY KEY (id), INDEX by_phase (phase, name) INCLUDE (big))"""


@pytest.fixture
def task(raw):
    raw.rows(HYBRID)
    raw.rows("INSERT INTO task (name, big) SELECT column1, column2 FROM VALUES ('a', 1), ('b', NULL), ('c', 3)")


def test_names_with_any_character(server):
    raw = server.raw()
    for name in ['"sales.eu"', '"My ""Db"""', '"semi;colon"', '"größe"', '"o\'clock"', '"db"', '"DB_LIKE"', "order_book"]:
        raw.rows(f"CREATE DATABASE IF NOT EXISTS {name}")
        raw.rows(f'CREATE SCHEMA IF NOT EXISTS {name}."s ; . x"')
        raw.rows(f'CREATE TABLE {name}."s ; . x"."t . "" ü" ("a b" INT, "C" VARCHAR(3))')
        raw.rows(f'INSERT INTO {name}."s ; . x"."t . "" ü" VALUES (1, \'x\')')
        assert raw.rows(f'SELECT "a b" FROM {name}."s ; . x"."t . "" ü"') == [["1"]]
        plain = name[1:-1].replace('""', '"') if name.startswith('"') else name.upper()
        raw.rows(f'USE SCHEMA {name}."s ; . x"')
        assert raw.rows("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == [[plain, "s ; . x"]]
        found = raw.rows("SELECT table_catalog, table_schema, table_name FROM information_schema.tables")
        assert found == [[plain, "s ; . x", 't . " ü']]
        assert raw.rows("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 's ; . x'") == [["1"]]
        assert [row[0] for row in raw.rows(f'DESCRIBE TABLE {name}."s ; . x"."t . "" ü"')] == ["a b", "C"]
        raw.rows(f'CREATE TABLE {name}."s ; . x"."o\'clock" (a INT)')
        raw.rows(f'DROP TABLE {name}."s ; . x"."o\'clock"')
        raw.rows(f"DROP DATABASE {name}")


def test_context_functions(cursor, database):
    cursor.execute(
        "SELECT CURRENT_ACCOUNT(), CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_VERSION(),"
        " CURRENT_DATABASE(), CURRENT_SCHEMA(), CURRENT_SESSION(), CURRENT_TIMESTAMP(), SYSDATE()"
    )
    row = cursor.fetchone()
    assert row[:2] == ("LOCAL", "TESTER")
    assert row[5:7] == (database, "PUBLIC")
    assert all(value is not None for value in row)


def test_counts_of_dml(raw, task):
    claimed = "UPDATE task SET name = 'x', at = DATEADD('second', 60, SYSDATE()), attempt = attempt + 1 WHERE id IN (SELECT id FROM task WHERE phase = 'PENDING' ORDER BY id LIMIT 2)"
    answer = raw.query(claimed)
    assert answer["data"]["rowset"] == [["2", "0"]]
    assert [c["name"] for c in answer["data"]["rowtype"]] == ["number of rows updated", "number of multi-joined rows updated"]
    moved = "UPDATE task SET phase = v.c FROM (SELECT column1 AS id, column2 AS c, column3 AS old FROM VALUES (1,'DONE','PENDING'),(2,'DONE','OTHER')) v WHERE task.id = v.id AND task.phase = v.old"
    assert raw.rows(moved) == [["1", "0"]]
    assert raw.rows(moved) == [["0", "0"]]
    merge = "MERGE INTO task t USING (SELECT column1 AS id, column2 AS name FROM VALUES (1,'m'),(2,'n'),(77,'o')) v ON t.id = v.id WHEN MATCHED AND t.phase = 'DONE' THEN UPDATE SET t.name = v.name || '!', attempt = t.attempt + 1 WHEN NOT MATCHED THEN INSERT (id, name) VALUES (v.id, UPPER(v.name))"
    assert raw.rows(merge) == [["1", "1"]]
    assert raw.rows("SELECT id, name, attempt FROM task ORDER BY id") == [
        ["1", "m!", "2"], ["2", "x", "1"], ["3", "c", "0"], ["77", "O", "0"],
    ]  # fmt: skip
    answer = raw.query("DELETE FROM task WHERE id = 77")
    assert answer["data"]["rowset"] == [["1"]]
    assert answer["data"]["rowtype"][0]["name"] == "number of rows deleted"


def test_merge_refuses_a_row_matched_twice(raw, task):
    answer = raw.query("MERGE INTO task USING (SELECT column1 AS id FROM VALUES (1),(1)) v ON task.id = v.id WHEN MATCHED THEN UPDATE SET name = 'x'")
    assert answer["code"] == "100090"


def test_many_rows_and_binds(cursor, raw, task):
    values = ",".join(f"('n{i}', {'NULL' if i % 3 else i})" for i in range(500))
    assert cursor.execute(f"INSERT INTO task (name, big) VALUES {values}").fetchall() == [(500,)]
    assert cursor.rowcount == 500
    bindings = {
        "1": {"type": "TEXT", "value": "o'x; --"},
        "2": {"type": "FIXED", "value": None},
        "3": {"type": "TIMESTAMP_NTZ", "value": "1577836800123456000"},
    }
    assert raw.rows("INSERT INTO task (name, big, at) VALUES (?, ?, ?)", bindings) == [["1"]]
    assert raw.rows("SELECT name, big, at FROM task WHERE name = ?", {"1": bindings["1"]}) == [
        ["o'x; --", None, "1577836800.123456000"]
    ]


def test_views_and_functions(cursor, task):
    cursor.execute(
        "CREATE OR REPLACE VIEW progress AS WITH x AS (SELECT phase, COUNT_IF(big > 1) AS n,"
        " LISTAGG(name, ',') WITHIN GROUP (ORDER BY id) AS names, MIN_BY(name, id) AS a, MAX_BY(name, id) AS z"
        " FROM task GROUP BY phase) SELECT *, IFF(n > 0, 'some', 'none') AS what FROM x"
    )
    assert cursor.execute("SELECT * FROM progress").fetchall() == [("PENDING", 1, "a,b,c", "a", "c", "some")]
    newest = "SELECT name FROM task QUALIFY ROW_NUMBER() OVER (PARTITION BY phase ORDER BY id DESC) = 1"
    assert cursor.execute(newest).fetchall() == [("c",)]
    hashes = "SELECT HASH_AGG(id, name), HASH_AGG(*), SUM(HASH(name)) FROM (SELECT * FROM task ORDER BY id {})"
    first = cursor.execute(hashes.format("ASC")).fetchall()
    assert first == cursor.execute(hashes.format("DESC")).fetchall()
    assert all(isinstance(value, int) for value in first[0])
    formats = "SELECT TO_VARCHAR('2020-02-03 04:05:06.7'::TIMESTAMP_NTZ, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF6'), TO_CHAR(X'00FF', 'HEX'), TO_VARCHAR(5)"
    assert cursor.execute(formats).fetchall() == [("2020-02-03T04:05:06.700000", "00FF", "5")]
    assert cursor.execute("SELECT SUM(big), SUM(99999999999999999999999999999999999990) FROM task WHERE id = 1").fetchone() == (
        1, 99999999999999999999999999999999999990,
    )  # fmt: skip


def test_a_table_like_one_of_another_database_needs_no_sequence_of_its_own(cursor):
    cursor.execute("CREATE DATABASE first_db")
    cursor.execute("CREATE SEQUENCE first_db.public.numbers START = 1 INCREMENT = 1")
    cursor.execute("CREATE TABLE first_db.public.t (id NUMBER(10,0) DEFAULT first_db.public.numbers.NEXTVAL, a NUMBER(3,0) DEFAULT 7)")
    cursor.execute("CREATE DATABASE second_db")
    cursor.execute("CREATE OR REPLACE TRANSIENT TABLE second_db.public.u LIKE first_db.public.t")
    cursor.execute("INSERT INTO second_db.public.u (id) VALUES (1)")
    assert cursor.execute("SELECT id, a FROM second_db.public.u").fetchall() == [(1, 7)]


def test_types_are_described_as_declared(cursor):
    columns = {
        "a": "NUMBER(38,0)", "b": "NUMBER(10,3)", "c": "FLOAT", "d": "VARCHAR(7)", "e": "VARCHAR(16777216)",
        "f": "BINARY(5)", "g": "BOOLEAN", "h": "DATE", "i": "TIME(3)", "j": "TIMESTAMP_NTZ(6)",
        "k": "TIMESTAMP_LTZ(9)", "l": "TIMESTAMP_TZ(0)", "m": "VARIANT",
    }  # fmt: skip
    body = ", ".join(f"{name} {kind} NOT NULL COMMENT 'it''s {name}'" for name, kind in columns.items())
    cursor.execute(f"CREATE TABLE every ({body}) COMMENT = 'all of them'")
    cursor.execute("CREATE TRANSIENT TABLE other LIKE every")
    cursor.execute("ALTER TABLE other ADD COLUMN n VARCHAR(4), o NUMBER(9,2) NOT NULL DEFAULT 1")
    described = cursor.execute("DESCRIBE TABLE every").fetchall()
    assert [(r[0], r[1], r[3], r[9]) for r in described] == [
        (name.upper(), kind, "N", f"it's {name}") for name, kind in columns.items()
    ]
    described = cursor.execute("DESCRIBE TABLE other").fetchall()
    assert [r[1] for r in described] == [*columns.values(), "VARCHAR(4)", "NUMBER(9,2)"]
    rows = cursor.execute(
        "SELECT column_name, data_type, numeric_precision, numeric_scale, character_maximum_length, is_nullable"
        " FROM information_schema.columns WHERE table_name = 'EVERY' ORDER BY ordinal_position"
    ).fetchall()
    assert rows[:2] == [("A", "NUMBER", 38, 0, None, "NO"), ("B", "NUMBER", 10, 3, None, "NO")]
    assert rows[3] == ("D", "TEXT", None, None, 7, "NO")
    assert rows[10][1] == "TIMESTAMP_LTZ"
    kinds = cursor.execute("SELECT table_name, is_transient, comment FROM information_schema.tables ORDER BY 1").fetchall()
    assert kinds == [("EVERY", "NO", "all of them"), ("OTHER", "YES", None)]


def test_a_column_counts_on_from_a_sequence_that_is_replaced(cursor, database):
    sequence = f'"{database}"."PUBLIC"."T_ID_SEQ"'
    cursor.execute(f"CREATE SEQUENCE IF NOT EXISTS {sequence} START = 1 INCREMENT = 1")
    cursor.execute(f"CREATE TABLE t (id NUMBER(10,0) NOT NULL DEFAULT {sequence}.NEXTVAL, a VARCHAR)")
    cursor.execute("CREATE TABLE own (id NUMBER(10,0) IDENTITY START 5 INCREMENT 2, a VARCHAR)")
    defaults = [cursor.execute(f"DESCRIBE TABLE {name}").fetchall()[0][4] for name in ("t", "own")]
    assert defaults == [f"{sequence}.NEXTVAL", "IDENTITY START 5 INCREMENT 2 NOORDER"]
    cursor.execute("INSERT INTO t (a) VALUES ('x')")
    cursor.execute(f"CREATE OR REPLACE SEQUENCE {sequence} START = 100 INCREMENT = 1")
    for name in ("t", "own"):
        cursor.execute(f"ALTER TABLE {name} ALTER COLUMN id SET DEFAULT {sequence}.NEXTVAL")
        cursor.execute(f"INSERT INTO {name} (a) VALUES ('y')")
    assert cursor.execute("SELECT id FROM t UNION ALL SELECT id FROM own ORDER BY 1").fetchall() == [(1,), (100,), (101,)]
    with pytest.raises(ProgrammingError):
        cursor.execute(f"ALTER TABLE t ALTER COLUMN a SET DEFAULT {sequence}.NEXTVAL")


def test_hybrid_tables_are_known(cursor, task):
    assert cursor.execute("SELECT is_hybrid FROM information_schema.tables WHERE table_name = 'TASK'").fetchall() == [("YES",)]
    assert [r[5] for r in cursor.execute("DESCRIBE TABLE task").fetchall()][:2] == ["Y", "N"]
    cursor.execute(HYBRID)
    assert cursor.execute("SELECT COUNT(*) FROM task").fetchone() == (3,)
    cursor.execute("ALTER TABLE task ADD COLUMN IF NOT EXISTS later VARCHAR(3)")
    cursor.execute("ALTER TABLE task ADD COLUMN IF NOT EXISTS later VARCHAR(3)")


def test_null_and_extreme_values_in_both_forms(cursor, raw):
    sql = (
        "SELECT NULL::TIMESTAMP_NTZ, '0001-01-01 00:00:00.000001'::TIMESTAMP_NTZ, '9999-12-31'::DATE, NULL::DATE,"
        " 99999999999999999999999999999999999999::NUMBER(38,0), '23:59:59.999999'::TIME, X'00FF00', TRUE,"
        " '2020-01-01 00:00:00 +00:00'::TIMESTAMP_TZ, -0.5::NUMBER(5,2), '😀'"
    )
    arrow = cursor.execute(sql).fetchone()
    assert arrow[0] is None and arrow[3] is None
    assert arrow[4] == Decimal("9" * 38)
    assert str(arrow[1]) == "0001-01-01 00:00:00.000001"
    assert raw.rows(sql) == [
        [None, "-62135596799.999999000", "2932896", None, "9" * 38, "86399.999999000", "00FF00", "1",
         "1577836800.000000000 1440", "-0.50", "😀"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "code", "state"),
    [
        ("SELECT * FROM missing", "002003", "42S02"),
        ("UPDATE missing SET a = 1", "002003", "42S02"),
        ("SELECT nope FROM task", "000904", "42000"),
        ("SELEC 1", "001003", "42000"),
        ("SELECT 1; DROP TABLE task", "000008", "0A000"),
        ("SELECT TO_VARCHAR(5, '999')", "000002", "0A000"),
        ("INSERT INTO task (id) VALUES (1)", "200001", "22000"),
        ("INSERT INTO task (id, phase) VALUES (9, NULL)", "100072", "22000"),
        ("SELECT 'abc'::NUMBER(5,0)", "100038", "22018"),
        ("CREATE TABLE task (a INT)", "002002", "42710"),
        ("LIST @missing", "002003", "02000"),
        ("USE DATABASE missing", "002003", "02000"),
    ],
)
def test_errors_as_in_snowflake(raw, task, sql, code, state):
    answer = raw.query(sql)
    assert (answer["success"], answer["code"], answer["data"]["sqlState"]) == (False, code, state)
    assert answer["data"]["queryId"]


def test_accepted_statements(cursor, raw, task):
    for sql in [
        "GRANT SELECT ON TABLE task TO ROLE reader", "ALTER SESSION SET QUERY_TAG = 'a b', TIMEZONE = 'UTC'",
        "ALTER SESSION UNSET QUERY_TAG", "USE ROLE r", "USE WAREHOUSE w", "SHOW TABLES", "SHOW SCHEMAS",
        "SHOW DATABASES", "SHOW VIEWS", "SHOW STAGES", "SHOW COLUMNS IN TABLE task",
        "SHOW PARAMETERS LIKE 'TIMEZONE'", "-- a comment\n/* two */ SELECT 1;", "TRUNCATE TABLE task",
        "ALTER TABLE task RENAME TO renamed", "DROP TABLE IF EXISTS renamed", "DROP TABLE IF EXISTS renamed",
    ]:  # fmt: skip
        cursor.execute(sql)
    with pytest.raises(ProgrammingError):
        cursor.execute("DROP TABLE renamed")
    assert raw.rows("SELECT CURRENT_ROLE()") == [["SYSADMIN"]]


def test_a_request_sent_again_runs_once(raw, task):
    first = raw.query("INSERT INTO task (name) VALUES ('once')", request_id="same")
    again = raw.query("INSERT INTO task (name) VALUES ('once')", request_id="same")
    assert first["data"]["queryId"] == again["data"]["queryId"]
    assert raw.rows("SELECT COUNT(*) FROM task WHERE name = 'once'") == [["1"]]
    result = raw.send("GET", f"/queries/{first['data']['queryId']}/result")
    assert result["data"]["rowset"] == [["1"]]


def test_a_stage_that_many_create_at_once_if_it_does_not_exist_is_created_once(server, database):
    sessions = [server.raw(query=f"databaseName={database}&schemaName=PUBLIC") for _ in range(8)]
    for number in range(5):
        with ThreadPoolExecutor(len(sessions)) as pool:
            sql = f"CREATE STAGE IF NOT EXISTS s{number}"
            answers = list(pool.map(lambda session, sql=sql: session.query(sql), sessions))
        assert [answer["message"] for answer in answers if not answer["success"]] == []
