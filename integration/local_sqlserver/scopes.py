"""Which names stand for what within a query."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import nodes as n
from .code import IMPLICIT, Value
from .values import SqlError, SqlType


@dataclass(frozen=True, slots=True)
class Field:
    """A column that can be named."""

    name: str
    type: SqlType
    nullable: bool = True
    masked: bool = False
    hidden: bool = False
    rank: int = IMPLICIT


@dataclass(slots=True)
class Binding:
    """A source of rows: `row` is the variable that holds one."""

    alias: str
    qualifiers: tuple[str, ...]
    row: str
    fields: list[Field]
    index: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for position, column in enumerate(self.fields):
            self.index.setdefault(column.name.lower(), position)

    def value(self, position: int) -> Value:
        column = self.fields[position]
        return Value(f"{self.row}[{position}]", column.type, column.nullable, rank=column.rank, masked=column.masked)

    def is_called(self, qualifiers: tuple[str, ...]) -> bool:
        """Whether these names before a column's mean this source."""
        if len(qualifiers) == 1:
            return qualifiers[0].lower() == self.alias.lower()
        own = tuple(q.lower() for q in self.qualifiers)
        asked = tuple(q.lower() for q in qualifiers)
        return bool(own) and (own[-len(asked) :] == asked or (asked[-2:] == own[-2:] and len(asked) > 2))


class Scope:
    """The sources of a query, within those of the queries around it."""

    def __init__(self, parent: Scope | None = None, parameters: dict[str, Value] | None = None):
        self.parent, self.bindings = parent, []
        self.parameters = parameters if parameters is not None else (parent.parameters if parent else {})
        self.correlated = False
        # Of a query with groups: what stands for expressions now, by their canonical form.
        self.replaced: dict[object, Value] | None = None
        # Of a query with windows: the values of their calls.
        self.windows: dict[object, Value] = {}

    def add(self, binding: Binding) -> None:
        for other in self.bindings:
            if other.alias.lower() == binding.alias.lower() and other.alias and len(other.qualifiers) <= 1:
                raise SqlError(1011, f"The correlation name '{binding.alias}' is specified multiple times in a FROM clause.")
        self.bindings.append(binding)

    def find(self, parts: n.Parts) -> tuple[Binding, int] | None:
        qualifiers, name = parts[:-1], parts[-1].lower()
        found = None
        for binding in self.bindings:
            if qualifiers and not binding.is_called(qualifiers):
                continue
            position = binding.index.get(name)
            if position is None:
                if f"\0{name}" in binding.index:
                    raise SqlError(230, f"The SELECT permission was denied on the column '{parts[-1]}' of the object '{binding.alias}'.", 14)
                continue
            if found is not None:
                raise SqlError(209, f"Ambiguous column name '{parts[-1]}'.")
            found = binding, position
        return found

    def resolve(self, parts: n.Parts) -> Value:
        """The column of a name; 207 or 4104 where there is none."""
        scope: Scope | None = self
        crossed: list[Scope] = []
        while scope is not None:
            found = scope.find(parts)
            if found is not None:
                for inner in crossed:
                    inner.correlated = True
                if scope.replaced is not None:
                    key = (found[0].row, found[1])
                    if key not in scope.replaced:
                        raise ungrouped(parts)
                    return scope.replaced[key]
                return found[0].value(found[1])
            crossed.append(scope)
            scope = scope.parent
        if len(parts) > 1:
            if any(b.is_called(parts[:-1]) for s in crossed for b in s.bindings):
                raise SqlError(207, f"Invalid column name '{parts[-1]}'.")
            raise SqlError(4104, f'The multi-part identifier "{".".join(parts)}" could not be bound.')
        raise SqlError(207, f"Invalid column name '{parts[-1]}'.")

    def parameter(self, name: str) -> Value | None:
        return self.parameters.get(name.lower())


def ungrouped(parts: n.Parts) -> SqlError:
    return SqlError(
        8120,
        f"Column '{'.'.join(parts)}' is invalid in the select list because it is not contained in either an aggregate function"
        " or the GROUP BY clause.",
    )


def canonical(node: object, scope: Scope) -> object:
    """A form of an expression that is equal for equal ones: columns are what they stand for."""
    if isinstance(node, n.Name):
        inner: Scope | None = scope
        while inner is not None:
            found = inner.find(node.parts)
            if found:
                return (found[0].row, found[1])
            inner = inner.parent
        return ("name", tuple(p.lower() for p in node.parts))
    if isinstance(node, n.Call):
        return ("call", tuple(p.upper() for p in node.name), canonical(node.arguments, scope), node.distinct, node.star, canonical(node.over, scope))  # fmt: skip
    if isinstance(node, (list, tuple)):
        return tuple(canonical(item, scope) for item in node)
    fields = getattr(node, "__dataclass_fields__", None)
    if fields is None:
        return node
    if isinstance(node, n.Query):
        return ("query", id(node))
    return (type(node).__name__, *(canonical(getattr(node, name), scope) for name in fields))
