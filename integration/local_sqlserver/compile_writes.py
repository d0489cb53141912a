"""The rows that INSERT, UPDATE and DELETE make, as Python source."""

from __future__ import annotations

from dataclasses import replace

from . import nodes as n
from . import sqltypes as t
from . import statements as s
from .code import Value
from .compile_queries import Queries
from .conversions import converter
from .scopes import Binding, Field, Scope
from .tables import Column, Table
from .values import SqlError


def own_fields(table: Table) -> list[Field]:
    return [Field(c.name, c.type, c.nullable, False, c.hidden) for c in table.columns]


class Writes:
    """Emits new rows of a table with a compiler of queries."""

    def __init__(self, compiler: Queries, table: Table, identity_insert: bool):
        self.c, self.table, self.identity_insert = compiler, table, identity_insert
        self.code = compiler.code

    def targets(self, columns: list[str] | None) -> list[Column]:
        """The columns that an INSERT gives values for."""
        if columns is None:
            return [c for c in self.table.columns if not self._own(c) and not c.hidden and not (c.generated and c.hidden)]
        found = []
        for name in columns:
            column = self.table.column(name)
            if column is None:
                raise SqlError(207, f"Invalid column name '{name}'.")
            if column in found:
                raise SqlError(264, f"The column name '{name}' is specified more than once in the SET clause or column list of an INSERT.")  # fmt: skip
            self._writable(column)
            if column.identity and not self.identity_insert:
                raise SqlError(544, f"Cannot insert explicit value for identity column in table '{self.table.name}' when IDENTITY_INSERT is set to OFF.")  # fmt: skip
            found.append(column)
        if self.identity_insert and any(c.identity and c not in found for c in self.table.columns):
            raise SqlError(545, f"Explicit value must be specified for identity column in table '{self.table.name}' either when IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.")  # fmt: skip
        return found

    def _own(self, column: Column) -> bool:
        """Whether the server gives this column its value."""
        return bool(column.identity or column.computed is not None or column.type.name == "timestamp" or column.generated or column.column_set)  # fmt: skip

    def _writable(self, column: Column) -> None:
        if column.computed is not None:
            raise SqlError(271, f'The column "{column.name}" cannot be modified because it is either a computed column or is the result of a UNION operator.')  # fmt: skip
        if column.type.name == "timestamp":
            raise SqlError(273, "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to exclude the timestamp column, or insert a DEFAULT into the timestamp column.")  # fmt: skip
        if column.generated:
            raise SqlError(13536, f"Cannot insert an explicit value into a GENERATED ALWAYS column in table '{self.c.session.database}.{self.table.schema}.{self.table.name}'.")  # fmt: skip

    def new_row(self, given: dict[int, Value | None], old: str | None = None) -> str:
        """Lines that make a row: `given` by position, None for the word DEFAULT. `old`: the row that it comes from."""
        row = self.code.name("n")
        self.code.line(f"{row} = list({old})" if old else f"{row} = [None] * {len(self.table.columns)}")
        for position, column in enumerate(self.table.columns):
            code = self._column(column, given.get(position), position in given, old)
            if code is not None:
                self.code.line(f"{row}[{position}] = {code}")
        scope = Scope()
        scope.add(Binding(self.table.name, (self.table.schema, self.table.name), row, own_fields(self.table)))
        for position, column in enumerate(self.table.columns):
            if column.computed is not None:
                value = self.c.convert(self.c.expression(column.computed, scope), column.type, explicit=True)
                self.code.line(f"{row}[{position}] = {value.code}")
        for position, column in enumerate(self.table.columns):
            if not column.nullable:
                refuse = self.code.constant(_null_refused)
                where = self.code.constant((column.name, f"{self.c.session.database}.{self.table.schema}.{self.table.name}", "UPDATE" if old else "INSERT"))  # fmt: skip
                self.code.line(f"if {row}[{position}] is None: {refuse}(*{where})")
        for check in self.table.checks:
            if not check.disabled:
                found = self.c.condition(check.condition, scope)
                where = self.code.constant((check.name, self.table, self.c.session.database, "UPDATE" if old else "INSERT"))
                self.code.line(f"if {found} is False: {self.code.constant(_check_failed)}(*{where})")
        return row

    def _column(self, column: Column, value: Value | None, is_given: bool, old: str | None) -> str | None:
        if column.type.name == "timestamp":
            return f"{self.code.constant(_row_version)}(ctx)"
        if column.generated:
            end = moments_end()
            return "ctx.clock()" if column.generated == "START" else str(end)
        if column.identity and not old and not is_given:
            return f"{self.code.constant(_next_identity)}(ctx, {self.code.constant(column)})"
        if column.computed is not None:
            return None
        if is_given and value is not None:
            code = self._assigned(value, column).code
            if column.identity:
                self.code.line(f"{self.code.constant(_seen_identity)}(ctx, {self.code.constant(column)}, {code})")
            return code
        if is_given or not old:
            if column.default is None:
                return "None" if is_given else None
            return self._assigned(self.c.expression(column.default[1], Scope()), column).code
        return None

    def _assigned(self, value: Value, column: Column) -> Value:
        """A conversion that nobody asked for refuses what does not fit."""
        type_ = column.type
        sized = type_.name in ("varchar", "nvarchar", "char", "nchar", "varbinary", "binary") and type_.length > 0
        if not sized or self.c.version < 2019 or value.null:
            return self.c.convert(value, type_, explicit=False)
        # https://learn.microsoft.com/sql/relational-databases/errors-events/mssqlserver-2628-database-engine-error
        function = converter(value.type, type_, None, False)
        if function is None:
            return value
        table = f"{self.c.session.database}.{self.table.schema}.{self.table.name}"

        def assign(held):
            try:
                return function(held)
            except SqlError as error:
                if error.number != 8152:
                    raise
                shown = held if isinstance(held, str) else ""
                raise SqlError(2628, f"String or binary data would be truncated in table '{table}', column '{column.name}'. Truncated value: '{shown[: max(type_.length, 0)]}'.") from None  # fmt: skip

        return self.c.apply(f"{self.code.constant(assign)}({{}})", type_, value)


def moments_end() -> int:
    from . import moments

    return moments.END * moments.DAY - 1


def _null_refused(column: str, table: str, verb: str) -> None:
    raise SqlError(515, f"Cannot insert the value NULL into column '{column}', table '{table}'; column does not allow nulls. {verb} fails.", 16, 2)  # fmt: skip


def _check_failed(name: str, table: Table, database: str, verb: str) -> None:
    raise SqlError(547, f'The {verb} statement conflicted with the CHECK constraint "{name}". The conflict occurred in database "{database}", table "{table.schema}.{table.name}".', 16)  # fmt: skip


def _row_version(ctx) -> bytes:
    number = ctx.store.next_row_version()
    transaction = ctx.session.transactions.current
    if transaction is not None:
        transaction.first_row_version.setdefault(ctx.store.id, number)
    return number.to_bytes(8, "big")


def _next_identity(ctx, column: Column) -> int:
    seed, increment = column.identity  # type: ignore[misc]
    with ctx.engine.lock:
        column.last_identity = seed if column.last_identity is None else column.last_identity + increment
        ctx.session.identity = column.last_identity
    if column.type.name in t.INTEGERS and not t.INTEGERS[column.type.name][0] <= column.last_identity <= t.INTEGERS[column.type.name][1]:  # fmt: skip
        raise SqlError(8115, f"Arithmetic overflow error converting IDENTITY to data type {column.type.name}.")
    return column.last_identity * 10**column.type.scale if column.type.name in t.EXACT else column.last_identity


def _seen_identity(ctx, column: Column, value: int) -> None:
    """An explicit value moves the next one, where it lies beyond it."""
    increment = column.identity[1]  # type: ignore[index]
    with ctx.engine.lock:
        ctx.session.identity = value
        if column.last_identity is None or (value > column.last_identity if increment > 0 else value < column.last_identity):
            column.last_identity = value


def insert(compiler: Queries, statement: s.Insert, table: Table, identity_insert: bool):
    """The function (ctx, rows) → new rows, and the fields of its source; `rows` is None but for EXEC."""
    made = Writes(compiler, table, identity_insert)
    targets = made.targets(statement.columns)
    if statement.columns is None and isinstance(statement.source, list) and any(len(row) != len(targets) for row in statement.source):
        raise SqlError(213, "Column name or number of supplied values does not match table definition.")
    if identity_insert and statement.columns is None:
        raise SqlError(8101, f"An explicit value for the identity column in table '{table.name}' can only be specified when a column list is used and IDENTITY_INSERT is ON.")  # fmt: skip
    positions = [table.columns.index(c) for c in targets]
    code = compiler.code
    source = statement.source
    with code.capture() as lines:
        if source is None:
            code.line(f"yield {made.new_row({})}")
        elif isinstance(source, list):
            _values(made, source, positions, targets)
        else:
            if statement.ctes:
                source = replace(source, ctes=[*statement.ctes, *source.ctes])
            name, inner, fields, _ = compiler.query_function(source, None)
            _same_count(len(fields), len(targets))
            code.place(inner)
            name = compiler.shown(name, fields)
            row = code.name("r")
            with code.block(f"for {row} in {name}():"):
                given = {
                    p: Value(f"{row}[{i}]", f.type, f.nullable, rank=f.rank)
                    for i, (p, f) in enumerate(zip(positions, fields, strict=True))
                }
                code.line(f"yield {made.new_row(given)}")
    return code.function(lines)


def _values(made: Writes, rows: list[list[n.Node]], positions: list[int], targets: list[Column]) -> None:
    """All rows are made in one way where they are constants: their code is the same for each."""
    c, scope = made.c, Scope()
    for row in rows:
        _same_count(len(row), len(targets))
    if len(rows) > 1 and all(_plain(x) for row in rows for x in row):
        _constant_rows(made, rows, positions, targets)
        return
    for row in rows:
        given = {p: None if isinstance(x, n.Default) else c.expression(x, scope) for p, x in zip(positions, row, strict=True)}
        made.code.line(f"yield {made.new_row(given)}")


def _plain(node: n.Node) -> bool:
    return isinstance(node, n.Literal) or (isinstance(node, n.Unary) and isinstance(node.operand, n.Literal))


def _constant_rows(made: Writes, rows, positions, targets: list[Column]) -> None:
    """A table value constructor of literals: its columns have one type each."""
    c, scope = made.c, Scope()
    values = [[c.expression(x, scope) for x in row] for row in rows]
    held, given = [], {}
    row = c.code.name("r")
    for index, position in enumerate(positions):
        target, rank = c.common_of([line[index] for line in values])
        column = [c.convert(line[index], target, explicit=False) for line in values]
        if not all(v.constant for v in column):
            break
        held.append([v.literal for v in column])
        given[position] = Value(f"{row}[{index}]", target, any(v.nullable for v in column), rank=rank)
    else:
        data = c.code.constant(list(zip(*held, strict=True)))
        with c.code.block(f"for {row} in {data}:"):
            c.code.line(f"yield {made.new_row(given)}")
        return
    for line in values:
        c.code.line(f"yield {made.new_row(dict(zip(positions, line, strict=True)))}")


def _same_count(given: int, wanted: int) -> None:
    if given < wanted:
        raise SqlError(109, "There are more columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.", 15)  # fmt: skip
    if given > wanted:
        raise SqlError(110, "There are fewer columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.", 15)  # fmt: skip


def change(compiler: Queries, statement: s.Update | s.Delete, table: Table):
    """The function of an UPDATE or DELETE: (old row, new row or None) for each row that it means."""
    made = Writes(compiler, table, True)
    code = compiler.code
    target = statement.table
    source = statement.source
    alias = target.parts[-1]
    if source is None:
        source = n.Table(target.parts, None, target.hints)
    name = code.name("q")
    scope = Scope()
    query = n.Query(n.Select([], source, statement.where), statement.ctes)
    level: dict = {}
    compiler.ctes.append(level)
    for cte_name, columns, inner in statement.ctes:
        function, lines, fields, _ = compiler.query_function(inner, None)
        code.place(lines, hoist=True)
        level[cte_name.lower()] = function, fields if not columns else [_renamed(f, x) for f, x in zip(fields, columns, strict=True)]

    def each() -> None:
        found = [b for b in scope.bindings if b.alias.lower() == alias.lower()]
        if not found:
            raise SqlError(208, f"Invalid object name '{'.'.join(target.parts)}'.")
        old = found[0].row
        if isinstance(statement, s.Delete):
            code.line(f"yield {old}, None")
            return
        given: dict[int, Value | None] = {}
        for column_name, node in statement.changes:
            if column_name.startswith("@"):
                code.line(f"ctx.variables[{column_name.lower()!r}] = {compiler.expression(node, scope).code}")
                continue
            column = table.column(column_name)
            if column is None:
                raise SqlError(207, f"Invalid column name '{column_name}'.")
            if column.identity:
                raise SqlError(8102, f"Cannot update identity column '{column.name}'.")
            made._writable(column)
            position = table.columns.index(column)
            if position in given:
                raise SqlError(264, f"The column name '{column.name}' is specified more than once in the SET clause or column list of an INSERT.")  # fmt: skip
            given[position] = None if isinstance(node, n.Default) else compiler.expression(node, scope)
        code.line(f"yield {old}, {made.new_row(given, old)}")

    with code.capture() as lines, code.block(f"def {name}():"):
        compiler.rows(query.body, query, scope, each)
    code.place(lines)
    if statement.top is not None:
        limit = compiler.convert(compiler.expression(statement.top, Scope()), t.BIGINT).code
        from itertools import islice

        code.line(f"return {code.constant(islice)}({name}(), {limit})")
    else:
        code.line(f"return {name}()")
    compiler.ctes.pop()
    return code.function(code.lines)


def _renamed(field: Field, name: str) -> Field:
    return replace(field, name=name)


def output(compiler: Queries, items: list[n.Item], table: Table, inserted: bool, deleted: bool):
    """The function of an OUTPUT clause: (ctx) → function of (old, new) → row."""
    code, scope = compiler.code, Scope()
    scope.add(Binding("inserted" if inserted else "\0i", (), "new", own_fields(table)))
    scope.add(Binding("deleted" if deleted else "\0d", (), "old", own_fields(table)))
    fields: list[Field] = []
    with code.block("def output(old, new):"):
        values = compiler._items(n.Select(list(items)), scope, fields)
        code.line(f"return ({''.join(v.code + ', ' for v in values)})")
    code.line("return output")
    return code.function(code.lines), fields
