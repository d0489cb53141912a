"""Queries and batches: https://learn.microsoft.com/sql/t-sql/queries/select-transact-sql"""

from __future__ import annotations

import pytest

from local_sqlserver.sqltypes import INT
from local_sqlserver.values import Info, Parameter, Rows

from .engine_client import error_of, new_engine, new_session, results, rows


@pytest.fixture(scope="module")
def session():
    made = new_session(new_engine())
    rows(made, """CREATE TABLE t (id int PRIMARY KEY, k varchar(10), n int);
        INSERT t VALUES (1, 'a', 10), (2, 'A', NULL), (3, 'b', 30), (4, NULL, 40), (5, 'c', 50);
        CREATE TABLE u (id int, w nvarchar(5)); INSERT u VALUES (1, N'x'), (3, N'y'), (3, N'z'), (9, N'q')""")
    return made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT TOP (2) id FROM t ORDER BY n DESC", [(5,), (4,)]),
        ("SELECT id FROM t ORDER BY k, id", [(4,), (1,), (2,), (3,), (5,)]),
        ("SELECT k AS x FROM t WHERE k IS NOT NULL GROUP BY k ORDER BY x", [("a",), ("b",), ("c",)]),
        ("SELECT k, COUNT(*), SUM(n), COUNT(n) FROM t GROUP BY k ORDER BY COUNT(*) DESC, k", [("a", 2, 10, 1), (None, 1, 40, 1), ("b", 1, 30, 1), ("c", 1, 50, 1)]),
        ("SELECT COUNT(*), MIN(k), MAX(n), AVG(n), SUM(n) FROM t WHERE id > 9", [(0, None, None, None, None)]),
        ("SELECT COUNT(*) FROM t WHERE id > 9 GROUP BY k", []),
        ("SELECT AVG(n), AVG(CAST(n AS decimal(5,1))), COUNT(DISTINCT k) FROM t", [(32, 32500000, 3)]),
        ("SELECT t.id, u.w FROM t JOIN u ON u.id = t.id ORDER BY 1, 2", [(1, "x"), (3, "y"), (3, "z")]),
        ("SELECT t.id, u.w FROM t LEFT JOIN u ON u.id = t.id AND u.w <> 'y' WHERE t.id < 4 ORDER BY t.id", [(1, "x"), (2, None), (3, "z")]),
        ("SELECT u.id FROM t RIGHT JOIN u ON u.id = t.id WHERE t.id IS NULL", [(9,)]),
        ("SELECT t.id, q.m FROM t OUTER APPLY (SELECT MAX(w) AS m FROM u WHERE u.id = t.id) q WHERE t.id IN (2, 3) ORDER BY 1", [(2, None), (3, "z")]),
        ("SELECT b.i, COUNT_BIG(*) FROM t CROSS APPLY (VALUES (CASE WHEN id < 3 THEN 0 ELSE 1 END)) b(i) GROUP BY b.i", [(0, 2), (1, 3)]),
        ("SELECT id FROM t WHERE id IN (SELECT id FROM u) ORDER BY id", [(1,), (3,)]),
        ("SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.id) ORDER BY id", [(2,), (4,), (5,)]),
        ("SELECT id FROM t WHERE n > (SELECT AVG(n) FROM t) ORDER BY id", [(4,), (5,)]),
        ("WITH a AS (SELECT id FROM t WHERE id < 3), b (x) AS (SELECT id + 10 FROM a) SELECT x FROM b UNION ALL SELECT id FROM a ORDER BY 1", [(1,), (2,), (11,), (12,)]),
        ("SELECT 1 AS v UNION SELECT 1 UNION ALL SELECT 2.5", [(10,), (25,)]),
        ("SELECT id FROM t EXCEPT SELECT id FROM u", [(2,), (4,), (5,)]),
        ("SELECT DISTINCT k FROM t WHERE k IN ('a', 'b') ORDER BY k", [("a",), ("b",)]),
        ("SELECT id FROM t ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", [(2,), (3,)]),
        ("SELECT id, NTILE(2) OVER (ORDER BY id), ROW_NUMBER() OVER (PARTITION BY k ORDER BY id DESC) FROM t ORDER BY id", [(1, 1, 2), (2, 1, 1), (3, 1, 1), (4, 2, 1), (5, 2, 1)]),
        ("SELECT id, COUNT_BIG(*) OVER (PARTITION BY k), MAX(n) OVER (PARTITION BY k) FROM t WHERE k = 'a' ORDER BY id", [(1, 2, 10), (2, 2, 10)]),
        ("SELECT q.n, MIN(q.id), COUNT_BIG(*) FROM (SELECT id, NTILE(2) OVER (ORDER BY id) AS n FROM t) q GROUP BY q.n ORDER BY 2", [(1, 1, 3), (2, 4, 2)]),
        ("SELECT COUNT(*), ROW_NUMBER() OVER (ORDER BY MIN(id)) FROM t GROUP BY k ORDER BY 2", [(2, 1), (1, 2), (1, 3), (1, 4)]),
        ("SELECT IIF(n IS NULL, 'none', CAST(n AS varchar(5))), COALESCE(k, N'?'), ISNULL(n, -1), NULLIF(id, 2) FROM t WHERE id IN (2, 4) ORDER BY id", [("none", "A", -1, None), ("40", "?", 40, 4)]),
        ("SELECT STUFF((SELECT ',' + w FROM u ORDER BY w FOR XML PATH('')), 1, 1, '')", [("q,x,y,z",)]),
        ("SELECT STRING_AGG(w, ';') WITHIN GROUP (ORDER BY w DESC) FROM u", [("z;y;x;q",)]),
        ("SELECT CASE WHEN 1 = 0 THEN 1 / 0 ELSE 5 END", [(5,)]),
        ("SELECT COUNT(*) FROM t a CROSS JOIN t b, u", [(100,)]),
    ],
)  # fmt: skip
def test_a_query(session, query, expected):
    found = rows(session, query)
    assert (sorted(found) if "ORDER BY" not in query else found) == expected


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("SELECT nope FROM t", 207), ("SELECT x.id FROM t", 4104), ("SELECT * FROM nope", 208), ("SELECT id FROM t, u", 209),
        ("SELECT FROM t", 156), ("SELECT 1 +", 102), ("SELECT 'a", 105), ("SELECT [a", 105), ("/* SELECT 1", 113), ("SELECT 1 FROM t GROUP BY 1", 164),
        ("SELECT * FROM (SELECT id FROM t ORDER BY id) q", 1033), ("SELECT 1 WITH a AS (SELECT 1 b) SELECT b FROM a", 319),
        ("SELECT k, COUNT(*) FROM t", 8120), ("SELECT COUNT(SUM(id)) FROM t", 130), ("SELECT id FROM t WHERE COUNT(*) > 1", 147),
        ("SELECT id FROM t WHERE id", 4145), ("SELECT id FROM t WHERE (id, n) > (1, 2)", 4145), ("SELECT 'a' || 'b'", 102),
        ("SELECT id FROM t ORDER BY 2", 108), ("SELECT DISTINCT k FROM t ORDER BY n", 145), ("SELECT (SELECT id FROM t)", 512),
        ("SELECT (SELECT id, n FROM t)", 116), ("SELECT 1 UNION ALL SELECT 1, 2", 205), ("SELECT a.id FROM t a JOIN u a ON 1 = 1", 1011),
        ("SELECT * FROM a.b.c.d.e", 117), ("SELECT ROW_NUMBER() OVER () FROM t", 4112),
        ("SELECT * FROM (SELECT 1) q", 8155), ("SELECT id FROM t WITH (NOPE)", 321), ("SELECT id FROM t LIMIT 1", 102),
        ("SELECT " + "CASE WHEN 1 = 1 THEN " * 11 + "1" + " END" * 11, 125), ("SELECT 1 FROM t WHERE id = 1 = 1", 102),
        ("INSERT t VALUES (1, 'x', 1)", 2627), ("INSERT t (id) VALUES (NULL)", 515), ("INSERT t VALUES (1)", 213), ("SELECT MIN(CAST(1 AS bit))", 8117),
        ("UPDATE t SET nope = 1", 207), ("DECLARE @a int; DECLARE @a int", 134), ("SET NOPE ON", 195), ("EXEC nope", 2812), ("USE nope", 911),
        ("CREATE TABLE t (a int)", 2714), ("DROP TABLE nope", 3701), ("CREATE TABLE x.y (a int)", 2760), ("SELECT SUM(k) FROM t", 8117),
    ],
)  # fmt: skip
def test_a_refused_batch(session, query, number):
    assert error_of(session, query) == number


def test_variables_flow_and_messages(session):
    batch = """DECLARE @i int = 0, @s nvarchar(max) = N''; WHILE 1 = 1 BEGIN SET @i += 1; IF @i = 2 CONTINUE; IF @i > 4 BREAK;
        SELECT @s = @s + CAST(@i AS nvarchar(5)) END; PRINT @s; SELECT @s, @i"""
    found = [x.text if isinstance(x, Info) else list(x.rows) for x in session.execute(batch) if isinstance(x, (Info, Rows))]
    assert found == ["134", [("134", 5)]]


def test_errors_end_what_they_end(session):
    assert results(session, "SELECT 1 / 0; SELECT 1") == [8134, [(1,)]]
    assert results(session, "SELECT CAST('x' AS int); SELECT 1") == [245]
    assert results(session, "RAISERROR('no %d', 16, 1, 5); SELECT 1; THROW 50001, 'x', 1; SELECT 2") == [50000, [(1,)], 50001]
    caught = "BEGIN TRY SELECT 1; SELECT CAST('x' AS int) END TRY BEGIN CATCH SELECT ERROR_NUMBER(); THROW END CATCH"
    assert results(session, caught) == [[(1,)], [(245,)], 245]


def test_rows_before_an_error_are_given(session):
    run = next(session.execute("SELECT 10 / (3 - id) FROM t ORDER BY id OFFSET 0 ROWS"))
    assert isinstance(run, Rows)
    run = next(session.execute("SELECT 10 / (3 - id) FROM t"))
    found = []
    with pytest.raises(Exception, match="Divide by zero"):
        found += run.rows
    found = []
    run = next(session.execute("SELECT 10 / (3 - id) FROM t"))
    iterator = iter(run.rows)
    assert [next(iterator), next(iterator)] == [(5,), (10,)]


def test_parameters_and_procedures(session):
    parameter = Parameter("@p", INT, 2)
    assert rows(session, "SELECT id + @p FROM t WHERE id = @p", parameter) == [(4,)]
    batch = """DECLARE @o int; EXEC sp_executesql N'SELECT @x = MAX(id) + @y FROM t', N'@x int OUTPUT, @y int', @x = @o OUTPUT, @y = 1;
        SELECT @o; EXEC('SELECT 9')"""
    assert results(session, batch) == [[(6,)], [(9,)]]


def test_a_batch_is_described_without_running(session):
    columns = session.describe("INSERT t VALUES (99, 'x', 1); SELECT id, k, n * 1.5 AS m FROM t")
    assert [(c.name, c.type.name) for c in columns] == [("id", "int"), ("k", "varchar"), ("m", "numeric")]
    assert rows(session, "SELECT COUNT(*) FROM t") == [(5,)]


def test_changes_of_rows(session):
    batch = """CREATE TABLE w (id int IDENTITY(10, 5), a int NOT NULL DEFAULT (7), b AS (a * 2) PERSISTED, c varchar(3) CHECK (c <> 'no'));
        INSERT w DEFAULT VALUES; INSERT w (a, c) SELECT id, 'x' FROM t WHERE id < 3; UPDATE w SET a += 1 FROM w JOIN t ON t.id = w.a;
        DELETE w WHERE id = 10; SELECT id, a, b, c FROM w ORDER BY id; SELECT @@ROWCOUNT; SELECT SCOPE_IDENTITY();
        SET IDENTITY_INSERT w ON; INSERT w (id, a) VALUES (100, 1); SET IDENTITY_INSERT w OFF; INSERT w (a) OUTPUT inserted.id VALUES (1)"""
    assert results(session, batch) == [[(15, 2, 4, "x"), (20, 3, 6, "x")], [(2,)], [(200 // 10,)], [(105,)]]
    assert error_of(session, "INSERT w (c) VALUES ('no')") == 547
    assert error_of(session, "INSERT w (id) VALUES (1)") == 544
    assert error_of(session, "INSERT w (b) VALUES (1)") == 271
    assert error_of(session, "INSERT w (c) SELECT 'long' FROM t") == 2628


def test_altering_tables(session):
    batch = """CREATE TABLE al (a int); INSERT al VALUES (1), (2); ALTER TABLE al ADD b varchar(5) NOT NULL DEFAULT 'q', rv rowversion;
        ALTER TABLE al ALTER COLUMN a bigint NOT NULL; ALTER TABLE al ADD CONSTRAINT pk PRIMARY KEY (a); ALTER TABLE al ADD d int;
        ALTER TABLE al DROP COLUMN d; SELECT a, b FROM al; SELECT COUNT(DISTINCT rv) FROM al"""
    assert results(session, batch) == [[(1, "q"), (2, "q")], [(2,)]]
    assert error_of(session, "INSERT al (a) VALUES (1)") == 2627
    assert error_of(session, "ALTER TABLE al ADD e int NOT NULL") == 4901
    assert error_of(session, "ALTER TABLE al DROP COLUMN b") == 5074
