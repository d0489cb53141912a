"""The logins that scripts/local-redshift and scripts/local-sqlserver write: source.toml as a Redshift or a SQL Server,
postgresql.toml as a PostgreSQL."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import psycopg2


def entry(file: Path) -> tuple[str, dict[str, Any]]:
    """The platform of a login, and its section."""
    ((platform, login),) = tomllib.loads(file.read_text())["connections"]["source"].items()
    return platform, login


def login(file: Path) -> dict[str, Any]:
    return entry(file)[1]


def connect(file: Path) -> psycopg2.extensions.connection:
    entry = login(file)
    return psycopg2.connect(
        host=entry["host"],
        port=entry["port"],
        dbname=entry["database"],
        user=entry["username"],
        password=entry["password"],
    )


def connect_sqlserver(file: Path) -> Any:
    """By pyodbc and the driver that scripts/setup registers for tests and the demo."""
    os.environ.setdefault("ODBCSYSINI", str(Path(os.environ["SNOWHAUL_CACHE"]) / "odbc"))
    # Late: the driver manager reads its environment when it is loaded.
    import pyodbc

    entry = login(file)
    keywords = {
        "Driver": "{ODBC Driver 18 for SQL Server}", "Server": f"{entry['host']},{entry['port']}",
        "Database": entry["database"], "UID": entry["username"], "PWD": f"{{{entry['password']}}}",
        "TrustServerCertificate": "yes",
    }  # fmt: skip
    return pyodbc.connect(";".join(f"{key}={value}" for key, value in keywords.items()), autocommit=True)
