"""Statements that touch no table: transactions, USE, session parameters, grants, databases, schemas, stages."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlglot
from fakesnow.transforms.transforms import SERVER_VERSION
from sqlglot import Expr, exp

from . import definitions, governance, names, show_objects, shows
from .engine import Answer, Cursor, single
from .errors import SnowflakeError, does_not_exist, syntax

if TYPE_CHECKING:
    from .session import Session

DONE = "Statement executed successfully."
_IF = r"(?:\s+IF\s+(?:NOT\s+)?EXISTS)?"


def transaction(session: Session, first: str, text: str) -> Answer | None:
    if first == "BEGIN" and re.fullmatch(r"BEGIN(\s+(WORK|TRANSACTION))?(\s+NAME\s+\S+)?", text, re.IGNORECASE) or first == "START" and re.match(r"START\s+TRANSACTION", text, re.IGNORECASE):
        session.begin()
    elif first == "COMMIT":
        session.commit()
    elif first == "ROLLBACK":
        session.end_transaction()
    else:
        return None
    return single("status", DONE)


def command(session: Session, first: str, text: str) -> Answer | None:
    if answer := governance.command(session, first, text):
        return answer
    if first in ("GRANT", "REVOKE", "UNSET"):
        return single("status", DONE)
    if first == "USE":
        return _use(session, text)
    if first in ("SELECT", "CALL") and (match := re.fullmatch(r"\w+\s+SYSTEM\$WAIT\((\d+(?:\.\d+)?)\)", text, re.IGNORECASE)):
        return _wait(session, float(match[1]))
    if first == "ALTER" and (match := re.match(r"ALTER\s+SESSION\s+(SET|UNSET)\s+(.*)", text, re.IGNORECASE | re.DOTALL)):
        return _alter_session(session, match[1].upper(), match[2])
    if first == "SHOW" and (match := re.fullmatch(r"SHOW\s+WAREHOUSES(?:\s+LIKE\s+'((?:[^'\\]|''|\\.)*)')?", text, re.IGNORECASE)):
        return session.server.warehouses.show(session, match[1] and re.sub(r"\\(.)", r"\1", match[1].replace("''", "'")))
    if first == "SHOW" and (answer := shows.show(session, text)):
        return answer
    if first in ("CREATE", "DROP"):
        return _database_or_schema(session, text) or _stage(session, text)
    return None


def _wait(session: Session, seconds: float) -> Answer:
    """Snowflake's way to have a statement that takes long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if session.cancelled:
            raise SnowflakeError("000604", "SQL execution canceled", "57014")
        time.sleep(0.02)
    return single("SYSTEM$WAIT", f"waited {seconds:g} seconds")


def _use(session: Session, text: str) -> Answer:
    match = re.match(r"USE\s+(?:(DATABASE|SCHEMA|ROLE|WAREHOUSE|SECONDARY\s+ROLES?)\s+)?", text, re.IGNORECASE)
    kind = (match[1] or "").upper()
    parts, _ = names.read_name(text, match.end())
    if not parts:
        raise syntax("unexpected end of USE.")
    if kind == "ROLE":
        session.role = parts[0]
    elif kind == "WAREHOUSE":
        session.warehouse = parts[0]
    elif kind == "SCHEMA" or (not kind and len(parts) == 2):
        database = parts[0] if len(parts) == 2 else names.decode(session.database or "")
        session.account.require_schema(database, parts[-1])
        session.database, session.schema = names.encode(database), names.encode(parts[-1])
    elif kind in ("", "DATABASE"):
        use_database(session, parts[0])
    return single("status", DONE)


def use_database(session: Session, name: str) -> None:
    alias = names.encode(name)
    if not session.account.has_database(alias):
        raise does_not_exist("Database", name)
    session.database = alias
    session.schema = "PUBLIC" if "PUBLIC" in session.account.schema_names(alias) else None


def _alter_session(session: Session, verb: str, rest: str) -> Answer:
    if verb == "UNSET":
        for name in re.findall(r"\w+", rest):
            session.parameters.pop(name.upper(), None)
    else:
        for name, value in re.findall(r"(\w+)\s*=\s*('(?:[^']|'')*'|\S+)", rest):
            plain = value[1:-1].replace("''", "'") if value.startswith("'") else value.rstrip(",")
            session.parameters[name.upper()] = plain
    return single("status", DONE)


def _database_or_schema(session: Session, text: str) -> Answer | None:
    pattern = rf"(CREATE|DROP)(\s+OR\s+REPLACE)?(\s+TRANSIENT)?\s+(DATABASE|SCHEMA)({_IF})\s+"
    match = re.match(pattern, text, re.IGNORECASE)
    if not match:
        return None
    session.commit()
    verb, kind, exists_ok = match[1].upper(), match[4].upper(), bool(match[5])
    parts, _ = names.read_name(text, match.end())
    account = session.account
    if kind == "DATABASE" and len(parts) == 1:
        if verb == "DROP":
            session.bind_context(session.conn, "_fs_global", "main")
            message = account.drop_database(parts[0], exists_ok=exists_ok)
            if session.database == names.encode(parts[0]):
                session.database = session.schema = None
        else:
            message = account.create_database(parts[0], exists_ok=exists_ok, replace=bool(match[2]), transient=bool(match[3]))
            use_database(session, parts[0])
    elif kind == "SCHEMA" and 1 <= len(parts) <= 2:
        database = parts[0] if len(parts) == 2 else names.decode(session.database or "")
        if not database:
            raise SnowflakeError("090105", "Cannot perform CREATE SCHEMA. This session does not have a current database.", "22000")
        if verb == "DROP":
            message = account.drop_schema(database, parts[-1], exists_ok=exists_ok)
            if (session.database, session.schema) == (names.encode(database), names.encode(parts[-1])):
                session.schema = None
        else:
            message = account.create_schema(
                database, parts[-1], exists_ok=exists_ok, replace=bool(match[2]), transient=bool(match[3])
            )
            session.database, session.schema = names.encode(database), names.encode(parts[-1])
    else:
        raise syntax(f"invalid name for {kind.lower()}.")
    return single("status", message)


def _stage(session: Session, text: str) -> Answer | None:
    """Of what a stage is created with, SHOW STAGES tells the comment and the encryption; the rest is accepted."""
    match = re.match(rf"(CREATE|DROP)(\s+OR\s+REPLACE)?(?:\s+TEMP(?:ORARY)?)?\s+STAGE({_IF})\s+", text, re.IGNORECASE)
    if not match:
        return None
    session.commit()
    parts, end = names.read_name(text, match.end())
    current = [names.decode(session.database or ""), names.decode(session.schema or "")]
    full = current[: 3 - len(parts)] + parts
    if len(full) != 3 or not all(full):
        raise SnowflakeError("090105", "Cannot perform operation. This session does not have a current database.", "22000")
    session.account.require_schema(full[0], full[1])
    keys = [names.encode(part) for part in full]
    shown = names.decode(keys[2])
    if keys[2] != parts[-1]:
        session.account.has_aliases = True
    session.bind_context(session.conn)
    if match[1].upper() == "DROP":
        return _drop_stage(session, keys, shown, exists_ok=bool(match[3]))
    if re.search(r"\bURL\s*=", text[end:], re.IGNORECASE):
        raise SnowflakeError("000002", "Unsupported feature 'external stages' (the local stand-in has internal ones).", "0A000")
    sql = f"CREATE{match[2] or ''} STAGE{match[3]} {'.'.join(keys)}"
    # fakesnow looks first and then inserts: two at once would both find nothing.
    with session.account.table_lock(("_fs_global", "_fs_information_schema", "_fs_stages")):
        is_new = bool(match[2]) or not show_objects.is_stage(session, keys)
        with definitions.at_once(session.conn):
            answer = Cursor(session.conn).run(sqlglot.parse_one(sql, read="snowflake"), None)
            if is_new:
                show_objects.note_stage(session, keys, text[end:])
        return answer


def _drop_stage(session: Session, keys: list[str], shown: str, *, exists_ok: bool) -> Answer:
    sql = (
        "DELETE FROM _fs_global._fs_information_schema._fs_stages"
        " WHERE database_name = ? AND schema_name = ? AND name = ? RETURNING name"
    )
    if not session.conn._duck_conn.execute(sql, keys).fetchall() and not exists_ok:
        raise does_not_exist("Stage", shown)
    shutil.rmtree(session.account.stages.joinpath(*keys), ignore_errors=True)
    return single("status", f"{shown} successfully dropped.")


def utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def context(session: Session, is_ddl: bool, now: str | None = None) -> dict[str, Callable[[], Expr]]:
    """Functions whose answer depends on the session."""

    def text(value: str | None) -> Callable[[], Expr]:
        return lambda: exp.Null() if value is None else exp.Literal.string(value)

    values: dict[str, Any] = {
        "CURRENT_ACCOUNT": text(session.account_name),
        "CURRENT_ACCOUNT_NAME": text(session.account_name),
        "CURRENT_ORGANIZATION_NAME": text("LOCAL"),
        "CURRENT_REGION": text(session.server.options.region),
        "CURRENT_USER": text(session.user),
        "CURRENT_ROLE": text(session.role),
        "CURRENT_WAREHOUSE": text(session.warehouse),
        "CURRENT_DATABASE": text(session.database and names.decode(session.database)),
        "CURRENT_SCHEMA": text(session.schema and names.decode(session.schema)),
        "CURRENT_SESSION": text(session.id),
        "CURRENT_VERSION": text(SERVER_VERSION),
        "LAST_QUERY_ID": text(session.last_query),
        "CURRENT_TRANSACTION": text(str(session.transaction.id) if session.transaction else None),
    }
    if not is_ddl:
        # DuckDB's clock stands still within a transaction; SYSDATE is when the statement runs.
        now = now or utc_now()
        moment = sqlglot.parse_one(f"CAST('{now}' AS TIMESTAMP)", read="duckdb")
        values["SYSDATE"] = values["UTC_TIMESTAMP"] = moment.copy
    return values
