"""Policies on tables, and grants: what is set, and where it is told. Nothing is masked, hidden or refused by them here.

Masking policies stand in the notes of their columns, as DESCRIBE TABLE tells them, and those of a tag with the tag, which it
does not tell. EXPLAIN tells of a row access policy in the words of the documentation ("Understanding row access policies").
Policies, tags, grants and default collations live in memory: a server that starts again knows them no more."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import catalog, names, notes
from .engine import Answer, from_rows, single
from .errors import SnowflakeError, already_exists, does_not_exist, not_emulated, syntax

if TYPE_CHECKING:
    from .session import Session

DONE = "Statement executed successfully."
_REFERENCES = (
    "POLICY_DB", "POLICY_SCHEMA", "POLICY_NAME", "POLICY_KIND", "REF_DATABASE_NAME", "REF_SCHEMA_NAME",
    "REF_ENTITY_NAME", "REF_ENTITY_DOMAIN", "REF_COLUMN_NAME", "REF_ARG_COLUMN_NAMES", "TAG_DATABASE", "TAG_SCHEMA",
    "TAG_NAME", "POLICY_STATUS",
)  # fmt: skip
_PLAN = (
    "step", "id", "parentOperators", "operation", "objects", "alias", "expressions", "partitionsTotal",
    "partitionsAssigned", "bytesAssigned",
)  # fmt: skip
_GRANTS = (
    "created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option",
    "granted_by_role_type", "granted_by",
)  # fmt: skip


# Database, schema, name.
Name = tuple[str, str, str]


class Governance:
    def __init__(self) -> None:
        self.policies: dict[Name, str] = {}  # MASKING or ROW ACCESS
        self.tags: dict[Name, Name | None] = {}  # with their masking policies
        self.row_access: dict[Name, Name] = {}  # table → policy
        self.tagged: dict[tuple[Name, str], Name] = {}  # table, column → tag
        self.grants: dict[tuple[str, Name], dict[tuple[str, str, str], None]] = {}  # kind, object → privilege, to, grantee
        self.collations: dict[tuple[str, ...], str] = {}  # database or schema → DEFAULT_DDL_COLLATION

    def forget(self, kind: str, name: Name) -> None:
        """An object that is dropped or replaced takes its grants and policies with it."""
        self.grants.pop((kind, name), None)
        if kind == "TABLE":
            self.row_access.pop(name, None)
            self.tagged = {key: tag for key, tag in self.tagged.items() if key[0] != name}


def full_name(session: Session, parts: list[str]) -> Name:
    current = [names.decode(session.database or ""), names.decode(session.schema or "")]
    database, schema, name = [*current[: 3 - len(parts)], *parts]
    return database, schema, name


def shown(name: Name) -> str:
    return ".".join(name)


def command(session: Session, first: str, text: str) -> Answer | None:
    handlers: dict[str, list[tuple[str, Callable[[Session, str, re.Match[str]], Answer]]]] = {
        "CREATE": [
            (r"CREATE\s+(OR\s+REPLACE\s+)?(MASKING|ROW\s+ACCESS)\s+POLICY\s+(IF\s+NOT\s+EXISTS\s+)?", _create_policy),
            (r"CREATE\s+(?:OR\s+REPLACE\s+)?TAG\s+(?:IF\s+NOT\s+EXISTS\s+)?", _create_tag),
        ],
        "ALTER": [
            (r"ALTER\s+TAG\s+", _alter_tag),
            (r"ALTER\s+TABLE\s+(?=.*\b(?:POLICY|TAG)\b)", _alter_table),
            (r"ALTER\s+(DATABASE|SCHEMA)\s+(?=.*\bDEFAULT_DDL_COLLATION\b)", _default_collation),
        ],
        "GRANT": [(r"GRANT\s+(.+?)\s+ON\s+(TABLE|SEQUENCE)\s+", _grant)],
        "SHOW": [(r"SHOW\s+GRANTS\s+ON\s+(TABLE|SEQUENCE)\s+", _show_grants)],
        "EXPLAIN": [(r"EXPLAIN\s+SELECT\s+\*\s+FROM\s+", _explain)],
        "SELECT": [(r"SELECT\s+([\w\s,*]+?)\s+FROM\s+TABLE\s*\(\s*(?=.*POLICY_REFERENCES\s*\()", _references)],
    }  # fmt: skip
    for pattern, handle in handlers.get(first, []):
        if match := re.match(pattern, text, re.IGNORECASE | re.DOTALL):
            if first in ("CREATE", "ALTER", "GRANT"):
                session.commit()
            return handle(session, text, match)
    return None


def _name_at(session: Session, text: str, start: int) -> tuple[Name, int]:
    parts, end = names.read_name(text, start)
    return full_name(session, parts), end


def _create_policy(session: Session, text: str, match: re.Match[str]) -> Answer:
    name, _ = _name_at(session, text, match.end())
    policies = session.account.governance.policies
    if name in policies and not match[1]:
        if match[3]:
            return single("status", f"{shown(name)} already exists, statement succeeded.")
        raise already_exists(shown(name))
    policies[name] = " ".join(match[2].upper().split())
    return single("status", f"{match[2].capitalize()} policy {shown(name)} successfully created.")


def _create_tag(session: Session, text: str, match: re.Match[str]) -> Answer:
    name, _ = _name_at(session, text, match.end())
    session.account.governance.tags.setdefault(name, None)
    return single("status", f"Tag {shown(name)} successfully created.")


def _policy_after(session: Session, text: str, words: str, start: int, kind: str) -> Name:
    match = re.compile(words, re.IGNORECASE).search(text, start)
    if not match:
        raise syntax("unexpected policy clause.")
    name, _ = _name_at(session, text, match.end())
    if session.account.governance.policies.get(name) != kind:
        raise does_not_exist(f"{kind.capitalize()} policy", shown(name))
    return name


def _alter_tag(session: Session, text: str, match: re.Match[str]) -> Answer:
    name, end = _name_at(session, text, match.end())
    tags = session.account.governance.tags
    if name not in tags:
        raise does_not_exist("Tag", shown(name))
    tags[name] = _policy_after(session, text, r"\bSET\s+MASKING\s+POLICY\s+", end, "MASKING")
    return single("status", DONE)


def _alter_table(session: Session, text: str, match: re.Match[str]) -> Answer:
    governance = session.account.governance
    table, end = _table_at(session, text, match.end())
    if re.match(r"\s*ADD\s+ROW\s+ACCESS\s+POLICY\b", text[end:], re.IGNORECASE):
        if table in governance.row_access:
            raise SnowflakeError("003552", f"Object {shown(table)} already has a ROW_ACCESS_POLICY.", "23001")
        policy = _policy_after(session, text, r"ADD\s+ROW\s+ACCESS\s+POLICY\s+", end, "ROW ACCESS")
        governance.row_access[table] = policy
        return single("status", DONE)
    if re.match(r"\s*DROP\s+(ROW\s+ACCESS\s+POLICY|ALL\s+ROW\s+ACCESS\s+POLICIES)\b", text[end:], re.IGNORECASE):
        governance.row_access.pop(table, None)
        return single("status", DONE)
    column_at = re.compile(r"\s*(?:MODIFY|ALTER)\s+(?:COLUMN\s+)?", re.IGNORECASE).match(text, end)
    if not column_at:
        raise syntax("unexpected ALTER TABLE.")
    [column], end = names.read_name(text, column_at.end())
    if match := re.compile(r"\s*SET\s+TAG\s+", re.IGNORECASE).match(text, end):
        tag, _ = _name_at(session, text, match.end())
        if tag not in governance.tags:
            raise does_not_exist("Tag", shown(tag))
        governance.tagged[(table, column)] = tag
    elif re.match(r"\s*UNSET\s+MASKING\s+POLICY", text[end:], re.IGNORECASE):
        notes.change(session, table, column, "m", None)
    else:
        policy = _policy_after(session, text, r"SET\s+MASKING\s+POLICY\s+", end, "MASKING")
        notes.change(session, table, column, "m", shown(policy))
    return single("status", DONE)


def _table_at(session: Session, text: str, start: int) -> tuple[Name, int]:
    name, end = _name_at(session, text, start)
    session.bind_context(session.conn)
    if not catalog.exists(session.conn._duck_conn, names.encode(name[0]), names.encode(name[1]), name[2]):
        error = does_not_exist("Table", shown(name))
        error.sqlstate = "42S02"
        raise error
    return name, end


def _default_collation(session: Session, text: str, match: re.Match[str]) -> Answer:
    parts, end = names.read_name(text, match.end())
    if match[1].upper() == "SCHEMA" and len(parts) == 1:
        parts = [names.decode(session.database or ""), *parts]
    value = re.search(r"DEFAULT_DDL_COLLATION\s*=\s*'([^']*)'", text[end:], re.IGNORECASE)
    session.account.governance.collations[tuple(parts)] = value[1] if value else ""
    return single("status", DONE)


def default_collation(governance: Governance, database: str, schema: str, of_account: str) -> str:
    """What a new text column has for a collation unless its DDL says otherwise: the schema's default over the database's over
    the account's."""
    database, schema = names.decode(database), names.decode(schema)
    return governance.collations.get((database, schema), governance.collations.get((database,), of_account))


def _grant(session: Session, text: str, match: re.Match[str]) -> Answer:
    name, end = _name_at(session, text, match.end())
    to = re.compile(r"\s*TO\s+(?:(DATABASE\s+ROLE|ROLE|SHARE)\s+)?", re.IGNORECASE).match(text, end)
    if not to:
        raise syntax("unexpected GRANT.")
    grantee, _ = names.read_name(text, to.end())
    granted = session.account.governance.grants.setdefault((match[2].upper(), name), {})
    kind = re.sub(r"\s+", "_", (to[1] or "ROLE").upper())
    for privilege in match[1].upper().split(","):
        granted[(privilege.strip(), kind, ".".join(grantee))] = None
    return single("status", DONE)


def _show_grants(session: Session, text: str, match: re.Match[str]) -> Answer:
    kind = match[1].upper()
    name, _ = _name_at(session, text, match.end())
    granted = session.account.governance.grants.get((kind, name), {})
    rows = [("", "OWNERSHIP", kind, shown(name), "ROLE", session.role, "true", "ROLE", session.role)]
    rows += [("", privilege, kind, shown(name), to, grantee, "false", "ROLE", session.role) for privilege, to, grantee in granted]
    return from_rows([(column, "VARCHAR") for column in _GRANTS], rows)


def _explain(session: Session, text: str, match: re.Match[str]) -> Answer:
    table, _ = _table_at(session, text, match.end())
    rows = [("1", "0", None, "Result", None, None, "*", None, None, None)]
    if table in session.account.governance.row_access:
        protected = f'"{table[-1]} (+ RowAccessPolicy)"'
        rows.append(("1", "1", "[0]", "DynamicSecureView", protected, None, None, None, None, None))
    else:
        rows.append(("1", "1", "[0]", "TableScan", shown(table), None, "*", "1", "1", "0"))
    return from_rows([(column, "VARCHAR") for column in _PLAN], rows)


def _references(session: Session, text: str, match: re.Match[str]) -> Answer:
    if re.search(r"\)\s*\)\s*\S", text):
        raise not_emulated("a condition on POLICY_REFERENCES")
    entity = re.search(r"REF_ENTITY_NAME\s*=>\s*'((?:[^']|'')*)'", text, re.IGNORECASE)
    if not entity or not re.search(r"REF_ENTITY_DOMAIN\s*=>\s*'TABLE'", text, re.IGNORECASE):
        raise syntax("POLICY_REFERENCES needs REF_ENTITY_NAME and REF_ENTITY_DOMAIN.")
    table, _ = _table_at(session, entity[1].replace("''", "'"), 0)
    governance = session.account.governance
    found = []

    def add(policy: Name, kind: str, column: str | None, tag: Name | None) -> None:
        found.append((*policy, kind, *table, "TABLE", column, None, *(tag or [None] * 3), "ACTIVE"))

    if policy := governance.row_access.get(table):
        add(policy, "ROW_ACCESS_POLICY", None, None)
    for column, set_policy in notes.of(session, table, "m"):
        add(full_name(session, set_policy.split(".")), "MASKING_POLICY", column, None)
    for (tagged, column), tag in governance.tagged.items():
        if tagged == table and (policy := governance.tags.get(tag)):
            add(policy, "MASKING_POLICY", column, tag)
    wanted = [column.strip().upper() for column in match[1].split(",")]
    chosen = list(_REFERENCES) if wanted == ["*"] else wanted
    if missing := [column for column in chosen if column not in _REFERENCES]:
        raise SnowflakeError("000904", f"SQL compilation error:\ninvalid identifier '{missing[0]}'", "42000")
    rows = [tuple(row[_REFERENCES.index(column)] for column in chosen) for row in found]
    return from_rows([(column, "VARCHAR") for column in chosen], rows)
