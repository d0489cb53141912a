"""INSERT, UPDATE, DELETE, TRUNCATE and SELECT INTO at work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import compile_writes as writes
from . import nodes as n
from . import statements as s
from .constraints import check_foreign_keys, check_keys, check_referenced
from .tables import Column as TableColumn
from .tables import Table
from .values import Column, Done, Rows, SqlError

Results = Iterator[Any]


class Data:
    """Statements that change rows."""

    session: Any

    def _target(self, parts: n.Parts, source: n.Node = None) -> Table:
        """The table that a name means: an alias of FROM first."""
        for table in _tables_of(source):
            if len(parts) == 1 and table.alias is not None and table.alias.lower() == parts[0].lower():
                parts = table.parts
                break
        found = self.session.find(parts, kinds=("table", "view", "synonym"))
        if found.kind == "synonym":
            found = self.session.find(found.target)
        if found.kind != "table":
            raise SqlError(4405, f"View or function '{parts[-1]}' is not updatable here: name its table.")
        return found

    def _insert(self, statement: s.Insert) -> Results:
        table = self._target(statement.table.parts)
        self.session.privileges.check("INSERT", table)
        explicit = self.session.identity_insert is table
        if isinstance(statement.source, (s.Execute, s.ExecuteText)):
            yield from self._insert_executed(statement, table)
            return
        function = self.compiled(
            statement, lambda: writes.insert(self.compiler(), statement, table, explicit), table, explicit
        )
        yield from self._inserted(statement, table, lambda: function(self.context()))

    def _insert_executed(self, statement: s.Insert, table: Table) -> Results:
        rows, columns = [], None
        for result in self.statement(statement.source):
            if isinstance(result, Rows):
                columns = columns or result.columns
                rows += list(result.rows)
        compiler = self.compiler()
        made = writes.Writes(compiler, table, False)
        targets = made.targets(statement.columns)
        code = compiler.code
        given = {
            table.columns.index(c): writes.Value(f"r[{i}]", own.type, True, rank=1)
            for i, (c, own) in enumerate(zip(targets, columns or [], strict=bool(columns)))
        }
        with code.block(f"for r in {code.constant(rows)}:"):
            code.line(f"yield {made.new_row(given)}")
        function = code.function(code.lines)
        yield from self._inserted(statement, table, lambda: function(self.context()))

    def _inserted(self, statement: s.Insert, table: Table, make) -> Results:
        session = self.session
        with session.transactions.writing() as transaction:
            transaction.write(table, session.store, session.lock_timeout)
            added = [tuple(row) for row in make()]
            transaction.change(table, {}, added)
            check_keys(transaction, table, added, {})
            check_foreign_keys(self.context(), table, added)
        yield from self._told(statement, table, [(None, row) for row in added])

    def _told(self, statement, table: Table, pairs: list[tuple]) -> Results:
        self.session.row_count = len(pairs)
        if statement.output:
            inserted, deleted = not isinstance(statement, s.Delete), not isinstance(statement, s.Insert)
            make, fields = writes.output(self.compiler(), statement.output, table, inserted, deleted)
            function = make(self.context())
            yield Rows([Column(f.name, f.type, f.nullable) for f in fields], [function(old, new) for old, new in pairs])
            return
        yield Done(None if self.session.options["NOCOUNT"] else len(pairs))

    def _update(self, statement: s.Update) -> Results:
        yield from self._changed(statement, "UPDATE")

    def _delete(self, statement: s.Delete) -> Results:
        yield from self._changed(statement, "DELETE")

    def _changed(self, statement: s.Update | s.Delete, verb: str) -> Results:
        session = self.session
        table = self._target(statement.table.parts, statement.source)
        session.privileges.check(verb, table)
        function = self.compiled(statement, lambda: writes.change(self.compiler(), statement, table), table)
        pairs: list[tuple] = []
        with session.transactions.writing() as transaction:
            transaction.write(table, session.store, session.lock_timeout)
            replaced: dict[int, tuple | None] = {}
            for old, new in function(self.context()):
                if id(old) in replaced:
                    continue
                pairs.append((old, None if new is None else tuple(new)))
                replaced[id(old)] = pairs[-1][1]
            transaction.change(table, replaced)
            self._historic(transaction, table, [old for old, _ in pairs])
            changed = [new for _, new in pairs if new is not None]
            check_keys(transaction, table, changed, replaced)
            if changed:
                check_foreign_keys(self.context(), table, changed)
            check_referenced(self.context(), table, pairs)
        yield from self._told(statement, table, pairs)

    def _historic(self, transaction, table: Table, rows: list[tuple]) -> None:
        """What a temporal table's rows were: https://learn.microsoft.com/sql/relational-databases/tables/temporal-tables"""
        if table.history is None or table.period is None or not rows:
            return
        transaction.write(table.history, self.session.store, self.session.lock_timeout)
        end = next(i for i, c in enumerate(table.columns) if c.generated == "END")
        now = self.session.engine.clock()
        transaction.change(table.history, {}, [(*row[:end], now, *row[end + 1 :]) for row in rows])

    def _truncate(self, statement: s.Truncate) -> Results:
        table = self._target(statement.parts)
        session = self.session
        if not session.privileges.allows("ALTER", table):
            raise SqlError(1088, f'Cannot find the object "{statement.parts[-1]}" because it does not exist or you do not have permissions.')  # fmt: skip
        if any(key.target is table and other is not table for other in session.store.tables() for key in other.foreign_keys):
            raise SqlError(4712, f"Cannot truncate table '{table.name}' because it is being referenced by a FOREIGN KEY constraint.")
        with session.transactions.writing() as transaction:
            made = transaction.write(table, session.store, session.lock_timeout)
            transaction.change(table, {id(row): None for row in made.view})
            for column in table.columns:
                column.last_identity = None
        yield Done(None)

    def select_into(self, statement: s.QueryStatement) -> Results:
        session, query = self.session, statement.query
        function, fields = self.compile_query(query)
        parts = query.body.into
        for position, field in enumerate(fields):
            if not field.name:
                raise SqlError(1038, f"An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. Column {position + 1} has none.", 15)  # fmt: skip
        columns = [TableColumn(i + 1, f.name, f.type, f.nullable) for i, f in enumerate(fields)]
        table = self.new_table(parts, columns)
        with session.transactions.writing() as transaction:
            self.add_object(table)
            transaction.write(table, session.store, session.lock_timeout)
            rows = [tuple(list(row)) for row in function(self.context())]
            transaction.change(table, {}, rows)
        session.row_count = len(rows)
        yield Done(None if session.options["NOCOUNT"] else len(rows))

    def _setidentityinsert(self, statement: s.SetIdentityInsert) -> Results:
        table = self._target(statement.parts)
        session = self.session
        if not any(c.identity for c in table.columns):
            raise SqlError(8106, f"Table '{table.name}' does not have the identity property. Cannot perform SET operation.")
        if statement.on and session.identity_insert not in (None, table):
            raise SqlError(8107, f"IDENTITY_INSERT is already ON for table '{session.identity_insert.name}'. Cannot perform SET operation for table '{table.name}'.")  # fmt: skip
        session.identity_insert = table if statement.on else None
        yield from ()


def _tables_of(source: n.Node) -> list[n.Table]:
    if isinstance(source, n.Table):
        return [source]
    if isinstance(source, n.Join):
        return [*_tables_of(source.left), *_tables_of(source.right)]
    return []
