"""What CREATE TABLE and ALTER TABLE make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import nodes as n
from . import sqltypes as t
from . import statements as s
from .collations import rules
from .scopes import Binding, Scope
from .compile_writes import own_fields
from .constraints import check_keys
from .tables import Check, Column, ForeignKey, Index, Table
from .values import Collation, SqlError


class Defining:
    """Tables, columns, constraints, indexes."""

    session: Any

    def schema_of(self, parts: n.Parts) -> tuple[int, str]:
        """(id, name) of the schema that a new object belongs to."""
        store = self.session.store
        if len(parts) > 2 and parts[-3].lower() != store.name.lower():
            raise SqlError(166, "'CREATE' does not allow specifying the database name as a prefix to the object name.", 15)
        name = parts[-2] if len(parts) > 1 else self.session.default_schema
        found = store.schemas.get(name.lower())
        if found is None:
            raise SqlError(2760, f'The specified schema name "{name}" either does not exist or you do not have permission to use it.')
        return found

    def new_table(self, parts: n.Parts, columns: list[Column]) -> Table:
        number, schema = self.schema_of(parts)
        now = self.session.engine.clock()
        return Table(self.session.store.next_id(), schema, number, parts[-1], "table", now, now, columns=columns, last_column_id=len(columns))  # fmt: skip

    def define(self, statement: s.CreateTable) -> Table:
        table = self.new_table(statement.parts, [])
        for definition in statement.columns:
            self._add_column(table, definition)
        table.memory_optimized = statement.options.get("MEMORY_OPTIMIZED") == "ON"
        for constraint in statement.constraints:
            self._constrain(table, constraint)
        for index in statement.indexes:
            table.indexes.append(self.define_index(table, index))
        if statement.period is not None:
            table.period = statement.period
        if statement.options.get("SYSTEM_VERSIONING") == "ON":
            self._version(table, statement.options.get("HISTORY_TABLE"))
        return table

    def _version(self, table: Table, name: n.Parts | None) -> None:
        if table.period is None:
            raise SqlError(13510, "Cannot set SYSTEM_VERSIONING to ON when SYSTEM_TIME period is not defined.")
        if not any(i.primary for i in table.indexes):
            raise SqlError(13553, f"System versioned temporal table '{table.name}' must have primary key defined.")
        parts = name or (table.schema, f"MSSQL_TemporalHistoryFor_{table.id}")
        store = self.session.store
        history = store.get(parts[-2] if len(parts) > 1 else table.schema, parts[-1])
        if history is None:
            columns = [
                replace(c, identity=None, default=None, generated=None, hidden=False, computed=None) for c in table.columns
            ]
            history = self.new_table(parts, columns)
            self.add_object(history)  # type: ignore[attr-defined]
        history.temporal_type = 1
        table.temporal_type, table.history = 2, history

    def _add_column(self, table: Table, definition: s.ColumnDefinition) -> Column:
        if table.column(definition.name) is not None:
            raise SqlError(2705, f"Column names in each table must be unique. Column name '{definition.name}' in table '{table.name}' is specified more than once.")  # fmt: skip
        table.last_column_id += 1
        column = Column(table.last_column_id, definition.name, t.INT)
        self._shape(table, column, definition)
        table.columns.append(column)
        return column

    def _shape(self, table: Table, column: Column, definition: s.ColumnDefinition) -> None:
        compiler = self.compiler()  # type: ignore[attr-defined]
        nullable: bool | None = definition.nullable
        if definition.computed is not None:
            scope = Scope()
            scope.add(Binding(table.name, (table.schema, table.name), "r", own_fields(table)))
            value = compiler.expression(definition.computed, scope)
            column.type, column.nullable = value.type, value.nullable and nullable is not False
            column.computed, column.computed_text = definition.computed, definition.computed_text
            column.persisted = definition.persisted
            return
        if definition.type is None:
            # `timestamp` alone is a column of that name and type.
            if definition.name.lower() != "timestamp":
                raise SqlError(173, f"The definition for column '{definition.name}' must include a data type.", 15)
            definition.type = n.TypeName(("timestamp",))
        column.type = compiler.type(definition.type)
        alias = self.session.store.find_type(definition.type.parts, self.session.default_schema)
        if alias is not None and definition.type.parts[-1].lower() not in t.PRECEDENCE:
            column.user_type = alias.name
            nullable = alias.nullable if nullable is None else nullable
        if definition.type.parts[-1].lower() == "sysname":
            column.user_type = "sysname"
            nullable = False if nullable is None else nullable
        if definition.collation is not None:
            name = self.session.store.collation.name if definition.collation.lower() == "database_default" else definition.collation
            rules(name, self.session.engine.version)
            column.type = t.with_collation(column.type, Collation(name))
        if column.type.name == "timestamp" and any(c.type.name == "timestamp" for c in table.columns):
            raise SqlError(2738, f"A table can only have one timestamp column. Because table '{table.name}' already has one, the column '{column.name}' cannot be added.")  # fmt: skip
        column.identity, column.mask, column.encrypted = definition.identity, definition.mask, definition.encrypted
        column.sparse, column.column_set, column.row_guid = definition.sparse, definition.column_set, definition.row_guid
        column.generated, column.hidden = definition.generated, definition.hidden
        column.nullable = nullable is not False and not (column.identity or column.generated or column.type.name == "timestamp")
        if definition.default is not None:
            name, expression, text = definition.default
            self._default(table, column, name, expression, text)

    def _default(self, table: Table, column: Column, name: str | None, expression: n.Node, text: str) -> None:
        text = text if text.startswith("(") else f"({text})"
        id_ = self.session.store.next_id()
        column.default = (name or f"DF__{table.name[:9]}__{column.name[:5]}__{id_:08X}", expression, text, id_)

    def _constrain(self, table: Table, constraint: s.Constraint) -> None:
        id_ = self.session.store.next_id()
        if constraint.kind == "default":
            column = self._known(table, constraint.columns[0][0])
            if column.default is not None:
                raise SqlError(1781, "Column already has a DEFAULT bound to it.")
            self._default(table, column, constraint.name, constraint.condition, constraint.text)
        elif constraint.kind == "check":
            name = constraint.name or f"CK__{table.name[:9]}__{id_:08X}"
            table.checks.append(Check(id_, name, constraint.condition, constraint.text))
        elif constraint.kind == "foreign key":
            parts, columns = constraint.reference  # type: ignore[misc]
            target = table if parts[-1].lower() == table.name.lower() else self.session.find(parts, kinds=("table",))
            if not columns:
                primary = next(i for i in target.indexes if i.primary)
                columns = [target.columns[target.position(c)].name for c, _ in primary.columns]
            name = constraint.name or f"FK__{table.name[:9]}__{id_:08X}"
            table.foreign_keys.append(ForeignKey(id_, name, [c for c, _ in constraint.columns], target, columns))
        else:
            self._key(table, constraint, id_)

    def _key(self, table: Table, constraint: s.Constraint, id_: int) -> None:
        primary = constraint.kind == "primary key"
        if primary and any(i.primary for i in table.indexes):
            raise SqlError(1779, f"Table '{table.name}' already has a primary key defined on it.")
        clustered = constraint.clustered
        if clustered is None:
            clustered = primary and not any(i.clustered for i in table.indexes) and not table.memory_optimized
        name = constraint.name or f"{'PK' if primary else 'UQ'}__{table.name[:8]}__{id_:016X}"
        index = self.define_index(table, s.IndexDefinition(name, constraint.columns, True, clustered))
        index.primary, index.constraint = primary, id_
        table.indexes.append(index)
        for column, _ in index.columns:
            held = table.columns[table.position(column)]
            if primary:
                held.nullable = False

    def define_index(self, table: Any, definition: s.IndexDefinition) -> Index:
        if any(i.name.lower() == definition.name.lower() for i in table.indexes):
            raise SqlError(1913, f"The operation failed because an index or statistics with name '{definition.name}' already exists on table '{table.name}'.")  # fmt: skip
        if definition.clustered and any(i.clustered for i in table.indexes):
            raise SqlError(1902, f"Cannot create more than one clustered index on table '{table.name}'. Drop the existing clustered index before creating another.")  # fmt: skip
        columns = [(self._known(table, name).id, descending) for name, descending in definition.columns]
        for id_, _ in columns:
            type_ = next(c.type for c in table.columns if c.id == id_)
            if not definition.columnstore and (type_.name in ("text", "ntext", "image", "xml", "geometry", "geography") or (type_.length == -1 and type_.name not in t.CLR)):  # fmt: skip
                raise SqlError(1919, f"Column '{next(c.name for c in table.columns if c.id == id_)}' in table '{table.name}' is of a type that is invalid for use as a key column in an index.")  # fmt: skip
        number = 1 if definition.clustered else max([1, *(i.id for i in table.indexes)]) + 1
        included = [self._known(table, name).id for name in definition.included]
        return Index(number, definition.name, columns, definition.unique, definition.clustered, definition.columnstore, included=included, filter=definition.filter)  # fmt: skip

    @staticmethod
    def _known(table: Any, name: str) -> Column:
        column = next((c for c in table.columns if c.name.lower() == name.lower()), None)
        if column is None:
            raise SqlError(1911, f"Column name '{name}' does not exist in the target table or view.")
        return column

    # ALTER TABLE

    def alter(self, statement: s.AlterTable, table: Table, transaction) -> None:
        action = statement.action
        if action == "add":
            self._add(statement, table, transaction)
        elif action == "drop column":
            for name in statement.names:
                self._drop_column(table, name, transaction)
        elif action == "drop constraint":
            for name in statement.names:
                self._drop_constraint(table, name)
        elif action in ("alter column", "mask"):
            self._alter_column(statement, table, transaction)
        elif action == "set":
            for text in statement.names:
                if text == "SYSTEM_VERSIONING=OFF" and table.history is not None:
                    table.history.temporal_type = table.temporal_type = 0
                    table.history = None
                elif text == "SYSTEM_VERSIONING=ON":
                    self._version(table, None)
        elif action in ("check", "nocheck"):
            for check in table.checks:
                if statement.names[0].lower() in ("all", check.name.lower()):
                    check.disabled = action == "nocheck"
        elif action == "index disable":
            for index in table.indexes:
                if statement.names[0].lower() in ("", index.name.lower()):
                    index.disabled = True
        elif action == "index rebuild":
            for index in table.indexes:
                index.disabled = False

    def _rewrite(self, table: Table, transaction, change) -> None:
        made = transaction.writes[table]
        same = made.view is made.latest
        made.latest = [change(row) for row in made.latest]
        made.view = made.latest if same else [change(row) for row in made.view]

    def _add(self, statement: s.AlterTable, table: Table, transaction) -> None:
        for definition in statement.columns:
            column = self._add_column(table, definition)
            if column.computed is not None or column.default or column.type.name == "timestamp" or column.identity or column.generated:
                value = self._filler(table, column)
            elif not column.nullable and transaction.writes[table].latest:
                table.columns.remove(column)
                raise SqlError(4901, f"ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified, or the column being added is an identity or timestamp column. Column '{column.name}' cannot be added to non-empty table '{table.name}' because it does not satisfy these conditions.")  # fmt: skip
            else:
                value = lambda row: None  # noqa: E731
            self._rewrite(table, transaction, lambda row, value=value: (*row, value(row)))
        for constraint in statement.constraints:
            self._constrain(table, constraint)
        if statement.constraints:
            table.keys = None
            try:
                check_keys(transaction, table, [], {0: None})
            except SqlError as error:
                raise SqlError(1505, f"The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name '{table.schema}.{table.name}'.") from error  # fmt: skip

    def _filler(self, table: Table, column: Column):
        """What a new column holds in rows that are there already."""
        from .compile_writes import Writes

        compiler = self.compiler()  # type: ignore[attr-defined]
        made = Writes(compiler, table, False)
        with compiler.code.block("def fill(row):"):
            if column.computed is not None:
                scope = Scope()
                scope.add(Binding(table.name, (table.schema, table.name), "row", own_fields(table)))
                code = compiler.convert(compiler.expression(column.computed, scope), column.type).code
            else:
                code = made._column(column, None, False, None) or "None"
            compiler.code.line(f"return {code}")
        compiler.code.line("return fill")
        return compiler.code.function(compiler.code.lines)(self.context())  # type: ignore[attr-defined]

    def _drop_column(self, table: Table, name: str, transaction) -> None:
        column = table.column(name)
        if column is None:
            raise SqlError(4924, f"ALTER TABLE DROP COLUMN failed because column '{name}' does not exist in table '{table.name}'.")
        used = [i.name for i in table.indexes if any(c == column.id for c, _ in i.columns) or column.id in i.included]
        used += [column.default[0]] if column.default else []
        if used:
            raise SqlError(5074, f"The object '{used[0]}' is dependent on column '{name}'.")
        position = table.columns.index(column)
        table.columns = [c for c in table.columns if c is not column]
        self._rewrite(table, transaction, lambda row: row[:position] + row[position + 1 :])

    def _drop_constraint(self, table: Table, name: str) -> None:
        wanted = name.lower()
        for kept in (table.indexes, table.checks, table.foreign_keys):
            for item in kept:
                if item.name.lower() == wanted:
                    kept.remove(item)  # type: ignore[arg-type]
                    return
        for column in table.columns:
            if column.default is not None and column.default[0].lower() == wanted:
                column.default = None
                return
        raise SqlError(3728, f"'{name}' is not a constraint.")

    def _alter_column(self, statement: s.AlterTable, table: Table, transaction) -> None:
        from .conversions import converter

        definition = statement.columns[0]
        column = table.column(definition.name)
        if column is None:
            raise SqlError(4924, f"ALTER TABLE ALTER COLUMN failed because column '{definition.name}' does not exist in table '{table.name}'.")  # fmt: skip
        position = table.columns.index(column)
        changed = replace(column)
        if statement.action == "mask":
            changed.mask = definition.mask
        else:
            before = column.type
            blank = Column(column.id, column.name, t.INT)
            others = replace(table, columns=[c for c in table.columns if c is not column])
            self._shape(others, blank, definition)
            changed.type, changed.user_type, changed.nullable = blank.type, blank.user_type, blank.nullable
            convert = converter(before, changed.type, None, False)
            if not changed.nullable and any(row[position] is None for row in transaction.writes[table].latest):
                raise SqlError(515, f"Cannot insert the value NULL into column '{column.name}', table '{self.session.database}.{table.schema}.{table.name}'; column does not allow nulls. UPDATE fails.")  # fmt: skip
            if convert is not None:
                self._rewrite(
                    table, transaction,
                    lambda row: (*row[:position], None if row[position] is None else convert(row[position]), *row[position + 1 :]),
                )  # fmt: skip
        table.columns = [changed if c is column else c for c in table.columns]
