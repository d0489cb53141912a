"""Result sets in Snowflake's two wire forms.

fakesnow answers SELECT as Arrow only, while the product's client reads JSON only; and its Arrow form turns
NULL timestamps into 1970. So both forms are made here from DuckDB's Arrow table. Which one a session gets
depends on what its driver says it is: the official Arrow-capable drivers keep Arrow.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fakesnow.arrow import to_ipc

from . import names

ARROW_DRIVERS = {"PYTHONCONNECTOR", "PYTHONSNOWPARK", "SNOWPARK", "GO", "JDBC", "ODBC", "SQLAPI", "SNOWFLAKESQLALCHEMY"}

_TYPES = {
    '"NULL"': "text", "BLOB": "binary", "BOOLEAN": "boolean", "DATE": "date", "DOUBLE": "real", "FLOAT": "real",
    "JSON": "variant", "TIME": "time", "TIMESTAMP": "timestamp_ntz", "TIMESTAMP_NS": "timestamp_ntz",
    "TIMESTAMP_MS": "timestamp_ntz", "TIMESTAMP_S": "timestamp_ntz", "TIMESTAMP WITH TIME ZONE": "timestamp_tz",
    "VARCHAR": "text", "UUID": "text",
}  # fmt: skip
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
_INT64 = (-(2**63), 2**63 - 1)


def row_type(name: str, duck_type: str) -> dict[str, Any]:
    kind, precision, scale, length, byte_length = "text", None, None, None, None
    if match := re.match(r"DECIMAL\((\d+),(\d+)\)", duck_type):
        kind, precision, scale = "fixed", int(match[1]), int(match[2])
    elif duck_type in _INTEGERS:
        kind, precision, scale = "fixed", 38, 0
    elif duck_type.endswith("]"):
        kind = "array"
    elif duck_type.startswith(("STRUCT", "MAP")):
        kind = "object"
    else:
        kind = _TYPES.get(duck_type, "text")
    if kind == "text":
        length = byte_length = 16777216
    elif kind == "binary":
        length = byte_length = 8388608
    elif kind.startswith("time"):
        precision, scale = 0, 9
    return {
        "name": names.decode(name), "database": "", "schema": "", "table": "", "nullable": True, "type": kind,
        "byteLength": byte_length, "length": length, "scale": scale, "precision": precision, "collation": None,
    }  # fmt: skip


def describe(description: list[tuple]) -> list[dict[str, Any]]:
    return [row_type(column[0], str(column[1])) for column in description]


def simplify(table: pa.Table, has_aliases: bool) -> pa.Table:
    """Nested values to JSON text, and aliased names inside text back to what users wrote."""
    for i, field in enumerate(table.schema):
        column = table.column(i)
        if pa.types.is_nested(field.type):
            values = [None if v is None else json.dumps(v, default=str, separators=(",", ":")) for v in column.to_pylist()]
            table = table.set_column(i, field.name, pa.array(values, pa.string()))
        elif has_aliases and pa.types.is_string(field.type):
            values = [None if v is None else names.decode(v) for v in column.to_pylist()]
            table = table.set_column(i, field.name, pa.array(values, pa.string()))
    return table


def to_json(table: pa.Table, rowtype: list[dict[str, Any]]) -> list[list[str | None]]:
    columns = [_json_column(column, info) for column, info in zip(table.columns, rowtype, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def _micros(column: pa.ChunkedArray) -> list[int | None]:
    if pa.types.is_timestamp(column.type) and column.type.unit != "us":
        column = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)
    return column.cast(pa.int64()).to_pylist()


def _seconds(micros: int) -> str:
    """Seconds and nine digits; the sign belongs to the whole number."""
    sign, rest = ("-", -micros) if micros < 0 else ("", micros)
    return f"{sign}{rest // 1_000_000}.{rest % 1_000_000:06d}000"


def _json_column(column: pa.ChunkedArray, info: dict[str, Any]) -> list[str | None]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        suffix = " 1440" if info["type"] == "timestamp_tz" else ""
        return [None if v is None else _seconds(v) + suffix for v in _micros(column)]
    if pa.types.is_time(kind):
        return [None if v is None else _seconds(v) for v in _micros(column)]
    if pa.types.is_date(kind):
        return [None if v is None else str(v) for v in column.cast(pa.int32()).to_pylist()]
    values = column.to_pylist()
    if pa.types.is_binary(kind):
        return [None if v is None else v.hex().upper() for v in values]
    if pa.types.is_boolean(kind):
        return [None if v is None else ("1" if v else "0") for v in values]
    if pa.types.is_floating(kind):
        return [None if v is None else _float(v) for v in values]
    if pa.types.is_decimal(kind):
        return [None if v is None else f"{v:f}" for v in values]
    return [None if v is None else str(v) for v in values]


def _float(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def to_arrow(table: pa.Table, rowtype: list[dict[str, Any]]) -> str:
    arrays, fields = [], []
    for column, info in zip(table.columns, rowtype, strict=True):
        array = _arrow_column(column, info)
        metadata = {
            "logicalType": info["type"].upper(),
            "precision": str(info["precision"] or 38),
            "scale": str(info["scale"] or 0),
            "charLength": str(info["length"] or 0),
        }
        arrays.append(array)
        fields.append(pa.field(info["name"], array.type, metadata=metadata))
    return b64encode(to_ipc(pa.Table.from_arrays(arrays, schema=pa.schema(fields)))).decode()


def _arrow_column(column: pa.ChunkedArray, info: dict[str, Any]) -> pa.Array | pa.ChunkedArray:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _timestamp_struct(_micros(column), with_zone=info["type"] == "timestamp_tz")
    if pa.types.is_time(kind):
        return pc.multiply(column.cast(pa.int64()), 1000)
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_unsigned_integer(kind):
        return column.cast(pa.decimal128(38, 0)) if pa.types.is_uint64(kind) else column.cast(pa.int64())
    if pa.types.is_float32(kind):
        return column.cast(pa.float64())
    if pa.types.is_decimal(kind) and kind.scale == 0:
        # Snowflake sends whole numbers in the smallest integer that holds the batch; drivers make them int.
        values = column.to_pylist()
        if all(v is None or _INT64[0] <= v <= _INT64[1] for v in values):
            return pa.array([None if v is None else int(v) for v in values], pa.int64())
    return column


def _timestamp_struct(micros: list[int | None], with_zone: bool) -> pa.Array:
    fields = [pa.field("epoch", pa.int64()), pa.field("fraction", pa.int32())]
    if with_zone:
        fields.append(pa.field("timezone", pa.int32()))
    rows = [
        None if v is None else {"epoch": v // 1_000_000, "fraction": v % 1_000_000 * 1000, "timezone": 1440}
        for v in micros
    ]
    return pa.array(rows, pa.struct(fields))
