"""`python -m demo.fill --source postgresql.toml --scale 0.1`: loads TPC-H into schema tpch, replacing what is there."""

from __future__ import annotations

import argparse
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="fill", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="postgresql.toml of the local Redshift")
    parser.add_argument("--scale", type=float, default=0.1, help="scale factor: 1 is 6,000,000 lineitems (0.1)")
    parser.add_argument("--schema", default="tpch")
    arguments = parser.parse_args()
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
