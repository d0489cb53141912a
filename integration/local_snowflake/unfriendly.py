"""What Snowflake's documentation allows and nobody hopes for. Each is a switch of the server; see `__main__`.

late visibility    A session that is open already may not see at once what another session has committed to a standard
                   table (documentation of transactions, "Read consistency across sessions"). Here a session keeps a
                   snapshot of standard tables from the end of each of its statements, and what it sends within so many
                   seconds, queries and DML, sees that one. What it commits itself renews it. Hybrid tables, DDL, SHOW and
                   DESCRIBE are always up to date; a table that is too new is not there (002003). A transaction sees the
                   first standard database that it writes late, others not.
no re-check        Nothing says that the WHERE of an UPDATE that waited for a row's lock is looked at again when it has the
                   lock. Here an UPDATE of a hybrid table that had to wait changes the rows, by primary key, and to the
                   values that it found when it came. Not done: DELETE and MERGE, tables without a primary key, and the second
                   UPDATE of a transaction in the same database, which never waits here but fails at once. The stand-in
                   locks whole tables against statements outside of transactions, so that more of them wait than would.
unknown codes      The codes of lock timeouts of hybrid tables, of deadlocks and of throttling are documented nowhere. Here
                   they are codes that nobody can know (392…, where the documentation has errors of hybrid tables that come
                   when a statement runs), with texts without any of the words that one would look for; each
                   fortieth statement on a hybrid table is refused as throttled, before any effect.
remembered COPYs   That a rolled back COPY leaves no load metadata behind is said nowhere. Here its files count as loaded
                   until the table is dropped, replaced or truncated, or the server ends; FORCE = TRUE loads them again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb
from fakesnow.dialect import parse
from sqlglot import Expr, exp

from . import names
from .engine import Answer, Cursor, Plan
from .errors import SnowflakeError

if TYPE_CHECKING:
    from fakesnow.conn import FakeSnowflakeConnection

    from .account import Account

THROTTLED_EACH = 40


def lock_timeout() -> SnowflakeError:
    return SnowflakeError("392998", "The record is in use elsewhere (KV-17).", "58005")


def throttled() -> SnowflakeError:
    return SnowflakeError("392999", "The storage below did not take the operation (KV-4).", "58005")


class LateView:
    """Of one session: its snapshot of standard tables."""

    def __init__(self, account: Account, seconds: float) -> None:
        self._account, self._seconds = account, seconds
        self._conn: FakeSnowflakeConnection | None = None
        self._since = 0.0
        self._databases: set[str] = set()

    def remember(self) -> None:
        """At the end of a statement, unless an earlier snapshot still counts."""
        if self._current():
            return
        conn = self._account.connection()
        try:
            conn._duck_conn.begin()
            databases = set(self._account.database_names())
            for database in databases:
                conn._duck_conn.execute(f"SELECT COUNT(*) FROM {database}._fs_information_schema._transaction_marks").fetchall()
        except duckdb.Error:
            # A database is being dropped.
            conn._duck_conn.close()
            return
        self._conn, self._since, self._databases = conn, time.monotonic(), databases

    def _current(self) -> bool:
        if self._conn is not None and time.monotonic() - self._since > self._seconds:
            self.forget()
        return self._conn is not None

    def take(self, database: str) -> FakeSnowflakeConnection | None:
        """The snapshot, for somebody who writes with it and ends it."""
        if not self._current() or database not in self._databases:
            return None
        conn, self._conn = self._conn, None
        return conn

    def look(self, databases: set[str]) -> FakeSnowflakeConnection | None:
        """The snapshot, for a query."""
        return self._conn if self._current() and databases <= self._databases else None

    def forget(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(duckdb.Error):
                conn._duck_conn.rollback()
            conn._duck_conn.close()


class Unchecked:
    """An UPDATE that, once it had to wait, changes what it found when it came."""

    def __init__(
        self,
        update: exp.Update,
        params: list | None,
        key: tuple[str, str, str],
        work: Callable[[FakeSnowflakeConnection], Answer],
    ) -> None:
        self._update, self._params, self._key, self._work = update, params, key, work
        self._found: Any = None
        self._plan: Plan | None = None

    def waits(self, conn: FakeSnowflakeConnection) -> None:
        """It has to wait: what it changes is settled now."""
        if self._plan is not None:
            return
        database, schema, table = self._key
        keys = conn.local_account.catalog.primary_key(*self._key)
        if not keys:
            return
        target = self._update.this
        alias = names.quote(target.alias) if target.alias else target.sql(dialect="snowflake")
        assignments = [(a.this.this, a.expression) for a in self._update.expressions]
        cells = [f"{alias}.{names.quote(key)} AS K{i}" for i, key in enumerate(keys)]
        cells += [f"{value.sql(dialect='snowflake')} AS V{i}" for i, (_, value) in enumerate(assignments)]
        source = self._update.args.get("from_") or self._update.args.get("from")
        tables = [target.sql(dialect="snowflake"), *([source.this.sql(dialect="snowflake")] if source else [])]
        where = self._update.args.get("where")
        query = f"SELECT {', '.join(cells)} FROM {', '.join(tables)} {where.sql(dialect='snowflake') if where else ''}"
        self._found = Cursor(conn).run(parse(query)[0], self._params).table
        setting = [f"{_column(name)} = found.V{i}" for i, (name, _) in enumerate(assignments)]
        same = [f"t.{names.quote(key)} = found.K{i}" for i, key in enumerate(keys)]
        full = f"{database}.{schema}.{names.quote(table)}"
        self._plan = Plan(f"UPDATE {full} t SET {', '.join(setting)} FROM found_rows found WHERE {' AND '.join(same)}", "updated")

    def __call__(self, conn: FakeSnowflakeConnection) -> Answer:
        if self._plan is None:
            return self._work(conn)
        conn._duck_conn.register("found_rows", self._found)
        try:
            return self._plan.run(conn._duck_conn)
        finally:
            # Refused in a transaction that has just ended.
            with contextlib.suppress(duckdb.Error):
                conn._duck_conn.unregister("found_rows")


def _column(name: Expr) -> str:
    return names.quote(name.this if name.quoted else name.this.upper())
