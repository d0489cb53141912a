"""Functions that ask about the server, the database, the session and their objects."""

from __future__ import annotations

from dataclasses import replace

from .. import sqltypes as t
from ..collations import rules
from ..code import Value
from ..values import SqlError, Variant
from . import permissions  # noqa: F401: fills the registry
from .registry import function, special


def _of_context(names: str, type_, python, least: int, most: int | None = None, text: int = 0, nullable: bool = True):
    """A function (ctx, arguments) → value; `text`: how many of its first arguments are names."""

    for name in names.split():

        @function(name, least=least, most=least if most is None else most)
        def made(c, *values):
            converted = [c.convert(v, t.text(4000, True, c.collation) if i < text else t.INT) for i, v in enumerate(values)]
            helper = c.code.constant(python)
            given = ", ".join(["ctx", *(v.code for v in converted)])
            return Value(c.code.let(f"{helper}({given})"), t.with_collation(type_, c.collation), nullable, rank=0)


def _object(ctx, name: str | None, kind: str | None = None):
    if name is None:
        return None
    found = ctx.session.find_written(name)
    if found is None or (kind and kind.strip().upper() != found.type_code):
        return None
    return found.id


def _by_id(ctx, id_: int | None, database: int | None = None):
    return None if id_ is None else ctx.session.visible_object(id_)


_of_context("OBJECT_ID", t.INT, _object, 1, 2, text=2)
_of_context("OBJECT_NAME", t.SYSNAME, lambda ctx, i, d=None: getattr(_by_id(ctx, i), "name", None), 1, 2)
_of_context("OBJECT_SCHEMA_NAME", t.SYSNAME, lambda ctx, i, d=None: getattr(_by_id(ctx, i), "schema", None), 1, 2)
_of_context("SCHEMA_ID", t.INT, lambda ctx, n=None: ctx.store.schema_id(ctx.session.default_schema if n is None else n), 0, 1, text=1)
_of_context("SCHEMA_NAME", t.SYSNAME, lambda ctx, i=None: ctx.session.default_schema if i is None else ctx.store.schema_name(i), 0, 1)
_of_context("TYPE_NAME", t.SYSNAME, lambda ctx, i: ctx.store.type_name(i), 1)
_of_context("TYPE_ID", t.INT, lambda ctx, n: ctx.store.type_id(n), 1, text=1)
_of_context("DB_ID", t.SMALLINT, lambda ctx, n=None: ctx.engine.database_id(ctx.session.database if n is None else n), 0, 1, text=1)
_of_context("DB_NAME", t.text(128), lambda ctx, i=None: ctx.session.database if i is None else ctx.engine.database_name(i), 0, 1)
_of_context("USER_NAME CURRENT_USER USER SESSION_USER", t.SYSNAME, lambda ctx, i=None: ctx.session.user, 0, 1)
_of_context("SUSER_SNAME SUSER_NAME ORIGINAL_LOGIN SYSTEM_USER", t.SYSNAME, lambda ctx, i=None: ctx.session.login, 0, 1)
_of_context("APP_NAME", t.SYSNAME, lambda ctx: ctx.session.application, 0)
_of_context("HOST_NAME", t.SYSNAME, lambda ctx: ctx.session.host, 0)
_of_context("XACT_STATE", t.SMALLINT, lambda ctx: ctx.session.transactions.state, 0, nullable=False)
_of_context("ERROR_NUMBER", t.INT, lambda ctx: getattr(ctx.session.caught, "number", None), 0)
_of_context("ERROR_MESSAGE", t.text(4000), lambda ctx: getattr(ctx.session.caught, "text", None), 0)
_of_context("ERROR_SEVERITY", t.INT, lambda ctx: getattr(ctx.session.caught, "severity", None), 0)
_of_context("ERROR_STATE", t.INT, lambda ctx: getattr(ctx.session.caught, "state", None), 0)
_of_context("ERROR_LINE", t.INT, lambda ctx: 1 if ctx.session.caught else None, 0)
_of_context("ROWCOUNT_BIG", t.BIGINT, lambda ctx: ctx.session.row_count, 0)
_of_context("COL_NAME", t.SYSNAME, lambda ctx, i, c: ctx.store.column_name(i, c), 2)
_of_context("SCOPE_IDENTITY", t.decimal(38, 0), lambda ctx: ctx.session.identity, 0)
_of_context("IDENT_CURRENT", t.decimal(38, 0), lambda ctx, n: ctx.session.identity_of(n), 1, text=1)


def _col_length(ctx, table: str, column: str):
    found = ctx.session.find_written(table)
    if found is None:
        return None
    return next((c.type.length for c in found.columns if c.name.lower() == column.lower()), None)


def _columnproperty(ctx, id_: int, column: str, asked: str):
    found = ctx.session.visible_object(id_)
    held = next((c for c in getattr(found, "columns", []) if c.name.lower() == column.lower()), None)
    if held is None:
        return None
    word = asked.lower()
    return {
        "isidentity": int(held.identity is not None), "iscomputed": int(held.computed is not None),
        "allowsnull": int(held.nullable), "precision": held.type.precision, "scale": held.type.scale,
        "columnid": held.id, "issparse": int(held.sparse), "ishidden": int(held.hidden),
    }.get(word)  # fmt: skip


_of_context("COL_LENGTH", t.SMALLINT, _col_length, 2, text=2)


@function("COLUMNPROPERTY", least=3)
def columnproperty(c, id_, column, asked):
    values = (c.convert(id_, t.INT), c.convert(column, t.SYSNAME), c.convert(asked, t.SYSNAME))
    helper = c.code.constant(_columnproperty)
    return replace(c.apply(f"{helper}(ctx, {{}}, {{}}, {{}})", t.INT, *values), nullable=True)


@function("OBJECTPROPERTY", "OBJECTPROPERTYEX", least=2)
def objectproperty(c, id_, asked):
    def python(ctx, id_: int, word: str):
        found = ctx.session.visible_object(id_)
        if found is None:
            return None
        return {
            "istable": int(found.kind == "table"), "isusertable": int(found.kind == "table"), "isview": int(found.kind == "view"),
            "ismsshipped": 0, "tablehasprimarykey": int(any(i.primary for i in getattr(found, "indexes", []))),
            "tableismemoryoptimized": int(getattr(found, "memory_optimized", False)),
            "tabletemporaltype": getattr(found, "temporal_type", 0), "schemaid": found.schema_id,
        }.get(word.lower())  # fmt: skip

    helper = c.code.constant(python)
    values = c.convert(id_, t.INT), c.convert(asked, t.SYSNAME)
    return replace(c.apply(f"{helper}(ctx, {{}}, {{}})", t.INT, *values), nullable=True)


@function("MIN_ACTIVE_ROWVERSION", least=0)
def min_active_rowversion(c):
    """https://learn.microsoft.com/sql/t-sql/functions/min-active-rowversion-transact-sql"""
    return Value(c.code.let("ctx.store.lowest_active_row_version()"), t.make("binary", (8,)), False)


@special("CURRENT_TRANSACTION_ID", since=2016)
def current_transaction_id(c, nodes, scope):
    return Value(c.code.let("ctx.session.transaction_id or ctx.session.statement_id"), t.BIGINT, False)


@function("SERVERPROPERTY")
def serverproperty(c, name):
    """https://learn.microsoft.com/sql/t-sql/functions/serverproperty-transact-sql"""

    def python(ctx, asked: str):
        held = ctx.engine.properties().get(asked.lower())
        return None if held is None else Variant(t.INT if isinstance(held, int) else t.text(128), held)

    helper = c.code.constant(python)
    return replace(c.apply(f"{helper}(ctx, {{}})", t.VARIANT, c.convert(name, t.SYSNAME)), nullable=True)


@function("DATABASEPROPERTYEX", least=2)
def databasepropertyex(c, database, name):
    def python(ctx, database: str, asked: str):
        store = ctx.engine.databases.get(database.lower())
        if store is None:
            return None
        held = {
            "collation": store.collation.name, "status": "ONLINE", "updateability": "READ_WRITE", "recovery": "FULL",
            "version": 957, "edition": None, "useraccess": "MULTI_USER", "isreadcommittedsnapshoton": int(store.rcsi),
        }.get(asked.lower())  # fmt: skip
        return None if held is None else Variant(t.INT if isinstance(held, int) else t.text(128), held)

    helper = c.code.constant(python)
    values = c.convert(database, t.SYSNAME), c.convert(name, t.SYSNAME)
    return replace(c.apply(f"{helper}(ctx, {{}}, {{}})", t.VARIANT, *values), nullable=True)


_CODE_PAGES = {"utf-8": 65001}


@function("COLLATIONPROPERTY", least=2)
def collationproperty(c, name, asked):
    def python(name: str, asked: str):
        try:
            found = rules(name)
        except SqlError:
            return None
        page = _CODE_PAGES.get(found.codec) or int(found.codec.removeprefix("cp"))
        flags = (not found.case) | (not found.accent) << 1 | (not found.kana) << 16 | (not found.width) << 17
        held = {"codepage": page, "lcid": 1033, "comparisonstyle": 0 if found.binary else flags, "version": 0}.get(asked.lower())
        return None if held is None else Variant(t.INT, int(held))

    from .registry import call

    return replace(call(c, python, t.VARIANT, c.convert(name, t.SYSNAME), c.convert(asked, t.SYSNAME)), nullable=True)


@function("SESSIONPROPERTY")
def sessionproperty(c, asked):
    def python(ctx, asked: str):
        held = ctx.session.options.get(asked.upper())
        return None if held is None else Variant(t.INT, int(held))

    helper = c.code.constant(python)
    return replace(c.apply(f"{helper}(ctx, {{}})", t.VARIANT, c.convert(asked, t.SYSNAME)), nullable=True)


@function("FORMATMESSAGE", least=1, most=20)
def formatmessage(c, *values):
    return values[0]
