"""What DuckDB says of tables and views, remembered by database until a statement changes it.

DuckDB goes through every attached database for such a question, so that each would cost the more, the more databases there
are; and clients and COPY ask the same of a table again and again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from . import names, patches, results
from .engine import Answer

if TYPE_CHECKING:
    from .session import Session


class Object(NamedTuple):
    name: str
    # TABLE or VIEW
    kind: str
    comment: str | None


class Column(NamedTuple):
    name: str
    duck_type: str
    nullable: bool
    # As DuckDB writes it.
    default: str | None
    # What was noted of it (see ddl), as JSON.
    comment: str | None


class Constraint(NamedTuple):
    kind: str
    columns: list[str] | None
    text: str


# Schema, table, and what there is to know.
_OBJECTS = (
    "SELECT schema_name, NULL, table_name, 'TABLE', comment FROM duckdb_tables() WHERE database_name = $1"
    " UNION ALL SELECT schema_name, NULL, view_name, 'VIEW', comment FROM duckdb_views() WHERE database_name = $1 AND NOT internal"
)
_COLUMNS = (
    "SELECT schema_name, table_name, column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns()"
    " WHERE database_name = $1 AND schema_name != '_fs_information_schema' ORDER BY column_index"
)
_CONSTRAINTS = (
    "SELECT schema_name, table_name, constraint_type, constraint_column_names, constraint_text FROM duckdb_constraints()"
    " WHERE database_name = $1 AND schema_name != '_fs_information_schema' ORDER BY constraint_index"
)


class Catalog:
    """Of one account. Asks by a connection of its own: that of a transaction may not see what others have changed since."""

    def __init__(self, connect: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._duck: duckdb.DuckDBPyConnection | None = None
        self._counting = threading.Lock()
        self._changes: dict[str | None, int] = {}
        self._known: dict[tuple[str, str], tuple[int, dict[tuple[str, str | None], list[Any]]]] = {}

    def changed(self, *databases: str | None) -> None:
        """To be called when a statement has changed them, or may have."""
        with self._counting:
            # None: any database.
            for one in [*self._changes] if None in databases else databases:
                self._changes[one] = self._changes.get(one, 0) + 1

    @contextlib.contextmanager
    def changing(self, *databases: str | None) -> Iterator[None]:
        try:
            yield
        finally:
            self.changed(*databases)

    def objects(self, database: str, schema: str) -> list[Object]:
        return self._find(_OBJECTS, Object, database, schema, None)

    def columns(self, database: str, schema: str, table: str) -> list[Column]:
        """Those of a table or view, in their order; none if it does not exist."""
        return self._find(_COLUMNS, Column, database, schema, table)

    def constraints(self, database: str, schema: str, table: str) -> list[Constraint]:
        return self._find(_CONSTRAINTS, Constraint, database, schema, table)

    def checks(self, database: str, schema: str, table: str) -> list[str]:
        """The table's CHECK constraints, as DuckDB writes them."""
        return [constraint.text for constraint in self.constraints(database, schema, table) if constraint.kind == "CHECK"]

    def primary_key(self, database: str, schema: str, table: str) -> list[str]:
        found = (c.columns or [] for c in self.constraints(database, schema, table) if c.kind == "PRIMARY KEY")
        return next(found, [])

    def _find(self, query: str, make: Callable[..., Any], database: str, schema: str, table: str | None) -> list[Any]:
        with self._lock:
            # Before it is asked: what changes meanwhile is asked for again.
            with self._counting:
                changes = self._changes.setdefault(database, 0)
            known = self._known.get((query, database))
            if known is None or known[0] != changes:
                if self._duck is None:
                    self._duck = self._connect()
                found: dict[tuple[str, str | None], list[Any]] = {}
                for of_schema, of_table, *facts in self._duck.execute(query, [database]).fetchall():
                    found.setdefault((of_schema, of_table), []).append(make(*facts))
                known = self._known[(query, database)] = (changes, found)
        return known[1].get((schema, table), [])


def exists(duck: duckdb.DuckDBPyConnection, database: str, schema: str, table: str) -> bool:
    """Whether there is a table or view of this very name. Not for a connection in a transaction, which it could end."""
    try:
        duck.execute(f"SELECT 1 FROM {names.quote(database)}.{names.quote(schema)}.{names.quote(table)} LIMIT 0")
    except duckdb.CatalogException as error:
        if f"Table with name {table} does not exist" in str(error):
            return False
    except duckdb.Error:
        pass
    # DuckDB takes a name in any case of its letters, and finds no view that lacks what it is about.
    sql = (
        "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
        " UNION ALL SELECT 1 FROM duckdb_views() WHERE database_name = ? AND schema_name = ? AND view_name = ?"
    )
    return duck.execute(sql, [database, schema, table] * 2).fetchone() is not None


def describe(session: Session, database: str, schema: str, table: str) -> Answer:
    """DESCRIBE TABLE or VIEW, in Snowflake's columns."""
    duck, catalog = session.conn._duck_conn, session.account.catalog
    columns = catalog.columns(database, schema, table)
    if not columns:
        # Says that there is none.
        duck.execute(f"DESCRIBE {names.quote(database)}.{names.quote(schema)}.{names.quote(table)}")
    keys = catalog.primary_key(database, schema, table)
    facts = [[column[fact] for column in columns] for fact in range(len(Column._fields))]
    duck.execute(patches.DESCRIBE, [*facts, [column.name in keys for column in columns]])
    rowtype = results.describe(duck.description or [])
    return Answer(duck.to_arrow_table(), rowtype)
