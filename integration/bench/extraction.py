"""`python -m bench.extraction --data DIR --snowhaul FILE --peer FILE`: one partition of TPC-H lineitem, extracted by a
worker and by odbc2parquet in turn, over the same driver from the same PostgreSQL; medians, and the ratio of each pair. Then the worker's peak
memory for a quarter of the rows and for all, and the statements of a workflow of 200 partitions."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from demo import source
from demo.configure import write_worker

ROLE = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}


class Bench:
    def __init__(self, data: Path, snowhaul: Path, peer: Path) -> None:
        self.data, self.snowhaul, self.peer = data, snowhaul, peer
        login = data / "redshift" / "postgresql.toml"
        self.login = source.login(login)
        self.config = data / "postgresql_worker.toml"
        write_worker(self.config, login)
        self.environment = {**os.environ, "SNOWFLAKE_HOME": str(data / "snowflake"), "SNOWFLAKE_CONNECTION_NAME": "local"}
        self.workflows = 0
        self.roles: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with open(self.data / "logs" / f"{name}.log", "wb") as log:
            process = subprocess.Popen([self.snowhaul, *arguments], env=self.environment, stdout=log, **ROLE)
        self.roles.append(process)
        return process

    def worker(self, name: str, tasks: int) -> subprocess.Popen[bytes]:
        return self.start(name, "worker", "-c", str(self.config), "-w", str(tasks), "-i", "1")

    def end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(timeout=30)
        self.roles.remove(process)

    def migrate(self, view: str, key: list[str], rows: int | None = None) -> str:
        """One workflow of one table, to its end; answers its name."""
        self.workflows += 1
        name = f"bench_{self.workflows}"
        table: dict[str, Any] = {
            "source": {"databaseName": self.login["database"], "schemaName": "tpch", "tableName": view},
            "target": {"databaseName": "BENCH", "schemaName": "PUBLIC", "tableName": name},
            "columnNamesToPartitionBy": key,
        }
        if rows:
            table["partitionSize"] = {"maxRowsPerPartition": rows}
        file = self.data / f"{name}.json"
        file.write_text(json.dumps({"tables": [table]}))
        command = [self.snowhaul, "workflow", "create", file, "--source-platform", "postgresql", "--name", name, "--wait"]
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return name

    def seconds(self, log: str, workflow: str) -> float:
        """What the worker says that the extraction took, its upload included."""
        lines = map(json.loads, (self.data / "logs" / f"{log}.log").read_text().splitlines())
        return next(
            line["seconds"]
            for line in lines
            if line["message"] == "task ends" and line["kind"] == "Extract" and line["span"]["workflow"] == workflow
        )

    def peer_seconds(self) -> float:
        keywords = {
            "Driver": "{PostgreSQL Unicode}", "Server": self.login["host"], "Port": self.login["port"],
            "Database": self.login["database"], "UID": self.login["username"], "PWD": self.login["password"],
            "UseDeclareFetch": "1", "Fetch": "10000",
        }  # fmt: skip
        text = ";".join(f"{key}={value}" for key, value in keywords.items())
        output = self.data / "peer.parquet"
        command = [self.peer, "--quiet", "query", "--connection-string", text, "--batch-size-row", "10000", output]
        began = time.monotonic()
        subprocess.run([*command, "SELECT * FROM tpch.lineitem"], check=True)
        return time.monotonic() - began

    def statements(self) -> list[str]:
        log = (self.data / "snowflake" / "statements.jsonl").read_text().splitlines()
        return [json.loads(line)["sql"].lstrip().split(None, 1)[0].upper() for line in log]


def peak_megabytes(process: subprocess.Popen[bytes]) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def extraction(bench: Bench, pairs: int) -> None:
    worker = bench.worker("pairs", 1)
    ours, theirs = [], []
    for _ in range(pairs):
        ours.append(bench.seconds("pairs", bench.migrate("lineitem", [])))
        theirs.append(bench.peer_seconds())
    bench.end(worker)
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    shown = [f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})" for values in (ours, theirs, ratios)]
    print(f"extraction: snowhaul {shown[0]} s, odbc2parquet {shown[1]} s, ratio {shown[2]}")


def memory(bench: Bench) -> None:
    for view in ("lineitem_quarter", "lineitem"):
        worker = bench.worker(f"memory_{view}", 1)
        bench.migrate(view, [])
        print(f"peak memory of a worker with one task on {view}: {peak_megabytes(worker):.0f} MB")
        bench.end(worker)


def statement_economy(bench: Bench) -> None:
    worker = bench.worker("statements", 2)
    before = len(bench.statements())
    bench.migrate("numbers", ["n"], 500)
    bench.end(worker)
    sent = [first for first in bench.statements()[before:] if first != "COPY"]
    puts = sent.count("PUT")
    print(
        f"statements of a workflow of 200 partitions, COPY apart, polls included: {len(sent)},"
        f" {len(sent) / 200:.2f} a partition; of these PUT {puts} (none on S3 and Azure, whose credentials serve all files)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="extraction", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--snowhaul", type=Path, required=True)
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    connection = source.connect(arguments.data / "redshift" / "postgresql.toml")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE tpch.lineitem_quarter AS SELECT * FROM tpch.lineitem"
            " WHERE l_orderkey <= (SELECT max(l_orderkey) / 4 FROM tpch.lineitem)"
        )
        cursor.execute("CREATE TABLE tpch.numbers AS SELECT n, n * 7 AS m FROM generate_series(1, 100000) n")
        cursor.execute("ANALYZE")
    connection.close()
    bench = Bench(arguments.data, arguments.snowhaul, arguments.peer)
    try:
        bench.start("orchestrator", "orchestrator")
        memory(bench)
        statement_economy(bench)
        extraction(bench, arguments.pairs)
    finally:
        for role in list(bench.roles):
            bench.end(role)


if __name__ == "__main__":
    main()
