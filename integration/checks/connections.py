"""The two drivers behind one face."""

from __future__ import annotations

import datetime
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


def open_connection(arguments: dict[str, Any]) -> _Postgres | _Snowflake:
    kind = arguments.pop("kind")
    return {"postgres": _Postgres, "snowflake": _Snowflake}[kind](arguments)


def refusal(error: Exception) -> dict[str, str]:
    """The server's code where it has one: a SQLSTATE of PostgreSQL, a number of Snowflake."""
    if isinstance(error, psycopg2.Error):
        return {"code": error.pgcode or "", "message": str(error).strip()}
    if isinstance(error, snowflake.connector.errors.Error):
        return {"code": f"{error.errno or 0:06}", "message": str(error.msg)}
    return {"code": "", "message": f"{type(error).__name__}: {error}"}
