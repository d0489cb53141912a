"""Queries as Python source: each is a generator function."""

from __future__ import annotations

from dataclasses import replace

from . import nodes as n
from . import ordering
from . import sqltypes as t
from .code import IMPLICIT, Value
from .comparisons import incomparable
from .compile_groups import Groups
from .scopes import Binding, Field, Scope, canonical
from .values import SqlError, SqlType

Function = tuple[str, list[tuple[int, str]], list[Field], bool]


class Queries(Groups):
    """Emits functions of queries."""

    def __init__(self, session, variables: dict[str, SqlType]):
        super().__init__(session, variables)
        self.ctes: list[dict[str, tuple[str, list[Field]]]] = []
        self.accesses: list = []
        self.view_depth = 0
        # The condition that the next table's rows are chosen by, where it is the only one of its FROM.
        self.seeking: n.Node = None

    def find_cte(self, parts: n.Parts) -> tuple[str, list[Field]] | None:
        if len(parts) == 1:
            for level in reversed(self.ctes):
                if parts[0].lower() in level:
                    return level[parts[0].lower()]
        return None

    def subquery(self, query: n.Query, scope: Scope, width: int | None) -> tuple[str, object]:
        """(code of its rows, its fields). What does not depend on outer rows is evaluated once."""
        inner = Scope(scope)
        name, lines, fields, correlated = self.query_function(query, inner)
        if width is not None and len(fields) != width:
            raise SqlError(116, "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.")
        source = _Fields(fields)
        if correlated or inner.correlated:
            self.code.place(lines)
            return f"{name}()", source
        self.code.place(lines, hoist=True)
        kept = self.code.name("m")
        self.code.prelude.append((0, f"{kept} = []"))
        return f"ctx.once({kept}, {name})", source

    def query_function(self, query: n.Query, parent: Scope | None) -> Function:
        """The function of a query: (name, lines, fields, whether it depends on rows outside)."""
        level: dict[str, tuple[str, list[Field]]] = {}
        self.ctes.append(level)
        try:
            inline: list[tuple[int, str]] = []
            for name, columns, inner in query.ctes:
                if name.lower() in level:
                    raise SqlError(461, f"Duplicate common table expression name '{name}' was specified.")
                made, lines, fields, correlated = self.query_function(inner, parent)
                if columns:
                    if len(columns) != len(fields):
                        raise SqlError(8158, f"'{name}' has more columns than were specified in the column list.")
                    fields = [replace(f, name=given) for f, given in zip(fields, columns, strict=True)]
                unnamed = next((i for i, f in enumerate(fields) if not f.name), None)
                if unnamed is not None:
                    raise SqlError(8155, f"No column name was specified for column {unnamed + 1} of '{name}'.")
                if correlated:
                    inline += lines
                else:
                    self.code.place(lines, hoist=True)
                level[name.lower()] = made, fields
            made = self._body(query.body, query, parent)
            name, lines, fields, correlated = made
            if query.xml:
                name, lines, fields = self._xml(query, name, lines, fields)
            return name, inline + lines, fields, correlated
        finally:
            self.ctes.pop()

    def shown(self, name: str, fields: list[Field]) -> str:
        """The function of a query's rows as its reader gets them: masks are put on last, so that what is made of a masked column
        is masked, too."""
        if not any(f.masked for f in fields):
            return name
        outer, row = self.code.name("q"), self.code.name("r")
        with self.code.block(f"def {outer}():"), self.code.block(f"for {row} in {name}():"):
            values = [Value(f"{row}[{i}]", f.type, f.nullable, masked=f.masked) for i, f in enumerate(fields)]
            codes = [self.mask(v).code if v.masked else v.code for v in values]
            self.code.line(f"yield ({''.join(c + ', ' for c in codes)})")
        return outer

    def _xml(self, query: n.Query, name: str, lines, fields: list[Field]):
        outer = self.code.name("q")
        names = [f.name for f in fields]
        make = self.code.constant(ordering.xml_path)
        tag = query.xml[1]
        lines = [*lines, (0, f"def {outer}():"), (1, f"yield ({make}({name}(), {names!r}, {tag!r}),)")]
        return outer, lines, [Field("XML_F52E2B61-18A1-11d1-B105-00805F49916B", t.text(-1, True, self.collation))]

    def _body(self, body: n.Node, query: n.Query, parent: Scope | None) -> Function:
        if isinstance(body, n.Combined):
            return self._combined(body, query, parent)
        return self._select(body, query, parent)

    # Set operations

    def _combined(self, body: n.Combined, query: n.Query, parent: Scope | None) -> Function:
        parts = self._flattened(body)
        made = [self._body(part, n.Query(part), parent) for part in parts]
        widths = {len(m[2]) for m in made}
        if len(widths) != 1:
            raise SqlError(205, "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.")  # fmt: skip
        fields = [self._united([m[2][i] for m in made]) for i in range(widths.pop())]
        name = self.code.name("q")
        with self.code.capture() as lines:
            for _, inner, _, _ in made:
                self.code.place(inner)
            with self.code.block(f"def {name}():"):
                functions = [self._converted(m, fields) for m in made]
                if body.operator == "UNION ALL":
                    self._limited(functions, query, fields)
                else:
                    keys = self._keys(fields)
                    helper = self.code.constant(getattr(ordering, body.operator.lower()))
                    united = f"{helper}({keys}, {', '.join(f + '()' for f in functions)})"
                    self._finish(united, query, fields)
        return name, lines, fields, any(m[3] for m in made)

    @staticmethod
    def _flattened(body: n.Combined) -> list[n.Node]:
        parts, node = [], body
        while isinstance(node, n.Combined) and node.operator == body.operator == "UNION ALL":
            parts.append(node.right)
            node = node.left
        if parts:
            return [node, *reversed(parts)]
        return [body.left, body.right]

    def _united(self, columns: list[Field]) -> Field:
        values = [Value("x", c.type, c.nullable, rank=c.rank, null=c.type is NULL_TYPE) for c in columns]
        target, rank = self.common_of(values)
        masked = any(c.masked for c in columns)
        return Field(columns[0].name, target, any(c.nullable for c in columns), masked, rank=max(rank, IMPLICIT))

    def _converted(self, made: Function, fields: list[Field]) -> str:
        """The function of one part, with its rows in the types of all."""
        name, _, own, _ = made
        if all(a.type == b.type for a, b in zip(own, fields, strict=True)):
            return name
        outer, row = self.code.name("q"), self.code.name("r")
        with self.code.block(f"def {outer}():"), self.code.block(f"for {row} in {name}():"):
            codes = []
            for index, (mine, target) in enumerate(zip(own, fields, strict=True)):
                value = Value(f"{row}[{index}]", mine.type, mine.nullable, rank=mine.rank, null=mine.type is NULL_TYPE)
                codes.append(self.convert(value, target.type, explicit=False).code)
            self.code.line(f"yield ({''.join(c + ', ' for c in codes)})")
        return outer

    def _limited(self, functions: list[str], query: n.Query, fields: list[Field]) -> None:
        if query.order or query.offset:
            self._finish(f"{self.code.constant(ordering.chained)}({', '.join(f + '()' for f in functions)})", query, fields)
            return
        for function in functions:
            self.code.line(f"yield from {function}()")

    def _keys(self, fields: list[Field]) -> str:
        for column in fields:
            if column.type.name in ("text", "ntext", "image", "xml"):
                raise incomparable(column.type)
        return self.code.constant(ordering.row_keys([f.type for f in fields]))

    def _finish(self, rows: str, query: n.Query, fields: list[Field]) -> None:
        """Orders rows of a set operation by their columns."""
        if not query.order:
            self.code.line(f"yield from {rows}")
            return
        scope = Scope()
        self._limits(n.Select([]), query, scope)
        limit, skip = self._limit, self._skip
        row, out = self.code.name("r"), self.code.let("[]")
        scope.add(Binding("", (), row, fields))
        with self.code.block(f"for {row} in {rows}:"):
            keys = []
            for item in query.order:
                position = self._position(item.expression, len(fields))
                value = scope.bindings[0].value(position) if position is not None else self.expression(item.expression, scope)
                keys.append(self._order_key(value))
            self.code.line(f"{out}.append(({', '.join(keys)}, {row}))")
        self._sorted(out, query, limit, False, skip)

    # SELECT

    def _position(self, node: n.Node, width: int) -> int | None:
        if isinstance(node, n.Literal) and node.kind == "integer":
            if not 1 <= int(node.text) <= width:
                raise SqlError(108, f"The ORDER BY position number {node.text} is out of range of the number of items in the select list.")
            return int(node.text) - 1
        if isinstance(node, n.Literal) and node.kind != "null":
            raise SqlError(408, "A constant expression was encountered in the ORDER BY list, position 1.")
        return None

    def _select(self, select: n.Select, query: n.Query, parent: Scope | None) -> Function:
        scope = Scope(parent)
        name = self.code.name("q")
        fields: list[Field] = []
        with self.code.capture() as lines, self.code.block(f"def {name}():"):
            self._limits(select, query, scope)
            self._emit_select(select, query, scope, fields)
        if parent is not None and scope.correlated:
            parent.correlated = True
        return name, lines, fields, scope.correlated

    def _limits(self, select: n.Select, query: n.Query, scope: Scope) -> None:
        """Variables of TOP and OFFSET, before anything is read."""
        self._limit = self._skip = None
        if select.top is not None:
            target = t.FLOAT if select.percent else t.BIGINT
            self._limit = self.code.let(self.convert(self.expression(select.top, scope), target).code)
        if query.offset is not None:
            self._skip = self.code.let(self.convert(self.expression(query.offset, scope), t.BIGINT).code)
            if query.fetch is not None:
                self._limit = self.code.let(self.convert(self.expression(query.fetch, scope), t.BIGINT).code)

    def _emit_select(self, select: n.Select, query: n.Query, scope: Scope, fields: list[Field]) -> None:
        limit, skip = self._limit, self._skip
        ordered = bool(query.order)
        out = self.code.let("[]") if ordered or select.percent else None
        seen = self.code.let("set()") if select.distinct else None
        counted = limit is not None and out is None
        count = self.code.let("0") if counted else None
        if counted:
            self.code.line(f"if {limit} <= 0: return")

        def each() -> None:
            values = self._items(select, scope, fields)
            codes = [v.code for v in values]
            row = self._whole_row(scope, codes) or "(" + "".join(c + ", " for c in codes) + ")"
            keys = self._order_keys(select, query, scope, fields, values)
            if seen is not None:
                row = self.code.let(row)
                key = self.code.let(f"{self._keys(fields)}({row})")
                with self.code.block(f"if {key} not in {seen}:"):
                    self.code.line(f"{seen}.add({key})")
                    self._give(row, keys, out, count, limit)
            else:
                self._give(row, keys, out, count, limit)

        self.rows(select, query, scope, each)
        if out is not None:
            self._sorted(out, query, limit, select.percent, skip, select.ties)

    @staticmethod
    def _whole_row(scope: Scope, codes: list[str]) -> str | None:
        """The row itself, where all of its columns are asked for as they stand."""
        for binding in scope.bindings:
            if codes == [f"{binding.row}[{i}]" for i in range(len(binding.fields))] and codes:
                return binding.row
        return None

    def _give(self, row: str, keys: list[str], out: str | None, count: str | None, limit: str | None) -> None:
        if out is not None:
            self.code.line(f"{out}.append(({''.join(k + ', ' for k in keys)}{row}))" if keys else f"{out}.append(({row},))")
            return
        self.code.line(f"yield {row}")
        if count is not None:
            self.code.line(f"{count} += 1")
            self.code.line(f"if {count} >= {limit}: return")

    def _items(self, select: n.Select, scope: Scope, fields: list[Field]) -> list[Value]:
        values: list[Value] = []
        fields.clear()
        # Of the scope: a subquery in the list has its own.
        scope.nodes = []
        for item in select.items:
            if isinstance(item, n.Star):
                self._star(item, scope, fields, values)
                continue
            value = self.expression(item.expression, scope)
            name = item.alias
            if name is None:
                name = item.expression.parts[-1] if isinstance(item.expression, n.Name) else ""
            type_ = NULL_TYPE if value.null else value.type
            rank = max(value.rank, IMPLICIT) if value.type.name in t.TEXT else 0
            fields.append(Field(name, type_, value.nullable, value.masked, rank=rank))
            values.append(value)
            scope.nodes.append((item.expression, item.alias))
        return values

    def _star(self, item: n.Star, scope: Scope, fields: list[Field], values: list[Value]) -> None:
        bindings = [b for b in scope.bindings if not item.qualifier or b.is_called(item.qualifier)]
        if not bindings:
            if item.qualifier:
                raise SqlError(107, f"The column prefix '{'.'.join(item.qualifier)}' does not match with a table name or alias name used in the query.")  # fmt: skip
            raise SqlError(263, "Must specify table to select from.")
        for binding in bindings:
            for column in binding.fields:
                if column.hidden:
                    continue
                if column.name.startswith("\0"):
                    self.session.privileges.deny_column(binding.alias, column.name[1:])
                node = n.Name((binding.alias, column.name))
                value = self.expression(node, scope)
                fields.append(replace(column, hidden=False, nullable=value.nullable))
                values.append(value)
                scope.nodes.append((node, column.name))

    def _order_keys(self, select, query, scope: Scope, fields: list[Field], values: list[Value]) -> list[str]:
        keys = []
        for item in query.order:
            value = self._ordered_value(item.expression, select, scope, fields, values)
            keys.append(self._order_key(value))
        return keys

    def _ordered_value(self, node: n.Node, select, scope: Scope, fields, values: list[Value]) -> Value:
        position = self._position(node, len(values))
        if position is not None:
            return values[position]
        if isinstance(node, n.Name) and len(node.parts) == 1:
            wanted = node.parts[0].lower()
            named = [i for i, f in enumerate(fields) if f.name.lower() == wanted]
            if len(named) > 1 and len({canonical(scope.nodes[i][0], scope) for i in named}) > 1:
                raise SqlError(209, f"Ambiguous column name '{node.parts[0]}'.")
            if named:
                return values[named[0]]
        form = canonical(node, scope)
        for (own, _), value in zip(scope.nodes, values, strict=True):
            if canonical(own, scope) == form:
                return value
        if select.distinct:
            raise SqlError(145, "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.")
        return self.expression(node, scope)

    def _order_key(self, value: Value) -> str:
        key = self.key(value)
        return f"({key.code} is not None, {key.code})" if key.nullable else key.code

    def _sorted(self, out: str, query: n.Query, limit, percent: bool, skip=None, ties: bool = False) -> None:
        flags = self.code.constant(tuple(item.descending for item in query.order))
        helper = self.code.constant(ordering.in_order)
        self.code.line(f"yield from {helper}({out}, {flags}, {limit}, {skip}, {percent}, {ties})")


class _Fields:
    """What a subquery gives."""

    def __init__(self, fields: list[Field]):
        self.fields = fields


# The type of a column of the word NULL: an int that gives way to any other.
NULL_TYPE = SqlType("int", 4, 10, 0)
