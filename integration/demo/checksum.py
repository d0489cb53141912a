"""A table's checksum as one query in each dialect, with only what PostgreSQL, SQL Server and Snowflake compute alike.

Its parts: the rows; per column the NULLs, least, greatest and sum (of a text: of its lengths); and over all rows the
sum of the first 60 bits of the MD5 of the row's text. In that text each value is told from NULL and from its
neighbour, numbers are whole numbers of the last decimal place, and dates and timestamps are counted from 1970. A
sum, because it does not depend on the order and, unlike an exclusive or, sees a row that is there twice.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

_HASH_DIGITS = 15


@dataclass(frozen=True)
class Column:
    name: str
    type_name: str
    scale: int


def _known(columns: list[Column], schema: str, table: str) -> list[Column]:
    if odd := [f"{c.name} ({c.type_name})" for c in columns if c.type_name not in _KINDS]:
        raise ValueError(f"{schema}.{table}: no checksum for the type of {', '.join(odd)}")
    return columns


def postgres_columns(cursor: Any, schema: str, table: str) -> list[Column]:
    cursor.execute(
        "SELECT a.attname, t.typname, "
        "CASE WHEN t.typname = 'numeric' AND a.atttypmod >= 4 THEN (a.atttypmod - 4) & 2047 END "
        "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = format('%%I.%%I', %s::text, %s::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped "
        "ORDER BY a.attnum",
        (schema, table),
    )
    columns = [Column(name, type_name, scale or 0) for name, type_name, scale in cursor.fetchall()]
    return _known(columns, schema, table)


def sqlserver_columns(cursor: Any, schema: str, table: str) -> list[Column]:
    cursor.execute(
        "SELECT c.name, TYPE_NAME(c.system_type_id), c.scale FROM sys.columns c "
        f"WHERE c.object_id = OBJECT_ID(N'[{schema}].[{table}]') ORDER BY c.column_id"
    )
    columns = [Column(name, type_name, scale) for name, type_name, scale in cursor.fetchall()]
    return _known(columns, schema, table)


_KINDS = {
    "int2": "number", "int4": "number", "int8": "number", "numeric": "number",
    "smallint": "number", "int": "number", "bigint": "number", "decimal": "number",
    "bpchar": "text", "varchar": "text", "text": "text", "char": "text",
    "date": "date", "timestamp": "timestamp",
}  # fmt: skip


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _postgres_value(column: Column) -> str:
    name = _quote(column.name)
    return {
        "number": f"CAST({name} * {10**column.scale} AS numeric(38, 0))",
        # A cast of char(n) would strip the blanks that it is padded with; its output does not.
        "text": f"CASE WHEN {name} IS NOT NULL THEN concat({name}) END",
        "date": f"({name} - DATE '1970-01-01')",
        "timestamp": f"CAST(extract(epoch FROM {name}) * 1000000 AS numeric(38, 0))",
    }[_KINDS[column.type_name]]


def _snowflake_value(column: Column) -> str:
    # The names of the demo's columns are lower case, which makes them upper case in Snowflake.
    name = _quote(column.name.upper() if column.name == column.name.lower() else column.name)
    return {
        "number": f"CAST({name} * {10**column.scale} AS NUMBER(38, 0))",
        "text": name,
        "date": f"DATEDIFF(day, CAST('1970-01-01' AS DATE), {name})",
        "timestamp": f"DATEDIFF(microsecond, CAST('1970-01-01' AS TIMESTAMP_NTZ), {name})",
    }[_KINDS[column.type_name]]


def _query(columns: list[Column], values: list[str], relation: str, number: str, fence: str = "") -> str:
    """`number` makes a number of `h`, the hash of a row."""
    row = " || ".join(
        f"CASE WHEN v{i} IS NULL THEN 'N' "
        f"ELSE 'V' || CAST(LENGTH(CAST(v{i} AS VARCHAR)) AS VARCHAR) || ':' || CAST(v{i} AS VARCHAR) END"
        for i in range(len(columns))
    )
    parts = ["COUNT(*)", f"SUM({number})"]
    for i, column in enumerate(columns):
        summed = f"LENGTH(v{i})" if _KINDS[column.type_name] == "text" else f"CAST(v{i} AS DECIMAL(38, 0))"
        parts += [f"COUNT(*) - COUNT(v{i})", f"MIN(v{i})", f"MAX(v{i})", f"SUM({summed})"]
    inner = ", ".join(f"{value} AS v{i}" for i, value in enumerate(values))
    texts = ", ".join(f"CAST({part} AS VARCHAR)" for part in parts)
    return f"SELECT {texts} FROM (SELECT t.*, MD5({row}) AS h FROM (SELECT {inner} FROM {relation}{fence}) t{fence}) t"


def postgres_query(columns: list[Column], schema: str, table: str) -> str:
    relation = f"{_quote(schema)}.{_quote(table)}"
    number = f"CAST(CAST(CAST('x' || substr(h, 1, {_HASH_DIGITS}) AS bit({4 * _HASH_DIGITS})) AS bigint) AS numeric)"
    # OFFSET 0 keeps the planner from repeating an inner expression at each of its uses.
    return _query(columns, [_postgres_value(c) for c in columns], relation, number, fence=" OFFSET 0")


def snowflake_query(columns: list[Column], database: str, schema: str, table: str) -> str:
    relation = ".".join(map(_quote, (database, schema, table)))
    # A digit's value is its place among the digits: what Snowflake has for the whole number, the local one has not.
    number = " + ".join(
        f"CAST({16 ** (_HASH_DIGITS - 1 - i)} AS NUMBER(38, 0))"
        f" * (POSITION(SUBSTRING(h, {i + 1}, 1) IN '0123456789abcdef') - 1)"
        for i in range(_HASH_DIGITS)
    )
    return _query(columns, [_snowflake_value(c) for c in columns], relation, number)


def sqlserver_query(columns: list[Column], schema: str, table: str) -> str:
    """The same in T-SQL. Texts of the demo are ASCII: bytes are characters, and compared as such."""

    def value(column: Column) -> str:
        name = f"[{column.name}]"
        return {
            "number": f"CAST({name} * {10**column.scale} AS decimal(38, 0))",
            "text": f"CAST({name} AS varchar(8000)) COLLATE Latin1_General_BIN2",
            "date": f"DATEDIFF(day, CAST('1970-01-01' AS date), {name})",
        }[_KINDS[column.type_name]]

    def text(i: int) -> str:
        return f"CAST(v{i} AS varchar(8000)) COLLATE Latin1_General_BIN2"

    row = " + ".join(
        f"CASE WHEN v{i} IS NULL THEN 'N' "
        f"ELSE 'V' + CAST(DATALENGTH({text(i)}) AS varchar(12)) + ':' + {text(i)} END"
        for i in range(len(columns))
    )
    # The first 60 bits: seven bytes and the upper half of the eighth.
    number = (
        "CAST(CAST(CAST(0x00 + SUBSTRING(h, 1, 7) AS varbinary(8)) AS bigint) * 16 "
        "+ CAST(SUBSTRING(h, 8, 1) AS tinyint) / 16 AS decimal(38, 0))"
    )
    parts = ["COUNT_BIG(*)", f"SUM({number})"]
    for i, column in enumerate(columns):
        is_text = _KINDS[column.type_name] == "text"
        summed = f"CAST(DATALENGTH(v{i}) AS bigint)" if is_text else f"CAST(v{i} AS decimal(38, 0))"
        parts += [f"COUNT_BIG(*) - COUNT_BIG(v{i})", f"MIN(v{i})", f"MAX(v{i})", f"SUM({summed})"]
    inner = ", ".join(f"{value(column)} AS v{i}" for i, column in enumerate(columns))
    texts = ", ".join(f"CAST({part} AS varchar(8000))" for part in parts)
    return (
        f"SELECT {texts} FROM (SELECT t.*, HASHBYTES('MD5', {row}) AS h "
        f"FROM (SELECT {inner} FROM [{schema}].[{table}]) t) t"
    )


@dataclass(frozen=True)
class Checksum:
    """The answer of either query."""

    parts: tuple[str | None, ...]

    @property
    def rows(self) -> int:
        return int(self.parts[0] or 0)

    @property
    def short(self) -> str:
        return hashlib.sha256(json.dumps(self.parts).encode()).hexdigest()[:12]

    def differences(self, other: Checksum, columns: list[Column]) -> list[str]:
        """What differs, in words: the target's value is `other`'s."""
        names = ["rows", "hash of all rows"]
        for column in columns:
            names += [f"{column.name}: {what}" for what in ("NULLs", "least", "greatest", "sum")]
        both = zip(names, self.parts, other.parts, strict=True)
        return [f"{name}: {mine} in the source, {theirs} in the target" for name, mine, theirs in both if mine != theirs]
