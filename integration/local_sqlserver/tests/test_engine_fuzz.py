"""Whatever is asked, nothing but an error of the server comes out."""

from __future__ import annotations

import random

import pytest

from .engine_client import new_engine, new_session, results, rows

_WORDS = """SELECT FROM WHERE GROUP BY ORDER HAVING TOP ( ) , . ; = < > + - * / % & | ^ ~ AND OR NOT IN EXISTS BETWEEN LIKE IS NULL CASE WHEN
    THEN ELSE END CAST AS int nvarchar(10) decimal(9,2) date t u id k n w 1 2 3.5 1e3 'a' N'b' 0x01 @x COUNT(*) SUM MIN MAX OVER PARTITION
    ROW_NUMBER() UNION ALL JOIN LEFT CROSS APPLY ON VALUES INSERT INTO UPDATE SET DELETE BEGIN TRAN COMMIT ROLLBACK IF WHILE DECLARE CONVERT
    HASHBYTES LEN SUBSTRING DATEADD day GETDATE() ISNULL COALESCE COLLATE Latin1_General_BIN2 [t] WITH NOLOCK TABLESAMPLE PERCENT OFFSET
    ROWS FETCH NEXT ONLY DISTINCT sys.objects sys.columns CREATE TABLE DROP ALTER GRANT EXEC PRINT THROW TRY CATCH""".split()
_PIECES = [
    "1", "-1", "2147483647", "9223372036854775807", "1.5", "1e300", "NULL", "'a'", "N'é😀'", "''", "0x", "0xFF", "id", "k", "n", "v", "d",
    "GETDATE()", "NEWID()", "CAST('2024-01-01' AS date)", "CAST('12:00' AS time)", "CAST(1 AS money)", "CAST('<a/>' AS xml)",
    "CAST('/1/' AS hierarchyid)", "CAST(1 AS sql_variant)", "SYSDATETIMEOFFSET()", "CAST('a' AS text)", "CAST(1 AS bit)",
]  # fmt: skip
_FORMS = [
    "{} + {}", "{} - {}", "{} * {}", "{} / {}", "{} % {}", "{} & {}", "~{}", "-{}", "CASE WHEN {} = {} THEN {} ELSE {} END",
    "CASE WHEN {} < {} THEN {} END", "ISNULL({}, {})", "COALESCE({}, {})", "NULLIF({}, {})", "CAST({} AS nvarchar(10))",
    "CAST({} AS int)", "CAST({} AS decimal(20,5))", "CAST({} AS datetime2(3))", "CAST({} AS varbinary(max))", "CAST({} AS uniqueidentifier)",
    "CONVERT(varchar(50), {}, 121)", "CONVERT(varchar(50), {}, 1)", "TRY_CAST({} AS date)", "LEN({})", "DATALENGTH({})", "SUBSTRING({}, {}, {})",
    "LEFT({}, 3)", "REPLACE({}, {}, {})", "CHARINDEX({}, {})", "CONCAT({}, {})", "UPPER({})", "ABS({})", "ROUND({}, 1)", "FLOOR({})", "SIGN({})",
    "HASHBYTES('SHA2_256', {})", "DATEADD(day, {}, {})", "DATEDIFF(second, {}, {})", "YEAR({})", "({} COLLATE Latin1_General_BIN2)",
    "CASE WHEN {} IN ({}, {}) THEN 1 END", "CASE WHEN {} LIKE {} THEN 1 END", "CASE WHEN {} BETWEEN {} AND {} THEN 1 END", "CHECKSUM({})",
    "POWER({}, {})", "SQL_VARIANT_PROPERTY({}, 'BaseType')", "STUFF({}, 1, 1, {})", "REPLICATE({}, 3)", "QUOTENAME({})", "MIN({}) OVER ()",
    "ROW_NUMBER() OVER (ORDER BY {})", "(SELECT MAX({}) FROM t)", "IIF({} IS NULL, {}, {})", "EOMONTH({})", "CHAR({})", "UNICODE({})",
]  # fmt: skip


@pytest.fixture
def session():
    made = new_session(new_engine())
    rows(made, "CREATE TABLE t (id int PRIMARY KEY, k varchar(10), n decimal(9,2), v varbinary(8), d datetime2(7)); CREATE TABLE u (id int, w nvarchar(9)); INSERT t VALUES (1, 'a', 1.5, 0x01, '2024-01-01'), (2, NULL, NULL, NULL, NULL)")  # fmt: skip
    return made


def expression(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(_PIECES)
    form = chance.choice(_FORMS)
    return form.format(*(expression(chance, depth - 1) for _ in range(form.count("{}"))))


@pytest.mark.parametrize("seed", range(8))
def test_expressions_of_any_types(session, seed):
    chance = random.Random(seed)
    for _ in range(150):
        made = expression(chance, chance.randint(1, 3))
        batch = chance.choice(["SELECT {} FROM t", "SELECT {}, COUNT(*) FROM t GROUP BY id, k, n, v, d", "SELECT id FROM t WHERE {} = 1 ORDER BY {}", "SELECT MAX({}), MIN({}), COUNT(DISTINCT {}) FROM t", "SELECT DISTINCT {} FROM t ORDER BY 1"])  # fmt: skip
        assert isinstance(results(session, batch.replace("{}", made)), list)


@pytest.mark.parametrize("seed", range(4))
def test_words_in_any_order(session, seed):
    chance = random.Random(seed)
    for _ in range(500):
        batch = " ".join(chance.choice(_WORDS) for _ in range(chance.randint(1, 14)))
        assert isinstance(results(session, batch), list)
        session.transactions.abandon()


def test_cut_and_changed_batches(session):
    chance = random.Random(1)
    whole = "WITH a AS (SELECT TOP (3) [id], CAST(k AS nvarchar(10)) AS x FROM t WITH (NOLOCK) WHERE n > 1.5e0 AND k LIKE N'a%' ESCAPE '!') SELECT x, COUNT_BIG(*) FROM a LEFT JOIN u ON u.id = a.id GROUP BY x HAVING MAX(a.id) > 0 ORDER BY 1 DESC"  # fmt: skip
    for _ in range(600):
        text = list(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(text))
            text[place : place + chance.randint(0, 5)] = chance.choice(["", " ", "(", ")", "'", "]", "é", "\0", "--", "/*", ",", "1"])
        assert isinstance(results(session, "".join(text)), list)


def test_depth_is_bounded(session):
    for batch in ("SELECT " + "(" * 5000 + "1", "SELECT " + "-" * 3 + "(-" * 2000 + "1", "SELECT 1 " + "+ 1 " * 5000, "SELECT 1 WHERE " + "1 = 1 AND " * 3000 + "1 = 1", "SELECT 1 WHERE " + "NOT " * 3000 + "1 = 1"):  # fmt: skip
        assert isinstance(results(session, batch), list)
    assert rows(session, "SELECT 1 " + "+ 1 " * 2000) == [(2001,)]
    assert rows(session, "SELECT CAST(0x AS varbinary(max)) " + "+ 0x01 " * 1000)[0][0] == b"\1" * 1000
