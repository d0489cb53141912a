"""Expressions as Python source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from . import nodes as n
from . import sqltypes as t
from .code import COERCIBLE, EXPLICIT, Code, Value
from .collations import rules
from .compile_operators import Operators
from .conversions import converter
from .functions import REGISTRY
from .functions.globals import global_value
from .literals import literal
from .scopes import Scope, canonical
from .values import Collation, SqlError, SqlType

if TYPE_CHECKING:
    from .sessions import Session

AGGREGATES = {"COUNT", "COUNT_BIG", "SUM", "MIN", "MAX", "AVG", "STRING_AGG", "CHECKSUM_AGG", "STDEV", "VAR"}


class Expressions(Operators):
    """Compiles expressions into `code`, for a session with variables of known types."""

    def __init__(self, session: Session, variables: dict[str, SqlType]):
        self.session, self.variables = session, variables
        self.code = Code()
        self.version = session.engine.version

    @property
    def collation(self) -> Collation:
        """The database's."""
        return self.session.store.collation

    def expression(self, node: n.Node, scope: Scope) -> Value:
        if scope.replaced is not None and not isinstance(node, (n.Literal, n.Variable, n.Name)):
            known = scope.replaced.get(canonical(node, scope))
            if known is not None:
                return known
        if scope.windows and isinstance(node, n.Call) and node.over is not None:
            known = scope.windows.get(canonical(node, scope))
            if known is not None:
                return known
        return getattr(self, f"_{type(node).__name__.lower()}")(node, scope)

    def _literal(self, node: n.Literal, scope: Scope) -> Value:
        return literal(node, self.collation)

    def _name(self, node: n.Name, scope: Scope) -> Value:
        return scope.resolve(node.parts)

    def _variable(self, node: n.Variable, scope: Scope) -> Value:
        bound = scope.parameter(node.name)
        if bound is not None:
            outer: Scope | None = scope
            while outer is not None:
                outer.correlated, outer = True, outer.parent
            return bound
        type_ = self.variables.get(node.name.lower())
        if type_ is None:
            raise SqlError(137, f'Must declare the scalar variable "{node.name}".', 15, 2)
        return Value(self.code.let(f"ctx.variables[{node.name.lower()!r}]"), type_)

    def _global(self, node: n.Global, scope: Scope) -> Value:
        return global_value(self, node.name)

    def _default(self, node: n.Default, scope: Scope) -> Value:
        raise SqlError(156, "Incorrect syntax near the keyword 'DEFAULT'.", 15)

    def _collate(self, node: n.Collate, scope: Scope) -> Value:
        value = self.expression(node.operand, scope)
        name = self.collation.name if node.name.lower() == "database_default" else node.name
        rules(name, self.version)
        if value.type.name not in t.TEXT:
            if value.null:
                return value
            raise SqlError(447, f"Expression type {value.type.name} is invalid for COLLATE clause.")
        collation = Collation(name)
        target = t.with_collation(value.type, collation)
        if value.type.name in t.NARROW:
            # Another code page may lack the text's characters.
            value = self.convert(value, target)
        return replace(value, type=target, rank=EXPLICIT)

    def _cast(self, node: n.Cast, scope: Scope) -> Value:
        value = self.expression(node.operand, scope)
        target = self.type(node.type, 30)
        style = None
        if node.style is not None:
            given = self.expression(node.style, scope)
            if not given.constant:
                return self._dynamic_style(value, target, self.convert(given, t.INT), node.attempt)
            style = None if given.null else int(given.literal)  # type: ignore[arg-type]
        if node.attempt and self.version < 2012:
            raise SqlError(195, "'TRY_CAST' is not a recognized built-in function name.", 15, 10)
        if target.name in t.TEXT and value.type.name in t.TEXT:
            target = t.with_collation(target, value.type.collation)
        elif target.name in t.TEXT:
            target = t.with_collation(target, self.collation)
        if value.null:
            return Value("None", target, True, True, None)
        return self.convert(value, target, style, attempt=node.attempt)

    def _dynamic_style(self, value: Value, target: SqlType, style: Value, attempt: bool) -> Value:
        def convert(held, number):
            function = converter(value.type, target, number)
            try:
                return held if function is None else function(held)
            except SqlError:
                if attempt:
                    return None
                raise

        return self.apply(f"{self.code.constant(convert)}({{}}, {{}})", target, value, style)

    def type(self, written: n.TypeName, default_length: int = 1) -> SqlType:
        """The type of a type's name: an alias type is what it stands for."""
        name = written.parts[-1]
        if len(written.parts) == 1 or written.parts[-2].lower() == "sys":
            try:
                return t.make(name, written.arguments, self.collation, default_length)
            except SqlError as error:
                if error.number != 243:
                    raise
        alias = self.session.store.find_type(written.parts, self.session.default_schema)
        if alias is None:
            raise SqlError(243, f"Type {'.'.join(written.parts)} is not a defined system type.")
        return alias.base

    def convert(
        self, value: Value, target: SqlType, style: int | None = None, explicit: bool = True, attempt: bool = False
    ) -> Value:
        """The value as one of another type."""
        if value.null:
            return Value("None", target, True, True, None, null=False)
        if value.type.name in t.TEXT and target.name in t.TEXT and target.collation is None:
            target = t.with_collation(target, value.type.collation)
        function = converter(value.type, target, style, explicit)
        rank = value.rank if value.type.name in t.TEXT and target.name in t.TEXT else COERCIBLE
        if function is None:
            return replace(value, type=target, rank=rank)
        if attempt:
            function = _attempt(function)
        if value.constant:
            try:
                held = None if value.literal is None else function(value.literal)
            except SqlError:
                pass  # raised when the statement runs, if it comes so far
            else:
                return self.constant(held, target, rank)
        result = self.apply(f"{self.code.constant(function)}({{}})", target, value)
        return replace(result, rank=rank, nullable=result.nullable or attempt)

    def constant(self, held: object, type_: SqlType, rank: int = COERCIBLE) -> Value:
        code = repr(held) if type(held) in (int, bool, type(None)) else self.code.constant(held)
        return Value(code, type_, held is None, True, held, rank)

    def apply(self, form: str, type_: SqlType, *values: Value) -> Value:
        """The form with the values' code in it; NULL where one of them is."""
        expression = form.format(*(v.code for v in values))
        nullable = [v.code for v in values if v.nullable]
        masked = any(v.masked for v in values)
        rank = max((v.rank for v in values if v.type.name in t.TEXT), default=0) if type_.name in t.TEXT else 0
        if any(v.constant and v.literal is None for v in values):
            return Value("None", type_, True, True, None)
        if nullable:
            expression = f"None if {' or '.join(f'{c} is None' for c in dict.fromkeys(nullable))} else {expression}"
        return Value(self.code.let(expression), type_, bool(nullable), rank=rank, masked=masked)

    # Functions, methods, subqueries

    def _call(self, node: n.Call, scope: Scope) -> Value:
        name = node.name[-1].upper()
        if node.over is not None or name in AGGREGATES:
            if node.over is not None:
                raise SqlError(4108, "Windowed functions can only appear in the SELECT or ORDER BY clauses.", 15)
            raise SqlError(147, "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select list, and the column being aggregated is an outer reference.", 15)  # fmt: skip
        if len(node.name) == 1 or node.name[0].lower() == "sys":
            function = REGISTRY.get(name)
            if function is not None and function.since <= self.version:
                return function.build(self, node.arguments, scope)
        if len(node.name) == 1:
            raise SqlError(195, f"'{node.name[0]}' is not a recognized built-in function name.", 15, 10)
        raise SqlError(4121, f'Cannot find either column "{node.name[0]}" or the user-defined function or aggregate "{".".join(node.name)}", or the name is ambiguous.')  # fmt: skip

    def _method(self, node: n.Method, scope: Scope) -> Value:
        from .functions.clr_methods import instance_method, static_method

        if isinstance(node.operand, n.TypeName):
            return static_method(self, node, scope)
        return instance_method(self, node, scope)

    def _subquery(self, node: n.Subquery, scope: Scope) -> Value:
        call, source = self.subquery(node.query, scope, 1)
        column = source.fields[0]
        helper = self.code.constant(_single)
        return Value(self.code.let(f"{helper}({call})"), column.type, True, rank=column.rank, masked=column.masked)

    def mask(self, value: Value) -> Value:
        """What a masked value shows: https://learn.microsoft.com/sql/relational-databases/security/dynamic-data-masking"""
        type_ = value.type
        if type_.name in t.TEXT or type_.name == "xml":
            size = t.characters(type_) if type_.name in t.TEXT else -1
            held: object = "xxxx"[: size if size > 0 else 4] if type_.name != "xml" else "<masked />"
        elif type_.name in t.BINARY:
            held = b"0"
        elif type_.name in t.TEMPORAL:
            function = converter(t.text(30), type_)
            held = function("1900-01-01" if type_.name != "time" else "00:00:00")  # type: ignore[misc]
        elif type_.name == "uniqueidentifier":
            import uuid

            held = uuid.UUID(int=0)
        else:
            function = converter(t.INT, type_)
            held = 0 if function is None else function(0)
        code = self.code.constant(held) if not isinstance(held, int) else repr(held)
        return replace(value, code=f"(None if {value.code} is None else {code})", masked=False, constant=False)


def _attempt(function):
    def attempt(value):
        try:
            return function(value)
        except SqlError:
            return None

    return attempt


def _single(rows):
    value = None
    for index, row in enumerate(rows):
        if index:
            raise SqlError(
                512,
                "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when"
                " the subquery is used as an expression.",
            )
        value = row[0]
    return value
