"""SHOW SCHEMAS, DATABASES, PARAMETERS and PROGRAMMATIC ACCESS TOKENS, with the columns that Snowflake documents.

fakesnow answers SHOW SCHEMAS with the columns of SHOW TERSE, knows no TRANSIENT, and two parameters alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import names, show_objects
from .engine import Answer, from_rows
from .errors import does_not_exist
from .warehouses import matches

if TYPE_CHECKING:
    from .session import Session

_LIKE = r"(?:\s+LIKE\s+'(?P<like>(?:[^'\\]|''|\\.)*)')?"
_SCHEMAS = re.compile(rf"SHOW\s+SCHEMAS{_LIKE}(?:\s+IN\s+(?P<scope>ACCOUNT|(?:DATABASE\b\s*)?.*))?", re.IGNORECASE | re.DOTALL)
_DATABASES = re.compile(rf"SHOW\s+DATABASES{_LIKE}", re.IGNORECASE)
_PARAMETERS = re.compile(
    rf"SHOW\s+PARAMETERS{_LIKE}(?:\s+(?:IN|FOR)\s+(?P<scope>SESSION|ACCOUNT|USER|WAREHOUSE)\b\s*(?P<name>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_TOKENS = re.compile(r"SHOW\s+USER\s+(?:PROGRAMMATIC\s+ACCESS\s+TOKENS|PATS)", re.IGNORECASE)
_EPOCH = "1970-01-01 00:00:00.000 -0800"

# What Snowflake's documentation of parameters gives as the default, of those that somebody may care for here.
DEFAULTS = {
    "ABORT_DETACHED_QUERY": "false", "AUTOCOMMIT": "true", "BINARY_INPUT_FORMAT": "HEX", "BINARY_OUTPUT_FORMAT": "HEX",
    "CLIENT_SESSION_KEEP_ALIVE": "false", "DATE_INPUT_FORMAT": "AUTO", "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
    "DEFAULT_DDL_COLLATION": "", "ERROR_ON_NONDETERMINISTIC_MERGE": "true", "HYBRID_TABLE_LOCK_TIMEOUT": "3600",
    "LOCK_TIMEOUT": "43200", "MULTI_STATEMENT_COUNT": "1", "QUERY_TAG": "", "QUOTED_IDENTIFIERS_IGNORE_CASE": "false",
    "READ_LATEST_WRITES": "false", "ROWS_PER_RESULTSET": "0", "SIMULATED_DATA_SHARING_CONSUMER": "",
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": "0", "STATEMENT_TIMEOUT_IN_SECONDS": "172800", "TIMEZONE": "America/Los_Angeles",
    "TIME_INPUT_FORMAT": "AUTO", "TIME_OUTPUT_FORMAT": "HH24:MI:SS", "TIMESTAMP_DAY_IS_ALWAYS_24H": "false",
    "TIMESTAMP_INPUT_FORMAT": "AUTO", "TIMESTAMP_LTZ_OUTPUT_FORMAT": "",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF3", "TIMESTAMP_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ", "TIMESTAMP_TZ_OUTPUT_FORMAT": "", "TRANSACTION_ABORT_ON_ERROR": "false",
    "TRANSACTION_DEFAULT_ISOLATION_LEVEL": "READ COMMITTED", "USE_CACHED_RESULT": "true",
}  # fmt: skip
# Of warehouses. A statement ends at the smaller timeout of session and warehouse.
WAREHOUSE_DEFAULTS = {
    "MAX_CONCURRENCY_LEVEL": "8", "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": "0", "STATEMENT_TIMEOUT_IN_SECONDS": "172800",
}  # fmt: skip


def show(session: Session, text: str) -> Answer | None:
    for pattern, answer in ((_SCHEMAS, _schemas), (_DATABASES, _databases), (_PARAMETERS, _parameters), (_TOKENS, _tokens)):
        if match := pattern.fullmatch(text):
            return answer(session, match)
    return show_objects.show(session, text)


def _wanted(match: re.Match, name: str) -> bool:
    like = match["like"]
    return like is None or matches(re.sub(r"\\(.)", r"\1", like.replace("''", "'")), name)


def _tokens(session: Session, match: re.Match) -> Answer:
    """Of the current user: they stand in the users file."""
    columns = (
        "name", "user_name", "role_restriction", "expires_at", "status", "comment", "created_on", "created_by",
        "mins_to_bypass_required_network_policy",
    )  # fmt: skip
    rows = [
        (token["name"], session.user, None, token["expires_at"], token["status"], None, _EPOCH, session.user, None)
        for token in session.server.users.tokens(session.user)
    ]
    return from_rows([(column, "VARCHAR") for column in columns], rows)


def _schemas(session: Session, match: re.Match) -> Answer:
    scope = match["scope"] or ""
    account = session.account
    if scope.upper() == "ACCOUNT" or (not scope and session.database is None):
        databases = account.database_names()
    elif name := re.sub(r"DATABASE\b\s*", "", scope, flags=re.IGNORECASE):
        databases = [names.encode(names.read_name(name, 0)[0][0])]
    else:
        databases = [session.database or ""]
    rows = []
    for database in databases:
        if not account.has_database(database):
            raise does_not_exist("Database", names.decode(database))
        transient = account.transient_schemas(database)
        found = {"INFORMATION_SCHEMA"} | {s for s in account.schema_names(database) if s not in _INTERNAL}
        for schema in sorted(found):
            shown = names.decode(schema)
            if _wanted(match, shown):
                is_current = "Y" if (session.database, session.schema) == (database, schema) else "N"
                options = "TRANSIENT" if schema in transient or "" in transient else ""
                rows.append((_EPOCH, shown, "N", is_current, names.decode(database), "SYSADMIN", "", options, "1", "ROLE", None))
    columns = (
        "created_on", "name", "is_default", "is_current", "database_name", "owner", "comment", "options", "retention_time",
        "owner_role_type", "object_visibility",
    )  # fmt: skip
    return from_rows([(column, "VARCHAR") for column in columns], rows)


_INTERNAL = {"main", "information_schema", "pg_catalog", "_fs_information_schema"}


def _databases(session: Session, match: re.Match) -> Answer:
    rows = []
    for database in session.account.database_names():
        if _wanted(match, shown := names.decode(database)):
            is_current = "Y" if session.database == database else "N"
            options = "TRANSIENT" if "" in session.account.transient_schemas(database) else ""
            rows.append((_EPOCH, shown, "N", is_current, "", "SYSADMIN", "", options, "1", "STANDARD", "ROLE", None, None))
    columns = (
        "created_on", "name", "is_default", "is_current", "origin", "owner", "comment", "options", "retention_time", "kind",
        "owner_role_type", "object_visibility", "data_quality_monitoring_settings",
    )  # fmt: skip
    return from_rows([(column, "VARCHAR") for column in columns], rows)


def _parameters(session: Session, match: re.Match) -> Answer:
    scope = (match["scope"] or "SESSION").upper()
    of_account = session.server.account_parameters
    rows = []
    if scope == "WAREHOUSE":
        found = session.server.warehouses.all(session)
        name = names.read_name(match["name"], 0)[0][0] if match["name"] else session.warehouse or ""
        if name not in found:
            raise does_not_exist("Warehouse", name)
        set_there = found[name].get("parameters", {})
        for key, default in WAREHOUSE_DEFAULTS.items():
            level = "WAREHOUSE" if key in set_there else "ACCOUNT" if key in of_account else ""
            rows.append((key, set_there.get(key, of_account.get(key, default)), default, level))
    else:
        own = session.parameters if scope == "SESSION" else {}
        for key in sorted({*DEFAULTS, *of_account, *own}):
            default = DEFAULTS.get(key, "")
            level = "SESSION" if key in own else "ACCOUNT" if key in of_account else ""
            rows.append((key, own.get(key, of_account.get(key, default)), default, level))
    answers = [
        (key, _shown(value), default, level, "", "STRING") for key, value, default, level in rows if _wanted(match, key)
    ]
    return from_rows([(c, "VARCHAR") for c in ("key", "value", "default", "level", "description", "type")], answers)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) or str(value).upper() in ("TRUE", "FALSE") else str(value)
