"""Python source made for a statement: lines, temporaries, constants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from .values import SqlType

# Collation precedence: https://learn.microsoft.com/sql/t-sql/statements/collation-precedence-transact-sql
COERCIBLE, IMPLICIT, EXPLICIT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Value:
    """An expression that has been compiled: `code` is a name or an index of one, and evaluates at no cost.

    `constant`: `literal` is its value. `masked`: made of a masked column. `null`: the word NULL, of no type of its own.
    """

    code: str
    type: SqlType
    nullable: bool = True
    constant: bool = False
    literal: object = None
    rank: int = COERCIBLE
    masked: bool = False
    null: bool = False

    def as_type(self, type_: SqlType) -> Value:
        return replace(self, type=type_)


class Code:
    """Lines under way. `capture` sets pieces apart, to be placed where they belong."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.prelude: list[tuple[int, str]] = []
        self.indent = 0
        self.constants: dict[str, object] = {}
        self._known: dict[int, str] = {}
        self._count = 0

    def name(self, prefix: str = "t") -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def line(self, text: str) -> None:
        self.lines.append((self.indent, text))

    def let(self, expression: str) -> str:
        """A new temporary that holds the expression."""
        name = self.name()
        self.lines.append((self.indent, f"{name} = {expression}"))
        return name

    def constant(self, value: object) -> str:
        known = self._known.get(id(value))
        if known is None:
            known = self.name("c")
            self.constants[known] = value
            self._known[id(value)] = known
        return known

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.line(head)
        self.indent += 1
        try:
            yield
        finally:
            self.indent -= 1

    @contextmanager
    def capture(self) -> Iterator[list[tuple[int, str]]]:
        """Lines that are kept apart."""
        kept, indent = self.lines, self.indent
        self.lines, self.indent = [], 0
        try:
            yield self.lines
        finally:
            self.lines, self.indent = kept, indent

    def place(self, lines: list[tuple[int, str]], hoist: bool = False) -> None:
        if hoist:
            self.prelude += lines
        else:
            self.lines += [(self.indent + depth, text) for depth, text in lines]

    def function(self, body: list[tuple[int, str]], name: str = "statement") -> object:
        """The function of these lines, after the prelude, within a maker of functions for one run of the statement."""
        source = [f"def {name}(ctx):"]
        source += [" " * (depth + 1) + text for depth, text in self.prelude + body]
        namespace = dict(self.constants)
        exec(compile("\n".join(source), "<statement>", "exec"), namespace)  # noqa: S102: the compiler's own text
        return namespace[name]
