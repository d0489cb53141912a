"""sys.types and sys.schemas."""

from __future__ import annotations

from .. import sqltypes as t
from ..store import TYPE_IDS, USER_TYPE_IDS
from .registry import view


def _length(name: str) -> tuple[int, int, int]:
    if name in ("varchar", "char", "varbinary", "binary", "nvarchar", "nchar"):
        return 8000, 0, 0
    if name in t.EXACT:
        return 17, 38, 38
    made = t.make(name)
    return made.length, made.precision, made.scale


@view("sys", "types", "name sysname not null; system_type_id tinyint not null; user_type_id int not null; schema_id int not null; principal_id int; max_length smallint not null; precision tinyint not null; scale tinyint not null; collation_name sysname; is_nullable bit; is_user_defined bit not null; is_assembly_type bit not null; default_object_id int not null; rule_object_id int not null; is_table_type bit not null")  # fmt: skip
def types(ctx):
    collation = ctx.store.collation.name
    for name, number in USER_TYPE_IDS.items():
        base = "nvarchar" if name == "sysname" else name
        size = (256, 0, 0) if name == "sysname" else _length(name)
        text = collation if base in t.TEXT else None
        yield name, TYPE_IDS[base], number, 4, None, *size, text, name != "sysname", False, name in t.CLR, 0, 0, False
    for alias in ctx.store.types.values():
        base = alias.base
        schema = ctx.store.schema_id(alias.schema)
        yield alias.name, TYPE_IDS[base.name], alias.id, schema, None, base.length, base.precision, base.scale, base.collation.name if base.collation else None, alias.nullable, True, False, 0, 0, False  # fmt: skip


@view("sys", "schemas", "name sysname not null; schema_id int not null; principal_id int")
def schemas(ctx):
    for number, name in ctx.store.schemas.values():
        yield name, number, 1
