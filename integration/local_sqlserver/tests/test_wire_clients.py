"""The wire under three more clients, and results that a client leaves before their end."""

from __future__ import annotations

import datetime as dt
import json
import socket
import time
import uuid
from decimal import Decimal

import pymssql
import pyodbc
import pytds
import pytest

from .conftest import DRIVERS, Local


@pytest.fixture(scope="module")
def wide(local):
    """A table of rows that never end with a packet."""
    with local.connect(DRIVERS[0]) as connection:
        connection.execute("CREATE TABLE wide (id int NOT NULL PRIMARY KEY, a nvarchar(400) NOT NULL, b varchar(max) NULL)")
        for part in range(8):
            rows = ", ".join(f"({part * 500 + n}, N'{'é' * (n % 390)}', '{'b' * (n % 1700)}')" for n in range(500))
            connection.execute(f"INSERT INTO wide VALUES {rows}")
    return "wide"


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_result_may_be_left_at_any_row(local, wide, driver):
    keywords = {} if driver == DRIVERS[0] else {"password": "plain password"}
    text = local.text(driver, **keywords)
    text = text if driver == DRIVERS[0] else text.replace("UID=sa", "UID=plain")
    with pyodbc.connect(text, autocommit=True) as connection:
        for left in range(1, 400, 7):
            cursor = connection.execute(f"SELECT a.id, a.a, a.b FROM {wide} AS a ORDER BY a.id")
            for number in range(left):
                assert cursor.fetchone()[0] == number
            cursor.close()
            assert tuple(connection.execute("SELECT 'next', @@TRANCOUNT").fetchone()) == ("next", 0)


def _pymssql(local: Local, **more):
    return pymssql.connect(
        server="127.0.0.1", port=str(local.port), user="plain", password="plain password", database="master",
        tds_version="7.4", charset="UTF-8", autocommit=True, login_timeout=15, **more,
    )  # fmt: skip


def _pytds(local: Local, **more):
    more = {"user": "plain", "password": "plain password", "autocommit": True, "login_timeout": 15, **more}
    return pytds.connect("127.0.0.1", "master", port=local.port, **more)


CLIENTS = [_pymssql, _pytds]
VALUES = [
    ("CAST(255 AS tinyint)", 255),
    ("CAST(-9223372036854775808 AS bigint)", -9223372036854775808),
    ("CAST(1 AS bit)", True),
    ("CAST(-12345678901234567890.123456789012345678 AS decimal(38,18))", Decimal("-12345678901234567890.123456789012345678")),
    ("CAST(-922337203685477.5808 AS money)", Decimal("-922337203685477.5808")),
    ("CAST(-0.0001 AS smallmoney)", Decimal("-0.0001")),
    ("CAST(1.7976931348623157E308 AS float)", 1.7976931348623157e308),
    ("CAST(0.5 AS real)", 0.5),
    ("CAST('9999-12-31' AS date)", dt.date(9999, 12, 31)),
    ("CAST('0001-01-01T00:00:00.123456' AS datetime2(6))", dt.datetime(1, 1, 1, 0, 0, 0, 123456)),
    ("CAST('1753-01-01T00:00:00' AS datetime)", dt.datetime(1753, 1, 1)),
    ("CAST('1900-01-01T00:01:00' AS smalldatetime)", dt.datetime(1900, 1, 1, 0, 1)),
    ("CAST('23:59:59.5' AS time(1))", dt.time(23, 59, 59, 500000)),
    ("CAST(N'é €' AS varchar(10))", "é €"),
    ("CAST(N'日😀' AS nvarchar(10))", "日😀"),
    ("CAST('' AS nvarchar(10))", ""),
    ("REPLICATE(CAST('x' AS varchar(max)), 100000)", "x" * 100_000),
    ("CAST(N'<a/>' AS xml)", "<a/>"),
    ("CAST(0x00FF AS varbinary(10))", b"\x00\xff"),
    ("CAST(0x AS varbinary(max))", b""),
    ("CAST('6f9619ff-8b86-d011-b42d-00c04fc964ff' AS uniqueidentifier)", uuid.UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")),
]  # fmt: skip


@pytest.mark.parametrize("connect", CLIENTS)
def test_other_clients_read_the_same(local, connect):
    with connect(local) as connection, connection.cursor() as cursor:
        for expression, value in VALUES:
            cursor.execute(f"SELECT {expression}, 'behind' UNION ALL SELECT CASE WHEN 1 = 0 THEN {expression} END, 'NULL'")
            assert cursor.fetchall() == [(value, "behind"), (None, "NULL")], expression


def test_offsets_are_kept(local):
    with _pytds(local) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT CAST('2024-02-28 22:00:00.25 -14:00' AS datetimeoffset(3))")
        found = cursor.fetchone()[0]
    assert found == dt.datetime(2024, 2, 28, 22, 0, 0, 250000, dt.timezone(dt.timedelta(hours=-14)))
    assert found.utcoffset() == dt.timedelta(hours=-14)


def test_values_of_a_variant_keep_their_types(local):
    values = [
        ("CAST(7 AS int)", 7), ("CAST(1.50 AS decimal(5,2))", Decimal("1.50")), ("N'日'", "日"), ("CAST('é' AS varchar(5))", "é"),
        ("CAST('2024-02-28' AS date)", dt.date(2024, 2, 28)), ("CAST(2.5 AS float)", 2.5), ("0x0102", b"\x01\x02"),
        ("CAST('2024-02-28T01:02:03.5' AS datetime2(3))", dt.datetime(2024, 2, 28, 1, 2, 3, 500000)),
        ("CAST(-1.5 AS money)", Decimal("-1.5")),
    ]  # fmt: skip
    with _pytds(local) as connection, connection.cursor() as cursor:
        for expression, value in values:
            cursor.execute(f"SELECT CAST({expression} AS sql_variant), 'behind'")
            assert cursor.fetchone() == (value, "behind"), expression


@pytest.mark.parametrize("connect", CLIENTS)
def test_other_clients_send_parameters_and_see_errors(local, connect):
    error = pymssql.Error if connect is _pymssql else pytds.Error
    with connect(local) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT %s, %s, %s", (7, "é日", None))
        assert cursor.fetchall() == [(7, "é日", None)]
        with pytest.raises(error) as raised:
            cursor.execute("SELECT a FROM nowhere")
        assert "nowhere" in str(raised.value)
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]


@pytest.mark.parametrize("connect", CLIENTS)
def test_other_clients_have_transactions(local, connect):
    with connect(local) as one, connect(local) as other:
        with one.cursor() as writes, other.cursor() as reads:
            writes.execute("CREATE TABLE kept (a int)")
            one.autocommit(False) if connect is _pymssql else setattr(one, "autocommit", False)
            for end, count in ((one.rollback, 0), (one.commit, 1)):
                writes.execute("INSERT INTO kept VALUES (1)")
                end()
                reads.execute("SELECT COUNT(*) FROM kept")
                assert reads.fetchall() == [(count,)]
            writes.execute("DROP TABLE kept")
            one.commit()


def test_a_trusted_authority_is_enough(local):
    authority = str(local.directory / "ca.pem")
    with _pytds(local, cafile=authority, validate_host=False) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID")
        assert cursor.fetchone() == ("TRUE",)


def test_microsofts_driver_begins_with_tls_if_it_is_strict(local):
    # Strict connections are verified always, and this authority is not known to the machine.
    with pytest.raises(pyodbc.Error) as raised:
        local.connect(DRIVERS[0], "Encrypt=strict;")
    assert "certificate verify failed" in str(raised.value)
    strict = f"Encrypt=strict;ServerCertificate={local.directory / 'server.pem'};"
    with local.connect(DRIVERS[0], strict) as connection:
        assert connection.execute("SELECT 1").fetchone()[0] == 1


@pytest.mark.filterwarnings("error")
def test_clients_that_vanish_or_talk_nonsense_leave_nothing(local):
    noises = [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x12\x01\0\x08\0\0\0\0", b"\x12\x01\0\0\0\0\0\0", b"\x12\x01\0\x0a\0\0\0\0\x01\0", b"\x16\x03\x01"]
    with _pytds(local) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT session_id FROM sys.dm_exec_sessions")
        before = set(cursor.fetchall())
        for noise in noises:
            with socket.create_connection(("127.0.0.1", local.port)) as peer:
                peer.sendall(noise)
        peer = socket.create_connection(("127.0.0.1", local.port))
        gone = pytds.connect("127.0.0.1", "master", user="plain", password="plain password", sock=peer)
        waiting = gone.cursor()
        waiting.execute("SELECT @@SPID")
        (spid,) = waiting.fetchone()
        query = "SELECT session_id FROM sys.dm_exec_sessions"
        cursor.execute(query)
        assert (spid,) in cursor.fetchall()
        peer.shutdown(socket.SHUT_RDWR)
        peer.close()
        for _ in range(200):
            cursor.execute(query)
            left = set(cursor.fetchall())
            if (spid,) not in left:
                break
            time.sleep(0.05)
        assert left <= before


def test_handles_of_prepared_statements_stay_apart(local):
    with _pytds(local) as connection, connection.cursor() as cursor:

        def prepared(number: int) -> int:
            found = cursor.callproc("sp_prepare", (pytds.output(param_type=int), "@a int", f"SELECT @a + {number}"))
            return found[0]

        def added(handle: int, given: int) -> int:
            cursor.callproc("sp_execute", (handle, given))
            return cursor.fetchall()[0][0]

        one, other = prepared(1), prepared(100)
        assert (added(one, 5), added(other, 5)) == (6, 105)
        cursor.callproc("sp_unprepare", (one,))
        third = prepared(1000)
        assert (added(other, 5), added(third, 5)) == (105, 1005)
        with pytest.raises(pytds.Error) as raised:
            added(one, 5)
        assert "8179" in str(raised.value) or "prepared statement" in str(raised.value)


def test_a_prepared_statement_runs_once_a_row(local):
    with local.connect(DRIVERS[0]) as connection:
        connection.execute("CREATE TABLE many_times (a int, b nvarchar(10))")
        connection.cursor().executemany("INSERT INTO many_times VALUES (?, ?)", [(n, f"é{n}") for n in range(20)])
        found = connection.execute("SELECT a, b FROM many_times ORDER BY a").fetchall()
        assert [tuple(row) for row in found] == [(n, f"é{n}") for n in range(20)]
        connection.execute("DROP TABLE many_times")


def _ask_for_a_fault(port: int, fault: object) -> str:
    with socket.create_connection(("127.0.0.1", port)) as peer, peer.makefile("rw") as stream:
        stream.write(json.dumps(fault) + "\n")
        stream.flush()
        return stream.readline().strip()


@pytest.mark.filterwarnings("error")
def test_faults_come_by_the_control_port_and_nonsense_is_refused(local):
    port = local.faults.serve()
    for nonsense in ({"fault": "flood"}, {"fault": "error", "after_rows": 1}, {}, [], 7):
        assert _ask_for_a_fault(port, nonsense).startswith("error"), nonsense
    with _pytds(local) as connection, connection.cursor() as cursor:
        for rows in (0, 1, 2):
            assert _ask_for_a_fault(port, {"fault": "error", "after_rows": rows, "number": 601, "contains": "AS fails"}) == "ok"
            cursor.execute("SELECT 1 UNION ALL SELECT 2")
            assert len(cursor.fetchall()) == 2
            with pytest.raises(pytds.Error) as raised:
                cursor.execute("SELECT 1 AS fails UNION ALL SELECT 2")
                cursor.fetchall()
            assert "601" in str(raised.value)
        _ask_for_a_fault(port, {"fault": "error", "after_rows": 0, "number": 601, "times": 3})
        assert _ask_for_a_fault(port, {"fault": "clear"}) == "ok"
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]


def test_a_stopped_server_gives_its_port_back(tmp_path):
    local = Local(tmp_path, with_tls=False)
    local.server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", local.port))
