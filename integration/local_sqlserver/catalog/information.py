"""https://learn.microsoft.com/sql/relational-databases/system-information-schema-views/"""

from __future__ import annotations

from .. import sqltypes as t
from .objects import visible
from .registry import view

_SCHEMA = "INFORMATION_SCHEMA"


@view(_SCHEMA, "TABLES", "TABLE_CATALOG nvarchar(128); TABLE_SCHEMA sysname; TABLE_NAME sysname not null; TABLE_TYPE varchar(10)")
def tables(ctx):
    for thing in visible(ctx, "table", "view"):
        yield ctx.store.name, thing.schema, thing.name, "BASE TABLE" if thing.kind == "table" else "VIEW"


@view(_SCHEMA, "VIEWS", "TABLE_CATALOG nvarchar(128); TABLE_SCHEMA sysname; TABLE_NAME sysname not null; VIEW_DEFINITION nvarchar(4000)")  # fmt: skip
def views(ctx):
    for thing in visible(ctx, "view"):
        yield ctx.store.name, thing.schema, thing.name, thing.text[:4000]


@view(_SCHEMA, "SCHEMATA", "CATALOG_NAME sysname; SCHEMA_NAME nvarchar(128) not null; SCHEMA_OWNER nvarchar(128)")
def schemata(ctx):
    for _, name in ctx.store.schemas.values():
        yield ctx.store.name, name, "dbo"


@view(_SCHEMA, "COLUMNS", (
    "TABLE_CATALOG nvarchar(128); TABLE_SCHEMA nvarchar(128); TABLE_NAME nvarchar(128) not null; COLUMN_NAME nvarchar(128);"
    " ORDINAL_POSITION int; COLUMN_DEFAULT nvarchar(4000); IS_NULLABLE varchar(3); DATA_TYPE nvarchar(128);"
    " CHARACTER_MAXIMUM_LENGTH int; CHARACTER_OCTET_LENGTH int; NUMERIC_PRECISION tinyint; NUMERIC_PRECISION_RADIX smallint;"
    " NUMERIC_SCALE int; DATETIME_PRECISION smallint; COLLATION_NAME sysname"
))  # fmt: skip
def columns(ctx):
    for thing in visible(ctx, "table", "view"):
        for position, c in enumerate(thing.columns, 1):
            type_ = c.type
            name = type_.name
            sized = name in t.TEXT or name in t.BINARY
            octets = (2147483647 if name in ("text", "image") else 2147483646) if name in ("text", "ntext", "image") else type_.length  # fmt: skip
            length = None if not sized else octets if octets == -1 or name not in t.WIDE else octets // 2
            number = name in t.NUMERIC and name != "bit"
            precision = type_.precision if number else None
            scale = type_.scale if number and name not in t.APPROXIMATE else None
            fraction = {"date": 0, "datetime": 3, "smalldatetime": 0}.get(name, type_.scale) if name in t.TEMPORAL else None
            yield ctx.store.name, thing.schema, thing.name, c.name, position, c.default[2] if c.default else None, "YES" if c.nullable else "NO", name, length, octets if sized else None, precision, (2 if name in t.APPROXIMATE else 10) if number else None, scale, fraction, type_.collation.name if type_.collation else None  # fmt: skip
