"""@@TRANCOUNT and the transaction of a session."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from .transactions import Transaction
from .values import SqlError

if TYPE_CHECKING:
    from .sessions import Session


class SessionTransactions:
    """`depth` is @@TRANCOUNT; `current` the one transaction that all levels share."""

    def __init__(self, session: Session):
        self.session = session
        self.depth = 0
        self.current: Transaction | None = None
        self.name: str | None = None

    @property
    def id(self) -> int:
        return self.current.id if self.current is not None else 0

    @property
    def state(self) -> int:
        """XACT_STATE()"""
        return 0 if self.current is None else -1 if self.current.doomed else 1

    def begin(self, name: str | None = None) -> None:
        if self.current is None:
            self.current = Transaction(self.session.engine, self.session, self.session.isolation, True)
            self.name = name
        self.depth += 1

    def commit(self) -> None:
        if self.current is None:
            raise SqlError(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        if self.current.doomed:
            raise SqlError(3930, "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.")  # fmt: skip
        self.depth -= 1
        if self.depth == 0:
            ended, self.current = self.current, None
            ended.commit()

    def rollback(self, name: str | None = None) -> None:
        if self.current is None:
            raise SqlError(3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        if name and not (self.name or "").lower() == name.lower():
            if not self.current.restore(name):
                raise SqlError(6401, f"Cannot roll back {name}. No transaction or savepoint of that name was found.")
            return
        self.abandon()

    def save(self, name: str) -> None:
        if self.current is None:
            raise SqlError(628, "Cannot issue SAVE TRANSACTION when there is no active transaction.")
        self.current.save(name)

    def abandon(self) -> None:
        """Rolls back whatever there is."""
        ended, self.current, self.depth = self.current, None, 0
        if ended is not None:
            ended.rollback()

    @contextmanager
    def writing(self):
        """The transaction that a statement writes in: its own, where none has begun."""
        if self.current is not None:
            if self.current.doomed:
                raise SqlError(3930, "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.")  # fmt: skip
            mark = "\0statement"
            self.current.save(mark)
            depth = len(self.current.save_points)
            try:
                yield self.current
            except BaseException:
                if self.current is not None:
                    self.current.restore(mark)
                raise
            finally:
                if self.current is not None:
                    del self.current.save_points[depth - 1 :]
            return
        own = Transaction(self.session.engine, self.session, self.session.isolation, False)
        self.current = own
        try:
            yield own
        except BaseException:
            self.current = None
            own.rollback()
            raise
        self.current = None
        own.commit()
