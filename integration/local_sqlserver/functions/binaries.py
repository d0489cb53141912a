"""HASHBYTES, CHECKSUM, NEWID, SQL_VARIANT_PROPERTY."""

from __future__ import annotations

import hashlib
import uuid
import zlib

from .. import sqltypes as t
from ..code import Value
from ..conversions_bytes import serializer
from ..values import SqlError, Variant
from .registry import call, function, invalid_argument, special

_ALGORITHMS = {"md5": 16, "sha": 20, "sha1": 20, "sha2_256": 32, "sha2_512": 64, "md2": 0, "md4": 0}


def _digest(name: str):
    name = {"sha": "sha1", "sha2_256": "sha256", "sha2_512": "sha512"}.get(name, name)
    make = getattr(hashlib, name)
    return lambda data: make(data).digest()


@special("HASHBYTES")
def hashbytes(c, nodes, scope):
    """https://learn.microsoft.com/sql/t-sql/functions/hashbytes-transact-sql"""
    if len(nodes) != 2:
        raise SqlError(174, "The hashbytes function requires 2 argument(s).", 15)
    algorithm, value = c.expression(nodes[0], scope), c.expression(nodes[1], scope)
    name = str(algorithm.literal).lower() if algorithm.constant else ""
    if not algorithm.constant or not _ALGORITHMS.get(name):
        return c.constant(None, t.binary(8000))
    kind = value.type.name
    if kind not in ("varchar", "nvarchar", "char", "nchar", "varbinary", "binary") and not value.null:
        raise invalid_argument(value, 2, "hashbytes")
    if value.null:
        return c.constant(None, t.binary(8000))
    digest, form = _digest(name), serializer(value.type)
    limit = 8000 if c.version < 2016 else None

    def python(held) -> bytes:
        data = form(held)
        if limit is not None and len(data) > limit:
            raise SqlError(8152, "String or binary data would be truncated.")
        return digest(data)

    if kind in t.BINARY and limit is None:
        python = digest
    return call(c, python, t.binary(8000), value)


@special("CHECKSUM", "BINARY_CHECKSUM")
def checksum(c, nodes, scope):
    values = [c.expression(node, scope) for node in nodes]
    forms = c.code.constant([serializer(v.type) for v in values])

    def python(functions, *held) -> int:
        data = b"".join(b"\0" if h is None else b"\1" + f(h) for f, h in zip(functions, held, strict=True))
        number = zlib.crc32(data)
        return number - (1 << 32) if number >= 1 << 31 else number

    helper = c.code.constant(python)
    return Value(c.code.let(f"{helper}({forms}, {', '.join(v.code for v in values)})"), t.INT, False)


@function("NEWID", least=0)
def newid(c):
    return Value(c.code.let(f"{c.code.constant(uuid.uuid4)}()"), t.GUID, False)


@function("NEWSEQUENTIALID", least=0)
def newsequentialid(c):
    return newid(c)


@function("SQL_VARIANT_PROPERTY", least=2)
def variant_property(c, value, name):
    """https://learn.microsoft.com/sql/t-sql/functions/sql-variant-property-transact-sql"""
    value = c.convert(value, t.VARIANT)

    def python(held: Variant, asked: str):
        type_ = held.type
        word = asked.lower()
        if word == "basetype":
            return Variant(t.SYSNAME, type_.name)
        if word == "precision":
            return Variant(t.INT, type_.precision if type_.precision else 0)
        if word == "scale":
            return Variant(t.INT, type_.scale)
        if word == "maxlength":
            return Variant(t.INT, type_.length)
        if word == "totalbytes":
            return Variant(t.INT, len(serializer(type_)(held.value)) + 2)
        if word == "collation":
            return Variant(t.SYSNAME, type_.collation.name) if type_.collation else None
        return None

    from dataclasses import replace

    return replace(call(c, python, t.VARIANT, value, c.convert(name, t.SYSNAME)), nullable=True)
