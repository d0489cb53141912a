"""Transactions: versions of tables, locks, snapshots.

What locks are on here is a whole table: writers of one table wait for each other, and readers without row versions for
writers. https://learn.microsoft.com/sql/t-sql/statements/set-transaction-isolation-level-transact-sql
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .tables import Table
from .values import SqlError

if TYPE_CHECKING:
    from .engine import Engine


class Write:
    """What a transaction has made of a table: on what is committed now, and on what its snapshot shows."""

    def __init__(self, latest: list[tuple], view: list[tuple]):
        self.latest, self.view = latest, view

    def copy(self) -> Write:
        return Write(self.latest, self.view)


class Transaction:
    """One transaction, from its first statement on. `snapshot`: the commit that SNAPSHOT isolation shows it."""

    def __init__(self, engine: Engine, session, isolation: str, user: bool):
        self.engine, self.session, self.isolation, self.is_user = engine, session, isolation, user
        self.snapshot: int | None = None
        self.writes: dict[Table, Write] = {}
        self.locks: dict[Table, str] = {}
        self.undo: list = []
        self.save_points: list[tuple[str, dict[Table, Write], int]] = []
        self.first_row_version: dict[int, int] = {}
        self.databases: set[int] = set()
        self.waits_for: Table | None = None
        self.victim = self.doomed = False
        self.began = engine.clock()
        self.id = engine.begin(self)

    def isolation_now(self, session) -> str:
        """The level of the session: changed to SNAPSHOT within a transaction that has not begun so, it is error 3951."""
        if session.isolation == "SNAPSHOT" and self.isolation != "SNAPSHOT" and self.is_user:
            raise SqlError(
                3951,
                f"Transaction failed in database '{session.database}' because the statement was run under snapshot isolation but the"
                " transaction did not start in snapshot isolation. You cannot change the isolation level of the transaction to snapshot"
                " after the transaction has started unless the transaction was originally started under snapshot isolation level.",
            )
        return session.isolation

    # Locks

    def lock(self, table: Table, mode: str, timeout: int) -> None:
        """Waits for a table: S to read it, X to write it, R to see that nobody else writes. Errors 1222 and 1205."""
        held = self.locks.get(table)
        if held == "X" or held == mode:
            return
        until = None if timeout < 0 else time.monotonic() + timeout / 1000
        with self.engine.lock:
            while self._blockers(table, mode):
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise SqlError(1222, "Lock request time out period exceeded.", 16, 51)
                self.waits_for, self.waiting_mode = table, mode
                self._break_deadlock(table, mode)
                try:
                    if not self.victim:
                        # Woken at times, too, to see whether somebody has cancelled the statement.
                        self.engine.lock.wait(0.5 if left is None else min(left, 0.5))
                finally:
                    self.waits_for = None
                if self.victim:
                    self.victim = False
                    raise SqlError(
                        1205,
                        f"Transaction (Process ID {self.session.spid}) was deadlocked on lock resources with another process and has"
                        " been chosen as the deadlock victim. Rerun the transaction.",
                        13,
                        51,
                    )
                self.session.check_cancelled()
            if mode != "R":
                self.locks[table] = mode
                self.engine.locked.setdefault(table, set()).add(self)

    def _blockers(self, table: Table, mode: str) -> list[Transaction]:
        others = [tx for tx in self.engine.locked.get(table, ()) if tx is not self]
        return others if mode == "X" else [tx for tx in others if tx.locks[table] == "X"]

    def _break_deadlock(self, table: Table, mode: str) -> None:
        path, found = [self], self._cycle(self, set())
        if found:
            path = found
            victim = min(path, key=lambda tx: (tx.session.deadlock_priority, tx is not self))
            victim.victim = True
            self.engine.lock.notify_all()

    def _cycle(self, start: Transaction, seen: set) -> list[Transaction] | None:
        if self.waits_for is None:
            return None
        for other in self._blockers(self.waits_for, self.waiting_mode):
            if other is start:
                return [self]
            if other not in seen:
                seen.add(other)
                rest = other._cycle(start, seen)
                if rest is not None:
                    return [self, *rest]
        return None

    # Reading

    def take_snapshot(self, store) -> int:
        if not store.snapshot_allowed and store.name not in ("master", "msdb", "tempdb"):
            raise SqlError(
                3952,
                f"Snapshot isolation transaction failed accessing database '{store.name}' because snapshot isolation is not allowed"
                " in this database. Use ALTER DATABASE to allow snapshot isolation.",
            )
        if self.snapshot is None:
            with self.engine.lock:
                self.snapshot = self.engine.commits
        return self.snapshot

    # Writing

    def write(self, table: Table, store, timeout: int) -> Write:
        """The table's state in this transaction, which nobody else changes until it ends."""
        self.databases.add(store.id)
        if table in self.writes:
            return self.writes[table]
        snapshot = self.take_snapshot(store) if self.isolation == "SNAPSHOT" else None
        self.lock(table, "X", timeout)
        latest = table.rows
        view = table.version_at(snapshot) if snapshot is not None else latest
        made = self.writes[table] = table.writer = Write(latest, view)
        return made

    def change(self, table: Table, replaced: dict[int, tuple | None], added: Iterable[tuple] = ()) -> None:
        """Rows, by the id of the tuple, give way to others or to none; others come."""
        made = self.writes[table]
        added = list(added)
        if replaced and made.view is not made.latest:
            present = {id(row) for row in made.latest}
            if any(key not in present for key in replaced):
                raise SqlError(
                    3960,
                    f"Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table"
                    f" '{table.schema}.{table.name}' directly or indirectly in database '{self.session.database}' to update, delete, or"
                    " insert the row that has been modified or deleted by another transaction. Retry the transaction or change the"
                    " isolation level for the update/delete statement.",
                )
        same = made.view is made.latest
        made.latest = _changed(made.latest, replaced, added)
        made.view = made.latest if same else _changed(made.view, replaced, added)

    def save(self, name: str) -> None:
        self.save_points.append((name.lower(), {k: w.copy() for k, w in self.writes.items()}, len(self.undo)))

    def restore(self, name: str) -> bool:
        """Back to a save point; whether there is one of that name."""
        for index in reversed(range(len(self.save_points))):
            if self.save_points[index][0] == name.lower():
                _, kept, undone = self.save_points[index]
                self._undo(undone)
                for table, made in self.writes.items():
                    old = kept.get(table)
                    base = table.rows if self.snapshot is None else table.version_at(self.snapshot)
                    made.latest, made.view = (old.latest, old.view) if old else (table.rows, base)
                del self.save_points[index + 1 :]
                return True
        return False

    def _undo(self, count: int) -> None:
        while len(self.undo) > count:
            self.undo.pop()()

    # The end

    def commit(self) -> None:
        with self.engine.lock:
            if self.writes:
                self.engine.commits += 1
                for table, made in self.writes.items():
                    table.versions.append((self.engine.commits, made.latest))
                    self.engine.prune(table)
            self._end()

    def rollback(self) -> None:
        with self.engine.lock:
            self._undo(0)
            self._end()

    def _end(self) -> None:
        for table, made in self.writes.items():
            if table.writer is made:
                table.writer = None
        for table in self.locks:
            self.engine.locked.get(table, set()).discard(self)
        self.writes, self.locks = {}, {}
        self.engine.transactions.pop(self.id, None)
        self.engine.lock.notify_all()


def _changed(rows: list[tuple], replaced: dict[int, tuple | None], added: list[tuple]) -> list[tuple]:
    if replaced:
        rows = [new for row in rows if (new := replaced.get(id(row), row)) is not None]
    return rows + added if added else rows
