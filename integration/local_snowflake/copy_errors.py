"""Why a COPY failed: the file, row and column, and the value in Snowflake's words.

DuckDB names the value at best. So when the INSERT fails, each column is tried alone until one fails, and its
first bad row is looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from . import names
from .copy_columns import Column
from .errors import SnowflakeError, translate


@dataclass
class Insert:
    full: str
    table: str
    source: str
    targets: list[Column]
    expressions: list[str]

    def _columns(self) -> str:
        return ", ".join(f"{e} AS c{i}" for i, e in enumerate(self.expressions))

    def sql(self) -> str:
        """DuckDB checks types and NOT NULL; lengths it does not know are checked here."""
        into = ", ".join(names.quote(c.name) for c in self.targets)
        values = ", ".join(_checked(c, f"c{i}") for i, c in enumerate(self.targets))
        return f"INSERT INTO {self.full} ({into}) SELECT {values} FROM (SELECT {self._columns()} FROM {self.source})"


# Bytes of a value of VARCHAR, whatever its characters (documentation: "String & binary data types").
_MOST_BYTES = 134217728


def _too_long(column: Column, value: str) -> str | None:
    """A length counts bytes of BINARY and characters of VARCHAR, of which there are no more than bytes."""
    if column.length is None:
        return None
    if column.duck_type == "BLOB":
        return f"octet_length({value}) > {column.length}"
    text = f"CAST({value} AS VARCHAR)"
    most = min(column.length, _MOST_BYTES)
    return f"(strlen({text}) > {most} AND (length({text}) > {column.length} OR strlen({text}) > {_MOST_BYTES}))"


def _checked(column: Column, value: str) -> str:
    if not (too_long := _too_long(column, value)):
        return value
    return f"CASE WHEN {too_long} THEN error('too long') ELSE {value} END"


def explain(
    duck: duckdb.DuckDBPyConnection, insert: Insert, error: duckdb.Error, root: str, stage: str
) -> SnowflakeError:
    """`duck` must be outside the failed transaction: DuckDB runs nothing more inside it."""
    for column, expression in zip(insert.targets, insert.expressions, strict=True):
        if bad := _first_bad(duck, insert, column, expression):
            code, sqlstate, message = _message(column, *bad[2:])
            file = f"{stage}/{bad[0].removeprefix(root + '/')}"
            where = (
                f"\n  File '{file}', line {bad[1] + 1}, character 0"
                f'\n  Row {bad[1] + 1}, column {names.quote(insert.table)}["{column.name}":{column.position}]'
            )
            return SnowflakeError(code, message + where, sqlstate)
    return translate(error)


def _first_bad(duck: duckdb.DuckDBPyConnection, insert: Insert, column: Column, expression: str) -> tuple | None:
    value = f"CAST(({expression}) AS {column.duck_type})"
    raw = _raw(expression)
    checks = [f"WHEN raw IS NOT NULL AND v IS NULL AND {'false' if _may_be_null(expression) else 'true'} THEN 'cast'"]
    if too_long := _too_long(column, "v"):
        checks.append(f"WHEN {too_long} THEN 'length'")
    if not column.nullable:
        checks.append("WHEN raw IS NULL OR v IS NULL THEN 'null'")
    sql = (
        f"SELECT filename, file_row_number, problem, shown FROM (SELECT filename, file_row_number,"
        f" left(CAST(raw AS VARCHAR), 200) AS shown, CASE {' '.join(checks)} END AS problem FROM"
        f" (SELECT filename, file_row_number, {raw} AS raw, TRY({value}) AS v FROM {insert.source}))"
        " WHERE problem IS NOT NULL ORDER BY filename, file_row_number LIMIT 1"
    )
    try:
        return duck.execute(sql).fetchone()
    except duckdb.Error:
        return None


def _raw(expression: str) -> str:
    """The first source column that an expression reads."""
    found = re.search(r'"(?:[^"]|"")*"', re.sub(r"'(?:[^']|'')*'", "", expression))
    return found[0] if found else "NULL"


def _may_be_null(expression: str) -> bool:
    return bool(re.search(r"\bTRY_|\btry_|NULLIF|CASE ", expression))


def _message(column: Column, problem: str, shown: str | None) -> tuple[str, str, str]:
    kind = re.match(r"[A-Z_]+", column.declared)[0]
    if problem == "null":
        return "100072", "22000", "NULL result in a non-nullable column"
    if problem == "length" and kind == "BINARY":
        return "100078", "22000", f"Binary value '{shown}' is too long and would be truncated"
    if problem == "length":
        return "100074", "54000", f"User character length limit ({column.length}) exceeded by string '{shown}'"
    if kind in ("NUMBER", "FLOAT", "DECIMAL", "BIGINT", "DOUBLE"):
        if re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", shown or ""):
            return "100039", "22003", f"Numeric value '{shown}' is out of range"
        return "100038", "22018", f"Numeric value '{shown}' is not recognized"
    if kind.startswith("TIMESTAMP"):
        return "100035", "22007", f"Timestamp '{shown}' is not recognized"
    if kind == "DATE":
        return "100040", "22007", f"Date '{shown}' is not recognized"
    if kind == "TIME":
        return "100108", "22007", f"Time '{shown}' is not recognized"
    if kind == "BOOLEAN":
        return "100037", "22018", f"Boolean value '{shown}' is not recognized"
    if kind in ("VARIANT", "OBJECT", "ARRAY", "JSON"):
        return "100069", "22P02", f"Error parsing JSON: {shown}"
    return "100038", "22018", f"Value '{shown}' is not recognized"
