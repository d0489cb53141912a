"""FROM as Python source: loops over rows, joins."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace

from . import nodes as n
from . import sqltypes as t
from .code import IMPLICIT, Value
from .compile_expressions import Expressions
from .compile_seeks import seek
from .scopes import Binding, Field, Scope
from .tables import Access
from .values import SqlError

Body = Callable[[], None]


class Sources(Expressions):
    """Emits the loops of a FROM clause around a body."""

    def from_source(self, node: n.Node, scope: Scope, body: Body) -> None:
        getattr(self, f"_from_{type(node).__name__.lower()}")(node, scope, body)

    def _loop(self, row: str, rows: str, body: Body) -> None:
        with self.code.block(f"for {row} in {rows}:"):
            body()

    def _from_table(self, node: n.Table, scope: Scope, body: Body) -> None:
        where, self.seeking = self.seeking, None
        binding, rows = self.table(node, scope)
        if where is not None and re.fullmatch(r"ctx\.scan\(c\d+\)", rows):
            access = self.code.constants[rows[9:-1]]
            found = seek(self, binding, access.table, where) if access.table.kind == "table" else None
            if found is not None:
                rows = f"ctx.seek({rows[9:-1]}, {self.code.constant(found)})"
        scope.add(binding)
        self._loop(binding.row, rows, body)

    def table(self, node: n.Table, scope: Scope) -> tuple[Binding, str]:
        """The binding of a table, view or common table expression, and the code of its rows."""
        row = self.code.name("r")
        alias = node.alias or node.parts[-1]
        qualifiers = () if node.alias else node.parts
        cte = self.find_cte(node.parts)
        if cte is not None:
            function, fields = cte
            return Binding(alias, qualifiers, row, fields), f"{function}()"
        found = self.session.find(node.parts)
        if found.kind == "synonym":
            return self.table(replace(node, parts=found.target, alias=alias), scope)
        self.session.privileges.check_select(found)
        if found.kind == "view":
            if node.sample is not None:
                raise SqlError(494, "The TABLESAMPLE clause can only be used with local tables.", 15)
            fields, function = self.view(found, node.hints)
            return Binding(alias, qualifiers, row, fields), f"{function}()"
        sample = None
        if node.sample is not None:
            if found.kind != "table":
                raise SqlError(494, "The TABLESAMPLE clause can only be used with local tables.", 15)
            amount, percent, seed = node.sample
            codes = [self.expression(x, scope).code if x is not None else "None" for x in (amount, seed)]
            sample = f"({codes[0]}, {percent}, {codes[1]})"
        access = self.code.constant(Access(found, node.hints))
        self.accesses.append(found)
        rows = f"ctx.scan({access}{f', {sample}' if sample else ''})"
        if node.as_of is not None:
            moment = self.convert(self.expression(node.as_of, scope), t.DATETIME2)
            rows = f"ctx.as_of({access}, {moment.code})"
        binding = Binding(alias, qualifiers, row, self.fields_of(found))
        predicates = self.session.store.predicates_of(found)
        return binding, self._filtered(binding, rows, predicates) if predicates else rows

    def fields_of(self, table) -> list[Field]:
        allowed = self.session.privileges.readable_columns(table)
        unmasked = self.session.privileges.unmasks(table)
        return [
            Field(
                c.name if allowed is None or c.name.lower() in allowed else f"\0{c.name}",
                c.type, c.nullable, bool(c.mask) and not unmasked, c.hidden,
            )
            for c in table.columns
        ]  # fmt: skip

    def _filtered(self, binding: Binding, rows: str, predicates) -> str:
        """Rows that a security policy lets through:
        https://learn.microsoft.com/sql/relational-databases/security/row-level-security"""
        scope = Scope()
        scope.add(binding)
        name = self.code.name("q")
        with self.code.capture() as lines, self.code.block(f"def {name}():"), self.code.block(f"for {binding.row} in {rows}:"):
            for function, arguments in predicates:
                call = n.Exists(n.Query(n.Select([n.Item(n.Literal("integer", "1"))], n.Function(function, arguments, "p"))))
                with self.privileged():
                    found = self.condition(call, scope)
                self.code.line(f"if {found} is not True: continue")
            self.code.line(f"yield {binding.row}")
        self.code.place(lines)
        return f"{name}()"

    @contextmanager
    def privileged(self):
        """What a view or policy reads is read by its owner."""
        kept = self.session.privileges
        self.session.privileges = kept.owner()
        try:
            yield
        finally:
            self.session.privileges = kept

    def view(self, view, hints: frozenset[str]) -> tuple[list[Field], str]:
        """The fields of a view and the function that gives its rows; it has been placed."""
        kept_ctes, self.ctes = self.ctes, []
        self.view_depth += 1
        if self.view_depth > 32:
            raise SqlError(217, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).")
        try:
            with self.privileged(), self.session.within_schema(view.schema):
                name, lines, fields, _ = self.query_function(view.query, None)
        finally:
            self.ctes = kept_ctes
            self.view_depth -= 1
        self.code.place(lines, hoist=True)
        if view.column_names:
            fields = [replace(f, name=given) for f, given in zip(fields, view.column_names, strict=True)]
        return fields, name

    def _from_derived(self, node: n.Derived, scope: Scope, body: Body) -> None:
        name, lines, fields, _ = self.query_function(node.query, scope.parent)
        self._from_query(node.alias, node.columns, name, lines, fields, scope, body)

    def _from_query(self, alias, columns, name, lines, fields, scope: Scope, body: Body) -> None:
        if columns is not None:
            if len(columns) != len(fields):
                number = 8158 if len(fields) > len(columns) else 8159
                more = "more" if number == 8158 else "fewer"
                raise SqlError(number, f"'{alias}' has {more} columns than were specified in the column list.")
            fields = [replace(f, name=given) for f, given in zip(fields, columns, strict=True)]
        for position, column in enumerate(fields):
            if not column.name:
                raise SqlError(8155, f"No column name was specified for column {position + 1} of '{alias}'.")
            if any(other.name.lower() == column.name.lower() for other in fields[:position]):
                raise SqlError(8156, f"The column '{column.name}' was specified multiple times for '{alias}'.")
        self.code.place(lines)
        row = self.code.name("r")
        scope.add(Binding(alias, (), row, fields))
        self._loop(row, f"{name}()", body)

    def _from_values(self, node: n.Values, scope: Scope, body: Body) -> None:
        self._values(node, scope.parent, scope, body)

    def _values(self, node: n.Values, sees: Scope | None, scope: Scope, body: Body) -> None:
        inner = Scope(sees)
        width = len(node.rows[0])
        if any(len(row) != width for row in node.rows):
            raise SqlError(10709, "The number of columns for each row in a table value constructor must be the same.")
        rows = [[self.expression(x, inner) for x in row] for row in node.rows]
        shapes = [self.common_of([row[i] for row in rows]) for i in range(width)]
        names = node.columns or []
        if len(names) != width:
            raise SqlError(8155 if not names else 8158, f"'{node.alias}' has a number of columns that differs from its column list.")
        codes = [
            "(" + "".join(self.convert(v, shapes[i][0], explicit=False).code + ", " for i, v in enumerate(row)) + ")"
            for row in rows
        ]
        fields = [
            Field(names[i], shapes[i][0], any(row[i].nullable for row in rows), any(row[i].masked for row in rows),
                  rank=max(shapes[i][1], IMPLICIT))
            for i in range(width)
        ]  # fmt: skip
        row = self.code.name("r")
        scope.add(Binding(node.alias, (), row, fields))
        self._loop(row, f"({', '.join(codes)},)", body)

    def _from_function(self, node: n.Function, scope: Scope, body: Body) -> None:
        self._function(node, scope.parent, scope, body)

    def _function(self, node: n.Function, sees: Scope | None, scope: Scope, body: Body) -> None:
        """An inline table-valued function, whose parameters are what it is called with; or one of sys."""
        from .catalog import table_function

        arguments = [self.expression(x, sees or Scope()) for x in node.arguments]
        known = table_function(node.parts)
        row = self.code.name("r")
        alias = node.alias or node.parts[-1]
        if known is not None:
            fields, make = known
            scope.add(Binding(alias, (), row, fields))
            self._loop(row, f"{self.code.constant(make)}(ctx, {', '.join(a.code for a in arguments)})", body)
            return
        function = self.session.find(node.parts, kinds=("function",))
        if len(arguments) != len(function.parameters):
            raise SqlError(313, f"An insufficient number of arguments were supplied for the procedure or function {'.'.join(node.parts)}.")
        values = {}
        for (name, type_name), value in zip(function.parameters, arguments, strict=True):
            values[name.lower()] = self.convert(value, self.type(type_name), explicit=False)
        inner = Scope(sees, values)
        with self.privileged(), self.session.within_schema(function.schema):
            name, lines, fields, _ = self.query_function(function.query, inner)
        self._from_query(alias, None, name, lines, fields, scope, body)

    def _from_join(self, node: n.Join, scope: Scope, body: Body) -> None:
        if node.kind == "right":
            # Rows come in the other order, which nothing promises; columns of * stay in theirs.
            self._outer(n.Join("left", node.right, node.left, node.on), scope, body, swapped=True)
        elif node.kind == "full":
            raise SqlError(102, "Incorrect syntax near 'FULL'. FULL JOIN is not known here.", 15)
        elif node.kind in ("left", "outer apply"):
            self._outer(node, scope, body)
        else:
            built = self._hashed(node, scope) if node.kind == "inner" else None
            if built is not None:
                built(body)
                return
            self.from_source(node.left, scope, lambda: self._inner_right(node, scope, body))

    def _inner_right(self, node: n.Join, scope: Scope, body: Body) -> None:
        def matched() -> None:
            if node.on is None:
                body()
                return
            found = self.condition(node.on, scope)
            with self.code.block(f"if {found} is True:"):
                body()

        self._right(node, scope, matched)

    def _right(self, node: n.Join, scope: Scope, body: Body) -> None:
        """The right side; that of APPLY sees the left one."""
        if not node.kind.endswith("apply"):
            self.from_source(node.right, scope, body)
            return
        right = node.right
        if isinstance(right, n.Values):
            self._values(right, scope, scope, body)
        elif isinstance(right, n.Function):
            self._function(right, scope, scope, body)
        elif isinstance(right, n.Derived):
            inner = Scope(scope)
            name, lines, fields, _ = self.query_function(right.query, inner)
            self._from_query(right.alias, right.columns, name, lines, fields, scope, body)
        else:
            self.from_source(right, scope, body)

    def _outer(self, node: n.Join, scope: Scope, body: Body, swapped: bool = False) -> None:
        before = len(scope.bindings)
        built = self._hashed(node, scope, outer=True) if node.kind == "left" else None

        def right() -> None:
            start = len(scope.bindings)
            matches = self.code.let("[]")

            def matched() -> None:
                rows = "".join(f"{b.row}, " for b in scope.bindings[start:])
                if node.on is None:
                    self.code.line(f"{matches}.append(({rows}))")
                    return
                found = self.condition(node.on, scope)
                self.code.line(f"if {found} is True: {matches}.append(({rows}))")

            self._right(node, scope, matched)
            self._nullable(scope, start)
            nothing = "".join(f"{self.code.constant((None,) * len(b.fields))}, " for b in scope.bindings[start:])
            rows = "".join(f"{b.row}, " for b in scope.bindings[start:])
            with self.code.block(f"for {rows} in {matches} or (({nothing}),):"):
                if swapped:
                    scope.bindings[before:] = scope.bindings[start:] + scope.bindings[before:start]
                body()

        if built is not None and not swapped:
            built(body)
            return
        self.from_source(node.left, scope, right)

    @staticmethod
    def _nullable(scope: Scope, start: int) -> None:
        for binding in scope.bindings[start:]:
            binding.fields = [replace(f, nullable=True) for f in binding.fields]

    def _hashed(self, node: n.Join, scope: Scope, outer: bool = False):
        """A join with equal columns goes by a dictionary of its right side. None where there is no such pair."""
        right = node.right
        if not isinstance(right, n.Table) or right.as_of is not None:
            return None
        equalities = node.on.items if isinstance(node.on, n.Junction) and node.on.operator == "AND" else [node.on]
        binding, rows = self.table(right, scope)
        pairs, rest = [], []
        alone = Scope()
        alone.add(binding)
        for item in equalities:
            pair = self._pair(item, alone) if isinstance(item, n.Compare) and item.operator == "=" else None
            (pairs if pair else rest).append(pair or item)
        if not pairs:
            return None

        def build(body: Body) -> None:
            table = self.code.let("{}")
            with self.code.capture() as looking:
                def left_body() -> None:
                    self._probe(scope, binding, pairs, rest, table, outer, body, filled)

                filled: list = []
                self.from_source(node.left, scope, left_body)
            with self.code.block(f"for {binding.row} in {rows}:"):
                self._fill(binding, filled, table)
            self.code.place(looking)

        return build

    def _pair(self, item: n.Compare, alone: Scope) -> tuple[n.Node, n.Node] | None:
        for mine, other in ((item.left, item.right), (item.right, item.left)):
            if isinstance(mine, n.Name) and isinstance(other, n.Name):
                mine_here, other_here = alone.find(mine.parts), alone.find(other.parts)
                if mine_here and len(mine.parts) > 1 and not other_here:
                    return mine, other
        return None

    def _probe(self, scope, binding, pairs, rest, table, outer, body, filled) -> None:
        alone = Scope()
        alone.add(binding)
        keys = []
        for mine, other in pairs:
            left, right = self.expression(other, scope), alone.resolve(mine.parts)
            with self.code.capture() as lines:
                held = self.join_key(right, left)
            filled.append((lines, held.code))
            keys.append(self.join_key(left, right).code)
        scope.add(binding)
        key = "(" + "".join(k + ", " for k in keys) + ")"
        found = f"{table}.get({key}, ())"
        if not outer:
            with self.code.block(f"for {binding.row} in {found}:"):
                self._remaining(rest, scope, body)
            return
        matches = self.code.let("[]")
        with self.code.block(f"for {binding.row} in {found}:"):
            self._remaining(rest, scope, lambda: self.code.line(f"{matches}.append({binding.row})"))
        binding.fields = [replace(f, nullable=True) for f in binding.fields]
        nothing = self.code.constant((None,) * len(binding.fields))
        with self.code.block(f"for {binding.row} in {matches} or ({nothing},):"):
            body()

    def join_key(self, value: Value, other: Value) -> Value:
        """What one side of an equality is looked up by."""
        target = t.common(value.type, other.type)
        if target.name in t.EXACT:
            return self._same_scale(value)
        if target.name in t.TEXT:
            target = t.with_collation(target, self.collation_of((value, other)).type.collation)
        return self.key(self.convert(value, target, explicit=False))

    def _remaining(self, rest, scope: Scope, body: Body) -> None:
        if not rest:
            body()
            return
        found = self.condition(rest[0] if len(rest) == 1 else n.Junction("AND", rest), scope)
        with self.code.block(f"if {found} is True:"):
            body()

    def _fill(self, binding: Binding, filled, table: str) -> None:
        for lines, _ in filled:
            self.code.place(lines)
        keys = [code for _, code in filled]
        test = " and ".join(f"{k} is not None" for k in keys)
        key = "(" + "".join(k + ", " for k in keys) + ")"
        self.code.line(f"if {test}: {table}.setdefault({key}, []).append({binding.row})")


__all__ = ["Sources", "Value"]
