"""How a session writes: waiting for locks, transactions, and what an unfriendly server makes of them."""

from __future__ import annotations

import contextlib
import random
import time
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from . import unfriendly
from .engine import Answer
from .errors import Conflict, SnowflakeError, is_conflict, locked, translate
from .transactions import Transaction

if TYPE_CHECKING:
    from fakesnow.conn import FakeSnowflakeConnection


class Writing:
    """The part of a session (see there) that writes."""

    def _write(
        self, table: exp.Table | None, work: Any, statement: tuple[str, Any], query_id: str, changes_rows: bool,
        update: tuple[exp.Update, list | None] | None = None,
    ) -> Answer:
        database = (table.catalog if table is not None else "") or self.database
        if database is None or (not (table is not None and table.db) and self.schema is None):
            raise SnowflakeError(
                "090105", "Cannot perform operation. This session does not have a current database. Call 'USE DATABASE',"
                " or use a qualified name.", "22000",
            )  # fmt: skip
        if not self.account.has_database(database):
            raise translate(duckdb.CatalogException(f"Table with name {table.sql()} does not exist"))
        if not self.transaction and not self.flag("AUTOCOMMIT", True):
            self.transaction = Transaction(self.account)
        key = self._key(table)
        shown = key[2]
        is_hybrid = self._is_unfriendly and self.account.is_hybrid(key)
        if is_hybrid:
            self._throttle()
        if is_hybrid and update is not None and self.server.options.no_recheck:
            work = unfriendly.Unchecked(*update, key, work)
        late = self.late if self.late and not is_hybrid else None
        if not self.transaction:
            if changes_rows:
                return self._retry(lambda: self._in_turn(key, work, late), key, query_id, work)
            return self._retry(lambda: self._autocommit(work, late and late.take(database)), key, query_id, work)
        self.transaction.last_used = time.monotonic()
        if database in self.transaction.participants:
            participant = self.transaction.participants[database]
            try:
                answer = self._in(participant.conn, work)
            except Exception as error:
                self._check_alive(participant.conn)
                if is_conflict(error):
                    raise self._locked(key, query_id) from error
                raise
        else:
            # Nothing was done in this database yet: its snapshot may move while we wait for a lock.
            answer = self._retry(lambda: self._first_write(database, work, late), key, query_id, work)
            participant = self.transaction.participants[database]
        participant.done.append((*statement, self.database, self.schema))
        return answer

    def _in(self, conn: FakeSnowflakeConnection, work: Any) -> Answer:
        self._use(conn)
        return work(conn)

    @property
    def _is_unfriendly(self) -> bool:
        options = self.server.options
        return bool(options.late_visibility or options.no_recheck or options.unknown_lock_codes)

    def _locked(self, key: tuple[str, str, str], query_id: str) -> SnowflakeError:
        if self.server.options.unknown_lock_codes and self.account.is_hybrid(key):
            return unfriendly.lock_timeout()
        return locked(key[2], query_id, self.transaction.id if self.transaction else time.time_ns())

    def _first_write(self, database: str, work: Any, late: unfriendly.LateView | None) -> Answer:
        participant = self.transaction.join(database, late and late.take(database))
        try:
            return self._in(participant.conn, work)
        except BaseException:
            self.transaction.leave(database)
            raise

    def _in_turn(self, key: tuple[str, str, str], work: Any, late: unfriendly.LateView | None) -> Answer:
        """One at a time per table, so that concurrent claims queue instead of colliding."""
        lock = self.account.table_lock(key)
        if not lock.acquire(blocking=False):
            self._waits(work)
            lock.acquire()
        try:
            return self._autocommit(work, late and late.take(key[0]))
        finally:
            lock.release()

    def _waits(self, work: Any) -> None:
        if isinstance(work, unfriendly.Unchecked):
            self._use(self.conn)
            work.waits(self.conn)

    def _autocommit(self, work: Any, snapshot: FakeSnowflakeConnection | None = None) -> Answer:
        """In a transaction of its own, because some statements are several; `snapshot` has begun one."""
        conn = snapshot or self.conn
        self._use(conn)
        duck = conn._duck_conn
        if snapshot is None:
            duck.begin()
        try:
            answer = work(conn)
            duck.commit()
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                duck.rollback()
            raise
        finally:
            if snapshot is not None:
                duck.close()
            if self.late:
                self.late.forget()
        return answer

    def _retry(self, work: Any, table: tuple[str, str, str], query_id: str, waiting: Any = None) -> Answer:
        """DuckDB fails at once where Snowflake waits for the other transaction's lock."""
        patience = self.account.lock_wait
        for name in ("LOCK_TIMEOUT", "HYBRID_TABLE_LOCK_TIMEOUT"):
            patience = min(patience, float(self.parameter(name, patience)))
        deadline, pause = time.monotonic() + patience, 0.002
        while True:
            try:
                return work()
            except (duckdb.Error, Conflict) as error:
                if not is_conflict(error):
                    raise
                if time.monotonic() >= deadline:
                    raise self._locked(table, query_id) from error
            self._waits(waiting)
            if self.cancelled:
                raise SnowflakeError("000604", "SQL execution canceled", "57014")
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 0.1)

    def begin(self) -> None:
        if not self.transaction:
            self.transaction = Transaction(self.account)

    def commit(self) -> None:
        if transaction := self.transaction:
            self.transaction = None
            if transaction.aborted:
                raise SnowflakeError("000628", "The transaction was aborted by an error and has been rolled back.", "25000")
            try:
                transaction.commit(self.server.replay)
            finally:
                if self.late:
                    self.late.forget()
