"""A session: its database, options, variables, transaction, and the batches that it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .batches import Batch
from .privileges import Privileges
from .session_objects import SessionObjects
from .session_transactions import SessionTransactions
from .values import Column, DatabaseChanged, Done, Info, Parameter, Rows, SqlError

if TYPE_CHECKING:
    from .engine import Engine
    from .store import Store

_OPTIONS = {
    "LANGUAGE": "us_english", "DATEFORMAT": "mdy", "DATEFIRST": 7, "ROWCOUNT": 0, "TEXTSIZE": 2147483647, "LOCK_TIMEOUT": -1,
    "DEADLOCK_PRIORITY": 0, "NOCOUNT": False, "QUOTED_IDENTIFIER": True, "ANSI_NULLS": True, "ANSI_PADDING": True,
    "ANSI_WARNINGS": True, "CONCAT_NULL_YIELDS_NULL": True, "ARITHABORT": True, "NUMERIC_ROUNDABORT": False, "XACT_ABORT": False,
    "IMPLICIT_TRANSACTIONS": False, "ANSI_NULL_DFLT_ON": True,
    "FMTONLY": False, "NOEXEC": False,
}  # fmt: skip
# https://learn.microsoft.com/sql/database-engine/configure-windows/configure-the-user-options-server-configuration-option
_BITS = {
    "IMPLICIT_TRANSACTIONS": 2, "ANSI_WARNINGS": 8, "ANSI_PADDING": 16, "ANSI_NULLS": 32, "ARITHABORT": 64,
    "QUOTED_IDENTIFIER": 256, "NOCOUNT": 512, "ANSI_NULL_DFLT_ON": 1024, "CONCAT_NULL_YIELDS_NULL": 4096,
    "NUMERIC_ROUNDABORT": 8192, "XACT_ABORT": 16384,
}  # fmt: skip
_PRIORITIES = {"LOW": -5, "NORMAL": 0, "HIGH": 5}


class Cancelled(Exception):
    """The running statement has been cancelled."""


class Session(SessionObjects):
    """What `Engine.session` gives. One thread runs its batches; `cancel` comes from another."""

    def __init__(self, engine: Engine, spid: int, login: str, store: Store, application: str, host: str, encrypted: bool, read_only: bool):  # fmt: skip
        self.engine, self.spid, self.login, self.store = engine, spid, login, store
        self.application, self.host, self.encrypted, self.read_only = application, host, encrypted, read_only
        self.options: dict = dict(_OPTIONS)
        self.isolation = "READ COMMITTED"
        self.row_count, self.last_error, self.nesting, self.statement_id = 0, 0, 0, 0
        self.identity: int | None = None
        self.identity_insert: object = None
        self.caught: SqlError | None = None
        self.temporary: dict = {}
        self.transactions = SessionTransactions(self)
        self.logged_in = engine.clock()
        self.running: str | None = None
        self._cancelled, self._killed = threading.Event(), False
        self._enter(store)

    def _enter(self, store: Store) -> None:
        user = self.engine.user_of(self.login, store)
        if user is None:
            raise SqlError(916, f'The server principal "{self.login}" is not able to access the database "{store.name}" under the current security context.', 14)  # fmt: skip
        self.store, self.user = store, user
        self.default_schema = "dbo"
        self.privileges = Privileges(self.engine, store, user, self.login)

    @property
    def database(self) -> str:
        return self.store.name

    @property
    def option_bits(self) -> int:
        return sum(bit for name, bit in _BITS.items() if self.options[name])

    @property
    def deadlock_priority(self) -> int:
        held = self.options["DEADLOCK_PRIORITY"]
        return held if isinstance(held, int) else _PRIORITIES.get(str(held).upper(), 0)

    @property
    def lock_timeout(self) -> int:
        return self.options["LOCK_TIMEOUT"]

    def use(self, name: str) -> None:
        if self.engine.azure and name.lower() != self.database.lower():
            raise SqlError(40508, "USE statement is not supported to switch between databases. Use a new connection to connect to a different database.")  # fmt: skip
        store = self.engine.databases.get(name.lower())
        if store is None:
            raise SqlError(911, f"Database '{name}' does not exist. Make sure that the name is entered correctly.")
        self._enter(store)

    @contextmanager
    def within_schema(self, schema: str):
        kept, self.default_schema = self.default_schema, schema
        try:
            yield
        finally:
            self.default_schema = kept

    # Batches

    def execute(self, batch: str, parameters: Sequence[Parameter] = ()) -> Iterator[Rows | Done | Info | DatabaseChanged]:
        """The results of a batch, one after another. An error is raised where it happens; results may follow it."""
        self._check_alive()
        self._cancelled.clear()
        return Batch(self, batch, parameters)

    def describe(self, batch: str, parameters: Sequence[Parameter] = ()) -> list[Column]:
        """The columns of the first result set, without running anything; an empty list where there is none."""
        self._check_alive()
        return Batch(self, batch, parameters).describe()

    # Requests of the transaction manager

    @property
    def transaction_id(self) -> int:
        return self.transactions.id

    def begin(self, isolation: str | None = None) -> None:
        self._check_alive()
        if isolation is not None:
            self.isolation = isolation
        self.transactions.begin()

    def commit(self) -> None:
        self.transactions.commit()

    def rollback(self, save_point: str | None = None) -> None:
        self.transactions.rollback(save_point)

    # The end

    def cancel(self) -> None:
        """The running statement ends soon, with no error."""
        self._cancelled.set()
        with self.engine.lock:
            self.engine.lock.notify_all()

    def kill(self) -> None:
        self._killed = True
        self.cancel()
        if self.running is None:
            self.transactions.abandon()

    def check_cancelled(self) -> None:
        if self._cancelled.is_set():
            if self._killed:
                raise SqlError(596, "Cannot continue the execution because the session is in the kill state.", 21)
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """WAITFOR: ends early where the statement is cancelled."""
        self._cancelled.wait(seconds)
        self.check_cancelled()

    def _check_alive(self) -> None:
        if self._killed:
            raise SqlError(596, "Cannot continue the execution because the session is in the kill state.", 21)

    def reset(self) -> None:
        """sp_reset_connection: options, temporary tables and the transaction are as after the login."""
        self.transactions.abandon()
        self.options, self.isolation, self.temporary, self.identity_insert = dict(_OPTIONS), "READ COMMITTED", {}, None

    def close(self) -> None:
        self.transactions.abandon()
        with self.engine.lock:
            self.engine.sessions.pop(self.spid, None)
