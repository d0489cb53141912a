"""Expressions and conditions. T-SQL keeps them apart: a condition is no value."""

from __future__ import annotations

from . import nodes as n
from .lexer import RESERVED, Token
from .parse_cursor import Cursor
from .values import MAX, SqlError

# CASE nests ten levels deep at most: https://learn.microsoft.com/sql/t-sql/language-elements/case-transact-sql
CASE_LEVELS = 10
_COMPARISONS = {"=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "<>": "<>", "!=": "<>", "!<": ">=", "!>": "<="}
_NILADIC = {"CURRENT_TIMESTAMP", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER"}
# Reserved words that are functions all the same.
_FUNCTIONS = {"LEFT", "RIGHT", "COALESCE", "NULLIF", "IDENTITY"}
# How deep the parser goes into itself before it refuses: error 191.
_DEPTH = 150


class Expressions(Cursor):
    """The grammar of expressions."""

    # Conditions

    def condition(self) -> n.Node:
        node = self.disjunction()
        if not isinstance(node, n.CONDITIONS):
            raise self._no_condition()
        return node

    def _no_condition(self) -> SqlError:
        near = self.token.text or self.tokens[max(self.at - 1, 0)].text
        return SqlError(4145, f"An expression of non-boolean type specified in a context where a condition is expected, near '{near}'.", 15)

    def disjunction(self) -> n.Node:
        return self._junction("OR", lambda: self._junction("AND", self._negation))

    def _junction(self, word: str, one) -> n.Node:
        first = one()
        if not self.is_word(word):
            return first
        items = [first]
        while self.is_word(word):
            if not isinstance(items[-1], n.CONDITIONS):
                raise self._no_condition()
            self.next()
            items.append(one())
        if not isinstance(items[-1], n.CONDITIONS):
            raise self._no_condition()
        return n.Junction(word, items)

    def _negation(self) -> n.Node:
        if self.take("NOT"):
            operand = self._deeper(self._negation)
            if not isinstance(operand, n.CONDITIONS):
                raise self._no_condition()
            return n.Not(operand)
        return self._predicate()

    def _deeper(self, one) -> n.Node:
        self.depth += 1
        if self.depth > _DEPTH:
            raise SqlError(191, "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.", 15)
        try:
            return one()
        finally:
            self.depth -= 1

    def _predicate(self) -> n.Node:
        if self.is_word("EXISTS"):
            self.next()
            return n.Exists(self._query_in_parentheses())
        left = self._sum(conditions=True)
        if isinstance(left, n.CONDITIONS):
            return left
        operator = self.token.text if self.token.kind == "operator" else ""
        if operator in _COMPARISONS:
            self.next()
            return n.Compare(_COMPARISONS[operator], left, self.expression())
        if self.take("IS"):
            negated = self.take("NOT")
            self.expect("NULL")
            return n.IsNull(left, negated)
        negated = False
        if self.is_word("NOT") and self.ahead().word in ("IN", "BETWEEN", "LIKE"):
            self.next()
            negated = True
        if self.take("IN"):
            if self.ahead().word in ("SELECT", "WITH"):
                return n.In(left, self._query_in_parentheses(), negated)
            return n.In(left, self.parenthesised(self.expression), negated)
        if self.take("BETWEEN"):
            low = self.expression()
            self.expect("AND")
            return n.Between(left, low, self.expression(), negated)
        if self.take("LIKE"):
            pattern = self.expression()
            return n.Like(left, pattern, self.expression() if self.take("ESCAPE") else None, negated)
        return left

    # Expressions

    def expression(self) -> n.Node:
        node = self._sum()
        if isinstance(node, n.CONDITIONS):
            raise self.error(self.tokens[self.at - 1])
        return node

    def _sum(self, conditions: bool = False) -> n.Node:
        left = self._product(conditions)
        while self.token.kind == "operator" and self.token.text in ("+", "-", "&", "|", "^"):
            if isinstance(left, n.CONDITIONS):
                raise self.error()
            left = n.Binary(self.next().text, left, self._operand())
        return left

    def _product(self, conditions: bool = False) -> n.Node:
        left = self._unary(conditions)
        while self.token.kind == "operator" and self.token.text in ("*", "/", "%"):
            if isinstance(left, n.CONDITIONS):
                raise self.error()
            operator = self.next().text
            right = self._unary()
            if isinstance(right, n.CONDITIONS):
                raise self.error()
            left = n.Binary(operator, left, right)
        return left

    def _operand(self) -> n.Node:
        right = self._product()
        if isinstance(right, n.CONDITIONS):
            raise self.error()
        return right

    def _unary(self, conditions: bool = False) -> n.Node:
        if self.token.kind == "operator" and self.token.text in ("-", "+", "~"):
            operator = self.next().text
            operand = self._deeper(self._unary)
            if isinstance(operand, n.CONDITIONS):
                raise self.error()
            return n.Unary(operator, operand)
        node = self._deeper(lambda: self._primary(conditions))
        return node if isinstance(node, n.CONDITIONS) else self._suffixes(node)

    def _suffixes(self, node: n.Node) -> n.Node:
        while True:
            if self.take("COLLATE"):
                node = n.Collate(node, self.identifier())
            elif self.is_op(".") and isinstance(node, (n.Method, n.Cast, n.Subquery, n.Call, n.Variable)):
                self.next()
                node = self._method(node, self.identifier())
            else:
                return node

    def _method(self, operand: n.Node, name: str) -> n.Method:
        return n.Method(operand, name, self._arguments() if self.is_op("(") else None)

    def _arguments(self) -> list[n.Node]:
        self.expect_op("(")
        if self.take_op(")"):
            return []
        arguments = self.listed(self.expression)
        self.expect_op(")")
        return arguments

    def _primary(self, conditions: bool) -> n.Node:
        token = self.token
        if token.kind in ("string", "nstring", "integer", "decimal", "float", "money", "binary"):
            return n.Literal(token.kind, self.next().text)
        if token.kind == "variable":
            return n.Variable(self.next().text)
        if token.kind == "global":
            return n.Global(self.next().text.upper())
        if self.is_op("("):
            return self._parenthesis(conditions)
        if token.kind in ("name", "quoted"):
            return self._named(token)
        raise self.error()

    def _parenthesis(self, conditions: bool) -> n.Node:
        if self.ahead().word in ("SELECT", "WITH"):
            return n.Subquery(self._query_in_parentheses())
        self.next()
        node = self.disjunction() if conditions else self.expression()
        if self.is_op(",") and conditions:
            raise self._no_condition()
        self.expect_op(")")
        return node

    def _query_in_parentheses(self) -> n.Query:
        self.expect_op("(")
        query = self._deeper(self.query)
        self.expect_op(")")
        return query

    def _named(self, token: Token) -> n.Node:
        word = token.word
        if word == "NULL":
            self.next()
            return n.Literal("null")
        if word == "CASE":
            return self._case()
        if word in ("CAST", "TRY_CAST") and self.ahead().text == "(":
            self.at += 2
            operand = self.expression()
            self.expect("AS")
            node = n.Cast(operand, self.type_name(), word == "TRY_CAST")
            self.expect_op(")")
            return node
        if word in ("CONVERT", "TRY_CONVERT"):
            return self._convert()
        if word in _NILADIC:
            self.next()
            return n.Call((word,), [])
        if word == "DEFAULT":
            self.next()
            return n.Default()
        if word in RESERVED and word not in _FUNCTIONS:
            raise self.error()
        if word in ("LEFT", "RIGHT", "COALESCE", "NULLIF", "IDENTITY"):
            if self.ahead().text != "(":
                raise self.error()
            self.next()
            return self._call((word,))
        return self._name_or_call()

    def _name_or_call(self) -> n.Node:
        names = [self.identifier()]
        while self.is_op(".") and not self.ahead().text == "*":
            self.next()
            names.append("" if self.is_op(".") else self.identifier())
        if self.take_op("::"):
            method = self.identifier()
            return n.Method(n.TypeName(tuple(names)), method, self._arguments() if self.is_op("(") else None)
        if self.is_op("("):
            # A name of parts before parentheses: a function of a schema, or a method of a column.
            if len(names) > 1 and self._is_method(names):
                return self._method(n.Name(tuple(names[:-1])), names[-1])
            return self._call(tuple(names))
        if len(names) > 1 and names[-1] in ("STSrid", "STX", "STY", "Z", "M", "Long", "Lat"):
            return n.Method(n.Name(tuple(names[:-1])), names[-1], None)
        if len(names) > 4:
            raise SqlError(4104, f'The multi-part identifier "{".".join(names)}" could not be bound.')
        return n.Name(tuple(names))

    @staticmethod
    def _is_method(names: list[str]) -> bool:
        return names[-1] in _METHODS and names[0].lower() not in ("sys", "dbo")

    def _case(self) -> n.Node:
        self.next()
        self.case_level += 1
        if self.case_level > CASE_LEVELS:
            raise SqlError(125, f"Case expressions may only be nested to level {CASE_LEVELS}.", 15, 4)
        operand = None if self.is_word("WHEN") else self.expression()
        branches = []
        while self.take("WHEN"):
            test = self.condition() if operand is None else self.expression()
            self.expect("THEN")
            branches.append((test, self.expression()))
        if not branches:
            raise self.error()
        otherwise = self.expression() if self.take("ELSE") else None
        self.expect("END")
        self.case_level -= 1
        return n.Case(operand, branches, otherwise)

    def _convert(self) -> n.Node:
        attempt = self.next().word == "TRY_CONVERT"
        self.expect_op("(")
        type_name = self.type_name()
        self.expect_op(",")
        operand = self.expression()
        style = self.expression() if self.take_op(",") else None
        self.expect_op(")")
        return n.Cast(operand, type_name, attempt, style)

    def _call(self, name: n.Parts) -> n.Node:
        self.expect_op("(")
        call = n.Call(name, [])
        if self.take_op("*"):
            call.star = True
        elif not self.is_op(")"):
            call.distinct = self.take("DISTINCT")
            if not call.distinct:
                self.take("ALL")
            if name[-1].upper() == "IIF":
                call.arguments.append(self.condition())
                self.expect_op(",")
            call.arguments += self.listed(self.expression)
        self.expect_op(")")
        if self.take("WITHIN", "GROUP"):
            self.expect_op("(")
            self.expect("ORDER", "BY")
            call.over = n.Window([], self.listed(self.order_item), True)
            self.expect_op(")")
        elif self.take("OVER"):
            call.over = self._window()
        return call

    def _window(self) -> n.Window:
        self.expect_op("(")
        window = n.Window([], [])
        if self.take("PARTITION", "BY"):
            window.partition = self.listed(self.expression)
        if self.take("ORDER", "BY"):
            window.order = self.listed(self.order_item)
        self.expect_op(")")
        return window

    def order_item(self) -> n.Order:
        expression = self.expression()
        descending = self.take("DESC")
        if not descending:
            self.take("ASC")
        return n.Order(expression, descending)

    def type_name(self) -> n.TypeName:
        if self.take("DOUBLE", "PRECISION"):
            return n.TypeName(("float",), (53,))
        if self.take("NATIONAL"):
            names: n.Parts = ("nvarchar" if self.identifier().lower() != "text" else "ntext",)
            if self.is_word("VARYING"):
                self.next()
        else:
            names = self.parts()
        if self.take("VARYING"):
            names = ("var" + names[0].replace("character", "char"),)
        arguments = []
        if self.is_op("("):
            if self.ahead().word == "MAX":
                self.at += 2
                arguments = [MAX]
            else:
                self.next()
                arguments = self.listed(self.number)
            self.expect_op(")")
        return n.TypeName(names, tuple(arguments))


_METHODS = {
    "ToString", "STAsText", "AsTextZM", "STAsBinary", "AsBinaryZM", "GetLevel", "GetAncestor", "STGeometryType", "Serialize",
    "STIsValid", "STEquals", "STNumPoints", "value", "query", "exist", "nodes", "modify", "IsNull",
}  # fmt: skip
