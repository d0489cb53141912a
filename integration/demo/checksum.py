"""A table's checksum as one query in either dialect, with only what PostgreSQL and Snowflake compute alike.

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


def source_columns(cursor: Any, schema: str, table: str) -> list[Column]:
    cursor.execute(
        "SELECT a.attname, t.typname, "
        "CASE WHEN t.typname = 'numeric' AND a.atttypmod >= 4 THEN (a.atttypmod - 4) & 2047 END "
        "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = format('%%I.%%I', %s::text, %s::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped "
        "ORDER BY a.attnum",
        (schema, table),
    )
    columns = [Column(name, type_name, scale or 0) for name, type_name, scale in cursor.fetchall()]
    if odd := [f"{c.name} ({c.type_name})" for c in columns if c.type_name not in _KINDS]:
        raise ValueError(f"{schema}.{table}: no checksum for the type of {', '.join(odd)}")
    return columns


_KINDS = {
    "int2": "number", "int4": "number", "int8": "number", "numeric": "number",
    "bpchar": "text", "varchar": "text", "text": "text",
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
