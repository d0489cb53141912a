"""Stored procedures: what their bodies may say is carried out as written, and CALL is refused as Snowflake refuses it."""

from __future__ import annotations

import pytest

MOVE = """CREATE OR REPLACE PROCEDURE move(wanted NUMBER, place VARCHAR) COPY GRANTS RETURNS VARCHAR LANGUAGE SQL
COMMENT = 'it''s mine' EXECUTE AS OWNER AS $$
DECLARE
  n NUMBER(10,0);
  says VARCHAR;
BEGIN
  SELECT COUNT(*), MAX(CASE WHEN b = 'x;y' THEN 'it is there' END) INTO :n, :says FROM t WHERE a = :wanted;
  IF (n = 0) THEN
    RETURN 'no row ' || wanted || ' -- ; in ' || place;
  ELSEIF (says IS NOT NULL) THEN
    RETURN says;
  END IF;
  BEGIN TRANSACTION;
  UPDATE t SET b = :place WHERE a = :wanted;
  n := SQLROWCOUNT;
  INSERT INTO t VALUES (:wanted + 100, :place);
  IF (place = 'undone') THEN
    ROLLBACK;
  ELSE
    COMMIT;
  END IF;
  RETURN 'moved ' || n;
END
$$"""


@pytest.fixture
def table(raw):
    raw.rows("CREATE HYBRID TABLE t (a INT PRIMARY KEY, b VARCHAR)")
    raw.rows("INSERT INTO t VALUES (1, 'x;y'), (2, 'b')")


def test_a_body_is_carried_out_as_written(raw, table):
    raw.rows(MOVE)
    assert raw.rows("CALL move(7, 'it''s \\\\ here')") == [["no row 7 -- ; in it's \\ here"]]
    assert raw.rows("CALL move(1, 'z')") == [["it is there"]]
    assert raw.rows("CALL move(2, 'undone')") == [["moved 1"]]
    assert raw.rows("SELECT a, b FROM t ORDER BY a") == [["1", "x;y"], ["2", "b"]]
    assert raw.rows("CALL move(1 + 1, 'it''s')") == [["moved 1"]]
    assert raw.rows("SELECT a, b FROM t ORDER BY a") == [["1", "x;y"], ["2", "it's"], ["102", "it's"]]


def test_a_call_of_nothing_or_with_other_arguments_is_refused(raw, database):
    raw.rows("CREATE TABLE t (a INT, b VARCHAR)")
    raw.rows(MOVE)
    for call, code in [
        ("CALL nothing(1)", "002141"),
        ("CALL move('2', 'a')", "001044"),
        ("CALL move(2, 3)", "001044"),
        ("CALL move(2)", "001044"),
        ("CALL move(2, 'a', 'b')", "001044"),
        ("CALL move(2, 'a'", "001003"),
        (f"CALL {database}.NOWHERE.move(2, 'a')", "002003"),
    ]:
        answer = raw.query(call)
        assert (answer["success"], answer["data"]["errorCode"]) == (False, code), call


def test_what_a_procedure_leaves_open_is_rolled_back(raw, table):
    body = "BEGIN BEGIN TRANSACTION; DELETE FROM t; {} END"
    for name, rest, code in [("open_end", "RETURN 'done';", "090232"), ("fails", "SELECT nothing FROM t; RETURN 'a';", "000904")]:
        raw.rows(f"CREATE PROCEDURE {name}() RETURNS VARCHAR LANGUAGE SQL AS $${body.format(rest)}$$")
        answer = raw.query(f"CALL {name}()")
        assert (answer["success"], answer["data"]["errorCode"]) == (False, code), name
        assert raw.rows("SELECT COUNT(*) FROM t") == [["2"]]
    handled = "BEGIN BEGIN TRANSACTION; DELETE FROM t; SELECT nothing FROM t; COMMIT; RETURN ''a''; EXCEPTION WHEN OTHER THEN ROLLBACK; RAISE; END"
    raw.rows(f"CREATE PROCEDURE handled() RETURNS VARCHAR LANGUAGE SQL AS '{handled}'")
    assert not raw.query("CALL handled()")["success"]
    assert raw.rows("SELECT COUNT(*) FROM t") == [["2"]]


def test_procedures_are_shown_dropped_and_go_with_their_schema(raw, start):
    own = start().raw()
    own.rows("CREATE DATABASE p")
    own.rows("CREATE TABLE p.public.t (a INT, b VARCHAR)")
    own.rows(MOVE.replace("move(", "p.public.move("))
    assert not own.query(MOVE.replace("OR REPLACE ", "").replace("move(", "p.public.move("))["success"]
    answer = own.query("SHOW PROCEDURES LIKE 'mo%' IN SCHEMA p.public")["data"]
    shown = dict(zip([c["name"] for c in answer["rowtype"]], answer["rowset"][0], strict=True))
    assert (shown["name"], shown["description"]) == ("MOVE", "it's mine")
    assert shown["arguments"] == "MOVE(NUMBER, VARCHAR) RETURN VARCHAR"
    assert own.rows("SHOW PROCEDURES LIKE 'x%' IN SCHEMA p.public") == []
    assert own.query("DROP PROCEDURE p.public.move(NUMBER)")["data"]["errorCode"] == "002003"
    own.rows("DROP PROCEDURE IF EXISTS p.public.move(NUMBER)")
    own.rows("DROP SCHEMA p.public")
    own.rows("CREATE SCHEMA p.public")
    assert own.rows("SHOW PROCEDURES IN SCHEMA p.public") == []


def test_what_is_not_understood_is_refused_when_it_is_created(raw, database):
    for body in ["BEGIN FOR i IN 1 TO 2 DO RETURN 1; END FOR; END", "BEGIN RETURN 1", "BEGIN LET x := 1; RETURN x; END", "SELECT 1"]:
        answer = raw.query(f"CREATE PROCEDURE p() RETURNS VARCHAR LANGUAGE SQL AS $${body}$$")
        assert not answer["success"], body
