"""`python -m bench.checksum --data DIR --snowhaul FILE`: what a run of strategy `checksum` costs over lineitem when nothing has
changed, beside `SELECT count(*)` on the same server and beside the run that extracts and loads all of it; on Redshift's form
of the checksum and on PostgreSQL's own."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

from demo import source
from demo.configure import write_worker

from .extraction import ROLE, Bench

ROUNDS = 3


def count_seconds(login: Path) -> float:
    connection = source.connect(login)
    with connection.cursor() as cursor:
        began = time.monotonic()
        cursor.execute("SELECT count(*) FROM tpch.lineitem")
        assert cursor.fetchone()[0] > 0
    took = time.monotonic() - began
    connection.close()
    return took


class Synchronized:
    def __init__(self, bench: Bench, platform: str) -> None:
        self.bench, self.platform, self.runs = bench, platform, 0
        self.log = f"checksum_{platform}"
        self.config = bench.data / f"{self.log}.toml"
        login = {"redshift": "source.toml", "postgresql": "postgresql.toml"}[platform]
        write_worker(self.config, bench.data / "redshift" / login)
        self.file = bench.data / f"{self.log}.json"
        table = {
            "source": {"databaseName": bench.login["database"], "schemaName": "tpch", "tableName": "lineitem"},
            "target": {"databaseName": "BENCH", "schemaName": "PUBLIC", "tableName": self.log},
            "columnNamesToPartitionBy": ["l_orderkey", "l_linenumber"],
            "synchronization": {"strategy": "checksum"},
        }
        self.file.write_text(json.dumps({"tables": [table]}))

    def run(self) -> tuple[float, float]:
        """One workflow: seconds of the whole command, and of the analysis as the worker tells them."""
        self.runs += 1
        name = f"{self.log}_{self.runs}"
        command = [self.bench.snowhaul, "run", self.file, "-c", self.config, "--source-platform", self.platform, "--name", name]
        log = self.bench.data / "logs" / f"{name}.log"
        began = time.monotonic()
        with open(log, "wb") as output:
            subprocess.run(
                [*command, "--log-format", "json"], env=self.bench.environment, check=True, stdout=output, **ROLE
            )
        took = time.monotonic() - began
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        analysis = next(line["seconds"] for line in lines if line["message"] == "task ends" and line["kind"] == "Analyze")
        return took, analysis


def main() -> None:
    parser = argparse.ArgumentParser(prog="checksum", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--snowhaul", type=Path, required=True)
    arguments = parser.parse_args()
    bench = Bench(arguments.data, arguments.snowhaul, Path())
    count = statistics.median(count_seconds(arguments.data / "redshift" / "postgresql.toml") for _ in range(ROUNDS))
    print(f"SELECT count(*) of lineitem: {count:.2f} s")
    for platform in ("redshift", "postgresql"):
        table = Synchronized(bench, platform)
        first, _ = table.run()
        later = [table.run() for _ in range(ROUNDS)]
        whole, scan = (statistics.median(values) for values in zip(*later, strict=True))
        print(
            f"checksum on {platform}: the first run, which moves everything, {first:.1f} s; with nothing changed {whole:.1f} s,"
            f" of which the analysis {scan:.2f} s: {scan / count:.1f} times count(*), {whole / first:.2f} of the first run"
        )


if __name__ == "__main__":
    main()
