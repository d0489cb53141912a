"""`python -m bench.partitions --data DIR --snowhaul FILE [--partitions 1000,5000,10000]`: memory of an orchestrator and of a
worker over one workflow of many small partitions, when so many of them are loaded. Brings its own local servers."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import psycopg2
from demo import source

ROOT = Path(__file__).parents[2]
ROWS_OF_A_PARTITION = 5


def megabytes(process: subprocess.Popen[bytes], field: str) -> float:
    """`VmRSS` is what it holds now, `VmHWM` the most that it ever held."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024 / 1e6


def server(name: str, command: str, data: Path) -> None:
    subprocess.run([ROOT / "scripts" / name, command, "--data", data / name], check=command == "start", stdout=subprocess.DEVNULL)


def fill(data: Path, rows: int) -> str:
    """The table `numbers` of the source, and a worker's file for it; answers the database's name."""
    login = source.login(data / "local-redshift" / "postgresql.toml")
    connection = psycopg2.connect(
        host=login["host"], port=login["port"], dbname=login["database"], user=login["username"], password=login["password"]
    )  # fmt: skip
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE public.numbers AS SELECT n, n * 7 AS m FROM generate_series(1, {rows}) n")
        # More partitions than rows are counted exactly.
        cursor.execute("CREATE INDEX ON public.numbers (n)")
        cursor.execute("ANALYZE public.numbers")
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in login.items())
    (data / "configuration.toml").write_text(
        'selected_task_source = "snowflake_stored_procedure"\n\n[application]\nmax_parallel_tasks = 4\ntask_fetch_interval = 1\n\n'
        f'[connections.target.snowflake_connection_name]\nconnection_name = "local"\n\n[connections.source.postgresql]\n{keys}\n'
    )
    return login["database"]


def workflow(database: str, target: str, rows_of_a_partition: int) -> str:
    """A workflow file that moves `numbers` into a database of the target."""
    table = {
        "source": {"databaseName": database, "schemaName": "public", "tableName": "numbers"},
        "target": {"databaseName": target, "schemaName": "PUBLIC", "tableName": "NUMBERS"},
        "columnNamesToPartitionBy": ["n"],
        "partitionSize": {"maxRowsPerPartition": rows_of_a_partition},
    }
    return json.dumps({"tables": [table]})


def measure(data: Path, snowhaul: Path, marks: list[int]) -> None:
    environment = {**os.environ, "SNOWFLAKE_HOME": str(data / "local-snowflake"), "SNOWFLAKE_CONNECTION_NAME": "local"}
    roles: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for role, arguments in (("orchestrator", []), ("worker", ["-c", data / "configuration.toml"])):
            with open(data / f"{role}.log", "wb") as log:
                command = [snowhaul, role, *arguments]
                roles[role] = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        create = [snowhaul, "workflow", "create", data / "workflow.json", "--source-platform", "postgresql", "--name", "many"]
        subprocess.run(create, env=environment, check=True, stdout=subprocess.DEVNULL)
        began = time.monotonic()
        left = list(marks)
        while left:
            time.sleep(3)
            status = [snowhaul, "workflow", "status", "many", "--json"]
            answer = subprocess.run(status, env=environment, check=True, capture_output=True, text=True).stdout
            answer = json.loads(answer)
            is_over = answer["workflow"]["status"] == "COMPLETED"
            table = answer["tables"][0]
            loaded = table["partitions_completed"]
            while left and (loaded >= left[0] or is_over):
                held = ", ".join(
                    f"{role} {megabytes(process, 'VmRSS'):.0f} MB, at most {megabytes(process, 'VmHWM'):.0f} MB"
                    for role, process in roles.items()
                )
                print(f"{loaded} of {table['partitions_total']} loaded after {time.monotonic() - began:.0f} s: {held}", flush=True)
                left.pop(0)
    finally:
        for process in roles.values():
            process.terminate()
            process.wait(timeout=60)


def main() -> None:
    parser = argparse.ArgumentParser(prog="partitions", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--snowhaul", type=Path, required=True)
    parser.add_argument("--partitions", default="1000,5000,10000")
    arguments = parser.parse_args()
    marks = sorted(int(mark) for mark in arguments.partitions.split(","))
    arguments.data.mkdir(parents=True, exist_ok=True)
    try:
        server("local-snowflake", "start", arguments.data)
        server("local-redshift", "start", arguments.data)
        database = fill(arguments.data, marks[-1] * ROWS_OF_A_PARTITION)
        (arguments.data / "workflow.json").write_text(workflow(database, "BENCH", ROWS_OF_A_PARTITION))
        measure(arguments.data, arguments.snowhaul, marks)
    finally:
        server("local-snowflake", "stop", arguments.data)
        server("local-redshift", "remove", arguments.data)


if __name__ == "__main__":
    main()
