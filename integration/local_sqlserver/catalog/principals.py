"""Logins, users, roles."""

from __future__ import annotations

from .registry import datetime_of, view

_PRINCIPAL = "name sysname not null; principal_id int not null; sid varbinary(85); type char(1) not null; type_desc nvarchar(60)"


@view("sys", "server_principals", f"{_PRINCIPAL}; is_disabled int; create_date datetime; modify_date datetime; default_database_name sysname")  # fmt: skip
def server_principals(ctx):
    all_of = ctx.session.privileges.on_server("VIEW ANY DEFINITION")
    when = datetime_of(ctx.engine.started)
    for login in list(ctx.engine.logins.values()):
        if all_of or login["name"] in (ctx.session.login, "sa"):
            yield login["name"], login["id"], login["id"].to_bytes(16, "big"), "S", "SQL_LOGIN", int(not login["enabled"]), when, when, login["database"]  # fmt: skip


@view("sys", "database_principals", f"{_PRINCIPAL}; default_schema_name sysname; create_date datetime; is_fixed_role bit not null")
def database_principals(ctx):
    when = datetime_of(ctx.store.created)
    for number, login, name in list(ctx.store.users.values()):
        yield name, number, (login or "").encode()[:85], "S", "SQL_USER", "dbo", when, False
    for role, number in ctx.store.role_ids.items():
        yield role, number, b"", "R", "DATABASE_ROLE", None, when, number >= 16384


@view("sys", "database_role_members", "role_principal_id int not null; member_principal_id int not null")
def database_role_members(ctx):
    for role, members in ctx.store.roles.items():
        for member in members:
            number = ctx.store.users[member][0] if member in ctx.store.users else ctx.store.role_ids.get(member)
            yield ctx.store.role_ids[role], number
