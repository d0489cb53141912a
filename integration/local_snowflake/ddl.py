"""Tables: CREATE TABLE, ALTER TABLE ADD, LIKE; and the types they were declared with.

fakesnow loses TRANSIENT, COMMENT, VARCHAR lengths of quoted names, has no spatial types, allows one AUTOINCREMENT in the current
schema only, and forgets load metadata on CREATE TABLE IF NOT EXISTS. The declared types are kept in DuckDB's
column comments in the same transaction as the table (see patches).
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import collations, governance, names
from .engine import Answer, Cursor, single
from .errors import SnowflakeError, already_exists, does_not_exist

if TYPE_CHECKING:
    import duckdb
    from fakesnow.conn import FakeSnowflakeConnection

    from .session import Session

_T = exp.DType
_FIXED = {
    _T.INT: "NUMBER(38,0)", _T.BIGINT: "NUMBER(38,0)", _T.SMALLINT: "NUMBER(38,0)", _T.TINYINT: "NUMBER(38,0)",
    _T.FLOAT: "FLOAT", _T.DOUBLE: "FLOAT", _T.BOOLEAN: "BOOLEAN", _T.DATE: "DATE", _T.VARIANT: "VARIANT",
    _T.OBJECT: "OBJECT", _T.ARRAY: "ARRAY", _T.GEOGRAPHY: "GEOGRAPHY", _T.GEOMETRY: "GEOMETRY",
}  # fmt: skip
_SIZED = {
    _T.VARCHAR: ("VARCHAR", "16777216"), _T.TEXT: ("VARCHAR", "16777216"), _T.NVARCHAR: ("VARCHAR", "16777216"),
    _T.CHAR: ("VARCHAR", "1"), _T.NCHAR: ("VARCHAR", "1"), _T.BINARY: ("BINARY", "8388608"),
    _T.VARBINARY: ("BINARY", "8388608"), _T.TIME: ("TIME", "9"), _T.TIMESTAMP: ("TIMESTAMP_NTZ", "9"),
    _T.TIMESTAMPNTZ: ("TIMESTAMP_NTZ", "9"), _T.TIMESTAMPLTZ: ("TIMESTAMP_LTZ", "9"),
    _T.TIMESTAMPTZ: ("TIMESTAMP_TZ", "9"),
}  # fmt: skip


# The largest lengths (documentation: "String & binary data types").
LARGEST = {"VARCHAR": 134217728, "BINARY": 67108864}
# Those of accounts where columns are not larger yet.
LARGEST_BEFORE = {"VARCHAR": 16777216, "BINARY": 8388608}


def _check_length(kind: str) -> None:
    """Refuse a length above the largest. The pages give no text for it."""
    name, _, size = kind.rstrip(")").partition("(")
    largest = LARGEST.get(name)
    if largest is not None and size.isdigit() and not 0 < int(size) <= largest:
        raise SnowflakeError(
            "001007", f"SQL compilation error:\ninvalid length [{size}] of type {name}, the largest is {largest}", "42601"
        )


def declared(kind: exp.DataType) -> str:
    sizes = [p.name for p in kind.expressions]
    if kind.this == _T.DECIMAL:
        return f"NUMBER({sizes[0] if sizes else 38},{sizes[1] if len(sizes) > 1 else 0})"
    if kind.this in _SIZED:
        name, default = _SIZED[kind.this]
        return f"{name}({sizes[0] if sizes else default})"
    return _FIXED.get(kind.this, kind.sql(dialect="snowflake"))


def _column_name(definition: exp.ColumnDef) -> str:
    ident = definition.this
    return ident.this if ident.quoted else ident.this.upper()


def _take_notes(columns: list[exp.ColumnDef], catalog: str, schema: str) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Note each column's type and comment; AUTOINCREMENT becomes a sequence next to the table."""
    notes: dict[str, dict[str, Any]] = {}
    sequences: list[str] = []
    for definition in columns:
        kind = definition.args.get("kind")
        note: dict[str, Any] = {"t": declared(kind)} if kind else {}
        _check_length(note.get("t", ""))
        if kind and kind.this in (_T.GEOGRAPHY, _T.GEOMETRY):
            # Spatial values are kept as the text that was loaded.
            definition.set("kind", exp.DataType.build("VARCHAR"))
        kept = []
        for constraint in definition.args.get("constraints") or []:
            kind = constraint.args.get("kind")
            if isinstance(kind, exp.CommentColumnConstraint):
                note["c"] = kind.this.name
                continue
            if isinstance(kind, exp.DefaultColumnConstraint) and (sequence := _next_of(kind.this)):
                kind.set("this", exp.Anonymous(this="NEXTVAL", expressions=[exp.Literal.string(sequence)]))
                note["d"] = f"{names.decode(sequence)}.NEXTVAL"
            if isinstance(kind, (exp.AutoIncrementColumnConstraint, exp.GeneratedAsIdentityColumnConstraint)):
                sequence = f'{catalog}.{schema}."_fs_seq_{secrets.token_hex(6)}"'
                start, step = (kind.args.get(k) for k in ("start", "increment"))
                sequences.append(
                    f"CREATE SEQUENCE {sequence} START {start.name if start else 1} INCREMENT {step.name if step else 1}"
                )
                default = exp.Anonymous(this="NEXTVAL", expressions=[exp.Literal.string(sequence)])
                constraint.set("kind", exp.DefaultColumnConstraint(this=default))
                note["i"] = True
                note["d"] = (
                    f"IDENTITY START {start.name if start else 1} INCREMENT {step.name if step else 1} NOORDER"
                )
            kept.append(constraint)
        definition.set("constraints", kept)
        notes[_column_name(definition)] = note
    return notes, sequences


def _next_of(default: exp.Expr | None) -> str | None:
    """`"DB"."SCHEMA"."SEQ".NEXTVAL` as DuckDB names the sequence. fakesnow looks for it in the current schema, and
    gives the expression an alias that DuckDB refuses in a default."""
    if not isinstance(default, exp.Column) or default.name.upper() != "NEXTVAL" or not default.args.get("catalog"):
        return None
    return ".".join(names.quote(default.args[part].this) for part in ("catalog", "db", "table"))


def replace_sequence(session: Session, create: exp.Create, params: list | None) -> Answer:
    """CREATE OR REPLACE SEQUENCE: DuckDB refuses it while a column's default names the sequence. Its grants go."""
    conn, table = session.conn, create.this
    parts = (_resolved(table, "catalog") or conn.database, _resolved(table, "db") or conn._schema, _resolved(table, "this"))
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


def _comment_sql(table: str, notes: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"COMMENT ON COLUMN {table}.{names.quote(column)} IS "
        + names.literal(json.dumps(note, separators=(",", ":"), ensure_ascii=False))
        for column, note in notes.items()
        if note
    ]


def table_exists(conn: FakeSnowflakeConnection, catalog: str, schema: str, table: str) -> bool:
    sql = (
        "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
        " UNION ALL SELECT 1 FROM duckdb_views() WHERE database_name = ? AND schema_name = ? AND view_name = ?"
    )
    return conn._duck_conn.execute(sql, [catalog, schema, table] * 2).fetchone() is not None


def check_constraints(duck: duckdb.DuckDBPyConnection, catalog: str, schema: str, table: str) -> list[str]:
    """The table's CHECK constraints, as DuckDB writes them."""
    rows = duck.execute(
        "SELECT constraint_text FROM duckdb_constraints() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
        " AND constraint_type = 'CHECK' ORDER BY constraint_index",
        [catalog, schema, table],
    ).fetchall()
    return [row[0] for row in rows]


def forget_loads(conn: FakeSnowflakeConnection, catalog: str, schema: str, table: str) -> None:
    conn.local_account.copied.pop((catalog, schema, table), None)
    for metadata in ("_load_metadata", "_fs_load_history"):
        conn._duck_conn.execute(
            f"DELETE FROM {catalog}._fs_information_schema.{metadata} WHERE schema_name = ? AND table_name = ?",
            [schema, table],
        )


def set_note(session: Session, table: governance.Name, column: str, key: str, value: str | None) -> None:
    """Changes what is noted of a column."""
    noted = dict(_all_notes(session, table))
    if column not in noted:
        raise SnowflakeError("000904", f"SQL compilation error:\ninvalid identifier '{column}'", "42000")
    note = {name: text for name, text in {**noted[column], key: value}.items() if text is not None}
    full = f"{names.encode(table[0])}.{names.encode(table[1])}.{names.quote(table[2])}"
    for sql in _comment_sql(full, {column: note}):
        session.conn._duck_conn.execute(sql)


def notes(session: Session, table: governance.Name, key: str) -> list[tuple[str, str]]:
    """The columns of which something is noted, and what."""
    return [(column, note[key]) for column, note in _all_notes(session, table) if key in note]


def _all_notes(session: Session, table: governance.Name) -> list[tuple[str, dict[str, Any]]]:
    rows = session.conn._duck_conn.execute(
        "SELECT column_name, comment FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
        " ORDER BY column_index",
        [names.encode(table[0]), names.encode(table[1]), table[2]],
    ).fetchall()
    return [(column, json.loads(comment) if comment else {}) for column, comment in rows]


def create_table(
    conn: FakeSnowflakeConnection, create: exp.Create, params: list | None, text: str, *, hybrid: bool, session: Session
) -> Answer:
    schema_node = create.this if isinstance(create.this, exp.Schema) else None
    table = schema_node.this if schema_node else create.this
    Cursor(conn).check_db_and_schema(create)
    name = table.name if table.this.quoted else table.name.upper()
    catalog = _resolved(table, "catalog") or conn.database
    schema = _resolved(table, "db") or conn._schema
    full = f"{catalog}.{schema}.{names.quote(name)}"
    if table_exists(conn, catalog, schema, name):
        if create.args.get("exists"):
            return single("status", f"{name} already exists, statement succeeded.")
        if not create.args.get("replace"):
            raise already_exists(names.decode(f"{catalog}.{schema}.{name}"))
    account = session.account
    if hybrid and account.has_database(catalog) and {"", schema} & account.transient_schemas(catalog):
        raise SnowflakeError("391411", "Hybrid tables cannot be created in transient schemas or databases.", "0A000")
    columns = [c for c in schema_node.expressions if isinstance(c, exp.ColumnDef)] if schema_node else []
    default = session.server.account_parameters.get("DEFAULT_DDL_COLLATION", "")
    default = governance.default_collation(account.governance, catalog, schema, default)
    collated = collations.settle(create, columns, default, text, hybrid=hybrid)
    facts: dict[str, Any] = {"hybrid": True} if hybrid else {}
    like = None
    kept = []
    for prop in (create.args.get("properties") or exp.Properties(expressions=[])).expressions:
        if isinstance(prop, exp.TransientProperty):
            facts["transient"] = True
        elif isinstance(prop, exp.SchemaCommentProperty):
            facts["comment"] = prop.this.name
        elif isinstance(prop, exp.LikeProperty):
            like = prop.this
        elif isinstance(prop, exp.TemporaryProperty):
            kept.append(prop)
    create.set("properties", exp.Properties(expressions=kept) if kept else None)
    duck = conn._duck_conn
    duck.begin()
    try:
        if like is not None:
            _create_like(conn, create, full, like)
        else:
            notes, sequences = _take_notes(columns, catalog, schema)
            for column, collation in collated.items():
                notes[column]["t"] += f" COLLATE '{collation}'"
            for sequence in sequences:
                duck.execute(sequence)
            if create.args.get("replace"):
                # fakesnow runs the whole statement; only the load metadata is ours to forget.
                forget_loads(conn, catalog, schema, name)
            Cursor(conn).run(create, params)
            for sql in _comment_sql(full, notes):
                duck.execute(sql)
        if facts:
            duck.execute(f"COMMENT ON TABLE {full} IS {names.literal(json.dumps(facts, ensure_ascii=False))}")
        forget_loads(conn, catalog, schema, name)
        account.governance.forget("TABLE", (names.decode(catalog), names.decode(schema), name))
        duck.commit()
    except BaseException:
        duck.rollback()
        raise
    return single("status", f"Table {name} successfully created.")


def create_view(conn: FakeSnowflakeConnection, create: exp.Create, params: list | None) -> Answer:
    """fakesnow drops the comment, which says whose a view is."""
    table = create.find(exp.Table)
    place = [_resolved(table, "catalog") or conn.database, _resolved(table, "db") or conn._schema, _resolved(table, "this")]
    comment = create.find(exp.SchemaCommentProperty)
    is_new = bool(create.args.get("replace")) or not table_exists(conn, *place)
    if not is_new and create.args.get("exists"):
        return single("status", f"{place[2]} already exists, statement succeeded.")
    if comment is None:
        return Cursor(conn).run(create, params)
    # Nobody sees it without its comment.
    with at_once(conn):
        answer = Cursor(conn).run(create, params)
        full = f"{place[0]}.{place[1]}.{names.quote(place[2])}"
        conn._duck_conn.execute(f"COMMENT ON VIEW {full} IS {names.literal(comment.this.name)}")
    return answer


@contextlib.contextmanager
def at_once(conn: FakeSnowflakeConnection) -> Iterator[None]:
    """Others see all of it or nothing."""
    duck = conn._duck_conn
    duck.begin()
    try:
        yield
    except Exception:
        duck.rollback()
        raise
    duck.commit()


def _resolved(table: exp.Table, part: str) -> str:
    ident = table.args.get(part)
    return "" if ident is None else ident.this if ident.quoted else ident.this.upper()


def _create_like(conn: FakeSnowflakeConnection, create: exp.Create, full: str, like: exp.Table) -> None:
    name = like.name if like.this.quoted else like.name.upper()
    key = [_resolved(like, "catalog") or conn.database, _resolved(like, "db") or conn._schema, name]
    columns = conn._duck_conn.execute(
        "SELECT column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns()"
        " WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index",
        key,
    ).fetchall()
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
    parts += check_constraints(conn._duck_conn, *key)
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
    catalog = _resolved(table, "catalog") or conn.database
    schema = _resolved(table, "db") or conn._schema
    full = f"{catalog}.{schema}.{names.quote(name)}"
    for action in alter.args.get("actions") or []:
        if isinstance(action, exp.AlterColumn) and (sequence := _next_of(action.args.get("default"))):
            return _set_sequence(conn, full, [catalog, schema, name], action.this, sequence)
    columns = [a for a in alter.args.get("actions") or [] if isinstance(a, exp.ColumnDef)]
    before = _column_names(conn, catalog, schema, name)
    notes, sequences = _take_notes(columns, catalog, schema)
    later = []
    for definition in columns:
        kept = []
        for constraint in definition.args.get("constraints") or []:
            if isinstance(constraint.args.get("kind"), exp.NotNullColumnConstraint) and not constraint.args["kind"].args.get("allow_null"):
                later.append(f"ALTER TABLE {full} ALTER COLUMN {names.quote(_column_name(definition))} SET NOT NULL")
            else:
                kept.append(constraint)
        definition.set("constraints", kept)
    for sequence in sequences:
        conn._duck_conn.execute(sequence)
    retyped = {
        action.this.this if action.this.quoted else action.this.this.upper(): declared(action.args["dtype"])
        for action in alter.args.get("actions") or []
        if isinstance(action, exp.AlterColumn) and action.args.get("dtype")
    }
    for kind in retyped.values():
        _check_length(kind)
    answer = Cursor(conn).run(alter, params)
    fresh = {column: note for column, note in notes.items() if column not in before}
    for column, kind in retyped.items():
        fresh[column] = _note(conn, [catalog, schema, name], column) | {"t": kind}
    for sql in [*later, *_comment_sql(full, fresh)]:
        conn._duck_conn.execute(sql)
    return answer


def _set_sequence(
    conn: FakeSnowflakeConnection, full: str, table: list[str], ident: exp.Identifier, sequence: str
) -> Answer:
    """SET DEFAULT … NEXTVAL, which Snowflake takes for a column that has a generator already."""
    column = ident.this if ident.quoted else ident.this.upper()
    note = _note(conn, table, column)
    if "d" not in note:
        raise SnowflakeError("002028", f"column '{column}' has no sequence as its default", "42601")
    note["d"] = f"{names.decode(sequence)}.NEXTVAL"
    duck = conn._duck_conn
    duck.execute(f"ALTER TABLE {full} ALTER COLUMN {names.quote(column)} SET DEFAULT NEXTVAL({names.literal(sequence)})")
    for sql in _comment_sql(full, {column: note}):
        duck.execute(sql)
    return single("status", "Statement executed successfully.")


def _note(conn: FakeSnowflakeConnection, table: list[str], column: str) -> dict[str, Any]:
    """What was noted of a column."""
    row = conn._duck_conn.execute(
        "SELECT comment FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
        " AND column_name = ?",
        [*table, column],
    ).fetchone()
    return json.loads(row[0]) if row and row[0] else {}


def _column_names(conn: FakeSnowflakeConnection, catalog: str, schema: str, table: str) -> set[str]:
    rows = conn._duck_conn.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? AND table_name = ?",
        [catalog, schema, table],
    ).fetchall()
    return {row[0] for row in rows}
