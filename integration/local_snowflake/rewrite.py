"""What happens to a statement before fakesnow sees it: text that its parser refuses, names and functions
that DuckDB does not know."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlglot
from fakesnow.dialect import parse as parse_all
from sqlglot import Expr, exp
from sqlglot.tokens import TokenType

from . import names
from .copy_columns import duck_format
from .errors import SnowflakeError, not_emulated

_LEADING = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|//[^\n]*(?:\n|\Z)|/\*.*?\*/)+", re.DOTALL)
_HYBRID = re.compile(r"CREATE\s+(OR\s+REPLACE\s+)?HYBRID\s+TABLE", re.IGNORECASE)


def strip_comments(sql: str) -> str:
    """Drop what stands before the first word, and a closing semicolon."""
    if match := _LEADING.match(sql):
        sql = sql[match.end() :]
    return sql.rstrip().rstrip(";").rstrip()


def is_hybrid(sql: str) -> bool:
    return bool(_HYBRID.match(sql))


def plain_table(sql: str) -> str:
    """CREATE HYBRID TABLE as a table with its primary key; indexes are only about speed."""
    if match := _HYBRID.match(sql):
        sql = f"CREATE {match[1] or ''}TABLE{sql[match.end() :]}"
    if not re.search(r"\bINDEX\b", sql, re.IGNORECASE):
        return sql
    cuts, depth, start, previous = [], 0, None, None
    tokens = sqlglot.tokenize(sql, read="snowflake")
    for i, token in enumerate(tokens):
        if token.token_type == TokenType.L_PAREN:
            depth += 1
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
            if depth == 0:
                if start is not None:
                    cuts.append((start, token.start))
                break
        elif depth == 1:
            if token.token_type == TokenType.COMMA:
                if start is not None:
                    cuts.append((start, token.start))
                    start = None
            elif (
                previous in (TokenType.L_PAREN, TokenType.COMMA)
                and sql[token.start : token.end + 1].upper() == "INDEX"
                and i + 3 < len(tokens)
                and tokens[i + 2].token_type == TokenType.L_PAREN
                and tokens[i + 3].token_type != TokenType.NUMBER
            ):
                # From the comma before it, so that the list stays well formed.
                start = tokens[i - 1].start
        previous = token.token_type
    for begin, end in reversed(cuts):
        sql = sql[:begin] + sql[end:]
    return sql


def parse(sql: str) -> Expr:
    statements = parse_all(plain_table(sql) if re.match(r"CREATE\b", sql, re.IGNORECASE) else sql)
    found = [s for s in statements if s is not None and not isinstance(s, exp.Semicolon)]
    if len(found) != 1:
        # fakesnow would run them all; Snowflake refuses, unless the session asks for more.
        raise SnowflakeError(
            "000008", f"Actual statement count {len(found)} did not match the desired statement count 1.", "0A000"
        )
    return found[0]


def encode_names(expression: Expr, known_aliases: bool) -> None:
    """Database and schema names to the aliases they are kept under (see names)."""
    for identifier in expression.find_all(exp.Identifier):
        if not identifier.quoted and identifier.this.upper() in names.KEYWORDS:
            identifier.set("this", identifier.this.upper())
            identifier.set("quoted", True)
    for table in expression.find_all(exp.Table):
        for part in ("db", "catalog"):
            _encode(table.args.get(part))
    for column in expression.find_all(exp.Column):
        for part in ("db", "catalog"):
            _encode(column.args.get(part))
    if isinstance(expression, exp.Show) and isinstance(scope := expression.args.get("scope"), exp.Table):
        if str(expression.args.get("scope_kind", "")).upper() in ("SCHEMA", "DATABASE"):
            _encode(scope.this)
    if known_aliases and any(t.db.upper() == "INFORMATION_SCHEMA" for t in expression.find_all(exp.Table)):
        for text in expression.find_all(exp.Literal):
            if text.is_string and names.encode(text.this) != text.this:
                # A name that only looks like one matches nothing either way.
                other = exp.Literal.string(names.encode(text.this))
                if isinstance(text.parent, exp.EQ):
                    text.parent.replace(exp.In(this=text.parent.this.copy(), expressions=[text.copy(), other]))


def _encode(identifier: Any) -> None:
    """Also settles the case of a bare name, so that nobody has to ask for it again."""
    if isinstance(identifier, exp.Identifier):
        name = identifier.this if identifier.quoted else identifier.this.upper()
        identifier.set("this", name if name == "INFORMATION_SCHEMA" else names.encode(name))


def context_functions(expression: Expr, values: dict[str, Callable[[], Expr]]) -> Expr:
    """CURRENT_USER() and its like, which DuckDB does not know, as literals of this session."""
    for node in list(expression.find_all(exp.Func)):
        name = node.name.upper() if isinstance(node, exp.Anonymous) else node.sql_names()[0].upper()
        if make := values.get(name):
            replacement = make()
            if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
                replacement = exp.alias_(replacement, f"{name}()", quoted=True)
            if node is expression:
                return replacement
            node.replace(replacement)
    return expression


def hashes(expression: Expr) -> None:
    """HASH is a signed number, and HASH_AGG a sum over rows that does not care about their order."""
    for node in list(expression.find_all(exp.Anonymous, exp.HashAgg)):
        is_aggregate = isinstance(node, exp.HashAgg)
        if is_aggregate or node.name.upper() == "HASH":
            given = [node.this, *node.expressions] if is_aggregate else node.expressions
            arguments = [exp.Var(this="*COLUMNS(*)") if a.is_star else a.copy() for a in given]
            number: Expr = _fill("CAST(CAST(h AS INT128) - 9223372036854775808 AS BIGINT)", exp.func("hash", *arguments))
            if is_aggregate:
                number = _fill("CAST(SUM(h) % 9223372036854775807 AS BIGINT)", number)
            node.replace(number)


def text_formats(expression: Expr) -> None:
    """TO_VARCHAR with a format: fakesnow ignores the format, which is worse than refusing it."""
    for node in list(expression.find_all(exp.ToChar)):
        form = node.args.get("format")
        if form is None:
            continue
        name = form.name.upper() if isinstance(form, exp.Literal) else ""
        function = {"HEX": "hex", "BASE64": "to_base64", "UTF-8": "decode", "UTF8": "decode"}.get(name)
        if function:
            node.replace(exp.func(function, node.this.copy()))
        elif re.search(r"YY|MM|DD|HH|MI|SS|FF", name):
            node.replace(exp.func("strftime", node.this.copy(), exp.Literal.string(duck_format(form.name))))
        else:
            raise not_emulated("this format of TO_VARCHAR")


def _fill(template: str, value: Expr) -> Expr:
    tree = sqlglot.parse_one(template, read="duckdb")
    tree.find(exp.Column).replace(value)
    return tree


def target(expression: Expr) -> exp.Table | None:
    """The table that a DML statement writes."""
    this = expression.this
    if isinstance(this, exp.Schema):
        this = this.this
    if isinstance(expression, exp.TruncateTable):
        this = expression.expressions[0]
    return this if isinstance(this, exp.Table) else None


def tables(expression: Expr) -> list[exp.Table]:
    ctes = {cte.alias_or_name.upper() for cte in expression.find_all(exp.CTE)}
    return [t for t in expression.find_all(exp.Table) if t.name and (t.db or t.name.upper() not in ctes)]


def require(condition: object, error: SnowflakeError) -> None:
    if not condition:
        raise error
