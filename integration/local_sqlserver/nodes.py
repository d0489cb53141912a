"""The tree of a batch: expressions, conditions, queries. Statements are in `statements`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Node = Any
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as written: `(max)` is the argument -1."""

    parts: Parts
    arguments: tuple[int, ...] = ()


@dataclass(slots=True)
class Literal:
    """`kind`: string, nstring, integer, decimal, float, money, binary, null."""

    kind: str
    text: str = ""


@dataclass(slots=True)
class Name:
    """A column, with up to three names before its own."""

    parts: Parts


@dataclass(slots=True)
class Variable:
    name: str


@dataclass(slots=True)
class Global:
    name: str


@dataclass(slots=True)
class Unary:
    operator: str
    operand: Node


@dataclass(slots=True)
class Binary:
    operator: str
    left: Node
    right: Node


@dataclass(slots=True)
class Compare:
    operator: str
    left: Node
    right: Node


@dataclass(slots=True)
class Junction:
    """AND or OR of two conditions or more."""

    operator: str
    items: list[Node]


@dataclass(slots=True)
class Not:
    operand: Node


@dataclass(slots=True)
class IsNull:
    operand: Node
    negated: bool


@dataclass(slots=True)
class In:
    """`choices`: a list of expressions or a Query."""

    operand: Node
    choices: Any
    negated: bool


@dataclass(slots=True)
class Between:
    operand: Node
    low: Node
    high: Node
    negated: bool


@dataclass(slots=True)
class Like:
    operand: Node
    pattern: Node
    escape: Node
    negated: bool


@dataclass(slots=True)
class Exists:
    query: Query


CONDITIONS = (Compare, Junction, Not, IsNull, In, Between, Like, Exists)


@dataclass(slots=True)
class Case:
    operand: Node
    branches: list[tuple[Node, Node]]
    otherwise: Node


@dataclass(slots=True)
class Cast:
    """CAST, CONVERT and their TRY_ forms."""

    operand: Node
    type: TypeName
    attempt: bool = False
    style: Node = None


@dataclass(slots=True)
class Collate:
    operand: Node
    name: str


@dataclass(slots=True)
class Window:
    partition: list[Node]
    order: list[Order]
    framed: bool = False


@dataclass(slots=True)
class Call:
    """A function; `star`: COUNT(*); `over`: the window."""

    name: Parts
    arguments: list[Node]
    distinct: bool = False
    star: bool = False
    over: Window | None = None


@dataclass(slots=True)
class Method:
    """`operand.Name(…)` on a CLR type, or `type::Name(…)` where the operand is a TypeName."""

    operand: Node
    name: str
    arguments: list[Node] | None


@dataclass(slots=True)
class Subquery:
    query: Query


@dataclass(slots=True)
class Default:
    """The keyword DEFAULT as a value."""


@dataclass(slots=True)
class Star:
    qualifier: Parts = ()


@dataclass(slots=True)
class Item:
    """An item of a select list; `variable`: the one it is assigned to."""

    expression: Node
    alias: str | None = None
    variable: str | None = None


@dataclass(slots=True)
class Order:
    expression: Node
    descending: bool = False


@dataclass(slots=True)
class Table:
    parts: Parts
    alias: str | None = None
    hints: frozenset[str] = frozenset()
    sample: tuple[Node, bool, Node] | None = None  # amount, is percent, seed
    as_of: Node = None


@dataclass(slots=True)
class Function:
    """A function that gives a table."""

    parts: Parts
    arguments: list[Node]
    alias: str | None = None


@dataclass(slots=True)
class Derived:
    query: Query
    alias: str
    columns: list[str] | None = None


@dataclass(slots=True)
class Values:
    rows: list[list[Node]]
    alias: str
    columns: list[str] | None = None


@dataclass(slots=True)
class Join:
    """`kind`: inner, left, right, full, cross, cross apply, outer apply."""

    kind: str
    left: Node
    right: Node
    on: Node = None


@dataclass(slots=True)
class Select:
    items: list[Node]
    source: Node = None
    where: Node = None
    group: list[Node] | None = None
    having: Node = None
    distinct: bool = False
    top: Node = None
    percent: bool = False
    ties: bool = False
    into: Parts | None = None


@dataclass(slots=True)
class Combined:
    """`operator`: UNION, UNION ALL, EXCEPT, INTERSECT."""

    operator: str
    left: Node
    right: Node


@dataclass(slots=True)
class Query:
    body: Node
    ctes: list[tuple[str, list[str] | None, Query]] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    offset: Node = None
    fetch: Node = None
    xml: tuple[str, ...] = ()
