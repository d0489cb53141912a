"""What two drivers make of the server's answers. The values are those of the types' pages
(https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql)."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal

import pyodbc
import pytest

from .conftest import Local

VALUES = [
    ("CAST(255 AS tinyint)", 255),
    ("CAST(-32768 AS smallint)", -32768),
    ("CAST(-2147483648 AS int)", -2147483648),
    ("CAST(9223372036854775807 AS bigint)", 9223372036854775807),
    ("CAST(1 AS bit)", True),
    ("CAST(-99999999999999999999999999999999999999 AS decimal(38,0))", Decimal("-" + "9" * 38)),
    ("CAST(0.50 AS numeric(10,2))", Decimal("0.50")),
    ("CAST(-922337203685477.5808 AS money)", Decimal("-922337203685477.5808")),
    ("CAST(214748.3647 AS smallmoney)", Decimal("214748.3647")),
    ("CAST(0.1E0 AS float)", 0.1),
    ("CAST(0.5 AS real)", 0.5),
    ("CAST('0001-01-01' AS date)", dt.date(1, 1, 1)),
    ("CAST('9999-12-31T23:59:59.9999999' AS datetime2(7))", dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("CAST('2024-02-28T12:00:00.003' AS datetime)", dt.datetime(2024, 2, 28, 12, 0, 0, 3000)),
    ("CAST('2079-06-06T23:59:00' AS smalldatetime)", dt.datetime(2079, 6, 6, 23, 59)),
    ("CAST('ab' AS char(4))", "ab  "),
    ("CAST(N'5 €' AS varchar(10))", "5 €"),
    ("CAST('' AS varchar(10))", ""),
    ("CAST(N'Привет' COLLATE Cyrillic_General_CI_AS AS varchar(20))", "Привет"),
    ("N'日😀'", "日😀"),
    ("CAST(N'x' AS nchar(3))", "x  "),
    ("CAST('long' AS varchar(max))", "long"),
    ("REPLICATE(CAST(N'é' AS nvarchar(max)), 20000)", "é" * 20000),
    ("CAST(N'<a>é</a>' AS xml)", "<a>é</a>"),
    ("0x00FF", b"\x00\xff"),
    ("CAST(0x01 AS binary(3))", b"\x01\x00\x00"),
    ("CAST(0x0102 AS varbinary(max))", b"\x01\x02"),
    ("CAST('6f9619ff-8b86-d011-b42d-00c04fc964ff' AS uniqueidentifier)", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_a_value_arrives(cursor, expression, value):
    assert tuple(cursor.execute(f"SELECT {expression}, 'behind'").fetchone()) == (value, "behind")
    kind = cursor.execute(f"SELECT CASE WHEN 1 = 0 THEN {expression} END, 'behind'").fetchone()
    assert tuple(kind) == (None, "behind")


@pytest.mark.parametrize("name", ["time(7)", "datetimeoffset(7)"])
def test_times_of_100_ns_arrive(local, name):
    value = {"time(7)": "23:59:59.9999999", "datetimeoffset(7)": "2024-02-28 22:00:00.0000001 -14:00"}[name]
    with local.connect("ODBC Driver 18 for SQL Server") as connection:
        found = connection.execute(f"SELECT CAST('{value}' AS {name}), 'behind'").fetchone()
    assert found[1] == "behind"
    # The driver's own structures: the fraction is in nanoseconds, the zone in hours and minutes.
    if name == "time(7)":
        assert found[0] == b"\x17\0\x3b\0\x3b\0\0\0" + (999999900).to_bytes(4, "little")
    else:
        assert found[0][12:16] == (100).to_bytes(4, "little") and found[0][16:18] == (-14).to_bytes(2, "little", signed=True)


def test_large_objects_arrive(cursor):
    cursor.execute("CREATE TABLE large_objects (a text, b ntext, c image)")
    cursor.execute("INSERT INTO large_objects VALUES ('x', N'é日', 0x0102), (NULL, NULL, NULL)")
    assert [tuple(row) for row in cursor.execute("SELECT * FROM large_objects").fetchall()] == [
        ("x", "é日", b"\x01\x02"), (None, None, None),
    ]  # fmt: skip
    cursor.execute("DROP TABLE large_objects")


def test_an_unpaired_surrogate_is_sent_as_it_is(local):
    with local.connect("ODBC Driver 18 for SQL Server") as connection:
        connection.add_output_converter(-9, bytes)
        assert connection.execute("SELECT N'a' + NCHAR(55357)").fetchone()[0] == b"a\0\x3d\xd8"


def test_rows_come_in_any_number(cursor):
    cursor.execute("CREATE TABLE many (id int NOT NULL PRIMARY KEY, v nvarchar(50) NULL)")
    for part in range(5):
        rows = ", ".join(f"({part * 1000 + n}, N'value {n}')" for n in range(1000))
        cursor.execute(f"INSERT INTO many VALUES {rows}")
        assert cursor.rowcount in (1000, -1)
    rows = cursor.execute("SELECT id, v FROM many ORDER BY id").fetchall()
    assert len(rows) == 5000 and tuple(rows[4999]) == (4999, "value 999")
    cursor.execute("DROP TABLE many")


def test_parameters_and_prepared_statements(cursor):
    found = cursor.execute("SELECT ?, ?, ?", 7, "日", b"\x01").fetchone()
    assert tuple(found) == (7, "日", b"\x01")
    for number in (1, 2):
        assert cursor.execute("SELECT ? + 1", number).fetchone()[0] == number + 1


def test_errors_have_their_numbers_and_what_follows_comes(cursor):
    for statement, number in [("SELECT * FROM nowhere", "208"), ("SELECT 1 / 0", "8134"), ("SELECT FROM", "156")]:
        with pytest.raises(pyodbc.Error) as raised:
            cursor.execute(statement).fetchall()
        assert f"({number})" in str(raised.value), statement
    assert cursor.execute("SELECT 1").fetchone()[0] == 1


def test_transactions(local, driver):
    connect = (lambda: local.connect(driver)) if driver != "FreeTDS" else None
    if connect is None:
        pytest.skip("one driver's own transactions are enough")
    with connect() as one, connect() as other:
        one.execute("CREATE TABLE held (a int)")
        one.autocommit = False
        one.execute("INSERT INTO held VALUES (1)")
        assert other.execute("SELECT COUNT(*) FROM held WITH (NOLOCK)").fetchone()[0] == 1
        one.rollback()
        assert other.execute("SELECT COUNT(*) FROM held").fetchone()[0] == 0
        one.execute("INSERT INTO held VALUES (2)")
        one.commit()
        assert other.execute("SELECT COUNT(*) FROM held").fetchone()[0] == 1
        one.autocommit = True
        one.execute("DROP TABLE held")


def test_a_statement_that_takes_too_long_is_cancelled(local):
    with local.connect("ODBC Driver 18 for SQL Server") as connection:
        connection.timeout = 1
        began = time.monotonic()
        with pytest.raises(pyodbc.OperationalError) as raised:
            connection.execute("WAITFOR DELAY '00:01:00'")
        assert raised.value.args[0] == "HYT00"
        assert time.monotonic() - began < 30
        # The session goes on, and nothing of the statement is left.
        assert connection.execute("SELECT COUNT(*) FROM sys.dm_exec_requests WHERE session_id = @@SPID").fetchone()[0] == 1


def test_wrong_logins(local):
    for keywords, number in [({"password": "wrong"}, "18456"), ({"database": "nowhere"}, "4060")]:
        with pytest.raises(pyodbc.Error) as raised:
            local.connect("ODBC Driver 18 for SQL Server", **keywords)
        assert number in str(raised.value)


def test_certificates_are_verified(local):
    with pytest.raises(pyodbc.Error) as raised:
        local.connect("ODBC Driver 18 for SQL Server", "TrustServerCertificate=no;")
    assert "certificate verify failed" in str(raised.value)


def test_the_login_is_protected_where_the_rest_is_not(local):
    with local.connect("ODBC Driver 18 for SQL Server", "Encrypt=no;") as connection:
        query = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID"
        assert connection.execute(query).fetchone()[0] in ("FALSE", "TRUE")


def test_a_server_without_tls_is_refused_by_default(tmp_path):
    local = Local(tmp_path, with_tls=False)
    with pytest.raises(pyodbc.Error):
        local.connect("ODBC Driver 18 for SQL Server")
    with local.connect("ODBC Driver 18 for SQL Server", "Encrypt=no;") as connection:
        assert connection.execute("SELECT 1").fetchone()[0] == 1
    local.server.stop()


def test_faults(local):
    with local.connect("ODBC Driver 18 for SQL Server") as connection:
        connection.execute("CREATE TABLE breaking (id int)")
        connection.execute("INSERT INTO breaking VALUES " + ", ".join(f"({n})" for n in range(1000)))
        local.faults.add({"fault": "error", "after_rows": 334, "number": 1205, "times": 1})
        with pytest.raises(pyodbc.Error) as raised:
            connection.execute("SELECT id FROM breaking").fetchall()
        assert "1205" in str(raised.value)
        assert len(connection.execute("SELECT id FROM breaking").fetchall()) == 1000
        local.faults.add({"fault": "fail_statement", "contains": "FROM breaking", "number": 40197, "times": 1})
        with pytest.raises(pyodbc.Error) as raised:
            connection.execute("SELECT id FROM breaking")
        assert "40197" in str(raised.value)
        local.faults.add({"fault": "cut", "after_rows": 500, "times": 1})
        with pytest.raises(pyodbc.Error):
            connection.execute("SELECT id FROM breaking").fetchall()
    local.faults.add({"fault": "refuse_login", "number": 40613, "times": 1})
    with pytest.raises(pyodbc.Error) as raised:
        local.connect("ODBC Driver 18 for SQL Server")
    assert "40613" in str(raised.value)
