"""Stored procedures in Snowflake Scripting: created, listed, dropped, called. They live in a file of the account."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import names, scripting
from .engine import Answer, from_rows, single
from .errors import SnowflakeError, already_exists, does_not_exist, not_emulated, syntax

if TYPE_CHECKING:
    from .session import Session

_TEXT = r"'((?:[^'\\]|''|\\.)*)'"
_REST = re.compile(
    r"\s*(?:COPY\s+GRANTS\s+)?RETURNS\s+(\w+)(?:\s*\([\d,\s]+\))?(?:\s+NOT\s+NULL)?\s+LANGUAGE\s+SQL"
    rf"(?:\s+COMMENT\s*=\s*{_TEXT})?(?:\s+EXECUTE\s+AS\s+(OWNER|CALLER))?\s+AS\s+(?:\$\$(.*)\$\$|{_TEXT})\Z",
    re.IGNORECASE | re.DOTALL,
)
_NUMBERS = {"NUMBER", "INT", "INTEGER", "BIGINT", "DECIMAL", "NUMERIC"}
_TEXTS = {"VARCHAR", "STRING", "TEXT"}
_COLUMNS = (
    "created_on", "name", "schema_name", "is_builtin", "is_aggregate", "is_ansi", "min_num_arguments", "max_num_arguments",
    "arguments", "description", "catalog_name", "is_table_function", "valid_for_clustering", "is_secure",
)  # fmt: skip


class Procedures:
    """Those of each schema in a file of its own; names are as Snowflake shows them."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.lock = directory, threading.Lock()
        self.known: dict[tuple[str, str], list[dict[str, Any]]] = {}
        directory.mkdir(exist_ok=True)
        for file in directory.glob("*.json"):
            found = json.loads(file.read_text())
            self.known[(found[0]["place"][0], found[0]["place"][1])] = found

    def of_schema(self, database: str, schema: str) -> list[dict[str, Any]]:
        return self.known.get((database, schema), [])

    def save(self, database: str, schema: str, found: list[dict[str, Any]]) -> None:
        file = self.directory / f"{names.encode(database)}.{names.encode(schema)}.json"
        if not found:
            self.known.pop((database, schema), None)
            file.unlink(missing_ok=True)
            return
        self.known[(database, schema)] = found
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(found))
        fresh.replace(file)

    def find(self, place: list[str], types: list[str] | None = None) -> list[dict[str, Any]]:
        found = self.of_schema(place[0], place[1])
        return [p for p in found if p["place"] == place and (types is None or p["types"] == types)]

    def forget(self, database: str, schema: str | None = None) -> None:
        """With the schema or the database that they were in."""
        with self.lock:
            for place in [place for place in self.known if place[0] == database and schema in (None, place[1])]:
                self.save(*place, [])


def command(session: Session, first: str, text: str, query_id: str) -> Answer | None:
    if match := re.match(r"CREATE\s+(OR\s+REPLACE\s+)?PROCEDURE\s+", text, re.IGNORECASE):
        return _create(session, text, match.end(), replace=bool(match[1]))
    if match := re.match(r"DROP\s+PROCEDURE\s+(IF\s+EXISTS\s+)?", text, re.IGNORECASE):
        return _drop(session, text, match.end(), exists_ok=bool(match[1]))
    if match := re.match(rf"SHOW\s+PROCEDURES(?:\s+LIKE\s+{_TEXT})?(?:\s+IN\s+(?:SCHEMA\s+)?)?", text, re.IGNORECASE):
        return _show(session, text, match.end(), match[1])
    if first == "CALL":
        return _call(session, text, query_id)
    return None


def _place(session: Session, text: str, start: int) -> tuple[list[str], int]:
    parts, end = names.read_name(text, start)
    current = [names.decode(session.database or ""), names.decode(session.schema or "")]
    full = current[: 3 - len(parts)] + parts
    if not parts or len(full) != 3 or not all(full):
        raise SnowflakeError("090105", "Cannot perform operation. This session does not have a current database.", "22000")
    session.account.require_schema(full[0], full[1])
    return full, end


def _inside(text: str, start: int) -> tuple[list[str], int]:
    """The pieces between commas inside the parentheses at `start`, and where these end."""
    parser = scripting._Parser(text)
    parser.at = start
    parser.skip()
    if text[parser.at : parser.at + 1] != "(":
        raise syntax("syntax error: expected '('.")
    parser.at += 1
    inside = parser.until(")")
    end, pieces = parser.at, []
    parser = scripting._Parser(inside + ",")
    while inside and parser.at < len(parser.text):
        pieces.append(parser.until(","))
    return pieces, end


def _kind(declared: str) -> str:
    word = re.match(r"\w*", declared.strip())[0].upper()
    if word in _NUMBERS:
        return "NUMBER"
    if word in _TEXTS:
        return "VARCHAR"
    raise not_emulated(f"a procedure's argument of type {declared}")


def _create(session: Session, text: str, start: int, *, replace: bool) -> Answer:
    place, end = _place(session, text, start)
    declared, end = _inside(text, end)
    arguments = [piece.split(None, 1) for piece in declared]
    if any(len(argument) != 2 for argument in arguments):
        raise syntax("syntax error: an argument is a name and a type.")
    if not (rest := _REST.match(text, end)):
        raise not_emulated(f"this form of CREATE PROCEDURE: {text[end : end + 80]}")
    session.commit()
    body = rest[4] if rest[4] is not None else re.sub(r"\\(.)", r"\1", rest[5].replace("''", "'"))
    scripting.parse(body)
    types = [_kind(kind) for _, kind in arguments]
    procedures = session.account.procedures
    with procedures.lock:
        found = procedures.find(place, types)
        if found and not replace:
            raise already_exists(place[2])
        fresh = {
            "place": place, "types": types, "names": [name.upper() for name, _ in arguments], "body": body,
            "comment": re.sub(r"\\(.)", r"\1", (rest[2] or "user-defined procedure").replace("''", "'")),
            "owner": (rest[3] or "OWNER").upper() == "OWNER", "returns": _kind(rest[1]),
            "created": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        others = [p for p in procedures.of_schema(place[0], place[1]) if p not in found]
        procedures.save(place[0], place[1], [*others, fresh])
    return single("status", f"Function {place[2]} successfully created.")


def _drop(session: Session, text: str, start: int, *, exists_ok: bool) -> Answer:
    place, end = _place(session, text, start)
    types = [_kind(kind) for kind in _inside(text, end)[0]]
    session.commit()
    procedures = session.account.procedures
    with procedures.lock:
        found = procedures.find(place, types)
        if not found and not exists_ok:
            raise does_not_exist("Procedure", place[2])
        others = [p for p in procedures.of_schema(place[0], place[1]) if p not in found]
        procedures.save(place[0], place[1], others)
    return single("status", f"{place[2]} successfully dropped.")


def _show(session: Session, text: str, start: int, like: str | None) -> Answer:
    parts, _ = names.read_name(text, start)
    database, schema = (parts if len(parts) == 2 else [session.database or "", *parts, session.schema or ""])[:2]
    session.account.require_schema(database, schema)
    pattern = None if like is None else re.compile(re.escape(like).replace("%", ".*").replace("_", "."), re.IGNORECASE)
    rows = []
    for p in session.account.procedures.of_schema(database, schema):
        if pattern and not pattern.fullmatch(p["place"][2]):
            continue
        count, shown = str(len(p["types"])), f"{p['place'][2]}({', '.join(p['types'])}) RETURN {p['returns']}"
        rows.append(
            (p["created"], p["place"][2], schema, "N", "N", "N", count, count, shown, p["comment"], database, "N", "N", "N")
        )
    return from_rows([(column, "VARCHAR") for column in _COLUMNS], rows)


def _call(session: Session, text: str, query_id: str) -> Answer:
    place, end = _place(session, text, re.match(r"CALL\s+", text, re.IGNORECASE).end())
    found = session.account.procedures.find(place)
    if not found:
        raise SnowflakeError("002141", f"SQL compilation error:\nUnknown user-defined function {'.'.join(place)}", "42601")
    pieces, end = _inside(text, end)
    if text[end:].strip():
        raise syntax(f"syntax error at '{text[end : end + 20].strip()}'.")
    values, kinds = [], []
    for piece in pieces:
        answer = session._execute(f"SELECT {piece}", None, query_id, "")
        values.append(answer.table.column(0)[0].as_py())
        kinds.append({"FIXED": "NUMBER", "TEXT": "VARCHAR"}.get(str(answer.rowtype[0]["type"]).upper(), "OTHER"))
    for procedure in found:
        if len(kinds) == len(procedure["types"]) and all(
            value is None or kind == wanted for value, kind, wanted in zip(values, kinds, procedure["types"], strict=True)
        ):
            break
    else:
        given = ", ".join(kinds)
        raise SnowflakeError(
            "001044", f"SQL compilation error: error line 1 at position 5\nInvalid argument types for function '{place[2]}': ({given})",
            "42P13",
        )  # fmt: skip
    before, session.owner_rights = session.owner_rights, procedure["owner"]
    try:
        variables = dict(zip(procedure["names"], values, strict=True))
        value = scripting.run(session, scripting.parse(procedure["body"]), variables, query_id)
    finally:
        session.owner_rights = before
    return single(place[2], None if value is None else str(value))
