"""SHOW OBJECTS, TABLES and STAGES of a schema, with the columns that the documentation names, in its order.

fakesnow shows neither comments nor how a stage is encrypted. A table's comment is in the note beside it (see ddl), a view's
is DuckDB's own, and what a stage was created with is written into fakesnow's registry.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from . import names
from .engine import Answer, from_rows
from .errors import syntax
from .warehouses import matches

if TYPE_CHECKING:
    from .session import Session

_SHOW = re.compile(r"SHOW\s+(TERSE\s+)?(OBJECTS|TABLES|STAGES)(?:\s+LIKE\s+'((?:[^'\\]|''|\\.)*)')?\s+IN\s+SCHEMA\s+", re.IGNORECASE)
_STARTS = re.compile(r"\s*STARTS\s+WITH\s+'((?:[^'\\]|''|\\.)*)'\s*\Z", re.IGNORECASE)
_MOMENT = "1970-01-01 00:00:00.000 +0000"
_TERSE = ("created_on", "name", "kind", "database_name", "schema_name")
_COLUMNS = {
    "OBJECTS": (
        "created_on", "name", "database_name", "schema_name", "kind", "comment", "cluster_by", "rows", "bytes", "owner",
        "retention_time", "owner_role_type", "budget", "is_hybrid", "is_dynamic", "is_iceberg",
    ),
    "TABLES": (
        "created_on", "name", "database_name", "schema_name", "kind", "comment", "cluster_by", "rows", "bytes", "owner",
        "retention_time", "automatic_clustering", "change_tracking", "is_external", "owner_role_type", "is_hybrid",
    ),
    "STAGES": (
        "created_on", "name", "database_name", "schema_name", "url", "has_credentials", "has_encryption_key", "owner",
        "comment", "region", "type", "cloud", "notification_channel", "storage_integration", "endpoint",
        "owner_role_type", "directory_enabled",
    ),
}  # fmt: skip
_REGISTRY = "_fs_global._fs_information_schema._fs_stages"


def show(session: Session, text: str) -> Answer | None:
    match = _SHOW.match(text)
    if not match:
        return None
    parts, end = names.read_name(text, match.end())
    starts = _STARTS.fullmatch(text, end) if text[end:].strip() else None
    if text[end:].strip() and not starts:
        raise syntax(f"unexpected {text[end:].strip()!r}.")
    if len(parts) == 1:
        parts = [names.decode(session.database or ""), *parts]
    database, schema = parts
    session.account.require_schema(database, schema)
    what = match[2].upper()
    place = [names.encode(database), names.encode(schema)]
    found = _stages(session, place) if what == "STAGES" else _objects(session, place)
    like, prefix = _plain(match[3]), _plain(starts[1] if starts else None)
    rows = []
    for facts in sorted(found, key=lambda facts: facts["name"]):
        if what == "TABLES" and facts["kind"] != "TABLE":
            continue
        if (like is None or matches(like, facts["name"])) and facts["name"].startswith(prefix or ""):
            facts |= {"created_on": _MOMENT, "database_name": database, "schema_name": schema, "owner": "SYSADMIN"}
            rows.append(facts)
    columns = _TERSE if match[1] else _COLUMNS[what]
    return from_rows([(c, "VARCHAR") for c in columns], [tuple(facts.get(c, "") for c in columns) for facts in rows])


def _plain(literal: str | None) -> str | None:
    return literal if literal is None else literal.replace("''", "'").replace("\\\\", "\\")


def _objects(session: Session, place: list[str]) -> list[dict[str, Any]]:
    found = []
    for name, kind, note in session.account.catalog.objects(*place):
        facts = json.loads(note) if (note or "").startswith("{") else {"comment": note or ""}
        is_hybrid = "Y" if facts.get("hybrid") else "N"
        found.append({"name": name, "kind": kind, "comment": facts.get("comment", ""), "is_hybrid": is_hybrid})
    return found


def _stages(session: Session, place: list[str]) -> list[dict[str, Any]]:
    sql = f"SELECT name, comment, type FROM {_REGISTRY} WHERE database_name = ? AND schema_name = ?"
    return [
        {"name": names.decode(name), "comment": comment, "type": kind, "has_credentials": "N", "has_encryption_key": "N"}
        for name, comment, kind in session.conn._duck_conn.execute(sql, place).fetchall()
    ]


def is_stage(session: Session, keys: list[str]) -> bool:
    sql = f"SELECT 1 FROM {_REGISTRY} WHERE database_name = ? AND schema_name = ? AND name = ?"
    return session.conn._duck_conn.execute(sql, keys).fetchone() is not None


def note_stage(session: Session, keys: list[str], definition: str) -> None:
    """Keeps what a new stage was created with: `definition` is the statement behind its name."""
    comment = re.search(r"\bCOMMENT\s*=\s*'((?:[^']|'')*)'", definition, re.IGNORECASE)
    kind = re.search(r"\bENCRYPTION\s*=\s*\(\s*TYPE\s*=\s*'(\w+)'", definition, re.IGNORECASE)
    # Without the clause its files are encrypted by the client that uploads them.
    shown = "INTERNAL NO CSE" if kind and kind[1].upper() == "SNOWFLAKE_SSE" else "INTERNAL"
    sql = f"UPDATE {_REGISTRY} SET comment = ?, type = ? WHERE database_name = ? AND schema_name = ? AND name = ?"
    note = (comment[1] if comment else "").replace("''", "'")
    session.conn._duck_conn.execute(sql, [note, shown, *keys])
