"""Methods of hierarchyid, geometry, geography and xml."""

from __future__ import annotations

from dataclasses import replace

from .. import clr
from .. import nodes as n
from .. import sqltypes as t
from ..code import Value
from ..values import MAX, SqlError, SqlType, Udt
from .registry import call

_TEXT = t.text(MAX)


def _coordinate(index: int):
    def get(held: Udt):
        numbers = clr.coordinates(held)
        return float(numbers[index]) if index < len(numbers) and numbers[index] != "NULL" else None

    return get


_SPATIAL = {
    "ToString": (lambda held: held.text, _TEXT), "STAsText": (clr.flat, _TEXT), "AsTextZM": (lambda held: held.text, _TEXT),
    "STSrid": (lambda held: held.srid, t.INT), "STX": (_coordinate(0), t.FLOAT), "STY": (_coordinate(1), t.FLOAT),
    "Long": (_coordinate(0), t.FLOAT), "Lat": (_coordinate(1), t.FLOAT), "Z": (_coordinate(2), t.FLOAT),
    "M": (_coordinate(3), t.FLOAT), "STIsValid": (lambda held: True, t.BIT),
    "STGeometryType": (lambda held: held.text.split(" ")[0].capitalize(), t.text(4000)),
}  # fmt: skip
_HIERARCHY = {
    "ToString": (lambda held: held.text, t.text(4000)),
    "GetLevel": (lambda held: held.text.count("/") - 1, t.SMALLINT),
}


def instance_method(c, node: n.Method, scope) -> Value:
    value = c.expression(node.operand, scope)
    kind = value.type.name
    methods = _HIERARCHY if kind == "hierarchyid" else _SPATIAL if kind in t.CLR else None
    if methods is None:
        raise SqlError(258, f"Cannot call methods on {t.declared(value.type)}.", 15)
    found = methods.get(node.name)
    if found is None:
        raise SqlError(6506, f"Could not find method '{node.name}' for type 'Microsoft.SqlServer.Types.Sql{kind.capitalize()}'.")
    python, type_ = found
    made = call(c, python, t.with_collation(type_, c.collation), value)
    return replace(made, rank=1 if made.type.name in t.TEXT else 0, nullable=True)


def static_method(c, node: n.Method, scope) -> Value:
    kind = node.operand.parts[-1].lower()
    if kind not in t.CLR:
        raise SqlError(243, f"Type {node.operand.parts[-1]} is not a defined system type.")
    target = SqlType(kind, 892 if kind == "hierarchyid" else -1)
    arguments = [c.expression(x, scope) for x in node.arguments or []]
    name = node.name
    if kind == "hierarchyid" and name == "GetRoot":
        return c.constant(clr.hierarchy("/"), target)
    if kind == "hierarchyid" and name == "Parse":
        return call(c, clr.hierarchy, target, c.as_text(arguments[0]))
    if name == "Parse":
        arguments.append(c.constant(0 if kind == "geometry" else 4326, t.INT))
    if name in ("Parse", "STGeomFromText", "STPointFromText", "STLineFromText", "STPolyFromText") and len(arguments) == 2:
        text = c.convert(arguments[0], _TEXT)
        return call(c, lambda shape, srid: clr.spatial(kind, shape, srid), target, text, c.convert(arguments[1], t.INT))
    if name == "Point" and len(arguments) == 3:
        numbers = [c.convert(x, t.FLOAT) for x in arguments[:2]]
        # geography takes the latitude first, and writes it last.
        order = numbers if kind == "geometry" else numbers[::-1]
        return call(c, lambda x, y, srid: clr.spatial(kind, f"POINT ({x!r} {y!r})", srid), target, *order, c.convert(arguments[2], t.INT))
    raise SqlError(6506, f"Could not find method '{name}' for type 'Microsoft.SqlServer.Types.Sql{kind.capitalize()}'.")
