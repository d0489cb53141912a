"""Queries: SELECT with all its clauses, set operations, common table expressions."""

from __future__ import annotations

from . import nodes as n
from .lexer import RESERVED
from .parse_expressions import Expressions
from .values import SqlError

_HINTS = {
    "NOLOCK", "READUNCOMMITTED", "READCOMMITTED", "READCOMMITTEDLOCK", "READPAST", "REPEATABLEREAD", "SERIALIZABLE",
    "HOLDLOCK", "SNAPSHOT", "TABLOCK", "TABLOCKX", "UPDLOCK", "XLOCK", "ROWLOCK", "PAGLOCK", "NOWAIT", "NOEXPAND",
    "FORCESEEK", "FORCESCAN", "KEEPIDENTITY", "KEEPDEFAULTS", "IGNORE_CONSTRAINTS", "IGNORE_TRIGGERS",
}  # fmt: skip


class Queries(Expressions):
    """The grammar of queries."""

    def query(self, top_level: bool = False) -> n.Query:
        """A query. Inside of another one, ORDER BY needs TOP or OFFSET (1033)."""
        ctes = self.ctes() if self.is_word("WITH") else []
        query = n.Query(self._combined(), ctes)
        if self.take("ORDER", "BY"):
            query.order = self.listed(self.order_item)
        if self.take("OFFSET"):
            if not query.order:
                raise SqlError(102, "Incorrect syntax near 'OFFSET'.", 15)
            query.offset = self.expression()
            if not self.take("ROWS"):
                self.expect("ROW")
            if self.take("FETCH"):
                if not self.take("NEXT"):
                    self.expect("FIRST")
                query.fetch = self.expression()
                if not self.take("ROWS"):
                    self.expect("ROW")
                self.expect("ONLY")
        if self.is_word("FOR") and self.ahead().word == "XML":
            self.at += 2
            query.xml = self._for_xml()
        limited = query.offset or query.xml or (isinstance(query.body, n.Select) and query.body.top is not None)
        if query.order and not limited and not top_level:
            raise SqlError(
                1033,
                "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table"
                " expressions, unless TOP, OFFSET or FOR XML is also specified.",
                15,
            )
        if top_level and self.take("OPTION"):
            self.expect_op("(")
            while not self.take_op(")"):
                if self.next().kind == "end":
                    raise self.error()
        return query

    def _for_xml(self) -> tuple[str, ...]:
        words = [self.next().word]
        if words != ["PATH"]:
            raise self.error()
        if self.is_op("("):
            self.next()
            words.append(self.string())
            self.expect_op(")")
        else:
            words.append("row")
        while self.take_op(","):
            words.append(self.next().word)
        return tuple(words)

    def ctes(self) -> list[tuple[str, list[str] | None, n.Query]]:
        self.expect("WITH")
        return self.listed(self._cte)

    def _cte(self) -> tuple[str, list[str] | None, n.Query]:
        name = self.identifier()
        columns = self.parenthesised(self.identifier) if self.is_op("(") else None
        self.expect("AS")
        self.expect_op("(")
        query = self.query()
        self.expect_op(")")
        return name, columns, query

    def _combined(self) -> n.Node:
        left = self._intersection()
        while self.is_word("UNION", "EXCEPT"):
            operator = self.next().word
            if operator == "UNION" and self.take("ALL"):
                operator = "UNION ALL"
            left = n.Combined(operator, left, self._intersection())
        return left

    def _intersection(self) -> n.Node:
        left = self._term()
        while self.take("INTERSECT"):
            left = n.Combined("INTERSECT", left, self._term())
        return left

    def _term(self) -> n.Node:
        if self.take_op("("):
            node = self._deeper(self._combined)
            self.expect_op(")")
            return node
        return self._select()

    def _select(self) -> n.Select:
        self.expect("SELECT")
        select = n.Select([])
        select.distinct = self.take("DISTINCT")
        if not select.distinct:
            self.take("ALL")
        if self.take("TOP"):
            if self.take_op("("):
                select.top = self.expression()
                self.expect_op(")")
            else:
                select.top = n.Literal("integer", str(self.number()))
            select.percent = self.take("PERCENT")
            select.ties = self.take("WITH", "TIES")
        select.items = self.listed(self._item)
        if self.take("INTO"):
            select.into = self.parts()
        if self.take("FROM"):
            select.source = self.from_clause()
        if self.take("WHERE"):
            select.where = self.condition()
        if self.take("GROUP", "BY"):
            select.group = self.listed(self._group_item)
        if self.take("HAVING"):
            select.having = self.condition()
        return select

    def _group_item(self) -> n.Node:
        expression = self.expression()
        if not _names_a_column(expression):
            raise SqlError(
                164, "Each GROUP BY expression must contain at least one column that is not an outer reference.", 15
            )
        return expression

    def _item(self) -> n.Node:
        if self.take_op("*"):
            return n.Star()
        if self._is_qualified_star():
            parts = [self.identifier()]
            while self.take_op("."):
                if self.take_op("*"):
                    return n.Star(tuple(parts))
                parts.append(self.identifier())
        if self.token.kind == "variable" and self.ahead().text in ("=", "+="):
            variable = self.next().text
            operator = self.next().text
            expression = self.expression()
            if operator == "+=":
                expression = n.Binary("+", n.Variable(variable), expression)
            return n.Item(expression, None, variable)
        if self.token.kind in ("name", "quoted", "string", "nstring") and self.ahead().text == "=" and not self.token.reserved:
            if self.ahead().kind == "operator":
                alias = self.next().text
                self.next()
                return n.Item(self.expression(), alias)
        return self._aliased(self.expression())

    def _is_qualified_star(self) -> bool:
        index = 0
        while self.ahead(index).kind in ("name", "quoted") and self.ahead(index + 1).text == ".":
            if self.ahead(index + 2).kind == "operator" and self.ahead(index + 2).text == "*":
                return True
            index += 2
        return False

    def _aliased(self, expression: n.Node) -> n.Item:
        if self.take("AS"):
            if self.token.kind in ("string", "nstring"):
                return n.Item(expression, self.next().text)
            return n.Item(expression, self.identifier())
        token = self.token
        if token.kind in ("quoted", "string", "nstring") or (token.kind == "name" and token.word not in RESERVED):
            return n.Item(expression, self.next().text)
        return n.Item(expression)

    # FROM

    def from_clause(self) -> n.Node:
        source = self._joined()
        while self.take_op(","):
            source = n.Join("cross", source, self._joined())
        return source

    def _joined(self) -> n.Node:
        left = self._source()
        while True:
            kind = self._join_kind()
            if kind is None:
                return left
            right = self._joined_group() if kind in ("inner", "left", "right", "full") else self._source()
            if kind in ("inner", "left", "right", "full"):
                self.expect("ON")
                left = n.Join(kind, left, right, self.condition())
            else:
                left = n.Join(kind, left, right)

    def _joined_group(self) -> n.Node:
        """The right side of a join: `a JOIN b JOIN c ON … ON …` nests without parentheses."""
        right = self._source()
        while not self.is_word("ON"):
            kind = self._join_kind()
            if kind is None:
                raise self.error()
            inner = self._joined_group() if kind in ("inner", "left", "right", "full") else self._source()
            on = None
            if kind in ("inner", "left", "right", "full"):
                self.expect("ON")
                on = self.condition()
            right = n.Join(kind, right, inner, on)
        return right

    def _join_kind(self) -> str | None:
        if self.take("CROSS", "JOIN"):
            return "cross"
        if self.take("CROSS", "APPLY"):
            return "cross apply"
        if self.take("OUTER", "APPLY"):
            return "outer apply"
        if self.take("JOIN") or self.take("INNER", "JOIN"):
            return "inner"
        for kind in ("LEFT", "RIGHT", "FULL"):
            if self.take(kind, "JOIN") or self.take(kind, "OUTER", "JOIN"):
                return kind.lower()
        for method in ("HASH", "LOOP", "MERGE"):
            for kind in ("INNER", "LEFT"):
                if self.take(kind, method, "JOIN"):
                    return kind.lower()
        return None

    def _source(self) -> n.Node:
        if self.is_op("("):
            return self._deeper(self._parenthesised_source)
        parts = self.parts()
        if self.is_op("(") and not (len(parts) == 1 and self._is_old_hint()):
            arguments = self._arguments()
            return n.Function(parts, arguments, self._alias())
        table = n.Table(parts)
        if self.take("FOR", "SYSTEM_TIME", "AS", "OF"):
            table.as_of = self.expression()
        elif self.take("FOR", "SYSTEM_TIME", "ALL"):
            table.as_of = n.Literal("null")
        table.alias = self._alias()
        if self.take("TABLESAMPLE"):
            table.sample = self._sample()
        if self.is_word("WITH") and self.ahead().text == "(":
            self.next()
            table.hints = self.table_hints()
        elif self.is_op("(") and self.ahead().word in _HINTS:
            table.hints = self.table_hints()
        return table

    def _is_old_hint(self) -> bool:
        return self.ahead().word in _HINTS and self.ahead(2).text in (")", ",")

    def _sample(self) -> tuple[n.Node, bool, n.Node]:
        """https://learn.microsoft.com/sql/t-sql/queries/from-transact-sql, TABLESAMPLE"""
        self.take("SYSTEM")
        self.expect_op("(")
        amount = self.expression()
        percent = not self.take("ROWS")
        if percent:
            self.take("PERCENT")
        self.expect_op(")")
        seed = None
        if self.take("REPEATABLE"):
            self.expect_op("(")
            seed = self.expression()
            self.expect_op(")")
        return amount, percent, seed

    def table_hints(self) -> frozenset[str]:
        hints = set()
        self.expect_op("(")
        while not self.take_op(")"):
            token = self.next()
            if token.word == "INDEX":
                if self.take_op("="):
                    self.next()
                elif self.is_op("("):
                    while not self.take_op(")"):
                        if self.next().kind == "end":
                            raise self.error()
            elif token.word not in _HINTS:
                raise SqlError(321, f'"{token.text}" is not a recognized table hints option.', 15)
            hints.add(token.word)
            self.take_op(",")
        return frozenset(hints)

    def _alias(self) -> str | None:
        if self.take("AS"):
            return self.identifier()
        token = self.token
        if token.kind == "quoted" or (token.kind == "name" and token.word not in RESERVED):
            return self.next().text
        return None

    def _parenthesised_source(self) -> n.Node:
        if self.ahead().word == "VALUES":
            self.at += 2
            rows = self.listed(lambda: self.parenthesised(self.expression))
            self.expect_op(")")
            alias, columns = self._required_alias()
            return n.Values(rows, alias, columns)
        if self.ahead().word in ("SELECT", "WITH") or self._opens_query():
            query = self._query_in_parentheses()
            alias, columns = self._required_alias()
            return n.Derived(query, alias, columns)
        self.next()
        source = self.from_clause()
        self.expect_op(")")
        return source

    def _opens_query(self) -> bool:
        index = 0
        while self.ahead(index).text == "(" and self.ahead(index).kind == "operator":
            index += 1
        return self.ahead(index).word == "SELECT"

    def _required_alias(self) -> tuple[str, list[str] | None]:
        alias = self._alias()
        if alias is None:
            raise self.error()
        return alias, self.parenthesised(self.identifier) if self.is_op("(") else None


def _names_a_column(node: object) -> bool:
    if isinstance(node, n.Name):
        return True
    if isinstance(node, (list, tuple)):
        return any(map(_names_a_column, node))
    fields = getattr(node, "__dataclass_fields__", None)
    if fields is None or isinstance(node, n.TypeName):
        return False
    return any(_names_a_column(getattr(node, field)) for field in fields)
