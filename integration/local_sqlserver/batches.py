"""Runs the statements of a batch, one after another, as far as its reader asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from . import statements as s
from . import sqltypes as t
from .parse_statements import Parser
from .running import Running
from .values import Column, Done, Info, Parameter, Rows, SqlError

if TYPE_CHECKING:
    from .sessions import Session


@lru_cache(maxsize=1000)
def parsed(text: str) -> list[s.Statement]:
    return Parser(text).batch()


# https://learn.microsoft.com/sql/t-sql/statements/set-xact-abort-transact-sql: without it, most errors end their statement
# only. These end the batch and the transaction whatever is set.
ENDS_BATCH = {241, 242, 244, 245, 248, 8114, 235, 1205, 3960, 3952, 3951, 596, 41332, 41368, 295, 8169, 9400, 40508}
_ENDS_TRANSACTION = {1205, 3960, 3951, 3952, 241, 242, 244, 245, 248, 8114, 235, 295, 8169}
# A name that is not found ends the batch, but not the transaction.
_ENDS_SCOPE = {207, 208, 209, 4104, 229, 230, 102, 156, 137, 195, 8120, 164}


class Batch:
    """The iterator that `Session.execute` gives: it goes on after the errors that SQL Server goes on after."""

    def __init__(self, session: Session, text: str, parameters: Sequence[Parameter]):
        self.session, self.text = session, text
        self.types: dict[str, t.SqlType] = {}
        self.variables: dict[str, object] = {}
        for parameter in parameters:
            self.types[parameter.name.lower()] = parameter.type
            self.variables[parameter.name.lower()] = parameter.value
        self.parameters = parameters
        self._steps: Iterator | None = None
        self._open: _Stream | None = None

    def __iter__(self) -> Batch:
        return self

    def describe(self) -> list[Column]:
        return Running(self).describe(parsed(self.text))

    def __next__(self) -> Rows | Done | Info:
        from .sessions import Cancelled

        session = self.session
        if self._open is not None:
            # Rows that nobody has read are read now: what comes next sees their effects.
            self._finish_rows()
        if self._steps is None:
            try:
                self._steps = Running(self).block(parsed(self.text))
            except SqlError as error:
                self._steps = iter(())
                session.last_error = error.number
                raise
            except RecursionError:
                self._steps = iter(())
                raise _too_deep() from None
        session.running = self.text
        try:
            result = next(self._steps)
        except Cancelled:
            self._steps = iter(())
            raise StopIteration from None
        except SqlError as error:
            # An error that no statement of the batch follows.
            self._steps = iter(())
            session.last_error = error.number
            raise
        except RecursionError:
            self._steps = iter(())
            raise _too_deep() from None
        except StopIteration:
            session.running = None
            for parameter in self.parameters:
                parameter.value = self.variables.get(parameter.name.lower())
            raise
        if isinstance(result, SqlError):
            raise result
        if isinstance(result, Rows):
            self._open = _Stream(self, result.rows)
            return Rows(result.columns, self._open)
        return result

    def _finish_rows(self) -> None:
        from .sessions import Cancelled

        stream, self._open = self._open, None
        try:
            stream.drain()  # type: ignore[union-attr]
        except Cancelled:
            self._steps = iter(())
        except SqlError as error:
            settle(self.session, error)
            if ends_batch(self.session, error):
                self._steps = iter(())
            raise
        if stream.failed is not None and ends_batch(self.session, stream.failed):  # type: ignore[union-attr]
            self._steps = iter(())

    def close(self) -> None:
        """Nothing more is wanted."""
        self._steps, self._open = iter(()), None


def _too_deep() -> SqlError:
    return SqlError(
        8631,
        "Internal error: Server stack limit has been reached. Please look for potentially deep nesting in your query, and try to"
        " simplify it.",
        17,
    )


class _Stream:
    """The rows of a result, counted, which an error may end midway. They are read once."""

    def __init__(self, batch: Batch, rows):
        self.batch, self.rows = batch, iter(rows)
        self.failed: SqlError | None = None

    def __iter__(self) -> Iterator[tuple]:
        from .sessions import Cancelled

        session, count = self.batch.session, 0
        try:
            for row in self.rows:
                count += 1
                yield row
            session.row_count = count
        except Cancelled:
            self.rows = iter(())
            self.batch.close()
        except SqlError as error:
            self.failed, self.rows = error, iter(())
            settle(session, error)
            raise

    def drain(self) -> None:
        """Reads what nobody has read. Its error is told by the one who asks for the next result."""
        if self.failed is None:
            count = sum(1 for _ in self.rows)
            if count:
                self.batch.session.row_count = count


def settle(session: Session, error: SqlError) -> None:
    """What an error does to the session's transaction."""
    session.last_error = error.number
    if error.number in _ENDS_TRANSACTION or error.severity >= 20 or (session.options["XACT_ABORT"] and error.severity > 10):
        session.transactions.abandon()


def ends_batch(session: Session, error: SqlError) -> bool:
    if error.number in ENDS_BATCH or error.number in _ENDS_SCOPE or error.severity >= 20:
        return True
    return bool(session.options["XACT_ABORT"])
