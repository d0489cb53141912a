"""The statements of T-SQL at work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import nodes as n
from . import statements as s
from .compile_queries import Queries
from .context import Context
from .conversions import converter
from .running_control import Control
from .scopes import Scope
from .values import Column, DatabaseChanged, Done, Info, Rows, SqlError, SqlType

if TYPE_CHECKING:
    from .batches import Batch

Results = Iterator[Any]


class Running(Control):
    """One run of a batch. Results come as generators; an error that the batch outlives is given as a result."""

    def __init__(self, batch: Batch):
        self.batch, self.session = batch, batch.session
        self.types, self.variables = batch.types, batch.variables
        self.engine = self.session.engine
        self.throwing = 0
        self.given = frozenset(batch.types)
        self.declared: dict[str, s.Declare] = {}

    # Compiling

    def key(self, *more: object) -> tuple:
        session = self.session
        return (session.store, session.store.version, session.user, session.default_schema, tuple(sorted(self.types.items(), key=lambda x: x[0])), *more)  # fmt: skip

    def compiled(self, statement: s.Statement, make, *more: object):
        """What `make` gives, kept for the same session's database, user and variables."""
        key = self.key(*more)
        found = statement.compiled.get(key)
        if found is None:
            if len(statement.compiled) > 20:
                statement.compiled.clear()
            found = make()
            if not any(name.startswith("#") for name in self.session.temporary):
                statement.compiled[key] = found
        return found

    def compiler(self) -> Queries:
        return Queries(self.session, self.types)

    def compile_query(self, query: n.Query):
        compiler = self.compiler()
        name, lines, fields, _ = compiler.query_function(query, None)
        compiler.code.place(lines)
        compiler.code.line(f"return {compiler.shown(name, fields)}()")
        return compiler.code.function(compiler.code.lines), fields

    def evaluated(self, node: n.Node, target: SqlType | None = None, statement: s.Statement | None = None) -> object:
        """The value of an expression that reads no columns, as one of a type. With its statement, its code is kept."""

        def make():
            compiler = self.compiler()
            value = compiler.expression(node, Scope())
            if target is not None:
                value = compiler.convert(value, target, explicit=False)
            compiler.code.line(f"return {value.code}")
            return compiler.code.function(compiler.code.lines)

        function = make() if statement is None else self.compiled(statement, make, id(node), target)
        return function(self.context())

    def holds(self, node: n.Node, statement: s.Statement) -> bool:
        def make():
            compiler = self.compiler()
            found = compiler.condition(node, Scope())
            compiler.code.line(f"return {found}")
            return compiler.code.function(compiler.code.lines)

        return self.compiled(statement, make)(self.context()) is True

    def context(self) -> Context:
        return Context(self.session, self.variables)

    # Queries

    def describe(self, statements: list[s.Statement]) -> list[Column]:
        for statement in statements:
            if isinstance(statement, s.QueryStatement) and not _assigns(statement.query):
                _, fields = self.compile_query(statement.query)
                return [Column(f.name, f.type, f.nullable) for f in fields]
            if isinstance(statement, s.Declare):
                self._declared(statement)
            if isinstance(statement, (s.Block, s.Try)):
                found = self.describe(statement.body)
                if found:
                    return found
        return []

    def _querystatement(self, statement: s.QueryStatement) -> Results:
        query = statement.query
        if isinstance(query.body, n.Select) and query.body.into is not None:
            yield from self.select_into(statement)
            return
        function, fields = self.compiled(statement, lambda: self.compile_query(query))
        if _assigns(query):
            yield from self._assigned(query, function, fields)
            return
        limit = self.session.options["ROWCOUNT"]
        columns = [Column(f.name, f.type, f.nullable) for f in fields]
        rows = iter(()) if self.session.options["FMTONLY"] else function(self.context())
        if limit:
            from itertools import islice

            rows = islice(rows, limit)
        yield Rows(columns, rows)

    def _assigned(self, query: n.Query, function, fields) -> Results:
        items = query.body.items  # type: ignore[union-attr]
        if not all(isinstance(item, n.Item) and item.variable for item in items):
            raise SqlError(141, "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.", 15)  # fmt: skip
        names = [item.variable.lower() for item in items]
        for name in names:
            if name not in self.types:
                raise SqlError(137, f'Must declare the scalar variable "{name}".', 15)
        functions = [converter(f.type, self.types[name], None, False) for f, name in zip(fields, names, strict=True)]
        count = 0
        for row in function(self.context()):
            count += 1
            for name, convert, value in zip(names, functions, row, strict=True):
                self.variables[name] = value if convert is None or value is None else convert(value)
        self.session.row_count = count
        yield Done(None)

    # Variables and options

    def _declared(self, statement: s.Declare) -> None:
        compiler = self.compiler()
        for name, type_name, _ in statement.variables:
            self.types[name.lower()] = compiler.type(type_name)
            self.variables.setdefault(name.lower(), None)

    def _declare(self, statement: s.Declare) -> Results:
        for name, _, _ in statement.variables:
            if self.declared.setdefault(name.lower(), statement) is not statement or name.lower() in self.given:
                raise SqlError(134, f"The variable name '{name}' has already been declared. Variable names must be unique within a query batch or stored procedure.", 15)  # fmt: skip
        self._declared(statement)
        for name, _, value in statement.variables:
            if value is not None:
                self.variables[name.lower()] = self.evaluated(value, self.types[name.lower()], statement)
        yield from ()

    def _setvariable(self, statement: s.SetVariable) -> Results:
        type_ = self.types.get(statement.name.lower())
        if type_ is None:
            raise SqlError(137, f'Must declare the scalar variable "{statement.name}".', 15)
        self.variables[statement.name.lower()] = self.evaluated(statement.value, type_, statement)
        yield from ()

    def _setoption(self, statement: s.SetOption) -> Results:
        value = statement.value
        if isinstance(value, n.Variable):
            value = self.evaluated(value)
        for name in statement.names:
            if name == "ISOLATION":
                self.session.isolation = value
            elif name == "TEXTSIZE":
                self.session.options[name] = 2147483647 if value in (-1,) else 4096 if value == 0 else value
            elif name == "LANGUAGE":
                yield from self._language(str(value))
            elif name in ("IMPLICIT_TRANSACTIONS",) or name in self.session.options:
                self.session.options[name] = value

    def _language(self, value: str) -> Results:
        if value.lower() not in ("us_english", "english", "british", "deutsch", "german", "français", "french", "italian", "spanish", "español", "japanese", "日本語"):  # fmt: skip
            raise SqlError(2741, f"SET LANGUAGE failed because '{value}' is not an official language name or a language alias on this SQL Server.")  # fmt: skip
        self.session.options["LANGUAGE"] = value if value.lower() != "english" else "us_english"
        yield Info(5703, f"Changed language setting to {value}.")

    def _use(self, statement: s.Use) -> Results:
        self.session.use(statement.database)
        yield DatabaseChanged(self.session.database)
        yield Info(5701, f"Changed database context to '{self.session.database}'.")

    def _kill(self, statement: s.Kill) -> Results:
        if not self.session.privileges.on_server("ALTER ANY CONNECTION"):
            raise SqlError(6102, "User does not have permission to use the KILL statement.", 14)
        target = self.engine.sessions.get(statement.spid)
        if target is None:
            raise SqlError(6106, f"Process ID {statement.spid} is not an active process ID.")
        target.kill()
        yield Done(None)

    def _statistics(self, statement: s.Statistics) -> Results:
        yield Done(None)


def _assigns(query: n.Query) -> bool:
    body = query.body
    return isinstance(body, n.Select) and any(isinstance(i, n.Item) and i.variable for i in body.items)
