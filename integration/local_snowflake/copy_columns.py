"""COPY's column expressions: `$1:"name"::TYPE` over a Parquet file, in DuckDB's words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import duckdb
import fakesnow.transforms as transforms
from sqlglot import Expr, exp

from . import catalog, exact_times, patches
from .errors import not_emulated


@dataclass
class Column:
    name: str
    duck_type: str
    nullable: bool
    length: int | None
    declared: str
    position: int
    # Its default is a sequence that has a name; an AUTOINCREMENT column's has none.
    takes_sequence: bool = False


def target_columns(columns: list[catalog.Column]) -> dict[str, Column]:
    """A table's columns with the lengths they were declared with."""
    found = {}
    for position, (name, kind, nullable, _, comment) in enumerate(columns, 1):
        declared = (re.match(r'\{"t":"([^"]+)"', comment or "") or [None, kind])[1]
        sized = re.match(r"(?:VARCHAR|BINARY)\((\d+)\)", declared)
        note = json.loads(comment) if (comment or "").startswith('{"t":') else {}
        takes_sequence = note.get("d", "").endswith(".NEXTVAL")
        found[name] = Column(name, kind, nullable, int(sized[1]) if sized else None, declared, position, takes_sequence)
    return found


def source_columns(duck: duckdb.DuckDBPyConnection, source: str) -> dict[str, str]:
    rows = duck.execute(f"DESCRIBE SELECT * EXCLUDE (filename, file_row_number) FROM {source}").fetchall()
    return {row[0]: row[1] for row in rows}


# sqlglot half translates Snowflake's formats; these calls are kept as they were written.
_TIME_FUNCTIONS = r"(?:TRY_)?TO_(?:TIMESTAMP(?:_NTZ|_LTZ|_TZ)?|DATE|TIME|BINARY)"


def protect(sql: str) -> str:
    pattern = re.compile(rf"'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|\b({_TIME_FUNCTIONS})(?=\s*\()", re.DOTALL | re.IGNORECASE)
    return pattern.sub(lambda m: f"local_{m[1].lower()}" if m[1] else m[0], sql)


def sql_of(expression: Expr, present: dict[str, str]) -> str:
    expression = expression.copy()
    if isinstance(expression, exp.Alias):
        expression = expression.this
    holder = exp.Tuple(expressions=[expression])
    for node in list(holder.find_all(exp.JSONExtract)):
        if isinstance(node.this, exp.Parameter):
            node.replace(_source_column(node, present))
    if holder.find(exp.Parameter):
        raise not_emulated("COPY of a whole row ($1) or by position")
    for node in list(holder.find_all(exp.Anonymous)):
        if node.name.lower().startswith("local_"):
            node.replace(_time_call(node.name.lower()[6:], node.expressions))
    for node in list(holder.find_all(exp.Cast)):
        if exact := exact_times.kind_of(node.to):
            node.replace(exact_times.of_text(node.this, exact))
        else:
            _cast(node, present)
    tree = holder.expressions[0]
    for step in (
        transforms.semi_structured_types, transforms.try_parse_json, transforms.to_decimal, transforms.to_variant,
        transforms.timestamp_ntz, transforms.float_to_double, patches.integer_precision,
    ):  # fmt: skip
        tree = tree.transform(step, copy=False)
    return tree.sql(dialect="duckdb")


def _source_column(node: exp.JSONExtract, present: dict[str, str]) -> Expr:
    keys = [k for k in node.expression.expressions if isinstance(k, exp.JSONPathKey)]
    if len(keys) != 1:
        raise not_emulated("paths below a Parquet column in COPY")
    # Keys are case sensitive with and without quotes; a column that a file lacks is NULL.
    name = str(keys[0].this)
    return exp.column(exp.to_identifier(name, quoted=True)) if name in present else exp.Null()


def _cast(node: exp.Cast, present: dict[str, str]) -> None:
    inner, target = node.this, node.to.this
    kind = present.get(inner.name) if isinstance(inner, exp.Column) else None
    if target in (exp.DType.VARIANT, exp.DType.OBJECT, exp.DType.ARRAY):
        node.replace(exp.func("to_json", inner.copy()))
    elif target in (exp.DType.BINARY, exp.DType.VARBINARY) and kind == "VARCHAR":
        node.replace(exp.func("unhex", inner.copy()))
    elif target in (exp.DType.VARCHAR, exp.DType.TEXT) and kind == "BLOB":
        node.replace(exp.func("hex", inner.copy()))
    elif target in (exp.DType.GEOGRAPHY, exp.DType.GEOMETRY):
        # Kept as text (see ddl).
        node.set("to", exp.DataType.build("VARCHAR"))
    elif target in (exp.DType.VARCHAR, exp.DType.TEXT):
        # The length is checked when the row is written, with Snowflake's message.
        node.to.set("expressions", [])


def _time_call(name: str, arguments: list[Expr]) -> Expr:
    safe = name.startswith("try_")
    kind = name.removeprefix("try_").removeprefix("to_")
    value = arguments[0]
    if kind == "binary":
        if len(arguments) > 1 and arguments[1].name.upper() in ("UTF-8", "UTF8"):
            return exp.func("encode", value)
        if len(arguments) > 1 and arguments[1].name.upper() == "BASE64":
            return exp.func("from_base64", value)
        return exp.func("unhex", value)
    target = {
        "date": "DATE", "time": "TIME", "timestamp": "TIMESTAMP", "timestamp_ntz": "TIMESTAMP",
        "timestamp_ltz": "TIMESTAMPTZ", "timestamp_tz": "TIMESTAMPTZ",
    }[kind]  # fmt: skip
    form = arguments[1] if len(arguments) > 1 else None
    if isinstance(form, exp.Literal) and not form.is_string:
        scale = int(form.name)
        micros = {0: 1_000_000, 3: 1000, 6: 1}.get(scale)
        if micros is None:
            raise not_emulated(f"a scale of {scale} in {name}")
        number = exp.cast(value, exp.DataType.build("BIGINT"))
        value = exp.func("make_timestamp", exp.Mul(this=number, expression=exp.Literal.number(micros)))
        return exp.cast(value, exp.DataType.build(target, dialect="duckdb"))
    if isinstance(form, exp.Literal) and form.name.upper() in _EXACT_FORMATS:
        return exact_times.of_text(value, _EXACT_FORMATS[form.name.upper()])
    if isinstance(form, exp.Literal) and form.name.upper() != "AUTO":
        value = exp.func("try_strptime" if safe else "strptime", value, exp.Literal.string(duck_format(form.name)))
    kind_node: Any = exp.TryCast if safe else exp.Cast
    return kind_node(this=value, to=exp.DataType.build(target, dialect="duckdb"))


_EXACT_FORMATS = {
    "YYYY-MM-DD HH24:MI:SS.FF7": "ntz", "HH24:MI:SS.FF7": "time", "YYYY-MM-DD HH24:MI:SS.FF7 TZH:TZM": "tz",
}  # fmt: skip

_FORMAT = re.compile(r'"([^"]*)"|YYYY|MON|MM|DD|HH24|HH12|MI|SS|FF\d?|AM|PM|TZH:?TZM|TZH|.', re.IGNORECASE | re.DOTALL)
_PARTS = {"YYYY": "%Y", "MON": "%b", "MM": "%m", "DD": "%d", "HH24": "%H", "HH12": "%I", "MI": "%M", "SS": "%S", "AM": "%p", "PM": "%p"}


def duck_format(text: str) -> str:
    """Snowflake's date format as strptime's."""

    def part(match: re.Match[str]) -> str:
        word = match[0].upper()
        if match[1] is not None:
            return match[1].replace("%", "%%")
        if word.startswith("FF"):
            return "%n" if word == "FF9" else "%f"
        if word.startswith("TZH"):
            return "%z"
        return _PARTS.get(word, match[0].replace("%", "%%"))

    return _FORMAT.sub(part, text)


