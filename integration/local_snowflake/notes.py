"""The types that columns were declared with, and what else is noted of them.

fakesnow loses VARCHAR lengths of quoted names, has no spatial types, and allows one AUTOINCREMENT in the current schema
only. What was declared is kept in DuckDB's column comments, in the same transaction as the table (see patches).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import exact_times, governance, names
from .errors import SnowflakeError

if TYPE_CHECKING:
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


def check_length(kind: str) -> None:
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


def column_name(definition: exp.ColumnDef) -> str:
    ident = definition.this
    return ident.this if ident.quoted else ident.this.upper()


def take(columns: list[exp.ColumnDef], catalog: str, schema: str, token: str) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Note each column's type and comment; AUTOINCREMENT becomes a sequence next to the table, with
    `token` in its name."""
    notes: dict[str, dict[str, Any]] = {}
    sequences: list[str] = []
    for definition in columns:
        kind = definition.args.get("kind")
        note: dict[str, Any] = {"t": declared(kind)} if kind else {}
        check_length(note.get("t", ""))
        if kind and kind.this in (_T.GEOGRAPHY, _T.GEOMETRY):
            # Spatial values are kept as the text that was loaded.
            definition.set("kind", exp.DataType.build("VARCHAR"))
        elif exact_times.kind_of(kind):
            definition.set("kind", exp.DataType.build("VARCHAR"))
        kept = []
        for constraint in definition.args.get("constraints") or []:
            kind = constraint.args.get("kind")
            if isinstance(kind, exp.CommentColumnConstraint):
                note["c"] = kind.this.name
                continue
            if isinstance(kind, exp.DefaultColumnConstraint) and (sequence := next_of(kind.this)):
                kind.set("this", exp.Anonymous(this="NEXTVAL", expressions=[exp.Literal.string(sequence)]))
                note["d"] = f"{names.decode(sequence)}.NEXTVAL"
            if isinstance(kind, (exp.AutoIncrementColumnConstraint, exp.GeneratedAsIdentityColumnConstraint)):
                sequence = f'{catalog}.{schema}."_fs_seq_{token}_{len(sequences)}"'
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
        notes[column_name(definition)] = note
    return notes, sequences


def next_of(default: exp.Expr | None) -> str | None:
    """`"DB"."SCHEMA"."SEQ".NEXTVAL` as DuckDB names the sequence. fakesnow looks for it in the current schema, and
    gives the expression an alias that DuckDB refuses in a default."""
    if not isinstance(default, exp.Column) or default.name.upper() != "NEXTVAL" or not default.args.get("catalog"):
        return None
    return ".".join(names.quote(default.args[part].this) for part in ("catalog", "db", "table"))


def comment_sql(table: str, notes: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"COMMENT ON COLUMN {table}.{names.quote(column)} IS "
        + names.literal(json.dumps(note, separators=(",", ":"), ensure_ascii=False))
        for column, note in notes.items()
        if note
    ]


def change(session: Session, table: governance.Name, column: str, key: str, value: str | None) -> None:
    """Changes what is noted of a column."""
    noted = dict(_all(session, table))
    if column not in noted:
        raise SnowflakeError("000904", f"SQL compilation error:\ninvalid identifier '{column}'", "42000")
    note = {name: text for name, text in {**noted[column], key: value}.items() if text is not None}
    full = f"{names.encode(table[0])}.{names.encode(table[1])}.{names.quote(table[2])}"
    with session.account.catalog.changing(names.encode(table[0])):
        for sql in comment_sql(full, {column: note}):
            session.conn._duck_conn.execute(sql)


def of(session: Session, table: governance.Name, key: str) -> list[tuple[str, str]]:
    """The columns of which something is noted, and what."""
    return [(column, note[key]) for column, note in _all(session, table) if key in note]


def _all(session: Session, table: governance.Name) -> list[tuple[str, dict[str, Any]]]:
    columns = session.account.catalog.columns(names.encode(table[0]), names.encode(table[1]), table[2])
    return [(column.name, json.loads(column.comment) if column.comment else {}) for column in columns]
