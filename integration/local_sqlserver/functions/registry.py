"""How functions are declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .. import sqltypes as t
from ..code import Value
from ..values import SqlError, SqlType


@dataclass(frozen=True)
class Function:
    """`since`: the version that brought it."""

    name: str
    build: Callable
    since: int = 2008


REGISTRY: dict[str, Function] = {}


def special(*names: str, since: int = 2008):
    """A function that compiles its own arguments: (compiler, nodes, scope) → Value."""

    def add(build):
        for name in names:
            REGISTRY[name] = Function(name, build, since)
        return build

    return add


def function(*names: str, least: int = 1, most: int | None = None, since: int = 2008):
    """A function of compiled arguments: (compiler, values) → Value."""
    most = least if most is None else most

    def add(made):
        for name in names:

            def build(compiler, nodes, scope, name=name):
                if not least <= len(nodes) <= most:
                    count = str(least) if least == most else f"{least} to {most}"
                    raise SqlError(174, f"The {name.lower()} function requires {count} argument(s).", 15)
                return made(compiler, *(compiler.expression(node, scope) for node in nodes))

            REGISTRY[name] = Function(name, build, since)
        return made

    return add


def invalid_argument(value: Value, position: int, name: str) -> SqlError:
    return SqlError(8116, f"Argument data type {value.type.name} is invalid for argument {position} of {name} function.")


def text_like(compiler, value: Value, name: str, position: int = 1) -> Value:
    """The argument as text: what is not text is converted, but for what never is."""
    if value.type.name in t.TEXT and not value.null:
        return value
    if value.type.name in ("xml", "image", "sql_variant") or value.type.name in t.CLR:
        raise invalid_argument(value, position, name)
    target = t.text(4000, True, compiler.collation) if value.null else t.text(8000, False, compiler.collation)
    return compiler.convert(value, target)


def text_type(value: Value, characters: int | None = None) -> SqlType:
    """The type of a text made of this one: never fixed in length."""
    wide = value.type.name in t.WIDE
    length = t.characters(value.type) if characters is None else characters
    return t.text(length, wide, value.type.collation)


def call(compiler, python: Callable, type_: SqlType, *values: Value, rank: int | None = None) -> Value:
    from dataclasses import replace

    name = compiler.code.constant(python)
    made = compiler.apply(f"{name}({', '.join(['{}'] * len(values))})", type_, *values)
    return made if rank is None else replace(made, rank=rank)
