"""`python -m demo.fill --source FILE --scale 0.1`: loads TPC-H into schema tpch, replacing what is there. FILE:
postgresql.toml of the local Redshift, or source.toml of the local SQL Server."""

from __future__ import annotations

import argparse
import csv
import itertools
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import source
from .tpch import TABLES, Table


def _generate(directory: str, scale: float) -> None:
    # All in one run: each run spends a second on the text that comments are cut from.
    generator = str(Path(sys.executable).with_name("tpchgen-cli"))
    subprocess.run([generator, "csv", "-q", "-s", str(scale), "-o", directory], check=True)


def _load(login: Path, schema: str, directory: str, table: Table) -> int:
    name = f"{schema}.{table.name}"
    connection = source.connect(login)
    try:
        with connection, connection.cursor() as cursor, open(f"{directory}/{table.name}.csv", "rb") as file:
            # In the transaction of its CREATE TABLE a COPY writes no log.
            cursor.execute(f"CREATE TABLE {name} ({table.columns})")
            cursor.copy_expert(f"COPY {name} FROM STDIN (FORMAT csv, HEADER)", file, 1 << 20)
            rows = cursor.rowcount
            cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(table.primary_key)})")
            cursor.execute(f"ANALYZE {name}")
    finally:
        connection.close()
    return rows


# As many as a VALUES of SQL Server takes.
_ROWS_OF_AN_INSERT = 1000


def _load_into_sqlserver(login: Path, schema: str, directory: str, table: Table) -> int:
    name = f"{schema}.{table.name}"
    # Those that Redshift and SQL Server both have.
    is_number = [kind.split()[1].startswith(("int", "big", "num")) for kind in _definitions(table.columns)]
    connection = source.connect_sqlserver(login)
    rows = 0
    with connection.cursor() as cursor, open(f"{directory}/{table.name}.csv", newline="") as file:
        key = ", ".join(table.primary_key)
        cursor.execute(f"CREATE TABLE {name} ({table.columns}, CONSTRAINT pk_{table.name} PRIMARY KEY ({key}))")
        lines = csv.reader(file)
        next(lines)
        while some := list(itertools.islice(lines, _ROWS_OF_AN_INSERT)):
            values = (
                ", ".join(
                    value if plain else "'" + value.replace("'", "''") + "'"
                    for value, plain in zip(line, is_number, strict=True)
                )
                for line in some
            )
            cursor.execute(f"INSERT INTO {name} VALUES ({'), ('.join(values)})")
            rows += len(some)
    connection.close()
    return rows


def _definitions(columns: str) -> list[str]:
    """The definitions of columns: commas within brackets separate nothing."""
    return [part.strip() for part in columns.replace("(15,2)", "").split(",")]


def _fill_sqlserver(login: Path, schema: str, scale: float) -> int:
    connection = source.connect_sqlserver(login)
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"IF OBJECT_ID(N'{schema}.{table.name}') IS NOT NULL DROP TABLE {schema}.{table.name}")
        cursor.execute(f"IF SCHEMA_ID(N'{schema}') IS NULL EXEC(N'CREATE SCHEMA {schema}')")
    connection.close()
    with tempfile.TemporaryDirectory(dir=login.parent) as directory:
        _generate(directory, scale)
        return sum(_load_into_sqlserver(login, schema, directory, table) for table in TABLES)


def main() -> None:
    parser = argparse.ArgumentParser(prog="fill", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="the login")
    parser.add_argument("--scale", type=float, default=0.1, help="scale factor: 1 is 6,000,000 lineitems (0.1)")
    parser.add_argument("--schema", default="tpch")
    arguments = parser.parse_args()
    if source.entry(arguments.source)[0] == "sqlserver":
        rows = _fill_sqlserver(arguments.source, arguments.schema, arguments.scale)
        print(f"{rows:,} rows in {len(TABLES)} tables")
        return
    connection = source.connect(arguments.source)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {arguments.schema} CASCADE")
        cursor.execute(f"CREATE SCHEMA {arguments.schema}")
    connection.close()
    # The largest first, so that nothing waits for it at the end.
    largest_first = TABLES[::-1]
    with tempfile.TemporaryDirectory(dir=arguments.source.parent) as directory, ThreadPoolExecutor(2) as pool:
        _generate(directory, arguments.scale)
        rows = sum(pool.map(lambda table: _load(arguments.source, arguments.schema, directory, table), largest_first))
    print(f"{rows:,} rows in {len(TABLES)} tables")


if __name__ == "__main__":
    main()
