"""`python -m demo.configure --data DIR --source FILE --scale 0.1`: the files that a user would write, as DIR/configuration.toml
(worker) and DIR/workflow.json."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from . import source
from .tpch import TABLES, rows_per_partition

WORKER = """\
selected_task_source = "snowflake_stored_procedure"

[application]
max_parallel_tasks = 2
task_fetch_interval = 1

[connections.target.snowflake_connection_name]
connection_name = "local"

"""


def write_worker(file: Path, login: Path) -> None:
    """The worker's configuration with the login of a source."""
    worker = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(worker, "w") as output:
        output.write(WORKER + login.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(prog="configure", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--source", type=Path, required=True, help="the source's login")
    parser.add_argument("--scale", type=float, default=0.1)
    arguments = parser.parse_args()
    login = arguments.source
    write_worker(arguments.data / "configuration.toml", login)
    database = source.login(login)["database"]
    workflow = {
        "schemaVersion": "1.0.0",
        "defaultTableConfiguration": {
            "source": {"databaseName": database, "schemaName": "tpch"},
            "target": {"databaseName": "DEMO", "schemaName": "TPCH"},
            "partitionSize": {"maxRowsPerPartition": rows_per_partition(arguments.scale)},
        },
        "tables": [
            {
                "source": {"tableName": table.name},
                "target": {"tableName": table.name.upper()},
                "columnNamesToPartitionBy": list(table.primary_key),
            }
            for table in TABLES
        ],
    }
    (arguments.data / "workflow.json").write_text(json.dumps(workflow, indent=2) + "\n")


if __name__ == "__main__":
    main()
