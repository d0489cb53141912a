"""The drivers behind one face."""

from __future__ import annotations

import datetime
import os
import re
import struct
import threading
from decimal import Decimal
from typing import Any

import psycopg2
import snowflake.connector
from psycopg2.extensions import UNICODE, new_type, register_type
from snowflake.connector.constants import FIELD_ID_TO_NAME

# json and jsonb as they are written, not as Python objects.
register_type(new_type((114, 3802), "JSON_TEXT", UNICODE))
# Several connections may log in at once, which Snowflake's driver does not survive in its first import.
_login = threading.Lock()


def text(value: Any) -> str | None:
    """Numbers in full, times in ISO 8601 with what they have of a zone, bytes in hexadecimal."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal() if value.is_finite():
            return format(value, "f")
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case datetime.datetime():
            return value.isoformat(sep=" ", timespec="microseconds")
        case datetime.time():
            return value.isoformat(timespec="microseconds")
        case list():
            return "{" + ",".join("NULL" if item is None else str(text(item)) for item in value) + "}"
        case _:
            return str(value)


class _Postgres:
    def __init__(self, arguments: dict[str, Any]) -> None:
        self._connection = psycopg2.connect(**arguments)
        self._connection.autocommit = True
        self._types: dict[int, str] = {}

    def run(self, sql: str) -> dict[str, Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            if cursor.description is None:
                return {"columns": [], "rows": [], "count": max(cursor.rowcount, 0)}
            rows = [[text(value) for value in row] for row in cursor.fetchall()]
            columns = [(column.name, self._type_name(column.type_code)) for column in cursor.description]
        return {"columns": columns, "rows": rows, "count": len(rows)}

    def _type_name(self, code: int) -> str:
        if code not in self._types:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT typname FROM pg_catalog.pg_type WHERE oid = %s", (code,))
                self._types[code] = (cursor.fetchone() or [str(code)])[0]
        return self._types[code]

    def close(self) -> None:
        self._connection.close()


class _Snowflake:
    def __init__(self, arguments: dict[str, Any]) -> None:
        with _login:
            self._connection = snowflake.connector.connect(**arguments)

    def run(self, sql: str) -> dict[str, Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            rows = [[text(value) for value in row] for row in cursor.fetchall()]
            columns = [(column.name, FIELD_ID_TO_NAME[column.type_code]) for column in cursor.description]
            return {"columns": columns, "rows": rows, "count": cursor.rowcount or 0}

    def close(self) -> None:
        self._connection.close()


class _SqlServer:
    """By pyodbc and Microsoft's driver. The driver manager reads where drivers are registered once in a process."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        os.environ["ODBCSYSINI"] = arguments["odbc_directory"]
        # Late: the driver manager reads its environment when it is loaded.
        import pyodbc

        pyodbc.pooling = False
        keywords = {
            "Driver": arguments["driver"], "Server": f"{arguments['host']},{arguments['port']}",
            "Database": arguments["database"], "UID": arguments["user"], "PWD": arguments["password"],
            "TrustServerCertificate": "yes",
        }  # fmt: skip
        escaped = ((key, value.replace("}", "}}")) for key, value in keywords.items())
        text = ";".join(f"{key}={{{value}}}" for key, value in escaped)
        self._connection = pyodbc.connect(text, autocommit=True, timeout=20)
        # pyodbc has no type for times of 100 ns, for offsets, for CLR types and for sql_variant.
        self._connection.add_output_converter(-154, _time)
        self._connection.add_output_converter(-155, _date_time_offset)
        self._connection.add_output_converter(-151, bytes)

    def run(self, sql: str) -> dict[str, Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            answer: dict[str, Any] = {"columns": [], "rows": [], "count": max(cursor.rowcount, 0)}
            while True:
                if cursor.description is not None:
                    rows = [[text(value) for value in row] for row in cursor.fetchall()]
                    columns = [(column[0], column[1].__name__) for column in cursor.description]
                    answer = {"columns": columns, "rows": rows, "count": len(rows)}
                # An error of a later statement of the batch comes with its result.
                if not cursor.nextset():
                    return answer

    def close(self) -> None:
        self._connection.close()


def _time(value: bytes) -> str:
    hour, minute, second, nanoseconds = struct.unpack("<3HxxI", value)
    return f"{hour:02}:{minute:02}:{second:02}.{nanoseconds // 100:07}"


def _date_time_offset(value: bytes) -> str:
    year, month, day, hour, minute, second, nanoseconds, zone_hour, zone_minute = struct.unpack("<6HI2h", value)
    sign = "-" if zone_hour < 0 or zone_minute < 0 else "+"
    return (
        f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{nanoseconds // 100:07} "
        f"{sign}{abs(zone_hour):02}:{abs(zone_minute):02}"
    )


def open_connection(arguments: dict[str, Any]) -> _Postgres | _Snowflake | _SqlServer:
    kind = arguments.pop("kind")
    return {"postgres": _Postgres, "snowflake": _Snowflake, "sqlserver": _SqlServer}[kind](arguments)


def refusal(error: Exception) -> dict[str, str]:
    """The server's code where it has one: a SQLSTATE of PostgreSQL, a number of Snowflake or SQL Server."""
    if isinstance(error, psycopg2.Error):
        return {"code": error.pgcode or "", "message": str(error).strip()}
    if isinstance(error, snowflake.connector.errors.Error):
        return {"code": f"{error.errno or 0:06}", "message": str(error.msg)}
    if type(error).__module__ == "pyodbc" and len(error.args) == 2:
        # "[42S02] [Microsoft][…]Invalid object name 't'. (208) (SQLExecDirectW)": the number is the server's.
        numbers = re.findall(r"\((\d+)\) \(SQL\w+\)", error.args[1])
        return {"code": numbers[0] if numbers else error.args[0], "message": error.args[1]}
    return {"code": "", "message": f"{type(error).__name__}: {error}"}
