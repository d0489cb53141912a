"""The logins that scripts/local-redshift writes: source.toml as a Redshift, postgresql.toml as a PostgreSQL."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import psycopg2


def login(file: Path) -> dict[str, Any]:
    (login,) = tomllib.loads(file.read_text())["connections"]["source"].values()
    return login


def connect(file: Path) -> psycopg2.extensions.connection:
    entry = login(file)
    return psycopg2.connect(
        host=entry["host"],
        port=entry["port"],
        dbname=entry["database"],
        user=entry["username"],
        password=entry["password"],
    )
