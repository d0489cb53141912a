"""Translations kept, without the values in them.

Translating a statement takes most of the stand-in's time: seventy passes over its tree. Clients send the same few
statements again and again with other values, so the translation of a statement's shape (its text without texts and whole
numbers) is kept from its second sight on, if the values have no part in it: the shape is translated once with these values
and once with marks in their places, and it is kept only if both give the same text. Everything else takes the long way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fakesnow.statement_type import statement_type_id
from sqlglot import Expr, exp

from . import commands, names, rewrite
from .engine import PLANNED, Cursor, Plan

if TYPE_CHECKING:
    from .session import Session

# Words that are kept in a shape: units of time, formats, states. All other texts are values. So is a numbered name before a
# dot: tests have databases of their own.
_PARTS = re.compile(
    r""""(?P<owner>[A-Z_][A-Z0-9_]*[0-9][A-Z0-9_]*)"(?=\.)"""
    r"""|(?P<name>"(?:[^"]|"")*")"""
    r"""|'(?P<word>[A-Za-z_]+)'(?!')"""
    r"""|(?P<text>'(?:[^'\\]|''|\\[\\'"nrt])*')"""
    r"""|(?<![\w.$])(?P<number>\d+)(?![\w.])"""
)
_FIRST = re.compile(r"(SELECT|WITH|INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
# What, outside of texts, depends on more than the statement, or begins what is not cut out: the session, stages, binds,
# comments, escapes, other quotes.
_UNSAFE = re.compile(
    r"\bCURRENT_|LAST_QUERY_ID|RESULT_SCAN|INFORMATION_SCHEMA|IDENTIFIER|SAMPLE|RANDOM|NEXTVAL|\\|\$|@|\?|--|//|/\*", re.IGNORECASE
)
_ESCAPES = {"\\": "\\", "'": "''", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_MARK = re.compile(r"""'zq([0-9]+)qz'|\b98765([0-9]{5})4321\b|"ZQ([0-9]+)QZ"|'(zqnowqz)'""")
NOW = "zqnowqz"
# Long lists of rows are seldom of one length twice.
_MOST_VALUES = 200
_MOST_TEMPLATES = 5000


@dataclass(frozen=True)
class Template:
    """A translated statement between whose pieces values go: each slot is a value's number, or None for the time."""

    pieces: tuple[str, ...]
    slots: tuple[int | None, ...]
    plan: Plan
    # With marks for values.
    target: exp.Table | None
    tables: tuple[exp.Table, ...]
    type_id: int

    def fill(self, values: list[str], now: str) -> str:
        parts = [self.pieces[0]]
        for slot, piece in zip(self.slots, self.pieces[1:], strict=True):
            parts += (f"'{now}'" if slot is None else values[slot], piece)
        return "".join(parts)

    def filled(self, values: list[str]) -> Known:
        sql = self.fill(values, commands.utc_now())
        return Known(self, values, self.plan.with_sql(sql))


@dataclass(frozen=True)
class Known:
    """A statement whose translation was known."""

    template: Template
    values: list[str]
    plan: Plan

    def target(self) -> exp.Table | None:
        return self._named(self.template.target) if self.template.target is not None else None

    def tables(self) -> list[exp.Table]:
        return [self._named(table) for table in self.template.tables]

    def _named(self, table: exp.Table) -> exp.Table:
        named = table.copy()
        for name in named.find_all(exp.Identifier):
            if mark := re.fullmatch("ZQ([0-9]+)QZ", name.this):
                name.set("this", self.values[int(mark[1])][1:-1])
        return named


def cut(text: str) -> tuple[str, list[str]]:
    """The shape of a statement, and its values as DuckDB writes them."""
    values: list[str] = []

    def replace(match: re.Match) -> str:
        if match["name"] or match["word"]:
            return match[0]
        if (owner := match["owner"]) and (owner in names.KEYWORDS or names.encode(owner) != owner):
            return match[0]
        values.append(re.sub(r"\\(.)", lambda escape: _ESCAPES[escape[1]], match[0]))
        return "\x00o" if owner else "\x00t" if match["text"] else "\x00n"

    return _PARTS.sub(replace, text), values


def _marked(shape: str) -> str:
    number = -1

    def mark(match: re.Match) -> str:
        nonlocal number
        number += 1
        return {"t": f"'zq{number}qz'", "n": f"98765{number:05}4321", "o": f'"ZQ{number}QZ"'}[match[1]]

    return re.sub("\x00([tno])", mark, shape)


class Templates:
    """Of one server. None: a shape that was seen; False: one that is not kept."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None, str | None], Template | bool | None] = {}

    def find(self, session: Session, text: str) -> Known | None:
        if not _FIRST.match(text) or "\x00" in text:
            return None
        shape, values = cut(text)
        if len(values) > _MOST_VALUES or _UNSAFE.search(shape):
            return None
        key = (shape, session.database, session.schema)
        if key not in self._known:
            if len(self._known) >= _MOST_TEMPLATES:
                self._known.clear()
            self._known[key] = None
            return None
        template = self._known[key]
        if template is None:
            template = self._known[key] = _learn(session, text, shape, values) or False
        return template.filled(values) if isinstance(template, Template) else None


def _learn(session: Session, text: str, shape: str, values: list[str]) -> Template | None:
    try:
        _, plan = _translate(session, text)
        expression, marked = _translate(session, _marked(shape))
    except Exception:  # The long way says what is wrong with it.
        return None
    if plan is None or marked is None:
        return None
    pieces, slots, end = [], [], 0
    for match in _MARK.finditer(marked.sql):
        pieces.append(marked.sql[end : match.start()])
        slots.append(None if match[4] else int(match[1] or match[2] or match[3]))
        end = match.end()
    pieces.append(marked.sql[end:])
    if any(slot is not None and slot >= len(values) for slot in slots):
        return None
    target = None if plan.written is None else rewrite.target(expression)
    tables = tuple(rewrite.tables(expression))
    template = Template(tuple(pieces), tuple(slots), plan, target, tables, statement_type_id(expression))
    return template if template.fill(values, NOW) == plan.sql else None


def _translate(session: Session, text: str) -> tuple[Expr, Plan | None]:
    expression = session.prepare(text, now=NOW)
    kept = expression.copy()
    session.bind_context(session.conn)
    return kept, Cursor(session.conn).plan(expression) if isinstance(expression, PLANNED) else None
