"""Operators, conditions and CASE as Python source."""

from __future__ import annotations

from dataclasses import replace

from . import nodes as n
from . import sqltypes as t
from .arithmetic import Arithmetic
from .code import COERCIBLE, EXPLICIT, Value
from .collations import like, like_pattern, rules
from .comparisons import incomparable, key_of
from .scopes import Scope
from .values import DEFAULT_COLLATION, SqlError, SqlType

_PYTHON = {"=": "==", "<>": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}


class Operators(Arithmetic):
    """Conditions give code that is True, False or None."""

    def condition(self, node: n.Node, scope: Scope) -> str:
        return getattr(self, f"_is_{type(node).__name__.lower()}")(node, scope)

    def _is_compare(self, node: n.Compare, scope: Scope) -> str:
        return self.compare(node.operator, self.expression(node.left, scope), self.expression(node.right, scope))

    def compare(self, operator: str, left: Value, right: Value) -> str:
        if left.null and right.null:
            return "None"
        left, right = self.alike(left, right, comparing=True)
        form = f"{{}} {_PYTHON[operator]} {{}}"
        return self.apply(form, t.BIT, self.key(left), self.key(right)).code

    def alike(self, left: Value, right: Value, comparing: bool = False) -> tuple[Value, Value]:
        """Both as values of the type that they have in common."""
        if left.null or right.null:
            known = right if left.null else left
            other = Value("None", known.type, True, True, None)
            return (other, known) if left.null else (known, other)
        for value in (left, right) if comparing else ():
            if value.type.name in ("text", "ntext", "image", "xml", "geometry", "geography"):
                raise incomparable(value.type)
        target = t.common(left.type, right.type)
        if comparing and target.name in t.EXACT:
            # Numbers of any scale compare exactly, whatever the precision would come to.
            return self._same_scale(left), self._same_scale(right)
        if target.name in t.TEXT:
            target = t.with_collation(target, self.collation_of((left, right)).type.collation)
        return self.convert(left, target, explicit=False), self.convert(right, target, explicit=False)

    def _same_scale(self, value: Value) -> Value:
        name = value.type.name
        if name not in t.NUMERIC:
            target = t.decimal(38, 10)
            return self._same_scale(self.convert(value, target, explicit=False))
        scale = value.type.scale if name in t.EXACT else 4 if name in t.MONEY else 0
        if scale == 38:
            return value
        factor = 10 ** (38 - scale)
        if value.constant and value.literal is not None:
            return self.constant(int(value.literal) * factor, t.decimal(38, 38))
        return self.apply(f"{{}} * {factor}", t.decimal(38, 38), value)

    def collation_of(self, values) -> Value:
        """The value whose collation wins; 468 where two of equal right differ."""
        best: Value | None = None
        for value in values:
            if value.null or value.type.name not in t.TEXT:
                continue
            if best is None or value.rank > best.rank:
                best = value
            elif value.rank == best.rank and value.rank > COERCIBLE and value.type.collation != best.type.collation:
                raise SqlError(
                    468,
                    f'Cannot resolve the collation conflict between "{best.type.collation.name}" and'  # type: ignore[union-attr]
                    f' "{value.type.collation.name}" in the equal to operation.',  # type: ignore[union-attr]
                )
        if best is None:
            return replace(next(iter(values)), type=t.text(1, True, self.collation), rank=COERCIBLE)
        return best

    def key(self, value: Value) -> Value:
        """What values are compared by."""
        function = key_of(value.type)
        if function is None:
            return value
        if value.constant:
            return self.constant(None if value.literal is None else function(value.literal), value.type)
        name = self.code.constant(function)
        return self.apply(f"{name}({{}})", value.type, value)

    def _is_junction(self, node: n.Junction, scope: Scope) -> str:
        result = self.code.name()
        go_on, stop = ("False", "True") if node.operator == "AND" else ("True", "False")
        self.code.line(f"{result} = {stop}")
        for index, item in enumerate(node.items):
            if index == 0:
                self.code.line(f"{result} = {self.condition(item, scope)}")
                continue
            with self.code.block(f"if {result} is not {go_on}:"):
                found = self.condition(item, scope)
                self.code.line(f"if {found} is not {stop}: {result} = {found}")
        return result

    def _is_not(self, node: n.Not, scope: Scope) -> str:
        found = self.condition(node.operand, scope)
        return self.code.let(f"None if {found} is None else not {found}")

    def _is_isnull(self, node: n.IsNull, scope: Scope) -> str:
        value = self.expression(node.operand, scope)
        if not value.nullable:
            return str(node.negated)
        return self.code.let(f"{value.code} is {'not ' if node.negated else ''}None")

    def _is_between(self, node: n.Between, scope: Scope) -> str:
        both = n.Junction("AND", [n.Compare(">=", node.operand, node.low), n.Compare("<=", node.operand, node.high)])
        return self._is_not(n.Not(both), scope) if node.negated else self._is_junction(both, scope)

    def _is_in(self, node: n.In, scope: Scope) -> str:
        if isinstance(node.choices, n.Query):
            return self._in_query(node, scope)
        value = self.expression(node.operand, scope)
        choices = [self.expression(choice, scope) for choice in node.choices]
        known = self._in_constants(value, choices)
        if known is None:
            found = self.code.let("False")
            for choice in choices:
                with self.code.block(f"if {found} is not True:"):
                    same = self.compare("=", value, choice)
                    self.code.line(f"if {same} is not False: {found} = {same}")
        else:
            found = known
        return self.code.let(f"None if {found} is None else not {found}") if node.negated else found

    def _in_constants(self, value: Value, choices: list[Value]) -> str | None:
        """A set, where all choices are constants of types that one set holds."""
        if not all(c.constant and not c.null for c in choices) or value.null:
            return None
        target = value.type
        for choice in choices:
            target = t.common(target, choice.type)
        if target.name in t.EXACT:
            return None
        if target.name in t.TEXT:
            target = t.with_collation(target, self.collation_of((value, *choices)).type.collation)
        keys = [self.key(self.convert(choice, target, explicit=False)) for choice in choices]
        if not all(k.constant for k in keys):
            return None
        held = self.code.constant(frozenset(k.literal for k in keys))
        return self.apply(f"{{}} in {held}", t.BIT, self.key(self.convert(value, target, explicit=False))).code

    def _in_query(self, node: n.In, scope: Scope) -> str:
        value = self.expression(node.operand, scope)
        call, source = self.subquery(node.choices, scope, 1)
        column = source.fields[0]
        found, row = self.code.let("False"), self.code.name("r")
        with self.code.block(f"for {row} in {call}:"):
            same = self.compare("=", value, Value(f"{row}[0]", column.type, column.nullable, rank=column.rank))
            with self.code.block(f"if {same} is True:"):
                self.code.line(f"{found} = True")
                self.code.line("break")
            self.code.line(f"if {same} is None: {found} = None")
        return self.code.let(f"None if {found} is None else not {found}") if node.negated else found

    def _is_exists(self, node: n.Exists, scope: Scope) -> str:
        call, _ = self.subquery(node.query, scope, None)
        return self.code.let(f"next(iter({call}), None) is not None")

    def _is_like(self, node: n.Like, scope: Scope) -> str:
        value, pattern = self.expression(node.operand, scope), self.expression(node.pattern, scope)
        if value.null or pattern.null:
            return "None"
        for side in (value, pattern):
            if side.type.name == "xml":
                raise SqlError(8116, "Argument data type xml is invalid for argument 1 of like function.")
        wide = value.type.name in t.WIDE or pattern.type.name in t.WIDE
        collation = (self.collation_of((value, pattern)).type.collation or self.collation)
        text = self.as_text(value)
        pattern = self.as_text(pattern)
        escape = self.code.let(self.as_text(self.expression(node.escape, scope)).code) if node.escape is not None else "None"
        accents = rules(collation.name).accent
        name, padded = collation.name, not wide or value.type.name == "nchar"
        make, test = self.code.constant(like_pattern), self.code.constant(like)
        form = f"{test}({{}}, {make}({{}}, {escape}, {name!r}, {padded}), {accents})"
        found = self.apply(form, t.BIT, text, pattern).code
        return self.code.let(f"None if {found} is None else not {found}") if node.negated else found

    def as_text(self, value: Value) -> Value:
        """Text as it is, all else converted."""
        if value.type.name in t.TEXT and not value.null:
            return value
        return self.convert(value, t.text(4000, True, self.collation), explicit=value.type.name in t.MONEY)

    # CASE

    def _case(self, node: n.Case, scope: Scope) -> Value:
        operand = self.expression(node.operand, scope) if node.operand is not None else None
        branches = [(test, lambda result=result: self.expression(result, scope)) for test, result in node.branches]
        otherwise = (lambda: self.expression(node.otherwise, scope)) if node.otherwise is not None else None

        def decide(test):
            if operand is None:
                return self.condition(test, scope)
            return self.compare("=", operand, self.expression(test, scope))

        return self.choice([(lambda test=test: decide(test), result) for test, result in branches], otherwise)

    def choice(self, branches, otherwise) -> Value:
        """The first branch whose test is True. What a branch does not need is not evaluated."""
        pieces, results = [], []
        for test, result in branches:
            with self.code.capture() as test_lines:
                found = test()
            with self.code.capture() as lines:
                results.append(result())
            pieces.append((test_lines, found, lines))
        if otherwise is not None:
            with self.code.capture() as last:
                results.append(otherwise())
        else:
            last, _ = [], results.append(Value("None", t.INT, True, True, None, null=True))
        target, rank = self.common_of(results)
        name = self.code.name()
        nullable = any(r.nullable for r in results)
        made = Value(name, target, nullable, rank=rank, masked=any(r.masked for r in results))
        if len(pieces) == 1:
            (test_lines, found, lines), (result, other) = pieces[0], results
            self.code.place(test_lines)
            with self.code.block(f"if {found} is True:"):
                self.code.place(lines)
                self.code.line(f"{name} = {self.convert(result, target, explicit=False).code}")
            with self.code.block("else:"):
                self.code.place(last)
                self.code.line(f"{name} = {self.convert(other, target, explicit=False).code}")
            return made
        with self.code.block("while True:"):
            for (test_lines, found, lines), result in zip(pieces, results, strict=False):
                self.code.place(test_lines)
                with self.code.block(f"if {found} is True:"):
                    self.code.place(lines)
                    self.code.line(f"{name} = {self.convert(result, target, explicit=False).code}")
                    self.code.line("break")
            self.code.place(last)
            self.code.line(f"{name} = {self.convert(results[-1], target, explicit=False).code}")
            self.code.line("break")
        return made

    def common_of(self, values: list[Value]) -> tuple[SqlType, int]:
        """The type of several values' union, and its collation's rank."""
        known = [v for v in values if not v.null]
        if not known:
            return t.INT, COERCIBLE
        target = known[0].type
        for value in known[1:]:
            target = t.common(target, value.type)
        if target.name not in t.TEXT:
            return target, COERCIBLE
        winner = self.collation_of(known)
        return t.with_collation(target, winner.type.collation or DEFAULT_COLLATION), min(winner.rank, EXPLICIT)
