"""The port between a driver and the server."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from local_redshift.proxy import rewritten_message
from local_redshift.rewrite import Session

from .conftest import ROOT, Connect


def value(session: Any, sql: str) -> Any:
    with session.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def refused(session: Any, sql: str) -> str:
    with pytest.raises(psycopg2.Error) as caught, session.cursor() as cursor:
        cursor.execute(sql)
    return caught.value.pgcode or ""


def test_it_says_that_it_is_redshift_and_reads_literals_as_redshift_does(connect: Connect) -> None:
    session = connect()
    assert session.get_parameter_status("server_version") == "8.0.2"
    assert session.get_parameter_status("standard_conforming_strings") is None
    assert value(session, "SHOW server_version") == "8.0.2"
    assert "Redshift 1.0." in value(session, "SELECT version()")
    assert value(session, "SELECT 'a\\\\b'") == "a\\b"
    assert value(session, "SELECT CAST(CAST(0.1 AS float8) + 0.2 AS varchar)") == "0.3"
    session.cursor().execute("SET extra_float_digits TO 2")
    assert value(session, "SELECT CAST(CAST(0.1 AS float8) + 0.2 AS varchar)") == "0.30000000000000004"
    # The other port is the PostgreSQL that it is.
    postgres = connect("postgresql")
    assert postgres.server_version >= 150000
    assert value(postgres, "SELECT 'a\\\\b'") == "a\\\\b"
    assert value(postgres, "SELECT to_json(1)") == 1


def test_what_is_refused_ends_the_transaction_as_any_error_does(connect: Connect) -> None:
    session = connect()
    cursor = session.cursor()
    cursor.execute("BEGIN")
    assert refused(session, "SAVEPOINT x") == "0A000"
    assert refused(session, "SELECT 1") == "25P02"
    cursor.execute("ROLLBACK")
    assert value(session, "SELECT 1") == 1
    cursor.execute("CREATE TABLE first_of_two (a int)")
    # One message: what stands before it has run, what stands after has not.
    assert refused(session, "BEGIN; DROP TABLE first_of_two; SELECT to_json(1); COMMIT") == "42883"
    cursor.execute("ROLLBACK")
    assert value(session, "SELECT count(*) FROM first_of_two") == 0


def test_one_cursor_and_a_thousand_rows_at_once(connect: Connect) -> None:
    cursor = connect().cursor()
    cursor.execute("BEGIN; DECLARE a CURSOR FOR SELECT o.oid FROM pg_class o, pg_class p LIMIT 2500")
    rows = 0
    for expected in (1000, 1000, 500, 0):
        cursor.execute("FETCH FORWARD 1000 FROM a")
        rows += len(cursor.fetchall())
        assert cursor.rowcount == expected
    assert rows == 2500
    cursor.execute("CLOSE a")
    cursor.execute("DECLARE b CURSOR FOR SELECT 1")
    assert refused(cursor.connection, "DECLARE c CURSOR FOR SELECT 1") == "0A000"
    cursor.execute("ROLLBACK")
    cursor.execute("BEGIN; DECLARE c CURSOR FOR SELECT 1; COMMIT")


def test_json_serialize_of_null_is_the_text_null(connect: Connect) -> None:
    session = connect()
    assert value(session, "SELECT json_serialize(CAST(NULL AS super))") == "null"
    assert value(session, "SELECT json_serialize(CAST('{\"a\":1}' AS super))") == '{"a":1}'


def test_explain_shows_a_table_with_a_policy_for_whoever_asks(connect: Connect) -> None:
    admin, owner = connect("admin"), connect()
    cursor = admin.cursor()
    cursor.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    cursor = owner.cursor()
    cursor.execute("CREATE TABLE invoice (id int, tenant varchar(10)); INSERT INTO invoice VALUES (1, 'acme'), (2, 'other')")
    cursor.execute("CREATE TABLE closed AS SELECT * FROM invoice; CREATE TABLE plain AS SELECT * FROM invoice")
    cursor.execute("GRANT SELECT ON invoice, closed, plain TO reader")
    cursor.execute("ALTER TABLE invoice ENABLE ROW LEVEL SECURITY; ALTER TABLE closed ENABLE ROW LEVEL SECURITY")
    cursor.execute("CREATE POLICY acme ON invoice TO reader USING (tenant = 'acme')")
    reader = connect(user="reader", password="reader")

    def plan(session: Any, sql: str) -> list[str]:
        with session.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            assert cursor.description[0].name == "QUERY PLAN"
            return [row[0] for row in cursor.fetchall()]

    for table in ("invoice", "closed"):
        secured = plan(reader, f"SELECT * FROM {table} WHERE id > 0")
        assert secured[0].startswith(f"XN RLS SecureScan {table}  (cost="), secured
        assert not any("acme" in line for line in secured)
        assert not any("RLS" in line for line in plan(owner, f"SELECT * FROM {table}"))
    through = plan(reader, "SELECT * FROM plain p JOIN (SELECT * FROM invoice) i ON p.id = i.id")
    assert any("XN RLS SecureScan invoice" in line for line in through)
    assert plan(reader, "SELECT * FROM plain")[0].startswith("XN Seq Scan on plain  (cost=")
    # Reading filters without a word.
    assert value(reader, "SELECT count(*) FROM invoice") == 1
    assert value(reader, "SELECT count(*) FROM closed") == 0
    assert refused(reader, "SELECT * FROM svv_rls_attached_policy") == "42501"
    assert refused(reader, "EXPLAIN SELECT * FROM missing") == "42P01"
    with admin.cursor() as cursor:
        cursor.execute("SELECT relschema, relname, polname, grantee, granteekind, is_rls_on FROM svv_rls_attached_policy")
        assert cursor.fetchall() == [("public", "invoice", "acme", "reader", "user", True)]
    owner.cursor().execute("COMMENT ON COLUMN plain.tenant IS 'masked by hidden'")
    assert value(reader, "SELECT count(*) FROM svv_attached_masking_policy") == 0
    assert value(admin, "SELECT policy_name FROM svv_attached_masking_policy") == "hidden"


def test_a_cancel_request_reaches_the_server(connect: Connect) -> None:
    session = connect()
    threading.Timer(0.3, session.cancel).start()
    query = "SELECT count(*) FROM pg_class a, pg_class b, pg_class c, pg_class d"
    assert refused(session, query) == "57014"


def test_a_large_message_and_a_large_result_pass(connect: Connect) -> None:
    session = connect()
    assert value(session, f"SELECT length('{'x' * 3_000_000}')") == 3_000_000
    with session.cursor() as cursor:
        cursor.execute("SELECT repeat('é', 1000) FROM pg_class a, pg_class b LIMIT 50000")
        assert sum(len(row[0]) for row in cursor) == 50_000_000


def test_the_extended_protocol_is_looked_through_too() -> None:
    # No driver here speaks it: the bytes of a Parse message.
    for sql, passes in (("SELECT 1", True), ("SAVEPOINT x", False)):
        message = parse_message(b"name", sql)
        rewritten = rewritten_message(message, Session(), in_transaction=True)
        assert (rewritten == message) == passes
        length = struct.unpack_from("!i", rewritten, 1)[0]
        assert length == len(rewritten) - 1
        assert rewritten.startswith(b"P") and rewritten[5:].startswith(b"name\0") and rewritten.endswith(b"\0\0\0")


def parse_message(name: bytes, sql: str) -> bytes:
    body = name + b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0)
    return b"P" + struct.pack("!i", 4 + len(body)) + body


def test_the_port_ends_with_its_server_and_sessions_with_it(tmp_path: Path) -> None:
    data = tmp_path / "redshift"
    script = [ROOT / "scripts" / "local-redshift"]
    subprocess.run([*script, "start", "--data", data], check=True, stdout=subprocess.DEVNULL)
    try:
        port = int((data / "redshift-port").read_text())
        with socket.create_connection(("127.0.0.1", port)) as idle:
            # SSLRequest: it offers no TLS.
            idle.sendall(struct.pack("!ii", 8, 80877103))
            assert idle.recv(1) == b"N"
            postmaster = int((data / "cluster" / "pgdata" / "postmaster.pid").read_text().split()[0])
            os.kill(postmaster, signal.SIGKILL)
            idle.settimeout(20)
            assert idle.recv(1) == b""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                break
            time.sleep(0.05)
        else:
            pytest.fail("the port is still open")
        subprocess.run([*script, "start", "--data", data], check=True, stdout=subprocess.DEVNULL)
        assert int((data / "redshift-port").read_text()) == port
        socket.create_connection(("127.0.0.1", port)).close()
    finally:
        subprocess.run([*script, "remove", "--data", data], check=True, stdout=subprocess.DEVNULL)
