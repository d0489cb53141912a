"""The account: DuckDB with one file per Snowflake database, all of it under one data directory.

fakesnow keeps the registry of stages (`_fs_global`) in memory and staged files in a temporary directory, and
attaches a database only when a login names it. Here everything is a file, and every file is attached again at
start, so that a stop or a kill -9 loses no answered commit: DuckDB writes its log before it answers.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import duckdb
from fakesnow import info_schema, macros
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.instance import GLOBAL_DATABASE_NAME, FakeSnow
from fakesnow.transforms import show, stage

from . import names, patches
from .catalog import Catalog
from .errors import already_exists, does_not_exist
from .governance import Governance
from .procedures import Procedures

log = logging.getLogger("local_snowflake")


class _Recent(OrderedDict):
    """fakesnow remembers every result for RESULT_SCAN; a server that runs for days keeps the latest."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > 200:
            try:
                self.popitem(last=False)
            except KeyError:
                break


class Account(FakeSnow):
    def __init__(self, data: Path, *, memory_limit: str = "4GB", threads: int = 2, lock_wait: float = 10.0) -> None:
        patches.apply()
        self.data = data
        self.lock_wait = lock_wait
        self.databases = data / "databases"
        self.stages = data / "stages"
        for directory in (self.databases, self.stages, data / "journal", data / "spill"):
            directory.mkdir(parents=True, exist_ok=True)
        stage.LOCAL_BUCKET_PATH = str(self.stages)
        self.create_database_on_connect = self.create_schema_on_connect = False
        self.db_path, self.nop_regexes = self.databases, None
        self.results_cache = _Recent()
        self.duck_conn = duckdb.connect(
            ":memory:",
            config={
                "lambda_syntax": "ENABLE_SINGLE_ARROW",  # as fakesnow sets it for sqlglot's lambdas
                "threads": threads,
                "memory_limit": memory_limit,
                "temp_directory": str(data / "spill"),
                "autoinstall_known_extensions": False,
            },
        )
        self.has_aliases = False
        self.catalog = Catalog(lambda: self.connection()._duck_conn)
        self.procedures = Procedures(data / "procedures")
        # Sessions may still be in them.
        self.dropped_schemas: set[tuple[str, str]] = set()
        self._guard = threading.Lock()
        self._table_locks: dict[tuple[str, str, str], threading.Lock] = {}
        # Files of COPYs, whether or not they were rolled back: see unfriendly.
        self.copied: dict[tuple[str, str, str], dict[str, str]] = {}
        self.commit_lock = threading.Lock()
        self.governance = Governance()
        keywords = "SELECT keyword_name, keyword_category FROM duckdb_keywords()"
        names.learn_keywords(self.duck_conn.execute(keywords).fetchall())
        self._attach(data / "global.db", GLOBAL_DATABASE_NAME)
        self.duck_conn.execute(info_schema.fs_global_creation_sql())
        self.duck_conn.execute(show.fs_global_creation_sql())
        self.duck_conn.execute(patches.GLOBAL_VIEWS)
        # For sessions without a current database, which cast to timestamps too.
        self.duck_conn.execute(macros.creation_sql("memory"))
        self.duck_conn.execute("SET GLOBAL TimeZone = 'UTC'")
        for file in sorted(self.databases.glob("*.db")):
            self._open_database(file.stem)

    def _attach(self, file: Path, name: str) -> None:
        self.duck_conn.execute(f"ATTACH IF NOT EXISTS {names.literal(str(file))} AS {name}")

    def _open_database(self, alias: str) -> None:
        self._attach(self.databases / f"{alias}.db", alias)
        self.duck_conn.execute(info_schema.per_db_creation_sql(alias))
        self.duck_conn.execute(macros.creation_sql(alias))
        self.duck_conn.execute(patches.database_sql(alias))
        self.has_aliases |= alias.startswith(names.PREFIX)

    def connection(self) -> FakeSnowflakeConnection:
        with self._guard:
            cursor = self.duck_conn.cursor()
        connection = FakeSnowflakeConnection(cursor, self.results_cache, db_path=self.databases)
        connection.local_account = self
        return connection

    def is_hybrid(self, key: tuple[str, str, str]) -> bool:
        database, schema, table = key
        return any(
            found.name == table and found.kind == "TABLE" and '"hybrid": true' in (found.comment or "")
            for found in self.catalog.objects(database, schema)
        )

    def table_lock(self, key: tuple[str, str, str]) -> threading.Lock:
        with self._guard:
            return self._table_locks.setdefault(key, threading.Lock())

    # Databases and schemas: done here because fakesnow creates neither PUBLIC nor odd names.

    def has_database(self, alias: str) -> bool:
        return (self.databases / f"{alias}.db").exists()

    def database_names(self) -> list[str]:
        return sorted(file.stem for file in self.databases.glob("*.db"))

    # Transient ones: nothing differs here but that they take no hybrid tables.

    def _note_transient(self, alias: str, schema: str, transient: bool) -> None:
        notes = f"{alias}._fs_information_schema._transient_schemas"
        self.duck_conn.execute(f"DELETE FROM {notes} WHERE schema_name = ?", [schema])
        if transient:
            self.duck_conn.execute(f"INSERT INTO {notes} VALUES (?)", [schema])

    def transient_schemas(self, alias: str) -> set[str]:
        """The transient schemas of a database; the empty name among them: it is transient as a whole."""
        with self._guard:
            rows = self.duck_conn.execute(f"SELECT schema_name FROM {alias}._fs_information_schema._transient_schemas")
            return {row[0] for row in rows.fetchall()}

    def schema_names(self, alias: str) -> set[str]:
        with self._guard:
            rows = self.duck_conn.execute(
                "SELECT schema_name FROM duckdb_schemas() WHERE database_name = ?", [alias]
            ).fetchall()
        return {row[0] for row in rows}

    def create_database(self, name: str, *, exists_ok: bool, replace: bool = False, transient: bool = False) -> str:
        alias = names.encode(name)
        with self.catalog.changing(alias), self._guard:
            if self.has_database(alias):
                if not replace:
                    if exists_ok:
                        return f"{name} already exists, statement succeeded."
                    raise already_exists(name)
                self._drop_database(alias)
            self._open_database(alias)
            self.duck_conn.execute(f"CREATE SCHEMA IF NOT EXISTS {alias}.PUBLIC")
            self._note_transient(alias, "", transient)
        return f"Database {name} successfully created."

    def drop_database(self, name: str, *, exists_ok: bool) -> str:
        alias = names.encode(name)
        with self.catalog.changing(alias), self._guard:
            if not self.has_database(alias):
                if exists_ok:
                    return "Drop statement executed successfully."
                raise does_not_exist("Database", name)
            self._drop_database(alias)
        return f"{name} successfully dropped."

    def _drop_database(self, alias: str) -> None:
        self.duck_conn.execute(f"DETACH {alias}")
        self.procedures.forget(names.decode(alias))
        for file in self.databases.glob(f"{alias}.db*"):
            file.unlink()
        registry = "_fs_global._fs_information_schema._fs_stages"
        self.duck_conn.execute(f"DELETE FROM {registry} WHERE database_name = ?", [alias])
        shutil.rmtree(self.stages / alias, ignore_errors=True)

    def create_schema(
        self, database: str, name: str, *, exists_ok: bool, replace: bool = False, transient: bool = False
    ) -> str:
        alias, schema = names.encode(database), names.encode(name)
        if not self.has_database(alias):
            raise does_not_exist("Database", database)
        if schema in self.schema_names(alias):
            if not replace:
                if exists_ok:
                    return f"{name} already exists, statement succeeded."
                raise already_exists(name)
            self.drop_schema(database, name, exists_ok=True)
        with self.catalog.changing(alias), self._guard:
            self.duck_conn.execute(f"CREATE SCHEMA IF NOT EXISTS {alias}.{schema}")
            self.dropped_schemas.discard((alias, schema))
            self._note_transient(alias, schema, transient)
            self.has_aliases |= schema.startswith(names.PREFIX)
        return f"Schema {name} successfully created."

    def drop_schema(self, database: str, name: str, *, exists_ok: bool) -> str:
        alias, schema = names.encode(database), names.encode(name)
        if not self.has_database(alias) or schema not in self.schema_names(alias):
            if exists_ok:
                return "Drop statement executed successfully."
            raise does_not_exist("Schema", name)
        with self.catalog.changing(alias), self._guard:
            self.duck_conn.execute(f"DROP SCHEMA {alias}.{schema} CASCADE")
            self.dropped_schemas.add((alias, schema))
            self.procedures.forget(database, name)
            self._note_transient(alias, schema, False)
            for table in ("_load_metadata", "_fs_load_history"):
                self.duck_conn.execute(f"DELETE FROM {alias}._fs_information_schema.{table} WHERE schema_name = ?", [schema])
            registry = "_fs_global._fs_information_schema._fs_stages"
            self.duck_conn.execute(f"DELETE FROM {registry} WHERE database_name = ? AND schema_name = ?", [alias, schema])
        shutil.rmtree(self.stages / alias / schema, ignore_errors=True)
        return f"{name} successfully dropped."

    def require_schema(self, database: str, schema: str) -> None:
        if not self.has_database(names.encode(database)):
            raise does_not_exist("Database", database)
        if schema != "INFORMATION_SCHEMA" and names.encode(schema) not in self.schema_names(names.encode(database)):
            raise does_not_exist("Schema", f"{database}.{schema}")

    def close(self) -> None:
        """A clean stop folds the logs into the database files."""
        try:
            self.duck_conn.close()
        except duckdb.Error as error:
            log.warning("closing: %s", error)


