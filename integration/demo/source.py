"""The login that scripts/local-redshift writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import psycopg2


def login(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text())["connections"]["source"]["redshift"]


def connect(file: Path) -> psycopg2.extensions.connection:
    entry = login(file)
    return psycopg2.connect(
        host=entry["host"],
        port=entry["port"],
        dbname=entry["database"],
        user=entry["username"],
        password=entry["password"],
    )
