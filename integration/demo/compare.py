"""`python -m demo.compare --source FILE --snowflake connections.toml`: counts and checksums both sides of the demo, by
PostgreSQL's or SQL Server's, and Snowflake's own drivers. Ends with 1 on any difference."""

from __future__ import annotations

import argparse
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import snowflake.connector

from . import source
from .checksum import (
    Checksum,
    postgres_columns,
    postgres_query,
    snowflake_query,
    sqlserver_columns,
    sqlserver_query,
)
from .tpch import TABLES

_HEADS = ("table", "source rows", "target rows", "source checksum", "target checksum",
          "partitions", "bytes", "seconds", "verdict")  # fmt: skip

_UNKNOWN = (None, None, None, None, None)


def _checksum(cursor: Any, query: str) -> Checksum:
    cursor.execute(query)
    return Checksum(tuple(cursor.fetchone()))


def _progress(cursor: Any, metadata: str, workflow: str) -> dict[str, tuple[Any, ...]]:
    """What snowhaul says of itself, by table: status, partitions, bytes, seconds, error."""
    cursor.execute(
        "SELECT TARGET_TABLE, STATUS, PARTITIONS_TOTAL, BYTES, "
        "TIMESTAMPDIFF('millisecond', STARTED_AT, ENDED_AT), EXAMPLE_ERROR "
        f"FROM {metadata}.TABLE_PROGRESS_WITH_EXAMPLE_ERROR WHERE WORKFLOW_NAME = %s",
        (workflow,),
    )
    return {row[0].split(".")[-1].strip('"').upper(): row[1:] for row in cursor.fetchall()}


def _print(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in [_HEADS, *rows]) for i in range(len(_HEADS))]
    for row in [_HEADS, tuple("-" * width for width in widths), *rows]:
        cells = [cell.ljust(widths[i]) if i in (0, 3, 4, 8) else cell.rjust(widths[i]) for i, cell in enumerate(row)]
        print("  ".join(cells).rstrip())


def main() -> None:
    parser = argparse.ArgumentParser(prog="compare", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="the source's login")
    parser.add_argument("--snowflake", type=Path, required=True, help="connections.toml of the local Snowflake")
    parser.add_argument("--connection", default="local")
    parser.add_argument("--schema", default="tpch")
    parser.add_argument("--target", default="DEMO.TPCH")
    parser.add_argument("--metadata", default="SNOWCONVERT_AI.DATA_MIGRATION")
    parser.add_argument("--workflow", default="demo")
    arguments = parser.parse_args()

    login = tomllib.loads(arguments.snowflake.read_text())[arguments.connection]
    if source.entry(arguments.source)[0] == "sqlserver":
        here = source.connect_sqlserver(arguments.source)
        source_columns, source_query = sqlserver_columns, sqlserver_query
    else:
        here = source.connect(arguments.source)
        source_columns, source_query = postgres_columns, postgres_query
    there = snowflake.connector.connect(**login)
    ours, theirs = here.cursor(), there.cursor()
    database, schema = arguments.target.split(".")
    rows, problems = [], []
    try:
        progress = _progress(theirs, arguments.metadata, arguments.workflow)
    except snowflake.connector.errors.ProgrammingError as refused:
        progress, problems = {}, [f"no progress can be read: {refused.msg}"]
    both = ThreadPoolExecutor(2)
    for table in TABLES:
        columns = source_columns(ours, arguments.schema, table.name)
        target = snowflake_query(columns, database, schema, table.name.upper())
        in_source = both.submit(_checksum, ours, source_query(columns, arguments.schema, table.name))
        in_target = both.submit(_checksum, theirs, target)
        wanted, found = in_source.result(), None
        status, partitions, size, milliseconds, error = progress.get(table.name.upper(), _UNKNOWN)
        try:
            found = in_target.result()
            difference = wanted.differences(found, columns)
        except snowflake.connector.errors.ProgrammingError as refused:
            difference = [f"the target cannot be read: {refused.msg}"]
        if status is None:
            difference.append(f"workflow {arguments.workflow} does not know it")
        elif error:
            difference.append(f"{status}: {error}")
        problems += [f"{table.name}: {text}" for text in difference]
        rows.append(
            (
                table.name,
                f"{wanted.rows:,}",
                f"{found.rows:,}" if found else "-",
                wanted.short,
                found.short if found else "-",
                "-" if partitions is None else str(partitions),
                "-" if size is None else f"{int(size):,}",
                "-" if milliseconds is None else f"{milliseconds / 1000:.1f}",
                "DIFFERENT" if difference else "equal",
            )
        )
    _print(rows)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
