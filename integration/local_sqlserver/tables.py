"""What a database holds: tables, views, functions and their parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import nodes as n
from .values import SqlType


@dataclass(frozen=True)
class Access:
    """A table as a statement reads it."""

    table: Table
    hints: frozenset[str] = frozenset()


@dataclass
class Column:
    """A column. `id` stays the same when others are dropped."""

    id: int
    name: str
    type: SqlType
    nullable: bool = True
    user_type: str = ""
    identity: tuple[int, int] | None = None
    last_identity: int | None = None
    default: tuple[str, n.Node, str, int] | None = None  # name, expression, text, object id
    computed: n.Node = None
    computed_text: str = ""
    persisted: bool = False
    sparse: bool = False
    column_set: bool = False
    row_guid: bool = False
    mask: str | None = None
    encrypted: bool = False
    generated: str | None = None
    hidden: bool = False


@dataclass
class Index:
    """`columns`: (id of the column, descending). `constraint`: the object id of a primary key or unique constraint."""

    id: int
    name: str
    columns: list[tuple[int, bool]]
    unique: bool = False
    clustered: bool = False
    columnstore: bool = False
    primary: bool = False
    constraint: int | None = None
    included: list[int] = field(default_factory=list)
    filter: str | None = None
    disabled: bool = False


@dataclass
class Check:
    id: int
    name: str
    condition: n.Node
    text: str
    disabled: bool = False


@dataclass
class ForeignKey:
    id: int
    name: str
    columns: list[str]
    target: Table
    target_columns: list[str]


@dataclass(eq=False)
class Thing:
    """An object of a schema. `type_code` is that of sys.objects."""

    id: int
    schema: str
    schema_id: int
    name: str
    kind: str
    created: int = 0
    modified: int = 0
    owner: str = "dbo"

    @property
    def type_code(self) -> str:
        return {"table": "U", "view": "V", "function": "IF", "procedure": "P", "synonym": "SN", "policy": "SP", "system": "V"}[self.kind]


@dataclass(eq=False)
class Table(Thing):
    columns: list[Column] = field(default_factory=list)
    indexes: list[Index] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    temporal_type: int = 0
    history: Table | None = None
    period: tuple[str, str] | None = None
    memory_optimized: bool = False
    last_column_id: int = 0
    # (number of the commit, rows): the last is what is committed now.
    versions: list[tuple[int, list[tuple]]] = field(default_factory=lambda: [(0, [])])
    # What the transaction that writes has made of it.
    writer: Any = None
    # (rows, index id → keys): the keys of unique indexes in these very rows.
    keys: tuple[list, dict[int, set]] | None = None

    # Position of a column → (rows, their keys in order, the rows in that order).
    sorted: dict[int, tuple[list, list, list[tuple]]] = field(default_factory=dict)

    @property
    def rows(self) -> list[tuple]:
        return self.versions[-1][1]

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)

    def position(self, column_id: int) -> int:
        return next(i for i, c in enumerate(self.columns) if c.id == column_id)

    def version_at(self, commit: int) -> list[tuple]:
        for number, rows in reversed(self.versions):
            if number <= commit:
                return rows
        return []


@dataclass(eq=False)
class System(Thing):
    """A view of the catalog: `make` gives its rows."""

    columns: list[Column] = field(default_factory=list)
    make: Any = None


@dataclass(eq=False)
class Module(Thing):
    """A view, function or procedure."""

    text: str = ""
    query: n.Query | None = None
    column_names: list[str] | None = None
    columns: list[Column] = field(default_factory=list)
    parameters: list[tuple[str, n.TypeName]] = field(default_factory=list)
    body: list = field(default_factory=list)
    indexes: list[Index] = field(default_factory=list)


@dataclass(eq=False)
class Synonym(Thing):
    target: n.Parts = ()


@dataclass(eq=False)
class Policy(Thing):
    """`predicates`: (kind, function, arguments, table)."""

    predicates: list[tuple[str, n.Parts, list[n.Node], Table]] = field(default_factory=list)
    enabled: bool = True


@dataclass
class AliasType:
    id: int
    schema: str
    name: str
    base: SqlType
    nullable: bool = True
