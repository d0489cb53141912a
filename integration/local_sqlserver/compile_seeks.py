"""Ranges of an index's first column: where WHERE compares it with constants, only the rows between them are looked at.

The condition is evaluated on them all the same, so that a seek changes nothing but the time and the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import nodes as n
from . import sqltypes as t
from .comparisons import key_of
from .scopes import Binding, Scope
from .tables import Table
from .values import SqlError

_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}


@dataclass(frozen=True)
class Seek:
    """Of column `position`, keys from `low` to `high`, both included; None: no bound."""

    position: int
    low: Any = None
    high: Any = None


def conjuncts(where: n.Node) -> list[n.Compare]:
    """The comparisons that must all hold."""
    if isinstance(where, n.Junction) and where.operator == "AND":
        return [c for item in where.items for c in conjuncts(item)]
    if isinstance(where, n.Between) and not where.negated:
        return [n.Compare(">=", where.operand, where.low), n.Compare("<=", where.operand, where.high)]
    return [where] if isinstance(where, n.Compare) and where.operator in _MIRRORED else []


def seek(compiler: Any, binding: Binding, table: Table, where: n.Node) -> Seek | None:
    leading = {table.position(i.columns[0][0]) for i in table.indexes if i.columns and not i.columnstore and not i.disabled}
    if not leading:
        return None
    scope = Scope()
    scope.add(binding)
    bounds: dict[int, list] = {}
    for item in conjuncts(where):
        for column, other, operator in ((item.left, item.right, item.operator), (item.right, item.left, _MIRRORED[item.operator])):
            found = scope.find(column.parts) if isinstance(column, n.Name) else None
            if found is None or found[1] not in leading:
                continue
            key = _key(compiler, binding, found[1], other)
            if key is not None:
                _narrow(bounds.setdefault(found[1], [None, None]), operator, key[0])
            break
    if not bounds:
        return None
    position = min(bounds, key=lambda p: bounds[p].count(None))
    return Seek(position, *bounds[position])


def _narrow(bound: list, operator: str, key: Any) -> None:
    if operator in (">", ">=", "=") and (bound[0] is None or key > bound[0]):
        bound[0] = key
    if operator in ("<", "<=", "=") and (bound[1] is None or key < bound[1]):
        bound[1] = key


def _key(compiler: Any, binding: Binding, position: int, node: n.Node) -> tuple | None:
    """The constant's key, where the column is compared in its own type."""
    if not _constant(node):
        return None
    own = binding.value(position)
    try:
        with compiler.code.capture():
            value = compiler.expression(node, Scope())
            if not value.constant or value.literal is None:
                return None
            if own.type.name in t.INTEGERS and value.type.name in t.INTEGERS:
                return (value.literal,)
            target = t.common(own.type, value.type)
            if target.name in t.TEXT:
                if compiler.collation_of((own, value)).type.collation != own.type.collation or target.name != own.type.name:
                    return None
                target = t.with_collation(target, own.type.collation)
            elif target.name in t.EXACT:
                if own.type.name not in t.EXACT or value.type.scale > own.type.scale:
                    return None
                target = t.decimal(38, own.type.scale)
            elif target != own.type and target.name != own.type.name or (target.name in t.TEMPORAL and target != own.type):
                return None
            held = compiler.convert(value, target, explicit=False)
            if not held.constant or held.literal is None:
                return None
            function = key_of(own.type)
            return (held.literal if function is None else function(held.literal),)
    except SqlError:
        return None


def _constant(node: object) -> bool:
    if isinstance(node, (n.Name, n.Variable, n.Global, n.Subquery, n.Query, n.Exists, n.Call, n.Method)):
        return False
    if isinstance(node, (list, tuple)):
        return all(map(_constant, node))
    fields = getattr(node, "__dataclass_fields__", None)
    return fields is None or all(_constant(getattr(node, field)) for field in fields)


def sorted_rows(table: Table, rows: list[tuple], position: int) -> tuple[list, list[tuple]]:
    """(keys, rows in their order) of a version of a table; kept until the next one is asked for. NULL is left out."""
    kept = table.sorted.get(position)
    if kept is None or kept[0] is not rows:
        function = key_of(table.columns[position].type)
        pairs = [(row[position] if function is None else function(row[position]), row) for row in rows if row[position] is not None]
        pairs.sort(key=lambda pair: pair[0])
        kept = rows, [key for key, _ in pairs], [row for _, row in pairs]
        table.sorted[position] = kept
    return kept[1], kept[2]
