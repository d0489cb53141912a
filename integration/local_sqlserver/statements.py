"""The statements of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .nodes import Item, Node, Parts, Query, Table, TypeName


@dataclass(slots=True)
class Statement:
    """What all statements have: compiled forms by what they were compiled for, and their place in the text."""

    compiled: dict = field(default_factory=dict, init=False, repr=False, compare=False)
    line: int = field(default=1, init=False, repr=False, compare=False)


@dataclass(slots=True)
class QueryStatement(Statement):
    query: Query


@dataclass(slots=True)
class Insert(Statement):
    """`source`: rows of expressions, a Query, an Execute, or None for DEFAULT VALUES."""

    table: Table
    columns: list[str] | None
    source: Any
    output: list[Item] | None = None
    ctes: list = field(default_factory=list)


@dataclass(slots=True)
class Update(Statement):
    table: Table
    changes: list[tuple[str, Node]]
    source: Node = None
    where: Node = None
    top: Node = None
    output: list[Item] | None = None
    ctes: list = field(default_factory=list)


@dataclass(slots=True)
class Delete(Statement):
    table: Table
    source: Node = None
    where: Node = None
    top: Node = None
    output: list[Item] | None = None
    ctes: list = field(default_factory=list)


@dataclass(slots=True)
class Truncate(Statement):
    parts: Parts


@dataclass(slots=True)
class SetOption(Statement):
    """`names`: the options' names; `value`: ON, OFF, or what was written."""

    names: tuple[str, ...]
    value: Any


@dataclass(slots=True)
class SetIdentityInsert(Statement):
    parts: Parts
    on: bool


@dataclass(slots=True)
class SetVariable(Statement):
    name: str
    value: Node


@dataclass(slots=True)
class Declare(Statement):
    variables: list[tuple[str, TypeName, Node]]


@dataclass(slots=True)
class If(Statement):
    condition: Node
    then: Statement
    otherwise: Statement | None


@dataclass(slots=True)
class While(Statement):
    condition: Node
    body: Statement


@dataclass(slots=True)
class Block(Statement):
    body: list[Statement]


@dataclass(slots=True)
class Try(Statement):
    body: list[Statement]
    handler: list[Statement]


@dataclass(slots=True)
class Jump(Statement):
    """BREAK, CONTINUE, RETURN."""

    word: str


@dataclass(slots=True)
class Transaction(Statement):
    """`action`: BEGIN, COMMIT, ROLLBACK, SAVE."""

    action: str
    name: str | None = None


@dataclass(slots=True)
class Print(Statement):
    value: Node


@dataclass(slots=True)
class RaiseError(Statement):
    arguments: list[Node]


@dataclass(slots=True)
class Throw(Statement):
    arguments: list[Node]


@dataclass(slots=True)
class WaitFor(Statement):
    value: Node


@dataclass(slots=True)
class Execute(Statement):
    """A procedure with (name, value, is output) each."""

    parts: Parts
    arguments: list[tuple[str | None, Node, bool]]


@dataclass(slots=True)
class ExecuteText(Statement):
    value: Node


@dataclass(slots=True)
class Use(Statement):
    database: str


@dataclass(slots=True)
class Kill(Statement):
    spid: int


@dataclass(slots=True)
class ColumnDefinition:
    name: str
    type: TypeName | None = None
    nullable: bool | None = None
    collation: str | None = None
    identity: tuple[int, int] | None = None
    default: tuple[str | None, Node, str] | None = None  # name, expression, text
    computed: Node = None
    computed_text: str = ""
    persisted: bool = False
    sparse: bool = False
    column_set: bool = False
    row_guid: bool = False
    mask: str | None = None
    encrypted: bool = False
    generated: str | None = None  # START, END
    hidden: bool = False


@dataclass(slots=True)
class Constraint:
    """`kind`: primary key, unique, check, foreign key, default."""

    kind: str
    name: str | None
    columns: list[tuple[str, bool]] = field(default_factory=list)
    clustered: bool | None = None
    condition: Node = None
    text: str = ""
    reference: tuple[Parts, list[str]] | None = None


@dataclass(slots=True)
class IndexDefinition:
    name: str
    columns: list[tuple[str, bool]]
    unique: bool = False
    clustered: bool = False
    columnstore: bool = False
    included: list[str] = field(default_factory=list)
    filter: str | None = None


@dataclass(slots=True)
class CreateTable(Statement):
    parts: Parts
    columns: list[ColumnDefinition]
    constraints: list[Constraint]
    indexes: list[IndexDefinition]
    period: tuple[str, str] | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class AlterTable(Statement):
    """`action`: add, drop column, drop constraint, alter column, masked, other."""

    parts: Parts
    action: str
    columns: list[ColumnDefinition] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CreateIndex(Statement):
    parts: Parts
    index: IndexDefinition


@dataclass(slots=True)
class CreateModule(Statement):
    """`kind`: view, function, procedure. `parameters`: (name, type)."""

    kind: str
    parts: Parts
    text: str
    query: Query | None = None
    columns: list[str] | None = None
    parameters: list[tuple[str, TypeName]] = field(default_factory=list)
    body: list[Statement] = field(default_factory=list)
    replaces: bool = False


@dataclass(slots=True)
class CreateType(Statement):
    parts: Parts
    base: TypeName
    nullable: bool


@dataclass(slots=True)
class CreateSimple(Statement):
    """`kind`: database, schema, login, user, role, synonym, sequence…; `options`: what else was said."""

    kind: str
    name: Parts
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class AlterDatabase(Statement):
    name: str | None
    options: list[tuple[str, str]]


@dataclass(slots=True)
class AlterPrincipal(Statement):
    """ALTER ROLE … ADD MEMBER, ALTER LOGIN …, ALTER USER …"""

    kind: str
    name: str
    action: str
    argument: str = ""


@dataclass(slots=True)
class SecurityPolicy(Statement):
    """`predicates`: (kind, function, arguments, table)."""

    parts: Parts
    predicates: list[tuple[str, Parts, list[Node], Parts]]
    enabled: bool = True
    alters: bool = False


@dataclass(slots=True)
class Drop(Statement):
    kind: str
    names: list[Parts]
    if_exists: bool = False
    table: Parts | None = None


@dataclass(slots=True)
class Grant(Statement):
    """`verb`: GRANT, DENY, REVOKE. `securable`: (class, name), or None for the database or server."""

    verb: str
    permissions: list[str]
    columns: list[str]
    securable: tuple[str, Parts] | None
    principals: list[str]


@dataclass(slots=True)
class Statistics(Statement):
    """UPDATE STATISTICS, CREATE STATISTICS, CHECKPOINT: nothing to do."""

    words: str
