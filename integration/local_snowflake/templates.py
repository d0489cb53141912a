"""Translations kept, without the values in them.

Translating a statement takes most of the stand-in's time: seventy passes over its tree. Clients send the same few
statements again and again with other values, so the translation of a statement's shape (its text without texts and whole
numbers) is kept from its second sight on, if the values have no part in it: the shape is translated once with these values
and once with marks in their places, and it is kept only if both give the same text. Everything else takes the long way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakesnow.statement_type import statement_type_id
from sqlglot import Expr, exp

from . import commands, definitions, names, notes, rewrite
from .definitions import Definition
from .engine import PLANNED, Cursor, Plan
from .kept import Kept

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
_CREATES = re.compile(r"CREATE\s+(OR\s+REPLACE\s+)?((HYBRID|TRANSIENT)\s+)?(TABLE|VIEW)\b", re.IGNORECASE)
_OWNER = re.compile(r'"([A-Z_][A-Z0-9_]*[0-9][A-Z0-9_]*)"(?=\.)')
_OWNER_MARK = re.compile("ZQ([0-9]+)QZ")
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


# A table's database, schema and name, with marks for values, and whether the name is quoted.
Place = tuple[str, str, str, bool]


@dataclass(frozen=True)
class Template:
    """A translated statement between whose pieces values go: each slot is a value's number, or None for the time."""

    pieces: tuple[str, ...]
    slots: tuple[int | None, ...]
    plan: Plan
    target: Place | None
    tables: tuple[Place, ...]
    type_id: int
    # Whether it names all tables with their databases and schemas.
    in_full: bool

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

    def _named(self, place: Place) -> exp.Table:
        *names, quoted = place
        database, schema, table = (self.values[int(mark[1])][1:-1] if (mark := _OWNER_MARK.fullmatch(name)) else name for name in names)
        return exp.Table(
            this=exp.Identifier(this=table, quoted=quoted),
            db=exp.Identifier(this=schema, quoted=True) if schema else None,
            catalog=exp.Identifier(this=database, quoted=True) if database else None,
        )


@dataclass(frozen=True)
class Defined:
    """What creates a table or a view, and was known."""

    definition: Definition
    type_id: int
    in_full: bool


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


_Key = tuple[str, ...]


class Templates:
    """Of one server, by shape, and by the current database and schema where a name is not in full. What is known: None if a
    shape was seen; False if it is not kept; True if it depends on the current schema."""

    def __init__(self, directory: Path | None = None) -> None:
        """`directory` has those of other servers, and keeps those of this one."""
        self._known: dict[_Key, Template | Defined | bool | None] = {}
        self._kept = Kept(directory) if directory else None
        if self._kept:
            self._known.update((key, _read(value)) for key, value in self._kept.read())

    def find(self, session: Session, text: str) -> Known | None:
        if not _FIRST.match(text) or "\x00" in text:
            return None
        shape, values = cut(text)
        if len(values) > _MOST_VALUES or _UNSAFE.search(shape):
            return None
        template = self._look((shape,), session, lambda: _learn(session, text, shape, values))
        return template.filled(values) if isinstance(template, Template) else None

    def define(self, session: Session, text: str) -> Defined | None:
        """What creates the table or view of this statement."""
        if not _CREATES.match(text) or "\x00" in text or _UNSAFE.search(text) or session.account.governance.collations:
            return None
        owners = {*_OWNER.findall(text)}
        if len(owners) > 1 or any(owner in names.KEYWORDS or names.encode(owner) != owner for owner in owners):
            return None
        shape = _OWNER.sub("\x00o", text)
        # What the account allows, and gives to columns that say nothing.
        default = session.server.account_parameters.get("DEFAULT_DDL_COLLATION", "")
        key = (shape, default, *(str(length) for length in notes.LARGEST.values()))
        owner = next(iter(owners), "")
        defined = self._look(key, session, lambda: _learn_definition(session, text, shape, owner))
        if not isinstance(defined, Defined):
            return None
        return Defined(defined.definition.map(lambda part: part.replace("ZQ0QZ", owner)), defined.type_id, defined.in_full)

    def _look(
        self, key: _Key, session: Session, learn: Callable[[], Template | Defined | None]
    ) -> Template | Defined | bool | None:
        if key not in self._known:
            if len(self._known) >= _MOST_TEMPLATES:
                self._known.clear()
            self._known[key] = None
            return None
        there = (*key, session.database or "", session.schema or "")
        known = self._known.get(key)
        depends = known is True
        if depends:
            known = self._known.get(there)
        if known is None:
            known = learn() or False
            if known and not known.in_full and not depends:
                depends = True
                self._keep(key, True)
            self._keep(there if depends else key, known)
        return known

    def _keep(self, key: _Key, known: Template | Defined | bool) -> None:
        self._known[key] = known
        if self._kept and len(self._known) < _MOST_TEMPLATES:
            self._kept.add(key, known if isinstance(known, bool) else asdict(known))


def _read(value: Any) -> Template | Defined | bool:
    if isinstance(value, bool):
        return value
    if definition := value.get("definition"):
        return Defined(Definition.read(definition), value["type_id"], value["in_full"])
    plan = Plan(**{**value["plan"], "actions": tuple(value["plan"]["actions"])})
    target, tables = value["target"], tuple(map(tuple, value["tables"]))
    pieces, slots = tuple(value["pieces"]), tuple(value["slots"])
    return Template(pieces, slots, plan, tuple(target) if target else None, tables, value["type_id"], value["in_full"])


def _learn_definition(session: Session, text: str, shape: str, owner: str) -> Defined | None:
    try:
        session.bind_context(session.conn)
        given, marked = _define(session, text), _define(session, shape.replace("\x00o", '"ZQ0QZ"'))
    except Exception:  # The long way says what is wrong with it.
        return None
    if given is None or marked is None:
        return None
    filled = marked.definition.map(lambda part: part.replace("ZQ0QZ", owner))
    return marked if filled == given.definition else None


def _define(session: Session, text: str) -> Defined | None:
    create = session.prepare(text)
    type_id, in_full = statement_type_id(create), all(table.catalog and table.db for table in rewrite.tables(create))
    definition = definitions.define(session, create, text, hybrid=rewrite.is_hybrid(text))
    return Defined(definition, type_id, in_full) if definition else None


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
    written = rewrite.target(expression) if plan.written is not None else None
    target = _placed(written) if written is not None else None
    tables = tuple(_placed(table) for table in rewrite.tables(expression))
    in_full = all(database and schema for database, schema, *_ in tables)
    type_id = statement_type_id(expression)
    template = Template(tuple(pieces), tuple(slots), plan.with_sql(""), target, tables, type_id, in_full)
    return template if template.fill(values, NOW) == plan.sql else None


def _placed(table: exp.Table) -> Place:
    return table.catalog, table.db, table.name, bool(table.this.args.get("quoted"))


def _translate(session: Session, text: str) -> tuple[Expr, Plan | None]:
    expression = session.prepare(text, now=NOW)
    kept = expression.copy()
    session.bind_context(session.conn)
    return kept, Cursor(session.conn).plan(expression) if isinstance(expression, PLANNED) else None
