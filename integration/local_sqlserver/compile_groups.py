"""The rows of a SELECT as Python source: WHERE, GROUP BY, aggregates, HAVING, windows."""

from __future__ import annotations

from collections.abc import Callable

from . import nodes as n
from . import sqltypes as t
from . import windows
from .code import IMPLICIT, Value
from .compile_expressions import AGGREGATES
from .compile_sources import Sources
from .comparisons import key_of
from .numbers import integer, money
from .scopes import Scope, canonical
from .values import SqlError, SqlType

_RANKING = {"ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE"}


class Groups(Sources):
    """Emits a body for each row, group or row with windows."""

    def rows(self, select: n.Select, query: n.Query, scope: Scope, body: Callable[[], None]) -> None:
        asked = [select.items, select.having, query.order]
        aggregates = _calls(asked, lambda call: call.over is None or call.over.framed and call.name[-1].upper() == "STRING_AGG")
        aggregates = [c for c in aggregates if c.name[-1].upper() in AGGREGATES]
        over = _calls([select.items, query.order], lambda call: call.over is not None and call not in aggregates)
        # Of a windowed aggregate, the arguments may be aggregates: those of the groups.
        grouped = select.group is not None or aggregates or select.having is not None
        if over:
            self._windows_rows(select, scope, over, aggregates if grouped else None, body)
        elif grouped:
            self._grouped(select, scope, aggregates, body)
        else:
            self._plain(select, scope, body)

    def _plain(self, select: n.Select, scope: Scope, body: Callable[[], None]) -> None:
        def filtered() -> None:
            if select.where is None:
                body()
                return
            found = self.condition(select.where, scope)
            with self.code.block(f"if {found} is True:"):
                body()

        if select.source is None:
            filtered()
        else:
            self.seeking = select.where if isinstance(select.source, n.Table) else None
            self.from_source(select.source, scope, filtered)

    # Groups

    def _grouped(self, select: n.Select, scope: Scope, calls: list[n.Call], body: Callable[[], None]) -> None:
        groups = self.code.let("{}")
        group = self.code.name("g")
        only = None
        initial: list[str] = []
        replaced: dict[object, Value] = {}
        unique = {canonical(call, Scope()): call for call in calls}
        if not select.group:
            only = self.code.name()
            self.code.line(f"{only} = 0")
        finals: list[Callable[[], None]] = []

        def update() -> None:
            keys, kept = [], []
            for node in select.group or []:
                value = self.expression(node, scope)
                keys.append(self.key(value).code)
                kept.append((canonical(node, scope), value))
            for form, value in kept:
                position = self._slot(initial, value.code)
                replaced[form] = Value(f"{group}[{position}]", value.type, value.nullable, rank=value.rank, masked=value.masked)
            with self.code.capture() as updates:
                for call in unique.values():
                    finals.append(self._aggregate(call, scope, group, initial, replaced))
            if only is None:
                key = self.code.let("(" + "".join(k + ", " for k in keys) + ")")
                self.code.line(f"{group} = {groups}.get({key})")
                self.code.line(f"if {group} is None: {group} = {groups}[{key}] = [{', '.join(initial)}]")
            else:
                self.code.line(f"if {only} == 0: {only} = {group} = [{', '.join(initial)}]")
            self.code.place(updates)

        self._plain(select, scope, update)
        if only is not None:
            empty = [code if code in ("0", "None", "set()", "[]") else "None" for code in initial]
            rows = f"({only} or [{', '.join(empty)}],)"
        else:
            rows = f"{groups}.values()"
        with self.code.block(f"for {group} in {rows}:"):
            for final in finals:
                final()
            scope.replaced = replaced
            if select.having is not None:
                found = self.condition(select.having, scope)
                with self.code.block(f"if {found} is True:"):
                    body()
            else:
                body()

    @staticmethod
    def _slot(initial: list[str], code: str) -> int:
        initial.append(code)
        return len(initial) - 1

    def _aggregate(self, call: n.Call, scope: Scope, group: str, initial: list[str], replaced) -> Callable[[], None]:
        """Emits how a row changes an aggregate; gives what emits its end."""
        name = call.name[-1].upper()
        form = canonical(call, scope)
        if name in ("COUNT", "COUNT_BIG"):
            slot = self._slot(initial, "0")
            cell = f"{group}[{slot}]"
            if call.star:
                self.code.line(f"{cell} += 1")
            else:
                value = self._argument(call, scope)
                self._counted(value, call, group, initial, lambda _: self.code.line(f"{cell} += 1"))
            type_ = t.INT if name == "COUNT" else t.BIGINT
            return lambda: self._finished(form, cell, type_, False, replaced)
        value = self._argument(call, scope)
        type_ = value.type
        if name in ("MIN", "MAX"):
            return self._extreme(name, form, value, group, initial, replaced)
        if name == "STRING_AGG":
            return self._joined(call, form, value, scope, group, initial, replaced)
        if name not in ("SUM", "AVG"):
            raise SqlError(195, f"'{name}' is not a recognized built-in function name.", 15, 10)
        if type_.name == "bit" or type_.name not in t.NUMERIC:
            raise SqlError(8117, f"Operand data type {type_.name} is invalid for {name.lower()} operator.")
        slot, count = self._slot(initial, "0"), self._slot(initial, "0")

        def add(code: str) -> None:
            self.code.line(f"{group}[{slot}] += {code}")
            self.code.line(f"{group}[{count}] += 1")

        self._counted(value, call, group, initial, add)
        target, finish = sum_type(name, type_)
        helper = self.code.constant(finish)
        masked = value.masked

        def final() -> None:
            code = self.code.let(f"{helper}({group}[{slot}], {group}[{count}])")
            replaced[form] = Value(code, target, True, masked=masked)

        return final

    def _argument(self, call: n.Call, scope: Scope) -> Value:
        if not call.arguments or (len(call.arguments) > 1 and call.name[-1].upper() != "STRING_AGG"):
            raise SqlError(174, f"The {call.name[-1].lower()} function requires 1 argument(s).", 15)
        if _calls(call.arguments, lambda c: c.name[-1].upper() in AGGREGATES and c.over is None):
            raise SqlError(130, "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.")
        if _has_subquery(call.arguments):
            raise SqlError(130, "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.")
        value = self.expression(call.arguments[0], scope)
        if value.null:
            raise SqlError(8117, f"Operand data type NULL is invalid for {call.name[-1].lower()} operator.")
        return value

    def _counted(self, value: Value, call: n.Call, group: str, initial: list[str], add: Callable[[str], None]) -> None:
        """Adds a value that is not NULL, and each one only once with DISTINCT."""
        if value.nullable:
            with self.code.block(f"if {value.code} is not None:"):
                self._distinct(value, call, group, initial, add)
        else:
            self._distinct(value, call, group, initial, add)

    def _distinct(self, value: Value, call: n.Call, group: str, initial: list[str], add: Callable[[str], None]) -> None:
        if not call.distinct:
            add(value.code)
            return
        slot = self._slot(initial, "set()")
        key = self.key(value).code
        with self.code.block(f"if {key} not in {group}[{slot}]:"):
            self.code.line(f"{group}[{slot}].add({key})")
            add(value.code)

    def _extreme(self, name: str, form, value: Value, group: str, initial, replaced) -> Callable[[], None]:
        if value.type.name in ("bit", "text", "ntext", "image", "xml") or value.type.name in t.CLR - {"hierarchyid"}:
            raise SqlError(8117, f"Operand data type {value.type.name} is invalid for {name.lower()} operator.")
        slot = self._slot(initial, "None")
        held, sign = f"{group}[{slot}]", "<" if name == "MIN" else ">"
        if key_of(value.type) is None:
            test = f"{held} is None or {value.code} {sign} {held}"
            test = f"{value.code} is not None and ({test})" if value.nullable else test
            self.code.line(f"if {test}: {held} = {value.code}")
        else:
            key, kept = self.key(value).code, f"{group}[{self._slot(initial, 'None')}]"
            test = f"{kept} is None or {key} {sign} {kept}"
            test = f"{key} is not None and ({test})" if value.nullable else test
            with self.code.block(f"if {test}:"):
                self.code.line(f"{kept} = {key}")
                self.code.line(f"{held} = {value.code}")
        return lambda: self._finished(form, held, value.type, True, replaced, value)

    def _joined(self, call, form, value: Value, scope, group, initial, replaced) -> Callable[[], None]:
        if self.version < 2017:
            raise SqlError(195, "'STRING_AGG' is not a recognized built-in function name.", 15, 10)
        text, separator = self.as_text(value), self.as_text(self.expression(call.arguments[1], scope))
        slot = self._slot(initial, "[]")
        orders = [self._ordering_key(item, scope) for item in (call.over.order if call.over else [])]
        self.code.line(f"if {text.code} is not None: {group}[{slot}].append(({''.join(o + ', ' for o in orders)}{text.code}))" if orders else f"if {text.code} is not None: {group}[{slot}].append(({text.code},))")  # fmt: skip
        flags = tuple(item.descending for item in (call.over.order if call.over else []))
        helper = self.code.constant(windows.joined)
        type_ = t.text(-1 if value.type.length == -1 else 4000, value.type.name in t.WIDE or value.type.name not in t.TEXT, value.type.collation or self.collation)  # fmt: skip

        def final() -> None:
            code = self.code.let(f"{helper}({group}[{slot}], {separator.code}, {flags})")
            replaced[form] = Value(code, type_, True, rank=IMPLICIT)

        return final

    def _ordering_key(self, item: n.Order, scope: Scope) -> str:
        return self._order_key(self.expression(item.expression, scope))

    def _finished(self, form, cell: str, type_: SqlType, nullable: bool, replaced, value: Value | None = None) -> None:
        if type_ is t.INT and not nullable:
            self.code.line(f"if {cell} > 2147483647: {self.code.constant(integer)}({cell}, {self.code.constant(t.INT)})")
        rank = value.rank if value else 0
        replaced[form] = Value(cell, type_, nullable, rank=rank, masked=bool(value and value.masked))

    # Windows

    def _windows_rows(self, select, scope: Scope, over: list[n.Call], aggregates, body: Callable[[], None]) -> None:
        """All rows first, then each window's values, then the body for each row with them."""
        rows = self.code.let("[]")
        names: list[str] = []

        def keep() -> None:
            names[:] = [b.row for b in scope.bindings]
            if aggregates is not None:
                # What the groups' values are made of are temporaries: they are kept by value.
                names[:] = list(dict.fromkeys(v.code.split("[")[0] for v in scope.replaced.values()))
            self.code.line(f"{rows}.append(({''.join(x + ', ' for x in names)}))")

        if aggregates is not None:
            self._grouped(select, scope, aggregates, keep)
        else:
            self._plain(select, scope, keep)
        parameters = ", ".join(names)
        known: dict[object, Value] = {}
        variables = []
        for call in over:
            form = canonical(call, scope)
            if form in known:
                continue
            variable, value = self._window(call, scope, rows, parameters)
            known[form] = value
            variables.append((variable, value.code))
        unpack = f"({parameters}{',' if len(names) == 1 else ''})" if names else "_"
        loop = ", ".join([unpack, *(code for _, code in variables)])
        lists = ", ".join([rows, *(variable for variable, _ in variables)])
        scope.windows = known
        with self.code.block(f"for {loop} in zip({lists}):"):
            body()

    def _window(self, call: n.Call, scope: Scope, rows: str, parameters: str) -> tuple[str, Value]:
        name = call.name[-1].upper()
        window = call.over
        if name not in _RANKING and name not in AGGREGATES:
            raise SqlError(195, f"'{name}' is not a recognized built-in function name.", 15, 10)
        if name in _RANKING and not window.order:
            raise SqlError(4112, f"The function '{call.name[-1]}' must have an OVER clause with ORDER BY.", 15)
        part = self._keys_of(window.partition, scope, parameters)
        order = self._keys_of([item.expression for item in window.order], scope, parameters)
        flags = tuple(item.descending for item in window.order)
        arguments = [self.expression(x, scope) for x in call.arguments] if name == "NTILE" else []
        type_, source, key, finish = t.BIGINT, "None", "None", "None"
        rank, nullable = 0, True
        if name == "NTILE":
            source = self.convert(arguments[0], t.BIGINT).code
            nullable = False
        elif name in AGGREGATES and call.star or name in ("ROW_NUMBER", "RANK", "DENSE_RANK"):
            type_ = t.INT if name == "COUNT" else t.BIGINT
            nullable = False
        else:
            source, value = self._function_of(call.arguments[0], scope, parameters)
            type_, rank = value.type, value.rank
            if name in ("SUM", "AVG"):
                type_, helper = sum_type(name, value.type)
                finish = self.code.constant(helper)
            elif name in ("COUNT", "COUNT_BIG"):
                type_ = t.INT if name == "COUNT" else t.BIGINT
            elif name in ("MIN", "MAX"):
                function = key_of(value.type)
                key = self.code.constant(function) if function else "None"
            elif len(call.arguments) > 1:
                key = self.convert(self.expression(call.arguments[1], scope), t.INT).code
        helper = self.code.constant(windows.window)
        variable = self.code.let(f"{helper}({name!r}, {rows}, {part}, {order}, {flags}, {source}, {key}, {finish})")
        return variable, Value(self.code.name(), type_, nullable, rank=rank)

    def _keys_of(self, nodes: list[n.Node], scope: Scope, parameters: str) -> str:
        if not nodes:
            return "None"
        name = self.code.name("k")
        with self.code.block(f"def {name}({parameters}):"):
            keys = []
            for node in nodes:
                keys.append(self._order_key(self.expression(node, scope)))
            self.code.line(f"return ({', '.join(keys)},)")
        return name

    def _function_of(self, node: n.Node, scope: Scope, parameters: str) -> tuple[str, Value]:
        name = self.code.name("k")
        with self.code.block(f"def {name}({parameters}):"):
            value = self.expression(node, scope)
            self.code.line(f"return {value.code}")
        return name, value


def sum_type(name: str, type_: SqlType):
    """The type of a SUM or AVG, and the function from (sum, count) to its value.

    https://learn.microsoft.com/sql/t-sql/functions/sum-transact-sql, avg-transact-sql
    """
    average = name == "AVG"
    if type_.name in t.INTEGERS:
        target = t.BIGINT if type_.name == "bigint" else t.INT

        def finish(total, count):
            if not count:
                return None
            return (total // count if total >= 0 else -(-total // count)) if average else integer(total, target)

        return target, finish
    if type_.name in t.MONEY:
        return t.MONEY_TYPE, lambda total, count: None if not count else (
            (total // count if total >= 0 else -(-total // count)) if average else money(total, t.MONEY_TYPE)
        )
    if type_.name in t.EXACT:
        scale = max(type_.scale, 6) if average else type_.scale
        target = t.decimal(38, scale)

        def exact(total, count):
            if not count:
                return None
            total *= 10 ** (scale - type_.scale)
            value = (total // count if total >= 0 else -(-total // count)) if average else total
            if abs(value) >= 10**38:
                raise SqlError(8115, "Arithmetic overflow error converting expression to data type numeric.")
            return value

        return target, exact
    return t.FLOAT, lambda total, count: None if not count else (total / count if average else float(total))


def _calls(node: object, wanted) -> list[n.Call]:
    """The calls in an expression for which `wanted` holds, but not those of subqueries within."""
    if isinstance(node, n.Call):
        if wanted(node) and (node.over is not None or node.name[-1].upper() in AGGREGATES):
            inside = _calls(node.over, wanted) if node.over is not None else []
            return [*([] if node.over is None else _calls(node.arguments, wanted)), *inside, node]
        return [*_calls(node.arguments, wanted), *_calls(node.over, wanted)]
    if isinstance(node, (list, tuple)):
        return [call for item in node for call in _calls(item, wanted)]
    if isinstance(node, n.Query) or not hasattr(node, "__dataclass_fields__"):
        return []
    return [call for field in node.__dataclass_fields__ for call in _calls(getattr(node, field), wanted)]


def _has_subquery(node: object) -> bool:
    if isinstance(node, (n.Subquery, n.Exists, n.Query)):
        return True
    if isinstance(node, (list, tuple)):
        return any(map(_has_subquery, node))
    if not hasattr(node, "__dataclass_fields__"):
        return False
    return any(_has_subquery(getattr(node, field)) for field in node.__dataclass_fields__)
