"""@@ names: https://learn.microsoft.com/sql/t-sql/functions/configuration-functions-transact-sql"""

from __future__ import annotations

from .. import sqltypes as t
from ..code import Value
from ..values import SqlError

_GLOBALS = {
    "@@SPID": ("ctx.session.spid", t.SMALLINT), "@@TRANCOUNT": ("ctx.session.transactions.depth", t.INT),
    "@@ROWCOUNT": ("ctx.session.row_count", t.INT), "@@ERROR": ("ctx.session.last_error", t.INT),
    "@@VERSION": ("ctx.engine.banner", t.text(300)), "@@LANGUAGE": ("ctx.session.options['LANGUAGE']", t.SYSNAME),
    "@@TEXTSIZE": ("ctx.session.options['TEXTSIZE']", t.INT), "@@LOCK_TIMEOUT": ("ctx.session.options['LOCK_TIMEOUT']", t.INT),
    "@@OPTIONS": ("ctx.session.option_bits", t.INT), "@@DBTS": ("ctx.store.row_version_bytes()", t.make("timestamp")),
    "@@SERVERNAME": ("ctx.engine.name", t.SYSNAME), "@@SERVICENAME": ("'MSSQLSERVER'", t.SYSNAME),
    "@@IDENTITY": ("ctx.session.identity", t.decimal(38, 0)), "@@NESTLEVEL": ("ctx.session.nesting", t.INT),
    "@@MAX_PRECISION": ("38", t.TINYINT), "@@DATEFIRST": ("7", t.TINYINT), "@@PROCID": ("0", t.INT),
    "@@FETCH_STATUS": ("-1", t.INT), "@@LANGID": ("0", t.SMALLINT),
    "@@MICROSOFTVERSION": ("ctx.engine.major << 24", t.INT),
}  # fmt: skip


def global_value(c, name: str) -> Value:
    found = _GLOBALS.get(name)
    if found is None:
        raise SqlError(137, f'Must declare the scalar variable "{name}".', 15, 2)
    code, type_ = found
    return Value(c.code.let(code), type_, name in ("@@IDENTITY",))
