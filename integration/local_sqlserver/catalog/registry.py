"""How views of the catalog are declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from .. import sqltypes as t
from ..scopes import Field
from ..tables import Column, System
from ..values import Collation

# What catalog views compare text by: https://learn.microsoft.com/sql/relational-databases/collations/contained-database-collations
_COLLATION = Collation("SQL_Latin1_General_CP1_CI_AS")
_SPEC = re.compile(r"(\w+) (\w+)(?:\((\w+)(?:,(\d+))?\))?( not null)?(?: since (\d+))?")


class View:
    """A view's columns, each with the version that brought it, and the function of its rows."""

    def __init__(self, schema: str, name: str, number: int, columns: str, make: Callable, since: int):
        self.schema, self.name, self.number, self.make, self.since = schema, name, number, make, since
        self.columns: list[tuple[Column, int]] = []
        for position, written in enumerate(c.strip() for c in columns.split(";") if c.strip()):
            match = _SPEC.fullmatch(written)
            assert match, written
            arguments = tuple(-1 if x == "max" else int(x) for x in match.group(3, 4) if x)
            type_ = t.make(match[2], arguments, _COLLATION, 1)
            self.columns.append((Column(position + 1, match[1], type_, not match[5]), int(match[6] or 0)))

    @lru_cache(maxsize=16)  # noqa: B019: views live as long as the process
    def at(self, version: int) -> System | None:
        if version < self.since:
            return None
        kept = [i for i, (_, since) in enumerate(self.columns) if since <= version]
        columns = [self.columns[i][0] for i in kept]
        made = System(-self.number, self.schema, 4, self.name, "system", columns=columns)
        if len(kept) == len(self.columns):
            made.make = lambda ctx: [tuple(row) for row in self.make(ctx)]
        else:
            made.make = lambda ctx: [tuple(row[i] for i in kept) for row in self.make(ctx)]
        return made


VIEWS: dict[tuple[str, str], View] = {}
_FUNCTIONS: dict[str, tuple[list[Field], Callable]] = {}


def view(schema: str, name: str, columns: str, since: int = 0):
    """Declares a view: `column type(length) [not null] [since version]; …`"""

    def add(make: Callable[..., Iterable[tuple]]):
        VIEWS[schema.lower(), name.lower()] = View(schema, name, len(VIEWS) + 1, columns, make, since)
        return make

    return add


def rows_function(name: str, columns: str):
    """Declares a function of sys that gives rows: (ctx, arguments…)."""

    def add(make: Callable[..., Iterable[tuple]]):
        spec = View("sys", name, 0, columns, make, 0)
        _FUNCTIONS[name.lower()] = [Field(c.name, c.type, c.nullable) for c, _ in spec.columns], make
        return make

    return add


def table_function(parts: tuple[str, ...]) -> tuple[list[Field], Callable] | None:
    if len(parts) == 2 and parts[0].lower() != "sys":
        return None
    return _FUNCTIONS.get(parts[-1].lower()) if len(parts) == 2 else None


def datetime_of(ticks: int) -> int:
    from ..moments import datetime_of_ticks

    return datetime_of_ticks(ticks)
