"""A statement's translation that is kept gives what translating it again gives."""

from __future__ import annotations

import re

import pytest

from local_snowflake import templates

# Where %s stands, a value of VALUES.
STATEMENTS = [
    "SELECT %s AS a, n FROM t WHERE s <> %s ORDER BY n LIMIT 7",
    "SELECT COUNT(*), MAX(s) FROM t WHERE s = %s OR s LIKE %s",
    "SELECT LENGTH(%s), UPPER(%s), 'PENDING', 15, -15, 1.5",
    "WITH c AS (SELECT %s AS x) SELECT x, HASH(x) FROM c",
    "SELECT column1, column2 FROM VALUES (1, %s), (22, %s)",
    "SELECT v:a::VARCHAR, v:b FROM (SELECT PARSE_JSON('{\"a\": 12, \"b\": [1]}') AS v) WHERE %s IS NOT NULL",
    "INSERT INTO t SELECT column1, column2, SYSDATE() FROM VALUES (10, %s), (11, NULL)",
    "UPDATE t SET s = %s, at = DATEADD('millisecond', -60000, SYSDATE()) WHERE n >= 10 AND s = %s",
    "MERGE INTO t USING (SELECT 10 AS n, %s AS s) q ON t.n = q.n WHEN MATCHED THEN UPDATE SET t.s = q.s WHEN NOT MATCHED THEN INSERT (n, s) VALUES (q.n, q.s)",
    "DELETE FROM t WHERE n >= 10 AND COALESCE(s, %s) = %s",
]
VALUES = ["'a'", "'12'", "'it''s'", "'größe; 7'", "'2024-02-29'", "''", "'zq1qz'", "'987650000143210'", "'%%x_\"5'", "'null'", r"'{\"a\": \\\\ \'x\n\t}'",
          "'two\nlines -- ? /* $1 @s'"]  # fmt: skip


@pytest.fixture
def t(raw):
    raw.rows("CREATE TABLE t (n INT, s VARCHAR, at TIMESTAMP_NTZ)")
    raw.rows("INSERT INTO t VALUES (1, 'a', NULL), (2, 'it''s', NULL), (3, '2024-02-29', NULL)")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_kept_translations_answer_alike(raw, t, statement):
    for value in VALUES:
        # A comment has it translated anew.
        text = statement.replace("%s", value)
        answers = []
        for sql in (text, text.replace(" ", " /* anew */ ", 1)):
            raw.rows("BEGIN")
            answer = raw.query(sql)
            left = raw.rows("SELECT n, s, at IS NULL FROM t ORDER BY n, s")
            raw.rows("ROLLBACK")
            assert answer["success"], answer["message"]
            answers.append((answer["data"]["rowset"], answer["data"]["rowtype"], answer["data"]["statementTypeId"], left))
        assert answers[0] == answers[1]


def test_kept_translations_take_bound_values(raw, t):
    sql = "UPDATE t SET s = v.s, at = SYSDATE() FROM (SELECT column1 AS n, column2 AS s FROM VALUES (?, ?), (?, ?)) v WHERE t.n = v.n AND t.n IN (?, ?)"
    for text in [*(value for value in VALUES if "\\" not in value), None, "'?'", r"'a \\ b'"]:
        given = text and text[1:-1].replace("''", "'").replace("\\\\", "\\")
        values = [("FIXED", "1"), ("TEXT", given), ("FIXED", "3"), ("TEXT", "x"), ("FIXED", "1"), ("FIXED", "3")]
        binds = {str(at + 1): {"type": kind, "value": value} for at, (kind, value) in enumerate(values)}
        answer = raw.query(sql, bindings=binds)
        assert answer["success"], answer["message"]
        assert raw.rows("SELECT s FROM t ORDER BY n") == [[given], ["it's"], ["x"]]


def test_kept_translations_find_their_database(server):
    raw = server.raw()
    for number in range(1, 6):
        name = f'"OWN_{number}"'
        raw.rows(f"CREATE DATABASE {name}")
        raw.rows(f'CREATE TABLE {name}."PUBLIC"."T1" (a INT)')
        for sql in ("INSERT INTO {} SELECT 1", "INSERT INTO {} VALUES (2)", "UPDATE {} t SET a = t.a + 1 WHERE t.a = 2"):
            raw.rows("BEGIN")
            raw.rows(sql.format(f'{name}."PUBLIC"."T1"'))
            # Seen before it is committed: by the transaction's own connection.
            assert raw.rows(f'SELECT COUNT(*), MAX(a) FROM {name}."PUBLIC"."T1"') != [["0", None]]
            raw.rows("COMMIT")
        assert raw.rows(f'SELECT "T1".a FROM {name}."PUBLIC"."T1" ORDER BY 1') == [["1"], ["3"]]


def test_time_goes_on(raw, t):
    times = {raw.rows("SELECT SYSDATE()")[0][0] for _ in range(5)}
    assert len(times) == 5


def test_errors_of_kept_translations(raw, t):
    for value in ("5", "6", "7"):
        raw.rows(f"SELECT TO_NUMBER('{value}')")
    failures = [raw.query(f"SELECT {comment} TO_NUMBER('x-8')") for comment in ("", "/* anew */")]
    assert [f["success"] for f in failures] == [False, False]
    assert failures[0]["code"] == failures[1]["code"]
    assert failures[0]["message"] == failures[1]["message"]


def test_values_and_what_is_kept():
    shape, values = templates.cut("""SELECT 'a1''b', "it's 5", 'day', 12, -3, 4.5, t1, 'x''y' FROM "DB_7"."t 7" LIMIT 9""")
    assert values == ["'a1''b'", "12", "3", "'x''y'", '"DB_7"', "9"]
    assert re.sub(r"\x00[tno]", "?", shape) == """SELECT ?, "it's 5", 'day', ?, -?, 4.5, t1, ? FROM ?."t 7" LIMIT ?"""


class Session:
    """The least that looking up needs."""

    database = schema = None


def test_what_depends_on_more_than_text_is_never_kept():
    known = templates.Templates()
    for sql in ("SELECT CURRENT_USER()", "SELECT $1 FROM @s/f", "SELECT 'a\\u0041'", "SHOW TABLES", "SELECT 1 -- 'x", "DROP TABLE t"):
        for _ in range(3):
            assert known.find(Session(), sql) is None
    assert not known._known
