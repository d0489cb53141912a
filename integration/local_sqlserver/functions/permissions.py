"""HAS_PERMS_BY_NAME, IS_MEMBER, IS_SRVROLEMEMBER."""

from __future__ import annotations

from dataclasses import replace

from .. import sqltypes as t
from ..code import Value
from .registry import function


@function("HAS_PERMS_BY_NAME", least=3, most=5)
def has_perms_by_name(c, *values):
    """https://learn.microsoft.com/sql/t-sql/functions/has-perms-by-name-transact-sql"""
    texts = [c.convert(v, t.text(4000, True, c.collation)) for v in values]
    helper = c.code.constant(_has)
    return Value(c.code.let(f"{helper}(ctx, {', '.join(v.code for v in texts)})"), t.INT, True)


def _has(ctx, securable, kind, permission, column=None, column_kind=None):
    if permission is None:
        return None
    return ctx.session.privileges.has_by_name(ctx.session, securable, kind, permission, column)


@function("IS_SRVROLEMEMBER", least=1, most=2)
def is_srvrolemember(c, role, login=None):
    helper = c.code.constant(lambda ctx, name: ctx.engine.is_server_role_member(ctx.session.login, name))
    return replace(c.apply(f"{helper}(ctx, {{}})", t.INT, c.convert(role, t.SYSNAME)), nullable=True)


@function("IS_MEMBER", "IS_ROLEMEMBER", least=1, most=2)
def is_member(c, role, user=None):
    helper = c.code.constant(lambda ctx, name: ctx.store.is_member(ctx.session.user, name))
    return replace(c.apply(f"{helper}(ctx, {{}})", t.INT, c.convert(role, t.SYSNAME)), nullable=True)
