"""What a running statement sees: variables, rows of tables, the clock."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from .compile_seeks import Seek, sorted_rows
from .tables import Access, Table
from .transactions import Transaction
from .values import SqlError

if TYPE_CHECKING:
    from .sessions import Session

_CHUNK = 4096
_WORTH_SORTING = 2000
_DIRTY = {"NOLOCK", "READUNCOMMITTED"}
_KEPT = {"HOLDLOCK", "SERIALIZABLE", "REPEATABLEREAD"}
_EXCLUSIVE = {"TABLOCKX", "XLOCK", "UPDLOCK"}


class Context:
    """For one run of one statement."""

    def __init__(self, session: Session, variables: dict[str, Any]):
        self.session, self.engine, self.store, self.variables = session, session.engine, session.store, variables
        # While this lives, the versions that it may read are kept.
        with self.engine.lock:
            self.commits = self.engine.commits
            self.engine.contexts.add(self)
        self._clock: int | None = None

    def clock(self) -> int:
        """The same moment wherever a statement asks for it."""
        if self._clock is None:
            self._clock = self.engine.clock()
        return self._clock

    @staticmethod
    def once(kept: list, function) -> list:
        """The rows of a subquery that depends on nothing around it."""
        if not kept:
            kept.append(list(function()))
        return kept[0]

    def scan(self, access: Access, sample: tuple | None = None) -> Iterable[tuple]:
        """A table's rows as the isolation level and the hints show them."""
        table = access.table
        if table.kind == "system":
            return table.make(self)  # type: ignore[attr-defined]
        rows = self.visible(table, access.hints)
        if sample is not None:
            rows = _sampled(table, rows, *sample)
        return rows if len(rows) <= _CHUNK else self._in_chunks(rows)

    def seek(self, access: Access, seek: Seek) -> Iterable[tuple]:
        """The rows of a range of an index, in its order."""
        rows = self.visible(access.table, access.hints)
        if len(rows) < _WORTH_SORTING:
            return rows
        keys, ordered = sorted_rows(access.table, rows, seek.position)
        start = 0 if seek.low is None else bisect_left(keys, seek.low)
        stop = len(keys) if seek.high is None else bisect_right(keys, seek.high)
        return self._in_chunks(ordered[start:stop])

    def _in_chunks(self, rows: list[tuple]) -> Iterator[tuple]:
        def chunks() -> Iterator[list[tuple]]:
            for start in range(0, len(rows), _CHUNK):
                self.session.check_cancelled()
                yield rows[start : start + _CHUNK]

        return chain.from_iterable(chunks())

    def visible(self, table: Table, hints: frozenset[str] = frozenset()) -> list[tuple]:
        session = self.session
        transaction = session.transactions.current
        isolation = session.isolation if transaction is None else transaction.isolation_now(session)
        own = transaction.writes.get(table) if transaction is not None else None
        if table.name.startswith("#"):
            return own.latest if own else table.rows
        if table.memory_optimized:
            return self._memory_optimized(table, transaction, isolation, hints, own)
        if isolation == "SNAPSHOT" and not hints & {"READCOMMITTEDLOCK", "HOLDLOCK", "SERIALIZABLE", "REPEATABLEREAD"}:
            snapshot = self._snapshot(transaction)
            return own.view if own else table.version_at(snapshot)
        if own is not None:
            return own.latest
        if hints & _DIRTY or (isolation == "READ UNCOMMITTED" and not hints & (_KEPT | {"READCOMMITTED", "READCOMMITTEDLOCK"})):
            writer = table.writer
            return writer.latest if writer is not None else table.rows
        if hints & _EXCLUSIVE or hints & _KEPT or isolation in ("REPEATABLE READ", "SERIALIZABLE"):
            self._lock(table, transaction, "X" if hints & _EXCLUSIVE else "S", hints)
            return table.rows
        if self.store.rcsi and "READCOMMITTEDLOCK" not in hints and "TABLOCK" not in hints:
            return table.version_at(self.commits)
        if "READPAST" not in hints:
            self._lock(table, transaction, "R", hints)
        return table.rows

    def _snapshot(self, transaction: Transaction | None) -> int:
        if transaction is not None:
            return transaction.take_snapshot(self.store)
        if not self.store.snapshot_allowed and self.store.name not in ("master", "msdb", "tempdb"):
            own = Transaction(self.engine, self.session, "SNAPSHOT", False)
            try:
                own.take_snapshot(self.store)
            finally:
                own.rollback()
        return self.commits

    def _memory_optimized(self, table, transaction, isolation: str, hints, own) -> list[tuple]:
        """https://learn.microsoft.com/sql/relational-databases/in-memory-oltp/transactions-with-memory-optimized-tables"""
        if isolation == "SNAPSHOT":
            raise SqlError(41332, "Memory optimized tables and natively compiled modules cannot be accessed or created when the session TRANSACTION ISOLATION LEVEL is set to SNAPSHOT.")  # fmt: skip
        if transaction is not None and transaction.is_user and "SNAPSHOT" not in hints and isolation == "READ COMMITTED":
            raise SqlError(41368, "Accessing memory optimized tables using the READ COMMITTED isolation level is supported only for autocommit transactions. It is not supported for explicit or implicit transactions. Provide a supported isolation level for the memory optimized table using a table hint, such as WITH (SNAPSHOT).")  # fmt: skip
        if own is not None:
            return own.latest
        if transaction is not None and "SNAPSHOT" in hints:
            with self.engine.lock:
                if transaction.snapshot is None:
                    transaction.snapshot = self.engine.commits
            return table.version_at(transaction.snapshot)
        return table.rows

    def _lock(self, table: Table, transaction: Transaction | None, mode: str, hints: frozenset[str]) -> None:
        timeout = 0 if "NOWAIT" in hints else self.session.lock_timeout
        if transaction is not None:
            transaction.lock(table, mode, timeout)
            return
        own = Transaction(self.engine, self.session, "READ COMMITTED", False)
        try:
            own.lock(table, mode, timeout)
        finally:
            own.rollback()

    def as_of(self, access: Access, moment: int | None) -> Iterator[tuple]:
        """Rows of a temporal table at a moment, or of all times."""
        table = access.table
        if table.temporal_type != 2 or table.period is None or table.history is None:
            raise SqlError(13544, f"Temporal FOR SYSTEM_TIME clause can only be used with system-versioned tables. '{table.name}' is not a system-versioned table.")  # fmt: skip
        start, end = (next(i for i, c in enumerate(table.columns) if c.name.lower() == name.lower()) for name in table.period)
        for row in chain(self.visible(table), self.visible(table.history)):
            if moment is None or row[start] <= moment < row[end]:
                yield row


def _sampled(table: Table, rows: list[tuple], amount, percent: bool, seed) -> list[tuple]:
    """Whole pages by chance: https://learn.microsoft.com/sql/t-sql/queries/from-transact-sql, TABLESAMPLE"""
    size = sum(c.type.length if 0 < c.type.length <= 16 else 30 for c in table.columns) + 10
    page = max(8060 // size, 1)
    share = amount / 100 if percent else amount / max(len(rows), 1)
    chance = random.Random(seed)
    found: list[tuple] = []
    for start in range(0, len(rows), page):
        if chance.random() < float(share):
            found += rows[start : start + page]
    return found
