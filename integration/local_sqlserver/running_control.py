"""Flow, transactions, messages, procedures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from . import nodes as n
from . import sqltypes as t
from . import statements as s
from .procedures import PROCEDURES
from .running_data import Data
from .running_definitions import Definitions
from .values import Done, Info, SqlError

Results = Iterator[Any]
_WRITES = (s.Insert, s.Update, s.Delete, s.Truncate, s.CreateTable, s.AlterTable, s.Drop, s.CreateIndex, s.CreateModule)


class _Jumped(Exception):
    """BREAK, CONTINUE or RETURN on its way."""

    def __init__(self, word: str):
        self.word = word


class Control(Data, Definitions):
    """Statements that run others."""

    def block(self, body: list[s.Statement]) -> Results:
        """The whole batch."""
        try:
            yield from self.statements(body)
        except _Jumped:
            return

    def statements(self, body: list[s.Statement]) -> Results:
        for statement in body:
            yield from self.statement(statement)

    def statement(self, statement: s.Statement) -> Results:
        """Runs a statement. An error outside of TRY is given to the reader, and the batch goes on where SQL Server does."""
        from .batches import ends_batch, settle

        session = self.session
        session.check_cancelled()
        session.statement_id += 1
        simple = not isinstance(statement, (s.If, s.While, s.Block, s.Try, s.Jump, s.Execute, s.ExecuteText))
        if session.options["IMPLICIT_TRANSACTIONS"] and isinstance(statement, (*_WRITES, s.QueryStatement)):
            if session.transactions.current is None:
                session.transactions.begin()
        try:
            yield from getattr(self, f"_{type(statement).__name__.lower()}")(statement)
            if simple:
                session.last_error = 0
        except SqlError as error:
            if self.throwing:
                if session.transactions.current is not None and (ends_batch(session, error) or error.number in (1205, 3960)):
                    session.transactions.current.doomed = True
                raise
            settle(session, error)
            if ends_batch(session, error):
                raise
            yield error
            session.last_error = error.number

    def _block(self, statement: s.Block) -> Results:
        yield from self.statements(statement.body)

    def _if(self, statement: s.If) -> Results:
        if self.holds(statement.condition, statement):
            yield from self.statement(statement.then)
        elif statement.otherwise is not None:
            yield from self.statement(statement.otherwise)

    def _while(self, statement: s.While) -> Results:
        while self.holds(statement.condition, statement):
            self.session.check_cancelled()
            try:
                yield from self.statement(statement.body)
            except _Jumped as jump:
                if jump.word == "BREAK":
                    return
                if jump.word == "RETURN":
                    raise

    def _jump(self, statement: s.Jump) -> Results:
        raise _Jumped(statement.word)
        yield

    def _try(self, statement: s.Try) -> Results:
        self.throwing += 1
        try:
            # Rows are made while they are read: an error in the midst of them is met here only if they are kept.
            for result in self.statements(statement.body):
                if hasattr(result, "rows"):
                    result.rows = list(result.rows)
                    self.session.row_count = len(result.rows)
                yield result
        except SqlError as error:
            if error.severity >= 20:
                raise
            caught = error
        else:
            return
        finally:
            self.throwing -= 1
        kept, self.session.caught = self.session.caught, caught
        self.session.last_error = caught.number
        try:
            yield from self.statements(statement.handler)
        finally:
            self.session.caught = kept
        current = self.session.transactions.current
        if current is not None and current.doomed and not self.throwing:
            self.session.transactions.abandon()
            raise SqlError(3998, "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.")

    # Transactions

    def _transaction(self, statement: s.Transaction) -> Results:
        transactions = self.session.transactions
        name = statement.name
        if name and name.startswith("@"):
            name = str(self.evaluated(n.Variable(name)))
        if statement.action == "BEGIN":
            transactions.begin(name)
        elif statement.action == "COMMIT":
            transactions.commit()
        elif statement.action == "ROLLBACK":
            transactions.rollback(name)
        else:
            transactions.save(name or "")
        yield Done(None)

    # Messages

    def _print(self, statement: s.Print) -> Results:
        value = self.evaluated(statement.value, t.text(4000))
        yield Info(0, " " if value in (None, "") else str(value))

    def _raiseerror(self, statement: s.RaiseError) -> Results:
        values = [self.evaluated(node) for node in statement.arguments]
        number, text = (values[0], f"Error {values[0]}") if isinstance(values[0], int) else (50000, str(values[0]))
        severity = int(values[1]) if len(values) > 1 else 16  # type: ignore[call-overload]
        state = int(values[2]) if len(values) > 2 else 1  # type: ignore[call-overload]
        text = _formatted(text, values[3:])
        if severity <= 10:
            yield Info(number, text)
            return
        if severity > 18 and not self.session.privileges.on_server("ALTER TRACE"):
            raise SqlError(2754, "Error severity levels greater than 18 can only be specified by members of the sysadmin role, using the WITH LOG option.")  # fmt: skip
        error = SqlError(number, text, severity, abs(state))
        if self.throwing or severity >= 20:
            raise error
        self.session.last_error = number
        yield error

    def _throw(self, statement: s.Throw) -> Results:
        if not statement.arguments:
            if self.session.caught is None:
                raise SqlError(10704, "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW statement inside a CATCH block, or add error parameters to the THROW statement.", 15)  # fmt: skip
            error = self.session.caught
        else:
            number, text, state = (self.evaluated(node) for node in statement.arguments)
            error = SqlError(int(number), str(text), 16, int(state))  # type: ignore[call-overload]
        if self.throwing:
            raise error
        # THROW ends the batch whatever is set.
        if self.session.options["XACT_ABORT"]:
            self.session.transactions.abandon()
        self.session.last_error = error.number
        yield error
        raise _Jumped("RETURN")

    def _waitfor(self, statement: s.WaitFor) -> Results:
        value = str(self.evaluated(statement.value, t.text(40)))
        match = re.fullmatch(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,3}))?)?", value.strip())
        if match is None:
            raise SqlError(148, f"Incorrect time syntax in time string '{value}' used with WAITFOR.", 15)
        hours, minutes, seconds = (int(x or 0) for x in match.groups()[:3])
        self.session.wait(hours * 3600 + minutes * 60 + seconds + int((match[4] or "0").ljust(3, "0")) / 1000)
        yield Done(None)

    # Procedures

    def _executetext(self, statement: s.ExecuteText) -> Results:
        value = self.evaluated(statement.value, t.text(-1))
        yield from self.nested(str(value or ""), {}, {})

    def nested(self, text: str, types: dict, variables: dict) -> Results:
        """A batch within a batch: its variables are its own, its options last as long as it does."""
        from .batches import Batch, parsed
        from .running import Running

        session = self.session
        if session.nesting >= 32:
            raise SqlError(217, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).")
        inner = Running(Batch(session, text, ()))
        inner.types, inner.variables, inner.throwing = types, variables, self.throwing
        session.nesting += 1
        kept = dict(session.options), session.isolation
        try:
            yield from inner.block(parsed(text))
        finally:
            session.nesting -= 1
            session.options, session.isolation = kept

    def _execute(self, statement: s.Execute) -> Results:
        name = statement.parts[-1].lower()
        known = PROCEDURES.get(name)
        if known is not None:
            yield from known(self, statement)
            return
        found = self.session._find(statement.parts)
        if found is None or found.kind != "procedure":
            raise SqlError(2812, f"Could not find stored procedure '{'.'.join(statement.parts)}'.", 16, 62)
        self.session.privileges.check("EXECUTE", found)
        types, variables = {}, {}
        compiler = self.compiler()
        for (parameter, type_name), (_, value, _) in zip(found.parameters, statement.arguments, strict=False):  # type: ignore[attr-defined]
            types[parameter.lower()] = compiler.type(type_name)
            variables[parameter.lower()] = self.evaluated(value, types[parameter.lower()])
        from .running import Running

        inner = Running(self.batch)
        inner.types, inner.variables, inner.throwing = types, variables, self.throwing
        yield from inner.block(found.body)  # type: ignore[attr-defined]


def _formatted(text: str, values: list) -> str:
    """printf's %s, %d, %i, %u, %x: https://learn.microsoft.com/sql/t-sql/language-elements/raiserror-transact-sql"""
    given = iter(values)

    def one(match: re.Match) -> str:
        if match[0] == "%%":
            return "%"
        value = next(given, None)
        return "(null)" if value is None else format(value, "x") if match[0][-1] == "x" else str(value)

    return re.sub(r"%[-+0# ]*\d*(?:\.\d+)?(?:I64)?[sdiuxX]|%%", one, text)
