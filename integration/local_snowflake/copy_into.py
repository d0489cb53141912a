"""COPY INTO a table from Parquet files of an internal stage.

fakesnow runs one INSERT per file, checks no lengths, has no columns in its errors, keeps load metadata that
knows names only, and cannot read quoted stages. Here all files are one INSERT in the caller's transaction,
with load metadata (name and digest) in the table's own database, so that a rollback forgets both together. NULL_IF holds
for transformations too, which the documentation denies: nobody is to rely on that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from fakesnow.dialect import parse_one
from sqlglot import exp

from . import copy_errors, names, rewrite, stages
from .copy_columns import Column, protect, source_columns, sql_of, target_columns
from .engine import Answer, from_rows, single
from .errors import SnowflakeError, not_emulated, syntax

if TYPE_CHECKING:
    from fakesnow.conn import FakeSnowflakeConnection

    from .session import Session

_RESULT = [
    ("file", "VARCHAR"), ("status", "VARCHAR"), ("rows_parsed", "BIGINT"), ("rows_loaded", "BIGINT"),
    ("error_limit", "BIGINT"), ("errors_seen", "BIGINT"), ("first_error", "VARCHAR"),
    ("first_error_line", "BIGINT"), ("first_error_character", "BIGINT"), ("first_error_column_name", "VARCHAR"),
]  # fmt: skip


@dataclass
class Copy:
    table: exp.Table
    columns: list[str]
    select: exp.Select | None
    ref: stages.StageRef
    files: list[str] | None
    pattern: str | None = None
    force: bool = False
    purge: bool = False
    match: str = "NONE"
    # The default of every Parquet format that does not say otherwise.
    null_if: list[str] = field(default_factory=lambda: ["\\N"])


def parse(session: Session, sql: str) -> Copy:
    text, ref = _take_stage(sql, session)
    tree = parse_one(protect(text))
    if not isinstance(tree, exp.Copy):
        raise syntax("unexpected COPY.")
    rewrite.encode_names(tree, False)
    target = tree.this
    table = target.this if isinstance(target, exp.Schema) else target
    columns = [c.name if c.quoted else c.name.upper() for c in target.expressions] if isinstance(target, exp.Schema) else []
    source = tree.args["files"][0]
    select = source.this if isinstance(source, exp.Subquery) else None
    copy = Copy(table, columns, select, ref, None)
    for param in tree.args.get("params") or []:
        _apply(copy, param)
    return copy


def _take_stage(sql: str, session: Session) -> tuple[str, stages.StageRef]:
    """Replace the stage by a plain name: sqlglot does not read quoted stages."""
    match = re.compile(r"'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|@", re.DOTALL)
    for found in match.finditer(sql):
        word = found[0]
        if word == "@":
            ref, end = stages.read_reference(sql[found.start() :], session, whole=False)
            return f"{sql[: found.start()]}@local_stage{sql[found.start() + end :]}", ref
        if word.startswith("'@"):
            ref, _ = stages.read_reference(word[1:-1].replace("''", "'"), session, whole=True)
            return f"{sql[: found.start()]}@local_stage{sql[found.end() :]}", ref
    raise not_emulated("COPY from anything but an internal stage")


def _apply(copy: Copy, param: exp.CopyParameter) -> None:
    name = param.this.name.upper()
    value = param.expression.name.upper() if param.expression is not None and hasattr(param.expression, "name") else ""
    if name == "FILES":
        copy.files = [literal.this for literal in param.find_all(exp.Literal)]
        if len(copy.files) > 1000:
            raise SnowflakeError("001086", f"SQL compilation error:\nToo many files: {len(copy.files)}, the limit is 1000.", "42601")
    elif name == "FILE_FORMAT":
        text = param.sql(dialect="snowflake").upper()
        if "PARQUET" not in text:
            raise not_emulated("COPY from file formats other than Parquet")
        for option in param.args.get("expressions") or []:
            if option.name.upper() == "NULL_IF":
                copy.null_if = [text.this for text in option.args["value"].find_all(exp.Literal)]
    elif name == "PATTERN":
        copy.pattern = param.expression.name
    elif name == "ON_ERROR":
        if value not in ("ABORT_STATEMENT", ""):
            raise not_emulated(f"ON_ERROR = {value}")
    elif name in ("FORCE", "PURGE"):
        setattr(copy, name.lower(), "TRUE" in param.sql(dialect="snowflake").upper())
    elif name == "MATCH_BY_COLUMN_NAME":
        copy.match = value
    elif name not in ("SIZE_LIMIT", "ENFORCE_LENGTH", "LOAD_MODE", "RETURN_FAILED_ONLY"):
        raise not_emulated(f"COPY option {name}")


def run(session: Session, conn: FakeSnowflakeConnection, sql: str) -> Answer:
    copy = parse(session, sql)
    root = stages.require(session.account, copy.ref)
    duck = conn._duck_conn
    catalog = copy.table.catalog or session.database
    schema = copy.table.db or session.schema
    table = copy.table.name if copy.table.this.quoted else copy.table.name.upper()
    known = target_columns(session.account.catalog.columns(catalog, schema, table))
    if not known:
        raise SnowflakeError(
            "002003",
            f"SQL compilation error:\nTable '{names.decode(f'{catalog}.{schema}.{table}')}' does not exist or not authorized.",
            "42S02",
        )
    if session.account.catalog.checks(catalog, schema, table):
        # "If you attempt to COPY INTO a table with CHECK constraints, the operation fails"; the page gives no text.
        raise SnowflakeError(
            "001506", "SQL compilation error:\nCOPY INTO a table with CHECK constraints is not supported.", "0A000"
        )
    wanted = _choose(copy, root)
    metadata = f"{catalog}._fs_information_schema._load_metadata"
    loaded = dict(
        duck.execute(
            f"SELECT file_name, max(digest) FROM {metadata} WHERE schema_name = ? AND table_name = ? GROUP BY 1",
            [schema, table],
        ).fetchall()
    )
    copied = session.account.copied.setdefault((catalog, schema, table), {})
    if session.server.options.remember_rolled_back_copies:
        loaded |= copied
    stage_key = "/".join(copy.ref.key())
    digests = {name: stages.digest(root, name) for name in wanted}
    fresh = [n for n in wanted if copy.force or loaded.get(f"{stage_key}/{n}") != digests[n]]
    if not fresh and copy.files is None:
        return single("status", "Copy executed with 0 files processed.")
    rows = _load(copy, duck, root, fresh, f"{catalog}.{schema}.{names.quote(table)}", table, known) if fresh else {}
    for name in fresh:
        duck.execute(
            f"INSERT INTO {metadata} VALUES (?, ?, ?, ?, ?, now())",
            [schema, table, f"{stage_key}/{name}", digests[name], rows[name]],
        )
        copied[f"{stage_key}/{name}"] = digests[name]
    if copy.purge:
        for name in fresh:
            stages.delete(root, name)
    shown = names.decode(copy.ref.stage).lower()
    result = [
        (f"{shown}/{n}", "LOADED", rows[n], rows[n], 1, 0, None, None, None, None)
        if n in rows
        else (f"{shown}/{n}", "LOAD_SKIPPED", 0, 0, None, 1, "File was loaded before.", None, None, None)
        for n in wanted
    ]
    answer = from_rows(_RESULT, result)
    answer.type_id = 0x3600
    return answer


def _choose(copy: Copy, root: Path) -> list[str]:
    prefix = stages.relative(copy.ref.path)
    if copy.files is None:
        if prefix and copy.ref.path.endswith("/"):
            prefix += "/"
        return stages.files_under(root, prefix, copy.pattern)
    chosen = []
    for file in dict.fromkeys(copy.files):
        name = stages.relative(f"{prefix}/{file}" if prefix else file)
        if not (root / name).is_file():
            raise SnowflakeError(
                "091016",
                f"Remote file '{name}' was not found. There are several potential causes. The file might not exist."
                " The required credentials may be missing or invalid. If you are running a copy command, please make"
                " sure files are not deleted when they are being loaded or files are not being loaded into two"
                " different tables concurrently with auto purge option.",
                "22000",
            )
        chosen.append(name)
    return chosen


def _load(
    copy: Copy, duck: duckdb.DuckDBPyConnection, root: Path, files: list[str], full: str, table: str, known: dict[str, Column]
) -> dict[str, int]:
    paths = [str(root / name) for name in files]
    listed = "[" + ", ".join(names.literal(_escape_glob(path)) for path in paths) + "]"
    source = f"read_parquet({listed}, union_by_name = true, filename = true, file_row_number = true)"
    try:
        present = source_columns(duck, source)
        metadata = duck.execute(f"SELECT file_name, num_rows FROM parquet_file_metadata({listed})").fetchall()
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        raise SnowflakeError("100016", f"Error parsing the parquet file: {str(error).splitlines()[0]}", "22000") from None
    targets, expressions = _expressions(copy, known, present)
    source = _with_nulls(source, copy.null_if, present)
    insert = copy_errors.Insert(full, table, source, targets, expressions)
    try:
        inserted = duck.execute(insert.sql()).fetchone()[0]
    except (
        duckdb.ConversionException,
        duckdb.InvalidInputException,
        duckdb.ConstraintException,
        duckdb.OutOfRangeException,
    ) as error:
        raise copy_errors.explain(duck.cursor(), insert, error, str(root), names.decode(copy.ref.stage).lower()) from error
    rows = {str(Path(path).relative_to(root)): count for path, count in metadata}
    if sum(rows.values()) != inserted:
        raise SnowflakeError("000603", f"COPY inserted {inserted} of {sum(rows.values())} rows", "XX000")
    return rows


def _with_nulls(source: str, null_if: list[str], present: dict[str, str]) -> str:
    """NULL_IF: these texts are NULL, whatever the type of their column. The default is one that only text can have."""
    listed = ", ".join(names.literal(text) for text in null_if)
    columns = [
        names.quote(name) for name, kind in present.items() if null_if and (kind == "VARCHAR" or null_if != ["\\N"])
    ]
    if not columns:
        return source
    replaced = ", ".join(f"CASE WHEN CAST({c} AS VARCHAR) IN ({listed}) THEN NULL ELSE {c} END AS {c}" for c in columns)
    return f"(SELECT * REPLACE ({replaced}) FROM {source})"


def _escape_glob(path: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", path)


def _expressions(copy: Copy, known: dict[str, Column], present: dict[str, str]) -> tuple[list[Column], list[str]]:
    if copy.select is not None:
        targets = copy.columns or list(known)
        expressions = [sql_of(e, present) for e in copy.select.expressions]
        if len(expressions) != len(targets):
            raise SnowflakeError(
                "002020",
                f"SQL compilation error:\nInsert value list does not match column list expecting {len(targets)} but got"
                f" {len(expressions)}",
                "21S01",
            )
    elif copy.match in ("CASE_SENSITIVE", "CASE_INSENSITIVE"):
        fold = str.upper if copy.match == "CASE_INSENSITIVE" else str
        by_name = {fold(name): name for name in present}
        targets = [c for c in copy.columns or known if fold(c) in by_name]
        expressions = [names.quote(by_name[fold(c)]) for c in targets]
    else:
        raise SnowflakeError(
            "002019",
            "SQL compilation error:\nPARQUET file format can produce one and only one column of type variant, object,"
            " or array. Load data into separate columns using the MATCH_BY_COLUMN_NAME copy option or copy with"
            " transformation.",
            "0A000",
        )
    if missing := [c for c in targets if c not in known]:
        raise SnowflakeError("000904", f"SQL compilation error:\ninvalid identifier '{names.quote(missing[0])}'", "42000")
    if excluded := [c for c, column in known.items() if c not in targets and column.takes_sequence]:
        # "However, excluded columns cannot have a sequence as their default value"; the words of the error are not documented.
        raise SnowflakeError(
            "000002", f"Unsupported feature 'COPY into a table whose excluded column {excluded[0]} has a sequence as its default'.",
            "0A000",
        )  # fmt: skip
    return [known[c] for c in targets], expressions
