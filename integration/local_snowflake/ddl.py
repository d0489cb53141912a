"""CREATE TABLE … LIKE, ALTER TABLE ADD, and sequences: what depends on what is there already.

fakesnow forgets load metadata on CREATE TABLE IF NOT EXISTS, and knows of no default that is a named sequence.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import collations, definitions, names, notes
from .definitions import full_name, place_of, resolved
from .engine import Answer, Cursor, single
from .errors import SnowflakeError, does_not_exist

if TYPE_CHECKING:
    from .session import Session


def replace_sequence(session: Session, create: exp.Create, params: list | None) -> Answer:
    """CREATE OR REPLACE SEQUENCE: DuckDB refuses it while a column's default names the sequence. Its grants go."""
    conn, table = session.conn, create.this
    parts = (resolved(table, "catalog") or conn.database, resolved(table, "db") or conn._schema, resolved(table, "this"))
    session.account.governance.forget("SEQUENCE", (names.decode(parts[0]), names.decode(parts[1]), parts[2]))
    call = "nextval(" + names.literal(".".join(names.quote(part) for part in parts)) + ")"
    columns = conn._duck_conn.execute(
        "SELECT database_name, schema_name, table_name, column_name FROM duckdb_columns() WHERE column_default = ?", [call]
    ).fetchall()
    changes = [
        f"ALTER TABLE {catalog}.{schema}.{names.quote(name)} ALTER COLUMN {names.quote(column)}"
        for catalog, schema, name, column in columns
    ]
    for change in changes:
        conn._duck_conn.execute(f"{change} DROP DEFAULT")
    answer = Cursor(conn).run(create, params)
    for change in changes:
        conn._duck_conn.execute(f"{change} SET DEFAULT {call}")
    return answer


def create_table(session: Session, create: exp.Create, params: list | None, text: str, *, hybrid: bool) -> Answer:
    def like(source: exp.Table) -> None:
        table = create.this.this if isinstance(create.this, exp.Schema) else create.this
        _create_like(session, create, full_name(place_of(session.conn, table)), source)

    return definitions.create_table(session, create, params, text, hybrid=hybrid, like=like)


def _create_like(session: Session, create: exp.Create, full: str, like: exp.Table) -> None:
    conn, catalog = session.conn, session.account.catalog
    key = place_of(conn, like)
    columns = catalog.columns(*key)
    if not columns:
        error = does_not_exist("Table", names.decode(".".join(key)))
        error.sqlstate = "42S02"
        raise error
    # A default cannot lead to a sequence of another database in DuckDB; here every value is given anyway.
    elsewhere = f"nextval('{names.quote(key[0])}."
    is_foreign = not full.startswith(f"{key[0]}.")
    parts = [
        f"{names.quote(column)} {kind}" + _collate(comment) + ("" if nullable else " NOT NULL")
        + (f" DEFAULT {default}" if default and not (is_foreign and default.startswith(elsewhere)) else "")
        for column, kind, nullable, default, comment in columns
    ]  # fmt: skip
    # All constraints are copied (documentation: "Overview of constraints").
    parts += catalog.checks(*key)
    replace = "OR REPLACE " if create.args.get("replace") else ""
    temporary = "TEMPORARY " if create.args.get("properties") else ""
    conn._duck_conn.execute(f"CREATE {replace}{temporary}TABLE {full} ({', '.join(parts)})")
    for column, _, _, _, comment in columns:
        if comment:
            conn._duck_conn.execute(f"COMMENT ON COLUMN {full}.{names.quote(column)} IS {names.literal(comment)}")


def _collate(comment: str | None) -> str:
    noted = json.loads(comment).get("t", "") if comment and comment.startswith('{"t"') else ""
    name = collations.duckdb_name(noted.partition("COLLATE ")[2].strip("'"))
    return f" COLLATE {name}" if name else ""


def alter_table(session: Session, alter: exp.Alter, params: list | None) -> Answer:
    """ADD COLUMN keeps its declared type; NOT NULL is added after the column, as DuckDB wants it."""
    conn, table = session.conn, alter.this
    name = table.name if table.this.quoted else table.name.upper()
    catalog = resolved(table, "catalog") or conn.database
    schema = resolved(table, "db") or conn._schema
    full = f"{catalog}.{schema}.{names.quote(name)}"
    for action in alter.args.get("actions") or []:
        if isinstance(action, exp.AlterColumn) and (sequence := notes.next_of(action.args.get("default"))):
            return _set_sequence(session, full, (catalog, schema, name), action.this, sequence)
    columns = [a for a in alter.args.get("actions") or [] if isinstance(a, exp.ColumnDef)]
    before = {column.name for column in session.account.catalog.columns(catalog, schema, name)}
    noted, sequences = notes.take(columns, catalog, schema, secrets.token_hex(6))
    later = []
    for definition in columns:
        kept = []
        for constraint in definition.args.get("constraints") or []:
            if isinstance(constraint.args.get("kind"), exp.NotNullColumnConstraint) and not constraint.args["kind"].args.get("allow_null"):
                later.append(f"ALTER TABLE {full} ALTER COLUMN {names.quote(notes.column_name(definition))} SET NOT NULL")
            else:
                kept.append(constraint)
        definition.set("constraints", kept)
    for sequence in sequences:
        conn._duck_conn.execute(sequence)
    retyped = {
        action.this.this if action.this.quoted else action.this.this.upper(): notes.declared(action.args["dtype"])
        for action in alter.args.get("actions") or []
        if isinstance(action, exp.AlterColumn) and action.args.get("dtype")
    }
    for kind in retyped.values():
        notes.check_length(kind)
    answer = Cursor(conn).run(alter, params)
    fresh = {column: note for column, note in noted.items() if column not in before}
    for column, kind in retyped.items():
        fresh[column] = _note(session, (catalog, schema, name), column) | {"t": kind}
    for sql in [*later, *notes.comment_sql(full, fresh)]:
        conn._duck_conn.execute(sql)
    return answer


def _set_sequence(
    session: Session, full: str, table: tuple[str, str, str], ident: exp.Identifier, sequence: str
) -> Answer:
    """SET DEFAULT … NEXTVAL, which Snowflake takes for a column that has a generator already."""
    column = ident.this if ident.quoted else ident.this.upper()
    note = _note(session, table, column)
    if "d" not in note:
        raise SnowflakeError("002028", f"column '{column}' has no sequence as its default", "42601")
    note["d"] = f"{names.decode(sequence)}.NEXTVAL"
    duck = session.conn._duck_conn
    duck.execute(f"ALTER TABLE {full} ALTER COLUMN {names.quote(column)} SET DEFAULT NEXTVAL({names.literal(sequence)})")
    for sql in notes.comment_sql(full, {column: note}):
        duck.execute(sql)
    return single("status", "Statement executed successfully.")


def _note(session: Session, table: tuple[str, str, str], column: str) -> dict[str, Any]:
    """What was noted of a column."""
    found = [known.comment for known in session.account.catalog.columns(*table) if known.name == column]
    return json.loads(found[0]) if found and found[0] else {}
