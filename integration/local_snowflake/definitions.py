"""What creates a table or a view, in DuckDB's words: statements that depend on the text alone, and are kept (see templates)."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from . import collations, governance, names, notes
from .catalog import exists
from .engine import Answer, Cursor, single
from .errors import SnowflakeError, already_exists

if TYPE_CHECKING:
    from fakesnow.conn import FakeSnowflakeConnection

    from .session import Session

# Stands in names of sequences, where a name that is new each time is to be.
_TOKEN = "zqtokenqz"


@dataclass(frozen=True)
class Definition:
    kind: str
    # Database, schema and name.
    place: tuple[str, str, str]
    if_not_exists: bool
    or_replace: bool
    hybrid: bool
    # Before it, it, and after it; all at once.
    sequences: tuple[str, ...]
    create: str
    comments: tuple[str, ...]

    def map(self, change: Callable[[str], str]) -> Definition:
        """The same with another text in place of each."""
        lists = {key: tuple(map(change, getattr(self, key))) for key in ("place", "sequences", "comments")}
        return replace(self, create=change(self.create), **lists)

    @staticmethod
    def read(kept: dict[str, Any]) -> Definition:
        """From JSON."""
        return Definition(**{key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()})


def place_of(conn: FakeSnowflakeConnection, table: exp.Table) -> tuple[str, str, str]:
    return resolved(table, "catalog") or conn.database, resolved(table, "db") or conn._schema, resolved(table, "this")


def resolved(table: exp.Table, part: str) -> str:
    ident = table.args.get(part)
    return "" if ident is None else ident.this if ident.quoted else ident.this.upper()


def full_name(place: tuple[str, str, str]) -> str:
    return f"{place[0]}.{place[1]}.{names.quote(place[2])}"


def define(session: Session, create: exp.Create, text: str, *, hybrid: bool) -> Definition | None:
    """None where it depends on more than its text."""
    if create.args.get("kind") == "VIEW":
        return _view(session, create)
    if isinstance(create.expression, exp.Expr) or create.find(exp.LikeProperty, exp.TemporaryProperty):
        return None
    return _table(session, create, text, hybrid=hybrid)


def create_table(
    session: Session, create: exp.Create, params: list | None, text: str, *, hybrid: bool, like: Callable[[exp.Table], Any]
) -> Answer:
    """`like` creates one like another."""
    conn = session.conn
    table = create.this.this if isinstance(create.this, exp.Schema) else create.this
    Cursor(conn).check_db_and_schema(create)
    place = place_of(conn, table)
    if answer := _there_already(session, place, bool(create.args.get("exists")), bool(create.args.get("replace"))):
        return answer
    _check_transience(session, place, hybrid=hybrid)
    properties = (create.args.get("properties") or exp.Properties(expressions=[])).expressions
    source = next((prop.this for prop in properties if isinstance(prop, exp.LikeProperty)), None)
    definition = _table(session, create, text, hybrid=hybrid, token=secrets.token_hex(6))
    if source is not None:
        return _create(session, definition, lambda: like(source))
    if create.args.get("properties") or params:
        return _create(session, definition, lambda: Cursor(conn).run(create, params))
    return _create(session, definition)


def create_view(session: Session, create: exp.Create, params: list | None) -> Answer:
    """fakesnow drops the comment, which says whose a view is."""
    Cursor(session.conn).check_db_and_schema(create)
    definition = _view(session, create)
    return create_defined(session, definition, (lambda: Cursor(session.conn).run(create, params)) if params else None)


def create_defined(session: Session, definition: Definition, work: Callable[[], Any] | None = None) -> Answer:
    """Creates it, by `work` if that is given."""
    place = definition.place
    if answer := _there_already(session, place, definition.if_not_exists, definition.or_replace):
        return answer
    if definition.kind == "TABLE":
        _check_transience(session, place, hybrid=definition.hybrid)
    return _create(session, definition, work)


def _there_already(session: Session, place: tuple[str, str, str], if_not_exists: bool, or_replace: bool) -> Answer | None:
    if not or_replace and exists(session.conn._duck_conn, *place):
        if not if_not_exists:
            raise already_exists(names.decode(".".join(place)))
        return single("status", f"{place[2]} already exists, statement succeeded.")
    return None


def _check_transience(session: Session, place: tuple[str, str, str], *, hybrid: bool) -> None:
    account = session.account
    if hybrid and account.has_database(place[0]) and {"", place[1]} & account.transient_schemas(place[0]):
        raise SnowflakeError("391411", "Hybrid tables cannot be created in transient schemas or databases.", "0A000")


def _create(session: Session, definition: Definition, work: Callable[[], Any] | None = None) -> Answer:
    duck, place = session.conn._duck_conn, definition.place
    token = secrets.token_hex(6)
    definition = definition.map(lambda text: text.replace(_TOKEN, token))
    with at_once(session.conn):
        for sequence in definition.sequences:
            duck.execute(sequence)
        if work is not None:
            work()
        else:
            try:
                duck.execute(definition.create)
            except duckdb.ParserException as error:
                raise SnowflakeError("001003", str(error), "42000") from error
        if definition.comments:
            duck.execute(";".join(definition.comments))
        if definition.kind == "TABLE":
            forget_loads(session.conn, *place)
            session.account.governance.forget("TABLE", (names.decode(place[0]), names.decode(place[1]), place[2]))
    return single("status", f"{definition.kind.capitalize()} {place[2]} successfully created.")


@contextlib.contextmanager
def at_once(conn: FakeSnowflakeConnection) -> Iterator[None]:
    """Others see all of it or nothing."""
    duck = conn._duck_conn
    duck.begin()
    try:
        yield
        duck.commit()
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            duck.rollback()
        raise


def forget_loads(conn: FakeSnowflakeConnection, catalog: str, schema: str, table: str) -> None:
    conn.local_account.copied.pop((catalog, schema, table), None)
    for metadata in ("_load_metadata", "_fs_load_history"):
        conn._duck_conn.execute(
            f"DELETE FROM {catalog}._fs_information_schema.{metadata} WHERE schema_name = ? AND table_name = ?",
            [schema, table],
        )


def _table(session: Session, create: exp.Create, text: str, *, hybrid: bool, token: str = _TOKEN) -> Definition:
    """Leaves in `create` what DuckDB is to be told."""
    conn = session.conn
    inside = create.this if isinstance(create.this, exp.Schema) else None
    place = place_of(conn, inside.this if inside else create.this)
    columns = [c for c in inside.expressions if isinstance(c, exp.ColumnDef)] if inside else []
    default = session.server.account_parameters.get("DEFAULT_DDL_COLLATION", "")
    default = governance.default_collation(session.account.governance, place[0], place[1], default)
    collated = collations.settle(create, columns, default, text, hybrid=hybrid)
    facts: dict[str, Any] = {"hybrid": True} if hybrid else {}
    is_like, kept = False, []
    for prop in (create.args.get("properties") or exp.Properties(expressions=[])).expressions:
        if isinstance(prop, exp.TransientProperty):
            facts["transient"] = True
        elif isinstance(prop, exp.SchemaCommentProperty):
            facts["comment"] = prop.this.name
        elif isinstance(prop, exp.LikeProperty):
            is_like = True
        elif isinstance(prop, exp.TemporaryProperty):
            kept.append(prop)
    create.set("properties", exp.Properties(expressions=kept) if kept else None)
    full = full_name(place)
    noted, sequences, sql = {}, [], ""
    if not is_like:
        noted, sequences = notes.take(columns, place[0], place[1], token)
        for column, collation in collated.items():
            noted[column]["t"] += f" COLLATE '{collation}'"
        sql = Cursor(conn).translate(create.copy()).sql(dialect="duckdb")
    comments = notes.comment_sql(full, noted)
    if facts:
        comments.append(f"COMMENT ON TABLE {full} IS {names.literal(json.dumps(facts, ensure_ascii=False))}")
    return Definition(
        "TABLE", place, bool(create.args.get("exists")), bool(create.args.get("replace")), hybrid, tuple(sequences), sql,
        tuple(comments),
    )  # fmt: skip


def _view(session: Session, create: exp.Create) -> Definition:
    conn = session.conn
    place = place_of(conn, create.find(exp.Table))
    comment = create.find(exp.SchemaCommentProperty)
    sql = Cursor(conn).translate(create.copy()).sql(dialect="duckdb")
    comments = () if comment is None else (f"COMMENT ON VIEW {full_name(place)} IS {names.literal(comment.this.name)}",)
    return Definition("VIEW", place, bool(create.args.get("exists")), bool(create.args.get("replace")), False, (), sql, comments)
