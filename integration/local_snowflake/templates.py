"""Translations kept, without the values in them.

Translating a statement takes most of the stand-in's time: seventy passes over its tree. Clients send the same few
statements again and again with other values, so the translation of a statement's shape (its text without texts and whole
numbers) is kept from its second sight on, if the values have no part in it: the shape is translated once with these values
and once with marks in their places, and it is kept only if both give the same text. Everything else takes the long way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fakesnow.statement_type import statement_type_id
from sqlglot import Expr

from .engine import PLANNED, Cursor, Plan

if TYPE_CHECKING:
    from .session import Session

# Words that are kept in a shape: units of time, formats, states. All other texts are values.
_PARTS = re.compile(
    r"""(?P<name>"(?:[^"]|"")*")|'(?P<word>[A-Za-z_]+)'(?!')|'(?P<text>(?:[^'\\]|''|\\[\\'"nrt])*)'|(?<![\w.$])(?P<number>\d+)(?![\w.])"""
)
_FIRST = re.compile(r"(SELECT|WITH|INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
# What, outside of texts, depends on more than the statement, or begins what is not cut out: the session, stages, binds,
# comments, escapes, other quotes.
_UNSAFE = re.compile(
    r"\bCURRENT_|LAST_QUERY_ID|RESULT_SCAN|INFORMATION_SCHEMA|IDENTIFIER|SAMPLE|RANDOM|NEXTVAL|\\|\$|@|\?|--|//|/\*", re.IGNORECASE
)
_ESCAPES = {"\\": "\\", "'": "''", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_MARK = re.compile(r"'zq([0-9]+)qz'|\b98765([0-9]{5})4321\b|'(zqnowqz)'")
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
    # To ask for the tables in it.
    expression: Expr
    type_id: int

    def fill(self, values: list[str], now: str) -> str:
        parts = [self.pieces[0]]
        for slot, piece in zip(self.slots, self.pieces[1:], strict=True):
            parts += (f"'{now}'" if slot is None else values[slot], piece)
        return "".join(parts)

    def filled(self, values: list[str]) -> Plan:
        return self.plan.with_sql(self.fill(values, datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")))


def cut(text: str) -> tuple[str, list[str]]:
    """The shape of a statement, and its values as DuckDB writes them."""
    values: list[str] = []

    def replace(match: re.Match) -> str:
        if match["name"] or match["word"]:
            return match[0]
        values.append(re.sub(r"\\(.)", lambda escape: _ESCAPES[escape[1]], match[0]))
        return "\x00s" if match["number"] is None else "\x00n"

    return _PARTS.sub(replace, text), values


def _marked(shape: str) -> str:
    number = -1

    def mark(match: re.Match) -> str:
        nonlocal number
        number += 1
        return f"'zq{number}qz'" if match[1] == "s" else f"98765{number:05}4321"

    return re.sub("\x00([sn])", mark, shape)


class Templates:
    """Of one server. None: a shape that was seen; False: one that is not kept."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None, str | None], Template | bool | None] = {}

    def find(self, session: Session, text: str) -> tuple[Template, list[str]] | None:
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
        return (template, values) if isinstance(template, Template) else None


def _learn(session: Session, text: str, shape: str, values: list[str]) -> Template | None:
    try:
        expression, plan = _translate(session, text)
        _, marked = _translate(session, _marked(shape))
    except Exception:  # The long way says what is wrong with it.
        return None
    if plan is None or marked is None:
        return None
    pieces, slots, end = [], [], 0
    for match in _MARK.finditer(marked.sql):
        pieces.append(marked.sql[end : match.start()])
        slots.append(None if match[3] else int(match[1] or match[2]))
        end = match.end()
    pieces.append(marked.sql[end:])
    if any(slot is not None and slot >= len(values) for slot in slots):
        return None
    template = Template(tuple(pieces), tuple(slots), plan, expression, statement_type_id(expression))
    return template if template.fill(values, NOW) == plan.sql else None


def _translate(session: Session, text: str) -> tuple[Expr, Plan | None]:
    expression = session.prepare(text, now=NOW)
    kept = expression.copy()
    session.bind_context(session.conn)
    return kept, Cursor(session.conn).plan(expression) if isinstance(expression, PLANNED) else None
