"""ISNULL, COALESCE, NULLIF, IIF, CHOOSE."""

from __future__ import annotations

from dataclasses import replace

from .. import nodes as n
from ..code import Value
from ..values import SqlError
from .registry import function, special


@function("ISNULL", least=2)
def isnull(c, value, other):
    """The type is the first argument's: https://learn.microsoft.com/sql/t-sql/functions/isnull-transact-sql"""
    if value.null:
        return other
    if not value.nullable:
        return value
    other = c.convert(other, value.type, explicit=True)
    code = c.code.let(f"{other.code} if {value.code} is None else {value.code}")
    return Value(code, value.type, value.nullable and other.nullable, rank=value.rank, masked=value.masked or other.masked)


@special("COALESCE")
def coalesce(c, nodes, scope):
    if len(nodes) < 2:
        raise SqlError(102, "Incorrect syntax near ')'.", 15)
    made: list[Value] = []

    def test(node):
        value = c.expression(node, scope)
        made.append(value)
        return c.code.let(f"{value.code} is not None") if value.nullable else "True"

    branches = [(lambda node=node: test(node), lambda: made[-1]) for node in nodes[:-1]]
    result = c.choice(branches, lambda: c.expression(nodes[-1], scope))
    return replace(result, nullable=result.nullable and all(value.nullable for value in made))


@special("NULLIF")
def nullif(c, nodes, scope):
    if len(nodes) != 2:
        raise SqlError(174, "The nullif function requires 2 argument(s).", 15)
    value, other = c.expression(nodes[0], scope), c.expression(nodes[1], scope)
    if value.null:
        raise SqlError(4151, "The type of the first argument to NULLIF cannot be the NULL constant because the type of the first argument has to be known.")  # fmt: skip
    same = c.compare("=", value, other)
    return Value(c.code.let(f"None if {same} is True else {value.code}"), value.type, True, rank=value.rank, masked=value.masked)


@special("IIF", since=2012)
def iif(c, nodes, scope):
    if len(nodes) != 3:
        raise SqlError(174, "The iif function requires 3 argument(s).", 15)
    return c._case(n.Case(None, [(nodes[0], nodes[1])], nodes[2]), scope)


@special("CHOOSE", since=2012)
def choose(c, nodes, scope):
    branches = [(n.Literal("integer", str(i + 1)), node) for i, node in enumerate(nodes[1:])]
    return c._case(n.Case(n.Cast(nodes[0], n.TypeName(("int",))), branches, None), scope)
