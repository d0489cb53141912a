"""A range of an index gives the rows that a scan gives."""

from __future__ import annotations

import random

import pytest

from .engine_client import new_engine, new_session, rows, value

_COLUMNS = {
    "i": ["CAST(500 AS bigint)", "17", "-3"], "t": ["'k5'", "'K77'", "CAST(N'k9' COLLATE SQL_Latin1_General_CP1_CI_AS AS varchar(20))"],
    "n": ["N'K5'", "N'k40 '"], "d": ["CAST('3.50' AS decimal(9,2))", "7", "2.5", "1.125"],
    "u": ["CAST('00000000-0000-0000-0000-000000000900' AS uniqueidentifier)"], "dt": ["CAST('2024-01-01T00:10:00.003' AS datetime)"],
    "d2": ["CAST('2024-01-01T00:20:00.1234567' AS datetime2(7))", "CAST('2024-01-01' AS date)"], "b": ["0x05", "0x0500"], "f": ["1e1", "5"],
}  # fmt: skip


@pytest.fixture(scope="module")
def session():
    made = new_session(new_engine())
    kinds = "i int, t varchar(20), n nvarchar(20), d decimal(9,2), u uniqueidentifier, dt datetime, d2 datetime2(7), b varbinary(4), f float"
    rows(made, f"CREATE TABLE seeks ({kinds}); CREATE TABLE scans ({kinds})")
    digits = "(VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9))"
    rows(made, f"""INSERT seeks SELECT x, 'k' + CAST(x % 97 AS varchar(9)), CASE x % 3 WHEN 0 THEN N'K' ELSE N'k' END + CAST(x % 91 AS nvarchar(9)),
        x % 1000 / 8.0, CAST('00000000-0000-0000-0000-00000000' + RIGHT('000' + CAST(x AS varchar(9)), 4) AS uniqueidentifier),
        DATEADD(second, x, CAST('2024-01-01' AS datetime)), DATEADD(second, x, CAST('2024-01-01T00:00:00.1234567' AS datetime2(7))),
        CAST(CAST(x % 20 AS tinyint) AS varbinary(4)), x / 7
        FROM (SELECT a.v * 1000 + b.v * 100 + c.v * 10 + e.v AS x FROM {digits} a(v) CROSS JOIN {digits} b(v) CROSS JOIN {digits} c(v)
        CROSS JOIN {digits} e(v)) q; UPDATE seeks SET i = NULL, t = NULL, d = NULL WHERE i % 50 = 0; INSERT scans SELECT * FROM seeks""")  # fmt: skip
    for column in _COLUMNS:
        rows(made, f"CREATE INDEX x_{column} ON seeks ({column})")
    return made


@pytest.mark.parametrize("column", _COLUMNS)
def test_seeks_and_scans_agree(session, column):
    chance = random.Random(column)
    for _ in range(25):
        one, two = (chance.choice(_COLUMNS[column]) for _ in range(2))
        operators = [chance.choice(["<", "<=", ">", ">=", "="]) for _ in range(2)]
        condition = chance.choice([
            f"{column} {operators[0]} {one}", f"{one} {operators[0]} {column}", f"{column} {operators[0]} {one} AND {column} {operators[1]} {two}",
            f"{column} BETWEEN {one} AND {two}", f"{column} {operators[0]} {one} OR {column} IS NULL", f"NOT ({column} < {one})",
        ])  # fmt: skip
        asked = "SELECT COUNT(*), CHECKSUM(MIN(i)), SUM(CAST(i AS bigint)), MAX(t) FROM {} WHERE " + condition
        assert rows(session, asked.format("seeks")) == rows(session, asked.format("scans")), condition


def test_a_seek_sees_what_its_transaction_sees(session):
    assert value(session, "COUNT(*) FROM seeks WHERE i >= 9000") == 980
    rows(session, "BEGIN TRAN; DELETE seeks WHERE i >= 9500; INSERT seeks (i) VALUES (20000)")
    assert value(session, "COUNT(*) FROM seeks WHERE i >= 9000") == 491
    rows(session, "ROLLBACK")
    assert value(session, "COUNT(*) FROM seeks WHERE i >= 9000") == 980
    assert rows(session, "UPDATE seeks SET f = -1 WHERE i BETWEEN 1 AND 3; SELECT COUNT(*) FROM seeks WHERE f = -1") == [(3,)]
