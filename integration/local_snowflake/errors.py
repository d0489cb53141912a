"""Errors in Snowflake's words: its codes, SQLSTATEs and texts for what DuckDB and fakesnow raise.

Codes come from Snowflake's documentation and from messages users of its drivers published:
000625/57014 for a row or table locked by another transaction, 200001/22000 for a duplicate primary key,
100038/22018 for a text that is no number, 002003/42S02 for a missing object, 003001/42501 for a refusal.
"""

from __future__ import annotations

import re

import duckdb
import snowflake.connector.errors


class SnowflakeError(Exception):
    def __init__(self, code: str, message: str, sqlstate: str = "22000") -> None:
        super().__init__(message)
        self.code, self.message, self.sqlstate = code, message, sqlstate


class Conflict(Exception):
    """DuckDB refused a write because another transaction wrote the same row, key or object."""


def does_not_exist(kind: str, name: str) -> SnowflakeError:
    return SnowflakeError(
        "002003", f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized.", "02000"
    )


def already_exists(name: str) -> SnowflakeError:
    return SnowflakeError("002002", f"SQL compilation error:\nObject '{name}' already exists.", "42710")


def syntax(message: str) -> SnowflakeError:
    return SnowflakeError("001003", f"SQL compilation error:\n{message}", "42000")


def not_emulated(what: str) -> SnowflakeError:
    return SnowflakeError("000002", f"Unsupported feature '{what}' (the local stand-in does not emulate it).", "0A000")


def locked(table: str, query_id: str, transaction: int) -> SnowflakeError:
    return SnowflakeError(
        "000625",
        f"Statement '{query_id}' has locked table '{table}' in transaction {transaction} and this lock has not"
        f" yet been released.\nYour statement '{query_id}' was aborted because the lock timeout was exceeded.",
        "57014",
    )


def is_conflict(error: BaseException) -> bool:
    if isinstance(error, Conflict):
        return True
    return isinstance(error, duckdb.TransactionException) and not re.search(
        r"transaction is aborted|no transaction is active|within a transaction|single attached", str(error)
    )


def translate(error: BaseException) -> SnowflakeError:
    """What Snowflake would have said."""
    if isinstance(error, SnowflakeError):
        return error
    text = str(error.args[0]) if error.args else str(error)
    first = text.split("\n")[0]
    cause = error.__cause__ or error
    if isinstance(cause, duckdb.InterruptException):
        return SnowflakeError("000604", "SQL execution canceled", "57014")
    if isinstance(cause, duckdb.ConstraintException):
        return _constraint(str(cause))
    if isinstance(cause, (duckdb.CatalogException, duckdb.BinderException)):
        return _missing(str(cause))
    if isinstance(cause, duckdb.ConversionException):
        return _conversion(str(cause))
    if isinstance(cause, duckdb.OutOfRangeException):
        return SnowflakeError("100132", first, "22003")
    if "cannot affect the same target row" in text:
        return SnowflakeError("100090", "Duplicate row detected during DML action", "42P18")
    if isinstance(error, snowflake.connector.errors.Error):
        code = f"{error.errno:06d}" if error.errno and error.errno > 0 else "000603"
        return SnowflakeError(code, error.raw_msg or error.msg or text, error.sqlstate or "22000")
    if isinstance(error, duckdb.ParserException):
        return syntax(text)
    if isinstance(error, duckdb.InvalidInputException):
        return SnowflakeError("100183", first.removeprefix("Invalid Input Error: "), "22000")
    return SnowflakeError("000603", f"SQL execution internal error: {type(error).__name__}: {text}", "XX000")


def _constraint(text: str) -> SnowflakeError:
    if "NOT NULL" in text:
        column = re.search(r"failed: \S*?\.?([^.\n]+)$", text)
        name = f"\n  Column: {column[1]}" if column else ""
        return SnowflakeError("100072", f"NULL result in a non-nullable column{name}", "22000")
    if "rimary key" in text or "PRIMARY KEY" in text:
        return SnowflakeError("200001", f"Primary key already exists ({text.splitlines()[0]})", "22000")
    if "unique constraint" in text:
        return SnowflakeError("200001", f"Duplicate key value violates unique constraint ({text})", "22000")
    return SnowflakeError("200009", text.splitlines()[0], "22000")


def _missing(text: str) -> SnowflakeError:
    first = text.split("\n", maxsplit=1)[0]
    if match := re.search(r"(?:Table|View) with name (.+?) does not exist", first):
        error = does_not_exist("Object", match[1].strip('"'))
        error.sqlstate = "42S02"
        return error
    if match := re.search(r"Function with name \"?(\w+)\"? does not exist", first, re.IGNORECASE):
        return SnowflakeError("002140", f"SQL compilation error:\nUnknown function {match[1].upper()}", "42601")
    if match := re.search(r'column "(.+?)"(?: was)? not found', first) or re.search(
        r'does not have a column (?:with name|named) "(.+?)"', first
    ):
        return SnowflakeError("000904", f"SQL compilation error:\ninvalid identifier '{match[1].upper()}'", "42000")
    if match := re.search(r'"?([^" ]+)"? already exists', first):
        return already_exists(match[1])
    if match := re.search(r"(?:Catalog|Schema) (?:with name )?\"?(.+?)\"? does not exist", first):
        error = does_not_exist("Object", match[1])
        error.sqlstate = "42S02"
        return error
    return SnowflakeError("002043", f"SQL compilation error:\n{first}", "02000")


def _conversion(text: str) -> SnowflakeError:
    first = text.split("\n", maxsplit=1)[0]
    value = re.search(r'(?:string|value|date field value out of range:|timestamp field value out of range:) ?"([^"]*)"', first)
    shown = value[1] if value else "?"
    if "range" in first and ("DECIMAL" in first or "INT" in first):
        return SnowflakeError("100039", f"Numeric value '{shown}' is out of range", "22003")
    if re.search(r"DECIMAL|INT|DOUBLE", first):
        return SnowflakeError("100038", f"Numeric value '{shown}' is not recognized", "22018")
    if "imestamp" in first:
        return SnowflakeError("100035", f"Timestamp '{shown}' is not recognized", "22007")
    if "date" in first.lower():
        return SnowflakeError("100040", f"Date '{shown}' is not recognized", "22007")
    if "BOOL" in first:
        return SnowflakeError("100037", f"Boolean value '{shown}' is not recognized", "22018")
    return SnowflakeError("100038", first, "22018")
